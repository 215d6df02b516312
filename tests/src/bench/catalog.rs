//! 15,000 collections in a simulated catalog: writing its pages, reading them, and the survey of a restore.
//!
//! Pure code, in a process of its own, so that its memory can be told from the benchmark's.

use std::time::Instant;

use anyhow::{Context, Result};
use archive::collection_page::{
    CollectionRecord, PageHeader, ScanOutcome, ScanRecord, SegmentRecord, decode_page, encode_page,
};
use archive::timeline::{ListedCollection, ReplayLimit, Survey};
use archive::{ClusterTime, CollectionUuid, Digest, Namespace};
use bson::{RawDocumentBuf, rawdoc};
use serde_json::{Value, json};

use super::table::Table;
use super::{Options, progress};
use crate::programs::{count, measure as run, size};

const MANY: u64 = 15_000;
const FEW: u64 = 1_500;
const PER_PAGE: usize = 1_000;
/// "Flat": a table of all collections no longer fits into the processor's nearest caches.
const FLAT: f64 = 1.5;
/// Both sizes handle as many collections in all, so that neither is measured in a moment.
const IN_ALL: u64 = 150_000;

pub async fn measure(_options: &Options, table: &mut Table) -> Result<()> {
    progress("simulating catalogs");
    let (few, many) = (child(FEW).await?, child(MANY).await?);
    for (what, field) in [
        ("catalog pages, writing", "encode_seconds"),
        ("catalog pages, reading", "decode_seconds"),
        ("survey of a restore", "survey_seconds"),
    ] {
        let shown = |figures: &(Value, u64), collections: u64| {
            let seconds = figures.0[field].as_f64().unwrap_or(0.0);
            #[allow(clippy::cast_precision_loss, reason = "for a ratio")]
            let each = seconds * 1e6 / collections as f64;
            (each, format!("{each:.1} µs per collection, {}", count(collections)))
        };
        table.ratio(what, shown(&many, MANY), shown(&few, FEW), Some(FLAT));
    }
    table.note(format!(
        "simulated catalog: {} collections in {} pages, {} stored; peak memory with all collections of the survey {} ({} at {})",
        count(MANY),
        many.0["pages"],
        size(many.0["stored_bytes"].as_u64().unwrap_or(0)),
        size(many.1),
        size(few.1),
        count(FEW)
    ));
    Ok(())
}

async fn child(collections: u64) -> Result<(Value, u64)> {
    let this = std::env::current_exe().context("find the running executable")?;
    let done = run(&this, ["--catalog", &collections.to_string()]).await?.succeeded("the simulated catalog")?;
    let figures = done.finished.json()?;
    let peak = figures["peak_bytes"].as_u64().unwrap_or(done.usage.peak_bytes);
    Ok((figures, peak))
}

/// The work of the child process; what it prints.
pub fn simulate(collections: u64) -> Result<Value> {
    let mut sum = Figures::default();
    let times = (IN_ALL / collections.max(1)).max(1);
    for _ in 0..times {
        sum.add(&once(collections)?);
    }
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    let mean = |seconds: f64| seconds / times as f64;
    let own = i32::try_from(std::process::id())?;
    Ok(json!({
        "pages": sum.pages, "stored_bytes": sum.stored_bytes, "encode_seconds": mean(sum.encoding),
        "decode_seconds": mean(sum.decoding), "survey_seconds": mean(sum.surveying),
        "peak_bytes": crate::programs::peak_of(own),
    }))
}

#[derive(Debug, Default)]
struct Figures {
    pages: usize,
    stored_bytes: usize,
    encoding: f64,
    decoding: f64,
    surveying: f64,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        (self.pages, self.stored_bytes) = (other.pages, other.stored_bytes);
        self.encoding += other.encoding;
        self.decoding += other.decoding;
        self.surveying += other.surveying;
    }
}

fn once(collections: u64) -> Result<Figures> {
    let at = |seconds| ClusterTime::new(seconds, 1);
    let header = |page| -> Result<PageHeader> {
        Ok(PageHeader {
            lineage: "rs0-6592000000000000000000ff".parse()?,
            snapshot: "20260101T000000Z-abcdef".parse()?,
            page,
        })
    };
    let mut figures = Figures::default();
    // One page at a time, as the sidecar writes them.
    let numbers: Vec<u64> = (0..collections).collect();
    let mut pages = Vec::new();
    for (page, chunk) in (0_u32..).zip(numbers.chunks(PER_PAGE)) {
        let records: Vec<CollectionRecord> = chunk.iter().map(|number| record(*number, at(2_000))).collect();
        let started = Instant::now();
        let (bytes, _) = encode_page(&header(page)?, &records, 3)?;
        figures.encoding += started.elapsed().as_secs_f64();
        pages.push(bytes);
    }
    (figures.pages, figures.stored_bytes) = (pages.len(), pages.iter().map(Vec::len).sum());

    let mut survey = Survey::new(at(1_000), at(2_000), ReplayLimit::through(at(3_000)));
    for (page, bytes) in (0_u32..).zip(&pages) {
        let started = Instant::now();
        let (records, _) = decode_page(&header(page)?, bytes)?;
        figures.decoding += started.elapsed().as_secs_f64();
        let started = Instant::now();
        records.into_iter().map(listed).for_each(|listed| survey.add_listed(listed));
        figures.surveying += started.elapsed().as_secs_f64();
    }
    // An entry for every collection: each is looked up by its UUID.
    let entries: Vec<RawDocumentBuf> = (0..collections).map(update_entry).collect::<Result<_>>()?;
    let started = Instant::now();
    for entry in &entries {
        survey.observe(entry).context("observe an entry")?;
    }
    let resolution = survey.finish().context("finish the survey")?;
    figures.surveying += started.elapsed().as_secs_f64();
    anyhow::ensure!(resolution.collections.len() as u64 == collections, "{} collections", resolution.collections.len());
    Ok(figures)
}

fn uuid(number: u64) -> CollectionUuid {
    let digest = Digest::of(&number.to_le_bytes()).to_string();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    CollectionUuid(bytes)
}

fn namespace(number: u64) -> Namespace {
    Namespace::new(format!("tenant{:03}", number % 200), format!("collection{number:05}"))
}

fn record(number: u64, through: ClusterTime) -> CollectionRecord {
    CollectionRecord {
        uuid: uuid(number),
        namespace: namespace(number),
        options: RawDocumentBuf::new(),
        id_index: Some(rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }),
        indexes: vec![
            rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" },
            rawdoc! { "v": 2, "key": { "customer": 1 }, "name": "customer_1" },
            rawdoc! { "v": 2, "key": { "at": 1 }, "name": "at_1" },
        ],
        scan: ScanRecord { outcome: ScanOutcome::Complete, last_id: None, through },
        segments: vec![SegmentRecord {
            part: 0,
            documents: 100 + number,
            bytes: 30_000,
            stored_bytes: 9_000,
            sha256: Digest::of(&number.to_le_bytes()),
        }],
    }
}

fn listed(record: CollectionRecord) -> ListedCollection {
    ListedCollection {
        uuid: record.uuid,
        namespace: record.namespace,
        options: record.options,
        id_index: record.id_index,
        indexes: record.indexes,
        read: record.scan.outcome == ScanOutcome::Complete,
        last_id: record.scan.last_id,
        scanned_through: record.scan.through,
    }
}

fn update_entry(number: u64) -> Result<RawDocumentBuf> {
    let increment = u32::try_from(number)?;
    Ok(rawdoc! {
        "op": "u", "ns": namespace(number).to_string(), "ui": uuid(number).to_binary(),
        "o": { "$v": 2, "diff": { "u": { "n": 1 } } }, "o2": { "_id": 1 },
        "ts": bson::Timestamp { time: 2_500, increment: increment + 1 }, "t": 1_i64, "v": 2_i64,
        "wall": bson::DateTime::from_millis(2_500_000),
    })
}
