//! The oplog: continuity, majority, overrun, and where a snapshot may begin.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use archive::ClusterTime;
use mongodb::bson::{RawDocumentBuf, doc};
use replset::oplog::{
    OplogTail, TailOptions, begin_at_or_before, chain_head, entry_at, entry_before, entry_op_time, newest_entry,
    oldest_entry, safe_begin, tail, transaction_start,
};
use replset::topology::majority_commit_point;
use replset::{Connection, ErrorKind};
use support::{connect, fill};
use testkit::ReplicaSet;

async fn next_entries(tail: &mut OplogTail, at_least: usize) -> Result<Vec<RawDocumentBuf>> {
    let limit = Instant::now() + Duration::from_secs(20);
    let mut entries = Vec::new();
    while entries.len() < at_least && Instant::now() < limit {
        for entry in tail.next_batch().await?.entries()? {
            entries.push(entry?.to_owned());
        }
    }
    Ok(entries)
}

#[tokio::test]
async fn the_tail_starts_with_the_entry_itself_and_beats_when_idle() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let member = connect(&set.member_uri(0)).await?;
    let newest = newest_entry(&member).await?.context("an entry")?;
    let at = entry_op_time(&newest)?;
    assert_eq!(entry_at(&member, at.ts).await?.as_ref(), Some(&newest));
    assert_eq!(entry_at(&member, ClusterTime::new(1, 1)).await?, None);

    let mut tail = tail(&member, at.ts, TailOptions::default()).await?;
    let first = next_entries(&mut tail, 1).await?;
    assert_eq!(first[0], newest, "the entry at the start proves continuity");
    fill(&set.client(), &archive::Namespace::new("a", "b"), 3, 1).await?;
    let more = next_entries(&mut tail, 2).await?;
    let before = entry_before(&member, entry_op_time(&more[0])?.ts).await?.context("an entry before")?;
    assert_eq!(&before, first.last().context("a first batch")?);

    let started = Instant::now();
    let mut idle = 0;
    while idle < 2 {
        idle += usize::from(tail.next_batch().await?.entries()?.count() == 0);
    }
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn entries_through_a_limit_stop_there() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let member = connect(&set.member_uri(0)).await?;
    let start = majority_commit_point(&member).await?.ts;
    for n in 0..5 {
        let insert = doc! { "insert": "c", "documents": [{ "_id": n }] };
        set.client().database("a").run_command(insert).await?;
    }
    let mut tail = tail(&member, start, TailOptions::default()).await?;
    let batch = tail.next_batch().await?;
    let all: Vec<_> = batch.entries()?.collect::<Result<_, _>>()?;
    assert!(all.len() >= 6, "{}", all.len());
    let limit = entry_op_time(all[2])?.ts;
    let (kept, beyond) = batch.entries_through(limit)?;
    assert_eq!((kept.len(), beyond), (3, true));
    assert_eq!(batch.entries_through(ClusterTime::MAX)?.0.len(), all.len());
    Ok(())
}

#[tokio::test]
async fn what_no_majority_has_is_not_read() -> Result<()> {
    let set = ReplicaSet::builder().members(3).start().await?;
    let primary = set.primary().await?;
    let member = connect(&set.member_uri(primary)).await?;
    let start = newest_entry(&member).await?.context("an entry")?;
    let mut tail = tail(&member, entry_op_time(&start)?.ts, TailOptions::default()).await?;
    let secondaries = set.secondaries().await;
    for index in &secondaries {
        set.pause(*index)?;
    }
    let client = set.member_client(primary).await?;
    let insert = doc! { "insert": "lonely", "documents": [{ "_id": 1 }], "writeConcern": { "w": 1 } };
    client.database("a").run_command(insert).await?;
    let started = Instant::now();
    // The primary steps down soon after it misses the others; until then nothing new may appear.
    while started.elapsed() < Duration::from_secs(3) {
        match tail.next_batch().await {
            Ok(batch) => {
                for entry in batch.entries()? {
                    let entry = entry?;
                    let is_lonely = entry.get_str("ns").is_ok_and(|ns| ns == "a.lonely");
                    assert!(!is_lonely, "an entry without a majority was read");
                }
            }
            Err(error) => {
                assert!(error.is_retryable(), "{error}");
                break;
            }
        }
    }
    for index in secondaries {
        set.resume(index)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_member_that_is_behind_the_start_is_waited_for() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let member = connect(&set.member_uri(0)).await?;
    let now = majority_commit_point(&member).await?.ts;
    let ahead = ClusterTime::new(now.seconds + 2, 1);
    let mut tail = tail(&member, ahead, TailOptions::default()).await?;
    assert_eq!(tail.next_batch().await?.entries()?.count(), 0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    fill(&set.client(), &archive::Namespace::new("a", "b"), 3, 1).await?;
    let entries = next_entries(&mut tail, 1).await?;
    assert!(entry_op_time(&entries[0])?.ts >= ahead);
    Ok(())
}

async fn roll_over(set: &ReplicaSet, member: &Connection, past: ClusterTime) -> Result<()> {
    let name = archive::Namespace::new("a", "roll");
    for round in 0..200 {
        let fill: Vec<_> = (0..4).map(|_| doc! { "x": "x".repeat(250_000) }).collect();
        set.client().database(&name.db).collection(&name.coll).insert_many(fill).await?;
        let oldest = oldest_entry(member).await?.context("an entry")?;
        if entry_op_time(&oldest)?.ts > past {
            return Ok(());
        }
        // The server cuts the oplog only behind a checkpoint.
        tokio::time::sleep(Duration::from_millis(if round > 30 { 200 } else { 10 })).await;
    }
    anyhow::bail!("the oplog did not roll over")
}

#[tokio::test]
async fn an_overwritten_position_is_an_overrun() -> Result<()> {
    let set = ReplicaSet::builder().oplog_mb(16).argument("--syncdelay").argument("1").start().await?;
    let member = connect(&set.member_uri(0)).await?;
    let start = majority_commit_point(&member).await?.ts;
    let options = TailOptions { batch_entries: Some(1), ..TailOptions::default() };
    let mut open = tail(&member, start, options).await?;
    open.next_batch().await?;
    roll_over(&set, &member, start).await?;

    let mut late = tail(&member, start, TailOptions::default()).await?;
    let error = late.next_batch().await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::OplogOverrun, "{error}");
    assert!(error.to_string().contains(&start.to_string()), "{error}");

    // A cursor that stood still while it was overtaken.
    let error = loop {
        if let Err(error) = open.next_batch().await {
            break error;
        }
    };
    assert_eq!(error.kind(), &ErrorKind::OplogOverrun, "{error}");
    Ok(())
}

/// A member that was killed before its first checkpoint and rolled back counts its oplog as empty, and a tailable cursor
/// on an empty capped collection ends behind its first batch.
#[tokio::test]
async fn the_tail_goes_on_over_cursors_that_the_server_ends() -> Result<()> {
    // The server's own no-ops would be counted.
    let builder = ReplicaSet::builder().members(2).arbiter(true).set_parameter("writePeriodicNoops", "false");
    let set = builder.start().await?;
    let (old, next) = (set.primary().await?, set.secondaries().await[0]);
    set.kill(next)?;
    let alone = set.member_client(old).await?;
    let mark = doc! { "create": "ghost", "writeConcern": { "w": 1 } };
    alone.database("a").run_command(mark).await?;
    set.kill(old)?;
    set.restart(next).await?;
    anyhow::ensure!(set.primary().await? == next);
    set.restart(old).await?;
    set.wait_healthy().await?;
    let client = set.member_client(old).await?;
    let oplog = client.database("local").collection::<RawDocumentBuf>("oplog.rs");
    assert_eq!(oplog.estimated_document_count().await?, 0, "what is to be tested did not come about");
    let member = connect(&set.member_uri(old)).await?;
    let at = majority_commit_point(&member).await?.ts;
    let mut tail = tail(&member, at, TailOptions::default()).await?;
    let mut last = at;
    for round in 0..3 {
        fill(&set.client(), &archive::Namespace::new("a", format!("c{round}")), 3, 1).await?;
        let wanted: ClusterTime = set
            .client()
            .database("admin")
            .run_command(doc! { "ping": 1 })
            .await?
            .get_timestamp("operationTime")?
            .into();
        let limit = Instant::now() + Duration::from_secs(20);
        while last < wanted {
            assert!(Instant::now() < limit, "stands at {last}");
            for entry in tail.next_batch().await?.entries()? {
                last = last.max(entry_op_time(entry?)?.ts);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_snapshot_never_begins_inside_a_transaction_chain() -> Result<()> {
    // One operation per entry makes a chain of a small transaction.
    let parameter = "maxNumberOfTransactionOperationsInSingleOplogEntry";
    let set = ReplicaSet::builder().set_parameter(parameter, "1").start().await?;
    let client = set.client();
    client.database("a").create_collection("t").await?;
    let member = connect(&set.member_uri(0)).await?;
    assert_eq!(transaction_start(&member).await?, None);

    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    let collection = client.database("a").collection("t");
    for n in 0..5 {
        collection.insert_one(doc! { "_id": n }).session(&mut session).await?;
    }
    let before = majority_commit_point(&member).await?;
    session.commit_transaction().await?;

    let commit = newest_entry(&member).await?.context("the last entry of the chain")?;
    let head = chain_head(&member, &commit).await?;
    assert!(head.ts > before.ts && head.ts < entry_op_time(&commit)?.ts, "{head} {before}");
    let first = entry_at(&member, head.ts).await?.context("the head")?;
    assert!(first.get_document("o")?.get_bool("partialTxn")?);
    assert_eq!(chain_head(&member, &first).await?, head);
    let begin = safe_begin(&member).await?;
    assert!(begin.op_time.ts >= entry_op_time(&commit)?.ts, "a finished chain does not matter");
    assert_eq!(entry_op_time(&begin.entry)?, begin.op_time);

    // Had the commit point been at any other entry of the chain, the snapshot would begin before the head.
    let expected = entry_before(&member, head.ts).await?.context("an entry before the head")?;
    let mut inside = 0;
    let mut tail = tail(&member, head.ts, TailOptions::default()).await?;
    for entry in tail.next_batch().await?.entries()? {
        let at = entry_op_time(entry?)?;
        if at.ts < entry_op_time(&commit)?.ts {
            assert_eq!(begin_at_or_before(&member, at).await?.entry, expected, "{at}");
            inside += 1;
        }
    }
    assert_eq!(inside, 4);
    Ok(())
}

#[tokio::test]
async fn a_prepared_transaction_moves_the_begin_before_its_head() -> Result<()> {
    let set = ReplicaSet::builder().set_parameter("enableTestCommands", "1").start().await?;
    let client = set.client();
    client.database("a").create_collection("t").await?;
    let member = connect(&set.member_uri(0)).await?;
    let before = majority_commit_point(&member).await?;
    let mut session = client.start_session().await?;
    session.start_transaction().await?;
    client.database("a").collection("t").insert_one(doc! { "_id": 1 }).session(&mut session).await?;
    let prepare = doc! { "prepareTransaction": 1, "writeConcern": { "w": "majority" } };
    let admin = client.database("admin");
    // The driver adds session and transaction number, but this command must not start or end anything in its eyes.
    let prepared = admin.run_command(prepare).session(&mut session).await?;
    let prepared_at: ClusterTime = prepared.get_timestamp("prepareTimestamp")?.into();
    for n in 0..3 {
        client.database("a").collection("other").insert_one(doc! { "_id": n }).await?;
    }
    let start = transaction_start(&member).await?.context("an open transaction")?;
    assert!(start.ts <= prepared_at);
    let begin = safe_begin(&member).await?;
    assert!(begin.op_time.ts < start.ts, "{} is not before {start}", begin.op_time);
    assert!(begin.op_time.ts >= before.ts);
    assert!(begin.majority_committed.ts > start.ts);
    session.abort_transaction().await.ok();
    Ok(())
}
