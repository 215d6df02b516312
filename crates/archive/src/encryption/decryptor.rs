//! An age file in, plain bytes out.
//!
//! `age` reads from an inbox that says "would block" when it is empty; its stream reader keeps the part of a chunk that it
//! has and goes on later. The header is handed to it only when all of it has arrived, because it is read in one go.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use age::stream::StreamReader;

use super::{CHUNK_BYTES, DecryptionError, Identities};

/// A header with the most recipients that we write is half as large.
const MAX_HEADER_BYTES: usize = 16 * 1024;
const MAGIC: &[u8] = b"age-encryption.org/v1\n";
const ANY_VERSION: &[u8] = b"age-encryption.org/";
const NONCE_BYTES: usize = 16;

#[derive(Default)]
struct Arrived {
    bytes: Vec<u8>,
    used: usize,
    is_complete: bool,
}

/// Where `age` reads from.
#[derive(Clone, Default)]
struct Inbox(Arc<Mutex<Arrived>>);

impl Inbox {
    fn put(&self, bytes: &[u8]) {
        let mut arrived = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let used = std::mem::take(&mut arrived.used);
        arrived.bytes.drain(..used);
        arrived.bytes.extend_from_slice(bytes);
    }

    fn complete(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_complete = true;
    }
}

impl Read for Inbox {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut arrived = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = &arrived.bytes[arrived.used..];
        if rest.is_empty() && !arrived.is_complete {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        arrived.used += length;
        Ok(length)
    }
}

enum State {
    Header(Vec<u8>),
    Payload { stream: Box<StreamReader<Inbox>>, inbox: Inbox },
    Failed(DecryptionError),
}

/// Decrypts one object. What [`Self::push`] hands out is authentic, but only [`Self::finish`] says that it is all.
pub struct Decryptor {
    identities: Option<Identities>,
    recorded: Vec<String>,
    state: State,
    /// Where the first chunk starts in the object.
    payload_at: u64,
    arrived: u64,
    plain: u64,
}

impl Decryptor {
    /// `recorded` are the recipients that the archive names for this object; only for the error when no identity fits.
    pub fn new(identities: Option<&Identities>, recorded: &[String]) -> Self {
        let (identities, recorded) = (identities.cloned(), recorded.to_vec());
        Self { identities, recorded, state: State::Header(Vec::new()), payload_at: 0, arrived: 0, plain: 0 }
    }

    /// Decrypts what has arrived. After an error, always that error.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<u8>, DecryptionError> {
        self.arrived += bytes.len() as u64;
        let step = match &mut self.state {
            State::Failed(error) => return Err(error.clone()),
            State::Header(header) => {
                header.extend_from_slice(bytes);
                self.start()
            }
            State::Payload { inbox, .. } => {
                inbox.put(bytes);
                Ok(())
            }
        };
        let plain = step.and_then(|()| self.read());
        plain.inspect_err(|error| self.state = State::Failed(error.clone()))
    }

    /// Ends the object: the last of it. Without an error here nothing is known to be complete.
    pub fn finish(mut self) -> Result<Vec<u8>, DecryptionError> {
        match &self.state {
            State::Failed(error) => return Err(error.clone()),
            State::Header(header) => {
                let is_prefix = MAGIC.starts_with(header) || header.starts_with(MAGIC);
                let truncated = DecryptionError::Truncated { offset: self.arrived };
                return Err(if is_prefix { truncated } else { not_age(header) });
            }
            State::Payload { inbox, .. } => inbox.complete(),
        }
        self.read()
    }

    /// A whole object that is in memory anyway.
    pub fn whole(
        identities: Option<&Identities>,
        recorded: &[String],
        object: &[u8],
    ) -> Result<Vec<u8>, DecryptionError> {
        let mut decryptor = Self::new(identities, recorded);
        let mut plain = decryptor.push(object)?;
        plain.extend(decryptor.finish()?);
        Ok(plain)
    }

    /// Opens the payload as soon as header and nonce are there.
    fn start(&mut self) -> Result<(), DecryptionError> {
        let State::Header(arrived) = &mut self.state else { return Ok(()) };
        let magic = arrived.len().min(MAGIC.len());
        if arrived[..magic] != MAGIC[..magic] {
            let is_newer = arrived.starts_with(ANY_VERSION);
            return Err(if is_newer { DecryptionError::NewerAge } else { not_age(arrived) });
        }
        let Some(length) = header_length(arrived) else {
            let is_too_long = arrived.len() > MAX_HEADER_BYTES;
            return if is_too_long { Err(DecryptionError::DamagedHeader) } else { Ok(()) };
        };
        if length > MAX_HEADER_BYTES {
            return Err(DecryptionError::DamagedHeader);
        }
        if arrived.len() < length + NONCE_BYTES {
            return Ok(());
        }
        let inbox = Inbox::default();
        inbox.put(arrived);
        let decryptor = age::Decryptor::new(inbox.clone()).map_err(|_| DecryptionError::DamagedHeader)?;
        let keys = self.identities.iter().flat_map(Identities::keys);
        let stream = decryptor.decrypt(keys).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => DecryptionError::NoMatchingIdentity {
                needed: self.recorded.clone(),
                offered: self.identities.as_ref().map(Identities::public_keys).unwrap_or_default(),
            },
            _ => DecryptionError::DamagedHeader,
        })?;
        self.payload_at = (length + NONCE_BYTES) as u64;
        self.state = State::Payload { stream: Box::new(stream), inbox };
        Ok(())
    }

    fn read(&mut self) -> Result<Vec<u8>, DecryptionError> {
        let State::Payload { stream, .. } = &mut self.state else { return Ok(Vec::new()) };
        let mut plain = Vec::new();
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => plain.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(DecryptionError::Truncated { offset: self.arrived });
                }
                Err(_) => {
                    let chunks = (self.plain + plain.len() as u64) / CHUNK_BYTES as u64;
                    return Err(DecryptionError::Damaged {
                        offset: self.payload_at + chunks * (CHUNK_BYTES as u64 + 16),
                    });
                }
            }
        }
        self.plain += plain.len() as u64;
        Ok(plain)
    }
}

/// Up to and including the line end behind the MAC.
fn header_length(arrived: &[u8]) -> Option<usize> {
    const MAC: &[u8] = b"\n--- ";
    let searched = &arrived[..arrived.len().min(MAX_HEADER_BYTES)];
    let mac = searched.windows(MAC.len()).position(|window| window == MAC)? + MAC.len();
    let line = arrived[mac..].iter().take(MAX_HEADER_BYTES).position(|&byte| byte == b'\n')?;
    Some(mac + line + 1)
}

fn not_age(start: &[u8]) -> DecryptionError {
    DecryptionError::NotAge { found: start[..start.len().min(16)].escape_ascii().to_string() }
}
