//! How many documents make a batch of the size that is wanted: a function of the replies seen so far.

use bson::RawDocument;

use crate::raw::RawDocuments;

/// Growing is only about speed, and a new cursor costs something: not while sizes go up and down.
const CALM: u32 = 8;
const MOST_DOCUMENTS: u64 = 100_000;
/// What a reply without a limit of its own may hold.
const LARGEST_REPLY: u64 = 16 << 20;

#[derive(Debug, Clone)]
pub(super) struct BatchSize {
    documents: Option<u32>,
    wanted_bytes: Option<u64>,
    expected_bytes: u64,
    /// Batches since the number was changed; none before the first one.
    since_change: Option<u32>,
}

impl BatchSize {
    pub(super) fn new(documents: Option<u32>, wanted_bytes: Option<u64>) -> Self {
        Self { documents, wanted_bytes, expected_bytes: wanted_bytes.unwrap_or(LARGEST_REPLY), since_change: None }
    }

    pub(super) fn documents(&self) -> Option<u32> {
        self.documents
    }

    /// Of the next reply.
    pub(super) fn expected_bytes(&self) -> u64 {
        self.expected_bytes
    }

    /// Learns from a reply; `true` when the following ones should have another number of documents.
    pub(super) fn see(&mut self, reply: &RawDocument) -> bool {
        let is_last = reply.get_document("cursor").and_then(|cursor| cursor.get_i64("id")).is_ok_and(|id| id == 0);
        let count = RawDocuments::of_reply(reply).map_or(0, Iterator::count) as u64;
        !is_last && self.learn(count, reply.as_bytes().len() as u64)
    }

    /// The change could not be made.
    pub(super) fn stay_at(&mut self, documents: Option<u32>) {
        self.documents = documents;
    }

    fn learn(&mut self, count: u64, bytes: u64) -> bool {
        if count == 0 {
            return false;
        }
        self.expected_bytes = bytes;
        let (Some(wanted_bytes), Some(documents)) = (self.wanted_bytes, self.documents) else { return false };
        let documents = u64::from(documents);
        let wanted = (wanted_bytes * count / bytes.max(1)).clamp(1, MOST_DOCUMENTS);
        let is_too_large = wanted * 2 <= documents && bytes > wanted_bytes * 2;
        let is_too_small = match self.since_change {
            None => wanted >= documents * 2,
            Some(since) => since >= CALM && wanted >= documents * 4,
        };
        self.since_change = Some(self.since_change.unwrap_or(0).saturating_add(1));
        if !is_too_large && !is_too_small {
            return false;
        }
        self.since_change = Some(0);
        self.documents = u32::try_from(wanted).ok();
        self.expected_bytes = bytes / count * wanted;
        true
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn adapting() -> BatchSize {
        BatchSize::new(Some(1000), Some(2 * MIB))
    }

    #[test]
    fn the_first_batch_tells_how_many_documents_are_wanted() {
        let mut size = adapting();
        assert_eq!(size.expected_bytes(), 2 * MIB);
        assert!(size.learn(1000, 320_000));
        assert_eq!(size.documents(), Some(6553));
        assert!((2_000_000..3_000_000).contains(&size.expected_bytes()));
        assert!(!size.learn(6553, 2 * MIB));
        let mut about_right = adapting();
        assert!(!about_right.learn(1000, 3 * MIB / 2));
        assert_eq!(about_right.documents(), Some(1000));
    }

    #[test]
    fn large_documents_make_the_next_batch_small_at_once() {
        let mut size = adapting();
        assert!(size.learn(1000, 320_000));
        assert!(size.learn(16, 16 * MIB));
        assert_eq!((size.documents(), size.expected_bytes()), (Some(2), 2 * MIB));
        assert!(size.learn(2, 12 * MIB));
        assert_eq!((size.documents(), size.expected_bytes()), (Some(1), 6 * MIB));
        assert!(!size.learn(1, 16 * MIB), "less than one document is not possible");
        assert_eq!(size.expected_bytes(), 16 * MIB);
        size.stay_at(Some(1000));
        assert!(size.learn(1, 12 * MIB), "tried again with the next batch");
        assert!(!size.learn(1, 16 * MIB));
        assert_eq!(size.expected_bytes(), 16 * MIB);
    }

    #[test]
    fn batches_grow_again_only_when_documents_stay_small() {
        let mut size = adapting();
        assert!(size.learn(8, 16 * MIB));
        assert_eq!(size.documents(), Some(1));
        for _ in 0..CALM {
            assert!(!size.learn(1, 300));
        }
        assert!(size.learn(1, 300));
        assert_eq!(size.documents(), Some(6990));
    }

    #[test]
    fn nothing_changes_without_a_wanted_size_at_the_end_or_in_an_empty_batch() {
        let mut fixed = BatchSize::new(Some(10), None);
        assert!(!fixed.learn(10, 16 * MIB));
        assert_eq!(fixed.expected_bytes(), 16 * MIB);
        let reply = |id: i64| {
            let documents = bson::RawArrayBuf::from_iter([rawdoc! { "a": 1 }]);
            rawdoc! { "cursor": { "id": id, "firstBatch": documents } }
        };
        assert!(adapting().see(&reply(7)));
        assert!(!adapting().see(&reply(0)));
        assert!(!adapting().learn(0, 100));
    }
}
