//! What is refused at the door, by name, and what a member tells about itself.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::Duration;

use anyhow::Result;
use mongodb::bson::doc;
use replset::privileges::{self, Task};
use replset::topology::{MemberState, Topology, choose_member, majority_commit_point, member_identity, server_version};
use replset::{ConnectOptions, Connection, Destination, ErrorKind};
use support::{connect, options};
use testkit::{ReplicaSet, Standalone};

async fn refusal(uri: &str, options: ConnectOptions) -> (ErrorKind, String) {
    match Connection::open(uri, options).await {
        Ok(connection) => panic!("{connection:?} was opened"),
        Err(error) => (error.kind().clone(), error.to_string()),
    }
}

#[tokio::test]
async fn a_standalone_is_refused_as_no_replica_set() -> Result<()> {
    let standalone = Standalone::start().await?;
    for uri in [standalone.uri(), standalone.uri().replace("?directConnection=true", "")] {
        let (kind, message) = refusal(&uri, options()).await;
        assert_eq!(kind, ErrorKind::NotReplicaSet, "{message}");
        assert!(message.contains("--replSet"), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn nobody_listening_is_unreachable_and_worth_another_try() {
    let options = ConnectOptions { selection_timeout: Duration::from_millis(500), ..options() };
    let error = Connection::open("mongodb://u:s3cret@127.0.0.1:1/", options).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::Unreachable, "{error}");
    assert!(error.is_retryable());
    assert!(!error.to_string().contains("s3cret"));
}

/// The driver would say only that it found nobody, and whoever waits for that to pass waits for ever.
#[tokio::test]
async fn a_set_of_another_name_is_refused_by_name() -> Result<()> {
    let set = ReplicaSet::builder().set_name("rs2").start().await?;
    let options = ConnectOptions { selection_timeout: Duration::from_secs(1), ..options() };
    let (kind, message) = refusal(&set.uri().replace("replicaSet=rs2", "replicaSet=rs1"), options.clone()).await;
    assert_eq!(kind, ErrorKind::InvalidUri, "{message}");
    assert!(message.contains("`rs2`") && message.contains("`rs1`"), "{message}");
    // Who does not answer may be of any set.
    let nobody = "mongodb://127.0.0.1:1/?replicaSet=rs1";
    assert_eq!(refusal(nobody, options).await.0, ErrorKind::Unreachable);
    Ok(())
}

#[tokio::test]
async fn an_arbiter_is_refused_and_the_members_are_told_apart() -> Result<()> {
    let set = ReplicaSet::builder().members(2).arbiter(true).start().await?;
    let (kind, message) = refusal(&set.member_uri(2), options()).await;
    assert_eq!(kind, ErrorKind::Arbiter, "{message}");

    let connection = connect(&set.uri()).await?;
    assert!(!connection.is_direct());
    let topology = Topology::fetch(&connection).await?;
    assert_eq!(topology.set_name, set.set_name);
    assert_eq!(topology.members.len(), 3);
    let chosen = choose_member(&topology).expect("a member to read from");
    assert_eq!(chosen.state, MemberState::Secondary);
    assert!(topology.members.iter().any(|member| member.state == MemberState::Arbiter));

    let member = connection.member(&chosen.host).await?;
    assert!(member.is_direct());
    let seen_by_member = Topology::fetch(&member).await?;
    assert_eq!(seen_by_member.this_member().map(|own| &own.host), Some(&chosen.host));
    assert_eq!(seen_by_member.replica_set_id, topology.replica_set_id);
    assert!(majority_commit_point(&member).await?.ts <= Topology::fetch(&connection).await?.operation_time.unwrap());

    let identity = member_identity(&member).await?;
    assert_eq!(identity, member_identity(&member).await?);
    let primary = connection.member(&topology.primary().expect("a primary").host).await?;
    assert_ne!(identity, member_identity(&primary).await?);

    let error = Destination::new(member).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::NotPrimary, "{error}");
    Ok(())
}

#[tokio::test]
async fn a_member_that_was_synchronised_anew_has_another_identity() -> Result<()> {
    let set = ReplicaSet::builder().members(3).start().await?;
    let index = set.secondaries().await[0];
    let before = member_identity(&connect(&set.member_uri(index)).await?).await?;
    set.restart(index).await?;
    let restarted = member_identity(&connect(&set.member_uri(index)).await?).await?;
    assert_eq!(restarted.oplog_uuid, before.oplog_uuid, "a restart keeps the data");
    assert_ne!(restarted, before, "but not every record id");
    set.stop(index).await?;
    set.wipe(index)?;
    set.restart(index).await?;
    let after = member_identity(&connect(&set.member_uri(index)).await?).await?;
    assert_eq!(after.host, before.host);
    assert_ne!(after.oplog_uuid, before.oplog_uuid);
    assert_ne!(after.initial_sync_id, before.initial_sync_id);
    Ok(())
}

#[tokio::test]
async fn versions_are_read() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let version = server_version(&connect(&set.uri()).await?).await?;
    assert!(version.version.starts_with(&version.feature_compatibility_version), "{version:?}");
    Ok(())
}

#[tokio::test]
async fn a_user_that_not_every_secondary_knows_yet_is_let_in() -> Result<()> {
    let set = ReplicaSet::builder().members(2).auth(true).start().await?;
    let secondary = set.secondaries().await[0];
    set.delay(secondary, Duration::from_hours(1)).await?;
    let create = doc! { "createUser": "fresh", "pwd": "s3cret", "roles": ["root"], "writeConcern": { "w": 1 } };
    set.client().database("admin").run_command(create).await?;
    // Half of the connections ask the secondary first.
    for _ in 0..12 {
        Destination::open(&set.uri_as("fresh", "s3cret"), options()).await?;
    }
    let late = ConnectOptions { direct_to: Some(set.hosts()[secondary].clone()), ..options() };
    let (kind, message) = refusal(&set.uri_as("fresh", "s3cret"), late).await;
    assert_eq!(kind, ErrorKind::AuthFailed, "{message}");
    Ok(())
}

#[tokio::test]
async fn credentials_and_privileges_are_judged_by_name() -> Result<()> {
    let set = ReplicaSet::builder().auth(true).start().await?;
    let (kind, message) = refusal(&set.uri_as("root", "wrong-s3cret"), options()).await;
    assert_eq!(kind, ErrorKind::AuthFailed, "{message}");
    assert!(!message.contains("s3cret"), "{message}");

    let admin = set.client().database("admin");
    let roles = [
        ("backup", vec!["backup", "clusterMonitor"]),
        ("only-backup", vec!["backup"]),
        ("reader", vec!["readAnyDatabase", "clusterMonitor"]),
        ("restore", vec!["restore", "readWriteAnyDatabase", "clusterMonitor"]),
    ];
    for (user, roles) in roles {
        let mut roles: Vec<_> = roles.into_iter().map(|role| doc! { "role": role, "db": "admin" }).collect();
        if user == "restore" {
            roles.push(doc! { "role": "readWrite", "db": "config" });
        }
        admin.run_command(doc! { "createUser": user, "pwd": "s3cret", "roles": roles }).await?;
    }
    let as_user = |user: &str| set.uri_as(user, "s3cret");
    let missing = async |user: &str, task| {
        let uri = if user == "root" { set.uri() } else { as_user(user) };
        anyhow::Ok(privileges::missing(&connect(&uri).await?, task).await?)
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(missing("backup", Task::Source).await?, none);
    assert_eq!(missing("restore", Task::Destination).await?, none);
    assert_eq!(missing("root", Task::Source).await?, none);
    assert_eq!(missing("root", Task::Destination).await?, none);
    let lacking = missing("only-backup", Task::Source).await?;
    assert!(lacking.contains(&"replSetGetStatus on the cluster".to_owned()), "{lacking:?}");
    assert!(!lacking.iter().any(|action| action.starts_with("find on local")), "{lacking:?}");
    let lacking = missing("reader", Task::Source).await?;
    assert!(lacking.contains(&"find on admin.system.users".to_owned()), "{lacking:?}");

    let error = privileges::require(&connect(&as_user("backup")).await?, Task::Destination).await.unwrap_err();
    let ErrorKind::MissingPrivilege(actions) = error.kind() else { panic!("{error}") };
    assert!(actions.contains(&"insert on all databases".to_owned()), "{actions:?}");
    assert!(error.to_string().contains("readWriteAnyDatabase"), "{error}");

    // Signed in as nobody: the door opens, the first question does not.
    let nobody = connect(&format!("mongodb://{}/?directConnection=true", set.hosts()[0])).await?;
    let error = privileges::missing(&nobody, Task::Source).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::AuthFailed, "{error}");
    Ok(())
}

#[tokio::test]
async fn without_authentication_everything_is_allowed() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let connection = connect(&set.uri()).await?;
    assert_eq!(privileges::missing(&connection, Task::Source).await?, Vec::<String>::new());
    assert_eq!(privileges::missing(&connection, Task::Destination).await?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_server_that_hangs_is_a_time_out_and_not_a_hang() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let options = ConnectOptions { command_timeout: Duration::from_secs(1), ..options() };
    let connection = Connection::open(&set.member_uri(0), options).await?;
    set.pause(0)?;
    // The signal takes a moment to stop all threads.
    let error = loop {
        if let Err(error) = connection.ping().await {
            break error;
        }
    };
    set.resume(0)?;
    assert!(error.is_retryable(), "{error}");
    assert!(connection.ping().await.is_ok());
    Ok(())
}
