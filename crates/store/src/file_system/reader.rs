//! Reading an object in bounded chunks.

use std::fs::File;
use std::io::{self, ErrorKind as IoErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;

use super::blocking;
use super::failure::Failure;
use super::root::Root;
use crate::error::{ErrorKind, Operation, StoreError};
use crate::port::{ByteStream, Result};

const CHUNK_BYTES: u64 = 512 * 1024;

struct OpenObject {
    root: Arc<Root>,
    key: String,
    file: Arc<File>,
    position: u64,
    end: u64,
}

pub(super) async fn open(root: &Arc<Root>, key: &str, range: Option<Range<u64>>) -> Result<ByteStream> {
    let owned = key.to_owned();
    let (file, size) = blocking(root, Operation::Get, move |root| {
        let opened = open_file(root, &owned).map_err(|failure| root.error(Operation::Get, &owned, failure))?;
        opened.ok_or_else(|| match root.require(Operation::Get) {
            Ok(()) => StoreError::new(ErrorKind::NotFound, Operation::Get, &root.location).with_key(&owned),
            Err(error) => error,
        })
    })
    .await?;
    let range = range.unwrap_or(0..size);
    let object = OpenObject {
        root: Arc::clone(root),
        key: key.to_owned(),
        file: Arc::new(file),
        position: range.start,
        end: range.end.min(size),
    };
    Ok(Box::pin(stream::try_unfold(object, |mut object| async move {
        if object.position >= object.end {
            return Ok(None);
        }
        let chunk = object.next_chunk().await?;
        Ok(Some((chunk, object)))
    })))
}

fn open_file(root: &Root, key: &str) -> Result<Option<(File, u64)>, Failure> {
    // Looking first keeps an open from blocking on a named pipe that somebody put into the folder.
    if root.stat(key)?.is_none() {
        return Ok(None);
    }
    let path = root.path_of(key);
    match File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file))) {
        Ok((size, file)) => Ok(Some((file, size))),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::at("open", &path)(error)),
    }
}

impl OpenObject {
    async fn next_chunk(&mut self) -> Result<Bytes> {
        let (file, key) = (Arc::clone(&self.file), self.key.clone());
        let (position, end) = (self.position, self.end);
        let chunk = blocking(&self.root, Operation::Read, move |root| {
            let failed = |source| Failure::at("read", &root.path_of(&key))(source);
            let length = usize::try_from((end - position).min(CHUNK_BYTES)).unwrap_or(usize::MAX);
            read_exactly(&file, position, length).map_err(|error| {
                if error.kind() == IoErrorKind::UnexpectedEof {
                    StoreError::new(ErrorKind::Other, Operation::Read, &root.location).with_key(&key).with_detail(
                        format!("the file shrank while it was read: it ends before byte {}", position + length as u64),
                    )
                } else {
                    root.error(Operation::Read, &key, failed(error))
                }
            })
        })
        .await?;
        self.position += chunk.len() as u64;
        Ok(chunk)
    }
}

fn read_exactly(file: &File, position: u64, length: usize) -> io::Result<Bytes> {
    let mut chunk = vec![0; length];
    file.read_exact_at(&mut chunk, position)?;
    Ok(chunk.into())
}
