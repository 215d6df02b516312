use bson::doc;

use super::*;

fn of_kind(op: &str, name: &str, longest: i64, over: [i32; 4]) -> Document {
    let [over1, over10, over60, over600] = over;
    doc! {
        "_id": { "op": op, "name": name }, "longest": longest, "lock": 1, "flow_control": 0,
        "over1": over1, "over10": over10, "over60": over60, "over600": over600,
    }
}

fn found(kinds: Vec<Document>, namespaces: Vec<Document>, long: i32) -> Document {
    let long = if long == 0 { vec![] } else { vec![doc! { "operations": long }] };
    doc! { "kinds": kinds, "namespaces": namespaces, "long": long }
}

#[test]
fn a_quiet_server_has_every_kind_with_nothing() {
    let samples = samples(&found(vec![], vec![], 0));
    for kind in KINDS {
        assert_eq!(samples.number(&CURRENT_OP_LONGEST_SECONDS, &[kind]), Some(0.0));
        assert_eq!(samples.number(&CURRENT_OPS_OVER_THRESHOLD, &[kind, "600"]), Some(0.0));
    }
    assert_eq!(samples.number(&CURRENT_OPS_WAITING, &["lock"]), Some(0.0));
    assert_eq!(samples.count(&CURRENT_OPS_BY_NAMESPACE), 0);
}

#[test]
fn an_answer_of_another_shape_says_nothing_rather_than_zero() {
    assert!(samples(&doc! {}).is_empty());
    assert!(samples(&doc! { "kinds": [], "namespaces": [], "long": 7 }).is_empty());
}

#[test]
fn kinds_come_from_the_command_and_else_from_the_operation() {
    let kinds = vec![
        of_kind("command", "find", 2_000_000, [1, 0, 0, 0]),
        of_kind("query", "", 700_500_000, [2, 2, 1, 1]),
        of_kind("update", "q", 5_000_000, [3, 0, 0, 0]),
        of_kind("command", "update", 1_000, [0, 0, 0, 0]),
        of_kind("command", "compact", 90_000_000, [1, 1, 1, 0]),
    ];
    let samples = samples(&found(kinds, vec![], 0));
    let longest = |kind| samples.number(&CURRENT_OP_LONGEST_SECONDS, &[kind]);
    assert_eq!((longest("find"), longest("update"), longest("command")), (Some(700.5), Some(5.0), Some(90.0)));
    let over = |kind, threshold| samples.number(&CURRENT_OPS_OVER_THRESHOLD, &[kind, threshold]);
    assert_eq!((over("find", "1"), over("find", "600"), over("update", "1")), (Some(3.0), Some(1.0), Some(3.0)));
    assert_eq!(over("delete", "1"), Some(0.0));
    assert_eq!(samples.number(&CURRENT_OPS_WAITING, &["lock"]), Some(5.0));
}

#[test]
fn collections_beyond_the_limit_are_one_series_and_none_is_lost() {
    let namespaces: Vec<Document> = (0..=10_i64)
        .map(|n| doc! { "_id": format!("shop.coll{n}"), "operations": 2, "longest": (100 - n) * 1_000_000 })
        .collect();
    let samples = samples(&found(vec![], namespaces, 5000));
    assert_eq!(samples.count(&CURRENT_OPS_BY_NAMESPACE), 11);
    assert_eq!(samples.number(&CURRENT_OPS_BY_NAMESPACE, &["shop", "coll0"]), Some(2.0));
    assert_eq!(samples.number(&CURRENT_OPS_BY_NAMESPACE, &[OTHER, OTHER]), Some(4980.0));
    assert_eq!(samples.number(&CURRENT_OP_NAMESPACE_LONGEST_SECONDS, &[OTHER, OTHER]), Some(90.0));
}

#[test]
fn index_builds_are_counted_and_tell_their_progress_when_they_have_one() {
    let none = build_samples(None);
    assert_eq!(
        (none.number(&INDEX_BUILDS, &[]), none.number(&INDEX_BUILD_LONGEST_SECONDS, &[])),
        (Some(0.0), Some(0.0))
    );
    let builds = vec![
        doc! { "_id": "shop.orders", "builds": 1, "longest": 7_200_000_000_i64, "progress": 0.25 },
        doc! { "_id": "shop.items", "builds": 1, "longest": 1_000_000, "progress": Bson::Null },
    ];
    let samples = build_samples(Some(&doc! { "builds": builds }));
    assert_eq!(samples.number(&INDEX_BUILDS, &[]), Some(2.0));
    assert_eq!(samples.number(&INDEX_BUILD_LONGEST_SECONDS, &[]), Some(7200.0));
    assert_eq!(samples.number(&INDEX_BUILD_PROGRESS_RATIO, &["shop", "orders"]), Some(0.25));
    assert_eq!(samples.count(&INDEX_BUILD_PROGRESS_RATIO), 1);
}
