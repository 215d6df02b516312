//! One of several `sidecar run` of one replica set, and what must be true of the archive that they share.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use e2e::programs::{free_port, page, sidecar_status};
use e2e::{ArchiveFolder, Scenario};
use serde_json::Value;
use testkit::Sidecar;

/// What issue and design promise after the death of a pod.
pub const FAIL_OVER: Duration = Duration::from_secs(30);
pub const LIMIT: Duration = Duration::from_mins(1);

/// One of several `sidecar run`.
pub struct Writer {
    pub process: Sidecar,
    port: u16,
}

impl Writer {
    pub fn start(scenario: &Scenario, flags: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        let port = free_port()?;
        let mut arguments = scenario.run_arguments();
        arguments.extend(["--listen".to_owned(), format!("127.0.0.1:{port}")]);
        // The last of two values for one flag would be refused.
        let first = arguments.iter().position(|argument| argument == "--listen").context("--listen")?;
        arguments.drain(first..first + 2);
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Ok(Self { process: Sidecar::run_with(arguments, environment)?, port })
    }

    /// `None` while it does not answer.
    pub async fn status(&self) -> Option<Value> {
        sidecar_status(self.port).await.ok()
    }

    pub async fn is(&self, role: &str) -> bool {
        self.status().await.is_some_and(|status| status["role"] == role)
    }

    pub async fn wait_for(&mut self, role: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while !self.is(role).await {
            ensure!(self.process.is_running(), "it ended:\n{}", self.process.log());
            ensure!(Instant::now() < deadline, "not {role} within {limit:?}:\n{}", self.process.log());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    pub async fn metric(&self, name: &str) -> Result<u64> {
        let (_, metrics) = page(self.port, "/metrics").await?;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no {name} in\n{metrics}"))?.parse()?)
    }

    pub async fn stop(mut self) -> Result<String> {
        let status = self.process.terminate(LIMIT).await?;
        ensure!(status.code() == Some(0), "{status}:\n{}", self.process.log());
        Ok(self.process.log())
    }
}

/// As if the holder's process was of another machine, so that nobody who starts from now on can see that it is gone.
pub fn hide_process(archive: &ArchiveFolder) -> Result<()> {
    let epochs = archive.files()?.into_iter().filter(|file| file.contains("/archiver-lease/epoch-"));
    let newest = epochs.max().context("no epoch of the archiver lease")?;
    let mut record: Value = serde_json::from_slice(&archive.read(&newest)?)?;
    record.as_object_mut().context("an object")?.remove("process").context("the process of the holder")?;
    archive.write(&newest, record.to_string().as_bytes())
}

/// One unbroken history without a gap or contradiction, every byte of it sound, restorable to its end.
pub async fn assert_sound(scenario: &mut Scenario) -> Result<()> {
    let moment = scenario.archived_moment().await?;
    let status = scenario.status().await?;
    ensure!(status["gaps"].as_array().is_some_and(Vec::is_empty), "{status}");
    ensure!(status["windows"].as_array().is_some_and(|windows| windows.len() == 1), "{status}");
    ensure!(status["findings"].as_array().is_some_and(Vec::is_empty), "{status}");
    scenario.cli_ok(&["verify", "--level", "decode"]).await?;
    scenario.assert_restores(&moment).await.map(|_| ())
}
