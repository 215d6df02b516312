//! Records of format 1 that hold expiry back, prove a restore or name recipients, as they were first written; see `golden`.
//! They were written once and are never written again.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;

use archive::coverage::CoveredRange;
use archive::drill::{
    Check, DrillKind, DrillReport, Integrity, NegativeControl, Objective, Outcome, Phase, QueryResult, RecoveryPoint,
    SelectionRule, Tools, Verdict,
};
use archive::encryption::{Decryptor, Identities, Recipients, RecipientsRecord};
use archive::json_record::RecordError;
use archive::reference::{CollectionReference, Comparison, DigestSum, MissingCollection, MissingReason, Reference};
use archive::retention::{Expiring, Freeze, Pin, Pinned, Protection};
use archive::{ClusterTime, CollectionUuid, Digest, LineageId, Namespace, SnapshotId};

const NOW: &str = "2026-01-02T03:04:05Z";
const RECIPIENT: &str = include_str!("golden/recipient.txt");

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lineage() -> LineageId {
    "rs0-65a1b2c3d4e5f60718293a4b".parse().unwrap()
}

fn snapshot() -> SnapshotId {
    "20260102T030405Z-7f3a".parse().unwrap()
}

fn at(increment: u32) -> ClusterTime {
    ClusterTime::new(1_767_323_045, increment)
}

fn pin() -> Pin {
    let mut pin = Pin::new("incident-7", Pinned::Snapshot(snapshot()), "before the bad deploy", NOW);
    pin.pinned_by = "on-call".into();
    pin
}

fn pinned_moments() -> Pin {
    let mut pin = Pin::new("incident-8", Pinned::Moments { from: at(1), through: at(9) }, "", NOW);
    pin.until = Some("2026-02-01T00:00:00Z".parse().unwrap());
    pin
}

fn protection() -> Protection {
    let range = CoveredRange::new(at(1), at(9));
    Protection::new("restore-1", snapshot(), range, "dr-cli on ops-1", "2026-01-02T03:14:05Z".parse().unwrap())
}

fn expiring() -> Expiring {
    let slices = vec![CoveredRange::new(at(1), at(5))];
    Expiring::new(vec![snapshot()], slices, "dr-cli on ops-1", "2026-01-02T03:14:05Z".parse().unwrap())
}

fn recipients() -> RecipientsRecord {
    RecipientsRecord::new(at(1), &Recipients::parse(RECIPIENT).unwrap())
}

fn reference() -> Reference {
    let mut sum = DigestSum::default();
    sum.add(b"one");
    sum.add(b"two");
    let mut reference = Reference::new(lineage(), at(7), "orders-db-1:27017", NOW);
    let orders = Namespace::new("shop", "orders.2026\n\"old\"");
    reference.collections = vec![CollectionReference::new(orders, CollectionUuid([7; 16]), &sum)];
    reference.missing = vec![MissingCollection {
        namespace: Namespace::new("shop", "log"),
        reason: MissingReason::Capped,
        detail: "1 GiB".into(),
    }];
    reference
}

fn compared() -> Comparison {
    let reference = reference();
    let log = Namespace::new("shop", "log");
    reference.compare(&reference.collections, &[&log].into())
}

fn drill() -> DrillReport {
    let point = RecoveryPoint {
        requested: "latest".into(),
        rule: SelectionRule::Latest,
        resolved: at(7),
        snapshot: snapshot(),
        manifest_sha256: Some(Digest::of(b"manifest")),
        slices: 3,
        last_applied: Some(at(7)),
        coverage_problems: Vec::new(),
    };
    let tools = Tools {
        tidemark_version: "0.1.0".into(),
        server_version: "6.0.5".into(),
        fcv: "6.0".into(),
        ..Tools::default()
    };
    let mut report = DrillReport::new("20260102T040000Z-d1".parse().unwrap(), lineage(), NOW, tools, point);
    report.kind = DrillKind::Full;
    report.recovery_time_objective = Objective { objective_seconds: Some(900), actual_seconds: Some(61) };
    report.phases = vec![Phase {
        name: "load".into(),
        started_at: NOW.into(),
        milliseconds: 61_000,
        bytes: 5,
        documents: 2,
        entries: 1,
        retries: 0,
        predicted_milliseconds: None,
        failure: None,
    }];
    report.integrity = Integrity {
        objects: 4,
        bytes: 900,
        reference_at: Some(at(7)),
        comparison: Some(Comparison { equal: 1, documents: 2, ..compared() }),
        checks: vec![Check { name: "indexes".into(), outcome: Outcome::Passed, detail: String::new() }],
    };
    report.queries = vec![QueryResult {
        name: "open orders".into(),
        outcome: Outcome::Passed,
        expected: "17".into(),
        found: "17".into(),
        milliseconds: 3,
        expects_data: false,
    }];
    report.negative_control =
        Some(NegativeControl { fault: "a flipped bit".into(), was_detected: true, detail: "exit code 5".into() });
    report.judged()
}

/// Read as it was written, and written today as it was then.
fn same<T: PartialEq + std::fmt::Debug>(
    name: &str,
    expected: &T,
    read: fn(&[u8]) -> Result<T, RecordError>,
    write: fn(&T) -> Result<Vec<u8>, RecordError>,
) {
    let stored = golden(name);
    assert_eq!(read(&stored).unwrap(), *expected, "{name}");
    assert_eq!(String::from_utf8(write(expected).unwrap()), String::from_utf8(stored), "{name}");
}

#[test]
fn records_of_format_1_are_read_and_still_written_alike() {
    same("pin.json", &pin(), Pin::from_json, Pin::to_json);
    same("pin-moments.json", &pinned_moments(), Pin::from_json, Pin::to_json);
    same("protect.json", &protection(), Protection::from_json, Protection::to_json);
    same("freeze.json", &Freeze::new("ransomware", "on-call", NOW), Freeze::from_json, Freeze::to_json);
    same("expiring.json", &expiring(), Expiring::from_json, Expiring::to_json);
    same("recipients.json", &recipients(), RecipientsRecord::from_json, RecipientsRecord::to_json);
    same("reference.json", &reference(), Reference::from_json, Reference::to_json);
    same("drill.json", &drill(), DrillReport::from_json, DrillReport::to_json);
    assert_eq!(drill().verdict, Verdict::PassWithFindings);
}

/// Encrypted once with Debian's `age`; the identity was made for this and is used nowhere else.
#[test]
fn a_segment_that_was_encrypted_then_is_decrypted_now() {
    let identities = Identities::parse(&String::from_utf8(golden("identity.txt")).unwrap()).unwrap();
    assert_eq!(identities.public_keys(), [RECIPIENT.trim()]);
    let plain = Decryptor::whole(Some(&identities), &[], &golden("segment.bson.zst.age")).unwrap();
    assert!(plain == golden("segment.bson.zst"));
}
