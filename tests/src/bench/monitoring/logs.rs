//! Lines that a real server wrote, read as fast as it goes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use slowlog::aggregate::{Aggregate, Limits};
use slowlog::line::Reader;
use testkit::Standalone;
use testkit::mongod::temp_folder;

use super::super::table::{Row, Table};
use super::super::{Options, progress};
use super::{agent, memory};
use crate::programs::{page, resident_of, size};

const SLOW_MEGABYTES: f64 = 150.0;
const SKIPPED_MEGABYTES: f64 = 1000.0;
const MARK: &[u8] = br#""id":51803"#;
const READ: usize = 1 << 30;
const LOGS: usize = 10;
const EACH: usize = 20 << 20;
const RESIDENT: u64 = 30 << 20;

pub async fn measure(options: &Options, table: &mut Table) -> Result<()> {
    progress("the log of a server whose operations all count as slow");
    let log = written().await?;
    let of = |slow: bool| -> Vec<&[u8]> {
        let lines = log.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.filter(|line| memchr::memmem::find(line, MARK).is_some() == slow).collect()
    };
    let (slow, others) = (of(true), of(false));
    ensure!(slow.len() > 1000 && others.len() > 20, "{} slow lines, {} others", slow.len(), others.len());
    let bytes = if options.quick { READ / 10 } else { READ };
    for (what, lines, goal) in
        [("slow-query lines", &slow, SLOW_MEGABYTES), ("other lines, skipped", &others, SKIPPED_MEGABYTES)]
    {
        let speed = read(lines, bytes);
        let average = lines.iter().map(|line| line.len()).sum::<usize>() / lines.len();
        table.push(Row {
            what: format!("{what}, read by one thread"),
            value: format!("{speed:.0} MB/s, {average} bytes each"),
            against: "—".to_owned(),
            ratio: Some(speed / goal),
            goal: format!("≥ {goal} MB/s"),
            met: Some(speed >= goal),
        });
    }
    following(&slow, table).await
}

/// Commands of different kinds and shapes, all logged.
async fn written() -> Result<Vec<u8>> {
    let server = Standalone::start_with(&["--slowms", "0"]).await?;
    let database = server.client().await?.database("shop");
    let names = ["orders", "customers", "items"].into_iter().cycle();
    for (number, name) in (0..600_i32).zip(names) {
        let orders = database.collection::<Document>(name);
        let id = format!("{number:06}");
        orders.insert_one(doc! { "_id": &id, "customer": "somebody", "total": number }).await?;
        orders.find_one(doc! { "customer": &id, "total": { "$gt": number, "$lt": number + 10 } }).await?;
        orders
            .update_one(doc! { "_id": &id }, doc! { "$set": { "state": "sent", "at": bson::DateTime::now() } })
            .await?;
        if number % 10 == 0 {
            let stages = vec![
                doc! { "$match": { "total": { "$gte": 0 } } },
                doc! { "$group": { "_id": "$customer", "sum": { "$sum": "$total" } } },
            ];
            orders.aggregate(stages).await?;
        }
    }
    std::fs::read(server.folder().join("mongod.log")).context("read the server's log")
}

/// Megabytes (10⁶ bytes) in a second.
#[allow(clippy::cast_precision_loss, reason = "a rate")]
fn read(lines: &[&[u8]], bytes: usize) -> f64 {
    let reader = Reader::new(Some("tidemark"));
    let mut aggregate = Aggregate::new(Limits::default());
    let (mut done, started) = (0, Instant::now());
    while done < bytes {
        for line in lines {
            aggregate.observe(&reader.read(line), started.elapsed());
            done += line.len() + 1;
        }
    }
    done as f64 / 1e6 / started.elapsed().as_secs_f64()
}

/// The agent over the logs of ten pods, all of which it has read.
async fn following(slow: &[&[u8]], table: &mut Table) -> Result<()> {
    progress(&format!("{LOGS} logs of {}", size(EACH as u64)));
    let folder = temp_folder("logs")?;
    let mut text = Vec::with_capacity(EACH);
    for line in slow.iter().cycle() {
        text.extend_from_slice(line);
        text.push(b'\n');
        if text.len() >= EACH {
            break;
        }
    }
    for pod in 0..LOGS {
        let container = folder.path().join(format!("shop_orders-db-{pod}_uid-{pod}/mongod"));
        std::fs::create_dir_all(&container).context("make a pod's folder")?;
        // No two logs begin alike.
        let first = format!("{{\"t\":{{\"$date\":\"2026-11-29T00:00:00.{pod:03}Z\"}},\"s\":\"I\"}}\n");
        std::fs::write(container.join("0.log"), [first.as_bytes(), &text].concat()).context("write a pod's log")?;
    }
    let (agent, port) = agent(folder.path()).await?;
    let (started, mut peak) = (Instant::now(), 0);
    loop {
        peak = peak.max(resident_of(agent.pid()).context("the agent ended")?);
        let metrics = page(port, "/metrics").await?.1;
        let read = metrics.lines().filter(|line| line.starts_with("tidemark_log_read_bytes_total"));
        let read: f64 = read.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        #[allow(clippy::cast_precision_loss, reason = "a size")]
        if read >= (LOGS * EACH) as f64 {
            break;
        }
        ensure!(started.elapsed() < Duration::from_mins(5), "the agent does not get on: {read} bytes");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    memory(table, &format!("memory of `sidecar node` that follows {LOGS} logs, highest"), peak, RESIDENT);
    Ok(())
}
