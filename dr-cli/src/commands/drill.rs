//! `dr-cli drill`: restores for practice, proves what came back, and leaves a report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use archive::coverage::Coverage;
use archive::drill::{DrillReport, Evidence, SelectionRule, Verdict, VerdictReason, random_moment};
use archive::signature::{SignatureError, SigningKey};
use archive::target::RestoreTarget;
use archive::{ClusterTime, Digest, DrillId, LineageId};
use recovery::drill::{self, Documents, DrillOptions, Drilled, Place, queries};
use recovery::terraform::RunSummary;
use recovery::{ArchiveReader, Failure, FailureKind, Result};
use serde::Serialize;

use super::{plan, terraform};
use crate::args::{DrillArgs, DrillTarget};
use crate::confirm;
use crate::context::Context;
use crate::output::table::{facts, plural};
use crate::output::time::moment;
use crate::output::{Ending, Report};

const SIGN_PASSWORD: &str = "TIDEMARK_SIGN_PASSWORD";

#[derive(Serialize)]
struct Output<'a> {
    lineage: &'a LineageId,
    drill_id: &'a DrillId,
    verdict: Verdict,
    verdict_reasons: &'a [VerdictReason],
    seed: u64,
    recovery_point_actual_seconds: Option<u64>,
    recovery_time_actual_seconds: Option<u64>,
    /// Keys of the report in the archive.
    stored: Vec<String>,
    /// Copies in `--report-dir`.
    files: Vec<String>,
    signature_key: Option<String>,
    /// What Terraform made, and what is left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    terraform: Option<RunSummary>,
    report: &'a DrillReport,
}

/// What was chosen to be restored.
struct Choice {
    target: RestoreTarget,
    rule: SelectionRule,
    requested: String,
}

pub async fn run(context: &Context, args: DrillArgs) -> Result<Report> {
    if let Some(run) = &args.terraform.clean_up {
        return terraform::clean_up(context, &args.terraform, "drill", run, args.yes).await;
    }
    let is_made = args.terraform.terraform.is_some();
    if is_made && !args.yes && !confirm::is_possible() {
        return Err(confirm::refusal("a drill makes a place that may cost money", "terraform plan"));
    }
    if args.destination.is_some() && !args.yes && !confirm::is_possible() {
        return Err(confirm::refusal("a drill writes into the destination", "dr-cli plan --to …"));
    }
    // Everything that is named is looked at before anything is begun.
    let key = args.sign_key.as_deref().map(signing_key).transpose()?;
    let (queries_text, queries, evidence) = match args.queries.as_deref().map(read_queries).transpose()? {
        Some((text, queries, evidence)) => (Some(text), queries, vec![evidence]),
        None => (None, Vec::new(), Vec::new()),
    };
    if let Some(folder) = &args.report_dir {
        std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    }
    let given = if is_made { None } else { Some(place(&args)?) };
    let seed = args.seed.unwrap_or_else(any_seed);
    let reader = context.open().await?;
    let lineage = context.lineage(&reader).await?.lineage;
    let choice = choose(&reader, &lineage, args.to.as_ref(), seed).await?;
    let plan = plan::make(&reader, &lineage, &choice.target, args.snapshot.as_ref()).await?;
    let chosen = format!("Drill to {} ({}), seed {seed}", choice.target, choice.requested);
    let run = if is_made {
        let mut run = terraform::begin(context, &args.terraform, "drill").await?;
        terraform::show_and_ask(context, &mut run, &format!("{chosen}\n{}", plan::text(&plan)), args.yes).await?;
        Some(Arc::new(tokio::sync::Mutex::new(run)))
    } else {
        None
    };
    match &args.destination {
        Some(destination) if !args.yes => {
            let hosts = telemetry::redact_uri(destination);
            confirm::ask(format!("{chosen}\n{}\nThis writes into {hosts}", plan::text(&plan))).await?;
        }
        _ if run.is_none() => context.progress.note(&format!("{chosen}\n{}", plan::text(&plan))),
        _ => {}
    }
    let place = match (given, &run) {
        (Some(place), _) => place,
        (None, Some(run)) => Place::Made {
            run: Arc::clone(run),
            keep: args.keep,
            patience: args.terraform.patience(),
            chart: args.terraform.chart()?,
        },
        (None, None) => return Err(Failure::new(FailureKind::Unexpected, "the drill has no place")),
    };
    if let (Some(seconds), Some(destination)) = (args.wait_for_destination, &args.destination) {
        let at_most = Duration::from_secs(seconds);
        recovery::wait_for_destination(destination, at_most, context.progress.as_ref()).await?;
    }
    let options = DrillOptions {
        place,
        rule: choice.rule,
        requested: choice.requested,
        seed,
        queries,
        queries_text,
        is_part: args.unpublished,
        connections: usize::from(args.connections),
        recovery_point_objective_seconds: args.rpo,
        recovery_time_objective_seconds: args.rto,
        scenario: args.scenario,
        trigger: args.trigger,
        operator: args.operator,
        approver: args.approver,
        evidence,
    };
    let drilled = Box::pin(drill::drill(&reader, plan, options, Arc::clone(&context.progress))).await;
    let mut drilled = match (drilled, &run) {
        (Err(failure), Some(run)) => return terraform::failed(&*run.lock().await, failure),
        (drilled, _) => drilled?,
    };
    if let Some(run) = &run
        && let Some(failure) = drilled.failure.take()
    {
        drilled.failure = Some(run.lock().await.explain(failure));
    }
    let documents = Documents::of(&drilled.report, key.as_ref())?;
    let stored =
        if args.unpublished { Ok(Vec::new()) } else { drill::publish(&reader, &drilled.report, &documents).await };
    let files = match &args.report_dir {
        Some(folder) => write_copies(folder, &drilled.report, &documents),
        None => Ok(Vec::new()),
    };
    let summary = match &run {
        Some(run) => Some(run.lock().await.summary()),
        None => None,
    };
    conclude(&drilled, seed, &stored, &files, key.as_ref(), summary)
}

fn conclude(
    drilled: &Drilled,
    seed: u64,
    stored: &Result<Vec<String>>,
    files: &Result<Vec<String>>,
    key: Option<&SigningKey>,
    terraform: Option<RunSummary>,
) -> Result<Report> {
    let report = &drilled.report;
    let ending = match (ending(drilled), stored.as_ref().err().or(files.as_ref().err())) {
        // A proof that nobody can find later is none. What failed has failed, though.
        (Ending::Ok | Ending::Findings, Some(failure)) => Ending::Failed(failure.clone()),
        (ending, _) => ending,
    };
    let output = Output {
        lineage: &report.lineage,
        drill_id: &report.id,
        verdict: report.verdict,
        verdict_reasons: &report.verdict_reasons,
        seed,
        recovery_point_actual_seconds: report.recovery_point_objective.actual_seconds,
        recovery_time_actual_seconds: report.recovery_time_objective.actual_seconds,
        stored: stored.as_ref().cloned().unwrap_or_default(),
        files: files.as_ref().cloned().unwrap_or_default(),
        signature_key: key.map(SigningKey::key_id),
        terraform,
        report,
    };
    let mut text = text(&output);
    if let Err(failure) = stored {
        text.push_str(&format!("THE REPORT IS NOT IN THE ARCHIVE: {failure}\n"));
    }
    if let Err(failure) = files {
        text.push_str(&format!("THE REPORT IS NOT IN --report-dir: {failure}\n"));
    }
    Ok(Report::new(&output, text)?.with_ending(ending))
}

fn ending(drilled: &Drilled) -> Ending {
    let report = &drilled.report;
    if let Some(failure) = &drilled.failure {
        return Ending::Failed(failure.clone());
    }
    let first = report.verdict_reasons.first().map_or_else(|| report.verdict.to_string(), |reason| reason.what.clone());
    let failed = |kind, cause: &str| {
        let failure = Failure::new(kind, format!("the drill is {}: {first}", report.verdict));
        Ending::Failed(
            failure.at(report.key().to_string()).because(cause).then("read the report; dr-cli verify --level decode"),
        )
    };
    match report.verdict {
        Verdict::Pass => Ending::Ok,
        Verdict::PassWithFindings => Ending::Findings,
        Verdict::Inconclusive => failed(FailureKind::Unexpected, "nothing was proven that could have failed"),
        Verdict::Fail => failed(FailureKind::Integrity, "something did not come back as it was, or not in time"),
    }
}

async fn choose(reader: &ArchiveReader, lineage: &LineageId, to: Option<&DrillTarget>, seed: u64) -> Result<Choice> {
    let named = |target: &RestoreTarget| {
        let rule = if *target == RestoreTarget::Latest { SelectionRule::Latest } else { SelectionRule::Given };
        Choice { target: target.clone(), rule, requested: target.to_string() }
    };
    if let Some(DrillTarget::Named(target)) = to {
        return Ok(named(target));
    }
    let catalog = reader.catalog(lineage).await?;
    let windows = Coverage::of_catalog(&catalog).restore_windows(&catalog.snapshots);
    let is_restorable = |at: &ClusterTime| windows.iter().any(|window| window.from <= *at && *at <= window.through);
    let at =
        |at, rule, requested: &str| Choice { target: RestoreTarget::At(at), rule, requested: requested.to_owned() };
    if to == Some(&DrillTarget::Random) {
        // Without a window the plan for the latest moment says why.
        let drawn = random_moment(&windows, seed);
        return Ok(
            drawn.map_or_else(|| named(&RestoreTarget::Latest), |drawn| at(drawn, SelectionRule::Random, "random"))
        );
    }
    let newest = reader.reference_times(lineage).await?.into_iter().rev().find(is_restorable);
    match (newest, to) {
        (Some(newest), _) => Ok(at(newest, SelectionRule::Reference, "reference")),
        (None, None) => Ok(named(&RestoreTarget::Latest)),
        (None, Some(_)) => Err(Failure::new(FailureKind::NotFound, "there is no reference that can be restored")
            .at(reader.place(lineage.as_str()))
            .because("the sidecar takes references only when it is told to, and one counts once the oplog reaches it")
            .then("sidecar reference; or sidecar run --reference-schedule CRONTAB")),
    }
}

fn place(args: &DrillArgs) -> Result<Place> {
    if let Some(uri) = &args.destination {
        return Ok(Place::Given { uri: uri.clone(), drop_after: args.drop_after });
    }
    let mongod = drill::find_mongod(args.mongod.as_deref(), std::env::var_os("PATH").as_deref())?;
    Ok(Place::Throwaway { mongod, parent: args.scratch_dir.clone().unwrap_or_else(std::env::temp_dir) })
}

/// Another draw each time; printed and in the report, so that it can be repeated.
fn any_seed() -> u64 {
    jiff::Timestamp::now().as_millisecond().unsigned_abs()
}

fn read(path: &Path, option: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Failure::new(FailureKind::Usage, format!("{option} cannot be read: {error}"))
            .at(path.display().to_string())
            .because("it does not exist, or this user may not read it")
            .then("dr-cli drill --help")
    })
}

/// Their text, the queries, and what the report says of the file.
fn read_queries(path: &Path) -> Result<(String, Vec<queries::Query>, Evidence)> {
    let text = read(path, "--queries")?;
    let evidence = Evidence {
        name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        bytes: text.len() as u64,
        sha256: Digest::of(text.as_bytes()),
    };
    let queries = queries::parse(&text).map_err(|problem| {
        Failure::new(FailureKind::Usage, format!("the queries cannot be used: {problem}"))
            .at(path.display().to_string())
            .because("each [[query]] has a namespace, a filter or pipeline, and count or documents")
            .then("docs/drills.md shows some")
    })?;
    Ok((text, queries, evidence))
}

fn signing_key(path: &Path) -> Result<SigningKey> {
    let text = read(path, "--sign-key")?;
    let password = std::env::var(SIGN_PASSWORD).ok();
    SigningKey::parse(&text, password.as_deref()).map_err(|error| {
        let kind = match error {
            SignatureError::PasswordNeeded | SignatureError::WrongPassword => FailureKind::Key,
            _ => FailureKind::Usage,
        };
        Failure::new(kind, format!("the report cannot be signed: {error}"))
            .at(path.display().to_string())
            .because(format!("the password of the key is taken from {SIGN_PASSWORD}"))
            .then("name the secret key that minisign -G made with --sign-key")
    })
}

fn write_copies(folder: &Path, report: &DrillReport, documents: &Documents) -> Result<Vec<String>> {
    let name = |extension: &str| folder.join(format!("{}.{extension}", report.id));
    let mut files: Vec<(PathBuf, &[u8])> =
        vec![(name("json"), &documents.json), (name("md"), documents.markdown.as_bytes())];
    if let Some(signature) = &documents.signature {
        files.push((name("json.minisig"), signature.as_bytes()));
    }
    let mut written = Vec::new();
    for (path, body) in files {
        std::fs::write(&path, body).map_err(|error| unwritable(&path, &error))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(FailureKind::Usage, format!("the report cannot be written: {error}"))
        .at(path.display().to_string())
        .because("--report-dir is no folder that this user may write to")
        .then("name another folder with --report-dir")
}

fn text(output: &Output<'_>) -> String {
    let report = output.report;
    let point = &report.recovery_point;
    let seconds = |actual: Option<u64>, objective: Option<u64>| match (actual, objective) {
        (None, _) => "not measured".to_owned(),
        (Some(actual), None) => format!("{actual} s"),
        (Some(actual), Some(objective)) => format!("{actual} s, the objective is {objective} s"),
    };
    let compared = match (&report.integrity.comparison, report.integrity.reference_at) {
        (Some(comparison), Some(at)) => format!(
            "{} with {} documents are the same as the server showed at {}, {} differ, {} not compared",
            plural(comparison.equal, "collection"),
            comparison.documents,
            moment(at),
            comparison.differences.len(),
            comparison.not_compared.len()
        ),
        _ => "with no reference: none was taken at this moment".to_owned(),
    };
    let (rpo, rto) = (report.recovery_point_objective, report.recovery_time_objective);
    let mut list = vec![
        ("verdict", report.verdict.to_string()),
        ("restored to", format!("{} ({})", moment(point.resolved), point.requested)),
        ("snapshot", format!("{} and {}", point.snapshot, plural(point.slices, "slice"))),
        ("compared", compared),
    ];
    if !report.queries.is_empty() {
        let passed = report.queries.iter().filter(|query| query.outcome == archive::drill::Outcome::Passed).count();
        list.push(("queries", format!("{passed} of {} gave what was expected", report.queries.len())));
    }
    if let Some(control) = &report.negative_control {
        let seen = if control.was_detected { "detected" } else { "NOT DETECTED" };
        list.push(("seeded fault", format!("{seen}: {}", control.fault)));
    }
    list.push(("loss (RPO)", seconds(rpo.actual_seconds, rpo.objective_seconds)));
    list.push(("recovery (RTO)", seconds(rto.actual_seconds, rto.objective_seconds)));
    if let Some(run) = &output.terraform {
        list.push(("made by", terraform::made_by(run)));
        if let Some(clean_up) = &run.clean_up {
            list.push(("still there", plural(run.remains.len() as u64, "resource")));
            list.push(("to remove it", clean_up.clone()));
        }
    }
    list.push(("seed", output.seed.to_string()));
    list.extend(output.stored.iter().chain(&output.files).map(|key| ("report", key.clone())));
    let mut text = format!("Drill {}\n{}", report.id, facts(&list));
    for reason in &report.verdict_reasons {
        text.push_str(&format!("{}: {}\n", reason.limits_to, reason.what.escape_debug()));
    }
    text
}
