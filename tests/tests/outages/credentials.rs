//! Credentials that expire or may do less than is needed: said by name, never taken for an empty archive, and outlived.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Bucket, Scenario};
use mongodb::bson::doc;
use testkit::processes;
use testkit::proxy::Fault;

const EXPIRED: &str = "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>";
const DENIED: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";

fn expired() -> Fault {
    Fault::status("400 Bad Request", "", EXPIRED)
}

/// Case 32: 403 in the middle of everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_expire_in_the_middle_are_named_and_archiving_goes_on_with_new_ones() -> Result<()> {
    let bucket = Bucket::start().await?;
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("&deadline=2");
    scenario.insert("shop", "orders", [doc! { "_id": 0 }]).await?;
    scenario.begin_archiving().await?;
    bucket.proxy.plan(|_| expired());
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    scenario.sidecar()?.wait_for_log("renew the credentials", Duration::from_secs(20)).await?;
    for command in [
        &["status"][..],
        &["verify"],
        &["restore", "--to", "latest", "--destination", "mongodb://127.0.0.1:1/", "--yes"],
    ] {
        let refused = scenario.cli(command).await?;
        let error = refused.json()?["error"].clone();
        ensure!(refused.exit_code == 8, "{command:?}: {refused:?}");
        ensure!(error["what"].as_str().is_some_and(|what| what.contains("renew the credentials")), "{error}");
    }
    ensure!(scenario.sidecar()?.is_running(), "{}", scenario.sidecar_log());
    bucket.proxy.plan(|_| Fault::Pass);
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    ensure!(scenario.status().await?["gaps"].as_array().is_some_and(Vec::is_empty));
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// A sidecar that ends because of its credentials would be started again and again, and take its member out of service.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_refuses_at_the_start_is_waited_for_and_said() -> Result<()> {
    let bucket = Bucket::start().await?;
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("&deadline=2");
    scenario.insert("shop", "orders", [doc! { "_id": 0 }]).await?;
    bucket.proxy.plan(|_| Fault::status("403 Forbidden", "", DENIED));
    scenario.start_sidecar()?;
    scenario.sidecar()?.wait_for_log("not started yet", Duration::from_secs(30)).await?;
    scenario.sidecar()?.wait_for_log("permission", Duration::from_secs(30)).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure!(scenario.sidecar()?.is_running(), "{}", scenario.sidecar_log());
    bucket.proxy.plan(|_| Fault::Pass);
    scenario.wait_for_snapshots(1).await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// S3 lists by a query on the bucket.
fn is_a_listing(head: &str) -> bool {
    head.starts_with("GET ") && head.lines().next().is_some_and(|line| line.contains("list-type=2"))
}

/// Case 19: who may write and read, but not list, has no empty archive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_that_is_denied_is_told_and_not_taken_for_an_empty_archive() -> Result<()> {
    let bucket = Bucket::start().await?;
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("&deadline=2");
    scenario.insert("shop", "orders", [doc! { "_id": 0 }]).await?;
    scenario.begin_archiving().await?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let manifests = scenario.archive.manifests()?;

    bucket.proxy.plan(|_| {
        Fault::AnswerIf(is_a_listing, {
            let Fault::Answer(answer) = Fault::status("403 Forbidden", "", DENIED) else { return Fault::Reset };
            answer
        })
    });
    let says_so = |text: &str| text.contains("list") && text.contains("permission");
    for command in [&["status"][..], &["list"], &["verify"], &["plan", "--to", "latest"]] {
        let refused = scenario.cli(command).await?;
        let error = refused.json()?["error"].clone();
        ensure!(refused.exit_code == 8 && says_so(&error.to_string()), "{command:?}: {refused:?}");
    }
    for command in ["snapshot", "check"] {
        let refused = processes::sidecar(scenario.sidecar_arguments(command)).await?;
        let said = format!("{}{}", refused.stdout, refused.stderr);
        ensure!(refused.exit_code == 8 && says_so(&said), "{command}: {refused:?}");
    }
    ensure!(scenario.archive.manifests()? == manifests);
    bucket.proxy.plan(|_| Fault::Pass);
    scenario.assert_restores(&moment).await?;
    Ok(())
}

/// A bucket that somebody deleted is an error, and stays one: nobody starts an archive anew in its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_deleted_under_a_running_sidecar_is_an_error_and_no_new_archive() -> Result<()> {
    let bucket = Bucket::start().await?;
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("&deadline=2");
    scenario.insert("shop", "orders", [doc! { "_id": 0 }]).await?;
    scenario.begin_archiving().await?;
    let folder = scenario.archive.path().parent().map(std::path::Path::to_owned);
    let folder = folder.ok_or_else(|| anyhow::anyhow!("the folder of the bucket"))?;
    let aside = folder.with_extension("aside");
    std::fs::rename(&folder, &aside)?;
    scenario.insert("shop", "orders", [doc! { "_id": 1 }]).await?;
    scenario.sidecar()?.wait_for_log("slice not published", Duration::from_secs(20)).await?;
    let refused = scenario.cli(&["status"]).await?;
    ensure!(refused.exit_code == 8 && refused.stdout.contains("bucket"), "{refused:?}");
    ensure!(scenario.sidecar()?.is_running() && !folder.exists(), "{}", scenario.sidecar_log());
    std::fs::rename(&aside, &folder)?;
    let moment = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    scenario.assert_restores(&moment).await?;
    Ok(())
}
