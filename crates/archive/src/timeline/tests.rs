//! What the survey makes of a window, case by case, on entries shaped as a 6.0 server writes them.

use bson::{Bson, Document, RawDocumentBuf, doc};

use super::*;
use crate::oplog::Entry;
use crate::{ClusterTime, CollectionUuid, Namespace};

mod policy;

const BEGIN: ClusterTime = ClusterTime::new(100, 0);
const END: ClusterTime = ClusterTime::new(150, 0);
const TARGET: ClusterTime = ClusterTime::new(200, 0);

fn raw(document: &Document) -> RawDocumentBuf {
    RawDocumentBuf::try_from(document).unwrap()
}

fn uuid(byte: u8) -> CollectionUuid {
    CollectionUuid([byte; 16])
}

fn ts(seconds: u32) -> Bson {
    Bson::Timestamp(bson::Timestamp { time: seconds, increment: 0 })
}

fn entry(at: u32, op: &str, ns: &str, ui: Option<u8>, o: Document) -> Document {
    let mut entry = doc! { "op": op, "ns": ns, "o": o, "ts": ts(at), "t": 1_i64 };
    if let Some(byte) = ui {
        entry.insert("ui", uuid(byte).to_binary());
    }
    entry
}

fn in_transaction(mut entry: Document, number: i64, previous: u32) -> Document {
    entry.insert("lsid", doc! { "id": 1 });
    entry.insert("txnNumber", number);
    entry.insert("prevOpTime", doc! { "ts": ts(previous), "t": 1_i64 });
    entry
}

fn listed(byte: u8, namespace: &str) -> ListedCollection {
    ListedCollection {
        uuid: uuid(byte),
        namespace: Namespace::parse(namespace).unwrap(),
        options: RawDocumentBuf::new(),
        id_index: None,
        indexes: vec![raw(&doc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" })],
        read: true,
        last_id: None,
        scanned_through: ClusterTime::new(140, 0),
    }
}

fn survey(collections: Vec<ListedCollection>, entries: &[Document]) -> Result<Resolution, SurveyError> {
    survey_to(ReplayLimit::through(TARGET), collections, entries)
}

fn survey_to(
    limit: ReplayLimit,
    collections: Vec<ListedCollection>,
    entries: &[Document],
) -> Result<Resolution, SurveyError> {
    let mut survey = Survey::new(BEGIN, END, limit);
    for collection in collections {
        survey.add_listed(collection);
    }
    for entry in entries {
        if survey.observe(&raw(entry))? == Flow::Stop {
            break;
        }
    }
    survey.finish()
}

fn names(resolution: &Resolution) -> Vec<String> {
    let mut names: Vec<_> = resolution.collections.values().map(|c| c.namespace.to_string()).collect();
    names.sort();
    names
}

fn index_names(resolution: &Resolution, byte: u8) -> Vec<&str> {
    resolution.collections[&uuid(byte)].indexes.iter().map(|spec| spec.get_str("name").unwrap()).collect()
}

#[test]
fn a_collection_is_followed_through_renames() {
    let resolution = survey(
        vec![listed(1, "shop.c")],
        &[
            entry(
                110,
                "c",
                "shop.$cmd",
                Some(1),
                doc! { "renameCollection": "shop.a", "to": "shop.b", "stayTemp": false },
            ),
            entry(111, "i", "shop.b", Some(1), doc! { "_id": 1 }),
            entry(
                120,
                "c",
                "shop.$cmd",
                Some(1),
                doc! { "renameCollection": "shop.b", "to": "shop.c", "stayTemp": false },
            ),
            entry(
                160,
                "c",
                "shop.$cmd",
                Some(1),
                doc! { "renameCollection": "shop.c", "to": "other.d", "stayTemp": false },
            ),
        ],
    )
    .unwrap();
    assert_eq!(names(&resolution), ["other.d"]);
}

#[test]
fn a_rename_over_another_collection_drops_that_one() {
    let rename = doc! { "renameCollection": "shop.tmp", "to": "shop.a", "dropTarget": uuid(1).to_binary() };
    let resolution = survey(
        vec![listed(1, "shop.a")],
        &[
            entry(160, "c", "shop.$cmd", Some(2), doc! { "create": "tmp", "capped": true, "size": 4096, "temp": true }),
            entry(161, "i", "shop.tmp", Some(2), doc! { "_id": 1 }),
            entry(162, "c", "shop.$cmd", Some(2), rename),
        ],
    )
    .unwrap();
    assert_eq!(names(&resolution), ["shop.a"]);
    let collection = &resolution.collections[&uuid(2)];
    assert!(collection.capped && !collection.in_snapshot);
    assert!(collection.options.get("temp").unwrap().is_none(), "the server would drop it at its next start");
    assert!(resolution.dropped.contains(&uuid(1)));
}

#[test]
fn drop_and_recreate_are_two_collections() {
    let resolution = survey(
        vec![listed(1, "shop.a")],
        &[
            entry(160, "i", "shop.a", Some(1), doc! { "_id": 1 }),
            entry(161, "c", "shop.$cmd", Some(1), doc! { "drop": "a" }),
            entry(162, "c", "shop.$cmd", None, doc! { "dropDatabase": 1 }),
            entry(163, "c", "shop.$cmd", Some(2), doc! { "create": "a", "validator": { "x": 1 } }),
        ],
    )
    .unwrap();
    assert_eq!(names(&resolution), ["shop.a"]);
    assert!(resolution.collections[&uuid(2)].options.get_document("validator").is_ok());
    let skipped: Vec<_> = resolution.skipped.iter().map(|s| (s.reason, s.op, s.count)).collect();
    assert_eq!(skipped, [(SkipReason::Dropped, "insert", 1)]);
}

#[test]
fn entries_of_a_collection_dropped_before_it_was_listed_are_counted() {
    let resolution = survey(
        vec![],
        &[
            entry(110, "i", "shop.a", Some(9), doc! { "_id": 1 }),
            entry(111, "u", "shop.a", Some(9), doc! { "$v": 2 }),
            entry(112, "c", "shop.$cmd", Some(9), doc! { "drop": "a" }),
        ],
    )
    .unwrap();
    assert_eq!(resolution.skipped.iter().map(|s| s.count).sum::<u64>(), 2);
}

#[test]
fn an_unknown_collection_without_its_drop_stops() {
    let error = survey(vec![], &[entry(110, "i", "shop.a", Some(9), doc! { "_id": 1 })]).unwrap_err();
    assert!(matches!(error, SurveyError::UnknownCollection { count: 1, .. }), "{error}");
    assert_eq!(error.exit_code(), 5);
}

#[test]
fn a_collection_that_was_not_read_must_be_dropped_in_the_window() {
    let unread = ListedCollection { read: false, ..listed(1, "shop.a") };
    assert!(matches!(survey(vec![unread.clone()], &[]).unwrap_err(), SurveyError::MissingData { .. }));
    let dropped = survey(vec![unread], &[entry(120, "c", "shop.$cmd", Some(1), doc! { "drop": "a" })]).unwrap();
    assert!(dropped.collections.is_empty());
}

#[test]
fn indexes_follow_every_form_of_the_oplog() {
    let spec = |name: &str| doc! { "v": 2, "key": { name: 1 }, "name": name };
    let mut single = doc! { "createIndexes": "a" };
    single.extend(spec("one"));
    let build = doc! { "indexBuildUUID": 1, "indexes": [spec("two"), spec("three")] };
    let command = |name: &str| {
        let mut o = doc! { name: "a" };
        o.extend(build.clone());
        o
    };
    let resolution = survey(
        vec![listed(1, "shop.a")],
        &[
            entry(110, "c", "shop.$cmd", Some(1), doc! { "dropIndexes": "a", "index": "before-the-listing" }),
            entry(160, "c", "shop.$cmd", Some(1), single),
            entry(161, "c", "shop.$cmd", Some(1), command("startIndexBuild")),
            entry(162, "c", "shop.$cmd", Some(1), command("commitIndexBuild")),
            entry(163, "c", "shop.$cmd", Some(1), {
                let mut o = doc! { "startIndexBuild": "a" };
                o.insert("indexes", vec![spec("four")]);
                o
            }),
            entry(164, "c", "shop.$cmd", Some(1), {
                let mut o = doc! { "abortIndexBuild": "a" };
                o.insert("indexes", vec![spec("four")]);
                o
            }),
            entry(165, "c", "shop.$cmd", Some(1), doc! { "dropIndexes": "a", "index": "two" }),
        ],
    )
    .unwrap();
    assert_eq!(index_names(&resolution, 1), ["one", "three"]);
}

#[test]
fn dropping_an_unknown_index_after_the_snapshot_is_an_integrity_error() {
    let drop = entry(160, "c", "shop.$cmd", Some(1), doc! { "dropIndexes": "a", "index": "nobody" });
    assert!(matches!(survey(vec![listed(1, "shop.a")], &[drop]).unwrap_err(), SurveyError::UnknownIndex { .. }));
}

#[test]
fn coll_mod_of_an_index_changes_its_specification() {
    let index = |at, change: Document| {
        let mut full = doc! { "name": "x" };
        full.extend(change);
        entry(at, "c", "shop.$cmd", Some(1), doc! { "collMod": "a", "index": full })
    };
    let mut collection = listed(1, "shop.a");
    collection.indexes.push(raw(&doc! { "v": 2, "key": { "x": 1 }, "name": "x", "expireAfterSeconds": 5 }));
    let after = |changes: &[Document]| {
        let resolution = survey(vec![collection.clone()], changes).unwrap();
        Document::try_from(&*resolution.collections[&uuid(1)].indexes[0]).unwrap()
    };
    let base = doc! { "v": 2, "key": { "x": 1 }, "name": "x", "expireAfterSeconds": 5 };
    let with = |extra: Document| {
        let mut d = base.clone();
        d.extend(extra);
        d
    };
    assert_eq!(after(&[index(160, doc! { "expireAfterSeconds": 9 })]), with(doc! { "expireAfterSeconds": 9 }));
    assert_eq!(after(&[index(160, doc! { "hidden": true })]), with(doc! { "hidden": true }));
    assert_eq!(after(&[index(160, doc! { "hidden": true }), index(161, doc! { "hidden": false })]), base);
    assert_eq!(
        after(&[index(160, doc! { "prepareUnique": true }), index(161, doc! { "unique": true })]),
        with(doc! { "unique": true })
    );
    assert_eq!(after(&[index(160, doc! { "unique": true }), index(161, doc! { "forceNonUnique": true })]), base);
}

#[test]
fn coll_mod_of_options_is_kept_for_the_server_and_ttl_is_taken_out() {
    let change = |at, o| entry(at, "c", "shop.$cmd", Some(1), o);
    let mut collection = listed(1, "shop.a");
    collection.options = raw(&doc! { "clusteredIndex": true, "expireAfterSeconds": 100 });
    let resolution = survey(
        vec![collection.clone()],
        &[
            change(160, doc! { "collMod": "a", "validator": { "x": 1 }, "validationLevel": "moderate" }),
            change(161, doc! { "collMod": "a", "expireAfterSeconds": 50_i64 }),
        ],
    )
    .unwrap();
    let restored = &resolution.collections[&uuid(1)];
    assert_eq!(restored.ttl, Some(CollectionTtl { seconds: 50 }));
    assert!(restored.options.get("expireAfterSeconds").unwrap().is_none());
    assert_eq!(restored.coll_mods.len(), 1);
    let off =
        survey(vec![collection.clone()], &[change(160, doc! { "collMod": "a", "expireAfterSeconds": "off" })]).unwrap();
    assert_eq!(off.collections[&uuid(1)].ttl, None);
    let unknown = survey(vec![collection], &[change(160, doc! { "collMod": "a", "novelty": 1 })]).unwrap_err();
    assert!(matches!(unknown, SurveyError::UnknownCollMod { .. }));
}

#[test]
fn transactions_apply_when_they_commit_in_the_window() {
    let ops =
        |id: i32| doc! { "applyOps": [{ "op": "i", "ns": "shop.a", "ui": uuid(1).to_binary(), "o": { "_id": id } }] };
    let partial = |id| {
        let mut o = ops(id);
        o.insert("partialTxn", true);
        o
    };
    let prepare = |id| {
        let mut o = ops(id);
        o.insert("prepare", true);
        o
    };
    let chain = [
        in_transaction(entry(160, "c", "admin.$cmd", None, partial(1)), 1, 0),
        in_transaction(entry(161, "c", "admin.$cmd", None, ops(2)), 1, 160),
        in_transaction(entry(162, "c", "admin.$cmd", None, prepare(3)), 2, 0),
        in_transaction(entry(163, "c", "admin.$cmd", None, doc! { "commitTransaction": 1 }), 2, 162),
        in_transaction(entry(164, "c", "admin.$cmd", None, prepare(4)), 3, 0),
        in_transaction(entry(165, "c", "admin.$cmd", None, doc! { "abortTransaction": 1 }), 3, 164),
        in_transaction(entry(166, "c", "admin.$cmd", None, prepare(5)), 4, 0),
        in_transaction(entry(167, "c", "admin.$cmd", None, doc! { "commitTransaction": 1 }), 4, 166),
    ];
    let applied = |limit: u32| {
        let resolution =
            survey_to(ReplayLimit::through(ClusterTime::new(limit, 0)), vec![listed(1, "shop.a")], &chain).unwrap();
        let applied: Vec<u32> = chain
            .iter()
            .filter(|e| resolution.transactions.applies(&Entry::parse(&raw(e)).unwrap()))
            .map(|e| e.get_timestamp("ts").unwrap().time)
            .filter(|at| *at <= limit)
            .collect();
        applied
    };
    assert_eq!(applied(200), [160, 161, 162, 166]);
    assert_eq!(applied(166), [160, 161, 162], "prepared but not committed at the target");
    assert_eq!(applied(160), [0; 0], "the chain is cut in the middle");
}

#[test]
fn a_transaction_without_its_head_is_an_integrity_error() {
    let last = in_transaction(entry(101, "c", "admin.$cmd", None, doc! { "applyOps": [], "count": 2 }), 1, 99);
    assert_eq!(
        survey(vec![], &[last]).unwrap_err(),
        SurveyError::TransactionHeadMissing { at: ClusterTime::new(101, 0) }
    );
    let commit = in_transaction(entry(101, "c", "admin.$cmd", None, doc! { "commitTransaction": 1 }), 1, 99);
    assert!(matches!(survey(vec![], &[commit]).unwrap_err(), SurveyError::TransactionHeadMissing { .. }));
    let abort = in_transaction(entry(101, "c", "admin.$cmd", None, doc! { "abortTransaction": 1 }), 1, 99);
    assert!(survey(vec![], &[abort]).is_ok(), "nothing of it is applied");
}

#[test]
fn collections_created_in_a_transaction_exist_from_its_commit() {
    let o = doc! { "applyOps": [
    { "op": "c", "ns": "shop.$cmd", "ui": uuid(3).to_binary(), "o": { "create": "new" } },
    { "op": "i", "ns": "shop.new", "ui": uuid(3).to_binary(), "o": { "_id": 1 } } ], "prepare": true };
    let chain = [
        in_transaction(entry(160, "c", "admin.$cmd", None, o), 1, 0),
        in_transaction(entry(170, "c", "admin.$cmd", None, doc! { "commitTransaction": 1 }), 1, 160),
    ];
    assert_eq!(names(&survey(vec![], &chain).unwrap()), ["shop.new"]);
}

#[test]
fn the_limit_is_kept_to_the_entry() {
    let entries: Vec<_> = (160..165).map(|at| entry(at, "n", "", None, doc! {})).collect();
    let last = |limit| survey_to(limit, vec![], &entries).map(|r| r.last_entry.map(|t| t.seconds));
    let at = ClusterTime::new(162, 0);
    assert_eq!(last(ReplayLimit::through(at)), Ok(Some(162)));
    assert_eq!(last(ReplayLimit { inclusive: false, must_exist: true, ..ReplayLimit::through(at) }), Ok(Some(161)));
    let absent = ClusterTime::new(162, 5);
    assert_eq!(
        last(ReplayLimit { inclusive: false, must_exist: true, ..ReplayLimit::through(absent) }),
        Err(SurveyError::NoSuchEntry { at: absent })
    );
}

#[test]
fn a_capped_collection_skips_inserts_up_to_the_last_scanned_document() {
    let mut collection = listed(1, "shop.log");
    collection.options = raw(&doc! { "capped": true, "size": 4096 });
    collection.last_id = Some(bson::RawBson::Int32(7));
    let insert = |at, id: i32| entry(at, "i", "shop.log", Some(1), doc! { "_id": id });
    let resolution =
        survey(vec![collection.clone()], &[insert(110, 5), insert(111, 7), insert(112, 8), insert(160, 7)]).unwrap();
    assert_eq!(resolution.collections[&uuid(1)].skip_inserts_through, Some(ClusterTime::new(111, 0)));
    let before = survey(vec![collection], &[insert(160, 8)]).unwrap();
    assert_eq!(before.collections[&uuid(1)].skip_inserts_through, None);
}

#[test]
fn entries_out_of_order_and_name_clashes_are_integrity_errors() {
    let noop = |at| entry(at, "n", "", None, doc! {});
    assert!(matches!(survey(vec![], &[noop(160), noop(160)]).unwrap_err(), SurveyError::OutOfOrder { .. }));
    let clash = survey(vec![listed(1, "shop.a"), listed(2, "shop.a")], &[]).unwrap_err();
    assert!(matches!(clash, SurveyError::NameClash { .. }));
}
