//! `dr-cli export`: the folder, taken by `mongorestore`, is the server as it was.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use e2e::mongorestore::{documents, mongorestore};
use e2e::{Moment, Scenario, destination};
use mongodb::bson::{Bson, DateTime, Document, Timestamp, doc};
use serde_json::Value;
use tempfile::TempDir;
use testkit::{Detail, capture, weird};

use super::schema::create_every_kind;

struct Exported {
    report: Value,
    folder: PathBuf,
    _root: TempDir,
}

async fn export(scenario: &Scenario, target: &str) -> Result<Exported> {
    let root = testkit::mongod::temp_folder("export")?;
    let folder = root.path().join("dump");
    let report = scenario.cli_ok(&["export", "--to", target, "--out", path(&folder)]).await?;
    Ok(Exported { report, folder, _root: root })
}

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap_or_default()
}

/// Waits for the moment, exports it, and has the folder restored by the rules of `mongorestore`.
async fn assert_exports(scenario: &mut Scenario, moment: &Moment) -> Result<Exported> {
    scenario.wait_archived(moment.at).await?;
    let exported = export(scenario, &moment.at.to_string()).await?;
    let set = destination().await?;
    mongorestore(&set, &exported.folder).await?;
    let state = capture(&set.client(), None, Detail::Documents).await?;
    let differences = moment.state.diff(&state);
    ensure!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    Ok(exported)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_collection_index_and_name_is_exported_from_the_snapshot_and_from_the_oplog() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let series = |name: &str| doc! { "create": name, "timeseries": { "timeField": "at", "metaField": "sensor" } };
    let measured = |first: i64| {
        (first..first + 50)
            .map(|n| doc! { "at": DateTime::from_millis(1_700_000_000_000 + n * 900), "sensor": n % 2, "n": n })
    };
    let by_sensor = doc! { "key": { "sensor": 1, "at": -1 }, "name": "by sensor" };
    create_every_kind(&scenario, "loaded").await?;
    for name in ["before", "coarser"] {
        scenario.run("series", series(name)).await?;
        scenario.insert("series", name, measured(0)).await?;
    }
    scenario.run("series", doc! { "createIndexes": "before", "indexes": [by_sensor.clone()] }).await?;
    weird::load_names(&scenario.client()).await?;
    scenario.begin_archiving().await?;
    create_every_kind(&scenario, "replayed").await?;
    scenario.insert("loaded", "capped", (100..115).map(|id| doc! { "_id": id })).await?;
    scenario.run("series", series("after")).await?;
    scenario.run("series", doc! { "createIndexes": "after", "indexes": [by_sensor] }).await?;
    for name in ["before", "after"] {
        scenario.insert("series", name, measured(25)).await?;
    }
    scenario.run("series", doc! { "collMod": "coarser", "timeseries": { "granularity": "hours" } }).await?;
    for (database, name) in weird::names().iter().step_by(3) {
        scenario.insert(database, name, [doc! { "_id": "later", "name": name }]).await?;
    }
    let moment = scenario.moment().await?;
    let exported = assert_exports(&mut scenario, &moment).await?;
    let counts = &exported.report["counts"];
    ensure!(counts["collections"].as_u64().is_some_and(|count| count > 20), "{counts}");
    ensure!(exported.report["notes"].to_string().contains("TTL"), "{}", exported.report);
    Ok(())
}

fn rename(from: &str, to: &str, drop_target: bool) -> Document {
    doc! { "renameCollection": from, "to": to, "dropTarget": drop_target }
}

/// By the name that a collection has at the target, whatever it was called when.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn collections_renamed_dropped_and_created_again_in_the_window_are_exported_under_their_last_name() -> Result<()>
{
    let mut scenario = Scenario::with_faults().await?;
    scenario.fill_for_two_batches("shop", "bulk").await?;
    let tagged = |tag: &'static str| (0..20).map(move |id| doc! { "_id": id, "tag": tag });
    for name in ["one", "two", "three", "four", "five", "listed"] {
        scenario.insert("shop", name, tagged(name)).await?;
    }
    scenario.begin_archiving().await?;
    // Under the scan: renamed before, while and after it is read.
    scenario
        .snapshot_while("shop.bulk", async || {
            scenario
                .run(
                    "shop",
                    doc! { "update": "listed", "updates": [{ "q": {}, "u": { "$inc": { "n": 1 } }, "multi": true }] },
                )
                .await?;
            scenario.run("admin", rename("shop.listed", "shop.under", false)).await?;
            scenario.insert("shop", "under", [doc! { "_id": 100 }]).await?;
            scenario.insert("shop", "listed", tagged("another of the old name")).await?;
            Ok(())
        })
        .await?;
    // Swapped, replaced, dropped and created again, with writes to each name before and after.
    scenario.insert("shop", "one", [doc! { "_id": 50, "to": "one" }]).await?;
    scenario.run("admin", rename("shop.one", "shop.swap", false)).await?;
    scenario.run("admin", rename("shop.two", "shop.one", false)).await?;
    scenario.run("admin", rename("shop.swap", "other.two", false)).await.ok();
    scenario.run("admin", rename("shop.swap", "shop.two", false)).await.ok();
    scenario.run("shop", doc! { "delete": "one", "deletes": [{ "q": { "_id": { "$lt": 5 } }, "limit": 0 }] }).await?;
    scenario.run("admin", rename("shop.three", "shop.four", true)).await?;
    scenario.run("shop", doc! { "drop": "five" }).await?;
    scenario.insert("shop", "five", [doc! { "_id": 1, "tag": "again" }]).await?;
    scenario.run("shop", doc! { "convertToCapped": "four", "size": 100_000 }).await?;
    scenario.insert("gone", "entirely", [doc! { "_id": 1 }]).await?;
    scenario.client().database("gone").drop().await?;
    let moment = scenario.moment().await?;
    let exported = assert_exports(&mut scenario, &moment).await?;
    let oplog = documents(&exported.folder.join("oplog.bson"))?;
    ensure!(exported.report["oplog"]["entries"] == oplog.len() as u64 && !oplog.is_empty());
    ensure!(!exported.folder.join("gone").exists());
    Ok(())
}

/// A transaction comes as what it committed; a validator, as it ends up; documents older than it as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_updates_and_changed_options_are_exported_as_they_ended() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    let first = (0..30).map(|id| doc! { "_id": id, "n": id, "list": [1, 2, { "deep": id }], "old": Bson::Null });
    scenario.insert("shop", "orders", first).await?;
    scenario.insert("shop", "seen", [doc! { "_id": 1 }]).await?;
    scenario.run("shop", doc! { "create": "strict" }).await?;
    scenario.insert("shop", "strict", [doc! { "_id": "older than the validator" }]).await?;
    scenario.begin_archiving().await?;
    let client = scenario.client();
    let orders = client.database("shop").collection::<Document>("orders");
    for commits in [true, false] {
        let mut session = client.start_session().await?;
        session.start_transaction().await?;
        orders
            .update_many(doc! { "n": { "$lt": 10 } }, doc! { "$set": { "list.2.deep": commits, "n": -1 } })
            .session(&mut session)
            .await?;
        orders.insert_one(doc! { "_id": format!("in a transaction: {commits}") }).session(&mut session).await?;
        if commits { session.commit_transaction().await? } else { session.abort_transaction().await? }
    }
    orders.update_many(doc! { "n": { "$gt": 20 } }, doc! { "$unset": { "old": 1 }, "$push": { "list": 7 } }).await?;
    orders.replace_one(doc! { "_id": 15 }, doc! { "whole": true, "at": Timestamp { time: 0, increment: 7 } }).await?;
    orders.delete_many(doc! { "_id": { "$in": [25, 26] } }).await?;
    orders.find_one_and_update(doc! { "_id": 27 }, doc! { "$inc": { "n": 1 } }).await?;
    orders.update_one(doc! { "_id": "made" }, doc! { "$set": { "by": "upsert" } }).upsert(true).await?;
    let validator = doc! { "$jsonSchema": { "required": ["name"] } };
    scenario.run("shop", doc! { "collMod": "strict", "validator": validator, "validationAction": "error" }).await?;
    scenario.insert("shop", "strict", [doc! { "_id": 2, "name": "x" }]).await?;
    scenario.run("shop", doc! { "collMod": "seen", "changeStreamPreAndPostImages": { "enabled": true } }).await?;
    let moment = scenario.moment().await?;
    let exported = assert_exports(&mut scenario, &moment).await?;
    // What was not committed is not there at all.
    let oplog = documents(&exported.folder.join("oplog.bson"))?;
    ensure!(oplog.iter().all(|entry| !format!("{entry:?}").contains("in a transaction: false")));
    Ok(())
}

/// The moment of the snapshot itself, whose documents need what was written while they were read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_users_and_roles_are_exported_as_they_were() -> Result<()> {
    const PASSWORD: &str = "wr1tten t0 n0 file";
    let mut scenario = Scenario::start().await?;
    let (admin, shop) = (scenario.client().database("admin"), scenario.client().database("shop"));
    let read = |name: &str| doc! { "resource": { "db": "shop", "collection": name }, "actions": ["find"] };
    let user =
        |name: &str| doc! { "createUser": name, "pwd": PASSWORD, "roles": ["reader"], "customData": { "desk": 7 } };
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    shop.run_command(doc! { "createRole": "reader", "privileges": [read("orders")], "roles": [] }).await?;
    for name in ["clerk", "leaver"] {
        shop.run_command(user(name)).await?;
    }
    let stage = |field: &str| doc! { "$match": { field: { "$gt": 0 }, "a": 1 } };
    for name in ["kept", "changed", "dropped"] {
        scenario.run("shop", doc! { "create": name, "viewOn": "orders", "pipeline": [stage("z")] }).await?;
    }
    scenario.begin_archiving().await?;
    shop.run_command(doc! { "grantPrivilegesToRole": "reader", "privileges": [read("prices")] }).await?;
    admin.run_command(doc! { "createRole": "auditor", "privileges": [read("secrets")], "roles": [] }).await?;
    shop.run_command(user("late")).await?;
    shop.run_command(doc! { "updateUser": "clerk", "customData": { "desk": 8 } }).await?;
    shop.run_command(doc! { "dropUser": "leaver" }).await?;
    scenario
        .run("shop", doc! { "collMod": "changed", "viewOn": "orders", "pipeline": [stage("y"), stage("x")] })
        .await?;
    scenario.run("shop", doc! { "drop": "dropped" }).await?;
    let collation = doc! { "locale": "de" };
    scenario
        .run("shop", doc! { "create": "late view", "viewOn": "orders", "pipeline": [], "collation": collation })
        .await?;
    scenario.run("apart", doc! { "create": "of nothing", "viewOn": "missing", "pipeline": [] }).await?;
    let access = access_of(&scenario.client()).await?;
    let moment = scenario.moment().await?;
    scenario.wait_archived(moment.at).await?;
    let exported = export(&scenario, "latest").await?;
    let counts = &exported.report["counts"];
    ensure!(counts["users"] == 2 && counts["roles"] == 2 && counts["views"] == 4, "{counts}");
    let set = destination().await?;
    mongorestore(&set, &exported.folder).await?;
    ensure!(access_of(&set.client()).await? == access);
    let differences = moment.state.diff(&capture(&set.client(), None, Detail::Documents).await?);
    ensure!(differences.is_empty(), "{differences:#?}");
    Ok(())
}

/// Users and roles as the server stores them.
async fn access_of(client: &mongodb::Client) -> Result<Vec<Document>> {
    let mut found = Vec::new();
    for name in ["system.users", "system.roles"] {
        let collection = client.database("admin").collection::<Document>(name);
        let mut cursor = collection.find(doc! {}).sort(doc! { "_id": 1 }).await?;
        while cursor.advance().await? {
            found.push(cursor.deserialize_current().context(name)?);
        }
    }
    Ok(found)
}
