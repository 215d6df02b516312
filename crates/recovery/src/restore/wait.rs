//! Waiting for a destination that is still being made: its servers start, elect a primary and get their first users.

use std::time::{Duration, Instant};

use replset::privileges::{self, Task};
use replset::{ConnectOptions, Destination, ErrorKind, ReplsetError};

use crate::failure::{Failure, Result};
use crate::progress::Progress;

const PAUSE: Duration = Duration::from_secs(1);
/// How often the log says what is waited for.
const SAID_EVERY: Duration = Duration::from_secs(30);

/// Returns once the destination has a primary that lets this user restore; fails with the last reason after `at_most`.
/// What no time mends, such as an invalid connection string, fails at once. Reads only.
///
/// A set that is being made refuses its users at first (they do not exist yet), and its members are no replica set
/// before they are initiated: both pass, and look just like a wrong password and a standalone server.
pub async fn wait_for_destination(uri: &str, at_most: Duration, progress: &dyn Progress) -> Result<()> {
    let started = Instant::now();
    let mut said = None::<Instant>;
    loop {
        let Err(error) = look(uri, at_most.saturating_sub(started.elapsed())).await else { return Ok(()) };
        if !may_pass(&error) {
            return Err(error.into());
        }
        if started.elapsed() + PAUSE >= at_most {
            let failure = Failure::from(error);
            let cause = format!("{}; waited {} s for it", failure.cause, started.elapsed().as_secs());
            return Err(failure.because(cause));
        }
        if said.is_none_or(|said| said.elapsed() >= SAID_EVERY) {
            progress.note(&format!("waiting for the destination: {error}"));
            said = Some(Instant::now());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn look(uri: &str, left: Duration) -> Result<(), ReplsetError> {
    let options = ConnectOptions { app_name: "tidemark dr-cli".to_owned(), ..ConnectOptions::default() };
    let selection_timeout = options.selection_timeout.min(left.max(PAUSE));
    // A connection string may name a longer selection timeout than there is time left.
    let limit = left.max(selection_timeout) + PAUSE;
    let looked = tokio::time::timeout(limit, async {
        let destination = Destination::open(uri, ConnectOptions { selection_timeout, ..options }).await?;
        privileges::require(destination.connection(), Task::Destination).await
    });
    looked.await.unwrap_or_else(|_| {
        Err(ReplsetError::new(ErrorKind::Unreachable, "connect to the destination", "", "no primary was found in time"))
    })
}

fn may_pass(error: &ReplsetError) -> bool {
    error.is_retryable()
        || matches!(error.kind(), ErrorKind::AuthFailed | ErrorKind::NotReplicaSet | ErrorKind::MissingPrivilege(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;
    use crate::progress::Silent;

    #[tokio::test]
    async fn a_connection_string_that_is_wrong_is_not_waited_for() {
        let began = Instant::now();
        let failure = wait_for_destination("mongo//nowhere", Duration::from_mins(5), &Silent).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Usage, "{failure}");
        assert!(began.elapsed() < Duration::from_mins(1));
    }

    #[tokio::test]
    async fn who_never_answers_is_given_up_with_the_reason() {
        // Port 1 of this machine: nothing listens there.
        let uri = "mongodb://127.0.0.1:1/?replicaSet=rs0";
        let failure = wait_for_destination(uri, Duration::from_secs(3), &Silent).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unreachable, "{failure}");
        assert!(failure.cause.contains("waited"), "{failure}");
    }

    #[test]
    fn only_what_passes_is_waited_for() {
        let of = |kind| may_pass(&ReplsetError::new(kind, "look", "", ""));
        assert!(of(ErrorKind::AuthFailed) && of(ErrorKind::NotReplicaSet) && of(ErrorKind::NotPrimary));
        assert!(!of(ErrorKind::InvalidUri) && !of(ErrorKind::ServerTooOld) && !of(ErrorKind::Arbiter));
    }
}
