//! The command line, as text: what the flags mean is decided in `config`, so that all mistakes are reported together.

use clap::{Args, Parser, Subcommand};

use crate::member::MemberCommand;

#[derive(Debug, Parser)]
#[command(
    name = "sidecar",
    version,
    about = "Backs up a MongoDB replica set: snapshots, continuous oplog archive, metrics."
)]
#[command(
    after_help = "Every setting can also be an environment variable (--slice-span is TIDEMARK_SLICE_SPAN) or a member \
                        of the TOML file (slice_span). Flags come before the environment, the environment before the file."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub flags: Flags,
}

#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Archives the oplog, takes snapshots on schedule and serves metrics, until it is stopped
    Run,
    /// Takes one snapshot now, also beside a running sidecar
    Snapshot {
        /// Accepted for scripts: the command always waits until the snapshot is published
        #[arg(long)]
        wait: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Reads collections as they are at one cluster time and stores their digests, for drills to compare with
    Reference {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Reads the logs of the servers on this node and serves what they say of slow queries, until it is stopped
    Node,
    /// Beside one member of a replica set: probes, handing over, and making the set, its members and users
    Member {
        #[command(subcommand)]
        command: MemberCommand,
    },
    /// Shows what would fail, before it fails: privileges, topology, store
    Check {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::doc_markdown, reason = "shown as it is by --help")]
pub struct Flags {
    /// Connection string of the replica set; a password is better given in TIDEMARK_URI
    #[arg(long, global = true, value_name = "URI")]
    uri: Option<String>,
    /// Where the archive is: file:///path, s3://bucket/prefix, azblob://account/container/prefix
    #[arg(long, global = true, value_name = "URL")]
    archive: Option<String>,
    /// Where leases and resume marks are kept, when the archive cannot be overwritten [default: in the archive]
    #[arg(long, global = true, value_name = "URL")]
    control: Option<String>,
    /// The member that this sidecar stands beside and reads from [default: a healthy secondary]
    #[arg(long, global = true, value_name = "HOST:PORT")]
    member: Option<String>,
    /// Address of /metrics, /livez, /readyz, /status, /slow-queries [default: 127.0.0.1:9717]
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// When to take snapshots: five-field crontab line in UTC, or `none` [default: 0 1 * * *]
    #[arg(long, global = true, value_name = "CRONTAB")]
    snapshot_schedule: Option<String>,
    /// When to read collections for a reference: five-field crontab line in UTC, or `none` [default: none]
    #[arg(long, global = true, value_name = "CRONTAB")]
    reference_schedule: Option<String>,
    /// How long and how much a reference may read: a time, a size, or both as `4m,50GiB` [default: 4m]
    #[arg(long, global = true, value_name = "BUDGET")]
    reference_budget: Option<String>,
    /// Publish the oplog at least this often while there are writes [default: 5s]
    #[arg(long, global = true, value_name = "DURATION")]
    slice_span: Option<String>,
    /// … and whenever so many bytes have come together [default: 16MiB]
    #[arg(long, global = true, value_name = "SIZE")]
    slice_bytes: Option<String>,
    /// … and at least this often when nobody writes [default: 60s]
    #[arg(long, global = true, value_name = "DURATION")]
    slice_idle: Option<String>,
    /// zstd level [default: 3]
    #[arg(long, global = true, value_name = "1-19", allow_hyphen_values = true)]
    compression_level: Option<String>,
    /// Collections scanned side by side [default: 2]
    #[arg(long, global = true, value_name = "N", allow_hyphen_values = true)]
    scan_parallelism: Option<String>,
    /// Scan more slowly when the member lags behind by more [default: 10s]
    #[arg(long, global = true, value_name = "DURATION")]
    lag_limit: Option<String>,
    /// How long a stop may take [default: 20s]
    #[arg(long, global = true, value_name = "DURATION")]
    shutdown_grace: Option<String>,
    /// Encrypt to these age public keys, separated by commas; `none` stops encrypting in an archive that is encrypted
    #[arg(long, global = true, value_name = "KEYS")]
    recipients: Option<String>,
    /// … or to those in this file, one to a line
    #[arg(long, global = true, value_name = "FILE")]
    recipients_file: Option<String>,
    /// When to delete what the rules below let go: crontab line in UTC, or `none` [default: none, only appends]
    #[arg(long, global = true, value_name = "CRONTAB")]
    expire_schedule: Option<String>,
    /// The archive's URL with credentials that may delete [default: --archive]
    #[arg(long, global = true, value_name = "URL")]
    expire_archive: Option<String>,
    /// Keep the newest N snapshots
    #[arg(long, global = true, value_name = "N")]
    keep_last: Option<String>,
    /// Keep snapshots that are younger: 30d, 12h
    #[arg(long, global = true, value_name = "SPAN")]
    keep_for: Option<String>,
    /// Keep every moment of this span before now restorable
    #[arg(long, global = true, value_name = "SPAN")]
    pitr_window: Option<String>,
    /// Keep the first snapshot of each of the newest N months
    #[arg(long, global = true, value_name = "N")]
    keep_monthly: Option<String>,
    /// Never leave fewer snapshots that can be restored [default: 1]
    #[arg(long, global = true, value_name = "N")]
    minimum_redundancy: Option<String>,
    /// Of `node`: the folder that has the logs, for example /var/log/pods
    #[arg(long, global = true, value_name = "DIR")]
    logs: Option<String>,
    /// Of `node`: which files below it, separated by commas [default: */mongod/*.log,*/mongod.log,mongod.log]
    #[arg(long, global = true, value_name = "PATTERNS")]
    log_patterns: Option<String>,
    /// Of `node`: the file that keeps how far the logs were read
    #[arg(long, global = true, value_name = "FILE")]
    log_positions: Option<String>,
    /// Open a second lineage in an archive that holds another cluster's
    #[arg(long, global = true)]
    new_lineage: bool,
    /// How often the server is looked at for metrics [default: 10s]
    #[arg(long, global = true, value_name = "DURATION")]
    metrics_interval: Option<String>,
    /// … and the sizes of its databases and oplog [default: 5m]
    #[arg(long, global = true, value_name = "DURATION")]
    storage_interval: Option<String>,
    /// The folder with the server's data as this process sees it, for the free space of its volume
    #[arg(long, global = true, value_name = "PATH")]
    data_path: Option<String>,
    /// Archive lag that still counts as good [default: 1m]
    #[arg(long, global = true, value_name = "DURATION")]
    rpo_target: Option<String>,
    /// How long a restore may take, for alerts about drills
    #[arg(long, global = true, value_name = "SPAN")]
    rto_target: Option<String>,
    /// Within which time a drill shall pass, for alerts about overdue ones
    #[arg(long, global = true, value_name = "SPAN")]
    drill_interval: Option<String>,
    /// Where docs/runbooks/ is served, for links of the status page, for example https://wiki.example/runbooks
    #[arg(long, global = true, value_name = "URL")]
    runbook_base: Option<String>,
    /// Make the server log operations that take longer than this as slow, until the sidecar stops [default: left alone]
    #[arg(long, global = true, value_name = "MILLISECONDS")]
    slow_ms: Option<String>,
    /// … and only this share of them, 0 to 1 [default: left alone]
    #[arg(long, global = true, value_name = "SHARE")]
    slow_sample_rate: Option<String>,
    /// Count slow operations of the database profiler: `read` where it is on already, `on` turns it on [default: none]
    #[arg(long, global = true, value_name = "none|read|on")]
    slow_profiler: Option<String>,
    /// … of these databases, separated by commas [default: all; required for `on`]
    #[arg(long, global = true, value_name = "NAMES")]
    slow_profiler_databases: Option<String>,
    /// text or json [default: text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// A level or a list of target=level [default: info]
    #[arg(long, global = true, value_name = "FILTER")]
    log_level: Option<String>,
    /// TOML file with the same settings
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<String>,
}

impl Flags {
    /// The text of a flag by the key of its setting.
    pub fn find(&self, key: &str) -> Option<String> {
        let flag = match key {
            "uri" => &self.uri,
            "archive" => &self.archive,
            "control" => &self.control,
            "member" => &self.member,
            "listen" => &self.listen,
            "snapshot_schedule" => &self.snapshot_schedule,
            "reference_schedule" => &self.reference_schedule,
            "reference_budget" => &self.reference_budget,
            "slice_span" => &self.slice_span,
            "slice_bytes" => &self.slice_bytes,
            "slice_idle" => &self.slice_idle,
            "compression_level" => &self.compression_level,
            "scan_parallelism" => &self.scan_parallelism,
            "lag_limit" => &self.lag_limit,
            "shutdown_grace" => &self.shutdown_grace,
            "recipients" => &self.recipients,
            "recipients_file" => &self.recipients_file,
            "expire_schedule" => &self.expire_schedule,
            "expire_archive" => &self.expire_archive,
            "keep_last" => &self.keep_last,
            "keep_for" => &self.keep_for,
            "pitr_window" => &self.pitr_window,
            "keep_monthly" => &self.keep_monthly,
            "minimum_redundancy" => &self.minimum_redundancy,
            "logs" => &self.logs,
            "log_patterns" => &self.log_patterns,
            "log_positions" => &self.log_positions,
            "new_lineage" => return self.new_lineage.then(|| "true".to_owned()),
            "metrics_interval" => &self.metrics_interval,
            "storage_interval" => &self.storage_interval,
            "data_path" => &self.data_path,
            "rpo_target" => &self.rpo_target,
            "rto_target" => &self.rto_target,
            "runbook_base" => &self.runbook_base,
            "drill_interval" => &self.drill_interval,
            "slow_ms" => &self.slow_ms,
            "slow_sample_rate" => &self.slow_sample_rate,
            "slow_profiler" => &self.slow_profiler,
            "slow_profiler_databases" => &self.slow_profiler_databases,
            "log_format" => &self.log_format,
            "log_level" => &self.log_level,
            "config" => &self.config,
            _ => return None,
        };
        flag.clone()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::config::{KEYS, flag_name};

    #[test]
    fn every_setting_has_its_flag_and_global_options_stand_anywhere() {
        for key in KEYS {
            let flag = flag_name(key);
            let value = if key == "new_lineage" { vec![] } else { vec!["x".to_owned()] };
            for order in
                [vec!["sidecar".to_owned(), flag.clone()], vec!["sidecar".to_owned(), "run".to_owned(), flag.clone()]]
            {
                let mut arguments = order.clone();
                arguments.extend(value.clone());
                if order.len() == 2 {
                    arguments.push("run".to_owned());
                }
                let cli = Cli::try_parse_from(arguments).unwrap();
                assert!(cli.flags.find(key).is_some(), "{flag}");
            }
        }
        Cli::command().debug_assert();
    }
}
