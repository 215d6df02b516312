//! Why a text is not a restore target. Every message ends with the grammar, because it is read in an emergency.

/// The grammar with one example for each form; also shown by `--help`.
pub const TARGET_GRAMMAR: &str = "\
latest                      the newest restorable moment
2024-05-01T12:30:00Z        all of that second (or 2024-05-01T14:30:00+02:00; with .250 up to that millisecond)
1714566600:3                cluster time T:I, inclusive
before:1714566600:3         just before the entry at T:I
snapshot:ID                 the moment of that snapshot
-15m                        before archived-through, in d, h, m, s; combined: -1h30m";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a restore target: {problem}. A target is one of:\n{TARGET_GRAMMAR}")]
pub struct ParseTargetError {
    /// What was given, shortened.
    pub text: String,
    pub problem: TargetProblem,
}

impl ParseTargetError {
    pub(super) fn new(text: &str, problem: TargetProblem) -> Self {
        Self { text: text.chars().take(120).collect(), problem }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetProblem {
    #[error("the time has no zone, so it could mean any of 27 hours; append Z for UTC or an offset like +02:00")]
    NoZone,
    #[error(
        "the zone must be Z or an offset like +02:00; zone names are not taken, because an hour of theirs happens twice \
         when clocks change"
    )]
    UnknownZone,
    #[error("it looks like a time but is none ({0})")]
    NotATime(String),
    #[error("the time is outside of what cluster times can express (1970-01-01 to 2106-02-07)")]
    OutOfRange,
    #[error("it looks like a cluster time but is not T:I with two numbers up to 4294967295")]
    NotAClusterTime,
    #[error("`before:` takes a cluster time T:I; `dr-cli find` shows that of a harmful write")]
    NotAnEntry,
    #[error("`snapshot:` takes a snapshot id; `dr-cli list` shows them")]
    NotASnapshotId,
    #[error(
        "after `-` it takes a length of time above zero in d, h, m and s, larger units first, each once and with its \
         number in front"
    )]
    NotADuration,
    #[error("it has none of the known forms")]
    Unknown,
}
