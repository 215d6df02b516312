//! Positions of a scan name records by ids that are not logged: after a crash they may be others.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use anyhow::Result;
use archive::Namespace;
use mongodb::bson::{Document, doc};
use replset::ErrorKind;
use replset::scan::{ScanOptions, scan_collection};
use replset::topology::member_identity;
use support::{connect, drain, uuid_of};
use testkit::with_forgotten_record_ids;

const ABORTED: i32 = 100;
const BEFORE: i32 = 300;

#[tokio::test]
async fn a_position_from_before_a_crash_is_refused_because_it_means_another_record() -> Result<()> {
    let set = with_forgotten_record_ids("shop", "orders", ABORTED).await?;
    let orders = set.client().database("shop").collection::<Document>("orders");
    orders.insert_many((0..1000).map(|id| doc! { "_id": id })).await?;

    let name = Namespace::new("shop", "orders");
    let member = connect(&set.member_uri(0)).await?;
    let uuid = uuid_of(&member, &name).await?;
    let state = member_identity(&member).await?.state;
    assert!(state.is_some());
    let options = ScanOptions { batch_documents: Some(BEFORE.try_into()?), valid_in: state, ..ScanOptions::default() };
    let mut scan = scan_collection(&member, &name, uuid, options.clone());
    let first = scan.next_batch().await?.expect("a batch");
    assert_eq!(first.documents()?.count(), usize::try_from(BEFORE)?);
    let behind_first = ScanOptions { resume_after: first.resume_token.clone(), ..options };
    drop(scan);
    assert_eq!(
        drain(scan_collection(&member, &name, uuid, behind_first.clone())).await?.len(),
        700,
        "good as long as the member runs"
    );

    set.kill(0)?;
    set.restart(0).await?;
    let member = connect(&set.member_uri(0)).await?;
    let trusting = ScanOptions { valid_in: None, ..behind_first.clone() };
    let read = drain(scan_collection(&member, &name, uuid, trusting)).await?;
    assert_eq!(read.len(), usize::try_from(1000 - BEFORE - ABORTED)?, "what a server does that is trusted");
    let error = drain(scan_collection(&member, &name, uuid, behind_first)).await.unwrap_err();
    let error = error.downcast::<replset::ReplsetError>()?;
    assert_eq!(error.kind(), &ErrorKind::ResumeRefused, "{error}");
    assert!(error.to_string().contains("record ids"), "{error}");
    Ok(())
}
