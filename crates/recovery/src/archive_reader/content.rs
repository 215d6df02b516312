//! The bytes of an object as the format decoders read them: decrypted on the way when its name says that it is encrypted.

use std::sync::Arc;

use archive::LineageId;
use archive::encryption::{DecryptionError, Decryptor, Identities, RecipientsRecord};
use archive::layout::ObjectKey;
use bytes::Bytes;
use futures::StreamExt;
use store::{ByteStream, ObjectStoreExt, StoreError};

use super::{ArchiveReader, RECORD_LIMIT};
use crate::failure::{Failure, FailureKind, Result};

/// Why the content of an object cannot be had.
#[derive(Debug)]
pub(crate) enum ContentError {
    Store(StoreError),
    /// Encrypted, and wrong: cut, changed, or not an age file at all.
    Damaged(DecryptionError),
    /// No identity that was given can decrypt it.
    NeedsKey(NeedsKey),
    /// Who could decrypt it could not be looked up.
    Failed(Failure),
}

/// Whose identity an object needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsKey {
    /// age public keys as the archive records them; empty when it does not.
    pub recipients: Vec<String>,
    /// Public halves of the identities that were tried.
    pub offered: Vec<String>,
}

impl NeedsKey {
    pub fn failure(&self, place: impl Into<String>) -> Failure {
        let needed = match self.recipients.as_slice() {
            [] => "recipients that are not on record".to_owned(),
            recipients => recipients.join(" or "),
        };
        let cause = match self.offered.as_slice() {
            [] => "no identity was given".to_owned(),
            offered => format!("the identities given are those of {}", offered.join(" and ")),
        };
        Failure::new(FailureKind::Key, format!("it is encrypted, and needs the identity (secret key) of {needed}"))
            .at(place)
            .because(cause)
            .then("the same command with --identity-file FILE (or TIDEMARK_IDENTITY_FILE), FILE holding that identity")
    }
}

impl ContentError {
    /// `what` is the kind of object, as in "a segment".
    pub fn into_failure(self, what: &str, place: String) -> Failure {
        match self {
            Self::Store(error) => error.into(),
            Self::Damaged(problem) => Failure::integrity(format!("{what} cannot be used: {problem}")).at(place),
            Self::NeedsKey(needed) => needed.failure(place),
            Self::Failed(failure) => failure,
        }
    }
}

/// An object that is read once, from its start to its end.
pub(crate) struct Content {
    reader: ArchiveReader,
    key: ObjectKey,
    chunks: ByteStream,
    /// `None` at the end, and for an object in the clear.
    decryptor: Option<Decryptor>,
    stored_bytes: u64,
}

impl Content {
    /// The next bytes; never empty. After `None` the object was whole.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ContentError> {
        loop {
            let chunk = self.chunks.next().await.transpose().map_err(ContentError::Store)?;
            self.stored_bytes += chunk.as_ref().map_or(0, Bytes::len) as u64;
            let plain = match (chunk, &mut self.decryptor) {
                (chunk, None) => return Ok(chunk),
                (Some(chunk), Some(decryptor)) => decryptor.push(&chunk),
                (None, decryptor) => match decryptor.take() {
                    Some(decryptor) => decryptor.finish(),
                    None => return Ok(None),
                },
            };
            match plain {
                Ok(plain) if plain.is_empty() => {}
                Ok(plain) => return Ok(Some(plain.into())),
                Err(DecryptionError::NoMatchingIdentity { .. }) => return Err(self.reader.needs_key(&self.key).await),
                Err(problem) => return Err(ContentError::Damaged(problem)),
            }
        }
    }

    /// What was read of it so far, as it is stored.
    pub fn stored_bytes(&self) -> u64 {
        self.stored_bytes
    }
}

impl ArchiveReader {
    /// With the secret keys that encrypted objects are read with.
    #[must_use]
    pub fn with_identities(self, identities: Option<Identities>) -> Self {
        Self { identities: identities.map(Arc::new), ..self }
    }

    /// Public halves of the identities that were given.
    pub fn identities(&self) -> Vec<String> {
        self.identities.as_deref().map(Identities::public_keys).unwrap_or_default()
    }

    pub(crate) async fn content(&self, key: &ObjectKey) -> Result<Content, ContentError> {
        let decryptor = match &self.identities {
            // Without a key nothing of it needs to be fetched.
            None if key.is_encrypted() => return Err(self.needs_key(key).await),
            identities => key.is_encrypted().then(|| Decryptor::new(identities.as_deref(), &[])),
        };
        let chunks = self.store.get(&key.to_string(), None).await.map_err(ContentError::Store)?;
        Ok(Content { reader: self.clone(), key: key.clone(), chunks, decryptor, stored_bytes: 0 })
    }

    /// A whole object of at most `limit` plain bytes; `None` when it is not there.
    pub(super) async fn whole(&self, key: &ObjectKey, limit: usize) -> Result<Option<Bytes>, ContentError> {
        if !key.is_encrypted() {
            return self.store.get_bytes(&key.to_string(), limit).await.map_err(ContentError::Store);
        }
        let Some(identities) = &self.identities else { return Err(self.needs_key(key).await) };
        // What age adds is less than a hundredth.
        let stored = self.store.get_bytes(&key.to_string(), limit + limit / 64).await.map_err(ContentError::Store)?;
        let Some(stored) = stored else { return Ok(None) };
        match Decryptor::whole(Some(identities), &[], &stored) {
            Ok(plain) => Ok(Some(plain.into())),
            Err(DecryptionError::NoMatchingIdentity { .. }) => Err(self.needs_key(key).await),
            Err(problem) => Err(ContentError::Damaged(problem)),
        }
    }

    async fn needs_key(&self, key: &ObjectKey) -> ContentError {
        match self.recipients_of(key).await {
            Ok(recipients) => ContentError::NeedsKey(NeedsKey { recipients, offered: self.identities() }),
            Err(failure) => ContentError::Failed(failure),
        }
    }

    /// Who can decrypt an object, as the archive records it.
    async fn recipients_of(&self, key: &ObjectKey) -> Result<Vec<String>> {
        match key {
            ObjectKey::Slice { lineage, id, .. } => {
                let records = self.recipients_records(lineage).await?;
                let record = RecipientsRecord::in_force(&records, id.after);
                Ok(record.map(|record| record.recipients.clone()).unwrap_or_default())
            }
            ObjectKey::Segment { lineage, snapshot, .. } | ObjectKey::Collections { lineage, snapshot, .. } => {
                Ok(self.manifest(lineage, snapshot).await?.encryption.recipients)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Whom the slices of a lineage are encrypted to, and since when. A record that cannot be used is left out: it only
    /// helps to say which key is missing, and `verify` reports it.
    pub async fn recipients_records(&self, lineage: &LineageId) -> Result<Arc<[RecipientsRecord]>> {
        let mut known = self.recipients.lock().await;
        if let Some(records) = known.get(lineage) {
            return Ok(Arc::clone(records));
        }
        let mut records = Vec::new();
        for object in self.store.list_all(&ObjectKey::recipients_prefix(lineage)).await? {
            if let Some(bytes) = self.store.get_bytes(&object.key, RECORD_LIMIT).await?
                && let Ok(record) = RecipientsRecord::from_json(&bytes)
            {
                records.push(record);
            }
        }
        let records: Arc<[RecipientsRecord]> = records.into();
        known.insert(lineage.clone(), Arc::clone(&records));
        Ok(records)
    }
}
