//! What the sidecar is told to do: flags over environment over file, checked before anything starts.
//!
//! Everything is parsed and every mistake reported at once, each with its key, where it came from and the reason;
//! secrets are never shown. The effective configuration is logged once.

use std::net::SocketAddr;
use std::time::Duration;

use archive::encryption::Recipients;
use archive::retention::RetentionPolicy;
use archive::target::parse_span;
use telemetry::{LogFormat, redact_uri};

use crate::archiver::CutPolicy;
use crate::expiry::ExpirySettings;
use crate::monitor::MonitorSettings;
use crate::reference::ReferenceBudget;

pub mod crontab;
mod member;
mod node;
mod origin;
mod slow;
mod values;

pub use self::member::{ProbeConfig, StepDownConfig, TendConfig, WantedMembers};
pub use crontab::Crontab;
pub use node::NodeConfig;
use origin::Layers;
pub use origin::{KEYS, Origin, ReadVariable, flag_name, variable_name};
pub use slow::{MOST_PROFILED, ProfilerMode, ProfilerSettings, SlowThreshold};
pub use values::{show_duration, time_and_bytes};

const DEFAULT_LISTEN: &str = "127.0.0.1:9717";
const DEFAULT_SCHEDULE: &str = "0 1 * * *";
/// A reference reads everything once more, so nobody gets one unasked.
const DEFAULT_REFERENCE_SCHEDULE: &str = "none";
/// Of the five minutes of history that a server keeps by default: what is not begun by then could not be read to its end.
const DEFAULT_REFERENCE_BUDGET: &str = "4m";

#[derive(Debug, Clone)]
pub struct Config {
    pub uri: String,
    pub archive: String,
    /// Where leases and resume marks are kept; in the archive itself when absent.
    pub control: Option<String>,
    /// `host:port` of the member to read from; chosen from the replica set's state when absent.
    pub member: Option<String>,
    pub listen: SocketAddr,
    /// Absent: only the first snapshot and those that a gap makes necessary.
    pub schedule: Option<Crontab>,
    /// When collections are read for a reference; absent: never.
    pub reference_schedule: Option<Crontab>,
    pub reference_budget: ReferenceBudget,
    pub cut: CutPolicy,
    pub compression_level: i32,
    pub scan_parallelism: usize,
    /// Reading slows down when the scanned member lags behind by more.
    pub lag_limit: Duration,
    pub shutdown_grace: Duration,
    pub new_lineage: bool,
    pub encryption: EncryptionPolicy,
    /// Absent: the sidecar only appends.
    pub expiry: Option<ExpirySettings>,
    /// Of the retention rules; known also where nothing expires.
    pub pitr_window: Option<Duration>,
    pub monitor: MonitorSettings,
    /// Where `docs/runbooks/` is served.
    pub runbook_base: Option<String>,
    pub log_format: LogFormat,
    pub log_level: String,
    /// Settings that hold a secret and were given as a flag, which every user of the machine can read.
    pub exposed_secrets: Vec<&'static str>,
}

/// Whom everything that holds data is encrypted to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum EncryptionPolicy {
    /// Nothing was said: right for an archive that was never encrypted.
    #[default]
    Unset,
    /// It was said that nothing is encrypted from now on.
    Off,
    To(Recipients),
}

impl EncryptionPolicy {
    pub fn recipients(&self) -> Option<&Recipients> {
        match self {
            Self::To(recipients) => Some(recipients),
            Self::Unset | Self::Off => None,
        }
    }

    /// `none`, or keys.
    fn parse(text: &str) -> Result<Self, String> {
        if text.trim() == "none" {
            return Ok(Self::Off);
        }
        Recipients::parse(text).map(Self::To).map_err(|error| error.to_string())
    }
}

/// One setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    pub key: String,
    /// Without secrets; empty when nothing was given.
    pub value: String,
    pub origin: Option<Origin>,
    pub reason: String,
}

impl std::fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.key)?;
        if let Some(origin) = self.origin {
            write!(f, " = `{}` ({origin})", self.value.escape_debug())?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl Config {
    /// `flags` gives the text of a flag by its key; `read_file` loads the configuration file.
    pub fn load(
        flags: &dyn Fn(&str) -> Option<String>,
        variables: ReadVariable<'_>,
        read_file: &dyn Fn(&str) -> std::io::Result<String>,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut reader = Reader { layers: Layers { flags, variables, file: toml::Table::new() }, problems: Vec::new() };
        reader.load_file(read_file);
        let config = reader.read_all(read_file);
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(reader.problems),
        }
    }

    pub fn control_url(&self) -> &str {
        self.control.as_deref().unwrap_or(&self.archive)
    }

    /// What is in effect, without secrets: for the log.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("uri", redact_uri(&self.uri)),
            ("archive", redact_uri(&self.archive)),
            ("control", redact_uri(self.control_url())),
            ("member", self.member.clone().unwrap_or_else(|| "chosen".to_owned())),
            ("listen", self.listen.to_string()),
            ("snapshot_schedule", show_schedule(self.schedule.as_ref())),
            ("reference_schedule", show_schedule(self.reference_schedule.as_ref())),
            ("reference_budget", self.reference_budget.to_string()),
            ("slice_span", show_duration(self.cut.span)),
            ("slice_bytes", self.cut.bytes.to_string()),
            ("slice_idle", show_duration(self.cut.idle)),
            ("compression_level", self.compression_level.to_string()),
            ("scan_parallelism", self.scan_parallelism.to_string()),
            ("lag_limit", show_duration(self.lag_limit)),
            ("shutdown_grace", show_duration(self.shutdown_grace)),
            ("recipients", self.encryption.recipients().map_or_else(|| "none".to_owned(), |to| to.texts().join(","))),
            ("expire_schedule", self.expiry.as_ref().map_or_else(|| "none".to_owned(), |to| to.schedule.to_string())),
            ("metrics_interval", show_duration(self.monitor.interval)),
            ("storage_interval", show_duration(self.monitor.storage_interval)),
            (
                "data_path",
                self.monitor.data_path.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string()),
            ),
            ("rpo_target", show_duration(self.monitor.rpo_target)),
            (
                "slow_ms",
                self.monitor.slow_threshold.as_ref().map_or_else(|| "left alone".to_owned(), ToString::to_string),
            ),
            ("slow_profiler", self.monitor.profiler.to_string()),
            ("runbook_base", self.runbook_base.clone().unwrap_or_else(|| "none".to_owned())),
            ("new_lineage", self.new_lineage.to_string()),
            ("log_format", format!("{:?}", self.log_format).to_lowercase()),
            ("log_level", self.log_level.clone()),
        ]
    }
}

/// Whether the value may hold a password.
fn is_secret(key: &str) -> bool {
    matches!(key, "uri" | "archive" | "control" | "expire_archive")
}

struct Reader<'a> {
    layers: Layers<'a>,
    problems: Vec<ConfigProblem>,
}

impl Reader<'_> {
    fn load_file(&mut self, read_file: &dyn Fn(&str) -> std::io::Result<String>) {
        let Some((path, origin)) = self.layers.find("config") else { return };
        let problem =
            |key: String, reason: String| ConfigProblem { key, value: path.clone(), origin: Some(origin), reason };
        let text = match read_file(&path) {
            Ok(text) => text,
            Err(error) => return self.problems.push(problem("config".to_owned(), format!("cannot be read: {error}"))),
        };
        match text.parse::<toml::Table>() {
            Ok(table) => {
                for key in table.keys().filter(|key| !KEYS.contains(&key.as_str()) || key.as_str() == "config") {
                    self.problems.push(ConfigProblem {
                        key: key.clone(),
                        value: String::new(),
                        origin: None,
                        reason: format!("no setting of {path} has this name"),
                    });
                }
                self.layers.file = table;
            }
            // The parser quotes the offending line, which may hold a password: only say where it is.
            Err(error) => {
                let line = error.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
                let reason = format!("is not TOML near line {line}: {}", error.message());
                self.problems.push(problem("config".to_owned(), reason));
            }
        }
    }

    /// Keys are public, but a secret one may stand there by mistake: the value is never repeated.
    fn encryption(&mut self, read_file: &dyn Fn(&str) -> std::io::Result<String>) -> Option<EncryptionPolicy> {
        let inline = self.layers.find("recipients");
        let file = self.layers.find("recipients_file");
        let (key, (text, origin), shown) = match (inline, file) {
            (None, None) => return Some(EncryptionPolicy::Unset),
            (Some((text, origin)), None) => ("recipients", (text, origin), "…".to_owned()),
            (None, Some((path, origin))) => match read_file(&path) {
                Ok(text) => ("recipients_file", (text, origin), path),
                Err(error) => {
                    let reason = format!("cannot be read: {error}");
                    let key = "recipients_file".to_owned();
                    self.problems.push(ConfigProblem { key, value: path, origin: Some(origin), reason });
                    return None;
                }
            },
            (Some((_, origin)), Some(_)) => {
                let reason = "is given together with recipients_file; give one of them".to_owned();
                let key = "recipients".to_owned();
                self.problems.push(ConfigProblem { key, value: "…".to_owned(), origin: Some(origin), reason });
                return None;
            }
        };
        match EncryptionPolicy::parse(&text) {
            Ok(policy) => Some(policy),
            Err(reason) => {
                self.problems.push(ConfigProblem { key: key.to_owned(), value: shown, origin: Some(origin), reason });
                None
            }
        }
    }

    /// Rules without a schedule are accepted, so that one environment can serve `dr-cli expire` as well.
    fn expiry(&mut self) -> Option<ExpirySettings> {
        let count = |text: &str| values::whole_number(text, 1, u32::MAX);
        let schedule = self.with_default("expire_schedule", "none", |text| {
            if text == "none" { Ok(None) } else { text.parse::<Crontab>().map(Some) }
        });
        let archive = self.optional("expire_archive", location);
        let policy = RetentionPolicy {
            keep_last: self.optional("keep_last", count),
            keep_for: self.optional("keep_for", parse_span),
            pitr_window: self.optional("pitr_window", parse_span),
            keep_monthly: self.optional("keep_monthly", count),
            minimum_redundancy: self.with_default("minimum_redundancy", "1", count)?,
            ..RetentionPolicy::default()
        };
        let schedule = schedule??;
        if let Err(problem) = policy.check() {
            let (value, origin) = self.layers.find("expire_schedule").unzip();
            let (key, reason) = ("expire_schedule".to_owned(), problem.to_string());
            self.problems.push(ConfigProblem { key, value: value.unwrap_or_default(), origin, reason });
            return None;
        }
        Some(ExpirySettings { schedule, policy, archive })
    }

    fn monitor(&mut self) -> Option<MonitorSettings> {
        let (second, day) = (Duration::from_secs(1), Duration::from_hours(24));
        let between = |text: &str| values::duration_between(text, second, day);
        let interval = self.with_default("metrics_interval", "10s", between);
        let storage_interval = self.with_default("storage_interval", "5m", between);
        let rpo_target = self.with_default("rpo_target", "1m", between);
        let (slow_threshold, profiler) = (self.slow_threshold(), self.profiler());
        Some(MonitorSettings {
            data_path: self.optional("data_path", |text| Ok(text.into())),
            rto_target: self.optional("rto_target", parse_span),
            drill_interval: self.optional("drill_interval", parse_span),
            interval: interval?,
            storage_interval: storage_interval?,
            rpo_target: rpo_target?,
            slow_threshold: slow_threshold.ok()?,
            profiler: profiler?,
        })
    }

    fn read_all(&mut self, read_file: &dyn Fn(&str) -> std::io::Result<String>) -> Option<Config> {
        let second = Duration::from_secs(1);
        let uri = self.required("uri", |text| {
            let known = text.starts_with("mongodb://") || text.starts_with("mongodb+srv://");
            if known { Ok(text.to_owned()) } else { Err("must start with mongodb:// or mongodb+srv://".to_owned()) }
        });
        let archive = self.required("archive", location);
        let control = self.optional("control", location);
        let member = self.optional("member", |text| {
            let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port.parse::<u16>());
            if matches!(port, Some(Ok(1..))) { Ok(text.to_owned()) } else { Err("must be HOST:PORT".to_owned()) }
        });
        let listen = self.with_default("listen", DEFAULT_LISTEN, |text| {
            text.parse::<SocketAddr>().map_err(|_| "must be ADDRESS:PORT, for example 127.0.0.1:9717".to_owned())
        });
        let schedule = self.with_default("snapshot_schedule", DEFAULT_SCHEDULE, schedule_or_none);
        let reference_schedule = self.with_default("reference_schedule", DEFAULT_REFERENCE_SCHEDULE, schedule_or_none);
        let reference_budget = self.with_default("reference_budget", DEFAULT_REFERENCE_BUDGET, str::parse);
        let span = self
            .with_default("slice_span", "5s", |text| values::duration_between(text, second, Duration::from_hours(1)));
        let bytes = self.with_default("slice_bytes", "16MiB", |text| {
            let bytes = values::bytes(text)?;
            // A slice is held in memory until it is published.
            if (64 << 10..=64 << 20).contains(&bytes) {
                Ok(bytes)
            } else {
                Err("must be between 64KiB and 64MiB".to_owned())
            }
        });
        let idle = self
            .with_default("slice_idle", "60s", |text| values::duration_between(text, second, Duration::from_hours(1)));
        let level = self.with_default("compression_level", "3", |text| values::whole_number(text, 1, 19));
        let parallelism = self.with_default("scan_parallelism", "2", |text| values::whole_number(text, 1, 32));
        let lag = self
            .with_default("lag_limit", "10s", |text| values::duration_between(text, second, Duration::from_hours(24)));
        let grace = self.with_default("shutdown_grace", "20s", |text| {
            values::duration_between(text, second, Duration::from_mins(10))
        });
        let new_lineage = self.with_default("new_lineage", "false", values::yes_or_no);
        let encryption = self.encryption(read_file);
        let expiry = self.expiry();
        // The rules of expiry report what is wrong with it.
        let pitr_window = self.layers.find("pitr_window").and_then(|(text, _)| parse_span(&text).ok());
        let monitor = self.monitor();
        let runbook_base = self.optional("runbook_base", web_page);
        let log_format = self.with_default("log_format", "text", str::parse);
        let log_level = self.with_default("log_level", "info", |text| Ok(text.to_owned()));
        let exposed_secrets =
            ["uri", "archive", "control", "expire_archive"].into_iter().filter(|key| self.is_exposed(key)).collect();
        Some(Config {
            uri: uri?,
            archive: archive?,
            control,
            member,
            listen: listen?,
            schedule: schedule?,
            reference_schedule: reference_schedule?,
            reference_budget: reference_budget?,
            cut: CutPolicy { span: span?, bytes: bytes?, idle: idle? },
            compression_level: level?,
            scan_parallelism: parallelism?,
            lag_limit: lag?,
            shutdown_grace: grace?,
            new_lineage: new_lineage?,
            encryption: encryption?,
            expiry,
            pitr_window,
            monitor: monitor?,
            runbook_base,
            log_format: log_format?,
            log_level: log_level?,
            exposed_secrets,
        })
    }

    fn is_exposed(&self, key: &str) -> bool {
        self.layers.find(key).is_some_and(|(value, origin)| origin == Origin::Flag && redact_uri(&value) != value)
    }

    fn required<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        if self.layers.find(key).is_none() {
            let reason = format!("is required: give {}, {} or `{key}` in the file", flag_name(key), variable_name(key));
            self.problems.push(ConfigProblem { key: key.to_owned(), value: String::new(), origin: None, reason });
            return None;
        }
        self.optional(key, parse)
    }

    fn with_default<T>(&mut self, key: &str, default: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        match self.layers.find(key) {
            Some(_) => self.optional(key, parse),
            None => parse(default).ok(),
        }
    }

    fn optional<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let (value, origin) = self.layers.find(key)?;
        match parse(&value) {
            Ok(parsed) => Some(parsed),
            Err(reason) => {
                let value = if is_secret(key) { redact_uri(&value) } else { value };
                self.problems.push(ConfigProblem { key: key.to_owned(), value, origin: Some(origin), reason });
                None
            }
        }
    }
}

fn schedule_or_none(text: &str) -> Result<Option<Crontab>, String> {
    if text == "none" { Ok(None) } else { text.parse().map(Some) }
}

fn show_schedule(schedule: Option<&Crontab>) -> String {
    schedule.map_or_else(|| "none".to_owned(), ToString::to_string)
}

/// Only the form: whether the store can be used is found out when it is opened.
fn location(text: &str) -> Result<String, String> {
    if text.contains("://") {
        Ok(text.to_owned())
    } else {
        Err("must be a URL: file:///path, s3://bucket/prefix or azblob://account/container/prefix".to_owned())
    }
}

/// What a page may link to: a browser must not be made to run anything.
fn web_page(text: &str) -> Result<String, String> {
    let is_web = text.starts_with("https://") || text.starts_with("http://");
    if is_web && redact_uri(text) == text {
        Ok(text.to_owned())
    } else {
        Err("must be http:// or https:// without a password, for example https://wiki.example/runbooks".to_owned())
    }
}

#[cfg(test)]
mod tests;
