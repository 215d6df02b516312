//! How long and how large a listing of a million slices is, from keys to a plan. Run it with
//! `cargo run --release -p archive --example scale [SLICES]`; `make bench` quotes it.

use std::time::Instant;

use archive::catalog::{Catalog, SnapshotSummary, StoredSlice};
use archive::coverage::Coverage;
use archive::encryption::{Decryptor, Encryptor, Identities, Recipients};
use archive::layout::{ObjectKey, SliceId};
use archive::plan::plan_restore_with;
use archive::retention::{Clock, RetentionInput, RetentionPolicy, plan_retention};
use archive::target::RestoreTarget;
use archive::{ClusterTime, LineageId};

const START: u32 = 1_700_000_000;
/// A slice every five seconds: a million are 58 days of a busy server.
const SPAN: u32 = 5;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let slices: u32 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let lineage: LineageId = "rs0-65a1b2c3d4e5f60718293a4b".parse()?;
    // As pages of a listing: a thousand keys at a time, never all of them.
    let mut catalog = Catalog::new(lineage.clone());
    let mut clock = Laps::start(slices);
    for page in 0..slices.div_ceil(1000) {
        let keys: Vec<String> = (page * 1000..slices.min((page + 1) * 1000)).map(|n| key(&lineage, n)).collect();
        for key in keys {
            if let ObjectKey::Slice { id, encrypted, .. } = key.parse()? {
                catalog.slices.push(StoredSlice { id, stored_bytes: 70_000, encrypted });
            }
        }
    }
    clock.lap("make, read and keep the keys");
    let coverage = Coverage::of_catalog(&catalog);
    clock.lap("coverage");
    let days = slices * SPAN / 86_400;
    catalog.snapshots = (0..=days).map(|day| snapshot(day * 86_400 + 60)).collect::<Result<_, Failure>>()?;
    let windows = coverage.restore_windows(&catalog.snapshots);
    let plan = plan_restore_with(&catalog, &coverage, &RestoreTarget::Latest)?;
    clock.lap("restore windows and the plan of `latest`");
    println!(
        "{} window(s), {} problem(s), {} slices to replay",
        windows.len(),
        coverage.problems.len(),
        plan.slices.len()
    );
    drop(coverage);
    clock.lap("(free)");

    let policy = RetentionPolicy { keep_last: Some(7), keep_monthly: Some(12), ..RetentionPolicy::default() };
    let now = jiff::Timestamp::from_second(i64::from(START + slices * SPAN))?;
    let clock_value = Clock { now, uncertainty: std::time::Duration::from_mins(1) };
    let locks = std::collections::BTreeMap::new();
    let input = RetentionInput {
        catalog: &catalog,
        unfinished: &[],
        abandoned: &[],
        orphans: &[],
        references: &[],
        pins: &[],
        protections: &[],
        freeze: None,
        locks: &locks,
        unreadable: &[],
        clock: clock_value,
    };
    let plan = plan_retention(&policy, &input)?;
    clock.lap("retention (not part of the goal)");
    println!("{} snapshots expire, {} bytes are freed", plan.expired_snapshots().count(), plan.freed_bytes());
    drop((plan, catalog));
    encryption()
}

fn key(lineage: &LineageId, n: u32) -> String {
    let after = ClusterTime::new(START + n * SPAN, 1);
    let through = ClusterTime::new(START + (n + 1) * SPAN, 1);
    let mut digest = [7; 16];
    digest[..4].copy_from_slice(&n.to_le_bytes());
    SliceId { after, through, term: 3, digest }.key(lineage, n.is_multiple_of(2)).to_string()
}

fn snapshot(second: u32) -> Result<SnapshotSummary, Failure> {
    let (begin, end) = (ClusterTime::new(START + second, 1), ClusterTime::new(START + second + 600, 1));
    Ok(SnapshotSummary {
        id: format!("s{second:010}").parse()?,
        begin,
        end,
        published_at: jiff::Timestamp::from_second(i64::from(end.seconds))?.to_string(),
        documents: 1,
        bytes: 1,
        stored_bytes: 1,
        damaged: None,
        pinned: false,
    })
}

fn encryption() -> Result<(), Failure> {
    const MIB: usize = 1024 * 1024;
    let (identities, _) = Identities::generate();
    let recipients = Recipients::parse(&identities.public_keys().join("\n"))?;
    let plain = vec![0xA5; MIB];
    let started = Instant::now();
    let (mut encryptor, header) = Encryptor::new(&recipients)?;
    let mut object = vec![header];
    for _ in 0..256 {
        object.push(encryptor.push(&plain)?);
    }
    object.push(encryptor.finish()?);
    let rate = |started: Instant| 256.0 / started.elapsed().as_secs_f64();
    println!("encrypt {:.0} MiB/s on one core", rate(started));
    let started = Instant::now();
    let mut decryptor = Decryptor::new(Some(&identities), &[]);
    let mut bytes = 0;
    for piece in &object {
        bytes += decryptor.push(piece)?.len();
    }
    bytes += decryptor.finish()?.len();
    println!("decrypt {:.0} MiB/s on one core", rate(started));
    if bytes == 256 * MIB { Ok(()) } else { Err("something is missing".into()) }
}

struct Laps {
    started: Instant,
    lap: Instant,
    slices: u32,
}

impl Laps {
    fn start(slices: u32) -> Self {
        let now = Instant::now();
        Self { started: now, lap: now, slices }
    }

    fn lap(&mut self, what: &str) {
        let (lap, all) = (self.lap.elapsed().as_secs_f64(), self.started.elapsed().as_secs_f64());
        println!("{} slices: {what}: {lap:.2} s, {all:.2} s in all, peak {} MiB", self.slices, peak_mib());
        self.lap = Instant::now();
    }
}

/// The largest resident set so far, as Linux counts it.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}
