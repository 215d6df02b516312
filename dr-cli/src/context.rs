//! What every command works with: the archive, and where progress and hints go.

use std::path::PathBuf;
use std::sync::Arc;

use archive::catalog::Finding;
use archive::encryption::Identities;
use archive::lineage::LineageRecord;
use archive::target::RestoreTarget;
use recovery::{ArchiveReader, Failure, FailureKind, Interrupt, Progress, Result};

use store::ObjectStore;

use crate::args::Invocation;
use crate::progress;

pub struct Context {
    archive: Option<String>,
    control: Option<String>,
    identity_files: Vec<PathBuf>,
    lineage: Option<String>,
    pub progress: Arc<dyn Progress>,
    /// Held by what must not be cut short.
    pub interrupt: Interrupt,
}

pub struct Stores {
    pub archive: Arc<dyn ObjectStore>,
    /// Where `control/` lies, when that is another place.
    pub control: Option<Arc<dyn ObjectStore>>,
}

impl Context {
    pub fn new(invocation: &Invocation, interrupt: Interrupt) -> Self {
        Self {
            archive: invocation.archive.clone(),
            control: invocation.control.clone(),
            identity_files: invocation.identity_files.clone(),
            lineage: invocation.lineage.clone(),
            progress: progress::start(invocation.sink.quiet),
            interrupt,
        }
    }

    pub async fn open(&self) -> Result<ArchiveReader> {
        let Stores { archive, control } = self.stores()?;
        // Before anything is fetched: a mistyped path is found at once.
        let identities = self.identities()?;
        let reader = ArchiveReader::open(archive).await?.with_identities(identities);
        Ok(match control {
            Some(control) => reader.with_control(control),
            None => reader,
        })
    }

    /// The archive's store, and the one of `control/` where that is another.
    pub fn stores(&self) -> Result<Stores> {
        let url = self.url()?;
        let control = self.control.as_deref().filter(|control| *control != url);
        Ok(Stores { archive: store::open(url)?, control: control.map(store::open).transpose()? })
    }

    fn url(&self) -> Result<&str> {
        self.archive.as_deref().ok_or_else(|| {
            Failure::new(FailureKind::Usage, "no archive is named")
                .at("the command line")
                .because("neither --archive nor TIDEMARK_ARCHIVE is set")
                .then("dr-cli --archive file:///path/of/the/archive status")
        })
    }

    /// The secret keys of all files that were named; none when none was.
    fn identities(&self) -> Result<Option<Identities>> {
        let mut text = String::new();
        for file in &self.identity_files {
            let place = || format!("--identity-file {}", file.display());
            let unusable = |problem: String| {
                Failure::new(FailureKind::Usage, format!("the identity file cannot be used: {problem}"))
                    .at(place())
                    .because("identities are age secret keys, one to a line, as age-keygen writes them")
                    .then("give the file that age-keygen -o wrote")
            };
            let read = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
            // Each by itself, so that an error names the right file and line.
            Identities::parse(&read).map_err(|error| unusable(error.to_string()))?;
            text.push_str(&read);
            text.push('\n');
        }
        if text.is_empty() {
            return Ok(None);
        }
        let joined = Identities::parse(&text)
            .map_err(|error| Failure::new(FailureKind::Usage, error.to_string()).at("--identity-file"))?;
        Ok(Some(joined))
    }

    pub fn wanted_lineage(&self) -> Option<&str> {
        self.lineage.as_deref()
    }

    /// The one lineage that a command works on.
    pub async fn lineage(&self, reader: &ArchiveReader) -> Result<LineageRecord> {
        reader.choose_lineage(self.wanted_lineage()).await
    }

    /// The lineage that a restore to `target` works on.
    pub async fn lineage_for(&self, reader: &ArchiveReader, target: &RestoreTarget) -> Result<LineageRecord> {
        reader.choose_lineage_for(self.wanted_lineage(), target).await
    }

    /// For commands that show all lineages unless one is named; with what is wrong with those that cannot be shown.
    pub async fn lineages(&self, reader: &ArchiveReader) -> Result<(Vec<LineageRecord>, Vec<Finding>)> {
        match self.wanted_lineage() {
            Some(_) => Ok((vec![self.lineage(reader).await?], Vec::new())),
            None => reader.usable_lineages().await,
        }
    }
}

/// Who runs this, for records that others read: command, host, process.
pub fn who(command: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    format!("{command} on {}, process {}", if host.is_empty() { "unknown" } else { host }, std::process::id())
}
