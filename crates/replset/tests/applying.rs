//! Writes to a destination: bytes arrive as they are, in every kind of collection.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use anyhow::{Context, Result};
use archive::Namespace;
use mongodb::bson::{Bson, DateTime, Document, RawDocument, RawDocumentBuf, doc, rawdoc};
use replset::destination::{Change, InsertMode, InsertOutcome, Outcome, Update};
use replset::raw::DocumentKey;
use support::{ZERO, connect, destination, find, kinds, listed, raw, scan_all, sorted};
use testkit::{ReplicaSet, weird};

fn update(id: impl Into<Bson>, change: Change<'_>, upsert: bool) -> Update<'_> {
    let key = DocumentKey::of(&raw(doc! { "_id": id.into() })).expect("an _id");
    Update { key, change, upsert }
}

#[tokio::test]
async fn every_byte_of_every_type_arrives() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let destination = destination(&set).await?;
    let documents: Vec<_> =
        weird::documents().into_iter().map(|d| RawDocumentBuf::from_bytes(d.bytes).unwrap()).collect();
    let slices: Vec<&RawDocument> = documents.iter().map(|document| &**document).collect();
    let expected = sorted(documents.iter().map(|document| document.as_bytes().to_vec()).collect());
    let member = connect(&set.member_uri(0)).await?;
    let count = documents.len() as u64;
    for (round, options) in
        [rawdoc! {}, rawdoc! { "clusteredIndex": { "key": { "_id": 1 }, "unique": true } }].iter().enumerate()
    {
        let name = Namespace::new("a", format!("c{round}"));
        destination.create_collection(&name, options, None).await?;
        let outcome = destination.insert_raw(&name, &slices, InsertMode::Error, false).await?;
        assert_eq!(outcome, InsertOutcome { inserted: count, ..InsertOutcome::default() });
        assert!(sorted(scan_all(&member, &name).await?) == expected, "inserted");

        let again = destination.insert_raw(&name, &slices, InsertMode::IgnoreDuplicates, true).await?;
        assert_eq!(again, InsertOutcome { ignored: count, ..InsertOutcome::default() });
        // Replaced from something else, so that it is the replacement that must keep the bytes.
        for document in &documents {
            let key = DocumentKey::of(document).context("an _id")?;
            let other = support::document(|writer| {
                writer.element(replset::raw::field(document, "_id").expect("an _id"));
                writer.str("other", "content");
            });
            let outcome = destination
                .apply_updates(&name, &[Update { key, change: Change::Replace(&other), upsert: false }])
                .await?;
            assert_eq!(outcome, [Outcome::Matched], "{document:?}");
        }
        let again = destination.insert_raw(&name, &slices, InsertMode::Replace, true).await?;
        assert_eq!(again, InsertOutcome { replaced: count, ..InsertOutcome::default() });
        assert!(sorted(scan_all(&member, &name).await?) == expected, "replaced");

        let error = destination.insert_raw(&name, &slices[..1], InsertMode::Error, true).await.unwrap_err();
        assert_eq!(error.code(), Some(11000), "{error}");
        assert!(!error.to_string().contains("dup key:"), "{error}");
        destination.drop_collection(&name).await?;
    }
    Ok(())
}

#[tokio::test]
async fn every_kind_of_collection_takes_inserts_updates_and_deletes() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let client = set.client();
    let destination = destination(&set).await?;
    for name in kinds(&destination).await? {
        let documents = [
            rawdoc! { "_id": "a", "x": 1, "list": [1, 2, 3], "sub": { "k": 1, "l": 2 } },
            rawdoc! { "_id": "b", "t": ZERO, "nested": { "t": ZERO }, "u": ZERO },
            rawdoc! { "_id": "c", "$price": 1, "a.b": 2, "": 3 },
        ];
        let slices: Vec<_> = documents.iter().map(|document| &**document).collect();
        destination.insert_raw(&name, &slices, InsertMode::Error, true).await?;
        for document in &documents {
            let id = document.get_str("_id")?;
            assert_eq!(find(&client, &name, id).await?.as_ref(), Some(document), "{name}");
        }

        let diff = rawdoc! { "$v": 2, "diff": {
            "d": { "x": false }, "u": { "list": [9] }, "i": { "y": 5, "z": ZERO }, "ssub": { "d": { "k": false }, "u": { "l": 3 } },
        } };
        let list = rawdoc! { "$v": 2, "diff": { "slist": { "a": true, "l": 3, "u2": "third" } } };
        let set_v1 = rawdoc! { "$v": 1, "$set": { "w": 1, "sub.n": 2 }, "$unset": { "y": true } };
        let replacement = rawdoc! { "_id": "b", "t": ZERO, "big": "x".repeat(1000), "v": ZERO };
        let dollar = rawdoc! { "_id": "c", "$price": 2, "a.b": ZERO, "t": ZERO };
        let created = rawdoc! { "_id": "d", "t": ZERO };
        let outcomes = destination
            .apply_updates(
                &name,
                &[
                    update("a", Change::Diff(&diff), false),
                    update("a", Change::Diff(&list), false),
                    update("nobody", Change::Diff(&diff), false),
                    update("a", Change::Modifiers(&set_v1), false),
                    update("b", Change::Replace(&replacement), false),
                    update("c", Change::Replace(&dollar), false),
                    update("d", Change::Diff(&diff), false),
                    update("d", Change::Replace(&created), true),
                    update("nobody", Change::Replace(&replacement), false),
                    update(7_i32, Change::Diff(&diff), false),
                ],
            )
            .await
            .with_context(|| name.to_string())?;
        let missing = [2, 6, 8, 9];
        for (position, outcome) in outcomes.iter().enumerate() {
            let expected = match position {
                7 => Outcome::Upserted,
                _ if missing.contains(&position) => Outcome::Missing,
                _ => Outcome::Matched,
            };
            assert_eq!(*outcome, expected, "{name}, statement {position}");
        }
        let expected = rawdoc! { "_id": "a", "list": [9, mongodb::bson::RawBson::Null, "third"], "sub": { "l": 3, "n": 2 }, "z": ZERO, "w": 1 };
        assert_eq!(find(&client, &name, "a").await?, Some(expected), "{name}");
        assert_eq!(find(&client, &name, "b").await?, Some(replacement), "{name}");
        assert_eq!(find(&client, &name, "c").await?, Some(dollar), "{name}");
        assert_eq!(find(&client, &name, "d").await?, Some(created), "{name}");

        let keys: Vec<_> =
            ["a", "nobody", "c"].iter().map(|id| DocumentKey::of(&rawdoc! { "_id": *id }).expect("an _id")).collect();
        assert_eq!(destination.apply_deletes(&name, &keys).await?, 2, "{name}");
        assert_eq!(find(&client, &name, "a").await?, None, "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn numbers_of_every_type_are_one_key_and_strings_follow_the_collation() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let destination = destination(&set).await?;
    let (plain, collated) = (Namespace::new("k", "plain"), Namespace::new("k", "collated"));
    destination.create_collection(&plain, &rawdoc! {}, None).await?;
    let german = rawdoc! { "collation": { "locale": "de", "strength": 1 } };
    destination.create_collection(&collated, &german, None).await?;
    destination.insert_raw(&plain, &[&rawdoc! { "_id": 1 }], InsertMode::Error, true).await?;
    destination.insert_raw(&collated, &[&rawdoc! { "_id": "Straße" }], InsertMode::Error, true).await?;
    let diff = rawdoc! { "$v": 2, "diff": { "i": { "x": 1 } } };
    let outcomes = destination
        .apply_updates(&plain, &[update(1.0, Change::Diff(&diff), false), update(2.0, Change::Diff(&diff), false)])
        .await?;
    assert_eq!(outcomes, [Outcome::Matched, Outcome::Missing]);
    let outcomes = destination
        .apply_updates(
            &collated,
            &[update("strasse", Change::Diff(&diff), false), update("x", Change::Diff(&diff), false)],
        )
        .await?;
    assert_eq!(outcomes, [Outcome::Matched, Outcome::Missing]);
    // A replacement whose `_id` is the same key in other bytes.
    let document = rawdoc! { "_id": 1.0, "y": 1 };
    let outcome = destination.insert_raw(&plain, &[&document], InsertMode::Replace, true).await?;
    assert_eq!(outcome.replaced, 1);
    assert_eq!(find(&set.client(), &plain, 1).await?, Some(document));
    let document = rawdoc! { "_id": "STRASSE", "y": 1 };
    destination.insert_raw(&collated, &[&document], InsertMode::Replace, true).await?;
    assert_eq!(find(&set.client(), &collated, "strasse").await?, Some(document));
    Ok(())
}

#[tokio::test]
async fn keys_that_look_like_operators_are_values() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let destination = destination(&set).await?;
    let name = Namespace::new("k", "references");
    let id = doc! { "$ref": "other", "$id": 1 };
    let document = raw(doc! { "_id": &id, "x": 1 });
    destination.insert_raw(&name, &[&document], InsertMode::Error, true).await?;
    let diff = rawdoc! { "$v": 2, "diff": { "u": { "x": 2 } } };
    assert_eq!(
        destination.apply_updates(&name, &[update(id.clone(), Change::Diff(&diff), false)]).await?,
        [Outcome::Matched]
    );
    let key = DocumentKey::of(&document).context("an _id")?;
    assert_eq!(destination.apply_deletes(&name, &[key]).await?, 1);
    Ok(())
}

#[tokio::test]
async fn listed_collections_and_indexes_come_back_as_they_were() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let client = set.client();
    let source = client.database("source");
    for command in [
        doc! { "create": "plain" },
        doc! { "create": "capped", "capped": true, "size": 10_000, "max": 7 },
        doc! { "create": "clustered", "clusteredIndex": { "key": { "_id": 1 }, "unique": true, "name": "mine" }, "expireAfterSeconds": 60 },
        doc! { "create": "collated", "collation": { "locale": "de", "strength": 2 } },
        doc! { "create": "validated", "validator": { "a": { "$gt": 1 } }, "validationLevel": "moderate", "validationAction": "warn" },
        doc! { "create": "images", "changeStreamPreAndPostImages": { "enabled": true } },
        doc! { "create": "tuned", "storageEngine": { "wiredTiger": { "configString": "block_compressor=zlib" } } },
        doc! { "create": "series", "timeseries": { "timeField": "t", "metaField": "m", "granularity": "hours" }, "expireAfterSeconds": 3600 },
        doc! { "create": "bare series", "timeseries": { "timeField": "t" } },
        doc! { "createIndexes": "plain", "indexes": [
            { "key": { "a": 1, "b": -1 }, "name": "compound", "unique": true, "sparse": true },
            { "key": { "t": 1 }, "name": "ttl", "expireAfterSeconds": 5 },
            { "key": { "text": "text", "n": 1 }, "name": "words", "weights": { "text": 3 }, "default_language": "german" },
            { "key": { "place": "2dsphere" }, "name": "place" },
            { "key": { "flat": "2d" }, "name": "flat", "min": -10, "max": 10 },
            { "key": { "$**": 1 }, "name": "wild", "wildcardProjection": { "a": 0 } },
            { "key": { "_id": "hashed" }, "name": "hashed id" },
            { "key": { "f": -1.5 }, "name": "odd direction" },
            { "key": { "p": 1 }, "name": "partial", "partialFilterExpression": {} },
            { "key": { "h": 1 }, "name": "hidden", "hidden": true },
            { "key": { "c": 1 }, "name": "with collation", "collation": { "locale": "fr" } },
        ] },
        doc! { "createIndexes": "collated", "indexes": [
            { "key": { "a": 1 }, "name": "inherits" }, { "key": { "b": 1 }, "name": "simple", "collation": { "locale": "simple" } },
        ] },
        doc! { "createIndexes": "series", "indexes": [{ "key": { "m": 1, "t": 1 }, "name": "by series" }] },
    ] {
        source.run_command(command).await?;
    }
    let member = connect(&set.member_uri(0)).await?;
    let listing = replset::listing::list_database(&member, "source", None).await?;
    let destination = destination(&set).await?;
    assert!(listing.collections.len() >= 9);
    for collection in listing.collections.iter().filter(|collection| !collection.namespace.is_views()) {
        let name = Namespace::new("copy", &collection.namespace.coll);
        destination
            .create_collection(&name, &collection.options, collection.id_index.as_deref())
            .await
            .context(name.to_string())?;
        let specs: Vec<_> = collection.indexes.iter().map(|spec| &**spec).collect();
        destination.create_indexes(&name, &specs, collection.has_collation()).await.context(name.to_string())?;
        let copy = listed(&member, &name).await?;
        assert_eq!(copy.options, collection.options, "{name}");
        assert_eq!(copy.id_index, collection.id_index, "{name}");
        assert_eq!(copy.indexes, collection.indexes, "{name}");
        let error = destination.create_collection(&name, &collection.options, None).await.unwrap_err();
        assert!(replset::destination::is_already_there(&error), "{error}");
    }
    let copies = replset::listing::list_database(&member, "copy", None).await?;
    let definitions = |listing: &replset::listing::Listing| {
        listing.views.iter().map(|view| view.definition.as_bytes().len()).collect::<Vec<_>>()
    };
    assert_eq!(copies.views.len(), 2, "time-series collections are there by name");
    assert_eq!(definitions(&copies).len(), definitions(&listing).len());
    Ok(())
}

#[tokio::test]
async fn time_series_buckets_are_written_like_documents() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let client = set.client();
    let db = client.database("source");
    db.run_command(doc! { "create": "series", "timeseries": { "timeField": "t", "metaField": "m" } }).await?;
    let points: Vec<_> =
        (0..50_i64).map(|n| doc! { "t": DateTime::from_millis(n * 1000), "m": n % 3, "v": n }).collect();
    db.collection::<Document>("series").insert_many(&points).await?;
    let member = connect(&set.member_uri(0)).await?;
    let source = Namespace::new("source", "system.buckets.series");
    let buckets: Vec<_> =
        scan_all(&member, &source).await?.into_iter().map(|bytes| RawDocumentBuf::from_bytes(bytes).unwrap()).collect();
    let destination = destination(&set).await?;
    let copy = Namespace::new("copy", "system.buckets.series");
    destination.create_collection(&copy, &listed(&member, &source).await?.options, None).await?;
    let slices: Vec<_> = buckets.iter().map(|bucket| &**bucket).collect();
    destination.insert_raw(&copy, &slices, InsertMode::Error, false).await?;
    destination.insert_raw(&copy, &slices, InsertMode::Replace, true).await?;
    assert_eq!(sorted(scan_all(&member, &copy).await?), sorted(scan_all(&member, &source).await?));
    assert_eq!(client.database("copy").collection::<Document>("series").count_documents(doc! {}).await?, 50);

    // The diffs that the server itself logs when measurements are added to a bucket.
    let more: Vec<_> =
        (50..60_i64).map(|n| doc! { "t": DateTime::from_millis(n * 1000), "m": n % 3, "v": n }).collect();
    db.collection::<Document>("series").insert_many(&more).await?;
    let oplog = client.database("local").collection::<RawDocumentBuf>("oplog.rs");
    let mut cursor = oplog.find(doc! { "op": "u", "ns": source.to_string() }).await?;
    let mut applied = 0;
    while cursor.advance().await? {
        let entry = RawDocumentBuf::from_bytes(cursor.current().as_bytes().to_vec())?;
        let change = Change::of(entry.get_document("o")?).context("a known form")?;
        let key = DocumentKey::of(entry.get_document("o2")?).context("an _id")?;
        assert_eq!(
            destination.apply_updates(&copy, &[Update { key, change, upsert: false }]).await?,
            [Outcome::Matched]
        );
        applied += 1;
    }
    assert!(applied > 0);
    let keys: Vec<_> = buckets.iter().filter_map(|bucket| DocumentKey::of(bucket)).collect();
    let after = (scan_all(&member, &copy).await?.len(), scan_all(&member, &source).await?.len());
    assert!(after.0 <= after.1);
    for (copied, original) in scan_all(&member, &copy).await?.iter().zip(scan_all(&member, &source).await?) {
        assert_eq!(*copied, original);
    }
    assert_eq!(destination.apply_deletes(&copy, &keys).await?, keys.len() as u64);
    Ok(())
}

#[tokio::test]
async fn views_come_from_their_definitions() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let destination = destination(&set).await?;
    let client = set.client();
    let pipeline = doc! { "p": [{ "$match": { "b": 1, "a": 2 } }, { "$sort": { "z": 1, "y": -1 } }] };
    let create = doc! {
        "create": "v", "viewOn": "plain", "pipeline": pipeline.get_array("p")?.clone(), "collation": { "locale": "de" },
    };
    client.database("source").run_command(create).await?;
    let member = connect(&set.member_uri(0)).await?;
    let stored = scan_all(&member, &Namespace::new("source", "system.views")).await?;
    let definition = RawDocumentBuf::from_bytes(stored[0].clone())?;
    let copy = Namespace::new("copy", "v");
    let collation = definition.get_document("collation").ok();
    destination.create_view(&copy, definition.get_str("viewOn")?, definition.get_array("pipeline")?, collation).await?;
    let copied =
        RawDocumentBuf::from_bytes(scan_all(&member, &Namespace::new("copy", "system.views")).await?[0].clone())?;
    for field in ["viewOn", "pipeline", "collation"] {
        assert_eq!(copied.get(field)?, definition.get(field)?, "{field}");
    }
    let listing = replset::listing::list_database(&member, "source", None).await?;
    assert_eq!(listing.views[0].definition, definition, "the listing tells the same as the collection");
    Ok(())
}
