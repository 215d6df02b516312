//! The remaining objects of a lineage: references, drill reports, recipients, and what does not belong there.

use archive::LineageId;
use archive::drill::DrillReport;
use archive::encryption::RecipientsRecord;
use archive::layout::ObjectKey;
use archive::reference::Reference;
use store::ObjectStoreExt;

use super::{Context, VerifyLevel};
use crate::failure::Result;

/// The largest of the small JSON objects.
pub(super) const RECORD_LIMIT: usize = 16 * 1024 * 1024;
/// References name every collection, and so do reports.
const PROOF_LIMIT: usize = 64 * 1024 * 1024;

/// Where objects of other kinds lie; those were looked at already. `control/` is rewritten while it is read.
const ELSEWHERE: [&str; 4] = ["snapshots", "oplog", "gaps", "control"];

/// Why a record cannot be used as what its key says.
fn problem_of(key: &ObjectKey, bytes: &[u8]) -> Option<String> {
    let found = match key {
        ObjectKey::Reference { .. } => Reference::from_json(bytes).map(|reference| reference.key()),
        ObjectKey::Drill { .. } => DrillReport::from_json(bytes).map(|report| report.key()),
        ObjectKey::Recipients { lineage, .. } => {
            RecipientsRecord::from_json(bytes).and_then(|record| record.key(lineage))
        }
        _ => return None,
    };
    match found {
        Ok(found) if found == *key => None,
        Ok(found) => Some(format!("it is that of `{found}`")),
        Err(error) => Some(error.to_string()),
    }
}

pub(super) async fn verify(context: &mut Context<'_>, lineage: &LineageId) -> Result<()> {
    let store = context.reader.store();
    let prefix = ObjectKey::lineage_prefix(lineage);
    for folder in store.list_folders(&prefix).await? {
        if ELSEWHERE.contains(&folder.as_str()) {
            continue;
        }
        if !["references", "drills", "recipients"].contains(&folder.as_str()) {
            context.findings.note(format!("{prefix}{folder}/"), "a foreign folder");
            continue;
        }
        for object in store.list_all(&format!("{prefix}{folder}/")).await? {
            let Ok(key) = object.key.parse::<ObjectKey>() else {
                context.findings.note(object.key, "a foreign object");
                continue;
            };
            context.findings.checked(object.size);
            let is_text = matches!(key, ObjectKey::DrillText { .. } | ObjectKey::DrillSignature { .. });
            if is_text || context.options.level == VerifyLevel::List {
                if object.size == 0 {
                    context.findings.add(object.key, "it is empty");
                }
                continue;
            }
            let Some(bytes) = store.get_bytes(&object.key, PROOF_LIMIT).await? else { continue };
            if let Some(problem) = problem_of(&key, &bytes) {
                context.findings.add(object.key, problem);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use archive::reference::{MissingCollection, MissingReason};
    use archive::{ClusterTime, Namespace};
    use store::{Created, MemoryStore, ObjectStore};

    use super::super::{Sample, VerifyOptions, verify};
    use super::*;
    use crate::archive_reader::ArchiveReader;
    use crate::progress::Silent;

    const ARCHIVE: &[u8] = include_bytes!("../../../archive/tests/golden/archive.json");

    fn reference() -> Reference {
        Reference::new("rs0-1".parse().unwrap(), ClusterTime::new(7, 1), "db-1:27017", "2026-01-02T03:04:05Z")
    }

    #[test]
    fn a_record_has_to_be_one_and_the_one_that_its_key_names() {
        let (reference, json) = (reference(), reference().to_json().unwrap());
        assert_eq!(problem_of(&reference.key(), &json), None);
        let other = ObjectKey::Reference { lineage: reference.lineage.clone(), at: ClusterTime::new(8, 1) };
        assert!(problem_of(&other, &json).unwrap().contains("it is that of"));
        let drill = ObjectKey::Drill { lineage: reference.lineage.clone(), id: "20260102T040000Z-d1".parse().unwrap() };
        let recipients =
            ObjectKey::Recipients { lineage: reference.lineage.clone(), since: reference.at, digest: [7; 16] };
        for key in [other, drill, recipients] {
            assert!(problem_of(&key, b"{}").is_some(), "{key}: JSON alone says nothing");
        }
    }

    #[tokio::test]
    async fn a_reference_of_very_many_collections_is_read() {
        let mut reference = reference();
        reference.missing = vec![MissingCollection {
            namespace: Namespace::new("shop", "log"),
            reason: MissingReason::Capped,
            detail: "x".repeat(17 << 20),
        }];
        let memory = MemoryStore::new();
        for (key, body) in
            [("archive.json".to_owned(), ARCHIVE.to_vec()), (reference.key().to_string(), reference.to_json().unwrap())]
        {
            assert_eq!(memory.put_new(&key, body.into()).await.unwrap(), Created::New);
        }
        let store: Arc<dyn ObjectStore> = Arc::new(memory);
        let reader = ArchiveReader::open(store).await.unwrap();
        let options = VerifyOptions { level: VerifyLevel::Hash, sample: Sample::Everything, concurrency: 1 };
        let report = verify(&reader, Some(&reference.lineage), options, Arc::new(Silent)).await.unwrap();
        let about: Vec<_> = report.findings.iter().filter(|finding| finding.object.contains("/references/")).collect();
        assert!(about.is_empty(), "{about:?}");
    }
}
