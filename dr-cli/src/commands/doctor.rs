//! `dr-cli doctor`: what would fail, before it fails. Every check runs, whatever the others say; only what lies in a store that
//! cannot be used is not looked for.

use archive::coverage::Coverage;
use jiff::Timestamp;
use recovery::{ArchiveReader, Failure, FailureKind, Result, keys};
use serde::Serialize;
use store::{ErrorKind, ObjectStore, Verdict};

use crate::args::DoctorArgs;
use crate::catalog;
use crate::context::{Context, Stores};
use crate::output::table::plural;
use crate::output::time::{length, moment};
use crate::output::{Ending, Report};

/// Where the store proof writes, and removes again what it wrote.
const PROOF_FOLDER: &str = "doctor/control";
/// More is a clock that is wrong, and expiry refuses to judge ages.
const MOST_DRIFT_SECONDS: i64 = 300;
const OLD_SECONDS: i64 = 3600;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Ok,
    Warning,
    Failed,
    Skipped,
}

#[derive(Debug, Serialize)]
struct Examined {
    check: String,
    outcome: Outcome,
    found: String,
    /// What to do about it; empty where nothing has to be done.
    remedy: String,
    /// Why it failed: what the whole command ends with, when it is the first.
    #[serde(skip)]
    failure: Option<Failure>,
}

#[derive(Serialize)]
struct Doctor {
    checks: Vec<Examined>,
}

impl Examined {
    fn new(check: &str, outcome: Outcome, found: impl Into<String>) -> Self {
        Self { check: check.to_owned(), outcome, found: found.into(), remedy: String::new(), failure: None }
    }

    fn ok(check: &str, found: impl Into<String>) -> Self {
        Self::new(check, Outcome::Ok, found)
    }

    fn failed(check: &str, failure: Failure) -> Self {
        let cause = if failure.cause.is_empty() { String::new() } else { format!(": {}", failure.cause) };
        let found = format!("{}{cause}", failure.what);
        Self { remedy: failure.next.clone(), failure: Some(failure), ..Self::new(check, Outcome::Failed, found) }
    }

    fn is_unreachable(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.kind == FailureKind::Unreachable)
    }

    fn with_remedy(self, remedy: &str) -> Self {
        Self { remedy: remedy.to_owned(), ..self }
    }
}

pub async fn run(context: &Context, args: &DoctorArgs) -> Result<Report> {
    let Stores { archive, control } = context.stores()?;
    let mut checks = Vec::new();
    if args.read_only {
        checks.push(clock(&*archive).await);
        checks.push(Examined::new("store", Outcome::Skipped, "nothing is written with --read-only"));
    } else {
        checks.extend(proof("store", &*archive).await);
    }
    // Whoever just waited for a store in vain need not wait for it once more.
    let is_unreachable = checks.iter().any(Examined::is_unreachable);
    if let Some(control) = control.filter(|_| !args.read_only) {
        checks.extend(proof("control", &*control).await);
    }
    if is_unreachable {
        checks.push(Examined::new("archive", Outcome::Skipped, "its store cannot be used"));
    } else {
        examine_archive(context, &mut checks).await;
    }
    if let Some(uri) = &args.destination {
        checks.push(match recovery::examine_destination(uri).await {
            Ok(found) => Examined::ok("destination", found),
            Err(failure) if failure.location.is_empty() => {
                Examined::failed("destination", failure.at("the server that --destination names"))
            }
            Err(failure) => Examined::failed("destination", failure),
        });
    }
    let text = text(&checks);
    let failures = checks.iter().filter(|check| check.outcome == Outcome::Failed).count() as u64;
    let has_warnings = checks.iter().any(|check| check.outcome == Outcome::Warning);
    let first = checks.iter().find_map(|check| Some((check.failure.clone()?, check)));
    let ending = first.map(|(failure, check)| {
        let what = format!("{}; the first: {}: {}", plural(failures, "failed check"), check.check, failure.what);
        // What has a place of its own, such as the destination, is not in the archive.
        let location = if failure.location.is_empty() { archive.location().to_owned() } else { failure.location };
        Ending::Failed(Failure { what, location, ..failure })
    });
    let report = Report::new(&Doctor { checks }, text)?;
    Ok(match ending {
        Some(ending) => report.with_ending(ending),
        None => report.with_findings_if(has_warnings),
    })
}

async fn examine_archive(context: &Context, checks: &mut Vec<Examined>) {
    match context.open().await {
        Ok(reader) => {
            checks.push(Examined::ok("archive", format!("archive {} of a format that this build reads", reader.id())));
            checks.extend(lineages(context, &reader).await);
        }
        Err(failure) if failure.kind == FailureKind::NotFound => {
            let found = "there is no archive here yet".to_owned();
            checks.push(Examined::new("archive", Outcome::Warning, found).with_remedy("sidecar run makes it"));
        }
        Err(failure) => checks.push(Examined::failed("archive", failure)),
    }
}

async fn clock(store: &dyn ObjectStore) -> Examined {
    match store.clock().await {
        Ok(None) => Examined::new("clock", Outcome::Skipped, "this kind of store has no clock of its own"),
        Ok(Some(time)) => {
            let drift = Timestamp::now().duration_since(time).as_secs();
            let found = format!("this machine's clock differs from the store's by {drift} s");
            match drift.abs() {
                0..=5 => Examined::ok("clock", found),
                6..MOST_DRIFT_SECONDS => {
                    Examined::new("clock", Outcome::Warning, found).with_remedy("set the clock (NTP)")
                }
                _ => Examined::failed("clock", Failure::new(FailureKind::Unsafe, found).then("set the clock (NTP)")),
            }
        }
        Err(error) => Examined::failed("clock", error.into()),
    }
}

async fn proof(name: &str, store: &dyn ObjectStore) -> Vec<Examined> {
    let proof = match store::prove(store, PROOF_FOLDER).await {
        Ok(proof) => proof,
        Err(error) => return vec![Examined::failed(name, error.into())],
    };
    if proof.get("write and read").is_some_and(|check| check.error == Some(ErrorKind::PermissionDenied)) {
        // Credentials that are wrong may not write either, and are enough for nothing.
        if let Err(error) = store.list_folders("").await {
            return vec![Examined::failed(name, error.into())];
        }
        let found = "these credentials may not write: enough to restore, but pins and protections cannot be set";
        return vec![Examined::new(name, Outcome::Skipped, found)];
    }
    let judged = proof.checks.into_iter().map(|check| {
        let name = format!("{name}: {}", check.name);
        match check.verdict {
            Verdict::Holds => Examined::ok(&name, check.found),
            Verdict::Skipped => Examined::new(&name, Outcome::Skipped, check.found),
            Verdict::Doubtful => Examined::new(&name, Outcome::Warning, check.found).with_remedy(check.remedy),
            Verdict::Broken => {
                Examined::failed(&name, Failure::new(FailureKind::Unsafe, check.found).then(check.remedy))
            }
        }
    });
    judged.collect()
}

async fn lineages(context: &Context, reader: &ArchiveReader) -> Vec<Examined> {
    let (records, findings) = match context.lineages(reader).await {
        Ok(found) => found,
        Err(failure) => return vec![Examined::failed("lineage", failure)],
    };
    let mut checks: Vec<Examined> = findings
        .into_iter()
        .map(|finding| Examined::new(&finding.object, Outcome::Warning, finding.problem).with_remedy("dr-cli verify"))
        .collect();
    for record in records {
        match catalog::inspect(reader, &record.lineage).await {
            Ok(catalog) => {
                checks.push(restorable(&catalog));
                match keys::check(reader, &catalog).await {
                    Ok(sets) => checks.extend(sets.into_iter().map(key)),
                    Err(failure) => checks.push(Examined::failed("keys", failure)),
                }
            }
            Err(failure) => checks.push(Examined::failed(record.lineage.as_str(), failure)),
        }
    }
    checks
}

fn restorable(catalog: &archive::catalog::Catalog) -> Examined {
    let name = format!("{}: restorable", catalog.lineage);
    let windows = Coverage::of_catalog(catalog).restore_windows(&catalog.snapshots);
    let Some(window) = windows.last() else {
        return Examined::new(&name, Outcome::Warning, "no moment can be restored").with_remedy("dr-cli status");
    };
    let age = Timestamp::now().as_second() - i64::from(window.through.seconds);
    let found = format!("{} through {}, {} ago", moment(window.from), moment(window.through), length(age));
    if age > OLD_SECONDS {
        return Examined::new(&name, Outcome::Warning, found).with_remedy("is `sidecar run` at work?");
    }
    Examined::ok(&name, found)
}

fn key(set: keys::KeySet) -> Examined {
    let scope = format!("{}, {}", plural(set.snapshots, "snapshot"), plural(set.slices, "slice"));
    match set.problem {
        None => Examined::ok("key", format!("opens {scope} encrypted to {}", set.recipients.join(" or "))),
        Some(problem) if set.is_key_problem => Examined::failed(
            "key",
            Failure::new(FailureKind::Key, format!("{scope}: {problem}")).then("--identity-file FILE"),
        ),
        Some(problem) => Examined::failed("key", Failure::integrity(format!("`{}`: {problem}", set.object))),
    }
}

fn text(checks: &[Examined]) -> String {
    let mut text = String::new();
    for check in checks {
        let outcome = match check.outcome {
            Outcome::Ok => "ok",
            Outcome::Warning => "WARNING",
            Outcome::Failed => "FAILED",
            Outcome::Skipped => "skipped",
        };
        text.push_str(&format!("{outcome:<8} {}: {}\n", check.check, check.found));
        if !check.remedy.is_empty() {
            text.push_str(&format!("         next: {}\n", check.remedy));
        }
    }
    text
}
