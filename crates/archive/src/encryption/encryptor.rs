//! Plain bytes in, an age file out.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use age::stream::StreamWriter;

use super::Recipients;

/// Where `age` writes to, so that it can be taken from there.
#[derive(Clone, Default)]
struct Outbox(Arc<Mutex<Vec<u8>>>);

impl Outbox {
    /// Leaves as much room as was needed this time.
    fn take(&self) -> Vec<u8> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = bytes.len();
        mem::replace(&mut *bytes, Vec::with_capacity(room))
    }
}

impl Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot encrypt: {0}")]
pub struct EncryptionError(String);

/// Encrypts one object. Holds back at most one chunk; an object without [`Self::finish`] is truncated, and every reader
/// notices.
pub struct Encryptor {
    stream: StreamWriter<Outbox>,
    outbox: Outbox,
}

impl Encryptor {
    /// The encryptor and the bytes to write first.
    pub fn new(recipients: &Recipients) -> Result<(Self, Vec<u8>), EncryptionError> {
        let keys = recipients.keys().iter().map(|key| key as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(keys).map_err(|error| EncryptionError(error.to_string()))?;
        let outbox = Outbox::default();
        let stream = encryptor.wrap_output(outbox.clone()).map_err(|error| EncryptionError(error.to_string()))?;
        let header = outbox.take();
        Ok((Self { stream, outbox }, header))
    }

    /// What is to be written now; nothing while a chunk fills up.
    pub fn push(&mut self, plain: &[u8]) -> Result<Vec<u8>, EncryptionError> {
        self.stream.write_all(plain).map_err(|error| EncryptionError(error.to_string()))?;
        Ok(self.outbox.take())
    }

    /// The end of the object.
    pub fn finish(self) -> Result<Vec<u8>, EncryptionError> {
        self.stream.finish().map_err(|error| EncryptionError(error.to_string()))?;
        Ok(self.outbox.take())
    }

    /// A whole object that is in memory anyway.
    pub fn whole(recipients: &Recipients, plain: &[u8]) -> Result<Vec<u8>, EncryptionError> {
        let (mut encryptor, mut object) = Self::new(recipients)?;
        object.extend(encryptor.push(plain)?);
        object.extend(encryptor.finish()?);
        Ok(object)
    }
}
