//! Which keys an archive needs, and whether the identities at hand open what was encrypted to them: the check that a key
//! in escrow is the right one, made before it is needed.

use std::collections::BTreeMap;

use archive::LineageId;
use archive::catalog::Catalog;
use archive::encryption::RecipientsRecord;
use archive::layout::ObjectKey;
use serde::Serialize;

use crate::archive_reader::{ArchiveReader, ContentError};
use crate::failure::{Failure, Result};

/// One set of recipients that objects of a lineage are encrypted to, tried on one of these objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeySet {
    /// age public keys, sorted; each of them opens the objects.
    pub recipients: Vec<String>,
    /// The newest object of the set.
    pub object: String,
    /// What was encrypted to them.
    pub snapshots: u64,
    pub slices: u64,
    pub opens: bool,
    /// Why it does not open; not a matter of keys when `is_key_problem` is not set.
    pub problem: Option<String>,
    #[serde(skip)]
    pub is_key_problem: bool,
}

/// The sets of a lineage, by their recipients; none for an archive in the clear.
pub async fn check(reader: &ArchiveReader, catalog: &Catalog) -> Result<Vec<KeySet>> {
    let mut sets: BTreeMap<Vec<String>, KeySet> = BTreeMap::new();
    let lineage = &catalog.lineage;
    for snapshot in &catalog.snapshots {
        let manifest = reader.manifest(lineage, &snapshot.id).await?;
        if let Some(page) = manifest.pages.first().filter(|_| manifest.is_encrypted()) {
            let (lineage, snapshot) = (lineage.clone(), snapshot.id.clone());
            let key = ObjectKey::Collections { lineage, snapshot, page: page.page, encrypted: true };
            note(&mut sets, &manifest.encryption.recipients, &key).snapshots += 1;
        }
    }
    let records = reader.recipients_records(lineage).await?;
    for slice in catalog.slices.iter().filter(|slice| slice.encrypted) {
        let recipients = RecipientsRecord::in_force(&records, slice.id.after).map(|record| record.recipients.clone());
        note(&mut sets, &recipients.unwrap_or_default(), &slice.id.key(lineage, true)).slices += 1;
    }
    let mut checked = Vec::new();
    for mut set in sets.into_values() {
        open(reader, lineage, &mut set).await?;
        checked.push(set);
    }
    Ok(checked)
}

fn note<'a>(sets: &'a mut BTreeMap<Vec<String>, KeySet>, recipients: &[String], newest: &ObjectKey) -> &'a mut KeySet {
    let set = sets.entry(recipients.to_vec()).or_insert_with(|| KeySet {
        recipients: recipients.to_vec(),
        object: String::new(),
        snapshots: 0,
        slices: 0,
        opens: false,
        problem: None,
        is_key_problem: false,
    });
    set.object = newest.to_string();
    set
}

async fn open(reader: &ArchiveReader, lineage: &LineageId, set: &mut KeySet) -> Result<()> {
    let key: ObjectKey = set.object.parse().map_err(|error: archive::layout::ParseKeyError| {
        Failure::integrity(error.to_string()).at(reader.place(lineage.as_str()))
    })?;
    let first = match reader.content(&key).await {
        // The first bytes are authentic, so the key is the right one.
        Ok(mut content) => content.next().await.map(|_| ()),
        Err(error) => Err(error),
    };
    match first {
        Ok(()) => set.opens = true,
        Err(ContentError::NeedsKey(needed)) => {
            set.is_key_problem = true;
            set.problem = Some(needed.failure(reader.place(&set.object)).what);
        }
        Err(ContentError::Damaged(problem)) => set.problem = Some(problem.to_string()),
        Err(ContentError::Store(error)) => set.problem = Some(error.to_string()),
        Err(ContentError::Failed(failure)) => return Err(failure),
    }
    Ok(())
}
