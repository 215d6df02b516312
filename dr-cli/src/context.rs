//! What every command works with: the archive, and where progress and hints go.

use std::sync::Arc;

use archive::catalog::Finding;
use archive::lineage::LineageRecord;
use recovery::{ArchiveReader, Failure, FailureKind, Progress, Result};

use crate::args::Invocation;
use crate::progress;

pub struct Context {
    archive: Option<String>,
    control: Option<String>,
    lineage: Option<String>,
    pub progress: Arc<dyn Progress>,
}

impl Context {
    pub fn new(invocation: &Invocation) -> Self {
        Self {
            archive: invocation.archive.clone(),
            control: invocation.control.clone(),
            lineage: invocation.lineage.clone(),
            progress: progress::start(invocation.sink.quiet),
        }
    }

    pub async fn open(&self) -> Result<ArchiveReader> {
        let url = self.archive.as_deref().ok_or_else(|| {
            Failure::new(FailureKind::Usage, "no archive is named")
                .at("the command line")
                .because("neither --archive nor TIDEMARK_ARCHIVE is set")
                .then("dr-cli --archive file:///path/of/the/archive status")
        })?;
        let reader = ArchiveReader::open(store::open(url)?).await?;
        match self.control.as_deref().filter(|control| *control != url) {
            Some(control) => Ok(reader.with_control(store::open(control)?)),
            None => Ok(reader),
        }
    }

    pub fn wanted_lineage(&self) -> Option<&str> {
        self.lineage.as_deref()
    }

    /// The one lineage that a command works on.
    pub async fn lineage(&self, reader: &ArchiveReader) -> Result<LineageRecord> {
        reader.choose_lineage(self.wanted_lineage()).await
    }

    /// For commands that show all lineages unless one is named; with what is wrong with those that cannot be shown.
    pub async fn lineages(&self, reader: &ArchiveReader) -> Result<(Vec<LineageRecord>, Vec<Finding>)> {
        match self.wanted_lineage() {
            Some(_) => Ok((vec![self.lineage(reader).await?], Vec::new())),
            None => reader.usable_lineages().await,
        }
    }
}
