//! The negative control: a fault is seeded, and the checks that a restore relies on have to see it.
//!
//! A check that cannot fail proves nothing. Each fault is one flipped bit of an object that this drill has read, seen through an
//! overlay that nobody else looks through. The same reading without the fault must succeed, so a check that always fails is
//! no detection either. Compressed data has bits that mean nothing (padding), or the same as before (a copy from another
//! place with the same bytes): such a flip damages nothing, which a plain decompression shows, and another bit is drawn.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use archive::catalog::StoredSlice;
use archive::drill::NegativeControl;
use archive::framed::Totals;
use archive::layout::ObjectKey;
use archive::manifest::SnapshotManifest;
use archive::plan::RestorePlan;
use store::ObjectStoreExt as _;

use super::overlay::{FlippedBit, Overlay};
use crate::archive_reader::{ArchiveReader, segment_key};
use crate::failure::{FailureKind, Result};
use crate::oplog_stream::OplogStream;
use crate::verify::content::{Unproven, prove_segment};

/// Bits that are tried until one damages something.
const DRAWS: u64 = 16;
/// Stored bytes of an object that is looked at for whether a fault is one.
const LARGEST: usize = 64 * 1024 * 1024;
const CHUNK: usize = 64 * 1024;

/// How an object is read and proven.
#[derive(Debug, Clone)]
enum Proof {
    Segment(ObjectKey, Totals),
    Slice(Box<StoredSlice>),
    Page(usize),
}

/// What may be damaged: key, stored bytes, how it is read.
#[derive(Debug, Clone)]
struct Candidate {
    key: String,
    bytes: u64,
    proof: Proof,
}

pub struct Control<'a> {
    pub reader: &'a ArchiveReader,
    pub plan: &'a RestorePlan,
    pub manifest: &'a SnapshotManifest,
    /// Keys and sizes of what the restore read.
    pub read: &'a BTreeMap<String, u64>,
    pub seed: u64,
}

impl Control<'_> {
    /// Seeds one fault in a segment and one in a slice, as far as there are any, else one in the list of collections. `None`
    /// when the restore read nothing of all that.
    pub async fn run(&self) -> Result<Option<NegativeControl>> {
        let (mut faults, mut details, mut was_detected) = (Vec::new(), Vec::new(), true);
        for candidates in [self.segments().await?, self.slices(), self.pages()] {
            let is_enough = !faults.is_empty() && candidates.iter().all(|one| matches!(one.proof, Proof::Page(_)));
            let Some(chosen) = self.draw(&candidates).filter(|_| !is_enough) else { continue };
            let (bit, (is_seen, detail)) = self.seed_real_fault(chosen).await?;
            faults.push(format!("bit {bit} of {} was flipped in a private overlay of the archive", chosen.key));
            details.push(detail);
            was_detected &= is_seen;
        }
        let (fault, detail) = (faults.join("; "), details.join("; "));
        Ok((!faults.is_empty()).then_some(NegativeControl { fault, was_detected, detail }))
    }

    fn draw<'c>(&self, candidates: &'c [Candidate]) -> Option<&'c Candidate> {
        let count = u64::try_from(candidates.len()).ok()?;
        let drawn = scrambled(self.seed).checked_rem(count)?;
        candidates.get(usize::try_from(drawn).ok()?)
    }

    fn candidate(&self, key: &ObjectKey, proof: Proof) -> Option<Candidate> {
        let key = key.to_string();
        let bytes = self.read.get(&key).copied().filter(|bytes| *bytes > 0)?;
        Some(Candidate { key, bytes, proof })
    }

    async fn segments(&self) -> Result<Vec<Candidate>> {
        let mut candidates = Vec::new();
        for record in self.reader.all_collections(self.manifest).await? {
            for segment in &record.segments {
                let key = segment_key(self.manifest, &record, segment.part);
                let proof = Proof::Segment(key.clone(), segment.totals());
                candidates.extend(self.candidate(&key, proof));
            }
        }
        Ok(candidates)
    }

    fn slices(&self) -> Vec<Candidate> {
        let slices = self.plan.slices.iter().filter_map(|slice| {
            let key = slice.id.key(&self.plan.lineage, slice.encrypted);
            self.candidate(&key, Proof::Slice(Box::new(*slice)))
        });
        slices.collect()
    }

    fn pages(&self) -> Vec<Candidate> {
        let read = self.read.iter().filter_map(|(key, bytes)| match key.parse() {
            Ok(ObjectKey::Collections { page, .. }) => {
                let page = usize::try_from(page).ok()?;
                Some(Candidate { key: key.clone(), bytes: *bytes, proof: Proof::Page(page) })
            }
            _ => None,
        });
        read.filter(|candidate| candidate.bytes > 0).collect()
    }

    /// The bit that was flipped; whether that was seen, and by what.
    async fn seed_real_fault(&self, chosen: &Candidate) -> Result<(u64, (bool, String))> {
        let mut drawn = (1..=DRAWS).map(|n| scrambled(self.seed ^ n) % (chosen.bytes * 8)).peekable();
        loop {
            let bit = drawn.next().unwrap_or_default();
            let outcome = self.seed_fault(chosen, bit).await?;
            if outcome.0 || drawn.peek().is_none() || !self.is_harmless(chosen, bit).await? {
                return Ok((bit, outcome));
            }
        }
    }

    fn overlay(&self, chosen: &Candidate, bit: u64) -> Overlay {
        let flipped = FlippedBit { key: chosen.key.clone(), bit };
        Overlay::with_flipped_bit(Arc::clone(self.reader.store()), flipped)
    }

    /// Whether the object decompresses to the same bytes in spite of the fault, told without any of our own decoders.
    /// Unknown, and so not harmless, for one that is encrypted, where every bit counts, or too large to look at.
    async fn is_harmless(&self, chosen: &Candidate, bit: u64) -> Result<bool> {
        let (store, faulty) = (self.reader.store(), self.overlay(chosen, bit));
        let (sound, faulty) =
            (store.get_bytes(&chosen.key, LARGEST).await, faulty.get_bytes(&chosen.key, LARGEST).await);
        let (Ok(Some(sound)), Ok(Some(faulty))) = (sound, faulty) else { return Ok(false) };
        let compared = tokio::task::spawn_blocking(move || sound != faulty && decompress_alike(&sound, &faulty)).await;
        Ok(compared.unwrap_or(false))
    }

    /// Whether the fault was seen, and by what.
    async fn seed_fault(&self, chosen: &Candidate, bit: u64) -> Result<(bool, String)> {
        if let Some(problem) = self.prove(self.reader, &chosen.proof).await? {
            return Ok((false, format!("{} could not be proven without the fault either: {problem}", chosen.key)));
        }
        let reader = self.reader.clone().through(Arc::new(self.overlay(chosen, bit)));
        Ok(match self.prove(&reader, &chosen.proof).await? {
            Some(problem) => (true, format!("refused when it was read: {problem}")),
            None => (false, format!("{} was read as if nothing were wrong", chosen.key)),
        })
    }

    /// What is wrong with the object, as the restore would see it.
    async fn prove(&self, reader: &ArchiveReader, proof: &Proof) -> Result<Option<String>> {
        let failure = match proof {
            Proof::Segment(key, totals) => match prove_segment(reader.clone(), key.clone(), *totals, false).await {
                Ok(_) => return Ok(None),
                Err(Unproven::Wrong(problem)) => return Ok(Some(problem)),
                Err(Unproven::NeedsKey(_)) => return Ok(Some("no identity opens it".to_owned())),
                Err(Unproven::Failed(failure)) => *failure,
            },
            Proof::Slice(slice) => {
                let chain = vec![**slice];
                let mut stream = OplogStream::open(reader.clone(), self.plan.lineage.clone(), chain);
                loop {
                    match stream.next().await {
                        Ok(Some(_)) => {}
                        Ok(None) => return Ok(None),
                        Err(failure) => break failure,
                    }
                }
            }
            Proof::Page(page) => match reader.collections(self.manifest, *page).await {
                Ok(_) => return Ok(None),
                Err(failure) => failure,
            },
        };
        if matches!(failure.kind, FailureKind::Integrity | FailureKind::Key) {
            Ok(Some(failure.what))
        } else {
            Err(failure)
        }
    }
}

/// Whether both are zstd, to their end, with the same content.
fn decompress_alike(one: &[u8], other: &[u8]) -> bool {
    let (Ok(mut one), Ok(mut other)) = (zstd::Decoder::new(one), zstd::Decoder::new(other)) else { return false };
    let (mut mine, mut yours) = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let (Ok(read), Ok(also)) = (filled(&mut one, &mut mine), filled(&mut other, &mut yours)) else { return false };
        if mine[..read] != yours[..also] {
            return false;
        }
        if read == 0 {
            return true;
        }
    }
}

/// As many bytes as there are, up to a whole buffer.
fn filled(source: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < buffer.len() {
        match source.read(&mut buffer[read..])? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}

/// Neighbouring seeds draw other objects.
fn scrambled(seed: u64) -> u64 {
    let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

#[cfg(test)]
mod tests {
    use archive::manifest::PublishedManifest;
    use archive::plan::{PlannedSnapshot, ResolvedTarget};
    use archive::segment::SegmentDecoder;
    use store::{Created, MemoryStore, ObjectStore, ObjectStoreExt as _};

    use super::*;

    const ARCHIVE: &[u8] = include_bytes!("../../../archive/tests/golden/archive.json");
    const MANIFEST: &[u8] = include_bytes!("../../../archive/tests/golden/manifest.json");
    const SLICE: &[u8] = include_bytes!("../../../archive/tests/golden/slice.bson.zst");
    const SLICE_KEY: &str = include_str!("../../../archive/tests/golden/slice.key");
    const SEGMENT: &[u8] = include_bytes!("../../../archive/tests/golden/segment.bson.zst");

    struct Case {
        reader: ArchiveReader,
        plan: RestorePlan,
        manifest: SnapshotManifest,
        chosen: Candidate,
    }

    /// An archive of one segment, as it is stored; `stored` is what stands in its place.
    async fn case(stored: &[u8]) -> Case {
        let PublishedManifest::Complete(manifest) = PublishedManifest::from_json(MANIFEST).unwrap() else { panic!() };
        let key = ObjectKey::Segment {
            lineage: manifest.lineage.clone(),
            snapshot: manifest.snapshot.clone(),
            uuid: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            part: 1,
            encrypted: false,
        };
        let mut decoder = SegmentDecoder::new(key.clone());
        decoder.feed(SEGMENT);
        while decoder.next_event().unwrap().is_some() {}
        let totals = decoder.finish().unwrap();
        let memory = MemoryStore::new();
        for (key, body) in [("archive.json".to_owned(), ARCHIVE), (key.to_string(), stored)] {
            assert_eq!(memory.put_new(&key, body.to_vec().into()).await.unwrap(), Created::New);
        }
        let store: Arc<dyn ObjectStore> = Arc::new(memory);
        let snapshot =
            PlannedSnapshot { id: manifest.snapshot.clone(), begin: manifest.begin, end: manifest.end, named: false };
        let target = ResolvedTarget {
            requested: "latest".to_owned(),
            resolved: manifest.end,
            inclusive: true,
            must_exist: false,
            wall_limit_ms: None,
        };
        let plan = RestorePlan {
            lineage: manifest.lineage.clone(),
            snapshot,
            target,
            slices: Vec::new(),
            bytes: 0,
            documents: 2,
            notes: Vec::new(),
            findings: Vec::new(),
        };
        let (bytes, proof) = (stored.len() as u64, Proof::Segment(key.clone(), totals));
        let chosen = Candidate { key: key.to_string(), bytes, proof };
        Case { reader: ArchiveReader::open(store).await.unwrap(), plan, manifest: *manifest, chosen }
    }

    impl Case {
        fn control<'a>(&'a self, read: &'a BTreeMap<String, u64>) -> Control<'a> {
            Control { reader: &self.reader, plan: &self.plan, manifest: &self.manifest, read, seed: 0 }
        }

        async fn seed(&self, bit: u64) -> (bool, String) {
            self.control(&BTreeMap::new()).seed_fault(&self.chosen, bit).await.unwrap()
        }
    }

    #[tokio::test]
    async fn every_flipped_bit_of_a_segment_is_seen_and_none_that_is_not_there() {
        let case = case(SEGMENT).await;
        for bit in 0..case.chosen.bytes * 8 {
            let (is_seen, detail) = case.seed(bit).await;
            assert!(is_seen, "bit {bit}: {detail}");
        }
        let (is_seen, detail) = case.seed(case.chosen.bytes * 8).await;
        assert!(!is_seen && detail.contains("as if nothing were wrong"), "behind the end there is no fault: {detail}");
    }

    /// The golden slice in place of the segment.
    async fn slice_case() -> Case {
        let mut case = case(SEGMENT).await;
        let key: ObjectKey = SLICE_KEY.trim().parse().unwrap();
        let ObjectKey::Slice { lineage, id, encrypted } = key.clone() else { panic!("{key}") };
        let memory = MemoryStore::new();
        for (key, body) in [("archive.json".to_owned(), ARCHIVE), (key.to_string(), SLICE)] {
            assert_eq!(memory.put_new(&key, body.to_vec().into()).await.unwrap(), Created::New);
        }
        let bytes = SLICE.len() as u64;
        let slice = StoredSlice { id, stored_bytes: bytes, encrypted };
        case.chosen = Candidate { key: key.to_string(), bytes, proof: Proof::Slice(Box::new(slice)) };
        case.plan.lineage = lineage;
        case.reader = ArchiveReader::open(Arc::new(memory)).await.unwrap();
        case
    }

    /// Seen in a drill: a flipped bit that changed nothing made it inconclusive.
    #[tokio::test]
    async fn a_bit_that_means_nothing_is_no_fault_and_every_other_one_is_seen() {
        let case = slice_case().await;
        let mut harmless = 0;
        for bit in 0..case.chosen.bytes * 8 {
            let (is_seen, detail) = case.seed(bit).await;
            let is_harmless = case.control(&BTreeMap::new()).is_harmless(&case.chosen, bit).await.unwrap();
            assert!(is_seen || is_harmless, "bit {bit}: {detail}");
            harmless += u64::from(!is_seen);
        }
        assert!((1..40).contains(&harmless), "{harmless} bits mean nothing");
        for seed in 0..500 {
            let read = BTreeMap::new();
            let control = Control { seed, ..case.control(&read) };
            let (bit, (is_seen, detail)) = control.seed_real_fault(&case.chosen).await.unwrap();
            assert!(is_seen, "seed {seed}, bit {bit}: {detail}");
        }
    }

    #[tokio::test]
    async fn a_check_that_fails_without_the_fault_detects_nothing() {
        let mut damaged = SEGMENT.to_vec();
        damaged[100] ^= 1;
        let (is_seen, detail) = case(&damaged).await.seed(5).await;
        assert!(!is_seen && detail.contains("without the fault"), "{detail}");
    }
}
