use archive::ClusterTime;
use archive::coverage::CoveredRange;
use archive::oplog::{Entry, OpKind};
use bson::{Bson, DateTime, Document, RawDocumentBuf, Timestamp, doc};

use super::scanner::Scanner;
use super::{FindQuery, Match, NamespaceFilter, TimeBound};

const START: u32 = 1_700_000_000;

fn at(seconds: u32, increment: u32) -> ClusterTime {
    ClusterTime::new(START + seconds, increment)
}

/// An entry `millis` after the start; the increment tells entries of one second apart.
fn entry(millis: u32, increment: u32, op: &str, ns: &str, o: Document) -> Document {
    doc! {
        "op": op, "ns": ns, "o": o, "t": 1_i64, "v": 2_i64,
        "ts": Bson::Timestamp(Timestamp { time: START + millis / 1000, increment }),
        "wall": DateTime::from_millis(i64::from(START) * 1000 + i64::from(millis)),
    }
}

fn in_session(mut entry: Document, session: i32) -> Document {
    entry.insert("lsid", doc! { "id": session });
    entry.insert("txnNumber", 1_i64);
    entry
}

fn in_transaction(entry: Document, session: i32, previous: u32) -> Document {
    let mut entry = in_session(entry, session);
    entry.insert("prevOpTime", doc! { "ts": Bson::Timestamp(Timestamp { time: previous, increment: 0 }) });
    entry
}

fn delete_op(id: i32) -> Document {
    doc! { "op": "d", "ns": "shop.orders", "o": { "_id": id } }
}

fn query() -> FindQuery {
    FindQuery { namespace: None, ops: Vec::new(), since: None, until: None, limit: 100 }
}

fn scan(query: FindQuery, entries: &[Document]) -> (Vec<Match>, bool) {
    let asked = query.range(None);
    scan_range(query, asked, entries)
}

fn scan_range(query: FindQuery, asked: CoveredRange, entries: &[Document]) -> (Vec<Match>, bool) {
    let mut scanner = Scanner::new(query, asked);
    for document in entries {
        let raw = RawDocumentBuf::try_from(document).unwrap();
        scanner.take(&Entry::parse(&raw).unwrap()).unwrap();
    }
    scanner.finish()
}

/// `op namespace count at-last`, which is all that most tests ask about.
fn told(matches: &[Match]) -> Vec<String> {
    matches.iter().map(|m| format!("{} {} {} {}-{}", m.op, m.namespace, m.count, m.at, m.last)).collect()
}

#[test]
fn a_disaster_is_one_match_beside_the_traffic_of_an_application() {
    let mut entries = Vec::new();
    for n in 0..20 {
        entries.push(entry(n * 100, 2 * n + 1, "u", "shop.orders", doc! { "$v": 2 }));
        entries.push(in_session(entry(n * 100, 2 * n + 2, "u", "shop.orders", doc! { "$v": 2 }), 7));
    }
    let (matches, truncated) = scan(query(), &entries);
    assert_eq!(
        told(&matches),
        [
            format!("update shop.orders 20 {}-{}", at(0, 1), at(1, 39)),
            format!("update shop.orders 20 {}-{}", at(0, 2), at(1, 40)),
        ]
    );
    assert!(!truncated);
    assert_eq!(matches[0].before, format!("before:{}", at(0, 1)));
    assert_eq!(matches[0].wall, "2023-11-14T22:13:20.000Z");
}

#[test]
fn a_pause_of_a_second_another_collection_and_another_kind_end_a_run() {
    let delete = |millis, n, ns| entry(millis, n, "d", ns, doc! { "_id": 1 });
    let (matches, _) = scan(
        query(),
        &[
            delete(0, 1, "shop.orders"),
            delete(999, 2, "shop.orders"),
            delete(1_000, 3, "shop.items"),
            delete(1_999, 4, "shop.orders"),
            entry(2_000, 5, "i", "shop.items", doc! { "_id": 1 }),
        ],
    );
    assert_eq!(
        told(&matches),
        [
            format!("delete shop.orders 2 {}-{}", at(0, 1), at(0, 2)),
            format!("delete shop.items 1 {}-{}", at(1, 3), at(1, 3)),
            format!("delete shop.orders 1 {}-{}", at(1, 4), at(1, 4)),
            format!("insert shop.items 1 {}-{}", at(2, 5), at(2, 5)),
        ]
    );
}

#[test]
fn a_transaction_counts_from_its_first_entry_and_only_when_it_commits() {
    let chain = |session, previous, flags: Document, ids: &[i32]| {
        let mut o = doc! { "applyOps": ids.iter().map(|id| Bson::from(delete_op(*id))).collect::<Vec<_>>() };
        o.extend(flags);
        move |millis, n| in_transaction(entry(millis, n, "c", "admin.$cmd", o.clone()), session, previous)
    };
    let commit = |millis, n, session, name: &str| {
        in_transaction(entry(millis, n, "c", "admin.$cmd", doc! { name: 1 }), session, START)
    };
    let (matches, _) = scan(
        query(),
        &[
            chain(1, 0, doc! { "partialTxn": true }, &[1, 2])(0, 1),
            chain(1, START, doc! {}, &[3])(10, 2),
            chain(2, 0, doc! { "prepare": true }, &[4])(3_000, 1),
            chain(3, 0, doc! { "prepare": true }, &[5])(3_500, 2),
            commit(9_000, 1, 2, "abortTransaction"),
            commit(9_000, 2, 3, "commitTransaction"),
            chain(4, 0, doc! { "partialTxn": true }, &[6])(20_000, 1),
        ],
    );
    assert_eq!(
        told(&matches),
        [
            format!("delete shop.orders 3 {}-{}", at(0, 1), at(0, 2)),
            format!("delete shop.orders 1 {}-{}", at(3, 2), at(9, 2)),
        ]
    );
}

#[test]
fn a_transaction_across_the_asked_range_is_shown() {
    let prepare = doc! { "applyOps": [delete_op(1)], "prepare": true };
    let entries = [
        in_transaction(entry(0, 1, "c", "admin.$cmd", prepare), 1, 0),
        in_transaction(entry(9_000, 1, "c", "admin.$cmd", doc! { "commitTransaction": 1 }), 1, START),
    ];
    for (from, through) in [(at(5, 0), at(20, 0)), (at(0, 0), at(5, 0))] {
        let (matches, _) = scan_range(query(), CoveredRange::new(from, through), &entries);
        assert_eq!(matches.len(), 1, "({from}, {through}]");
    }
    assert!(scan_range(query(), CoveredRange::new(at(10, 0), at(20, 0)), &entries).0.is_empty());
}

#[test]
fn an_index_build_a_drop_a_rename_and_a_dropped_database_are_found_by_what_they_hit() {
    let entries = [
        entry(0, 1, "c", "shop.$cmd", doc! { "commitIndexBuild": "orders" }),
        entry(0, 2, "c", "shop.$cmd", doc! { "drop": "orders" }),
        entry(0, 3, "c", "shop.$cmd", doc! { "renameCollection": "shop.tmp", "to": "shop.orders" }),
        entry(0, 4, "c", "shop.$cmd", doc! { "dropDatabase": 1 }),
        entry(0, 5, "c", "shop.$cmd", doc! { "importCollection": "orders" }),
        entry(0, 6, "d", "shop.system.buckets.orders", doc! { "_id": 1 }),
        entry(0, 7, "c", "other.$cmd", doc! { "dropDatabase": 1 }),
    ];
    let orders: NamespaceFilter = "shop.orders".parse().unwrap();
    let (matches, _) = scan(FindQuery { namespace: Some(orders), ..query() }, &entries);
    let ops: Vec<_> = matches.iter().map(|m| m.op.as_str()).collect();
    assert_eq!(
        ops,
        ["commitIndexBuild", "drop", "renameCollection", "dropDatabase", "unknown (importCollection)", "delete"]
    );
    assert_eq!(matches[2].to.as_deref(), Some("shop.orders"));
    assert_eq!(matches[3].namespace, "shop");

    let tmp: NamespaceFilter = "shop.tmp".parse().unwrap();
    let (matches, _) =
        scan(FindQuery { namespace: Some(tmp), ops: vec![OpKind::RenameCollection], ..query() }, &entries);
    assert_eq!(matches.len(), 1);

    let created = FindQuery { ops: vec![OpKind::CreateIndexes], ..query() };
    assert_eq!(scan(created, &entries).0[0].op, "commitIndexBuild");
}

#[test]
fn what_belongs_to_one_server_and_what_does_nothing_is_left_out() {
    let (matches, _) = scan(
        query(),
        &[
            entry(0, 1, "n", "", doc! { "msg": "periodic noop" }),
            entry(0, 2, "u", "config.transactions", doc! { "$v": 2 }),
            entry(0, 3, "i", "admin.system.keys", doc! { "_id": 1 }),
            entry(0, 4, "c", "config.$cmd", doc! { "drop": "x" }),
            entry(0, 5, "c", "shop.$cmd", doc! { "startIndexBuild": "x" }),
        ],
    );
    assert_eq!(told(&matches), Vec::<String>::new());
}

#[test]
fn of_more_matches_than_the_limit_drops_and_the_largest_stay() {
    let mut entries: Vec<_> = (0..50).map(|n| entry(n * 1_500, 1, "d", "shop.orders", doc! { "_id": 1 })).collect();
    entries.extend((2..9).map(|n| entry(60_000, n, "d", "shop.items", doc! { "_id": 1 })));
    entries.push(entry(61_000, 1, "c", "shop.$cmd", doc! { "drop": "users" }));
    entries.sort_by_key(|entry| entry.get_timestamp("ts").unwrap());
    let (matches, truncated) = scan(FindQuery { limit: 3, ..query() }, &entries);
    assert_eq!(
        told(&matches),
        [
            format!("delete shop.orders 1 {}-{}", at(0, 1), at(0, 1)),
            format!("delete shop.items 7 {}-{}", at(60, 2), at(60, 8)),
            format!("drop shop.users 1 {}-{}", at(61, 1), at(61, 1)),
        ]
    );
    assert!(truncated);
}

#[test]
fn namespaces_and_times_are_parsed_or_refused() {
    let filter = |text: &str| text.parse::<NamespaceFilter>().map(|filter| filter.to_string());
    assert_eq!(filter("shop"), Ok("shop.*".into()));
    assert_eq!(filter("shop.*"), Ok("shop.*".into()));
    assert_eq!(filter("shop.or.ders"), Ok("shop.or.ders".into()));
    for text in ["", ".", ".*", "*", "shop.", ".x", "a.b.*"] {
        assert!(filter(text).is_err(), "{text}");
    }

    assert_eq!("1700000000:3".parse(), Ok(TimeBound::At(ClusterTime::new(1_700_000_000, 3))));
    assert_eq!("2023-11-14T22:13:20Z".parse(), Ok(TimeBound::Second(1_700_000_000)));
    assert_eq!("-15m".parse(), Ok(TimeBound::Ago(900)));
    for text in ["latest", "before:1:1", "yesterday", "2023-11-14", ""] {
        assert!(text.parse::<TimeBound>().is_err(), "{text}");
    }

    let bounded = FindQuery { since: Some(TimeBound::Ago(60)), until: Some(TimeBound::Second(START + 90)), ..query() };
    let range = bounded.range(Some(at(100, 5)));
    assert!(range.holds_entry(at(40, 0)) && !range.holds_entry(at(39, 9)));
    assert!(range.holds_entry(at(90, u32::MAX)) && !range.holds_entry(at(91, 0)));
}
