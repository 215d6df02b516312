//! The options of `dr-cli drill`.

use std::path::PathBuf;
use std::str::FromStr;

use archive::SnapshotId;
use archive::drill::Trigger;
use archive::target::{RestoreTarget, TARGET_GRAMMAR};

use super::TerraformArgs;

/// Which moment is drilled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DrillTarget {
    /// One by chance in a restore window.
    Random,
    /// That of the newest reference that can be restored.
    Reference,
    Named(RestoreTarget),
}

impl FromStr for DrillTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "random" => Ok(Self::Random),
            "reference" => Ok(Self::Reference),
            text => text.parse().map(Self::Named).map_err(|error: archive::target::ParseTargetError| {
                format!("{error}; `random` and `reference` are targets of a drill, too")
            }),
        }
    }
}

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub struct DrillArgs {
    /// The moment to restore, `random` or `reference`; the newest reference when there is one, else `latest`
    #[arg(long, value_name = "TARGET", allow_hyphen_values = true, long_help = long_help())]
    pub to: Option<DrillTarget>,
    /// Start from this snapshot instead of the newest one that serves
    #[arg(long, value_name = "ID")]
    pub snapshot: Option<SnapshotId>,
    /// Which random moment and which seeded fault: the same seed draws the same ones
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Fresh replica set to restore into; without it a throw-away mongod is started on this machine
    #[arg(long, env = "TIDEMARK_DESTINATION", hide_env_values = true, value_name = "URI")]
    pub destination: Option<String>,
    /// Wait so long for a destination that is still being made, for example 10m; not at all when absent
    #[arg(long, value_name = "DURATION", value_parser = parse_seconds, requires = "destination")]
    pub wait_for_destination: Option<u64>,
    #[command(flatten)]
    pub terraform: TerraformArgs,
    /// Leave what Terraform made; the report names the command that removes it
    #[arg(long, requires = "terraform", conflicts_with = "clean_up")]
    pub keep: bool,
    /// Drop everything in the destination afterwards
    #[arg(long, requires = "destination")]
    pub drop_after: bool,
    /// The mongod to throw away; the one on PATH when absent
    #[arg(long, env = "MONGOD", value_name = "PATH")]
    pub mongod: Option<PathBuf>,
    /// Where the throw-away mongod keeps its data; the folder for temporary files when absent
    #[arg(long, env = "TIDEMARK_SCRATCH_DIR", value_name = "DIR")]
    pub scratch_dir: Option<PathBuf>,
    /// Queries with the answers that are expected, as TOML or JSON
    #[arg(long, env = "TIDEMARK_QUERIES", value_name = "FILE")]
    pub queries: Option<PathBuf>,
    /// How much may be lost at most, for example 5m
    #[arg(long, env = "TIDEMARK_RPO", value_name = "DURATION", value_parser = parse_seconds)]
    pub rpo: Option<u64>,
    /// How long a restore may take at most, for example 2h
    #[arg(long, env = "TIDEMARK_RTO", value_name = "DURATION", value_parser = parse_seconds)]
    pub rto: Option<u64>,
    /// Copies of the report go here, too
    #[arg(long, env = "TIDEMARK_REPORT_DIR", value_name = "DIR")]
    pub report_dir: Option<PathBuf>,
    /// Store no report: it is a part of another drill, which reports, and its object with `--json` is all it leaves
    #[arg(long, requires = "destination", conflicts_with_all = ["report_dir", "sign_key", "drop_after"])]
    pub unpublished: bool,
    /// minisign secret key that signs the report; its password comes from `TIDEMARK_SIGN_PASSWORD`
    #[arg(long, env = "TIDEMARK_SIGN_KEY", value_name = "FILE")]
    pub sign_key: Option<PathBuf>,
    /// What is practised, for the report
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub scenario: String,
    /// Why now: manual, schedule or post-incident
    #[arg(long, value_name = "WHY", default_value = "manual", value_parser = parse_trigger)]
    pub trigger: Trigger,
    /// Who runs it, for the report
    #[arg(long, env = "USER", value_name = "NAME", default_value = "")]
    pub operator: String,
    /// Who signs it off, for the report
    #[arg(long, value_name = "NAME", default_value = "")]
    pub approver: String,
    /// Do not ask before writing into the destination
    #[arg(long, short)]
    pub yes: bool,
    /// Concurrent writers to the destination
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub connections: u16,
}

fn long_help() -> String {
    format!(
        "`random`: any second of a restore window. `reference`: the newest moment that can be restored and of which the \
         sidecar stored what the server itself showed.\n\n{TARGET_GRAMMAR}"
    )
}

pub fn parse_seconds(text: &str) -> Result<u64, String> {
    let refuse = || format!("`{text}` is not a duration; write it with a unit, for example `90s`, `15m` or `2h`");
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| refuse())?;
    u64::try_from(parsed.as_secs()).map_err(|_| refuse())
}

fn parse_trigger(text: &str) -> Result<Trigger, String> {
    match text {
        "manual" => Ok(Trigger::Manual),
        "schedule" => Ok(Trigger::Schedule),
        "post-incident" => Ok(Trigger::PostIncident),
        _ => Err(format!("`{text}` is not one of manual, schedule, post-incident")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_has_two_targets_more_than_a_restore() {
        assert_eq!("random".parse(), Ok(DrillTarget::Random));
        assert_eq!("reference".parse(), Ok(DrillTarget::Reference));
        assert_eq!("-15m".parse(), Ok(DrillTarget::Named(RestoreTarget::Ago { seconds: 900 })));
        let refused = "yesterday".parse::<DrillTarget>().unwrap_err();
        assert!(refused.contains("`yesterday`") && refused.contains("`random`"), "{refused}");
    }

    #[test]
    fn objectives_have_a_unit() {
        assert_eq!([parse_seconds("90s"), parse_seconds("1h 30m")], [Ok(90), Ok(5_400)]);
        for wrong in ["90", "-5m", "", "soon"] {
            assert!(parse_seconds(wrong).is_err(), "{wrong}");
        }
    }
}
