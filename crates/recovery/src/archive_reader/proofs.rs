//! References and drill reports of a lineage: what proofs are made with, and what was proven.

use std::sync::Arc;

use archive::catalog::Finding;
use archive::drill::DrillReport;
use archive::layout::ObjectKey;
use archive::reference::Reference;
use archive::{ClusterTime, Digest, DrillId, LineageId};
use store::{ObjectStore, ObjectStoreExt};

use super::{ArchiveReader, finding};
use crate::failure::{Failure, Result};

const LIMIT: usize = 64 * 1024 * 1024;

impl ArchiveReader {
    /// The same archive, seen through another store: an overlay of the one that it lies in.
    #[must_use]
    pub fn through(self, store: Arc<dyn ObjectStore>) -> Self {
        Self { store, ..self }
    }

    /// The moments of all references, ascending.
    pub async fn reference_times(&self, lineage: &LineageId) -> Result<Vec<ClusterTime>> {
        let objects = self.store.list_all(&ObjectKey::references_prefix(lineage)).await?;
        let times = objects.iter().filter_map(|object| match object.key.parse() {
            Ok(ObjectKey::Reference { at, .. }) => Some(at),
            _ => None,
        });
        Ok(times.collect())
    }

    /// The reference of exactly this moment, with the digest of the object that holds it.
    pub async fn reference(&self, lineage: &LineageId, at: ClusterTime) -> Result<Option<(Reference, Digest)>> {
        let key = ObjectKey::Reference { lineage: lineage.clone(), at }.to_string();
        let Some(bytes) = self.store.get_bytes(&key, LIMIT).await? else { return Ok(None) };
        let unusable = |problem: String| {
            Failure::integrity(format!("the reference of {at} cannot be used: {problem}")).at(self.place(&key))
        };
        let reference = Reference::from_json(&bytes).map_err(|error| unusable(error.to_string()))?;
        if reference.at != at || reference.lineage != *lineage {
            return Err(unusable(format!("it is that of {} of {}", reference.at, reference.lineage)));
        }
        Ok(Some((reference, Digest::of(&bytes))))
    }

    /// The newest `count` drills, newest first; ids start with the time. Those that cannot be read are named.
    pub async fn drills(&self, lineage: &LineageId, count: usize) -> Result<(Vec<DrillReport>, Vec<Finding>)> {
        let objects = self.store.list_all(&ObjectKey::drills_prefix(lineage)).await?;
        let mut ids: Vec<DrillId> = objects
            .iter()
            .filter_map(|object| match object.key.parse() {
                Ok(ObjectKey::Drill { id, .. }) => Some(id),
                _ => None,
            })
            .collect();
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let (mut drills, mut unusable) = (Vec::new(), Vec::new());
        for id in ids {
            if drills.len() == count {
                break;
            }
            let key = ObjectKey::Drill { lineage: lineage.clone(), id: id.clone() }.to_string();
            let Some(bytes) = self.store.get_bytes(&key, LIMIT).await? else { continue };
            match DrillReport::from_json(&bytes) {
                Ok(report) if report.id == id && report.lineage == *lineage => drills.push(report),
                Ok(report) => {
                    let problem = format!("it is the report of drill {} of {}", report.id, report.lineage);
                    unusable.push(finding(key, problem));
                }
                Err(error) => unusable.push(finding(key, error.to_string())),
            }
        }
        Ok((drills, unusable))
    }
}

#[cfg(test)]
mod tests {
    use store::{Created, MemoryStore};

    use super::*;

    const ARCHIVE: &[u8] = include_bytes!("../../../archive/tests/golden/archive.json");
    const DRILL: &[u8] = include_bytes!("../../../archive/tests/golden/drill.json");

    #[tokio::test]
    async fn a_report_of_another_lineage_or_drill_proves_nothing_here() {
        let report = DrillReport::from_json(DRILL).unwrap();
        let other: LineageId = "rs9-1".parse().unwrap();
        let copied = ObjectKey::Drill { lineage: other.clone(), id: report.id.clone() };
        let renamed = ObjectKey::Drill { lineage: other.clone(), id: "20990102T040000Z-d1".parse().unwrap() };
        let memory = MemoryStore::new();
        for (key, body) in [
            (ObjectKey::Archive.to_string(), ARCHIVE),
            (report.key().to_string(), DRILL),
            (copied.to_string(), DRILL),
            (renamed.to_string(), DRILL),
        ] {
            assert_eq!(memory.put_new(&key, body.to_vec().into()).await.unwrap(), Created::New);
        }
        let reader = ArchiveReader::open(Arc::new(memory)).await.unwrap();
        let (own, unusable) = reader.drills(&report.lineage, 5).await.unwrap();
        assert_eq!((own, unusable), (vec![report], Vec::new()));
        let (drills, unusable) = reader.drills(&other, 5).await.unwrap();
        assert_eq!((drills, unusable.len()), (Vec::new(), 2));
    }
}
