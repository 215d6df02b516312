//! Setting and lifting pins: the record, and where the store offers it a legal hold on each object that the pin keeps.

use std::collections::BTreeSet;

use archive::catalog::{Catalog, SnapshotSummary};
use archive::coverage::{Coverage, CoveredRange};
use archive::layout::ObjectKey;
use archive::retention::{Pin, Pinned, Protection};
use archive::{ClusterTime, LineageId};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use store::ObjectStoreExt as _;

use super::{Holds, notice, unexpected};
use crate::archive_reader::{ArchiveReader, mark_damaged};
use crate::expire::inventory::damage;
use crate::failure::{Failure, FailureKind, Result};

const CONCURRENT: usize = 16;

/// What a pin keeps, as objects.
struct Kept {
    snapshot: SnapshotSummary,
    /// The history that is replayed: `(after, through]`.
    range: CoveredRange,
}

impl ArchiveReader {
    /// Writes the pin, unless what it is to keep cannot be restored or is being expired. The number of objects on which a
    /// legal hold was set.
    pub async fn pin(&self, lineage: &LineageId, pin: &Pin) -> Result<u64> {
        self.require_control(lineage).await?;
        let mut catalog = self.catalog(lineage).await?;
        let kept = loop {
            let kept = kept(&catalog, &pin.keeps)?;
            match damage(self, lineage, &kept.snapshot.id).await? {
                None => break kept,
                Some(problem) => mark_damaged(&mut catalog, &kept.snapshot.id, &problem),
            }
        };
        if pin.legal_hold && self.store().lock().is_none() {
            return Err(Failure::new(FailureKind::Usage, "this archive's store has no legal holds")
                .at(self.store().location())
                .because("a file system has none; buckets need Object Lock, containers version-level immutability")
                .then("the same command without --legal-hold"));
        }
        let mut pin = pin.clone();
        let earlier = self.put_pin(lineage, &mut pin).await?;
        let reads = Protection::new(&pin.id, kept.snapshot.id.clone(), kept.range, "", Timestamp::MAX);
        let notices = notice::look(self, lineage, None).await?;
        if let Some(notice) = notices.living.iter().find(|notice| notice.conflicts_with(&reads)) {
            match earlier {
                None => self.remove_pin(lineage, &pin.id).await?,
                Some(earlier) => {
                    let key = earlier.key(lineage).map_err(|error| unexpected(&error))?;
                    self.put_control(&key, earlier.to_json()).await?;
                }
            }
            return Err(Failure::new(FailureKind::LeaseHeld, "an expiry is deleting what is to be pinned")
                .at(self.place(lineage.as_str()))
                .because(format!("{} began it", notice.by))
                .then("dr-cli list shows what is left"));
        }
        if !pin.legal_hold {
            return Ok(0);
        }
        let keys = objects(self, &catalog, &kept).await?;
        self.hold(&keys, true).await?;
        Ok(keys.len() as u64)
    }

    /// Takes a pin away, and the legal holds that no other pin needs. The pin that was there, and the number of objects.
    pub async fn unpin(&self, lineage: &LineageId, id: &str) -> Result<Option<(Pin, u64)>> {
        self.require_control(lineage).await?;
        let Holds { pins, mut unreadable, .. } = self.holds(lineage).await?;
        unreadable.retain(|finding| finding.object.starts_with(&Pin::prefix(lineage)));
        let (mut own, others): (Vec<Pin>, Vec<Pin>) = pins.into_iter().partition(|pin| pin.id == id);
        let Some(pin) = own.pop() else {
            // One that cannot be read can still be taken away by its name.
            let file = format!("{}{id}.json", Pin::prefix(lineage));
            let is_there = unreadable.iter().any(|finding| finding.object == file);
            if is_there {
                self.remove_pin(lineage, id).await?;
            }
            return Ok(is_there.then(|| (Pin::unreadable(id), 0)));
        };
        if !pin.legal_hold {
            self.remove_pin(lineage, id).await?;
            return Ok(Some((pin, 0)));
        }
        if let Some(finding) = unreadable.first() {
            return Err(Failure::new(
                FailureKind::Integrity,
                "another pin cannot be read, and may need the same holds",
            )
            .at(format!("{} in {}", finding.object, self.control().location()))
            .because(finding.problem.clone())
            .then("repair it, or remove it with dr-cli unpin; then the same command again"));
        }
        let catalog = self.catalog(lineage).await?;
        let mut lifted = self.held_by(&catalog, &pin).await?;
        lifted.retain(|key| !is_held_by_any(&catalog, &others, key));
        self.hold(&lifted, false).await?;
        self.remove_pin(lineage, id).await?;
        // A pin that was set meanwhile may have found these holds in place.
        let late = self.holds(lineage).await?.pins;
        let (again, lifted): (BTreeSet<_>, BTreeSet<_>) =
            lifted.into_iter().partition(|key| is_held_by_any(&catalog, &late, key));
        self.hold(&again, true).await?;
        Ok(Some((pin, lifted.len() as u64)))
    }

    /// Nothing when what it kept is gone.
    async fn held_by(&self, catalog: &Catalog, pin: &Pin) -> Result<BTreeSet<String>> {
        match located(catalog, &pin.keeps) {
            Ok(kept) => objects(self, catalog, &kept).await,
            Err(_) => Ok(BTreeSet::new()),
        }
    }

    async fn hold(&self, keys: &BTreeSet<String>, held: bool) -> Result<()> {
        let Some(lock) = self.store().lock() else { return Ok(()) };
        stream::iter(keys)
            .map(|key| async move { Ok::<_, Failure>(lock.hold(key, held).await?) })
            .buffer_unordered(CONCURRENT)
            .try_collect()
            .await
    }
}

/// Whether a legal hold on this object belongs to one of the pins. Where it cannot be told what a pin holds, because part of
/// that is gone or damaged, it is taken to hold whatever it may have held.
fn is_held_by_any(catalog: &Catalog, pins: &[Pin], key: &str) -> bool {
    let Ok(key) = key.parse::<ObjectKey>() else { return pins.iter().any(|pin| pin.legal_hold) };
    let holds = |pin: &Pin| {
        let (snapshot, range) = match (located(catalog, &pin.keeps), &pin.keeps) {
            (Ok(kept), _) => (Some(kept.snapshot.id), kept.range),
            (Err(_), Pinned::Snapshot(id)) => {
                (Some(id.clone()), CoveredRange::new(ClusterTime::ZERO, ClusterTime::MAX))
            }
            (Err(_), Pinned::Moments { through, .. }) => (None, CoveredRange::new(ClusterTime::ZERO, *through)),
        };
        match &key {
            ObjectKey::Slice { id, .. } => id.after < range.through && range.from < id.through,
            key => snapshot.is_none_or(|snapshot| key.snapshot() == Some(&snapshot)),
        }
    };
    pins.iter().filter(|pin| pin.legal_hold).any(holds)
}

/// What a pin keeps; refused when it cannot be restored.
fn kept(catalog: &Catalog, keeps: &Pinned) -> Result<Kept> {
    let kept = located(catalog, keeps)?;
    let snapshot = &kept.snapshot;
    let coverage = Coverage::of_catalog(catalog);
    let gap = || {
        let is_covered = coverage.covers(snapshot.begin, snapshot.end);
        (!is_covered).then(|| format!("the slices from {} to {} are not all there", snapshot.begin, snapshot.end))
    };
    match snapshot.defect().or_else(gap) {
        None => Ok(kept),
        Some(defect) => {
            Err(Failure::new(FailureKind::NotRestorable, format!("snapshot {} cannot be restored", snapshot.id))
                .at(format!("lineage {}", catalog.lineage))
                .because(defect)
                .then("dr-cli list"))
        }
    }
}

fn located(catalog: &Catalog, keeps: &Pinned) -> Result<Kept> {
    let refuse = |kind, what: String| {
        Err(Failure::new(kind, what).at(format!("lineage {}", catalog.lineage)).then("dr-cli status; dr-cli list"))
    };
    match keeps {
        Pinned::Snapshot(id) => match catalog.snapshots.iter().find(|snapshot| snapshot.id == *id) {
            Some(snapshot) => {
                Ok(Kept { range: CoveredRange::new(snapshot.begin, snapshot.end), snapshot: snapshot.clone() })
            }
            None => refuse(FailureKind::NotFound, format!("there is no complete snapshot `{id}`")),
        },
        Pinned::Moments { from, through } => {
            let coverage = Coverage::of_catalog(catalog);
            let windows = coverage.restore_windows(&catalog.snapshots);
            if !windows.iter().any(|window| window.from <= *from && *through <= window.through) {
                let what = format!("not every moment from {from} through {through} can be restored");
                return refuse(FailureKind::NotRestorable, what);
            }
            let is_good = |one: &&SnapshotSummary| one.defect().is_none() && coverage.covers(one.begin, one.end);
            let before = catalog.snapshots.iter().filter(|snapshot| snapshot.end <= *from).filter(is_good);
            match before.max_by_key(|snapshot| snapshot.end) {
                Some(snapshot) => {
                    Ok(Kept { range: CoveredRange::new(snapshot.begin, *through), snapshot: snapshot.clone() })
                }
                None => refuse(FailureKind::NotRestorable, format!("no snapshot is consistent at or before {from}")),
            }
        }
    }
}

async fn objects(reader: &ArchiveReader, catalog: &Catalog, kept: &Kept) -> Result<BTreeSet<String>> {
    let prefix = ObjectKey::snapshot_prefix(&catalog.lineage, &kept.snapshot.id);
    let parts = reader.store().list_all(&prefix).await?.into_iter().map(|object| object.key);
    let range = kept.range;
    let slices = catalog.slices.iter().filter(|slice| slice.id.after < range.through && range.from < slice.id.through);
    Ok(parts.chain(slices.map(|slice| slice.id.key(&catalog.lineage, slice.encrypted).to_string())).collect())
}
