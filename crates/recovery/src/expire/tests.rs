//! Expiries, pins and the freeze against archives in memory: what one of them must not do to the others.

use std::sync::Arc;
use std::time::Duration;

use archive::archive_marker::ArchiveMarker;
use archive::catalog::StoredSlice;
use archive::layout::SliceId;
use archive::manifest::{Compression, Encryption, PageRecord, SnapshotManifest, SnapshotTotals, WallClock};
use archive::retention::{Freeze, Pin, Pinned};
use archive::{ClusterTime, Digest, SnapshotId};
use store::delay::DelayStore;
use store::{MemoryStore, ObjectStore};

use super::*;
use crate::progress::Silent;

mod holds;

const NOW: &str = "2026-01-02T03:04:05Z";
const OLD: &str = "20260101T000000Z-aaaa";
const NEW: &str = "20260102T000000Z-bbbb";

pub(crate) fn at(seconds: u32) -> ClusterTime {
    ClusterTime::new(1_767_225_600 + seconds, 1)
}

/// An archive with the snapshots `OLD` (10 to 20) and `NEW` (30 to 40), and a slice for every ten seconds from 0 to 50.
pub(crate) struct Place {
    pub memory: MemoryStore,
    pub lineage: LineageId,
}

impl Place {
    pub async fn new() -> Self {
        let place = Self { memory: MemoryStore::new(), lineage: "rs0-a".parse().unwrap() };
        place.put("archive.json", ArchiveMarker::new("0b7e", NOW).to_json().unwrap()).await;
        let mark = archive::high_water::HighWater::new(at(50), Some(NEW.parse().unwrap()), NOW);
        place.put("rs0-a/control/archived.json", mark.to_json().unwrap()).await;
        for start in (0..50).step_by(10) {
            let id = SliceId { after: at(start), through: at(start + 10), term: 1, digest: [1; 16] };
            let slice = StoredSlice { id, stored_bytes: 1, encrypted: false };
            place.put(&slice.id.key(&place.lineage, false).to_string(), vec![0]).await;
        }
        place.snapshot(OLD, (10, 20), Vec::new()).await;
        place.snapshot(NEW, (30, 40), Vec::new()).await;
        place
    }

    async fn put(&self, key: &str, body: Vec<u8>) {
        assert_eq!(self.memory.put_new(key, body.into()).await.unwrap(), Created::New, "{key}");
    }

    async fn snapshot(&self, id: &str, (begin, end): (u32, u32), pages: Vec<PageRecord>) {
        self.publish(id, (at(begin), at(end)), pages).await;
    }

    async fn snapshot_since(&self, id: &str, begin: ClusterTime, end: ClusterTime) {
        self.publish(id, (begin, end), Vec::new()).await;
    }

    async fn publish(&self, id: &str, (begin, end): (ClusterTime, ClusterTime), pages: Vec<PageRecord>) {
        let manifest = SnapshotManifest {
            archive_id: "0b7e".into(),
            lineage: self.lineage.clone(),
            snapshot: id.parse().unwrap(),
            begin,
            begin_term: 1,
            end,
            started_at: NOW.into(),
            published_at: NOW.into(),
            server_version: "6.0.5".into(),
            fcv: "6.0".into(),
            member: "a:1".into(),
            totals: SnapshotTotals {
                collections: pages.iter().map(|page| page.collections).sum(),
                ..SnapshotTotals::default()
            },
            pages,
            compression: Compression { level: 1 },
            encryption: Encryption::default(),
            dropped_collections: 0,
            wall_clock: WallClock::default(),
        };
        self.put(&manifest.key().to_string(), manifest.to_json().unwrap()).await;
    }

    pub async fn reader(&self) -> ArchiveReader {
        ArchiveReader::open(Arc::new(self.memory.clone())).await.unwrap()
    }

    /// Each request to the archive, but not to `control/`, takes so long.
    async fn slow_reader(&self, latency: Duration) -> ArchiveReader {
        let slow = DelayStore::new(Arc::new(self.memory.clone()), latency);
        ArchiveReader::open(Arc::new(slow)).await.unwrap().with_control(Arc::new(self.memory.clone()))
    }

    async fn objects(&self) -> usize {
        let control = ObjectKey::control_prefix(&self.lineage);
        let all = self.memory.list_all("").await.unwrap();
        all.iter().filter(|object| !object.key.starts_with(&control)).count()
    }

    async fn is_published(&self, id: &str) -> bool {
        let id: SnapshotId = id.parse().unwrap();
        self.reader().await.manifest(&self.lineage, &id).await.is_ok()
    }
}

/// A page of collections that is not there.
fn lost_page() -> PageRecord {
    PageRecord { page: 0, collections: 1, sha256: Digest::of(b""), stored_bytes: 9 }
}

fn keep_one() -> RetentionPolicy {
    RetentionPolicy { keep_last: Some(1), ..RetentionPolicy::default() }
}

async fn apply_one(reader: &ArchiveReader, place: &Place) -> Result<Expired> {
    apply(reader, &place.lineage, &keep_one(), ("a test", None), &Silent).await.map(|(_, expired)| expired)
}

/// `list` and `plan` pass such a snapshot over; an older one is then all there is.
#[tokio::test]
async fn a_snapshot_that_lacks_an_object_does_not_pass_for_the_newest_good_one() {
    let place = Place::new().await;
    let id = "20260103T000000Z-cccc";
    place.snapshot(id, (40, 50), vec![lost_page()]).await;
    let reader = place.reader().await;
    assert_eq!(
        reader.missing_object(&place.lineage, &id.parse().unwrap()).await.unwrap_err().kind,
        FailureKind::Integrity
    );
    let plan = plan(&reader, &place.lineage, &keep_one()).await.unwrap();
    let kept: Vec<&str> =
        plan.snapshots.iter().filter(|one| one.decision.is_keep()).map(|one| one.id.as_str()).collect();
    assert_eq!(kept, [NEW, id]);
    apply_one(&reader, &place).await.unwrap();
    assert!(place.is_published(NEW).await && !place.is_published(OLD).await);
}

/// A notice that another expiry can overwrite or take away hides from a pin what the first one deletes.
/// Between the question and the answer the sidecar goes on archiving.
#[tokio::test]
async fn an_expiry_takes_no_more_than_what_was_confirmed() {
    let place = Place::new().await;
    let reader = place.reader().await;
    let confirmed =
        Confirmed { plan: plan(&reader, &place.lineage, &keep_one()).await.unwrap(), as_of: Timestamp::now() };
    place.snapshot("20260103T000000Z-cccc", (40, 50), Vec::new()).await;
    let applied = apply(&reader, &place.lineage, &keep_one(), ("a test", Some(&confirmed)), &Silent).await;
    let failure = applied.unwrap_err();
    assert!(failure.to_string().contains("more than when it was confirmed"), "{failure}");
    assert!(place.is_published(NEW).await && place.is_published(OLD).await);

    // Less is what was agreed to.
    let confirmed = Confirmed { plan: plan(&reader, &place.lineage, &keep_one()).await.unwrap(), ..confirmed };
    let pin = Pin::new("one", Pinned::Snapshot(OLD.parse().unwrap()), "a test", NOW);
    place.put("rs0-a/control/pins/one.json", pin.to_json().unwrap()).await;
    apply(&reader, &place.lineage, &keep_one(), ("a test", Some(&confirmed)), &Silent).await.unwrap();
    assert!(!place.is_published(NEW).await && place.is_published(OLD).await);
}

#[tokio::test]
async fn of_two_expiries_at_once_none_hides_the_notice_of_the_other() {
    let place = Place::new().await;
    let next = "20260101T120000Z-eeee";
    place.snapshot(next, (20, 30), Vec::new()).await;
    let (slow, reader) = (place.slow_reader(Duration::from_millis(300)).await, place.reader().await);
    let shown = plan(&reader, &place.lineage, &keep_one()).await.unwrap();
    let other = shown.notice("another expiry, at the same moment", notice::end());
    let first = async { apply_one(&slow, &place).await };
    // It had looked for others, and found none, when this one came; it goes again before the first one is at `next`.
    let second = async {
        while place.is_published(OLD).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let guard = NoticeGuard::write(&reader, &place.lineage, &other).await.unwrap();
        guard.remove().await.unwrap();
        let pin = Pin::new("p", Pinned::Snapshot(next.parse().unwrap()), "", NOW);
        reader.pin(&place.lineage, &pin).await
    };
    let (first, pinned) = tokio::join!(first, second);
    first.unwrap();
    assert!(!place.is_published(next).await);
    assert_eq!(pinned.unwrap_err().kind, FailureKind::LeaseHeld, "a pin was promised, and its snapshot deleted");
}

/// Both have looked for others and found none when both announce themselves.
#[tokio::test]
async fn of_two_expiries_at_once_one_gives_way() {
    let place = Place::new().await;
    for n in 0..150 {
        place.put(&format!("rs0-a/snapshots/{OLD}/junk-{n}"), vec![0]).await;
    }
    let slow = || Arc::new(DelayStore::new(Arc::new(place.memory.clone()), Duration::from_millis(50)));
    let (one, two) = tokio::join!(ArchiveReader::open(slow()), ArchiveReader::open(slow()));
    let (one, two) = (one.unwrap(), two.unwrap());
    let (one, two) = tokio::join!(apply_one(&one, &place), apply_one(&two, &place));
    let kinds: Vec<FailureKind> = [one, two].into_iter().filter_map(|done| Some(done.err()?.kind)).collect();
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| *kind == FailureKind::LeaseHeld), "{kinds:?}");
}

/// Frozen is frozen: what was begun before stops, and the command waits for that.
#[tokio::test]
async fn a_freeze_stops_an_expiry_that_is_at_work() {
    let place = Place::new().await;
    for n in 0..200 {
        place.put(&format!("rs0-a/snapshots/{OLD}/junk-{n}"), vec![0]).await;
    }
    let (slow, reader) = (place.slow_reader(Duration::from_millis(100)).await, place.reader().await);
    let expiry = async { apply_one(&slow, &place).await };
    let freeze = async {
        while place.is_published(OLD).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        reader.freeze(&place.lineage, &Freeze::new("incident", "me", NOW)).await.unwrap();
        place.objects().await
    };
    let (expired, left_when_frozen) = tokio::join!(expiry, freeze);
    assert_eq!(place.objects().await, left_when_frozen, "the expiry went on: {expired:?}");
    assert_eq!(expired.unwrap_err().kind, FailureKind::Unsafe);
}

/// Nobody who sees the notice of an expiry stand still may be wrong about it.
#[tokio::test]
async fn an_expiry_that_cannot_renew_its_notice_deletes_nothing_more() {
    let place = Place::new().await;
    for n in 0..400 {
        place.put(&format!("rs0-a/snapshots/{OLD}/junk-{n}"), vec![0]).await;
    }
    let control = store::fault::FaultStore::new(Arc::new(place.memory.clone()));
    let outage = store::fault::Fault::fail_before(store::Operation::PutMutable, store::ErrorKind::Unreachable);
    control.add(outage.on_key("expiring").nth(2).lasting());
    let slow = place.slow_reader(Duration::from_millis(100)).await.with_control(Arc::new(control));
    let failed = apply_one(&slow, &place).await.unwrap_err();
    assert_eq!(failed.kind, FailureKind::Unreachable, "{failed}");
    assert!(place.objects().await > 100, "it went on");
}

#[tokio::test]
async fn a_pin_never_takes_the_place_of_another_one() {
    let place = Place::new().await;
    let reader = place.reader().await;
    let pin = |snapshot: &str| Pin::new("incident", Pinned::Snapshot(snapshot.parse().unwrap()), "", NOW);
    reader.pin(&place.lineage, &pin(OLD)).await.unwrap();
    let refused = reader.pin(&place.lineage, &pin(NEW)).await.unwrap_err();
    assert_eq!(refused.kind, FailureKind::Usage, "{refused}");
    apply_one(&reader, &place).await.unwrap();
    assert!(place.is_published(OLD).await);
    // The same once more may change its reason or its end.
    reader.pin(&place.lineage, &pin(OLD)).await.unwrap();
    reader.unpin(&place.lineage, "incident").await.unwrap().unwrap();
    reader.pin(&place.lineage, &pin(NEW)).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_restored_is_not_pinned() {
    let place = Place::new().await;
    let reader = place.reader().await;
    let missing = "20260103T000000Z-cccc";
    place.snapshot(missing, (40, 50), vec![lost_page()]).await;
    let uncovered = "20260104T000000Z-dddd";
    place.snapshot(uncovered, (45, 60), Vec::new()).await;
    for id in [missing, uncovered] {
        let pin = Pin::new("p", Pinned::Snapshot(id.parse().unwrap()), "", NOW);
        let refused = reader.pin(&place.lineage, &pin).await.unwrap_err();
        assert_eq!(refused.kind, FailureKind::NotRestorable, "{id}: {refused}");
        assert!(reader.holds(&place.lineage).await.unwrap().pins.is_empty(), "{id}");
    }
}
