//! What continuous archiving costs: how far it is behind a client that writes as fast as it can, what it takes from a client
//! that needs half of the server, and what it needs of the processor.

mod lag;
mod place;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use archive::layout::ObjectKey;

use self::lag::{Seen, lags, reach, watch};
use self::place::{Place, Run};
use super::load::{Written, percentile};
use super::table::{Row, Table};
use super::{Options, median, progress};
use crate::programs::{count, cpu_of};

/// The sidecar's own default.
const SPAN: Duration = Duration::from_secs(5);
const GIB: f64 = 1_073_741_824.0;
const LAG_GOAL: f64 = 2.0;
const THROUGHPUT_GOAL: f64 = 0.97;

struct Lengths {
    warm_up: Duration,
    saturated: Duration,
    paired: Duration,
    pairs: usize,
}

pub async fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let seconds = |full, quick| Duration::from_secs(if options.quick { quick } else { full });
    let pairs = if options.quick { 3 } else { 7 };
    let lengths = Lengths { warm_up: seconds(3, 1), saturated: seconds(60, 15), paired: seconds(15, 4), pairs };
    progress("the limit of the server: a client that writes as fast as it can");
    let limit = Place::start(false).await?.run(None, &lengths, lengths.saturated / 3).await?;
    saturated(&limit, &lengths, table).await?;
    paired(limit.written.batches_per_second() / 2.0, &lengths, table).await
}

/// With the archiver beside a client that writes as fast as both let it.
async fn saturated(limit: &Run, lengths: &Lengths, table: &mut Table) -> Result<()> {
    progress("the same with the archiver");
    let place = Place::start(true).await?;
    let (sidecar, archive) = place.archiver.as_ref().context("it archives")?;
    let (before, bytes_before) =
        (cpu_of(sidecar.pid()).context("the sidecar's processor time")?, place.oplog_bytes().await?);
    let mut seen = Seen::new();
    let work = async {
        let run = place.run(None, lengths, lengths.saturated).await?;
        let last = run.written.batches.iter().map(|batch| batch.at).max().context("nothing was written")?;
        reach(archive, last).await.with_context(|| format!("the sidecar's log:\n{}", sidecar.log()))?;
        Ok::<_, anyhow::Error>(run)
    };
    let run = tokio::select! {
        run = work => run?,
        failed = watch(archive, &mut seen) => return failed,
    };
    seen.push((Instant::now(), archive.archived_through()?));
    let lags = lags(&run.written, &seen)?;
    let cpu = cpu_of(sidecar.pid()).context("the sidecar ended")? - before;
    let bytes = place.oplog_bytes().await? - bytes_before;
    let gaps = archive.keys(|key| matches!(key, ObjectKey::Gap { .. }))?;
    ensure!(gaps.is_empty(), "the archiver lost history: {gaps:?}");
    let (p99, span) = (percentile(lags.clone(), 0.99), SPAN.as_secs_f64());
    table.ratio(
        "archive lag p99 beside a client that writes as fast as it can",
        (p99, format!("{p99:.1} s")),
        (span, format!("slice span {span:.0} s")),
        Some(LAG_GOAL),
    );
    let (ours, alone) = (cpu / bytes * GIB, limit.server_cpu / limit.oplog_bytes * GIB);
    table.ratio(
        "processor time of the archiver per GiB of oplog",
        (ours, format!("{ours:.1} CPU-seconds")),
        (alone, format!("mongod for writing it {alone:.1} CPU-seconds")),
        None,
    );
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let entries = |run: &Run| run.written.batches_per_second() * Written::entries_per_batch() as f64;
    table.note(format!(
        "client at full speed: {:.0} entries/s and {:.1} MiB/s of oplog without the archiver, {:.0} entries/s and {:.1} MiB/s with it, all on the same cores; of {} batches half were in the archive after {:.1} s, the slowest after {:.1} s",
        entries(limit),
        limit.oplog_bytes / limit.written.seconds / f64::from(1 << 20),
        entries(&run),
        run.oplog_bytes / run.written.seconds / f64::from(1 << 20),
        count(lags.len() as u64),
        percentile(lags.clone(), 0.5),
        percentile(lags, 1.0)
    ));
    Ok(())
}

/// With and without the archiver in turns, each run on a fresh server, the order changing from pair to pair.
async fn paired(rate: f64, lengths: &Lengths, table: &mut Table) -> Result<()> {
    progress("in turns with and without the archiver, at half of the limit");
    let (mut shares, mut latencies, mut server, mut own) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut rates = (Vec::new(), Vec::new());
    for pair in 0..lengths.pairs {
        let mut runs: [Option<Run>; 2] = [None, None];
        let first = pair.is_multiple_of(2);
        for archives in [first, !first] {
            let run = Place::start(archives).await?.run(Some(rate), lengths, lengths.paired).await?;
            runs[usize::from(archives)] = Some(run);
        }
        let [Some(without), Some(with)] = runs else { anyhow::bail!("a run of the pair is missing") };
        shares.push(with.written.batches_per_second() / without.written.batches_per_second());
        latencies.push((with.written.p99_seconds(), without.written.p99_seconds()));
        server.push((with.server_cpu / with.oplog_bytes - without.server_cpu / without.oplog_bytes) * GIB);
        own.push(with.archiver_cpu / with.oplog_bytes * GIB);
        rates.0.push(with.written.batches_per_second());
        rates.1.push(without.written.batches_per_second());
    }
    let (share, with, without) = (median(shares)?, median(rates.0)?, median(rates.1)?);
    table.push(Row {
        what: "throughput of a client at half of the limit, with the archiver".to_owned(),
        value: format!("{with:.1} batches/s"),
        against: format!("without {without:.1} batches/s (asked for {rate:.1})"),
        ratio: Some(share),
        goal: format!("≥ {THROUGHPUT_GOAL}"),
        met: Some(share >= THROUGHPUT_GOAL),
    });
    let (slow, fast) = latencies.into_iter().unzip();
    let (slow, fast) = (median(slow)? * 1e3, median(fast)? * 1e3);
    table.ratio(
        "time of a batch at half of the limit, p99, with the archiver",
        (slow, format!("{slow:.1} ms")),
        (fast, format!("without {fast:.1} ms")),
        None,
    );
    table.note(format!(
        "archiving at half of the limit, per GiB of oplog: {:.1} CPU-seconds of the sidecar, {:.1} more of mongod than without it (medians of {} pairs)",
        median(own)?,
        median(server)?,
        lengths.pairs
    ));
    Ok(())
}
