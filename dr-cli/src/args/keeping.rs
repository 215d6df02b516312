//! Arguments of the commands that decide what stays: expire, pin, unpin, freeze, unfreeze.

use std::time::Duration;

use archive::retention::{DEFAULT_UNFINISHED_GRACE, RetentionPolicy};
use archive::target::parse_span;
use archive::{ClusterTime, SnapshotId};
use clap::Args;
use jiff::Timestamp;

/// Rules about what is kept; a snapshot stays when any of them keeps it.
#[derive(Debug, Clone, Args)]
pub struct PolicyArgs {
    /// Keep the newest N snapshots
    #[arg(long, env = "TIDEMARK_KEEP_LAST", value_name = "N")]
    pub keep_last: Option<u32>,
    /// Keep snapshots that are younger than this: 30d, 12h
    #[arg(long, env = "TIDEMARK_KEEP_FOR", value_name = "SPAN", value_parser = parse_span)]
    pub keep_for: Option<Duration>,
    /// Keep every moment of this span before now restorable [default: since the oldest snapshot that a rule above keeps]
    #[arg(long, env = "TIDEMARK_PITR_WINDOW", value_name = "SPAN", value_parser = parse_span)]
    pub pitr_window: Option<Duration>,
    /// Keep the first snapshot of each of the newest N months
    #[arg(long, env = "TIDEMARK_KEEP_MONTHLY", value_name = "N")]
    pub keep_monthly: Option<u32>,
    /// Never leave fewer snapshots than this that can be restored
    #[arg(long, env = "TIDEMARK_MINIMUM_REDUNDANCY", value_name = "N", default_value_t = 1)]
    pub minimum_redundancy: u32,
    /// Leave an unfinished snapshot alone until nothing of it changed for so long [default: 1d]
    #[arg(long, env = "TIDEMARK_UNFINISHED_GRACE", value_name = "SPAN", value_parser = parse_span)]
    pub unfinished_grace: Option<Duration>,
}

impl PolicyArgs {
    pub fn policy(&self) -> RetentionPolicy {
        RetentionPolicy {
            keep_last: self.keep_last,
            keep_for: self.keep_for,
            pitr_window: self.pitr_window,
            keep_monthly: self.keep_monthly,
            minimum_redundancy: self.minimum_redundancy,
            unfinished_grace: self.unfinished_grace.unwrap_or(DEFAULT_UNFINISHED_GRACE),
            ..RetentionPolicy::default()
        }
    }
}

#[derive(Debug, Args)]
pub struct ExpireArgs {
    #[command(flatten)]
    pub policy: PolicyArgs,
    /// Delete; without it the command only shows what would go and why
    #[arg(long)]
    pub apply: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["snapshot", "from"]))]
pub struct PinArgs {
    /// A snapshot id as `dr-cli list` prints it, or `latest`: it stays restorable
    #[arg(value_name = "SNAPSHOT")]
    pub snapshot: Option<String>,
    /// Or every moment from here, as T:I …
    #[arg(long, value_name = "T:I", requires = "through")]
    pub from: Option<ClusterTime>,
    /// … through here
    #[arg(long, value_name = "T:I", requires = "from")]
    pub through: Option<ClusterTime>,
    /// Name of the pin, for `unpin` [default: the snapshot's id, or the moments]
    #[arg(long, value_name = "NAME")]
    pub id: Option<String>,
    /// Why it is kept
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
    /// Pinned up to this RFC 3339 time [default: until it is unpinned]
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// Have the store hold each object as well, so that nobody can delete it whatever tool they use
    #[arg(long)]
    pub legal_hold: bool,
}

#[derive(Debug, Args)]
pub struct UnpinArgs {
    /// Name of the pin
    #[arg(value_name = "NAME")]
    pub id: String,
}

#[derive(Debug, Args)]
pub struct FreezeArgs {
    /// Why, for whoever finds it frozen
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

/// The snapshot that a pin is about; not parsed at once, because `latest` depends on the archive.
pub fn snapshot_id(text: &str) -> Result<SnapshotId, String> {
    text.parse().map_err(|error: archive::ids::ParseIdError| error.to_string())
}
