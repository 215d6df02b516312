use std::sync::Arc;

use archive::lineage::LineageRecord;
use store::fault::{Fault, FaultStore};
use store::{ErrorKind, MemoryStore, Operation};

use super::*;
use crate::archive_store::Stores;
use crate::clock::now_text;

const TIMES: LeaseTimes = LeaseTimes {
    heartbeat: Duration::from_millis(20),
    patience: Duration::from_millis(200),
    answer: Duration::from_millis(100),
};

async fn archive_in(store: Arc<dyn store::ObjectStore>) -> ArchiveStore {
    let stores = Stores { archive: Arc::clone(&store), control: store };
    let record = LineageRecord::new("rs-1".parse().unwrap(), "rs", "1", now_text());
    ArchiveStore::open(stores, &record, false).await.unwrap()
}

async fn archive() -> ArchiveStore {
    archive_in(Arc::new(MemoryStore::new())).await
}

fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), member: None, process: None }
}

async fn take(archive: &ArchiveStore) -> Result<Lease> {
    acquire(archive, SNAPSHOT, &holder("test"), &TIMES, &CancellationToken::new()).await
}

/// As if its process was paused: it neither beats nor asks.
async fn pause(lease: &Lease) {
    lease.end.cancel();
    tokio::time::sleep(TIMES.heartbeat * 3).await;
}

#[tokio::test]
async fn a_living_holder_keeps_the_lease_and_a_released_one_is_free_at_once() {
    let archive = archive().await;
    let first = take(&archive).await.unwrap();
    let refused = take(&archive).await.unwrap_err();
    assert_eq!(refused.exit_code(), 7);
    assert!(refused.to_string().contains("test since"), "{refused}");
    first.release().await;
    let started = Instant::now();
    let second = take(&archive).await.unwrap();
    assert!(started.elapsed() < TIMES.patience);
    assert_eq!(second.epoch, 2);
}

#[tokio::test]
async fn leases_for_different_purposes_do_not_know_of_each_other() {
    let archive = archive().await;
    let _snapshot = take(&archive).await.unwrap();
    let archiver = claim(&archive, ARCHIVER, &holder("test"), &TIMES, None).await.unwrap().unwrap();
    assert_eq!(archiver.epoch, 1);
}

#[tokio::test]
async fn a_dead_holder_is_replaced_and_notices_when_it_comes_back() {
    let archive = archive().await;
    let dead = take(&archive).await.unwrap();
    pause(&dead).await;
    let started = Instant::now();
    let second = take(&archive).await.unwrap();
    assert_eq!(second.epoch, 2);
    assert!(started.elapsed() >= TIMES.patience, "nothing showed that its process is gone");
    let (asked, _seen) = watch::channel(Instant::now());
    let heart = Heart { archive: archive.clone(), purpose: SNAPSHOT, epoch: 1, times: TIMES, asked };
    heart.beat(dead.lost.clone(), CancellationToken::new()).await;
    assert!(dead.lost.is_cancelled());
    assert!(!second.lost.is_cancelled());
}

#[tokio::test]
async fn a_holder_whose_process_is_gone_is_replaced_without_waiting() {
    let archive = archive().await;
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let of_child = Holder { process: ProcessMark::of(child.id()), ..holder("child") };
    let dead = acquire(&archive, SNAPSHOT, &of_child, &TIMES, &CancellationToken::new()).await.unwrap();
    dead.end.cancel();
    child.kill().unwrap();
    child.wait().unwrap();
    let started = Instant::now();
    assert_eq!(take(&archive).await.unwrap().epoch, 2);
    assert!(started.elapsed() < TIMES.patience);
}

#[tokio::test]
async fn of_two_that_take_over_one_wins() {
    let archive = archive().await;
    let dead = take(&archive).await.unwrap();
    pause(&dead).await;
    let (one, other) = tokio::join!(take(&archive), take(&archive));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
}

#[tokio::test]
async fn an_epoch_that_was_created_although_its_reply_was_lost_is_held() {
    let faulty = FaultStore::new(Arc::new(MemoryStore::new()));
    let archive = archive_in(Arc::new(faulty.clone())).await;
    faulty.add(Fault::fail_after(Operation::Finish, ErrorKind::Unreachable).on_key("epoch-"));
    let lease = take(&archive).await.unwrap();
    assert_eq!(lease.epoch, 1);
    assert_eq!(take(&archive).await.unwrap_err().exit_code(), 7);
}

#[tokio::test]
async fn who_was_paused_gets_no_permit_before_it_has_asked() {
    let archive = archive().await;
    let lease = take(&archive).await.unwrap();
    let permit = lease.permit();
    permit.confirm().await.unwrap();
    pause(&lease).await;
    let successor = take(&archive).await.unwrap();
    let refused = tokio::time::timeout(TIMES.patience, permit.confirm()).await;
    assert!(matches!(refused, Err(_) | Ok(Err(Error::LeaseLost))), "{refused:?}");
    successor.permit().confirm().await.unwrap();
}

#[tokio::test]
async fn a_control_store_that_is_away_does_not_stop_a_holder() {
    let faulty = FaultStore::new(Arc::new(MemoryStore::new()));
    let archive = archive_in(Arc::new(faulty.clone())).await;
    let lease = take(&archive).await.unwrap();
    for operation in [Operation::List, Operation::PutMutable] {
        faulty.add(Fault::fail_before(operation, ErrorKind::Unreachable).on_key("/control/").lasting());
    }
    for _ in 0..5 {
        tokio::time::sleep(TIMES.heartbeat * 3).await;
        lease.permit().confirm().await.unwrap();
    }
    assert!(!lease.lost.is_cancelled());
}
