//! The node agent against the log of a real server, as it is run beside one.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bson::{Document, doc};
use serde_json::Value;
use testkit::{Sidecar, Standalone};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

mod support;

const LIMIT: Duration = Duration::from_secs(30);

async fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    if head.contains(" 200 ") { Ok(body.to_owned()) } else { bail!("{path}: {head}\n{body}") }
}

/// The value of the first series whose line begins so and has all of these labels.
fn value(metrics: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut lines = metrics.lines().filter(|line| line.split(['{', ' ']).next() == Some(name));
    let line = lines.find(|line| labels.iter().all(|label| line.contains(label)))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn until(address: &str, name: &str, labels: &[&str], wanted: f64) -> Result<String> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let metrics = get(address, "/metrics").await;
        if let Ok(metrics) = &metrics
            && value(metrics, name, labels).is_some_and(|value| value >= wanted)
        {
            return Ok(metrics.clone());
        }
        if Instant::now() > deadline {
            bail!("{name} {labels:?} did not reach {wanted}: {metrics:?}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn free_address() -> Result<String> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// Lines of a real server (`crates/slowlog/tests/lines`), and one that is cut, in the folders of a node.
#[tokio::test(flavor = "multi_thread")]
async fn the_agent_has_the_golden_scrape() -> Result<()> {
    let logs = tempfile::tempdir()?;
    let folder = logs.path().join("db_orders-0_6b0b4ac7/mongod");
    std::fs::create_dir_all(&folder)?;
    let lines = include_str!("../../crates/slowlog/tests/lines/6.0.5.log");
    let lines = lines.lines().chain([r#"{"id":51803,"#]);
    let as_the_runtime_writes: Vec<String> =
        lines.map(|line| format!("2026-11-28T20:28:21.201000000Z stdout F {line}\n")).collect();
    std::fs::write(folder.join("0.log"), as_the_runtime_writes.concat())?;
    let address = free_address()?;
    let logs = logs.path().to_str().context("a path of letters")?;
    let mut agent = Sidecar::run(["node", "--logs", logs, "--listen", &address])?;
    agent.wait_for_log("serving /livez", LIMIT).await?;
    until(&address, "tidemark_log_files", &[], 1.0).await?;
    support::golden::assert_golden("node", async || get(&address, "/metrics").await).await?;
    assert!(agent.terminate(LIMIT).await?.success(), "{}", agent.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_queries_of_a_real_server_are_counted_across_restarts_and_rotation() -> Result<()> {
    let server = Standalone::start_with(&["--slowms", "0"]).await?;
    let orders = server.client().await?.database("shop").collection::<Document>("orders");
    let documents: Vec<Document> = (0..500).map(|n| doc! { "_id": n, "customer": "geheim", "total": n }).collect();
    orders.insert_many(documents).await?;

    let state = tempfile::tempdir()?;
    let positions = state.path().join("positions.json");
    let address = free_address()?;
    let folder = server.folder().to_str().context("a path of letters")?.to_owned();
    let arguments =
        ["node", "--logs", &folder, "--listen", &address, "--log-positions", positions.to_str().context("a path")?];
    let mut agent = Sidecar::run(arguments)?;
    agent.wait_for_log("serving /livez", LIMIT).await?;

    for _ in 0..3 {
        assert!(orders.find_one(doc! { "customer": "nobody" }).await?.is_none());
    }
    let collscan = ["coll=\"orders\"", "op=\"find\"", "plan=\"COLLSCAN\"", "pod=\"mongod.log\""];
    let metrics = until(&address, "tidemark_slow_ops_total", &collscan, 3.0).await?;
    assert_eq!(value(&metrics, "tidemark_slow_ops_total", &collscan), Some(3.0));
    let find = ["coll=\"orders\"", "op=\"find\""];
    assert_eq!(value(&metrics, "tidemark_slow_op_docs_examined_total", &find), Some(1500.0));
    assert_eq!(value(&metrics, "tidemark_slow_op_duration_seconds_count", &find), Some(3.0));
    assert_eq!(value(&metrics, "tidemark_log_lost_bytes_total", &[]), Some(0.0));
    assert_eq!(get(&address, "/livez").await?, "ok\n");
    assert_eq!(get(&address, "/readyz").await?, "ok\n");

    let report = get(&address, "/slow-queries").await?;
    assert!(!report.contains("geheim") && !report.contains("nobody") && !metrics.contains("nobody"), "{report}");
    let report: Value = serde_json::from_str(&report)?;
    let shapes = report["pods"][0]["shapes"].as_array().context("shapes")?;
    let shape = shapes.iter().find(|shape| shape["op"] == "find" && shape["coll"] == "orders").context("a find")?;
    assert_eq!(shape["count"], 3);
    assert_eq!(shape["shape_from"], "queryHash");
    assert!(shape["example"].as_str().unwrap().contains(r#""filter":{"customer":"string"}"#), "{shape}");

    // Killed; the server goes on and rotates its log: what was written meanwhile is counted, and nothing again.
    agent.kill9();
    assert!(orders.find_one(doc! { "total": -1 }).await?.is_none());
    server.client().await?.database("admin").run_command(doc! { "logRotate": 1 }).await?;
    assert!(orders.find_one(doc! { "total": -2 }).await?.is_none());
    let mut agent = Sidecar::run(arguments)?;
    agent.wait_for_log("serving /livez", LIMIT).await?;
    let metrics = until(&address, "tidemark_slow_ops_total", &collscan, 2.0).await?;
    assert_eq!(value(&metrics, "tidemark_slow_ops_total", &collscan), Some(2.0), "{}", agent.log());
    assert!(agent.terminate(LIMIT).await?.success(), "{}", agent.log());
    Ok(())
}
