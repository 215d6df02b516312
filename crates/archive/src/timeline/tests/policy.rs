//! What stops a replay: the policy table, asked by the survey and, for one entry alone, by the archiver.

use proptest::prelude::*;

use super::*;

#[test]
fn unknown_entries_stop_and_internal_ones_are_counted() {
    let unknown =
        survey(vec![], &[entry(160, "c", "shop.$cmd", Some(1), doc! { "importCollection": "a" })]).unwrap_err();
    assert_eq!(
        unknown.to_string(),
        "the entry at 160:0 is of a type that this version cannot replay: `importCollection` on shop.a"
    );
    let fine = survey(
        vec![],
        &[
            entry(160, "n", "", None, doc! { "msg": "periodic noop" }),
            entry(161, "i", "config.transactions", Some(7), doc! { "_id": 1 }),
            entry(162, "u", "admin.system.version", Some(8), doc! { "_id": "authSchema" }),
        ],
    )
    .unwrap();
    assert_eq!(
        fine.skipped.iter().map(|s| s.reason).collect::<Vec<_>>(),
        [SkipReason::Noop, SkipReason::Internal, SkipReason::Internal]
    );
}

/// The entries of `setFeatureCompatibilityVersion: "5.0"` as a 6.0 server writes them.
fn version_entry(op: &str, o: Document) -> Document {
    let mut entry = entry(163, op, "admin.system.version", Some(8), o);
    entry.insert("o2", doc! { "_id": FCV });
    entry
}

const FCV: &str = "featureCompatibilityVersion";

#[test]
fn a_changed_feature_compatibility_version_stops_and_its_first_one_does_not() {
    let changed = Err(SurveyError::FeatureCompatibilityChanged { at: ClusterTime::new(163, 0) });
    let begun = doc! { "_id": FCV, "version": "5.0", "targetVersion": "5.0", "previousVersion": "6.0" };
    for (op, o) in [("u", begun), ("u", doc! { "_id": FCV, "version": "5.0" }), ("u", doc! { "$v": 2, "diff": {} })] {
        let entry = version_entry(op, o);
        assert_eq!(check_entry(&raw(&entry)), changed, "{entry}");
        assert_eq!(survey(vec![], std::slice::from_ref(&entry)).map(|_| ()), changed, "{entry}");
        let batch = in_transaction(super::entry(163, "c", "admin.$cmd", None, doc! { "applyOps": [entry] }), 1, 0);
        assert_eq!(check_entry(&raw(&batch)), changed, "{batch}");
    }
    let first = version_entry("i", doc! { "_id": FCV, "version": "6.0" });
    assert_eq!(check_entry(&raw(&first)), Ok(()));
    assert_eq!(survey(vec![], &[first]).unwrap().skipped[0].reason, SkipReason::Internal);
}

/// What `local.oplog.rs` of a 6.0.5 server held right after `replSetInitiate`.
#[test]
fn nothing_in_the_oplog_of_a_fresh_replica_set_stops_a_replay() {
    let create = |name: &str| entry(160, "c", "config.$cmd", Some(3), doc! { "create": name, "idIndex": { "v": 2 } });
    let index = |name: &str| {
        entry(160, "c", "config.$cmd", Some(3), doc! { "createIndexes": name, "v": 2, "key": { "a": 1 }, "name": "i" })
    };
    let fresh = [
        entry(160, "n", "", None, doc! { "msg": "initiating set" }),
        create("transactions"),
        index("transactions"),
        create("image_collection"),
        entry(160, "n", "", None, doc! { "msg": "new primary" }),
        create("system.indexBuilds"),
        entry(160, "c", "config.$cmd", Some(4), doc! { "create": "system.preimages", "clusteredIndex": true }),
        entry(160, "c", "admin.$cmd", Some(5), doc! { "create": "system.keys", "idIndex": { "v": 2 } }),
        create("tenantMigrationDonors"),
        entry(160, "i", "admin.system.keys", Some(5), doc! { "_id": 1_i64, "purpose": "HMAC" }),
        index("external_validation_keys"),
    ];
    for entry in fresh {
        assert_eq!(check_entry(&raw(&entry)), Ok(()), "{entry}");
    }
}

#[test]
fn how_a_transaction_ends_is_for_the_survey_to_judge() {
    for end in [doc! { "commitTransaction": 1 }, doc! { "abortTransaction": 1 }, doc! { "applyOps": [], "count": 2 }] {
        let end = in_transaction(entry(160, "c", "admin.$cmd", None, end), 1, 99);
        assert_eq!(check_entry(&raw(&end)), Ok(()), "{end}");
    }
}

fn any_entry() -> impl Strategy<Value = Document> {
    let spec = || doc! { "v": 2, "key": { "x": 1 }, "name": "x" };
    let mod_index = |change: Document| doc! { "collMod": "a", "index": change };
    let command = prop::sample::select(vec![
        doc! { "create": "b" },
        doc! { "drop": "b" },
        doc! { "dropDatabase": 1 },
        doc! { "createIndexes": "a", "indexes": [spec()] },
        doc! { "createIndexes": "a", "v": 2, "key": { "x": 1 }, "name": "x" },
        doc! { "startIndexBuild": "a", "indexes": 1 },
        doc! { "commitIndexBuild": "a", "indexes": 1 },
        doc! { "commitIndexBuild": "a" },
        doc! { "dropIndexes": "a", "index": "x" },
        doc! { "dropIndexes": "a", "index": 7 },
        doc! { "renameCollection": "shop.a", "to": "shop.c" },
        doc! { "renameCollection": "shop.a", "to": "nowhere" },
        doc! { "renameCollection": "shop.a", "to": "shop.c", "dropTarget": true },
        doc! { "renameCollection": "shop.a", "to": "shop.c", "dropTarget": uuid(7).to_binary() },
        doc! { "collMod": "a", "validator": {}, "cappedSize": 1 },
        doc! { "collMod": "a", "novelty": 1 },
        mod_index(doc! { "name": "x", "hidden": true }),
        mod_index(doc! { "name": "nobody", "hidden": true }),
        mod_index(doc! { "name": "x", "novelty": true }),
        mod_index(doc! { "name": "nobody", "novelty": true }),
        mod_index(doc! { "novelty": true }),
        doc! { "collMod": "system.version", "novelty": 1 },
        doc! { "importCollection": "a" },
        doc! { "dbCheck": "a" },
        doc! { "commitTransaction": 1 },
        doc! {},
    ]);
    let namespace = prop::sample::select(vec![
        "shop.a",
        "shop.system.views",
        "shop.system.profile",
        "admin.system.version",
        "admin.system.users",
        "admin.own",
        "config.transactions",
        "local.a",
        "nodot",
        "",
        ".a",
        "shop.",
    ]);
    let id = || prop::sample::select(vec![Bson::from(1), Bson::from(FCV), Bson::from("authSchema")]);
    let write = (prop::sample::select(vec!["i", "u", "d", "n", "xi", "ci"]), namespace.clone(), id(), id());
    let write = write.prop_map(|(op, ns, id, id2)| {
        let mut write = entry(120, op, ns, Some(1), doc! { "_id": id });
        write.insert("o2", doc! { "_id": id2 });
        write
    });
    let on = prop::sample::select(vec!["shop.$cmd", "admin.$cmd", "config.$cmd"]);
    let command = (command, on).prop_map(|(command, ns)| {
        let uuid = if command.contains_key("drop") { 2 } else { 1 };
        entry(120, "c", ns, Some(uuid), command)
    });
    let missing = prop::sample::select(vec!["", "", "", "", "", "", "ui", "ui", "o2", "o", "op", "ns"]);
    let operation = (prop_oneof![3 => write, 2 => command], missing).prop_map(|(mut operation, missing)| {
        operation.remove(missing);
        operation
    });
    let of = |operations: Vec<Document>| entry(120, "c", "admin.$cmd", None, doc! { "applyOps": operations });
    operation.prop_recursive(2, 8, 3, move |inner| {
        (proptest::collection::vec(inner, 0..3), any::<bool>()).prop_map(move |(operations, is_transaction)| {
            if is_transaction { in_transaction(of(operations), 1, 0) } else { of(operations) }
        })
    })
}

/// What a collection is called when its collMod comes, only the survey knows.
fn unnamed(error: SurveyError) -> SurveyError {
    match error {
        SurveyError::UnknownCollMod { at, field, .. } => {
            SurveyError::UnknownCollMod { at, field, namespace: String::new() }
        }
        error => error,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// The archiver judges an entry as the survey will.
    #[test]
    fn what_is_told_of_an_entry_alone_is_what_stops_the_survey(entry in any_entry()) {
        let mut survey = Survey::new(BEGIN, END, ReplayLimit::through(TARGET));
        let mut collection = listed(1, "shop.a");
        collection.indexes.push(raw(&doc! { "v": 2, "key": { "x": 1 }, "name": "x" }));
        survey.add_listed(collection);
        let observed = survey.observe(&raw(&entry)).map(|_| ());
        // Decided by what stands before it.
        if !matches!(observed, Err(SurveyError::TransactionHeadMissing { .. })) {
            prop_assert_eq!(check_entry(&raw(&entry)).map_err(unnamed), observed.map_err(unnamed));
        }
    }
}
