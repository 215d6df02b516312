//! Where a setting's value comes from: flag, environment or file, in this order.
//!
//! Every setting is looked up here by its one key; flag, variable and file member are spelled from it, so that there is
//! nothing to keep in step.

use std::fmt;

/// The environment as a function: the process passes `std::env::var`, tests pass a map.
pub type ReadVariable<'a> = &'a dyn Fn(&str) -> Option<String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Flag,
    Environment,
    File,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
            Self::Default => "default",
        })
    }
}

/// All settings. A key is the name of the file member; `--slice-span` and `TIDEMARK_SLICE_SPAN` follow from it.
pub const KEYS: [&str; 42] = [
    "uri",
    "archive",
    "control",
    "member",
    "listen",
    "snapshot_schedule",
    "reference_schedule",
    "reference_budget",
    "slice_span",
    "slice_bytes",
    "slice_idle",
    "compression_level",
    "scan_parallelism",
    "lag_limit",
    "shutdown_grace",
    "new_lineage",
    "recipients",
    "recipients_file",
    "expire_schedule",
    "expire_archive",
    "keep_last",
    "keep_for",
    "pitr_window",
    "keep_monthly",
    "minimum_redundancy",
    "metrics_interval",
    "storage_interval",
    "data_path",
    "rpo_target",
    "rto_target",
    "drill_interval",
    "runbook_base",
    "slow_ms",
    "slow_sample_rate",
    "slow_profiler",
    "slow_profiler_databases",
    "logs",
    "log_patterns",
    "log_positions",
    "log_format",
    "log_level",
    "config",
];

pub fn flag_name(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

pub fn variable_name(key: &str) -> String {
    format!("TIDEMARK_{}", key.to_ascii_uppercase())
}

/// The three layers, as text.
pub struct Layers<'a> {
    pub flags: &'a dyn Fn(&str) -> Option<String>,
    pub variables: ReadVariable<'a>,
    pub file: toml::Table,
}

impl Layers<'_> {
    /// An empty value counts as not given: an unset variable in a container manifest arrives as an empty one.
    pub fn find(&self, key: &str) -> Option<(String, Origin)> {
        let layers = [
            ((self.flags)(key), Origin::Flag),
            ((self.variables)(&variable_name(key)), Origin::Environment),
            (self.file.get(key).map(text_of), Origin::File),
        ];
        layers.into_iter().find_map(|(value, origin)| Some((value.filter(|text| !text.is_empty())?, origin)))
    }
}

fn text_of(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
