//! `dr-cli verify`: proves that stored bytes are what was written.

use std::sync::Arc;

use archive::LineageId;
use recovery::{
    ArchiveReader, ClosedObjects, Failure, FailureKind, NeedsKey, Result, Sample, Share, VerifyLevel, VerifyOptions,
    VerifyReport,
};

use crate::args::VerifyArgs;
use crate::context::Context;
use crate::output::table::{bytes, count, facts, plural};
use crate::output::time::moment;
use crate::output::{Ending, Report};

/// Each holds about one decompressed block; more do not help, because decoding is bound by the processor.
const CONCURRENT_OBJECTS: usize = 4;

pub async fn run(context: &Context, args: &VerifyArgs) -> Result<Report> {
    let reader = context.open().await?;
    let lineage = context.wanted_lineage().map(parse_lineage).transpose()?;
    let sample = match args.sample {
        // The parts of one seed belong together.
        Some(share @ Share::Part { .. }) => Sample { share, seed: args.seed.unwrap_or(0) },
        Some(share) => Sample { share, seed: args.seed.unwrap_or_else(any_seed) },
        None => Sample::EVERYTHING,
    };
    let options = VerifyOptions { level: args.level, sample, concurrency: CONCURRENT_OBJECTS };
    let report = recovery::verify(&reader, lineage.as_ref(), options, Arc::clone(&context.progress)).await?;
    let output = Report::new(&report, text(&report))?;
    if let Some(closed) = report.needs_key.as_ref().filter(|_| !report.is_damaged && report.level > VerifyLevel::List) {
        return Ok(output.with_ending(Ending::Failed(unproven(closed, &reader))));
    }
    let Some(first) = report.findings.first() else { return Ok(output) };
    if !report.is_damaged {
        // Nothing is wrong with what is there, but it is no backup.
        let kind = if report.coverage.lineages.is_empty() { FailureKind::NotFound } else { FailureKind::NotRestorable };
        let failure = Failure::new(kind, &first.problem)
            .at(reader.place(&first.object))
            .because("the first snapshot is still being taken, nothing takes snapshots, or --archive is another place")
            .then("dr-cli status shows what there is; sidecar snapshot takes a snapshot now");
        return Ok(output.with_ending(Ending::Failed(failure)));
    }
    let failure = Failure::new(
        FailureKind::Integrity,
        format!("{}; the first: {}", plural(report.findings_total, "finding"), first.problem),
    )
    .at(reader.place(&first.object))
    .because("an object was changed, cut, swapped or deleted after it was written")
    .then("dr-cli status shows what can be restored without it; sidecar snapshot makes a new start");
    Ok(output.with_ending(Ending::Failed(failure)))
}

/// Nothing is known to be wrong, and nothing to be good.
fn unproven(closed: &ClosedObjects, reader: &ArchiveReader) -> Failure {
    let needed = NeedsKey { recipients: closed.recipients.iter().cloned().collect(), offered: reader.identities() };
    let failure = needed.failure(reader.store().location());
    let count = plural(closed.objects, "object");
    let what =
        failure.what.replacen("it is encrypted, and needs", "that could not be looked into; the archive needs", 1);
    Failure { what: format!("{count} {what}"), ..failure }
}

fn parse_lineage(text: &str) -> Result<LineageId> {
    text.parse().map_err(|error: archive::ids::ParseIdError| {
        Failure::new(FailureKind::Usage, error.to_string()).at("--lineage").then("dr-cli status")
    })
}

/// Another sample each time; printed, so that it can be repeated.
fn any_seed() -> u64 {
    jiff::Timestamp::now().as_millisecond().unsigned_abs()
}

fn text(report: &VerifyReport) -> String {
    let proof = match report.level {
        VerifyLevel::List => "everything is there, by names and sizes",
        VerifyLevel::Hash => "every byte read, checksums, digests and the chain of slices",
        VerifyLevel::Decode => "every byte, every BSON element and every oplog entry",
    };
    let coverage = &report.coverage;
    let mut list = vec![
        ("checked", proof.to_owned()),
        ("objects", format!("{} of {}", count(report.checked.objects), count(coverage.objects))),
        (
            "bytes",
            format!("{} of {} ({:.1} %)", bytes(report.checked.bytes), bytes(coverage.bytes), coverage.checked_percent),
        ),
    ];
    if let Some(sample) = coverage.sample {
        list.push(("sample", format!("{} of segments and slices; --seed {} repeats it", sample.share, sample.seed)));
    }
    for lineage in &coverage.lineages {
        list.push(("lineage", format!("{}, {}", lineage.lineage, plural(lineage.snapshots, "snapshot"))));
        let windows = lineage.windows.iter().map(|w| format!("{} through {}", moment(w.from), moment(w.through)));
        list.extend(windows.map(|window| ("restorable", window)));
    }
    let mut text = format!("Verification\n{}", facts(&list));
    if let Some(closed) = &report.needs_key {
        let (objects, size) = (plural(closed.objects, "object"), bytes(closed.bytes));
        let recipients: Vec<&str> = closed.recipients.iter().map(String::as_str).collect();
        text.push_str(&format!("NEEDS KEY: {objects} of {size}, encrypted to {}\n", recipients.join(" or ")));
    }
    for note in &report.notes {
        text.push_str(&format!("note: {}: {}\n", note.object, note.problem));
    }
    for finding in &report.findings {
        text.push_str(&format!("FINDING: {}: {}\n", finding.object, finding.problem));
    }
    match report.findings_total {
        _ if !report.is_damaged && report.findings_total > 0 => {
            text.push_str("What was checked is sound, but it is not enough to restore anything.\n");
        }
        0 if report.needs_key.is_some() => text.push_str("What could be checked is sound; the rest needs a key.\n"),
        0 => text.push_str("Everything that was checked is sound.\n"),
        total if total > report.findings.len() as u64 => {
            text.push_str(&format!("{} findings, of which the first are shown.\n", count(total)));
        }
        total => text.push_str(&format!("{}.\n", plural(total, "finding"))),
    }
    text
}
