//! How many documents a collection must have at the end, where the archive says so.
//!
//! A scan's count is right for a moment not after its end, and every insert or delete after that changes it by one. What
//! stands in the oplog up to the scan's end may be in the scan or not, so collections that were written to meanwhile have no
//! known count. Nor have capped ones, which evict by themselves and do not always say so in the oplog, and those that an
//! upsert or an `applyOps` run by hand touched, because such an entry is logged whether or not it made a document.
//! Buckets of time series and clustered collections count as any other. Filled by the replay, read by the check.

use std::collections::HashMap;

use archive::collection_page::CollectionRecord;
use archive::oplog::OpKind;
use archive::timeline::Collection;
use archive::{ClusterTime, CollectionUuid};

#[derive(Debug, Default)]
pub struct Tally {
    balances: HashMap<CollectionUuid, Balance>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Balance {
    /// The scan holds nothing later; a collection that was not scanned starts empty.
    scanned_through: ClusterTime,
    documents: i64,
    is_unknown: bool,
}

impl Tally {
    pub fn new(records: &[CollectionRecord]) -> Self {
        let scanned = |record: &CollectionRecord| Balance {
            scanned_through: record.scan.through,
            documents: i64::try_from(record.documents()).unwrap_or(i64::MAX),
            is_unknown: false,
        };
        Self { balances: records.iter().map(|record| (record.uuid, scanned(record))).collect() }
    }

    /// An entry that has taken effect; `certain`: an insert has made a document, a delete has removed one.
    pub fn observe(&mut self, uuid: CollectionUuid, at: ClusterTime, kind: OpKind, certain: bool) {
        let balance = self.balances.entry(uuid).or_default();
        balance.is_unknown |= !certain || at <= balance.scanned_through;
        let change = match kind {
            OpKind::Insert => 1,
            OpKind::Delete => -1,
            _ => 0,
        };
        balance.documents = balance.documents.saturating_add(change);
    }

    /// The number of documents that the collection must have; `None` when it does not follow from the archive. A negative
    /// one is a contradiction that the replay itself stops at.
    pub fn expected(&self, collection: &Collection) -> Option<u64> {
        let balance = self.balances.get(&collection.uuid).copied().unwrap_or_default();
        if collection.capped || balance.is_unknown { None } else { u64::try_from(balance.documents).ok() }
    }
}

#[cfg(test)]
mod tests {
    use archive::Namespace;
    use archive::collection_page::{ScanOutcome, ScanRecord, SegmentRecord};
    use archive::framed::Totals;
    use archive::timeline::{ListedCollection, ReplayLimit, Survey};
    use bson::{RawDocumentBuf, rawdoc};

    use super::*;

    const UUID: CollectionUuid = CollectionUuid([1; 16]);

    fn at(seconds: u32) -> ClusterTime {
        ClusterTime::new(seconds, 1)
    }

    /// Five documents, scanned through second 10.
    fn scanned() -> Tally {
        let totals = Totals { documents: 5, bytes: 100, sha256: archive::Digest::of(b"") };
        Tally::new(&[CollectionRecord {
            uuid: UUID,
            namespace: Namespace::new("a", "b"),
            options: RawDocumentBuf::new(),
            id_index: None,
            indexes: Vec::new(),
            scan: ScanRecord { outcome: ScanOutcome::Complete, last_id: None, through: at(10) },
            segments: vec![SegmentRecord::new(0, &totals, 50)],
        }])
    }

    fn collection(options: RawDocumentBuf) -> Collection {
        let limit = ReplayLimit { at: at(20), inclusive: true, wall_ms: None, must_exist: false };
        let mut survey = Survey::new(at(1), at(10), limit);
        survey.add_listed(ListedCollection {
            uuid: UUID,
            namespace: Namespace::new("a", "b"),
            options,
            id_index: None,
            indexes: Vec::new(),
            read: true,
            last_id: None,
            scanned_through: at(10),
        });
        survey.finish().unwrap().collections.remove(&UUID).unwrap()
    }

    fn expected(entries: &[(u32, OpKind, bool)]) -> Option<u64> {
        let mut tally = scanned();
        for (seconds, kind, certain) in entries {
            tally.observe(UUID, at(*seconds), *kind, *certain);
        }
        tally.expected(&collection(RawDocumentBuf::new()))
    }

    #[test]
    fn what_nobody_wrote_to_has_what_was_scanned() {
        assert_eq!(expected(&[]), Some(5));
    }

    #[test]
    fn inserts_and_deletes_after_the_scan_count_and_updates_do_not() {
        use OpKind::{Delete, Insert, Update};
        assert_eq!(
            expected(&[(11, Insert, true), (12, Insert, true), (12, Delete, true), (13, Update, true)]),
            Some(6)
        );
        assert_eq!(expected(&[(11, Delete, true); 5]), Some(0));
        assert_eq!(expected(&[(11, Delete, true); 6]), None);
    }

    #[test]
    fn what_the_scan_may_hold_already_makes_the_count_unknown() {
        use OpKind::{Insert, Update};
        for seconds in [2, 10] {
            assert_eq!(expected(&[(seconds, Insert, true)]), None);
            // An update is the trace of a document that the scan may have met twice, or not at all.
            assert_eq!(expected(&[(seconds, Update, true), (11, Insert, true)]), None);
        }
        assert_eq!(expected(&[(11, Insert, true), (12, Update, false)]), None);
    }

    #[test]
    fn what_was_created_in_the_window_starts_empty() {
        let mut tally = Tally::new(&[]);
        let created = collection(RawDocumentBuf::new());
        assert_eq!(tally.expected(&created), Some(0));
        tally.observe(UUID, at(3), OpKind::Insert, true);
        assert_eq!(tally.expected(&created), Some(1));
    }

    #[test]
    fn capped_collections_have_no_known_count() {
        assert_eq!(scanned().expected(&collection(rawdoc! { "capped": true, "size": 4096 })), None);
    }
}
