//! What `sidecar node` is told to do. It needs neither a server nor an archive, so it has settings of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use logfollow::Pattern;
use telemetry::LogFormat;

use super::{ConfigProblem, DEFAULT_LISTEN, Layers, ReadVariable, Reader, values};

/// The log of the container `mongod` in a kubelet's layout, and files that mongod writes itself.
const DEFAULT_PATTERNS: &str = "*/mongod/*.log,*/mongod.log,mongod.log";

#[derive(Debug, Clone)]
pub struct NodeConfig {
    pub logs: PathBuf,
    pub patterns: Vec<Pattern>,
    /// Absent: every start reads the logs from their beginning.
    pub positions: Option<PathBuf>,
    pub listen: SocketAddr,
    pub shutdown_grace: Duration,
    pub log_format: LogFormat,
    pub log_level: String,
}

impl NodeConfig {
    /// As [`super::Config::load`].
    pub fn load(
        flags: &dyn Fn(&str) -> Option<String>,
        variables: ReadVariable<'_>,
        read_file: &dyn Fn(&str) -> std::io::Result<String>,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut reader = Reader { layers: Layers { flags, variables, file: toml::Table::new() }, problems: Vec::new() };
        reader.load_file(read_file);
        let config = reader.read_node();
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(reader.problems),
        }
    }

    /// What is in effect: for the log.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        let patterns: Vec<String> = self.patterns.iter().map(ToString::to_string).collect();
        let positions = self.positions.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
        vec![
            ("logs", self.logs.display().to_string()),
            ("log_patterns", patterns.join(",")),
            ("log_positions", positions),
            ("listen", self.listen.to_string()),
            ("shutdown_grace", super::show_duration(self.shutdown_grace)),
            ("log_format", format!("{:?}", self.log_format).to_lowercase()),
            ("log_level", self.log_level.clone()),
        ]
    }
}

impl Reader<'_> {
    fn read_node(&mut self) -> Option<NodeConfig> {
        let logs = self.required("logs", |text| Ok(PathBuf::from(text)));
        let patterns = self.with_default("log_patterns", DEFAULT_PATTERNS, |text| {
            let patterns: Result<Vec<Pattern>, _> = text.split(',').map(|pattern| pattern.trim().parse()).collect();
            patterns.map_err(|error: logfollow::BadPattern| error.to_string())
        });
        let positions = self.optional("log_positions", |text| Ok(PathBuf::from(text)));
        let listen = self.with_default("listen", DEFAULT_LISTEN, |text| {
            text.parse::<SocketAddr>().map_err(|_| "must be ADDRESS:PORT, for example 127.0.0.1:9717".to_owned())
        });
        let grace = self.with_default("shutdown_grace", "20s", |text| {
            values::duration_between(text, Duration::from_secs(1), Duration::from_mins(10))
        });
        let log_format = self.with_default("log_format", "text", str::parse);
        let log_level = self.with_default("log_level", "info", |text| Ok(text.to_owned()));
        Some(NodeConfig {
            logs: logs?,
            patterns: patterns?,
            positions,
            listen: listen?,
            shutdown_grace: grace?,
            log_format: log_format?,
            log_level: log_level?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn load(flags: &[(&str, &str)]) -> Result<NodeConfig, Vec<ConfigProblem>> {
        let flags: HashMap<&str, &str> = flags.iter().copied().collect();
        let no_file = |_: &str| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        NodeConfig::load(&|key| flags.get(key).map(|text| (*text).to_owned()), &|_| None, &no_file)
    }

    #[test]
    fn a_folder_is_all_it_needs() {
        let config = load(&[("logs", "/var/log/pods")]).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:9717");
        assert_eq!((config.patterns.len(), config.positions), (3, None));
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let problems = load(&[("log_patterns", "*.log,/etc/*"), ("listen", "9717")]).unwrap_err();
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        assert_eq!(keys, ["logs", "log_patterns", "listen"]);
    }
}
