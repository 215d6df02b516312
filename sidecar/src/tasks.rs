//! Named tasks under one supervision: the first that ends by itself ends all of them, and is told by name.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// After the archiver's own time to stop: the last words to the store.
const AFTER_ARCHIVING: Duration = Duration::from_secs(5);
/// For a task that is ended to be gone: longer than any step of one that does not wait for something.
const UNTIL_GONE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Tasks {
    stop: CancellationToken,
    running: JoinSet<Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    pub fn new(stop: CancellationToken) -> Self {
        Self { stop, running: JoinSet::new(), names: HashMap::new() }
    }

    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = Result<()>> + Send + 'static) {
        self.names.insert(self.running.spawn(task).id(), name);
    }

    /// Until all have ended after a stop, or after one has ended by itself. None of them runs any more when this returns:
    /// what has not ended within the grace period is ended, so that it cannot meddle with those that come after it.
    ///
    /// # Errors
    /// What the first one said that did not end well. [`Error::Internal`] for one that ended without being asked to, that
    /// panicked, or that cannot be ended.
    pub async fn wait(&mut self, grace: Duration) -> Result<()> {
        let mut result = Ok(());
        let overdue = async {
            self.stop.cancelled().await;
            tokio::time::sleep(grace + AFTER_ARCHIVING).await;
        };
        tokio::pin!(overdue);
        loop {
            tokio::select! {
                ended = self.running.join_next_with_id() => {
                    let Some(ended) = ended else { return result };
                    let outcome = judge(ended, &mut self.names, self.stop.is_cancelled());
                    result = result.and(outcome);
                    // The others end in an orderly way; the open slice is published.
                    self.stop.cancel();
                }
                () = &mut overdue => break,
            }
        }
        let mut tasks: Vec<_> = self.names.values().copied().collect();
        tasks.sort_unstable();
        let tasks = tasks.join(", ");
        tracing::warn!(event = "tasks_not_ended", tasks, "tasks did not end within the grace period; ending them");
        let gone = tokio::time::timeout(UNTIL_GONE, self.running.shutdown()).await;
        result.and(gone.map_err(|_elapsed| Error::Internal(format!("tasks cannot be ended: {tasks}"))))
    }
}

/// What the end of a task means.
fn judge(
    ended: std::result::Result<(Id, Result<()>), JoinError>,
    names: &mut HashMap<Id, &'static str>,
    is_stopped: bool,
) -> Result<()> {
    let id = match &ended {
        Ok((id, _)) => *id,
        Err(error) => error.id(),
    };
    let task = names.remove(&id).unwrap_or("unknown");
    // A panic is an end like any other: the process must not go on without the task.
    let outcome =
        ended.map_err(|error| Error::Internal(format!("task `{task}`: {error}"))).and_then(|(_, outcome)| outcome);
    match outcome {
        Ok(()) if !is_stopped => {
            tracing::error!(event = "task_ended", task, "task ended unexpectedly");
            Err(Error::Internal(format!("task `{task}` ended unexpectedly")))
        }
        Err(error) => {
            tracing::error!(event = "task_failed", task, %error, "task failed");
            Err(error)
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn one_that_ends_by_itself_ends_the_others_and_is_told_by_name() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        let has_ended = Arc::new(AtomicBool::new(false));
        tasks.spawn("short", async { Ok(()) });
        tasks.spawn("long", {
            let has_ended = Arc::clone(&has_ended);
            async move {
                stop.cancelled().await;
                has_ended.store(true, Ordering::Relaxed);
                Ok(())
            }
        });
        let error = tasks.wait(Duration::ZERO).await.unwrap_err();
        assert!(error.to_string().contains("`short` ended unexpectedly"), "{error}");
        assert!(has_ended.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_panic_is_an_end_and_the_first_error_is_what_is_told() {
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        tasks.spawn("breaks", async { panic!("on purpose") });
        tasks.spawn("fails after it", async move {
            stop.cancelled().await;
            Err(Error::LeaseLost)
        });
        let error = tasks.wait(Duration::ZERO).await.unwrap_err();
        assert!(error.to_string().contains("`breaks`"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_end_in_time_is_gone_afterwards() {
        /// Says when it is gone.
        struct Guard(Arc<AtomicBool>);
        impl Drop for Guard {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let stop = CancellationToken::new();
        let mut tasks = Tasks::new(stop.clone());
        let is_gone = Arc::new(AtomicBool::new(false));
        let guard = Guard(Arc::clone(&is_gone));
        tasks.spawn("deaf", async move {
            let _guard = guard;
            std::future::pending().await
        });
        stop.cancel();
        tasks.wait(Duration::from_secs(30)).await.unwrap();
        assert!(is_gone.load(Ordering::Relaxed));
    }
}
