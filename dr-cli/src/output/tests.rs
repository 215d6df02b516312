use archive::ClusterTime;
use serde_json::json;

use super::table::{facts, table};
use super::time::{length, moment};
use super::*;

fn sink() -> Sink {
    Sink { command: "plan", json: true, quiet: false }
}

#[test]
fn an_object_has_the_five_common_fields_and_those_of_the_command() {
    let report = Report::new(&json!({ "slices": 3 }), String::new()).unwrap();
    let line = |ending: Ending| serde_json::from_str::<Value>(&sink().json_line(&report.fields, &ending)).unwrap();
    assert_eq!(
        line(Ending::Ok),
        json!({ "schema": 1, "command": "plan", "outcome": "ok", "exit_code": 0, "error": null, "slices": 3 })
    );
    assert_eq!(
        line(Ending::Findings),
        json!({ "schema": 1, "command": "plan", "outcome": "findings", "exit_code": 10, "error": null, "slices": 3 })
    );
    let failure = Failure::new(FailureKind::NotRestorable, "a").at("b").because("c").then("d");
    assert_eq!(
        line(Ending::Failed(failure)),
        json!({ "schema": 1, "command": "plan", "outcome": "refused", "exit_code": 4, "slices": 3,
            "error": { "kind": "not_restorable", "what": "a", "where": "b", "cause": "c", "next": "d" } })
    );
    let failure = Failure::integrity("a");
    assert_eq!(line(Ending::Failed(failure))["outcome"], "failed");
}

#[test]
fn every_error_ends_with_all_four_parts() {
    for kind in FailureKind::ALL {
        let failure = complete(Failure::new(kind, "what"), "plan");
        assert!(!failure.location.is_empty() && !failure.cause.is_empty() && !failure.next.is_empty(), "{kind:?}");
    }
    let given = Failure::new(FailureKind::Usage, "a").at("b").because("c").then("d");
    assert_eq!(complete(given.clone(), "plan"), given);
}

#[test]
fn times_are_utc_with_the_cluster_time_beside_them() {
    assert_eq!(moment(ClusterTime::new(1_714_566_600, 3)), "2024-05-01T12:30:00Z (1714566600:3)");
    for (seconds, text) in [
        (-5, "0 s"),
        (0, "0 s"),
        (59, "59 s"),
        (725, "12 min 5 s"),
        (7_200, "2 h"),
        (3_601, "1 h"),
        (270_000, "3 d 3 h"),
    ] {
        assert_eq!(length(seconds), text);
    }
}

#[test]
fn tables_have_aligned_columns() {
    let rows = [["a".to_owned(), "1".to_owned()], ["long".to_owned(), "1,000".to_owned()]];
    assert_eq!(table(["NAME", "COUNT"], rows, &[1]), " NAME  COUNT\n a         1\n long  1,000");
    assert_eq!(facts(&[("a", "1".to_owned()), ("long", "2".to_owned())]), "  a     1\n  long  2\n");
}
