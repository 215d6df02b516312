//! The replica sets that every other crate's tests rely on.

use std::time::Duration;

use mongodb::bson::{Document, doc};
use testkit::{ReplicaSet, Standalone};

#[tokio::test]
async fn a_single_member_set_takes_majority_writes_and_comes_back_after_a_kill() {
    let set = ReplicaSet::builder().oplog_mb(64).set_parameter("ttlMonitorEnabled", "false").start().await.unwrap();
    assert_eq!(set.primary().await.unwrap(), 0);
    let items = set.client().database("shop").collection::<Document>("items");
    items.insert_one(doc! { "_id": 1 }).await.unwrap();
    set.kill(0).unwrap();
    assert!(!set.is_running(0));
    set.restart(0).await.unwrap();
    set.primary().await.unwrap();
    assert_eq!(items.count_documents(doc! {}).await.unwrap(), 1);
    let oplog = set.client().database("local").run_command(doc! { "collStats": "oplog.rs" }).await.unwrap();
    assert_eq!(oplog.get("maxSize").and_then(mongodb::bson::Bson::as_i32), Some(64 * 1024 * 1024));
}

#[tokio::test]
async fn three_members_elect_another_primary_after_kill_step_down_and_pause() {
    let started = std::time::Instant::now();
    let set = ReplicaSet::builder().members(3).start().await.unwrap();
    let mark = |step: &str| println!("{step}: {:?}", started.elapsed());
    mark("three members");
    let first = set.primary().await.unwrap();
    assert_eq!(set.secondaries().await.len(), 2);
    let items = set.client().database("shop").collection::<Document>("items");
    items.insert_one(doc! { "_id": 1 }).await.unwrap();

    let second = set.step_down().await.unwrap();
    assert_ne!(first, second);
    mark("stepped down");
    set.kill(second).unwrap();
    let third = set.primary().await.unwrap();
    assert_ne!(second, third);
    mark("primary after a kill");
    items.insert_one(doc! { "_id": 2 }).await.unwrap();
    set.restart(second).await.unwrap();
    mark("restarted");

    let paused = set.primary().await.unwrap();
    set.pause(paused).unwrap();
    let fourth = loop {
        let primary = set.primary().await.unwrap();
        if primary != paused {
            break primary;
        }
    };
    set.resume(paused).unwrap();
    mark("primary after a pause");
    set.wait_healthy().await.unwrap();
    mark("healthy");
    let rest = (0..3).find(|index| *index != fourth).unwrap();
    set.stop(rest).await.unwrap();
    set.wipe(rest).unwrap();
    set.restart(rest).await.unwrap();
    mark("re-synced");
    assert_eq!(items.count_documents(doc! {}).await.unwrap(), 2);
}

#[tokio::test]
async fn authentication_and_an_arbiter_work_together() {
    let set = ReplicaSet::builder().members(2).arbiter(true).auth(true).start().await.unwrap();
    assert_eq!(set.hosts().len(), 3);
    assert_eq!(set.secondaries().await.len(), 1);
    let anonymous = format!("mongodb://{}/?replicaSet={}", set.hosts().join(","), set.set_name);
    let refused = mongodb::Client::with_uri_str(anonymous).await.unwrap().list_database_names().await;
    assert!(refused.is_err());
    let names = mongodb::Client::with_uri_str(set.uri()).await.unwrap().list_database_names().await.unwrap();
    assert!(names.contains(&"admin".to_owned()));
    let create = doc! { "createUser": "a/b", "pwd": "c@d", "roles": ["read"] };
    set.client().database("admin").run_command(create).await.unwrap();
    let other = mongodb::Client::with_uri_str(set.uri_as("a/b", "c@d")).await.unwrap();
    other.database("admin").run_command(doc! { "ping": 1 }).await.unwrap();
}

#[tokio::test]
async fn nothing_runs_after_a_drop() {
    let set = ReplicaSet::single().await.unwrap();
    let pid = set.pid(0).unwrap();
    let log = set.log(0);
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    drop(set);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(!log.exists());
}

/// Run by `servers_do_not_outlive_a_test_that_is_killed` in a process of its own.
#[tokio::test]
#[ignore = "it waits to be killed"]
async fn wait_to_be_killed() {
    let set = ReplicaSet::single().await.unwrap();
    println!("\npid={}", set.pid(0).unwrap());
    println!("log={}", set.log(0).display());
    tokio::time::sleep(Duration::from_mins(1)).await;
}

#[tokio::test]
async fn servers_do_not_outlive_a_test_that_is_killed() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "wait_to_be_killed", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut value = async |name: &str| loop {
        let line = lines.next_line().await.unwrap().unwrap();
        if let Some(value) = line.strip_prefix(name) {
            break value.to_owned();
        }
    };
    let (pid, log) = (value("pid=").await, value("log=").await);
    assert!(std::path::Path::new(&format!("/proc/{pid}")).exists());
    child.kill().await.unwrap();
    for _ in 0..100 {
        let runs = std::path::Path::new(&format!("/proc/{pid}")).exists();
        if !runs && !std::path::Path::new(&log).exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("mongod {pid} or {log} is still there");
}

#[tokio::test]
async fn a_standalone_is_no_replica_set() {
    let server = Standalone::start().await.unwrap();
    let hello = server.client().await.unwrap().database("admin").run_command(doc! { "hello": 1 }).await.unwrap();
    assert!(!hello.contains_key("setName"));
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why() {
    let error = ReplicaSet::builder().argument("--noSuchOption").start().await.unwrap_err();
    assert!(format!("{error:#}").contains("ended with"), "{error:#}");
}
