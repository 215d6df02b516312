//! The memory of a sidecar that has nothing to do, which every replica set pays for all the time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testkit::Sidecar;

use super::table::{Row, Table};
use super::{Options, server};
use crate::archive_folder::ArchiveFolder;
use crate::programs::{anonymous_and_mapped, binary, free_port, resident_of, size};

const GOAL: u64 = 25 << 20;

#[allow(clippy::cast_precision_loss, reason = "for a ratio")]
pub async fn measure(options: &Options, table: &mut Table) -> Result<()> {
    let source = server().await?;
    let archive = ArchiveFolder::new()?;
    let (uri, url, listen) = (source.uri(), archive.url(), format!("127.0.0.1:{}", free_port()?));
    let arguments = ["run", "--uri", &uri, "--archive", &url, "--listen", &listen];
    let mut sidecar = Sidecar::run_program(&binary("sidecar")?, arguments, &[])?;
    let waited = Duration::from_secs(if options.quick { 8 } else { 30 });
    tokio::time::sleep(waited).await;
    ensure!(sidecar.is_running(), "the sidecar ended:\n{}", sidecar.log());
    let resident = resident_of(sidecar.pid()).context("the sidecar's memory")?;
    if let Some((anonymous, mapped)) = anonymous_and_mapped(sidecar.pid()) {
        table.note(format!(
            "idle sidecar: {} allocated, {} of its program and libraries mapped; nothing but an empty snapshot was taken",
            size(anonymous),
            size(mapped)
        ));
    }
    table.push(Row {
        what: format!("memory of an idle `sidecar run` after {} s", waited.as_secs()),
        value: size(resident),
        against: "—".to_owned(),
        ratio: Some(resident as f64 / GOAL as f64),
        goal: format!("≤ {}", size(GOAL)),
        met: Some(resident <= GOAL),
    });
    Ok(())
}
