//! The key check: whoever has only the identities of this drill can open everything of the lineage that is encrypted.
//!
//! What the restore read is opened already. But recipients change over time, and the identity that opens today's data may not
//! open what is older; so one object of each set of recipients is opened.

use std::collections::BTreeMap;

use archive::catalog::StoredSlice;
use archive::drill::{Check, Outcome};
use archive::encryption::RecipientsRecord;
use archive::manifest::SnapshotManifest;
use archive::plan::RestorePlan;

use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};
use crate::oplog_stream::OplogStream;

/// One object that is encrypted to a set of recipients.
enum Sample {
    Snapshot(Box<SnapshotManifest>),
    Slice(Box<StoredSlice>),
}

pub async fn check(reader: &ArchiveReader, plan: &RestorePlan) -> Result<Vec<Check>> {
    let samples = samples(reader, plan).await?;
    if samples.is_empty() {
        let detail = "nothing of this lineage is encrypted".to_owned();
        return Ok(vec![Check { name: "encryption".to_owned(), outcome: Outcome::Skipped, detail }]);
    }
    let identities = reader.identities();
    let detail = format!("{}; where they are kept is not known to dr-cli", identities.join(", "));
    let mut checks = vec![Check { name: "identities used".to_owned(), outcome: Outcome::Passed, detail }];
    for (recipients, sample) in samples {
        let (outcome, detail) = match open(reader, plan, &sample).await {
            Ok(what) => (Outcome::Passed, opened(&recipients, &identities, &what)),
            Err(failure) if failure.kind == FailureKind::Key => (Outcome::Failed, failure.what),
            Err(failure) => return Err(failure),
        };
        let named = if recipients.is_empty() { "not on record".to_owned() } else { recipients.join(", ") };
        checks.push(Check { name: format!("open what is encrypted to {named}"), outcome, detail });
    }
    Ok(checks)
}

fn opened(recipients: &[String], identities: &[String], what: &str) -> String {
    match identities.iter().find(|identity| recipients.contains(identity)) {
        Some(identity) => format!("{what}, with the identity of {identity}"),
        None => what.to_owned(),
    }
}

/// For each set of recipients the newest object; snapshots first, because they name their recipients themselves.
async fn samples(reader: &ArchiveReader, plan: &RestorePlan) -> Result<BTreeMap<Vec<String>, Sample>> {
    let mut samples = BTreeMap::new();
    let catalog = reader.catalog(&plan.lineage).await?;
    let records = reader.recipients_records(&plan.lineage).await?;
    for slice in catalog.slices.into_iter().filter(|slice| slice.encrypted) {
        let record = RecipientsRecord::in_force(&records, slice.id.after);
        let recipients = record.map(|record| record.recipients.clone()).unwrap_or_default();
        samples.insert(recipients, Sample::Slice(Box::new(slice)));
    }
    for snapshot in &catalog.snapshots {
        let manifest = reader.manifest(&plan.lineage, &snapshot.id).await?;
        if manifest.is_encrypted() && !manifest.pages.is_empty() {
            samples.insert(manifest.encryption.recipients.clone(), Sample::Snapshot(Box::new(manifest)));
        }
    }
    Ok(samples)
}

/// What was opened.
async fn open(reader: &ArchiveReader, plan: &RestorePlan, sample: &Sample) -> Result<String, Failure> {
    match sample {
        Sample::Snapshot(manifest) => {
            reader.collections(manifest, 0).await?;
            Ok(format!("snapshot {} was opened", manifest.snapshot))
        }
        Sample::Slice(slice) => {
            let chain = vec![**slice];
            let mut stream = OplogStream::open(reader.clone(), plan.lineage.clone(), chain);
            while stream.next().await?.is_some() {}
            Ok(format!("the slice through {} was opened", slice.id.through))
        }
    }
}
