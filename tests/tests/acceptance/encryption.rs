//! An archive that is closed to whoever has no identity, and open to standard tools for whoever has.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use archive::encryption::Identities;
use e2e::{Moment, Scenario, scenario};
use mongodb::bson::doc;
use serde_json::Value;
use tempfile::TempDir;
use testkit::processes::{self, Finished};

struct Key {
    public: String,
    secret: String,
    file: PathBuf,
}

impl Key {
    fn new(folder: &TempDir, name: &str) -> Result<Self> {
        let (identities, secret) = Identities::generate();
        let file = folder.path().join(name);
        std::fs::write(&file, format!("# made for a test\n{secret}\n"))?;
        Ok(Self { public: identities.public_keys().remove(0), secret, file })
    }
}

/// A source whose archive was first encrypted to one key, then to another one.
struct Rotated {
    scenario: Scenario,
    before: Moment,
    after: Moment,
    old: Key,
    new: Key,
    stranger: Key,
    _keys: TempDir,
}

async fn rotated() -> Result<Rotated> {
    let folder = TempDir::new()?;
    let (old, new, stranger) = (Key::new(&folder, "old")?, Key::new(&folder, "new")?, Key::new(&folder, "stranger")?);
    let mut scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..500).map(|n| doc! { "_id": n, "text": "before the snapshot" })).await?;
    scenario.flags = ["--recipients", &old.public].map(str::to_owned).to_vec();
    scenario.begin_archiving().await?;
    scenario.insert("shop", "orders", (500..600).map(|n| doc! { "_id": n, "text": "in the window" })).await?;
    let before = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    scenario.flags = ["--recipients", &new.public].map(str::to_owned).to_vec();
    scenario.start_sidecar()?;
    scenario.insert("shop", "orders", (600..700).map(|n| doc! { "_id": n, "text": "after the rotation" })).await?;
    let after = scenario.archived_moment().await?;
    scenario.stop_archiving().await?;
    Ok(Rotated { scenario, before, after, old, new, stranger, _keys: folder })
}

impl Rotated {
    async fn cli(&self, keys: &[&Key], arguments: &[&str]) -> Result<Finished> {
        let url = self.scenario.archive.url();
        let global = ["--archive", &url, "--json"];
        let mut all: Vec<&OsStr> = global.iter().chain(arguments).map(OsStr::new).collect();
        for key in keys {
            all.extend([OsStr::new("--identity-file"), key.file.as_os_str()]);
        }
        let done = processes::dr_cli(all).await?;
        for key in [&self.old, &self.new, &self.stranger] {
            let printed = format!("{}{}", done.stdout, done.stderr);
            ensure!(!printed.contains(&key.secret), "a secret key is printed by {arguments:?}");
        }
        Ok(done)
    }

    async fn ends(&self, keys: &[&Key], arguments: &[&str], exit_code: i32) -> Result<Value> {
        let done = self.cli(keys, arguments).await?;
        ensure!(done.exit_code == exit_code, "{arguments:?}: {done:?}");
        done.json()
    }

    /// A restore that needs an identity that is not there; what it says.
    async fn closed(&self, keys: &[&Key], moment: &Moment) -> Result<String> {
        let set = scenario::destination().await?;
        let untouched = scenario::moment_of(&set.client()).await?.state;
        let (target, uri) = (moment.at.to_string(), set.uri());
        let report = self.ends(keys, &scenario::restore_arguments(&target, &uri), 6).await?;
        let state = scenario::moment_of(&set.client()).await?.state;
        ensure!(untouched.diff(&state).is_empty(), "a restore without a key wrote something");
        ensure!(report["error"]["kind"] == "key", "{report}");
        ensure!(report["error"]["next"].as_str().is_some_and(|next| next.contains("--identity-file")), "{report}");
        Ok(report["error"].to_string())
    }

    async fn restores(&self, keys: &[&Key], moment: &Moment) -> Result<()> {
        let set = scenario::destination().await?;
        let (target, uri) = (moment.at.to_string(), set.uri());
        self.ends(keys, &scenario::restore_arguments(&target, &uri), 0).await?;
        let differences = moment.state.diff(&scenario::moment_of(&set.client()).await?.state);
        ensure!(differences.is_empty(), "{differences:#?}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restore_needs_the_identities_of_its_time_and_says_which() -> Result<()> {
    let case = rotated().await?;
    let (old, new) = (&case.old, &case.new);
    for (keys, tried) in [(vec![], "no identity was given"), (vec![&case.stranger], case.stranger.public.as_str())] {
        let error = case.closed(&keys, &case.before).await?;
        ensure!(error.contains(&old.public) && error.contains(tried), "{error}");
    }
    case.restores(&[old], &case.before).await?;
    let error = case.closed(&[old], &case.after).await?;
    ensure!(error.contains(&format!("of {}", new.public)) && error.contains(&old.public), "{error}");
    case.restores(&[old, new], &case.after).await?;
    // What there is, and up to when, is known without any key.
    case.ends(&[], &["status"], 0).await?;
    case.ends(&[], &["list"], 0).await?;
    let plan = case.ends(&[], &["plan", "--to", "latest"], 0).await?;
    ensure!(plan["slices"].as_u64().is_some_and(|slices| slices > 0), "{plan}");
    case.ends(&[], &["show", "latest"], 6).await?;
    case.ends(&[], &["find"], 6).await?;
    case.ends(&[old, new], &["find"], 0).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_could_look_into_is_never_verified_as_good() -> Result<()> {
    let case = rotated().await?;
    let (old, new) = (&case.old, &case.new);
    let files = case.scenario.archive.files()?;
    let in_the_clear: Vec<_> =
        files.iter().filter(|file| file.contains(".zst") && !file.contains(".zst.age")).collect();
    ensure!(in_the_clear.is_empty(), "{in_the_clear:?}");
    for (keys, closed) in [(vec![], vec![old, new]), (vec![old], vec![new]), (vec![new], vec![old])] {
        for level in ["hash", "decode"] {
            let report = case.ends(&keys, &["verify", "--level", level], 6).await?;
            let mut needed: Vec<_> = closed.iter().map(|key| Value::from(key.public.as_str())).collect();
            needed.sort_by_key(ToString::to_string);
            ensure!(report["needs_key"]["recipients"] == Value::from(needed), "{report}");
            ensure!(report["findings_total"] == 0, "{report}");
            ensure!(report["coverage"]["checked_percent"].as_f64().is_some_and(|percent| percent < 99.0), "{report}");
        }
    }
    let report = case.ends(&[old, new], &["verify", "--level", "decode"], 0).await?;
    ensure!(report["needs_key"].is_null() && report["coverage"]["checked_percent"] == 100.0, "{report}");
    case.ends(&[], &["verify", "--level", "list"], 0).await?;

    // Damage is damage, and not a matter of keys; what is missing is missed without them.
    let segment = files.iter().find(|file| file.contains("/data/")).context("a segment")?.clone();
    let path = case.scenario.archive.path().join(&segment);
    let sound = std::fs::read(&path)?;
    let mut flipped = sound.clone();
    let middle = flipped.len() - 40;
    flipped[middle] ^= 1;
    std::fs::write(&path, &flipped)?;
    let report = case.ends(&[old, new], &["verify", "--level", "hash"], 5).await?;
    ensure!(report["findings"][0]["object"] == segment.as_str(), "{report}");
    std::fs::write(&path, &sound[..sound.len() - 1])?;
    for keys in [vec![], vec![old, new]] {
        case.ends(&keys, &["verify", "--level", "list"], 5).await?;
        let set = scenario::destination().await?;
        case.ends(&keys, &scenario::restore_arguments("latest", &set.uri()), 5).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_archive_does_not_go_on_in_the_clear_by_accident() -> Result<()> {
    let mut case = rotated().await?;
    case.scenario.flags.clear();
    let done = processes::sidecar(case.scenario.run_arguments()).await?;
    ensure!(done.exit_code == 2 && done.stderr.contains("--recipients"), "{done:?}");
    case.scenario.flags = ["--recipients", "none"].map(str::to_owned).to_vec();
    case.scenario.start_sidecar()?;
    case.scenario.insert("shop", "orders", (700..800).map(|n| doc! { "_id": n })).await?;
    let open = case.scenario.archived_moment().await?;
    case.scenario.stop_archiving().await?;
    case.restores(&[&case.old, &case.new], &open).await
}

/// With `age` and `zstd` alone a slice and a segment are BSON again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_tools_read_what_was_archived() -> Result<()> {
    let case = rotated().await?;
    for (kind, key) in [("/data/", &case.old), ("/oplog/", &case.new)] {
        let files = case.scenario.archive.files()?;
        let mut documents = 0;
        for file in files.iter().filter(|file| file.contains(kind)) {
            let object = case.scenario.archive.path().join(file);
            if let Some(plain) = stock_tools(&object, &key.file)? {
                documents += count_documents(&plain)?;
            }
        }
        ensure!(documents >= 100, "{documents} documents in {kind}");
    }
    Ok(())
}

/// `age -d -i KEY OBJECT | zstd -d`; `None` when the key is not that of the object.
fn stock_tools(object: &Path, key: &Path) -> Result<Option<Vec<u8>>> {
    let age = testkit::fetched::age()?;
    let mut decrypt = Command::new(age)
        .args(["-d", "-i"])
        .args([key, object])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("age")?;
    let encrypted = decrypt.stdout.take().context("the output of age")?;
    let decompress = Command::new("zstd").args(["-d", "-q", "-c"]).stdin(encrypted).output().context("zstd")?;
    if !decrypt.wait()?.success() {
        return Ok(None);
    }
    ensure!(decompress.status.success(), "{}", String::from_utf8_lossy(&decompress.stderr));
    Ok(Some(decompress.stdout))
}

fn count_documents(mut bytes: &[u8]) -> Result<usize> {
    let mut count = 0;
    while !bytes.is_empty() {
        let length = bytes.first_chunk::<4>().map(|length| u32::from_le_bytes(*length)).context("a length")?;
        let (document, rest) = bytes.split_at_checked(usize::try_from(length)?).context("a whole document")?;
        mongodb::bson::RawDocument::from_bytes(document)?;
        (count, bytes) = (count + 1, rest);
    }
    Ok(count)
}
