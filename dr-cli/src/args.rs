//! The command line: what is accepted, and how it becomes checked values.
//!
//! Global options may stand before and after the subcommand. A usage error follows `--json` as every other error does.

use std::ffi::OsString;
use std::path::PathBuf;

use archive::SnapshotId;
use archive::oplog::OpKind;
use archive::target::{RestoreTarget, TARGET_GRAMMAR};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use recovery::{Failure, FailureKind, NamespaceFilter, Share, TimeBound, VerifyLevel};

use crate::output::Sink;

mod drill;
mod keeping;
mod terraform;
#[cfg(test)]
mod tests;

use drill::parse_seconds;
pub use drill::{DrillArgs, DrillTarget};
pub use keeping::{ExpireArgs, FreezeArgs, PinArgs, UnpinArgs, snapshot_id};
pub use terraform::TerraformArgs;

const EXIT_CODES: &str = "\
Exit codes: 0 ok · 1 unexpected · 2 usage · 3 not found · 4 not restorable · 5 integrity · 6 key · 7 lease held · 8 store or
server unreachable · 9 unsafe destination · 10 done with findings · 130 cancelled";

/// See what can be restored, restore it to an exact moment, and prove that stored bytes are sound.
#[derive(Debug, Parser)]
#[command(name = "dr-cli", version, after_help = EXIT_CODES, max_term_width = 120)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Args)]
pub struct GlobalArgs {
    /// Where the archive is: `file:///path`, `s3://bucket/prefix`, `azblob://account/container/prefix`
    #[arg(long, global = true, env = "TIDEMARK_ARCHIVE", hide_env_values = true, value_name = "URL")]
    pub archive: Option<String>,
    /// Where the archive's `control/` is, when the sidecar keeps it elsewhere
    #[arg(long, global = true, env = "TIDEMARK_CONTROL", hide_env_values = true, value_name = "URL")]
    pub control: Option<String>,
    /// File with the age identities (secret keys) that encrypted objects are read with; may be given several times
    #[arg(long, global = true, env = "TIDEMARK_IDENTITY_FILE", value_name = "FILE")]
    pub identity_file: Vec<PathBuf>,
    /// Which history, when the archive holds several
    #[arg(long, global = true, env = "TIDEMARK_LINEAGE", value_name = "ID")]
    pub lineage: Option<String>,
    /// Print one JSON object on stdout, also on error
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress and no hints on stderr
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Level or filter of log lines on stderr
    #[arg(long, global = true, env = "TIDEMARK_LOG_LEVEL", default_value = "warn", value_name = "LEVEL")]
    pub log_level: String,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// What can be restored, and how current the archive is
    Status,
    /// The snapshots
    List,
    /// One snapshot and its collections
    Show(ShowArgs),
    /// Find the harmful write: its cluster time, and the target that restores to just before it
    Find(FindArgs),
    /// What a restore would do
    Plan(PlanArgs),
    /// Restore into a fresh replica set
    Restore(Box<RestoreArgs>),
    /// Arm the TTL indexes that a restore parked
    Release(ReleaseArgs),
    /// Prove that stored bytes are what was written
    Verify(VerifyArgs),
    /// Restore for practice, prove what came back, and store a report
    Drill(Box<DrillArgs>),
    /// Write a moment as a folder that mongorestore takes
    Export(ExportArgs),
    /// What a retention policy lets go, and why; with --apply the deletion
    Expire(ExpireArgs),
    /// Keep a snapshot, or every moment of a range, whatever the retention policy says
    Pin(PinArgs),
    /// Give a pin up
    Unpin(UnpinArgs),
    /// Stop all expiry, in an incident
    Freeze(FreezeArgs),
    /// Let expiry go on
    Unfreeze,
    /// What would fail, before it fails: store, archive, keys, destination
    Doctor(DoctorArgs),
    /// Completions for a shell, on stdout
    Completions(CompletionsArgs),
}

impl Command {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::List => "list",
            Self::Show(_) => "show",
            Self::Find(_) => "find",
            Self::Plan(_) => "plan",
            Self::Restore(_) => "restore",
            Self::Release(_) => "release",
            Self::Verify(_) => "verify",
            Self::Drill(_) => "drill",
            Self::Export(_) => "export",
            Self::Expire(_) => "expire",
            Self::Pin(_) => "pin",
            Self::Unpin(_) => "unpin",
            Self::Freeze(_) => "freeze",
            Self::Unfreeze => "unfreeze",
            Self::Doctor(_) => "doctor",
            Self::Completions(_) => "completions",
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// A snapshot id as `dr-cli list` prints it, or `latest`
    #[arg(value_name = "ID")]
    pub snapshot: String,
}

#[derive(Debug, clap::Args)]
pub struct FindArgs {
    /// `database.collection`, or `database` or `database.*`
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<NamespaceFilter>,
    /// Kinds of operations, separated by commas; all that change something when absent
    #[arg(long, value_name = "OP,…", value_delimiter = ',', value_parser = parse_op)]
    pub op: Vec<OpKind>,
    /// From there on: RFC 3339, T:I, or -15m (before the end of the archive)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<TimeBound>,
    /// Up to there, included
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<TimeBound>,
    /// The most matches; of more, drops and renames stay, then the largest
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
}

#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// The moment to restore
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true, long_help = TARGET_GRAMMAR)]
    pub to: RestoreTarget,
    /// Start from this snapshot instead of the newest one that serves
    #[arg(long, value_name = "ID")]
    pub snapshot: Option<SnapshotId>,
}

#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The moment to restore
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true, long_help = TARGET_GRAMMAR, required_unless_present_any = ["plan", "clean_up"])]
    pub to: Option<RestoreTarget>,
    /// Start from this snapshot instead of the newest one that serves
    #[arg(long, value_name = "ID", conflicts_with = "plan")]
    pub snapshot: Option<SnapshotId>,
    /// Connection string of the fresh replica set to restore into
    #[arg(
        long,
        env = "TIDEMARK_DESTINATION",
        hide_env_values = true,
        value_name = "URI",
        required_unless_present = "terraform"
    )]
    pub destination: Option<String>,
    /// Wait so long for a destination that is still being made, for example 10m; not at all when absent
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds, conflicts_with = "terraform")]
    pub wait_for_destination: Option<u64>,
    #[command(flatten)]
    pub terraform: TerraformArgs,
    /// Go on with a restore by Terraform that ended before its end: the name of the run, or its folder
    #[arg(long, value_name = "RUN", requires = "terraform", conflicts_with_all = ["clean_up", "run_dir", "var", "var_file", "backend_config"])]
    pub resume: Option<PathBuf>,
    /// Execute exactly this plan, as `dr-cli plan --json` printed it
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Arm TTL indexes at the end; documents may expire at once
    #[arg(long)]
    pub release: bool,
    /// Prove every object before the first write; reads all of them twice
    #[arg(long)]
    pub verify_first: bool,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Concurrent writers to the destination
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub connections: u16,
}

#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    /// Connection string of the restored replica set
    #[arg(long, env = "TIDEMARK_DESTINATION", hide_env_values = true, value_name = "URI")]
    pub destination: String,
}

#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// list: everything is there · hash: every byte · decode: every BSON element and oplog entry
    #[arg(long, value_name = "LEVEL", default_value = "hash")]
    pub level: VerifyLevel,
    /// Read only a part of segments and slices: a percentage of them (5%), or part N of T (3/10)
    ///
    /// The T parts have no object in common and together hold all: T runs, from 1/T to T/T, read everything that was
    /// there before the first of them, however far apart they are. An object's part follows from its name; what is
    /// archived between the runs is read when its part is due, which may be in the next round. The report counts what
    /// there is each time.
    #[arg(long, value_name = "PERCENT|N/T")]
    pub sample: Option<Share>,
    /// Which objects of a percentage: the same seed reads the same ones
    #[arg(long, value_name = "N", requires = "sample")]
    pub seed: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// The moment to export
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true, long_help = TARGET_GRAMMAR)]
    pub to: RestoreTarget,
    /// Start from this snapshot instead of the newest one that serves
    #[arg(long, value_name = "ID")]
    pub snapshot: Option<SnapshotId>,
    /// The folder to write: new, or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Also look at the replica set that is to be restored into
    #[arg(long, env = "TIDEMARK_DESTINATION", hide_env_values = true, value_name = "URI")]
    pub destination: Option<String>,
    /// Do not try out the store by writing to it
    #[arg(long)]
    pub read_only: bool,
}

#[derive(Debug, clap::Args)]
pub struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

fn parse_op(text: &str) -> Result<OpKind, String> {
    const NAMES: [&str; 11] = [
        "insert",
        "update",
        "delete",
        "drop",
        "dropDatabase",
        "renameCollection",
        "create",
        "createIndexes",
        "dropIndexes",
        "collMod",
        "noop",
    ];
    let known = |name: &&&str| name.eq_ignore_ascii_case(text);
    let name = match text {
        "rename" => "renameCollection",
        _ => NAMES.iter().find(known).copied().unwrap_or(text),
    };
    OpKind::from_name(name)
        .ok_or_else(|| format!("`{text}` is not a kind of operation; known are {}", NAMES.join(", ")))
}

/// Everything about a run that is known before it.
#[derive(Debug)]
pub struct Invocation {
    pub command: Command,
    pub archive: Option<String>,
    pub control: Option<String>,
    pub identity_files: Vec<PathBuf>,
    pub lineage: Option<String>,
    pub log_level: String,
    pub sink: Sink,
    pub warnings: Vec<String>,
}

pub enum Parsed {
    Run(Box<Invocation>),
    /// Help or version.
    Show(String),
    Refused {
        sink: Sink,
        failure: Failure,
    },
}

pub fn parse(args: impl IntoIterator<Item = OsString>) -> Parsed {
    let args: Vec<OsString> = args.into_iter().collect();
    let parsed = Cli::command().try_get_matches_from(&args).and_then(|matches| {
        let warnings = secrets_in_flags(&matches);
        Cli::from_arg_matches(&matches).map(|cli| (cli, warnings))
    });
    match parsed {
        Ok((cli, warnings)) => Parsed::Run(Box::new(Invocation {
            sink: Sink { command: cli.command.name(), json: cli.global.json, quiet: cli.global.quiet },
            command: cli.command,
            archive: cli.global.archive.filter(|url| !url.is_empty()),
            control: cli.global.control.filter(|url| !url.is_empty()),
            identity_files: cli.global.identity_file.into_iter().filter(|file| !file.as_os_str().is_empty()).collect(),
            lineage: cli.global.lineage.filter(|id| !id.is_empty()),
            log_level: cli.global.log_level,
            warnings,
        })),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Parsed::Show(error.render().to_string())
        }
        Err(error) => {
            let command = named_command(&args);
            let json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
            let sink = Sink { command: command.unwrap_or("dr-cli"), json, quiet: false };
            Parsed::Refused { sink, failure: usage_failure(&error, command) }
        }
    }
}

/// The subcommand that a command line which cannot be parsed is about.
fn named_command(args: &[OsString]) -> Option<&'static str> {
    const NAMES: [&str; 17] = [
        "status",
        "list",
        "show",
        "find",
        "plan",
        "restore",
        "release",
        "verify",
        "drill",
        "expire",
        "pin",
        "unpin",
        "freeze",
        "unfreeze",
        "doctor",
        "completions",
        "export",
    ];
    args.iter().skip(1).find_map(|arg| NAMES.into_iter().find(|name| arg == name))
}

fn usage_failure(error: &clap::Error, command: Option<&str>) -> Failure {
    let text = error.render().to_string();
    let what = text.split("\n\nUsage:").next().unwrap_or_default();
    let what = what.split("\n\nFor more information").next().unwrap_or_default();
    let what = what.strip_prefix("error: ").unwrap_or(what).trim();
    let (what, cause) = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => (
            "no command is given".to_owned(),
            "dr-cli status · list · show · find · plan · restore · release · verify · drill · export · expire · doctor",
        ),
        ErrorKind::MissingRequiredArgument => (what.to_owned(), "an option that the command needs is not there"),
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => (what.to_owned(), "a typing error"),
        _ => (what.to_owned(), "a value cannot be understood"),
    };
    let next = command.map_or_else(|| "dr-cli --help".to_owned(), |command| format!("dr-cli {command} --help"));
    Failure::new(FailureKind::Usage, what).at("the command line").because(cause).then(next)
}

/// Flags are seen by everybody who may list processes.
fn secrets_in_flags(matches: &ArgMatches) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some((_, command)) = matches.subcommand() else { return warnings };
    let flags =
        [("destination", "TIDEMARK_DESTINATION"), ("archive", "TIDEMARK_ARCHIVE"), ("control", "TIDEMARK_CONTROL")];
    for (flag, variable) in flags {
        let given = command.try_contains_id(flag).unwrap_or(false)
            && command.value_source(flag) == Some(ValueSource::CommandLine);
        let value = given.then(|| command.get_one::<String>(flag)).flatten();
        if value.is_some_and(|value| telemetry::redact_uri(value) != *value) {
            warnings.push(format!(
                "--{flag} holds a secret, which everybody who lists the processes of this machine can see; use {variable}"
            ));
        }
    }
    warnings
}
