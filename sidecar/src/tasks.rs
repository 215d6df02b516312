//! Named tasks under one supervision: the first that ends by itself ends all of them, and is told by name.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::{Error, Result};

/// After the archiver's own time to stop: the last words to the store.
const AFTER_ARCHIVING: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Tasks {
    stop: CancellationToken,
    tracker: TaskTracker,
    running: usize,
    ended: tokio::sync::mpsc::UnboundedSender<(&'static str, Result<()>)>,
    seen: tokio::sync::mpsc::UnboundedReceiver<(&'static str, Result<()>)>,
}

impl Tasks {
    pub fn new(stop: CancellationToken) -> Self {
        let (ended, seen) = tokio::sync::mpsc::unbounded_channel();
        Self { stop, tracker: TaskTracker::new(), running: 0, ended, seen }
    }

    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = Result<()>> + Send + 'static) {
        self.running += 1;
        let ended = self.ended.clone();
        let task = tokio::spawn(task);
        self.tracker.spawn(async move {
            // A panic is an end like any other: the process must not go on without the task.
            let result = task.await.map_err(|error| Error::Internal(format!("task `{name}`: {error}"))).flatten();
            ended.send((name, result)).ok();
        });
    }

    /// Until all have ended after a stop, or after one has ended by itself.
    pub async fn wait(&mut self, grace: Duration) -> Result<()> {
        let mut result = Ok(());
        let overdue = async {
            self.stop.cancelled().await;
            tokio::time::sleep(grace + AFTER_ARCHIVING).await;
        };
        tokio::pin!(overdue);
        while self.running > 0 {
            tokio::select! {
                ended = self.seen.recv() => {
                    let Some((name, outcome)) = ended else { break };
                    if let Err(error) = &outcome {
                        tracing::error!(event = "task_failed", task = name, %error, "task failed");
                    } else if !self.stop.is_cancelled() {
                        tracing::error!(event = "task_ended", task = name, "task ended unexpectedly");
                    }
                    if result.is_ok() {
                        result = match outcome {
                            Ok(()) if !self.stop.is_cancelled() => {
                                Err(Error::Internal(format!("task `{name}` ended unexpectedly")))
                            }
                            outcome => outcome,
                        };
                    }
                    self.running -= 1;
                    // The others end in an orderly way; the open slice is published.
                    self.stop.cancel();
                }
                () = &mut overdue => {
                    tracing::warn!(event = "tasks_not_ended", "tasks did not end within the grace period");
                    break;
                }
            }
        }
        result
    }
}
