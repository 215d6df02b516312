//! What is known about a drill besides the data, and what is not: each line of the checklist is there, and what cannot be
//! known from here says so instead of passing.

use archive::drill::{Check, DrillReport, Outcome};
use archive::plan::RestorePlan;
use jiff::Timestamp;

use super::Place;
use crate::archive_reader::ArchiveReader;
use crate::failure::Result;

/// What a drill is evidence for, when it passes.
pub const CONTROLS: [&str; 5] = [
    "SOC 2 A1.2, A1.3",
    "ISO 27001 A.8.13, A.5.30",
    "NIST SP 800-53 CP-4, CP-9, CP-10",
    "AWS Well-Architected REL09-BP04",
    "Azure Well-Architected RE:09",
];

fn check(name: &str, outcome: Outcome, detail: impl Into<String>) -> Check {
    Check { name: name.to_owned(), outcome, detail: detail.into() }
}

pub fn describe(report: &mut DrillReport, place: &Place) {
    report.isolation = match place {
        Place::Throwaway { .. } => vec![
            check(
                "server",
                Outcome::Passed,
                "made for this drill; it listened on 127.0.0.1 only, with a random password",
            ),
            check(
                "network",
                Outcome::Skipped,
                "not known: it ran on the machine of dr-cli, with the routes of that machine",
            ),
        ],
        Place::Given { .. } => {
            vec![check("server and network", Outcome::Skipped, "not known: the destination was given")]
        }
        Place::Made { .. } => vec![
            check("server", Outcome::Passed, "made for this drill by Terraform, in a state that was empty before"),
            check("network", Outcome::Skipped, "not known: what the root lets reach it, and what it can reach"),
        ],
    };
    report.isolation.push(check("archive", Outcome::Passed, "read through a view that refuses every change"));
    report.independence = vec![
        check("source", Outcome::Passed, "the source replica set was not contacted; only archive and destination were"),
        check("machine", Outcome::Skipped, "not known: whether this machine outlives the site that is protected"),
    ];
    report.controls = CONTROLS.map(str::to_owned).to_vec();
}

/// How the manifest of the snapshot that was used is protected; as it is the last object of a snapshot, so are the others.
pub async fn immutability(reader: &ArchiveReader, plan: &RestorePlan) -> Result<Vec<Check>> {
    let key =
        archive::layout::ObjectKey::Manifest { lineage: plan.lineage.clone(), snapshot: plan.snapshot.id.clone() };
    let Some(lock) = reader.store().lock() else {
        return Ok(vec![check(
            "object lock",
            Outcome::Skipped,
            "this kind of store has none, or it was not asked for",
        )]);
    };
    let now = Timestamp::now();
    let (outcome, detail) = match lock.protection(&key.to_string()).await {
        Ok(Some(protection)) => match protection.retained {
            Some((mode, until)) if until > now => (Outcome::Passed, format!("{key}: {mode} until {until:.0}")),
            _ if protection.held => (Outcome::Passed, format!("{key}: held")),
            _ => (Outcome::Skipped, format!("{key} is not protected")),
        },
        Ok(None) => (Outcome::Skipped, format!("{key} is not there")),
        Err(error) => (Outcome::Skipped, format!("not known: {error}")),
    };
    let denied = "not tried: a drill deletes nothing";
    Ok(vec![check("object lock", outcome, detail), check("deletion denied", Outcome::Skipped, denied)])
}
