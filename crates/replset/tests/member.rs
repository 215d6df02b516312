//! What a server that was never initiated shows of itself, by which it is told from one that holds something.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::time::Duration;

use anyhow::Result;
use member::{Change, Standing};
use mongodb::Client;
use mongodb::bson::doc;
use replset::member::{Login, Server, key_of};
use testkit::ReplicaSet;
use testkit::mongod::port::PortLease;
use testkit::mongod::process::{Launch, MongodProcess};
use testkit::mongod::{binary, temp_folder};

const LIMIT: Duration = Duration::from_secs(10);

/// A server that was used alone, in the way of `use_it`, and is then started for a replica set.
async fn standing_after(use_it: impl AsyncFnOnce(&Client) -> Result<()>) -> Result<Standing> {
    let (folder, port) = (temp_folder("once-alone")?, PortLease::take()?);
    let mut launch = Launch {
        binary: binary()?,
        port: port.port(),
        folder: folder.path().to_owned(),
        dbpath: folder.path().join("data"),
        log: folder.path().join("log"),
        arguments: Vec::new(),
    };
    let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true", port.port());
    let alone = MongodProcess::start(&launch).await?;
    use_it(&Client::with_uri_str(&uri).await?).await?;
    alone.stop().await?;
    launch.arguments = vec!["--replSet".to_owned(), "rs0".to_owned()];
    let _server = MongodProcess::start(&launch).await?;
    Ok(Server::open(&uri, None, Login::Nobody, LIMIT).await?.standing().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_ever_used_holds_data() -> Result<()> {
    let with_documents = standing_after(async |client| {
        client.database("shop").collection("orders").insert_one(doc! { "x": 1 }).await?;
        Ok(())
    });
    let with_users = standing_after(async |client| {
        client.database("admin").run_command(doc! { "createUser": "u", "pwd": "p", "roles": ["root"] }).await?;
        Ok(())
    });
    let with_nothing = standing_after(async |_| Ok(()));
    for (what, standing) in
        [("documents", with_documents.await?), ("users", with_users.await?), ("nothing, once", with_nothing.await?)]
    {
        assert!(matches!(standing, Standing::HoldsData(_)), "{what}: {standing:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_server_is_told_from_members_from_removed_ones_and_from_what_is_not_known() -> Result<()> {
    let set = ReplicaSet::builder().members(2).auth(true).start_uninitiated().await?;
    let keyfile = std::fs::read_to_string(set.files(0).parent().unwrap().join("key-file"))?;
    let key = key_of(&keyfile).unwrap();
    let open = async |index: usize, login: Login<'_>| {
        let uri = format!("mongodb://{}/", set.hosts()[index]);
        Server::open(&uri, None, login, LIMIT).await
    };
    let servers = [open(0, Login::Key(&key)).await?, open(1, Login::Key(&key)).await?];
    for server in &servers {
        assert_eq!(server.standing().await, Standing::Fresh);
    }
    let stranger = open(0, Login::Key("another")).await?.standing().await;
    assert!(matches!(stranger, Standing::Unknown(_)), "{stranger:?}");

    set.stop(1).await?;
    set.launch(1).await?;
    assert_eq!(servers[1].standing().await, Standing::Fresh, "a start alone leaves no trace");

    servers[0].initiate(&set.set_name, &set.hosts()).await?;
    set.wait_healthy().await?;
    let view = servers[0].view().await?;
    let id = view.set.replica_set_id.clone();
    for server in &servers {
        assert_eq!(server.standing().await, Standing::Initiated { replica_set_id: id.clone() });
    }
    let primary = set.primary().await?;
    let (removed, view) = (1 - primary, servers[primary].view().await?);
    servers[primary].change(&view, &Change::Remove(set.hosts()[removed].clone())).await?;
    // It hears of it by a heartbeat.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(servers[removed].standing().await, Standing::Initiated { replica_set_id: id });
    let again = servers[primary].change(&view, &Change::Add("127.0.0.1:1".to_owned())).await.unwrap_err();
    assert!(replset::member::is_overtaken(&again), "made from an old configuration: {again:?}");
    Ok(())
}
