//! The pages of live sidecars in a real browser, on a phone and on a desk, without scripts. The pictures are written to
//! `TIDEMARK_SCREENSHOTS` (or to the target folder) for people to look at.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;
use archive::drill::DrillReport;
use archive::gap::{Gap, GapReason};
use bson::{Document, doc};
use serde_json::Value;
use support::{Archive, fill, get, note, start_run, until};
use testkit::browser::{Browser, Tab, View};
use testkit::{ReplicaSet, Sidecar, Standalone};

#[path = "support/documented.rs"]
mod documented;
mod support;

const LIMIT: Duration = Duration::from_mins(1);
/// What the style sheet draws windows and gaps in, by daylight.
const WINDOW: [u8; 3] = [0x2d, 0xa4, 0x4e];
const GAP: [u8; 3] = [0xd1, 0x24, 0x2f];
/// Pixels of the legend on a phone, and some more.
const LEGEND: usize = 600;

fn folder() -> PathBuf {
    let named = std::env::var_os("TIDEMARK_SCREENSHOTS").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots"))
}

/// A picture that was decoded.
struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info()?;
        let mut buffer = vec![0; reader.output_buffer_size().context("a picture of a possible size")?];
        let info = reader.next_frame(&mut buffer)?;
        let samples = info.color_type.samples();
        ensure!(samples >= 3, "{:?}", info.color_type);
        let pixels = buffer[..info.buffer_size()].chunks_exact(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]);
        Ok(Self { width: info.width, height: info.height, pixels: pixels.collect() })
    }

    fn count(&self, colour: [u8; 3]) -> usize {
        self.pixels.iter().filter(|pixel| **pixel == colour).count()
    }
}

/// Shows the page as `view` says, writes a picture, and checks what holds for every page.
async fn shown(browser: &mut Browser, url: &str, name: &str, view: View) -> Result<(Tab, Picture)> {
    let tab = browser.open(url, view).await?;
    let bytes = browser.screenshot(&tab).await?;
    std::fs::create_dir_all(folder())?;
    std::fs::write(folder().join(format!("{name}.png")), &bytes)?;
    let picture = Picture::decode(&bytes)?;
    assert_eq!(picture.width, view.width * view.scale, "{name}");
    assert!(picture.height >= view.height * view.scale, "{name}: {}", picture.height);
    let colours: BTreeSet<[u8; 3]> = picture.pixels.iter().copied().collect();
    assert!(colours.len() > 50, "{name} is blank: {} colours", colours.len());
    let widest = "Math.max(...[...document.querySelectorAll('body *')].map(e => e.getBoundingClientRect().right))";
    for wide in ["document.documentElement.scrollWidth", widest] {
        let wide = browser.evaluate(&tab, wide).await?.as_f64().context("a width")?;
        assert!(wide <= f64::from(view.width) + 0.5, "{name}: {wide} is wider than {}", view.width);
    }
    let ground = browser.evaluate(&tab, "getComputedStyle(document.documentElement).backgroundColor").await?;
    let expected = if view.dark { "rgb(15, 20, 25)" } else { "rgb(244, 245, 247)" };
    assert_eq!(ground, expected, "{name}: the style is not in force");
    let complaints = browser.complaints();
    assert!(complaints.is_empty(), "{name}: the browser complains: {complaints:?}");
    Ok((tab, picture))
}

/// Everything that a person must be able to read.
async fn assert_reads(browser: &mut Browser, tab: &Tab, texts: &[&str]) -> Result<()> {
    let visible = browser.visible_text(tab).await?;
    for text in texts {
        assert!(visible.contains(text), "`{text}` cannot be seen in:\n{visible}");
    }
    Ok(())
}

async fn status_until(listen: &str, what: &str, check: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut last = Value::Null;
    let found = until(what, LIMIT, async || {
        last = serde_json::from_str(&get(listen, "/status").await.ok()?.1).ok()?;
        check(&last).then(|| last.clone())
    });
    let found = found.await;
    let found = found.with_context(|| format!("{last:#}"))?;
    let table = documented::Table::parse(include_str!("../../docs/status-json.md"));
    assert_eq!(table.problems(&found, &mut BTreeSet::new()), Vec::<String>::new());
    Ok(found)
}

/// A drill that passed, as `dr-cli drill` leaves it.
fn add_drill(archive: &Archive) -> Result<()> {
    let snapshot = archive.manifests().remove(0);
    let mut drill = DrillReport::from_json(include_bytes!("../../crates/archive/tests/golden/drill.json"))?;
    drill.lineage = snapshot.lineage;
    drill.recovery_time_objective.actual_seconds = Some(95);
    let drill = drill.judged();
    write(archive, &drill.key().to_string(), &drill.to_json()?)
}

fn write(archive: &Archive, key: &str, body: &[u8]) -> Result<()> {
    let path = archive.path().join(key);
    std::fs::create_dir_all(path.parent().unwrap())?;
    Ok(std::fs::write(path, body)?)
}

const FLAGS: [&str; 3] = ["--metrics-interval=1s", "--rto-target=1h", "--snapshot-schedule=0 3 * * *"];

#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_of_a_live_replica_set_is_good_and_can_be_read_everywhere() -> Result<()> {
    let mut browser = Browser::start().await?;
    let builder = ReplicaSet::builder().members(3).set_name("shop").set_parameter("periodicNoopIntervalSecs", "1");
    let set = builder.start().await?;
    fill(&set, "shop", "orders", 0, 2000, 200).await?;
    let archive = Archive::new();
    let (mut first, _) = start_run(&set.uri(), &archive, &FLAGS);
    first.wait_for_log("snapshot published", LIMIT).await?;
    first.terminate(LIMIT).await?;
    add_drill(&archive)?;
    let (running, listen) = start_run(&set.uri(), &archive, &FLAGS);
    let status = status_until(&listen, "a good verdict", |status| {
        let seconds = |end: &str| -> Option<u32> {
            status["holdings"]["windows"][0][end].as_str()?.parse::<ClusterTime>().ok().map(|at| at.seconds)
        };
        let is_visible = seconds("from").zip(seconds("through")).is_some_and(|(from, through)| through > from + 5);
        is_visible && status["verdict"]["level"] == "good" && status["verified"] != Value::Null
    });
    let status = status.await.with_context(|| running.log())?;

    let url = format!("http://{listen}/?reload=off");
    let (tab, phone) = shown(&mut browser, &url, "status-good-phone", View::PHONE).await?;
    let hosts = set.hosts();
    let archived = status["member"].as_str().unwrap().to_owned();
    let mut texts = vec![
        "All is well",
        "can be restored, without a gap",
        "Nothing, as far as this sidecar knows",
        "dr-cli plan --to latest",
        "Archive lag (RPO)",
        "Last drill (RTO)",
        "PASS",
        "1 min 35 s",
        "PRIMARY",
        "SECONDARY",
        "is archived",
        "sidecar node",
        " UTC",
        &archived,
    ];
    texts.extend(hosts.iter().map(String::as_str));
    assert_reads(&mut browser, &tab, &texts).await?;
    assert!(phone.count(WINDOW) > 10 * LEGEND, "the window is drawn: {}", phone.count(WINDOW));
    assert!(phone.count(GAP) < LEGEND, "there is no gap: {}", phone.count(GAP));
    shown(&mut browser, &url, "status-good-desktop", View::DESKTOP).await?;
    shown(&mut browser, &url, "status-good-dark", View::DESKTOP.dark()).await?;
    shown(&mut browser, &url, "status-good-phone-dark", View::PHONE.dark()).await?;
    Ok(())
}

/// As if the oplog had been overwritten before a slice in the middle was archived.
fn tear_a_gap(archive: &Archive) -> Result<()> {
    let lineage = archive.manifests().remove(0).lineage;
    let mut slices = archive.slices();
    slices.sort_by_key(|slice| slice.id.through);
    let end = archive.manifests().remove(0).end;
    let torn = slices.iter().find(|slice| slice.id.after > end).context("a slice behind the snapshot")?;
    std::fs::remove_file(archive.path().join(torn.id.key(&lineage, false).to_string()))?;
    let gap = Gap::new(torn.id.after, torn.id.through, GapReason::OplogOverrun, "2026-11-22T02:00:00Z", "");
    write(archive, &gap.key(&lineage).to_string(), &gap.to_json()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_said_first_with_what_to_do() -> Result<()> {
    let mut browser = Browser::start().await?;
    let set = ReplicaSet::builder().set_name("shop").set_parameter("periodicNoopIntervalSecs", "1").start().await?;
    fill(&set, "shop", "orders", 0, 200, 200).await?;
    let archive = Archive::new();
    let (mut first, _) = start_run(&set.uri(), &archive, &FLAGS);
    first.wait_for_log("snapshot published", LIMIT).await?;
    until("slices behind the snapshot", LIMIT, async || {
        note(&set, "more").await.unwrap();
        let end = archive.manifests().first()?.end;
        (archive.slices().iter().filter(|slice| slice.id.after > end).count() >= 4).then_some(())
    })
    .await?;
    first.terminate(LIMIT).await?;
    tear_a_gap(&archive)?;
    let (running, listen) = start_run(&set.uri(), &archive, &FLAGS);
    status_until(&listen, "the gap", |status| status["holdings"]["gaps_total"] == 1).await?;
    set.kill(0)?;
    let down = |status: &Value| status["server"]["up"] == false && status["verdict"]["level"] == "act_now";
    status_until(&listen, "a server that is down", down).await.with_context(|| running.log())?;

    let url = format!("http://{listen}/?reload=off");
    let (tab, phone) = shown(&mut browser, &url, "status-trouble-phone", View::PHONE).await?;
    let texts = [
        "Act now",
        "The server beside this sidecar does not answer",
        "sidecar check",
        "docs/runbooks/MongodDown.md",
        "docs/runbooks/ArchiveGap.md",
        "dr-cli status",
        "export TIDEMARK_ARCHIVE=",
        "oplog_overrun",
        "lost",
    ];
    assert_reads(&mut browser, &tab, &texts).await?;
    assert!(phone.count(GAP) > LEGEND, "the gap is drawn: {}", phone.count(GAP));
    let visible = browser.visible_text(&tab).await?;
    assert!(!visible.contains("All is well"), "{visible}");
    assert!(visible.find("Act now") < visible.find("What can be restored"), "{visible}");
    shown(&mut browser, &url, "status-trouble-desktop", View::DESKTOP).await?;
    shown(&mut browser, &url, "status-trouble-dark", View::DESKTOP.dark()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_queries_of_a_live_server_can_be_read_everywhere_and_have_no_values() -> Result<()> {
    let mut browser = Browser::start().await?;
    let server = Standalone::start_with(&["--slowms", "0"]).await?;
    let orders = server.client().await?.database("shop").collection::<Document>("orders");
    let documents: Vec<Document> = (0..3000).map(|n| doc! { "_id": n, "customer": "geheim", "total": n }).collect();
    orders.insert_many(documents).await?;
    for n in 0..5 {
        let found = orders.find_one(doc! { "customer": "nobody", "total": { "$gt": n } }).await?;
        assert!(found.is_none());
        orders.update_one(doc! { "_id": n }, doc! { "$set": { "customer": "geheim" } }).await?;
        orders.count_documents(doc! { "<script>alert(1)</script>": "geheim" }).await?;
    }
    let listen = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.local_addr()?.to_string()
    };
    let folder = server.folder().to_str().context("a path of letters")?.to_owned();
    let agent = Sidecar::run_program(
        Path::new(support::BINARY),
        ["node", "--logs", &folder, "--listen", &listen],
        &[("RUST_BACKTRACE", "0")],
    )?;
    until("shapes", LIMIT, async || {
        let report: Value = serde_json::from_str(&get(&listen, "/slow-queries").await.ok()?.1).ok()?;
        let shapes = report["pods"][0]["shapes"].as_array()?;
        let has = |op: &str| shapes.iter().any(|shape| shape["op"] == op && shape["coll"] == "orders");
        (has("find") && has("update")).then_some(())
    })
    .await
    .with_context(|| agent.log())?;

    // A browser that follows a link to the JSON gets the page.
    let url = format!("http://{listen}/slow-queries?reload=off");
    let (tab, _) = shown(&mut browser, &url, "slow-queries-phone", View::PHONE).await?;
    let texts = ["Slow queries", "shop.orders", "COLLSCAN", "CPU", r#""customer":"string""#, "queryHash", "last 20"];
    assert_reads(&mut browser, &tab, &texts).await?;
    let html = browser.evaluate(&tab, "document.documentElement.outerHTML").await?;
    let html = html.as_str().context("a page")?;
    assert!(!html.contains("geheim") && !html.contains("nobody"), "a value is shown");
    assert!(html.contains("&lt;script&gt;alert(1)"), "a hostile name is shown as text");
    let url = format!("http://{listen}/slow-queries.html?reload=off");
    shown(&mut browser, &url, "slow-queries-desktop", View::DESKTOP).await?;
    shown(&mut browser, &url, "slow-queries-dark", View::DESKTOP.dark()).await?;
    Ok(())
}
