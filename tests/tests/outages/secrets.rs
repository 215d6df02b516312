//! Everything that a run prints, searched for the secrets that it was given.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::scenario::restore_arguments;
use e2e::{Bucket, Moment, Scenario, destination};
use mongodb::bson::doc;
use testkit::processes::{self, Finished};
use testkit::proxy::Fault;
use testkit::s3_server::SECRET_KEY;
use testkit::{AzuriteServer, FaultProxy, Sidecar, fetched};

/// Says as much as it can: the libraries below us as well.
const LOUD: [&str; 2] = ["--log-level", "trace"];

struct Heard {
    secrets: Vec<String>,
    bytes: usize,
}

impl Heard {
    fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        Self { secrets: secrets.into_iter().collect(), bytes: 0 }
    }

    fn text(&mut self, what: &str, text: &str) -> Result<()> {
        self.bytes += text.len();
        for secret in &self.secrets {
            let found = text.lines().find(|line| line.contains(secret.as_str()));
            ensure!(found.is_none(), "{what} printed a secret: {found:?}");
        }
        Ok(())
    }

    fn finished(&mut self, what: &str, done: &Finished) -> Result<()> {
        self.text(what, &done.stdout)?;
        self.text(what, &done.stderr)
    }
}

/// A pair of keys for encryption: the file of the secret one, its text, and the public one.
fn age_keys() -> Result<(tempfile::TempDir, PathBuf, String, String)> {
    let folder = testkit::mongod::temp_folder("keys")?;
    let file = folder.path().join("identity");
    let made =
        std::process::Command::new(fetched::age()?.with_file_name("age-keygen")).arg("-o").arg(&file).output()?;
    ensure!(made.status.success(), "{made:?}");
    let text = std::fs::read_to_string(&file)?;
    let secret = text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).context("a secret key")?.to_owned();
    let public = text.lines().find_map(|line| line.strip_prefix("# public key: ")).context("a public key")?.to_owned();
    Ok((folder, file, secret, public))
}

/// Every command of both programs, while the store behaves and while it does not.
async fn everything(scenario: &mut Scenario, proxy: &FaultProxy, identity: &str, heard: &mut Heard) -> Result<Moment> {
    scenario.insert("shop", "orders", (0..50).map(|id| doc! { "_id": id })).await?;
    scenario.begin_archiving().await?;
    for faulty in [false, true] {
        proxy.plan(move |number| match number % 4 {
            _ if !faulty => Fault::Pass,
            0 => Fault::Reset,
            1 => Fault::status("403 Forbidden", "", "<Error><Code>AccessDenied</Code></Error>"),
            2 => Fault::status("500 Internal", "", "<Error><Code>InternalError</Code></Error>"),
            _ => Fault::CutAnswer(100),
        });
        for command in ["check", "snapshot"] {
            let arguments = scenario.sidecar_arguments(command).into_iter().chain(scenario.flags.clone());
            let done = tokio::time::timeout(Duration::from_secs(20), processes::sidecar(arguments)).await;
            if let Ok(done) = done {
                heard.finished(&format!("sidecar {command}"), &done?)?;
            }
        }
        scenario.insert("shop", "orders", [doc! { "_id": format!("{faulty}") }]).await?;
        let nobody = "mongodb://nobody:wr0ngpassword@127.0.0.1:1/?serverSelectionTimeoutMS=500";
        for command in [
            &["status"][..],
            &["list"],
            &["show", "latest"],
            &["find"],
            &["plan", "--to", "latest"],
            &["verify", "--level", "decode"],
            &["doctor"],
            &restore_arguments("latest", nobody),
        ] {
            let all = command.iter().copied().chain(LOUD).chain(["--identity-file", identity]);
            heard.finished(command[0], &scenario.cli(&all.collect::<Vec<_>>()).await?)?;
        }
    }
    proxy.plan(|_| Fault::Pass);
    let moment = scenario.archived_moment().await?;
    let set = destination().await?;
    let at = moment.at.to_string();
    let uri = set.uri();
    let restore = restore_arguments(&at, &uri);
    let all = restore.into_iter().chain(LOUD).chain(["--identity-file", identity]);
    let done = scenario.cli(&all.collect::<Vec<_>>()).await?;
    ensure!(done.exit_code == 0, "{done:?}");
    heard.finished("restore", &done)?;
    heard.text("sidecar run", &scenario.stop_archiving().await?)?;
    for file in scenario.archive.files()? {
        heard.text(&file, &String::from_utf8_lossy(&scenario.archive.read(&file)?))?;
    }
    Ok(moment)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_output_over_s3_holds_the_secret_key_or_an_identity() -> Result<()> {
    let bucket = Bucket::start().await?;
    let (_keys, identity, secret, public) = age_keys()?;
    let mut scenario = Scenario::start().await?;
    scenario.archive = bucket.archive("&deadline=2");
    scenario.flags = LOUD.map(str::to_owned).into_iter().chain(["--recipients".to_owned(), public]).collect();
    let mut heard = Heard::new([SECRET_KEY.to_owned(), secret, "wr0ngpassword".to_owned()]);
    let identity = identity.to_str().context("a path")?;
    everything(&mut scenario, &bucket.proxy, identity, &mut heard).await?;
    ensure!(heard.bytes > 100_000, "only {} bytes were printed", heard.bytes);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_output_over_azure_holds_the_signature_or_an_identity() -> Result<()> {
    let server = AzuriteServer::start().await?;
    server.create_container("backups").await?;
    let proxy = FaultProxy::start(server.port()).await?;
    let (_keys, identity, secret, public) = age_keys()?;
    let endpoint = format!("{}/{}", proxy.endpoint(), testkit::azurite::ACCOUNT);
    let url = format!("{}&deadline=2", server.url_at(&endpoint, "backups", "rs0"));
    let sas = std::fs::read_to_string(server.sas_file())?;
    let signature = sas.split('&').find_map(|part| part.strip_prefix("sig=")).context("a signature")?.trim().to_owned();
    let plain = signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    let mut heard = Heard::new([signature, plain, secret]);
    let identity = identity.to_str().context("a path")?;

    // What lies in Azurite is not to be read as files: everything is asked of the programs.
    let scenario = Scenario::start().await?;
    scenario.insert("shop", "orders", (0..50).map(|id| doc! { "_id": id })).await?;
    let arguments = |command: &str| {
        let all = [command, "--uri", &scenario.uri, "--archive", &url, "--recipients", &public].map(str::to_owned);
        all.into_iter().chain(LOUD.map(str::to_owned)).collect::<Vec<_>>()
    };
    let done = processes::sidecar(arguments("snapshot")).await?;
    ensure!(done.exit_code == 0, "{done:?}");
    heard.finished("sidecar snapshot", &done)?;
    let often = ["--slice-span", "1s", "--slice-idle", "1s", "--listen", "127.0.0.1:0"].map(str::to_owned);
    let mut running = Sidecar::run(arguments("run").into_iter().chain(often))?;
    running.wait_for_log("slice published", Duration::from_mins(1)).await?;
    let denied = || Fault::status("403 Denied", "x-ms-error-code: AuthorizationFailure\r\n", "");
    proxy.plan(move |number| if number % 2 == 0 { Fault::Reset } else { denied() });
    // Azurite keeps connections open: only new ones meet the proxy's plan.
    for command in [&["status"][..], &["doctor"], &["verify"]] {
        let all = ["--archive", &url].into_iter().chain(command.iter().copied()).chain(LOUD);
        heard.finished(command[0], &processes::dr_cli(all.chain(["--identity-file", identity])).await?)?;
    }
    proxy.plan(|_| Fault::Pass);
    for command in [&["status"][..], &["verify", "--level", "decode"]] {
        let all = ["--archive", &url].into_iter().chain(command.iter().copied()).chain(LOUD);
        let done = processes::dr_cli(all.chain(["--identity-file", identity])).await?;
        ensure!(done.exit_code == 0, "{done:?}");
        heard.finished(command[0], &done)?;
    }
    running.terminate(Duration::from_secs(30)).await?;
    heard.text("sidecar run", &running.log())?;
    ensure!(heard.bytes > 50_000, "only {} bytes were printed", heard.bytes);
    Ok(())
}
