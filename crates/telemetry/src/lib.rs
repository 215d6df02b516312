//! Logging set-up and redaction of secrets, shared by the two binaries and the port to the database.
//!
//! Logs go to stderr: stdout belongs to data. A message is a short constant sentence, facts are fields.

mod redact;

use std::io;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;

pub use redact::{redact_uri, secrets_of};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("`{other}` is not a log format; use `text` or `json`")),
        }
    }
}

/// Starts logging for the process. `filter` is a level (`info`) or a list of `target=level` directives.
///
/// # Errors
/// When the filter cannot be parsed.
pub fn start_logging(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("`{filter}` is not a log filter: {error}"))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second call (tests in one process) keeps the first subscriber.
    let started = match format {
        LogFormat::Text => builder.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
    Ok(())
}
