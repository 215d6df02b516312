//! The store proof: honest stores pass it, and each kind of liar is caught by the check that is named for it.

#![allow(clippy::unwrap_used)]

#[path = "proof/liar.rs"]
mod liar;

use std::sync::Arc;
use std::time::Duration;

use liar::{Liar, Lie};
use store::delay::DelayStore;
use store::fault::{Fault, FaultStore};
use store::{ErrorKind, FileStore, MemoryStore, ObjectStore, ObjectStoreExt, Operation, Proof, Verdict, prove};

const FOLDER: &str = "store-proof/control";

/// The names of the checks with a verdict.
fn with(proof: &Proof, verdict: Verdict) -> Vec<&'static str> {
    proof.checks.iter().filter(|check| check.verdict == verdict).map(|check| check.name).collect()
}

async fn assert_honest(store: &dyn ObjectStore, skipped: &[&str]) {
    let proof = prove(store, FOLDER).await.unwrap();
    assert!(proof.holds(), "{proof:#?}");
    assert_eq!(with(&proof, Verdict::Skipped), skipped, "{proof:#?}");
    assert_eq!(with(&proof, Verdict::Doubtful), Vec::<&str>::new(), "{proof:#?}");
}

#[tokio::test]
async fn folders_and_memory_pass_and_are_left_as_they_were() {
    let skipped = ["clock drift", "lock enforced", "control not locked"];
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn ObjectStore>; 2] =
        [Arc::new(FileStore::open_or_create(folder.path()).unwrap()), Arc::new(MemoryStore::new())];
    for store in stores {
        assert_honest(&*store, &skipped).await;
        assert!(store.list_all("").await.unwrap().is_empty());
    }
}

/// The sidecars of a replica set start together.
#[tokio::test(flavor = "multi_thread")]
async fn proofs_at_the_same_time_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn ObjectStore> = Arc::new(FileStore::open_or_create(folder.path()).unwrap());
    // Each begins while those before it are at work.
    let proving: Vec<_> = (0..20)
        .map(|turn| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(turn * 7)).await;
                prove(&*store, FOLDER).await.unwrap()
            })
        })
        .collect();
    for proof in proving {
        let proof = proof.await.unwrap();
        assert!(proof.holds(), "{proof:#?}");
    }
    assert!(store.list_all("").await.unwrap().is_empty());
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn an_s3_server_passes_with_and_without_locks() {
    let server = testkit::S3Server::start().await.unwrap();
    server.create_bucket("plain").await.unwrap();
    server.create_locked_bucket("locked").await.unwrap();
    let store = store::open(&server.url("plain", "archive")).unwrap();
    assert_honest(&*store, &["lock enforced"]).await;
    assert!(store.list_all("").await.unwrap().is_empty());
    for mode in ["compliance", "governance"] {
        let url = format!("{}&retention_days=30&retention_mode={mode}", server.url("locked", mode));
        let store = store::open(&url).unwrap();
        assert_honest(&*store, &[]).await;
        // Hidden, and gone for good after two minutes and another proof.
        assert!(store.list_all("").await.unwrap().is_empty());
        assert_honest(&*store, &[]).await;
    }
    let url = format!("{}&retention_days=30&retention_mode=compliance", server.url("plain", "archive"));
    let proof = prove(&*store::open(&url).unwrap(), FOLDER).await.unwrap();
    assert_eq!(with(&proof, Verdict::Broken), ["lock enforced"], "{proof:#?}");
}

#[cfg(feature = "s3")]
#[tokio::test]
#[ignore = "a second opinion, for the soak"]
async fn minio_passes() {
    let server = testkit::S3Server::start_as(testkit::s3_server::Kind::Minio).await.unwrap();
    server.create_locked_bucket("locked").await.unwrap();
    let url = format!("{}&retention_days=30&retention_mode=compliance", server.url("locked", "archive"));
    assert_honest(&*store::open(&url).unwrap(), &[]).await;
}

#[cfg(feature = "azure")]
#[tokio::test]
async fn azurite_passes_except_for_its_missing_locks() {
    let server = testkit::AzuriteServer::start().await.unwrap();
    server.create_container("plain").await.unwrap();
    let store = store::open(&server.url("plain", "archive")).unwrap();
    assert_honest(&*store, &["lock enforced"]).await;
    assert!(store.list_all("").await.unwrap().is_empty());

    let url = format!("{}&retention_days=30&retention_mode=compliance&deadline=5", server.url("plain", "archive"));
    let proof = prove(&*store::open(&url).unwrap(), FOLDER).await.unwrap();
    assert_eq!(with(&proof, Verdict::Broken), ["lock enforced"], "{proof:#?}");
}

#[tokio::test]
async fn every_liar_is_caught_by_the_check_that_is_named_for_it() {
    for (lie, broken) in [
        (Lie::IgnoresCreateOnly, vec!["create-only", "create-only under contention", "create-only in parts"]),
        (Lie::RacesWithItself, vec!["create-only under contention"]),
        (Lie::IgnoresCreateOnlyInParts, vec!["create-only in parts"]),
        (Lie::ListsLate, vec!["list after write", "list order"]),
        (Lie::ListsByFolder, vec!["list order"]),
        (Lie::LosesNames, vec!["list order"]),
        (Lie::IgnoresRanges, vec!["ranged read"]),
        (Lie::KeepsOldValues, vec!["overwrite in control"]),
        (Lie::KeepsDeleted, vec!["delete"]),
        (Lie::ForgetsContent, vec!["write and read"]),
        (Lie::Clock(Duration::from_hours(1)), vec!["clock drift"]),
        (Lie::ForgetsLocks, vec!["lock enforced"]),
        (Lie::PurgesLocked, vec!["lock enforced"]),
        (Lie::ShortensLocks, vec!["lock enforced"]),
    ] {
        let proof = prove(&Liar::new(lie), FOLDER).await.unwrap();
        assert_eq!(with(&proof, Verdict::Broken), broken, "{lie:?}: {proof:#?}");
        assert!(!proof.holds());
        for check in &proof.checks {
            assert!(check.verdict != Verdict::Broken || !check.remedy.is_empty(), "{check:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_far_away_is_proven_in_seconds() {
    let far = DelayStore::new(Arc::new(MemoryStore::new()), Duration::from_millis(100));
    let started = tokio::time::Instant::now();
    let proof = prove(&far, FOLDER).await.unwrap();
    assert!(proof.holds(), "{proof:#?}");
    // Of more than 200 requests, 100 ms each.
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_honest_store_with_locks_passes_and_surprises_are_told() {
    assert_honest(&Liar::new(Lie::None), &[]).await;
    for (lie, doubtful) in
        [(Lie::Clock(Duration::from_secs(90)), "clock drift"), (Lie::LocksEverything, "control not locked")]
    {
        let proof = prove(&Liar::new(lie), FOLDER).await.unwrap();
        assert_eq!((proof.holds(), with(&proof, Verdict::Doubtful)), (true, vec![doubtful]), "{lie:?}: {proof:#?}");
    }
    let store = FaultStore::new(Arc::new(MemoryStore::new()));
    store.add(Fault::fail_before(Operation::Delete, ErrorKind::PermissionDenied).lasting());
    let proof = prove(&store, FOLDER).await.unwrap();
    assert_eq!((proof.holds(), with(&proof, Verdict::Doubtful)), (true, vec!["delete"]), "{proof:#?}");
}

#[tokio::test]
async fn a_location_that_refuses_or_does_not_answer_is_told_from_one_that_lies() {
    let store = FaultStore::new(Arc::new(MemoryStore::new()));
    store.add(Fault::fail_before(Operation::Finish, ErrorKind::PermissionDenied).lasting());
    let proof = prove(&store, FOLDER).await.unwrap();
    assert_eq!(with(&proof, Verdict::Broken), ["write and read"]);
    assert!(proof.get("write and read").unwrap().remedy.contains("grant"));
    assert!(with(&proof, Verdict::Skipped).contains(&"create-only"));
    store.clear();
    store.add(Fault::fail_before(Operation::Create, ErrorKind::Unreachable).lasting());
    assert_eq!(prove(&store, FOLDER).await.unwrap_err().kind(), ErrorKind::Unreachable);
    for folder in ["", "rs0/oplog", "../control", "control/"] {
        assert_eq!(prove(&MemoryStore::new(), folder).await.unwrap_err().kind(), ErrorKind::InvalidKey, "{folder}");
    }
}
