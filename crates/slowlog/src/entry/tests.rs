use super::*;

fn observed() -> Vec<&'static str> {
    include_str!("../../tests/lines/6.0.5.log").lines().collect()
}

#[test]
fn every_observed_line_is_understood() {
    for line in observed() {
        let query = parse(line).unwrap().unwrap();
        assert!(query.ns.is_some() && query.kind.is_some() && query.command.is_some(), "{line}");
        assert!(query.at_millis.is_some_and(|millis| millis > 1_700_000_000_000), "{line}");
    }
}

#[test]
fn the_numbers_of_a_read_are_read() {
    let line = observed().into_iter().find(|line| line.contains("geheim")).unwrap();
    let query = parse(line).unwrap().unwrap();
    assert_eq!(query.ns.as_deref(), Some("shop.orders"));
    assert_eq!(query.app_name.as_deref(), Some("shop-api"));
    assert_eq!(query.plan_summary.as_deref(), Some("COLLSCAN"));
    assert_eq!(query.query_hash.as_deref(), Some("FC6D44A5"));
    assert_eq!((query.docs_examined, query.keys_examined, query.returned), (3000, 0, 0));
    assert_eq!((query.yields, query.response_bytes), (3, 225));
    assert!(query.working_millis.is_none() && !query.failed && !query.truncated);
}

#[test]
fn failures_and_cuts_are_seen() {
    let failed = observed().into_iter().find(|line| line.contains("$bogus")).unwrap();
    assert!(parse(failed).unwrap().unwrap().failed);
    let cut = observed().into_iter().find(|line| line.contains("\"truncated\"")).unwrap();
    assert!(parse(cut).unwrap().unwrap().truncated);
}

/// Written after the documentation of 8.0; not observed.
#[test]
fn the_waiting_times_of_newer_servers_are_read() {
    let line = include_str!("../../tests/lines/8.0-documented.log").lines().next().unwrap();
    let query = parse(line).unwrap().unwrap();
    assert_eq!(query.working_millis, Some(1507));
    assert_eq!(query.queued_micros, 1_200_345 + 12);
    assert_eq!(query.lock_wait_micros, 40_000);
    assert_eq!(query.write_concern_wait_millis, 31);
    assert_eq!(query.flow_control_micros, 77);
    assert_eq!(query.cpu_nanos, 1_400_000_123);
    assert_eq!((query.storage_read_micros, query.read_bytes), (2_034, 1_044_209));
    assert_eq!((query.remote_wait_millis, query.planning_micros), (9, 812));
    assert_eq!(query.write_conflicts, 2);
    assert!(query.used_disk && query.multi_planner && query.replanned && query.sort_stage);
    assert_eq!(query.query_shape_hash.as_deref().map(str::len), Some(64));
}

#[test]
fn fields_of_unexpected_types_are_absent_and_the_rest_still_counts() {
    let line = r#"{"t":5,"id":51803,"attr":{"ns":["x"],"type":7,"command":"cut off","locks":"x","storage":[1],"queues":null,
        "docsExamined":{"a":1},"keysExamined":{"$numberLong":"12"},"durationMillis":"31","hasSortStage":"yes","ok":"no","unheard":{"of":[1]}}}"#;
    let query = parse(line).unwrap().unwrap();
    assert_eq!(query.ns, None);
    assert_eq!((query.docs_examined, query.keys_examined, query.duration_millis), (0, 12, 31));
    assert!(!query.sort_stage && !query.failed);
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let query =
        parse(r#"{"id":51803,"attr":{"ns":"a.b","ns":"c.d","durationMillis":1,"durationMillis":2},"id":51803}"#);
    let query = query.unwrap().unwrap();
    assert_eq!((query.ns.as_deref(), query.duration_millis), (Some("c.d"), 2));
}
