//! `--slow-ms` and `--slow-profiler` beside a real server: what is set, what is put back, and what is counted.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bson::{Document, doc};
use serde_json::Value;
use slowlog::aggregate::Limits;
use slowlog::{Aggregate, Reader};
use support::watched::{Watched, is, sum, value};
use support::{Archive, get, start_run, until};
use testkit::ReplicaSet;

mod support;

const LIMIT: Duration = Duration::from_mins(1);

/// Level of a database, threshold and sample rate.
async fn profiling(set: &ReplicaSet, database: &str) -> Result<(i64, i64, f64)> {
    let client = set.member_client(0).await?;
    let reply = client.database(database).run_command(doc! { "profile": -1 }).await?;
    let number = |name: &str| reply.get_i64(name).or_else(|_| reply.get_i32(name).map(i64::from));
    Ok((number("was")?, number("slowms")?, reply.get_f64("sampleRate")?))
}

async fn until_profiling(set: &ReplicaSet, database: &str, wanted: (i64, i64, f64)) -> Result<()> {
    until(&format!("{database} has {wanted:?}"), LIMIT, async || {
        profiling(set, database).await.ok().filter(|found| *found == wanted).map(drop)
    })
    .await
}

async fn set_profiling(set: &ReplicaSet, database: &str, command: Document) -> Result<()> {
    set.member_client(0).await?.database(database).run_command(command).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_threshold_is_set_while_the_sidecar_runs_and_put_back_at_its_end() -> Result<()> {
    let set = ReplicaSet::single().await?;
    set_profiling(&set, "shop", doc! { "profile": 1, "slowms": 70, "sampleRate": 0.75 }).await?;
    let archive = Archive::new();
    let flags = ["--slow-ms=20", "--slow-sample-rate=0.5", "--metrics-interval=1s"];
    let (mut sidecar, listen) = start_run(&set.member_uri(0), &archive, &flags);
    until_profiling(&set, "shop", (1, 20, 0.5)).await.with_context(|| sidecar.log())?;
    until("it is shown", LIMIT, async || {
        let text = get(&listen, "/metrics").await.ok()?.1;
        let threshold = value(&text, "tidemark_slow_op_threshold_seconds")?;
        let is_shown = (threshold - 0.02).abs() < 1e-9 && is(&text, "tidemark_slow_op_sample_ratio", 0.5);
        is_shown.then_some(())
    })
    .await?;

    // The server forgets it, and is told again; what it came up with is what will be put back.
    set.restart(0).await?;
    until_profiling(&set, "admin", (0, 20, 0.5)).await.with_context(|| sidecar.log())?;
    ensure!(sidecar.terminate(LIMIT).await?.success(), "{}", sidecar.log());
    assert_eq!(profiling(&set, "admin").await?, (0, 100, 1.0), "{}", sidecar.log());

    // Somebody else's change stays.
    let (mut sidecar, _) = start_run(&set.member_uri(0), &archive, &flags);
    until_profiling(&set, "admin", (0, 20, 0.5)).await.with_context(|| sidecar.log())?;
    sidecar.wait_for_log("slow threshold set", LIMIT).await?;
    set_profiling(&set, "admin", doc! { "profile": -1, "slowms": 33 }).await?;
    ensure!(sidecar.terminate(LIMIT).await?.success(), "{}", sidecar.log());
    assert_eq!(profiling(&set, "admin").await?, (0, 33, 0.5), "{}", sidecar.log());
    assert!(sidecar.log().contains("somebody else changed the slow threshold"), "{}", sidecar.log());

    // After a crash nobody knows what was there before: the next end restores what the server was started with.
    let (mut sidecar, _) = start_run(&set.member_uri(0), &archive, &flags);
    until_profiling(&set, "admin", (0, 20, 0.5)).await.with_context(|| sidecar.log())?;
    sidecar.kill9();
    assert_eq!(profiling(&set, "admin").await?, (0, 20, 0.5));
    let (mut sidecar, _) = start_run(&set.member_uri(0), &archive, &flags);
    sidecar.wait_for_log("the slow threshold is as it shall be", LIMIT).await?;
    ensure!(sidecar.terminate(LIMIT).await?.success(), "{}", sidecar.log());
    assert_eq!(profiling(&set, "admin").await?, (0, 100, 1.0), "{}", sidecar.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_flag_or_the_privilege_nothing_is_changed() -> Result<()> {
    let set = ReplicaSet::builder().auth(true).start().await?;
    let roles = [doc! { "role": "backup", "db": "admin" }, doc! { "role": "clusterMonitor", "db": "admin" }];
    let admin = set.client().database("admin");
    admin.run_command(doc! { "createUser": "tidemark", "pwd": "secret", "roles": roles.to_vec() }).await?;
    set_profiling(&set, "admin", doc! { "profile": -1, "slowms": 44 }).await?;
    let uri = set.uri_as("tidemark", "secret");
    let archive = Archive::new();
    for flags in [&["--metrics-interval=1s"][..], &["--metrics-interval=1s", "--slow-ms=20"]] {
        let (mut sidecar, listen) = start_run(&uri, &archive, flags);
        until("the threshold is shown", LIMIT, async || {
            let text = get(&listen, "/metrics").await.ok()?.1;
            value(&text, "tidemark_slow_op_threshold_seconds").filter(|shown| (shown - 0.044).abs() < 1e-9).map(drop)
        })
        .await
        .with_context(|| sidecar.log())?;
        ensure!(sidecar.terminate(LIMIT).await?.success(), "{}", sidecar.log());
        let said = sidecar.log().matches("the slow threshold cannot be set").count();
        assert_eq!(said, flags.len() - 1, "{}", sidecar.log());
        assert_eq!(profiling(&set, "admin").await?, (0, 44, 1.0), "{}", sidecar.log());
    }
    Ok(())
}

/// Of one collection: what its shapes are called, and their figures. The command around writes is in the log only.
fn shapes(report: &Value) -> Vec<String> {
    let shapes = report["shapes"].as_array().unwrap().iter();
    let of_orders = shapes.filter(|shape| shape["coll"] == "orders" && shape["op"] != "write_command");
    let mut shown: Vec<String> = of_orders
        .map(|shape| {
            let part = |name: &str| shape[name].to_string();
            ["op", "shape", "shape_from", "count", "docs_examined", "keys_examined", "returned", "plans", "example"]
                .map(|name| format!("{name}={}", part(name)))
                .join(" ")
        })
        .collect();
    shown.sort();
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_profiler_says_the_same_as_the_log() -> Result<()> {
    // A new log after the start-up, whose operations are in no profile.
    let set = ReplicaSet::single().await?;
    set_profiling(&set, "shop", doc! { "profile": 1, "slowms": -1 }).await?;
    let watched = Watched::start_with(&set.member_uri(0), None, &[("slow_profiler", "read")]);
    watched.until("the profile is read", LIMIT, |text| is(text, "tidemark_profiler_databases", 1.0)).await?;
    let shop = set.client().database("shop");
    let orders = shop.collection::<Document>("orders");
    orders.insert_many((0..300).map(|n| doc! { "_id": n, "customer": "geheim", "total": n })).await?;
    for n in 0..3 {
        assert!(orders.find_one(doc! { "customer": "niemand", "total": n }).await?.is_none());
    }
    orders.find_one(doc! { "_id": 5 }).await?;
    orders.count_documents(doc! { "total": { "$gt": 100 } }).await?;
    orders.update_many(doc! { "total": { "$lt": 50 } }, doc! { "$set": { "customer": "geheim too" } }).await?;
    orders.delete_one(doc! { "total": 299 }).await?;
    shop.run_command(doc! { "distinct": "orders", "key": "customer" }).await?;
    shop.run_command(doc! { "count": "orders", "query": { "$expr": { "$bogus": "geheim" } } }).await.unwrap_err();

    let scans = ["coll=\"orders\"", "op=\"find\"", "plan=\"COLLSCAN\""];
    let is_complete = |text: &str| {
        sum(text, "tidemark_slow_ops_total", &scans) >= 3.0
            && sum(text, "tidemark_slow_ops_total", &["coll=\"orders\"", "op=\"distinct\""]) >= 1.0
    };
    let text = watched.until("the scans are counted", LIMIT, is_complete).await?;
    assert!((sum(&text, "tidemark_slow_ops_total", &scans) - 3.0).abs() < f64::EPSILON, "{text}");
    let find = ["coll=\"orders\"", "op=\"find\""];
    assert!(sum(&text, "tidemark_slow_op_docs_examined_total", &find) >= 900.0, "{text}");
    assert!(sum(&text, "tidemark_slow_op_duration_seconds_count", &find) >= 4.0, "{text}");
    assert!(is(&text, "tidemark_profiler_lost_entries_total", 0.0), "{text}");
    assert!(!text.contains("geheim") && !text.contains("niemand"), "{text}");

    let mut from_log = Aggregate::new(Limits::default());
    let reader = Reader::new(Some("tidemark"));
    for line in std::fs::read(set.log(0))?.split(|byte| *byte == b'\n') {
        from_log.observe(&reader.read(line), Duration::ZERO);
    }
    let from_log = shapes(&serde_json::to_value(from_log.report())?);
    let read = || -> Result<Vec<String>> {
        let report = watched.board.metrics.slow.report().context("a report")?;
        ensure!(!String::from_utf8_lossy(&report).contains("geheim"), "a value in the report");
        let report: Value = serde_json::from_slice(&report)?;
        assert_eq!(report["pods"][0]["pod"], set.hosts()[0].as_str());
        Ok(shapes(&report["pods"][0]))
    };
    let same =
        until("both say the same", Duration::from_secs(15), async || (read().ok()? == from_log).then_some(())).await;
    if same.is_err() {
        assert_eq!(read()?, from_log);
    }
    assert!(from_log.len() >= 8, "{from_log:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_overwritten_unread_is_counted_as_lost() -> Result<()> {
    let set = ReplicaSet::single().await?;
    let shop = set.client().database("shop");
    shop.run_command(doc! { "create": "system.profile", "capped": true, "size": 65_536 }).await?;
    set_profiling(&set, "shop", doc! { "profile": 1, "slowms": -1 }).await?;
    let archive = Archive::new();
    let (sidecar, listen) = start_run(&set.member_uri(0), &archive, &["--slow-profiler=read", "--metrics-interval=1s"]);
    let scrape = async || Some(get(&listen, "/metrics").await.ok()?.1);
    let read = |text: &str| value(text, "tidemark_profiler_read_entries_total");
    let lost = |text: &str| value(text, "tidemark_profiler_lost_entries_total");
    until("the profile is read", LIMIT, async || {
        scrape().await.filter(|text| is(text, "tidemark_profiler_databases", 1.0))
    })
    .await
    .with_context(|| sidecar.log())?;
    let missing = shop.collection::<Document>("missing");
    missing.find_one(doc! { "n": 0 }).await?;
    until("an entry is read", LIMIT, async || scrape().await.filter(|text| read(text) >= Some(1.0))).await?;
    sidecar.pause()?;
    for n in 0..500 {
        missing.find_one(doc! { "n": n }).await?;
    }
    sidecar.resume()?;
    let counted = |text: &str| sum(text, "tidemark_slow_ops_total", &["coll=\"missing\"", "op=\"find\""]);
    // What was read of the profile and what was counted of it are published one after the other.
    let text = until("it has caught up", LIMIT, async || {
        let is_complete = |text: &String| {
            let (read, lost) = read(text).zip(lost(text))?;
            Some(read + lost >= 501.0 && counted(text) + lost >= 501.0)
        };
        scrape().await.filter(|text| is_complete(text).unwrap_or(false))
    })
    .await
    .with_context(|| sidecar.log())?;
    let (read, lost) = (read(&text).unwrap(), lost(&text).unwrap());
    assert!(lost > 100.0 && read > 10.0, "{read} read, {lost} lost");
    let counted = counted(&text);
    assert!(counted <= 501.0, "{counted} of 501 counted, {lost} lost");
    let (status, report) = get(&listen, "/slow-queries").await?;
    assert!(status == 200 && report.contains("\"coll\":\"missing\""), "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_profiler_is_turned_on_where_asked_and_off_again() -> Result<()> {
    let set = ReplicaSet::single().await?;
    for name in ["shop", "billing", "other"] {
        set.client().database(name).collection("c").insert_one(doc! { "_id": 1 }).await?;
    }
    set_profiling(&set, "billing", doc! { "profile": 2 }).await?;
    let archive = Archive::new();
    let flags = ["--slow-profiler=on", "--slow-profiler-databases=shop,billing", "--metrics-interval=1s"];
    let (mut sidecar, listen) = start_run(&set.member_uri(0), &archive, &flags);
    until_profiling(&set, "shop", (1, 100, 1.0)).await.with_context(|| sidecar.log())?;
    until("both are read", LIMIT, async || {
        get(&listen, "/metrics").await.ok().filter(|(_, text)| is(text, "tidemark_profiler_databases", 2.0))
    })
    .await?;
    assert_eq!(profiling(&set, "other").await?.0, 0);
    set.restart(0).await?;
    until_profiling(&set, "shop", (1, 100, 1.0)).await.with_context(|| sidecar.log())?;
    set_profiling(&set, "billing", doc! { "profile": 2 }).await?;
    ensure!(sidecar.terminate(LIMIT).await?.success(), "{}", sidecar.log());
    assert_eq!(profiling(&set, "shop").await?.0, 0, "{}", sidecar.log());
    assert_eq!(profiling(&set, "billing").await?.0, 2, "it was not the sidecar's: {}", sidecar.log());

    let (mut sidecar, _) = start_run(&set.member_uri(0), &archive, &flags);
    until_profiling(&set, "shop", (1, 100, 1.0)).await.with_context(|| sidecar.log())?;
    sidecar.wait_for_log("profiler turned on", LIMIT).await?;
    set_profiling(&set, "shop", doc! { "profile": 2 }).await?;
    ensure!(sidecar.terminate(LIMIT).await?.success(), "{}", sidecar.log());
    assert_eq!(profiling(&set, "shop").await?.0, 2, "somebody else's: {}", sidecar.log());
    Ok(())
}
