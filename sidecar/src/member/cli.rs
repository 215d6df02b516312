//! The command line of `sidecar member`, as text; what it means is decided in `config::member`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Clone, Subcommand)]
pub enum MemberCommand {
    /// Copies this program, and a keyfile, to where another container can use them
    Install {
        /// The folder, for example /opt/tidemark; the program becomes DIR/sidecar
        dir: PathBuf,
        /// Also copy this keyfile, to DIR/keyfile with the mode that mongod asks for
        #[arg(long, value_name = "FILE")]
        keyfile: Option<PathBuf>,
    },
    /// Asks the server what it is, without credentials: exit 0 when it is well, 8 when it is not
    Probe {
        kind: ProbeKind,
        #[command(flatten)]
        flags: ProbeFlags,
        /// Of `readiness`: a member whose replica set is not initiated is ready, too
        #[arg(long)]
        uninitiated_ok: bool,
    },
    /// Hands over to another member when this one is primary, and returns when that one has taken over
    StepDown {
        #[command(flatten)]
        flags: StepDownFlags,
    },
    /// Initiates the set, keeps its users, members and defaults as they shall be, until it is stopped
    Tend {
        #[command(flatten)]
        flags: Box<TendFlags>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProbeKind {
    /// It answers
    Startup,
    /// It answers, whatever its state
    Liveness,
    /// It is primary, secondary or arbiter of a set that has a primary, and its certificate has its name in the set
    Readiness,
}

#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::doc_markdown, reason = "shown as it is by --help")]
pub struct ProbeFlags {
    /// Connection string of the server [default: mongodb://127.0.0.1:27017/?directConnection=true]
    #[arg(long, value_name = "URI")]
    member_uri: Option<String>,
    /// How long the answer may take [default: 3s]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
}

#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::doc_markdown, reason = "shown as it is by --help")]
pub struct StepDownFlags {
    /// Connection string of the server [default: mongodb://127.0.0.1:27017/?directConnection=true]
    #[arg(long, value_name = "URI")]
    member_uri: Option<String>,
    /// For how long it does not become primary again [default: 60]
    #[arg(long, value_name = "N")]
    seconds: Option<String>,
    /// How long handing over may take [default: 20s]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// Before that: how long to wait for members that are away, while the set would have no majority without this one [default: 0s]
    #[arg(long, value_name = "DURATION")]
    wait: Option<String>,
    /// Sign in as a server of the set, with this keyfile [default: as the connection string says]
    #[arg(long, value_name = "FILE")]
    keyfile: Option<String>,
}

#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::doc_markdown, reason = "shown as it is by --help")]
pub struct TendFlags {
    /// Connection string of this member, with the TLS options of all [default: mongodb://127.0.0.1:27017/?directConnection=true]
    #[arg(long, value_name = "URI")]
    member_uri: Option<String>,
    /// The name of the replica set
    #[arg(long, value_name = "NAME")]
    set_name: Option<String>,
    /// How many members the set shall have, or a file that holds the number and is read again each time
    #[arg(long, value_name = "N|FILE")]
    members: Option<String>,
    /// HOST:PORT of a member, with {ordinal} in it
    #[arg(long, value_name = "TEMPLATE")]
    host_template: Option<String>,
    /// … or the HOST:PORT of all, separated by commas
    #[arg(long, value_name = "HOSTS")]
    hosts: Option<String>,
    /// Which one this is: a number, or the name of a pod that ends in one
    #[arg(long, value_name = "N|POD")]
    ordinal: Option<String>,
    /// The servers' keyfile [default: access control is off, or as the connection string says]
    #[arg(long, value_name = "FILE")]
    keyfile: Option<String>,
    /// Files of the server's TLS, separated by commas: its certificate, then its authorities. It is told to read them anew when one changes [default: none]
    #[arg(long, value_name = "FILES")]
    certificates: Option<String>,
    /// JSON list of users: name, roles, passwordFile, afterRestore
    #[arg(long, value_name = "FILE")]
    users: Option<String>,
    /// standard; recovery: users with afterRestore are let in when a restore has completed; or drill: never [default: standard]
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// majority, or a number of members [default: left alone]
    #[arg(long, value_name = "W")]
    default_write_concern: Option<String>,
    /// local, available or majority [default: left alone]
    #[arg(long, value_name = "LEVEL")]
    default_read_concern: Option<String>,
}

impl ProbeFlags {
    pub fn find(&self, key: &str) -> Option<String> {
        match key {
            "member_uri" => self.member_uri.clone(),
            "timeout" => self.timeout.clone(),
            _ => None,
        }
    }
}

impl StepDownFlags {
    pub fn find(&self, key: &str) -> Option<String> {
        match key {
            "member_uri" => self.member_uri.clone(),
            "seconds" => self.seconds.clone(),
            "timeout" => self.timeout.clone(),
            "wait" => self.wait.clone(),
            "keyfile" => self.keyfile.clone(),
            _ => None,
        }
    }
}

impl TendFlags {
    pub fn find(&self, key: &str) -> Option<String> {
        match key {
            "member_uri" => self.member_uri.clone(),
            "set_name" => self.set_name.clone(),
            "members" => self.members.clone(),
            "host_template" => self.host_template.clone(),
            "hosts" => self.hosts.clone(),
            "ordinal" => self.ordinal.clone(),
            "keyfile" => self.keyfile.clone(),
            "certificates" => self.certificates.clone(),
            "users" => self.users.clone(),
            "mode" => self.mode.clone(),
            "default_write_concern" => self.default_write_concern.clone(),
            "default_read_concern" => self.default_read_concern.clone(),
            _ => None,
        }
    }
}
