//! What the `member` commands are told to do. They have neither an archive nor a file of settings: every setting is a flag or
//! a variable.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use member::{Hosts, Mode};
use replset::member::WantedDefaults;
use telemetry::{LogFormat, redact_uri};

use super::{ConfigProblem, Layers, ReadVariable, Reader, flag_name, values, variable_name};

const DEFAULT_URI: &str = "mongodb://127.0.0.1:27017/?directConnection=true";
const DEFAULT_LISTEN: &str = "0.0.0.0:9718";
/// As many as a replica set can have.
const MOST_MEMBERS: u32 = 50;

/// How many members the set shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedMembers {
    Number(u32),
    /// Holds the number, and is read again each time: to scale a set nobody is restarted.
    File(PathBuf),
}

impl WantedMembers {
    pub fn read(&self) -> Result<u32, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
                values::whole_number(text.trim(), 1, MOST_MEMBERS)
                    .map_err(|reason| format!("{} does not hold a number of members: {reason}", path.display()))
            }
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            return values::whole_number(text, 1, MOST_MEMBERS).map(Self::Number);
        }
        if text.contains('/') {
            Ok(Self::File(PathBuf::from(text)))
        } else {
            Err("must be a number of members, or the path of a file that holds one".to_owned())
        }
    }
}

#[derive(Debug, Clone)]
pub struct TendConfig {
    pub uri: String,
    pub set_name: String,
    pub members: WantedMembers,
    pub hosts: Hosts,
    pub ordinal: u32,
    pub keyfile: Option<PathBuf>,
    /// What the server's TLS is made of; empty without.
    pub certificates: Vec<PathBuf>,
    pub users: Option<PathBuf>,
    pub mode: Mode,
    pub defaults: WantedDefaults,
    pub listen: SocketAddr,
    pub shutdown_grace: Duration,
    pub log_format: LogFormat,
    pub log_level: String,
}

impl TendConfig {
    /// What is in effect, without secrets: for the log.
    pub fn shown(&self) -> Vec<(&'static str, String)> {
        let path = |path: Option<&PathBuf>| path.map_or_else(|| "none".to_owned(), |path| path.display().to_string());
        let members = match &self.members {
            WantedMembers::Number(number) => number.to_string(),
            WantedMembers::File(file) => file.display().to_string(),
        };
        let kept = |concern: Option<&String>| concern.cloned().unwrap_or_else(|| "left alone".to_owned());
        vec![
            ("member_uri", redact_uri(&self.uri)),
            ("set_name", self.set_name.clone()),
            ("members", members),
            ("ordinal", self.ordinal.to_string()),
            ("host", self.hosts.host(self.ordinal).unwrap_or_default()),
            ("keyfile", path(self.keyfile.as_ref())),
            (
                "certificates",
                self.certificates.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(","),
            ),
            ("users", path(self.users.as_ref())),
            ("mode", format!("{:?}", self.mode).to_lowercase()),
            ("default_write_concern", kept(self.defaults.write.as_ref())),
            ("default_read_concern", kept(self.defaults.read.as_ref())),
            ("listen", self.listen.to_string()),
        ]
    }
}

#[derive(Debug, Clone)]
pub struct ProbeConfig {
    pub uri: String,
    pub timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct StepDownConfig {
    pub uri: String,
    pub seconds: u32,
    pub timeout: Duration,
    pub wait: Duration,
    pub keyfile: Option<PathBuf>,
}

type Find<'a> = &'a dyn Fn(&str) -> Option<String>;

impl TendConfig {
    /// `flags` gives the text of a flag by its key.
    pub fn load(flags: Find<'_>, variables: ReadVariable<'_>) -> Result<Self, Vec<ConfigProblem>> {
        // As a path it would be a function for readers of one lifetime only.
        let read_tend = |reader: &mut Reader<'_>| reader.read_tend();
        read(flags, variables, read_tend)
    }
}

impl ProbeConfig {
    pub fn load(flags: Find<'_>, variables: ReadVariable<'_>) -> Result<Self, Vec<ConfigProblem>> {
        read(flags, variables, |reader| {
            let timeout = reader.timeout("3s");
            Some(ProbeConfig { uri: reader.member_uri()?, timeout: timeout? })
        })
    }
}

impl StepDownConfig {
    pub fn load(flags: Find<'_>, variables: ReadVariable<'_>) -> Result<Self, Vec<ConfigProblem>> {
        read(flags, variables, |reader| {
            let uri = reader.member_uri();
            let seconds = reader.with_default("seconds", "60", |text| values::whole_number(text, 1, 86_400));
            let timeout = reader.timeout("20s");
            let wait = reader.with_default("wait", "0s", |text| {
                values::duration_between(text, Duration::ZERO, Duration::from_mins(10))
            });
            let keyfile = reader.optional("keyfile", |text| Ok(PathBuf::from(text)));
            Some(StepDownConfig { uri: uri?, seconds: seconds?, timeout: timeout?, wait: wait?, keyfile })
        })
    }
}

fn read<T>(
    flags: Find<'_>,
    variables: ReadVariable<'_>,
    read: impl Fn(&mut Reader<'_>) -> Option<T>,
) -> Result<T, Vec<ConfigProblem>> {
    let mut reader = Reader { layers: Layers { flags, variables, file: toml::Table::new() }, problems: Vec::new() };
    match read(&mut reader) {
        Some(config) if reader.problems.is_empty() => Ok(config),
        _ => Err(reader.problems),
    }
}

impl Reader<'_> {
    fn member_uri(&mut self) -> Option<String> {
        let Some((uri, origin)) = self.layers.find("member_uri") else { return Some(DEFAULT_URI.to_owned()) };
        if uri.starts_with("mongodb://") {
            return Some(uri);
        }
        self.problems.push(ConfigProblem {
            key: "member_uri".to_owned(),
            value: redact_uri(&uri),
            origin: Some(origin),
            reason: "must start with mongodb:// and name one server".to_owned(),
        });
        None
    }

    fn timeout(&mut self, default: &str) -> Option<Duration> {
        self.with_default("timeout", default, |text| {
            values::duration_between(text, Duration::from_millis(100), Duration::from_mins(10))
        })
    }

    fn demanded<T>(&mut self, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        if self.layers.find(key).is_none() {
            let reason = format!("is required: give {} or {}", flag_name(key), variable_name(key));
            self.problems.push(ConfigProblem { key: key.to_owned(), value: String::new(), origin: None, reason });
        }
        self.optional(key, parse)
    }

    /// A template or a list, not both.
    fn hosts(&mut self) -> Option<Hosts> {
        match (self.layers.find("host_template"), self.layers.find("hosts")) {
            (None, Some(_)) => self.optional("hosts", Hosts::list),
            (Some(_), Some((value, origin))) => {
                let (key, reason) = ("hosts".to_owned(), "is given together with host_template".to_owned());
                self.problems.push(ConfigProblem { key, value, origin: Some(origin), reason });
                None
            }
            _ => self.demanded("host_template", Hosts::template),
        }
    }

    fn read_tend(&mut self) -> Option<TendConfig> {
        let uri = self.member_uri();
        let set_name = self.demanded("set_name", |text| {
            if text.is_empty() || text.contains('/') { Err("is no name".to_owned()) } else { Ok(text.to_owned()) }
        });
        let members = self.demanded("members", WantedMembers::parse);
        let hosts = self.hosts();
        let ordinal = self.demanded("ordinal", member::ordinal);
        let path = |text: &str| Ok(PathBuf::from(text));
        let (keyfile, users) = (self.optional("keyfile", path), self.optional("users", path));
        let paths = |text: &str| Ok(text.split(',').map(PathBuf::from).collect());
        let certificates: Option<Vec<PathBuf>> = self.optional("certificates", paths);
        let mode = self.with_default("mode", "standard", |text| match text {
            "standard" => Ok(Mode::Standard),
            "recovery" => Ok(Mode::Recovery),
            "drill" => Ok(Mode::Drill),
            _ => Err("must be standard, recovery or drill".to_owned()),
        });
        let write = self.optional("default_write_concern", |text| match text.parse::<u32>() {
            Ok(1..=MOST_MEMBERS) => Ok(text.to_owned()),
            Err(_) if text == "majority" => Ok(text.to_owned()),
            _ => Err("must be majority or a number of members".to_owned()),
        });
        let read = self.optional("default_read_concern", |text| match text {
            "local" | "available" | "majority" => Ok(text.to_owned()),
            _ => Err("must be local, available or majority".to_owned()),
        });
        let listen = self.with_default("listen", DEFAULT_LISTEN, |text| {
            text.parse::<SocketAddr>().map_err(|_| "must be ADDRESS:PORT, for example 0.0.0.0:9718".to_owned())
        });
        let grace = self.with_default("shutdown_grace", "5s", |text| {
            values::duration_between(text, Duration::from_secs(1), Duration::from_mins(10))
        });
        let log_format = self.with_default("log_format", "text", str::parse);
        let log_level = self.with_default("log_level", "info", |text| Ok(text.to_owned()));
        if let (Some(hosts), Some(ordinal)) = (&hosts, ordinal)
            && hosts.host(ordinal).is_none()
        {
            let (key, reason) = ("ordinal".to_owned(), "is the ordinal of none of the hosts".to_owned());
            self.problems.push(ConfigProblem { key, value: ordinal.to_string(), origin: None, reason });
        }
        Some(TendConfig {
            uri: uri?,
            set_name: set_name?,
            members: members?,
            hosts: hosts?,
            ordinal: ordinal?,
            keyfile,
            certificates: certificates.unwrap_or_default(),
            users,
            mode: mode?,
            defaults: WantedDefaults { write, read },
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

    fn load(flags: &[(&str, &str)]) -> Result<TendConfig, Vec<ConfigProblem>> {
        let flags: HashMap<&str, &str> = flags.iter().copied().collect();
        TendConfig::load(&|key| flags.get(key).map(|text| (*text).to_owned()), &|_| None)
    }

    const ENOUGH: [(&str, &str); 4] =
        [("set_name", "rs0"), ("members", "3"), ("host_template", "db-{ordinal}.db:27017"), ("ordinal", "db-1")];

    #[test]
    fn four_settings_are_enough() {
        let config = load(&ENOUGH).unwrap();
        assert_eq!((config.ordinal, config.members), (1, WantedMembers::Number(3)));
        assert_eq!((config.uri.as_str(), config.mode), (DEFAULT_URI, Mode::Standard));
        assert_eq!(config.listen.to_string(), DEFAULT_LISTEN);
    }

    #[test]
    fn every_mistake_is_reported_at_once_and_no_password_with_it() {
        let problems = load(&[
            ("member_uri", "http://u:s3cret@h"),
            ("members", "three"),
            ("hosts", "a:1,a:1"),
            ("ordinal", "db"),
            ("mode", "restore"),
            ("default_write_concern", "0"),
            ("listen", "9718"),
        ])
        .unwrap_err();
        let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_str()).collect();
        let expected =
            ["member_uri", "set_name", "members", "hosts", "ordinal", "mode", "default_write_concern", "listen"];
        assert_eq!(keys, expected);
        assert!(!format!("{problems:?}").contains("s3cret"));
    }

    #[test]
    fn the_number_of_members_is_read_from_its_file_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("members");
        let members = WantedMembers::parse(path.to_str().unwrap()).unwrap();
        assert!(members.read().is_err());
        std::fs::write(&path, "5\n").unwrap();
        assert_eq!(members.read(), Ok(5));
        std::fs::write(&path, "0").unwrap();
        assert!(members.read().is_err());
    }
}
