//! Segments: `data/<uuid>-<part>.bson.zst`, a run of the documents of one collection as a snapshot read them.
//!
//! The header carries all that is needed to use a segment without its snapshot. Written by the snapshotter, read by
//! restore, verify and export. A segment names its place in the archive itself, so one that was moved is refused.

use bson::RawDocumentBuf;
use serde::{Deserialize, Serialize};

use crate::bson_run;
use crate::framed::{Block, Decoder, Encoder, Event, Finished, FormatError, Kind, NoExtra, Problem, Totals};
use crate::layout::ObjectKey;
use crate::{CollectionUuid, LineageId, Namespace, SnapshotId};

/// In which order the documents lie in the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// As the storage engine keeps them.
    Natural,
    /// Ascending `_id`, as the server compares them.
    Id,
}

/// The part of the `_id` index that was read: `min <= _id < max`. A missing end is open.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bounds {
    /// A document `{_id: value}`; hex of its BSON in the header, because JSON cannot carry every value.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hex_document")]
    pub min: Option<RawDocumentBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hex_document")]
    pub max: Option<RawDocumentBuf>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentHeader {
    pub lineage: LineageId,
    pub snapshot: SnapshotId,
    pub uuid: CollectionUuid,
    #[serde(with = "name_pair")]
    pub namespace: Namespace,
    pub part: u32,
    pub order: Order,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
}

impl SegmentHeader {
    pub fn key(&self, encrypted: bool) -> ObjectKey {
        ObjectKey::Segment {
            lineage: self.lineage.clone(),
            snapshot: self.snapshot.clone(),
            uuid: self.uuid,
            part: self.part,
            encrypted,
        }
    }

    /// Whether this is the header of the segment that is stored under `key`.
    fn is_at(&self, key: &ObjectKey) -> bool {
        self.key(key.is_encrypted()) == *key
    }
}

/// An encoder for a segment, and the bytes to write first.
pub fn encoder(header: &SegmentHeader, block_bytes: usize) -> Result<(Encoder, Vec<u8>), FormatError> {
    Encoder::new(Kind::Segment, header, block_bytes)
}

/// The end of a segment that [`encoder`] began.
pub fn finish(encoder: Encoder) -> Result<Finished, FormatError> {
    encoder.finish(&NoExtra {})
}

#[derive(Debug, Clone, PartialEq)]
pub enum SegmentEvent {
    Header(Box<SegmentHeader>),
    Documents(Block),
    Footer(Totals),
}

/// Reads the segment that is stored under a key; used like [`Decoder`].
pub struct SegmentDecoder {
    key: ObjectKey,
    frames: Decoder,
}

impl SegmentDecoder {
    pub fn new(key: ObjectKey) -> Self {
        Self { key, frames: Decoder::new(Kind::Segment) }
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.frames.feed(bytes);
    }

    pub fn next_event(&mut self) -> Result<Option<SegmentEvent>, FormatError> {
        Ok(match self.frames.next_event()? {
            None => None,
            Some(Event::Header(header)) => {
                let header = self.frames.sticky(header.parse::<SegmentHeader>())?;
                if !header.is_at(&self.key) {
                    let problem = format!("it is the segment `{}`, not the one of this key", header.key(false));
                    return Err(self.frames.fail(0, Problem::Content { problem }));
                }
                Some(SegmentEvent::Header(Box::new(header)))
            }
            Some(Event::Block(block)) => Some(SegmentEvent::Documents(block)),
            Some(Event::Footer(footer)) => Some(SegmentEvent::Footer(footer.totals)),
        })
    }

    pub fn finish(self) -> Result<Totals, FormatError> {
        self.frames.finish()
    }
}

/// Two members, never one text: only then every name can be read back without a rule.
pub(crate) mod name_pair {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Namespace;

    #[derive(Serialize, Deserialize)]
    struct NamePair {
        db: String,
        coll: String,
    }

    pub fn serialize<S: Serializer>(namespace: &Namespace, serializer: S) -> Result<S::Ok, S::Error> {
        NamePair { db: namespace.db.clone(), coll: namespace.coll.clone() }.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Namespace, D::Error> {
        let NamePair { db, coll } = NamePair::deserialize(deserializer)?;
        Ok(Namespace { db, coll })
    }
}

mod hex_document {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{RawDocumentBuf, bson_run};

    #[allow(clippy::ref_option, reason = "the signature that serde calls")]
    pub fn serialize<S: Serializer>(document: &Option<RawDocumentBuf>, serializer: S) -> Result<S::Ok, S::Error> {
        match document {
            Some(document) => serializer.serialize_str(&hex::encode(document.as_bytes())),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RawDocumentBuf>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let bytes = hex::decode(text).map_err(D::Error::custom)?;
        bson_run::validate(&bytes).map_err(D::Error::custom)?;
        RawDocumentBuf::from_bytes(bytes).map(Some).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            lineage: "rs0-1".parse().unwrap(),
            snapshot: "20260102T030405Z-1".parse().unwrap(),
            uuid: CollectionUuid([3; 16]),
            namespace: Namespace::new("shop.eu", "or\"d\n.ers.\u{1F600}"),
            part: 4,
            order: Order::Id,
            bounds: Some(Bounds { min: Some(rawdoc! { "_id": bson::RawBson::MinKey }), max: None }),
        }
    }

    fn object() -> (Vec<u8>, Totals) {
        let (mut encoder, mut object) = encoder(&header(), 100).unwrap();
        assert_eq!(encoder.push(rawdoc! { "_id": 1 }.as_bytes()).unwrap(), None);
        let finished = finish(encoder).unwrap();
        object.extend(finished.last_block.unwrap().compress(1).unwrap().bytes);
        object.extend(finished.footer);
        (object, finished.totals)
    }

    #[test]
    fn any_name_and_bound_is_read_back_as_it_was_written() {
        let mut decoder = SegmentDecoder::new(header().key(true));
        let (object, totals) = object();
        decoder.feed(&object);
        assert_eq!(decoder.next_event().unwrap(), Some(SegmentEvent::Header(Box::new(header()))));
        assert!(matches!(decoder.next_event().unwrap(), Some(SegmentEvent::Documents(block)) if block.count() == 1));
        assert_eq!(decoder.next_event().unwrap(), Some(SegmentEvent::Footer(totals)));
        assert_eq!(decoder.next_event().unwrap(), None);
        assert_eq!(decoder.finish().unwrap(), totals);
    }

    #[test]
    fn a_segment_under_another_key_is_refused_and_stays_refused() {
        let mut other = header();
        other.part = 5;
        let mut decoder = SegmentDecoder::new(other.key(false));
        decoder.feed(&object().0);
        let error = decoder.next_event().unwrap_err();
        assert!(matches!(&error.problem, Problem::Content { problem } if problem.contains("-00004.bson.zst")));
        assert_eq!(decoder.next_event().unwrap_err(), error);
        assert_eq!(decoder.finish().unwrap_err(), error);
    }

    #[test]
    fn a_bound_that_is_not_bson_is_refused() {
        for hex in ["zz", "00", "0500000001"] {
            assert!(serde_json::from_value::<Bounds>(serde_json::json!({ "min": hex })).is_err(), "{hex}");
        }
    }
}
