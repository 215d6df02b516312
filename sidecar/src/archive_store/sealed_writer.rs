//! An object that is written in pieces, encrypted on the way when the archive is.

use archive::encryption::{Encryptor, Recipients};
use bytes::Bytes;
use store::{Created, ObjectWriter};

use crate::error::Result;

pub struct SealedWriter {
    object: Box<dyn ObjectWriter>,
    encryptor: Option<Encryptor>,
    stored_bytes: u64,
}

impl SealedWriter {
    pub(super) async fn begin(object: Box<dyn ObjectWriter>, recipients: Option<&Recipients>) -> Result<Self> {
        let Some(recipients) = recipients else { return Ok(Self { object, encryptor: None, stored_bytes: 0 }) };
        let (encryptor, header) = Encryptor::new(recipients)?;
        let mut writer = Self { object, encryptor: Some(encryptor), stored_bytes: 0 };
        writer.store(header.into()).await?;
        Ok(writer)
    }

    pub async fn write(&mut self, plain: Bytes) -> Result<()> {
        let bytes = match &mut self.encryptor {
            None => plain,
            Some(encryptor) => encryptor.push(&plain)?.into(),
        };
        self.store(bytes).await
    }

    async fn store(&mut self, bytes: Bytes) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.stored_bytes += bytes.len() as u64;
        Ok(self.object.write(bytes).await?)
    }

    /// Publishes the object; its size as stored.
    pub async fn finish(mut self) -> Result<(Created, u64)> {
        if let Some(encryptor) = self.encryptor.take() {
            let rest = encryptor.finish()?;
            self.store(rest.into()).await?;
        }
        Ok((self.object.finish().await?, self.stored_bytes))
    }

    pub async fn abort(self) {
        self.object.abort().await;
    }
}

impl std::fmt::Debug for SealedWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedWriter").field("stored_bytes", &self.stored_bytes).finish_non_exhaustive()
    }
}
