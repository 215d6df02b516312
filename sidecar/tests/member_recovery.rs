//! A set that is made to be restored into: its application is let in when the restore has completed, and not before.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

mod support;

use anyhow::Result;
use bson::doc;
use support::tended::{LIMIT, Tended};
use support::{Archive, fill, sidecar, until};
use testkit::ReplicaSet;
use testkit::processes::{binary, finish};

type Test = Result<()>;

/// As docs/privileges.md has them.
const RESTORE: &[(&str, &str)] =
    &[("restore", "admin"), ("readWriteAnyDatabase", "admin"), ("clusterMonitor", "admin"), ("readWrite", "config")];

#[tokio::test(flavor = "multi_thread")]
async fn the_application_is_let_in_only_when_the_restore_has_completed() -> Test {
    let source = ReplicaSet::builder().auth(true).start().await?;
    fill(&source, "orders", "orders", 0, 2_000, 100).await?;
    let roles = vec![doc! { "role": "readWrite", "db": "orders" }];
    for (user, password) in [("orders", "old-pass"), ("developer", "dev-pass")] {
        let create = doc! { "createUser": user, "pwd": password, "roles": &roles };
        source.client().database("admin").run_command(create).await?;
    }
    let archive = Archive::new();
    let taken = sidecar(&["snapshot", "--uri", &source.uri(), "--archive", &archive.url()]).await;
    assert_eq!(taken.exit_code, 0, "{taken:?}");

    let mut tended = Tended::start(3, 3, "recovery").await?;
    tended.want_users(&[("orders", &[("readWrite", "orders")], true), ("tidemark-restore", RESTORE, false)]);
    // The very password of the source: what the restore brings would let it in before the last checks.
    tended.set_password("orders", "old-pass");
    tended.set_password("tidemark-restore", "restore-pass");
    for index in 0..3 {
        tended.tend(index);
    }
    tended.until_let_in("tidemark-restore", "restore-pass").await?;
    tended.until_voting(3).await?;
    tended.until_logged("user_waits_for_restore").await?;
    assert!(!tended.lets_in("orders", "old-pass").await);

    let hosts = tended.set.hosts().join(",");
    let destination =
        format!("mongodb://tidemark-restore:restore-pass@{hosts}/?replicaSet={}&authSource=admin", tended.set.set_name);
    let url = archive.url();
    let arguments = ["restore", "--to", "latest", "--destination", &destination, "--archive", &url, "--yes", "--json"];
    // A tender that is killed meanwhile changes nothing.
    let primary = tended.set.primary().await?;
    tended.kill_tender(primary);
    let restored = finish(&binary("dr-cli")?, arguments, &[]).await?;
    assert_eq!(restored.exit_code, 0, "{restored:?}");
    assert!(!tended.lets_in("orders", "old-pass").await, "nobody has let it in yet");
    assert!(
        tended.lets_in("developer", "dev-pass").await,
        "users that nobody has asked to hold back come with the restore"
    );

    tended.tend(primary);
    tended.until_let_in("orders", "old-pass").await?;
    let connection = tended.sign_in(tended.set.primary().await?, "orders", "old-pass").await.unwrap();
    let count = bson::rawdoc! { "count": "orders" };
    let counted = connection.run("orders", "count", count).await?;
    assert_eq!(counted.document().get_i32("n")?, 2_000);
    assert!(tended.lets_in("tidemark-restore", "restore-pass").await);
    Ok(())
}

/// As a restore writes it.
async fn mark(tended: &Tended, is_complete: bool) -> Test {
    let change = doc! { "$set": { "value": { "complete": is_complete } } };
    let update = doc! { "q": { "_id": "restore" }, "u": change, "upsert": true };
    let command = doc! {
        "update": "tidemark_restore", "updates": [update], "writeConcern": { "w": "majority", "wtimeout": 10_000 }
    };
    tended.run("config", command).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_database_lets_nobody_in_when_its_set_is_given_its_ordinary_values() -> Test {
    let mut tended = Tended::start(1, 1, "standard").await?;
    tended.want_users(&[("orders", &[("readWrite", "orders")], true)]);
    tended.set_password("orders", "pass");
    tended.tend(0);
    tended.until_let_in("orders", "pass").await?;
    mark(&tended, false).await?;
    let is_out = async || (!tended.lets_in("orders", "pass").await).then_some(());
    until("the application is kept out", LIMIT, &is_out).await?;
    mark(&tended, true).await?;
    tended.until_let_in("orders", "pass").await?;
    // It was the wrong moment: the set is emptied, and restored into again.
    mark(&tended, false).await?;
    until("the application is kept out again", LIMIT, &is_out).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_lets_nobody_in_when_its_restore_has_completed_either() -> Test {
    let mut tended = Tended::start(1, 1, "drill").await?;
    tended.want_users(&[("orders", &[("readWrite", "orders")], true), ("other", &[("read", "orders")], false)]);
    tended.set_password("orders", "pass");
    tended.set_password("other", "pass");
    tended.tend(0);
    tended.until_let_in("other", "pass").await?;
    mark(&tended, true).await?;
    // What is changed for one user says that the mark was looked at by then.
    tended.set_password("other", "changed");
    tended.until_let_in("other", "changed").await?;
    assert!(!tended.lets_in("orders", "pass").await, "{}", tended.log());
    Ok(())
}
