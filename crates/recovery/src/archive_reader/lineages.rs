//! Which lineages an archive holds. One whose record cannot be used is named, and keeps nobody from the others.

use archive::LineageId;
use archive::catalog::Finding;
use archive::coverage::Coverage;
use archive::layout::ObjectKey;
use archive::lineage::LineageRecord;
use archive::plan::plan_restore;
use archive::target::RestoreTarget;
use store::{ErrorKind, ObjectStoreExt};

use super::{ArchiveReader, RECORD_LIMIT, finding};
use crate::failure::{Failure, FailureKind, Result};

/// Folders of a lineage that hold what was backed up.
const DATA_FOLDERS: [&str; 3] = ["gaps", "oplog", "snapshots"];

/// The lineages of an archive, by id.
#[derive(Debug, Default)]
pub struct Lineages {
    pub records: Vec<LineageRecord>,
    /// Lineages whose record cannot be used, with the record's key and what is wrong with it.
    pub broken: Vec<(LineageId, Finding)>,
}

impl ArchiveReader {
    pub async fn lineages(&self) -> Result<Lineages> {
        let mut lineages = Lineages::default();
        for folder in self.store.list_folders("").await? {
            let Ok(lineage) = folder.parse::<LineageId>() else { continue };
            match self.lineage_record(&lineage).await? {
                Some(Ok(record)) => lineages.records.push(record),
                Some(Err(problem)) => {
                    let key = ObjectKey::Lineage { lineage: lineage.clone() };
                    lineages.broken.push((lineage, finding(key.to_string(), problem)));
                }
                None => {}
            }
        }
        Ok(lineages)
    }

    /// What is wrong with the record, when the folder is that of a lineage.
    async fn lineage_record(&self, lineage: &LineageId) -> Result<Option<Result<LineageRecord, String>>> {
        let key = ObjectKey::Lineage { lineage: lineage.clone() }.to_string();
        let bytes = match self.store.get_bytes(&key, RECORD_LIMIT).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                // It is the first object that is ever written of a lineage.
                let folders = self.store.list_folders(&ObjectKey::lineage_prefix(lineage)).await?;
                let has_data = folders.iter().any(|folder| DATA_FOLDERS.contains(&folder.as_str()));
                let had_data = matches!(self.high_water(lineage).await, Ok(Some(_)));
                return Ok(
                    (has_data || had_data).then(|| Err("it is missing: nothing says whose history this is".to_owned()))
                );
            }
            Err(error) if error.kind() == ErrorKind::Other => return Ok(Some(Err(error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        Ok(Some(match LineageRecord::from_json(&bytes) {
            Ok(record) if record.lineage == *lineage => Ok(record),
            Ok(record) => Err(format!("it is the record of lineage {}", record.lineage)),
            Err(error) => Err(error.to_string()),
        }))
    }

    /// The lineage that was asked for, or the only one there is.
    pub async fn choose_lineage(&self, wanted: Option<&str>) -> Result<LineageRecord> {
        let Lineages { mut records, broken } = self.lineages().await?;
        let ids = records.iter().map(|record| &record.lineage).chain(broken.iter().map(|(lineage, _)| lineage));
        let known = ids.map(LineageId::as_str).collect::<Vec<_>>().join(", ");
        let refuse = |kind, what: String, next: &str| {
            Err(Failure::new(kind, what).at(self.store.location()).because(format!("it holds: {known}")).then(next))
        };
        let is_wanted = |lineage: &LineageId| wanted.is_none_or(|wanted| wanted == lineage.as_str());
        // Without a name a broken one stands in nobody's way unless there is nothing else.
        if let Some((_, problem)) = broken.iter().find(|(lineage, _)| is_wanted(lineage))
            && (wanted.is_some() || records.is_empty())
        {
            return Err(self.broken_record(problem));
        }
        match wanted {
            Some(id) => match records.iter().position(|record| record.lineage.as_str() == id) {
                Some(position) => Ok(records.swap_remove(position)),
                None => refuse(FailureKind::NotFound, format!("the archive has no lineage `{id}`"), "dr-cli status"),
            },
            None if records.len() == 1 && broken.is_empty() => Ok(records.swap_remove(0)),
            None if records.is_empty() => {
                refuse(FailureKind::NotFound, "the archive holds no lineage yet".into(), "wait for `sidecar run`")
            }
            None => refuse(FailureKind::Usage, "the archive holds several lineages".into(), "name one with --lineage"),
        }
    }

    /// The lineage for a restore to `target`: the one that was asked for, the only one there is, or the only one whose time
    /// `target` lies in.
    ///
    /// A restored set is archived as another lineage, so after a recovery an archive holds two; a moment before the
    /// recovery lies in the first, one after it in the second. Whenever another one could be meant, none is chosen: sets of
    /// different names, a lineage with a finding or a gap where `target` lies, and `latest` or `-15m`, which mean
    /// something in each.
    pub async fn choose_lineage_for(&self, wanted: Option<&str>, target: &RestoreTarget) -> Result<LineageRecord> {
        let means_a_moment = !matches!(target, RestoreTarget::Latest | RestoreTarget::Ago { .. });
        if wanted.is_none() && means_a_moment {
            let Lineages { records, broken } = self.lineages().await?;
            let is_one_set = records.windows(2).all(|pair| pair[0].replica_set == pair[1].replica_set);
            if records.len() > 1 && broken.is_empty() && is_one_set {
                return self.only_in_range(records, target).await;
            }
        }
        self.choose_lineage(wanted).await
    }

    async fn only_in_range(&self, records: Vec<LineageRecord>, target: &RestoreTarget) -> Result<LineageRecord> {
        let (mut able, mut unclear, mut judged) = (Vec::new(), 0, Vec::new());
        for record in records {
            let catalog = self.catalog(&record.lineage).await?;
            let word = match plan_restore(&catalog, target) {
                Ok(_) => {
                    let word = format!("{} can be restored to it", record.lineage);
                    able.push(record);
                    word
                }
                Err(refusal) => {
                    let has_findings = !catalog.findings(&Coverage::of_catalog(&catalog)).is_empty();
                    unclear += usize::from(has_findings || !refusal.is_out_of_range());
                    format!("{}: {}", record.lineage, refusal.what())
                }
            };
            judged.push(word);
        }
        let (kind, what, next) = match (able.len(), unclear) {
            (1, 0) => return Ok(able.swap_remove(0)),
            (0, 0) => {
                let what = format!("no lineage of the archive can be restored to {target}");
                (FailureKind::NotRestorable, what, "dr-cli status")
            }
            _ => {
                let what = format!("it is not certain which of several lineages {target} means");
                (FailureKind::Usage, what, "dr-cli status, then name one with --lineage")
            }
        };
        Err(Failure::new(kind, what).at(self.store.location()).because(judged.join("; ")).then(next))
    }

    /// Those that can be used and what is wrong with the others, or that there is none; a failure when none is left that
    /// can be used.
    pub async fn usable_lineages(&self) -> Result<(Vec<LineageRecord>, Vec<Finding>)> {
        let Lineages { records, broken } = self.lineages().await?;
        match broken.first() {
            Some((_, problem)) if records.is_empty() => Err(self.broken_record(problem)),
            None if records.is_empty() => Ok((records, vec![no_lineage()])),
            _ => Ok((records, broken.into_iter().map(|(_, problem)| problem).collect())),
        }
    }

    fn broken_record(&self, Finding { object, problem }: &Finding) -> Failure {
        Failure::integrity(format!("the record of the lineage cannot be used: {problem}")).at(self.place(object))
    }
}

/// An archive that is only its marker, as it is before the first sidecar and after a deletion.
pub(crate) fn no_lineage() -> Finding {
    let problem = "nothing can be restored: the archive holds no lineage; no sidecar has archived into it yet, or \
                   everything in it was removed";
    finding(ObjectKey::Archive.to_string(), problem)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use archive::ClusterTime;
    use archive::archive_marker::ArchiveMarker;
    use archive::high_water::HighWater;
    use bytes::Bytes;
    use store::{Created, ObjectStore};

    use super::*;

    const NOW: &str = "2026-01-02T03:04:05Z";

    struct Place {
        _folder: tempfile::TempDir,
        reader: ArchiveReader,
    }

    impl Place {
        /// An archive with these objects.
        async fn with(objects: &[(&str, Vec<u8>)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store: Arc<dyn ObjectStore> =
                store::open_or_create(&format!("file://{}", folder.path().display())).unwrap();
            let marker = ("archive.json", ArchiveMarker::new("0b7e", NOW).to_json().unwrap());
            for (key, body) in [&marker].into_iter().chain(objects) {
                assert_eq!(store.put_new(key, Bytes::from(body.clone())).await.unwrap(), Created::New);
            }
            Self { _folder: folder, reader: ArchiveReader::open(store).await.unwrap() }
        }

        async fn refused(&self, wanted: Option<&str>) -> (FailureKind, String) {
            let failure = self.reader.choose_lineage(wanted).await.unwrap_err();
            (failure.kind, failure.to_string())
        }
    }

    fn record(lineage: &str) -> Vec<u8> {
        LineageRecord::new(lineage.parse().unwrap(), "rs0", "1", NOW).to_json().unwrap()
    }

    #[tokio::test]
    async fn a_broken_lineage_leaves_the_others_alone() {
        for (what, broken) in [
            ("cut", record("rs0-b")[..20].to_vec()),
            ("of another lineage", record("rs0-c")),
            ("larger than any", vec![b' '; RECORD_LIMIT + 1]),
        ] {
            let place = Place::with(&[("rs0-a/lineage.json", record("rs0-a")), ("rs0-b/lineage.json", broken)]).await;
            let (records, findings) = place.reader.usable_lineages().await.unwrap();
            assert_eq!(records.len(), 1, "{what}");
            assert_eq!(findings[0].object, "rs0-b/lineage.json", "{what}");
            assert_eq!(place.reader.choose_lineage(Some("rs0-a")).await.unwrap().lineage.as_str(), "rs0-a", "{what}");
            let (kind, text) = place.refused(Some("rs0-b")).await;
            assert!(kind == FailureKind::Integrity && text.contains("rs0-b/lineage.json"), "{what}: {text}");
            // Which one is meant is not known.
            let (kind, text) = place.refused(None).await;
            assert!(kind == FailureKind::Usage && text.contains("rs0-a, rs0-b"), "{what}: {text}");
            assert_eq!(place.refused(Some("rs0-x")).await.0, FailureKind::NotFound, "{what}");
        }
    }

    #[tokio::test]
    async fn a_lineage_without_its_record_is_broken_and_a_foreign_folder_is_nothing() {
        let place = Place::with(&[("rs0-a/oplog/20260101/x", vec![1]), ("music/song", vec![1])]).await;
        let lineages = place.reader.lineages().await.unwrap();
        assert!(lineages.records.is_empty());
        assert_eq!(lineages.broken.len(), 1);
        assert!(lineages.broken[0].1.problem.contains("missing"), "{lineages:?}");
        assert_eq!(place.refused(None).await.0, FailureKind::Integrity);
        assert_eq!(place.reader.usable_lineages().await.unwrap_err().kind, FailureKind::Integrity);
        let empty = Place::with(&[("music/song", vec![1])]).await;
        assert_eq!(empty.refused(None).await.0, FailureKind::NotFound);
        assert_eq!(empty.reader.usable_lineages().await.unwrap(), (Vec::new(), vec![no_lineage()]));
    }

    #[tokio::test]
    async fn a_lineage_of_which_only_the_mark_is_left_is_broken() {
        let mark = HighWater::new(ClusterTime::new(9, 1), None, NOW).to_json().unwrap();
        let place = Place::with(&[("rs0-a/control/archived.json", mark)]).await;
        assert_eq!(place.refused(None).await.0, FailureKind::Integrity);
        let place = Place::with(&[("sidecar-check/control/trial", vec![1])]).await;
        assert_eq!(place.refused(None).await.0, FailureKind::NotFound);
    }
}
