//! Practice restores: what they prove, what they catch, and that nothing stays behind.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use archive::Namespace;
use archive::encryption::Identities;
use archive::reference::{MissingCollection, MissingReason, Reference};
use archive::signature::VerifyingKey;
use e2e::{ArchiveFolder, Bucket, Drills, Scenario, destination, scenario};
use mongodb::bson::{DateTime, Document, doc};
use serde_json::Value;
use testkit::processes;
use testkit::proxy::Fault;

/// A key without a password, made by `minisign -G -W`, and its public half.
const SECRET_KEY: &str = "untrusted comment: minisign encrypted secret key
RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA4q0oTNVUPUmv1qsueaNtZhxssam90SYw36+YxVd7VYo4MYQg/ZOyvVX8+vZlOUTJ/2shHCs2MdfUuoioOivO+btC0dLO2O0eAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
";
const PUBLIC_KEY: &str = "untrusted comment: minisign public key 493D54D54C28ADE2
RWTirShM1VQ9SVX8+vZlOUTJ/2shHCs2MdfUuoioOivO+btC0dLO2O0e
";

const QUERIES: &str = r#"
[[query]]
name = "all orders"
namespace = "shop.orders"
count = 500

[[query]]
name = "orders by state"
namespace = "shop.orders"
pipeline = [{ "$group" = { _id = "$state", n = { "$sum" = 1 } } }]
documents = [{ _id = "open", n = 250 }, { _id = "paid", n = 250 }]
"#;

fn orders(range: std::ops::Range<i32>) -> impl Iterator<Item = Document> {
    range.map(|id| doc! { "_id": id, "state": if id % 2 == 0 { "open" } else { "paid" }, "text": "x".repeat(200) })
}

/// Documents of several kinds, an archive, a reference that it reaches, and writes after it.
pub async fn referenced() -> Result<Scenario> {
    referenced_by(Scenario::start().await?).await
}

async fn referenced_by(mut scenario: Scenario) -> Result<Scenario> {
    scenario.insert("shop", "orders", orders(0..400)).await?;
    scenario.run("shop", doc! { "create": "series", "timeseries": { "timeField": "t", "metaField": "m" } }).await?;
    scenario.run("shop", doc! { "create": "view", "viewOn": "orders", "pipeline": [] }).await?;
    scenario.begin_archiving().await?;
    let points = (0..200_i64).map(|n| doc! { "t": DateTime::from_millis(n * 60_000), "m": n % 3, "v": n });
    scenario.insert("shop", "series", points).await?;
    scenario.insert("shop", "orders", orders(400..500)).await?;
    scenario
        .run("shop", doc! { "update": "orders", "updates": [{ "q": { "_id": 3 }, "u": { "$set": { "n": 1 } } }] })
        .await?;
    scenario.now().await?;
    scenario.take_reference().await?;
    scenario.insert("shop", "orders", orders(500..600)).await?;
    scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    Ok(scenario)
}

fn the_reference(archive: &ArchiveFolder) -> Result<(String, Reference)> {
    let keys = archive.keys(|key| matches!(key, archive::layout::ObjectKey::Reference { .. }))?;
    let key = keys.first().context("a reference")?.clone();
    let reference = Reference::from_json(&archive.read(&key)?)?;
    Ok((key, reference))
}

pub fn reasons(drilled: &Value) -> String {
    drilled["verdict_reasons"].to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_to_the_reference_passes_and_leaves_a_signed_report_and_nothing_else() -> Result<()> {
    let scenario = referenced().await?;
    let (archive, drills) = (&scenario.archive, Drills::new()?);
    let before = archive.contents("")?;
    let (_, reference) = the_reference(archive)?;
    let (queries, key) = (drills.write("queries.toml", QUERIES)?, drills.write("key", SECRET_KEY)?);
    let reports = drills.reports().display().to_string();
    let more = ["--queries", &queries, "--sign-key", &key, "--report-dir", &reports, "--rto", "10m", "--rpo", "1h"];
    let drilled = drills.ends(archive, &more, 0).await?;
    ensure!(drilled["verdict"] == "PASS", "{drilled}");
    let report = &drilled["report"];
    ensure!(report["recovery_point"]["rule"] == "reference", "{report}");
    ensure!(report["recovery_point"]["resolved"] == reference.at.to_string(), "{report}");
    let integrity = &report["integrity"];
    ensure!(integrity["comparison"]["equal"] == reference.collections.len(), "{integrity}");
    ensure!(reference.collections.len() >= 2, "orders and the buckets of the series: {reference:?}");
    ensure!(integrity["objects"].as_u64() > Some(3) && integrity["bytes"].as_u64() > Some(1_000), "{integrity}");
    let validated = integrity["checks"].as_array().context("checks")?.iter();
    let validated = validated.filter(|check| check["name"].as_str().is_some_and(|name| name.starts_with("validate")));
    ensure!(validated.clone().count() == reference.collections.len(), "{integrity}");
    ensure!(validated.clone().all(|check| check["outcome"] == "passed"), "{integrity}");
    ensure!(report["queries"].as_array().is_some_and(|asked| asked.len() == 2), "{report}");
    let control = &report["negative_control"];
    ensure!(control["was_detected"] == true, "{control}");
    for part in ["/data/", "/oplog/"] {
        ensure!(control["fault"].as_str().is_some_and(|fault| fault.contains(part)), "{part}: {control}");
    }
    ensure!(report["recovery_time_objective"]["actual_seconds"].as_u64() > Some(0), "{report}");
    ensure!(report["clean_up"]["outcome"] == "passed", "{report}");
    ensure!(report["usability"][0]["outcome"] == "passed", "{report}");

    let page = include_str!("../../../docs/cli-json.md");
    for field in drilled.as_object().context("an object")?.keys() {
        ensure!(
            page.contains(&format!("`{field}`")) || page.contains(&format!("`{field}[]`")),
            "`{field}` is not on the page"
        );
    }

    // What is stored is what was printed, and vouched for by the key.
    let stored: Vec<&str> = drilled["stored"].as_array().context("stored")?.iter().filter_map(Value::as_str).collect();
    ensure!(stored.len() == 3, "{stored:?}");
    let json = archive.read(stored.last().context("the report")?)?;
    ensure!(serde_json::from_slice::<Value>(&json)? == *report, "the stored report is another one");
    let signature = stored.iter().find(|key| key.ends_with(".minisig")).context("the signature")?;
    let signature = String::from_utf8(archive.read(signature)?)?;
    let comment = VerifyingKey::parse(PUBLIC_KEY)?.verify(&json, &signature)?;
    ensure!(comment.ends_with("PASS"), "{comment}");
    let id = drilled["drill_id"].as_str().context("an id")?;
    ensure!(std::fs::read(drills.reports().join(format!("{id}.json")))? == json, "the copy is another one");
    ensure!(std::fs::read_to_string(drills.reports().join(format!("{id}.md")))?.contains(": PASS"), "no text");
    let last = scenario.status().await?["last_drill"].clone();
    ensure!(last["id"] == id && last["verdict"] == "PASS" && last["at"] == report["finished_at"], "{last}");
    // The overlay was private, and what protected the objects is gone.
    let after: Vec<_> = archive.contents("")?.into_iter().filter(|(key, _)| !key.contains("/drills/")).collect();
    ensure!(before == after, "the drill changed something else in the archive");
    Ok(())
}

/// What a company does that takes its backups seriously, over a line that is not a good one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_of_an_encrypted_archive_in_a_bucket_whose_network_fails_passes() -> Result<()> {
    let (bucket, drills) = (Bucket::start().await?, Drills::new()?);
    let (identities, secret) = Identities::generate();
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("");
    scenario.flags = ["--recipients", &identities.public_keys()[0]].map(str::to_owned).to_vec();
    let scenario = referenced_by(scenario).await?;
    bucket.proxy.plan(|number| match number % 7 {
        0 => Fault::Reset,
        3 => Fault::slow_down(),
        5 => Fault::CutAnswer(300),
        _ => Fault::Pass,
    });
    let identity = drills.write("identity", &secret)?;
    let drilled = drills.ends(&scenario.archive, &["--identity-file", &identity], 0).await?;
    ensure!(drilled["verdict"] == "PASS", "{drilled}");
    let report = &drilled["report"];
    ensure!(report["recovery_point"]["rule"] == "reference", "{report}");
    ensure!(report["integrity"]["comparison"]["equal"].as_u64() >= Some(2), "{report}");
    ensure!(report["negative_control"]["was_detected"] == true, "{report}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_differs_from_the_reference_or_from_the_expected_answer_fails_the_drill() -> Result<()> {
    let scenario = referenced().await?;
    let (archive, drills) = (&scenario.archive, Drills::new()?);
    let (key, reference) = the_reference(archive)?;
    let forged = |change: &dyn Fn(&mut Reference)| -> Result<ArchiveFolder> {
        let (copy, mut forged) = (archive.duplicate()?, reference.clone());
        change(&mut forged);
        copy.write(&key, &forged.to_json()?)?;
        Ok(copy)
    };
    let orders = |reference: &Reference| {
        reference.collections.iter().position(|one| one.namespace.coll == "orders").unwrap_or_default()
    };
    // As many documents and bytes, but one of them is another one.
    let digest = forged(&|forged| {
        let at = orders(forged);
        forged.collections[at].digest.0[31] ^= 1;
    })?;
    let drilled = drills.ends(&digest, &[], 5).await?;
    ensure!(drilled["verdict"] == "FAIL" && reasons(&drilled).contains("shop.orders"), "{drilled}");
    ensure!(drilled["error"]["kind"] == "integrity", "{drilled}");
    let fewer = forged(&|forged| {
        let at = orders(forged);
        forged.collections[at].count += 1;
        for (name, reason) in [("lost view", MissingReason::View), ("lost log", MissingReason::Capped)] {
            let namespace = Namespace::new("shop", name);
            forged.missing.push(MissingCollection { namespace, reason, detail: String::new() });
        }
    })?;
    // A copy of the report that cannot be written changes neither the verdict nor what is stored.
    let drilled = drills.ends(&fewer, &["--report-dir", "/proc"], 5).await?;
    for part in ["500 documents, should be 501", "shop.lost view: not there", "shop.lost log: not there"] {
        ensure!(reasons(&drilled).contains(part), "{part}: {drilled}");
    }
    ensure!(drilled["stored"].as_array().is_some_and(|keys| keys.len() == 2), "{drilled}");
    ensure!(drilled["files"].as_array().is_some_and(Vec::is_empty), "{drilled}");
    let unknown = forged(&|forged| {
        let at = orders(forged);
        forged.collections.remove(at);
    })?;
    ensure!(reasons(&drills.ends(&unknown, &[], 5).await?).contains("should not exist"));
    ensure!(drills.ends(&unknown, &[], 5).await?["stored"].as_array().is_some_and(|keys| keys.len() == 2));

    let wrong = drills.write("wrong.toml", &QUERIES.replace("n = 250", "n = 251"))?;
    let drilled = drills.ends(archive, &["--queries", &wrong], 5).await?;
    ensure!(reasons(&drilled).contains("orders by state"), "{drilled}");
    // The moment after the reference has other documents; and the objective is missed.
    let right = drills.write("right.toml", QUERIES)?;
    let drilled = drills.ends(archive, &["--to", "latest", "--queries", &right, "--rto", "0s"], 5).await?;
    for part in ["500 expected, 600 found", "recovery time of"] {
        ensure!(reasons(&drilled).contains(part), "{part}: {drilled}");
    }
    ensure!(drilled["report"]["integrity"]["comparison"].is_null(), "there is no reference of that moment");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_that_proves_nothing_is_inconclusive_and_a_random_one_can_be_repeated() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", orders(0..50)).await?;
    scenario.begin_archiving().await?;
    for id in 50..60 {
        scenario.insert("shop", "orders", orders(id..id + 1)).await?;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let (archive, drills) = (&scenario.archive, Drills::new()?);
    let drilled = drills.ends(archive, &[], 1).await?;
    ensure!(drilled["verdict"] == "INCONCLUSIVE", "{drilled}");
    ensure!(reasons(&drilled).contains("neither compared with a reference nor queried"), "{drilled}");
    ensure!(drilled["report"]["recovery_point"]["rule"] == "latest", "{drilled}");
    let none = drills.ends(archive, &["--to", "reference"], 3).await?;
    ensure!(none["error"]["next"].as_str().is_some_and(|next| next.contains("sidecar reference")), "{none}");

    let random = drills.ends(archive, &["--to", "random", "--seed", "7"], 1).await?;
    let again = drills.ends(archive, &["--to", "random", "--seed", "7"], 1).await?;
    ensure!(random["seed"] == 7, "{random}");
    for field in ["recovery_point", "negative_control"] {
        ensure!(random["report"][field] == again["report"][field], "{field}: {random} {again}");
    }
    let earlier = again["report"]["earlier"].as_array().context("earlier drills")?.clone();
    ensure!(earlier.len() == 2 && earlier[0]["id"] == random["drill_id"], "newest first: {earlier:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destination_that_was_given_keeps_what_was_restored_unless_told_otherwise() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", orders(0..500)).await?;
    scenario.run("shop", doc! { "create": "log", "capped": true, "size": 64 << 10 }).await?;
    scenario.insert("shop", "log", orders(0..5)).await?;
    scenario.begin_archiving().await?;
    scenario.now().await?;
    let at = scenario.take_reference().await?;
    scenario.stop_archiving().await?;
    let (archive, drills) = (&scenario.archive, Drills::new()?);
    let set = destination().await?;
    let uri = set.uri();
    let asked = drills.ends(archive, &["--destination", &uri], 2).await?;
    ensure!(asked["error"].to_string().contains("--yes"), "{asked}");

    let at = at.to_string();
    let kept = drills.ends(archive, &["--to", &at, "--destination", &uri, "--yes"], 10).await?;
    ensure!(kept["verdict"] == "PASS_WITH_FINDINGS", "{kept}");
    ensure!(reasons(&kept).contains("shop.log"), "a capped collection has no digest: {kept}");
    ensure!(kept["report"]["clean_up"]["outcome"] == "skipped", "{kept}");
    ensure!(set.client().database("shop").collection::<Document>("orders").count_documents(doc! {}).await? == 500);
    // Full now: refused, and no drill that took place.
    let reports = archive.keys(|key| matches!(key, archive::layout::ObjectKey::Drill { .. }))?;
    drills.ends(archive, &["--destination", &uri, "--yes", "--drop-after"], 9).await?;
    ensure!(set.client().database("shop").collection::<Document>("orders").count_documents(doc! {}).await? == 500);
    ensure!(archive.keys(|key| matches!(key, archive::layout::ObjectKey::Drill { .. }))? == reports);

    let set = destination().await?;
    let untouched = scenario::moment_of(&set.client()).await?.state;
    let dropped = drills.ends(archive, &["--destination", &set.uri(), "--yes", "--drop-after"], 10).await?;
    ensure!(dropped["report"]["clean_up"]["outcome"] == "passed", "{dropped}");
    let differences = untouched.diff(&scenario::moment_of(&set.client()).await?.state);
    ensure!(differences.is_empty(), "{differences:#?}");

    // For another drill, which reports, as the chart's Job does it.
    let reports = archive.keys(|key| matches!(key, archive::layout::ObjectKey::Drill { .. }))?;
    let snapshot = kept["report"]["recovery_point"]["snapshot"].as_str().context("a snapshot")?;
    let set = destination().await?;
    let uri = set.uri();
    let part = ["--to", &at, "--destination", &uri, "--yes", "--unpublished", "--snapshot", snapshot];
    let part = drills.ends(archive, &[&part[..], &["--wait-for-destination", "1m"]].concat(), 10).await?;
    ensure!(part["stored"] == serde_json::json!([]) && part["verdict"] == "PASS_WITH_FINDINGS", "{part}");
    ensure!(part["report"]["usability"][0]["outcome"] == "passed", "it is thrown away, so it is written to: {part}");
    ensure!(archive.keys(|key| matches!(key, archive::layout::ObjectKey::Drill { .. }))? == reports);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_neither_takes_over_nor_drops_an_unfinished_restore_of_somebody() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", orders(0..500)).await?;
    scenario.begin_archiving().await?;
    scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    let (archive, drills, set) = (&scenario.archive, Drills::new()?, destination().await?);
    // It stops at a damaged segment.
    let damaged = archive.duplicate()?;
    for key in damaged.segments()? {
        let mut bytes = damaged.read(&key)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        damaged.write(&key, &bytes)?;
    }
    let uri = set.uri();
    let stopped = scenario::cli(&damaged, &scenario::restore_arguments("latest", &uri)).await?;
    ensure!(stopped.exit_code == 5, "exit {}: {}", stopped.exit_code, stopped.stderr);
    let before = scenario::moment_of(&set.client()).await?.state;
    // Of the sound archive: the same restore, which could go on.
    let refused = drills.ends(archive, &["--to", "latest", "--destination", &uri, "--yes", "--drop-after"], 9).await?;
    ensure!(refused["error"]["what"].as_str().is_some_and(|what| what.contains("unfinished restore")), "{refused}");
    let differences = before.diff(&scenario::moment_of(&set.client()).await?.state);
    ensure!(differences.is_empty(), "{differences:#?}");
    ensure!(
        archive.keys(|key| matches!(key, archive::layout::ObjectKey::Drill { .. }))?.is_empty(),
        "no drill took place"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_drill_leaves_nothing_and_a_killed_one_is_found_by_the_next() -> Result<()> {
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", orders(0..500)).await?;
    scenario.begin_archiving().await?;
    scenario.now().await?;
    scenario.take_reference().await?;
    scenario.stop_archiving().await?;
    let (archive, drills) = (&scenario.archive, Drills::new()?);
    for (signal, code) in [("INT", 130), ("TERM", 130)] {
        let mut drill = start(&drills, archive)?;
        wait_for_server(&drills).await?;
        send(&drill, signal)?;
        let status = tokio::time::timeout(Duration::from_secs(30), drill.wait()).await??;
        ensure!(status.code() == Some(code), "{signal}: {status}");
        ensure!(drills.left_over()?.is_empty() && drills.servers()?.is_empty(), "{signal}: {:?}", drills.left_over()?);
    }

    let mut drill = start(&drills, archive)?;
    wait_for_server(&drills).await?;
    drill.kill().await?;
    let (left, servers) = (drills.left_over()?, drills.servers()?);
    ensure!(left.len() == 1 && servers.len() == 1, "{left:?} {servers:?}");
    let done = drills.run(archive, &[]).await?;
    ensure!(done.exit_code == 10, "{done:?}");
    let found = done.json()?["report"]["warnings"].to_string();
    for part in [format!("kill {}", servers[0]), format!("rm -r {}", left[0].display())] {
        ensure!(found.contains(&part), "{part}: {found}");
    }
    ensure!(drills.left_over()? == left && drills.servers()? == servers, "it is reported, not touched");
    send_to(servers[0], "KILL")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_tells_which_old_keys_are_missing() -> Result<()> {
    let drills = Drills::new()?;
    let [(old, old_file), (new, new_file)] = ["old", "new"].map(|name| {
        let (identities, secret) = Identities::generate();
        (identities.public_keys().remove(0), drills.write(name, &secret))
    });
    let (old_file, new_file) = (old_file?, new_file?);
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", orders(0..100)).await?;
    for (recipient, snapshots) in [(&old, 1), (&new, 2)] {
        scenario.flags = ["--recipients", recipient].map(str::to_owned).to_vec();
        if snapshots == 1 {
            scenario.begin_archiving().await?;
            scenario.archived_moment().await?;
        } else {
            let mut arguments = scenario.sidecar_arguments("snapshot");
            arguments.extend(scenario.flags.iter().cloned());
            let done = processes::sidecar(arguments).await?;
            ensure!(done.exit_code == 0, "{done:?}");
            scenario.start_sidecar()?;
            scenario.now().await?;
            scenario.take_reference().await?;
        }
        scenario.stop_archiving().await?;
    }
    let archive = &scenario.archive;
    let both = drills.ends(archive, &["--identity-file", &old_file, "--identity-file", &new_file], 0).await?;
    let checks = both["report"]["keys"].to_string();
    ensure!(checks.contains(&old) && checks.contains(&new) && !checks.contains("failed"), "{checks}");
    let one = drills.ends(archive, &["--identity-file", &new_file], 10).await?;
    ensure!(reasons(&one).contains(&old) && !reasons(&one).contains(&new), "{one}");
    ensure!(one["report"]["integrity"]["comparison"]["equal"] == 1, "what the drill needed was there: {one}");
    let closed = drills.run(archive, &[]).await?;
    ensure!(closed.exit_code == 6, "{closed:?}");
    Ok(())
}

fn start(drills: &Drills, archive: &ArchiveFolder) -> Result<tokio::process::Child> {
    let mut command = tokio::process::Command::new(processes::binary("dr-cli")?);
    command.args(drills.arguments(archive, &[])?).kill_on_drop(true);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    Ok(command.spawn()?)
}

async fn wait_for_server(drills: &Drills) -> Result<()> {
    let limit = Instant::now() + Duration::from_mins(1);
    while drills.servers()?.is_empty() {
        if Instant::now() > limit {
            bail!("the drill starts no server");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

pub fn send(process: &tokio::process::Child, signal: &str) -> Result<()> {
    send_to(i32::try_from(process.id().context("it runs")?)?, signal)
}

pub fn send_to(pid: i32, signal: &str) -> Result<()> {
    let sent = std::process::Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status()?;
    ensure!(sent.success(), "kill -{signal} {pid}");
    Ok(())
}
