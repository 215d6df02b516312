//! What leaves the process: the report of a command as text or as one JSON object, and the exit code.
//!
//! The shape of the object is a contract (docs/cli-json.md): fields are added, never renamed.

use std::io::{self, Write};
use std::process::ExitCode;

use recovery::{Failure, FailureKind};
use serde::Serialize;
use serde_json::{Map, Value};

pub mod table;
pub mod time;

#[cfg(test)]
mod tests;

const SCHEMA: u32 = 1;
const DONE_WITH_FINDINGS: u8 = 10;

/// How a command ended that has something to report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Ok,
    /// It did its work, and something needs a person's attention.
    Findings,
    /// It has a result, and the result is a failure.
    Failed(Failure),
}

/// What a command has to say, in both forms.
#[derive(Debug)]
pub struct Report {
    pub fields: Map<String, Value>,
    pub text: String,
    pub ending: Ending,
}

impl Report {
    /// `fields` must serialise as an object.
    pub fn new(fields: &impl Serialize, text: String) -> recovery::Result<Self> {
        match serde_json::to_value(fields) {
            Ok(Value::Object(fields)) => Ok(Self { fields, text, ending: Ending::Ok }),
            Ok(_) => Err(Failure::new(FailureKind::Unexpected, "the report is not an object")),
            Err(error) => Err(Failure::new(FailureKind::Unexpected, format!("the report cannot be written: {error}"))),
        }
    }

    #[must_use]
    pub fn with_ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    #[must_use]
    pub fn with_findings_if(self, has_findings: bool) -> Self {
        if has_findings { self.with_ending(Ending::Findings) } else { self }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    schema: u32,
    command: &'a str,
    outcome: &'a str,
    exit_code: u8,
    error: Option<&'a Failure>,
    #[serde(flatten)]
    fields: &'a Map<String, Value>,
}

/// Where reports go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    pub command: &'static str,
    pub json: bool,
    pub quiet: bool,
}

impl Sink {
    /// Prints the end of a command; nothing is printed after it.
    pub fn finish(&self, result: recovery::Result<Report>) -> ExitCode {
        let (fields, text, ending) = match result {
            Ok(Report { fields, text, ending }) => (fields, text, ending),
            Err(failure) => (Map::new(), String::new(), Ending::Failed(failure)),
        };
        let ending = match ending {
            Ending::Failed(failure) => Ending::Failed(complete(failure, self.command)),
            other => other,
        };
        let stdout = if self.json { self.json_line(&fields, &ending) } else { text };
        // Who closed the pipe has read enough.
        drop(io::stdout().lock().write_all(stdout.as_bytes()));
        if let Ending::Failed(failure) = &ending {
            drop(writeln!(io::stderr(), "dr-cli {}: {failure}", self.command));
        }
        ExitCode::from(exit_code(&ending))
    }

    fn json_line(&self, fields: &Map<String, Value>, ending: &Ending) -> String {
        let (outcome, error) = match ending {
            Ending::Ok => ("ok", None),
            Ending::Findings => ("findings", None),
            Ending::Failed(failure) => (if failure.kind.is_refusal() { "refused" } else { "failed" }, Some(failure)),
        };
        let exit_code = exit_code(ending);
        let envelope = Envelope { schema: SCHEMA, command: self.command, outcome, exit_code, error, fields };
        serde_json::to_string(&envelope).unwrap_or_default() + "\n"
    }

    pub fn warn(&self, text: &str) {
        if !self.quiet {
            drop(writeln!(io::stderr(), "warning: {text}"));
        }
    }
}

fn exit_code(ending: &Ending) -> u8 {
    match ending {
        Ending::Ok => 0,
        Ending::Findings => DONE_WITH_FINDINGS,
        Ending::Failed(failure) => failure.exit_code(),
    }
}

/// An error always has all four parts; what its origin could not know is filled in here.
fn complete(mut failure: Failure, command: &str) -> Failure {
    let (cause, next) = match failure.kind {
        FailureKind::Unexpected => {
            ("not known; this may be a defect of dr-cli", "the same command with --log-level debug; please report it")
        }
        FailureKind::Usage => ("the arguments do not fit together", "dr-cli --help"),
        FailureKind::NotFound => ("the name is misspelled, or it has expired", "dr-cli list"),
        FailureKind::NotRestorable => ("the archive does not reach that moment", "dr-cli status"),
        FailureKind::Integrity => ("an object was changed, cut or swapped", "dr-cli verify --level hash"),
        FailureKind::Key => ("the data is encrypted", "name the key with TIDEMARK_IDENTITY_FILE"),
        FailureKind::LeaseHeld => ("somebody else is at work", "run the same command again later"),
        FailureKind::Unreachable => ("it is down, or the network is", "run the same command again"),
        FailureKind::Unsafe => ("the destination is not a fresh replica set", "name another one with --destination"),
        FailureKind::Cancelled => ("it was asked to stop", "run the same command again"),
    };
    let fill = |part: &mut String, text: &str| {
        if part.is_empty() {
            text.clone_into(part);
        }
    };
    fill(&mut failure.location, &format!("dr-cli {command}"));
    fill(&mut failure.cause, cause);
    fill(&mut failure.next, next);
    failure
}

/// Help and version.
pub fn show(text: &str) -> ExitCode {
    drop(io::stdout().lock().write_all(text.as_bytes()));
    ExitCode::SUCCESS
}
