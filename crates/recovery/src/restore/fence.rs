//! Ends what other attempts still have under way in the destination, before this one writes.
//!
//! The mark of an attempt keeps others from sending more, but a command that was sent is out of their hands: it may wait in
//! the server and be carried out when this attempt has long replayed past it.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use replset::destination::RunningWrite;

use super::Context;
use super::state::CONFIRMED_FOR;
use crate::failure::{Failure, FailureKind, Result};

const APP: &str = "tidemark-restore";
const POLL: Duration = Duration::from_millis(100);
/// What is over soon ends by itself.
const PATIENCE: Duration = Duration::from_secs(1);
/// A killed operation ends when it next looks, which is soon unless the server itself stalls.
const LIMIT: Duration = Duration::from_mins(1);

/// By which the server tells the commands of one attempt from those of others.
pub fn app_name(attempt: &str) -> String {
    format!("{APP} {attempt}")
}

/// Returns when no write of another attempt is under way or can still come. Call when the destination is marked as this
/// attempt's.
pub async fn fence(context: &Context) -> Result<()> {
    let own = app_name(context.state.attempt());
    let mut watch = Watch::new(Instant::now(), context.state.is_resumed());
    loop {
        let asked = Instant::now();
        let mut writes = context.destination.running_writes(APP).await?;
        writes.retain(|write| write.app_name != own);
        // They may also be those of a newer attempt, which has marked the destination before it sent any.
        context.state.confirm_owner(&context.destination).await?;
        match watch.next(asked, &writes) {
            Step::Done => return Ok(()),
            Step::Kill(writes) => {
                for write in writes {
                    let RunningWrite { id, command, namespace, .. } = write;
                    context
                        .progress
                        .note(&format!("{command} on {namespace} of an earlier attempt is under way: ending it"));
                    let killed = context.destination.kill_operation(*id).await?;
                    tracing::info!(event = "earlier_write_found", id, %command, %namespace, killed, "a write of an earlier attempt was under way");
                }
            }
            Step::GiveUp(write) => return Err(stuck(write).at(context.destination.server())),
        }
        tokio::time::sleep(POLL).await;
    }
}

fn stuck(write: &RunningWrite) -> Failure {
    let RunningWrite { id, command, namespace, seconds, .. } = write;
    let what = format!(
        "a write of an earlier attempt does not end: operation {id} ({command} on {namespace}, running for {seconds} s)"
    );
    Failure::new(FailureKind::Unreachable, what)
        .because(
            "the server stalls (disk, cache, a lock), or another user sent it, whose operations take `killop` to end",
        )
        .then(format!("db.getSiblingDB(\"admin\").killOp({id}) as an administrator; then run the same command again"))
}

/// What to do about the writes that are seen.
struct Watch {
    begun: Instant,
    last_seen: Instant,
    first_seen: HashMap<i64, Instant>,
    killed: HashSet<i64>,
    /// Whether another attempt may be there at all.
    is_resumed: bool,
}

#[derive(Debug, PartialEq)]
enum Step<'a> {
    Done,
    /// Then look again.
    Kill(Vec<&'a RunningWrite>),
    GiveUp(&'a RunningWrite),
}

impl Watch {
    fn new(now: Instant, is_resumed: bool) -> Self {
        Self { begun: now, last_seen: now, first_seen: HashMap::new(), killed: HashSet::new(), is_resumed }
    }

    fn next<'a>(&mut self, now: Instant, writes: &'a [RunningWrite]) -> Step<'a> {
        let Some(first) = writes.first() else {
            // Who confirmed that it owns the destination just before the mark was there goes on for as long as that holds.
            let is_over = !self.is_resumed || now.duration_since(self.last_seen) >= CONFIRMED_FOR;
            return if is_over { Step::Done } else { Step::Kill(Vec::new()) };
        };
        self.last_seen = now;
        if now.duration_since(self.begun) >= LIMIT {
            return Step::GiveUp(first);
        }
        let mut is_due = |write: &&RunningWrite| {
            let since = *self.first_seen.entry(write.id).or_insert(now);
            now.duration_since(since) >= PATIENCE && self.killed.insert(write.id)
        };
        Step::Kill(writes.iter().filter(|write| is_due(write)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Step<'static> = Step::Kill(Vec::new());

    fn write(id: i64) -> RunningWrite {
        RunningWrite {
            id,
            app_name: app_name("earlier"),
            command: "insert".to_owned(),
            namespace: "shop.orders".to_owned(),
            seconds: 130,
        }
    }

    fn watch(is_resumed: bool) -> (Watch, impl Fn(u64) -> Instant) {
        let begun = Instant::now();
        (Watch::new(begun, is_resumed), move |millis| begun + Duration::from_millis(millis))
    }

    #[test]
    fn a_fresh_restore_waits_for_nobody() {
        let (mut watch, at) = watch(false);
        assert_eq!(watch.next(at(0), &[]), Step::Done);
    }

    #[test]
    fn a_resumed_one_waits_until_a_living_attempt_must_have_seen_its_mark() {
        let (mut watch, at) = watch(true);
        assert_eq!(watch.next(at(0), &[]), NOTHING);
        assert_eq!(watch.next(at(900), &[write(1)]), NOTHING);
        assert_eq!(watch.next(at(1_800), &[]), NOTHING);
        assert_eq!(watch.next(at(1_900), &[]), Step::Done);
    }

    #[test]
    fn what_does_not_end_by_itself_is_killed() {
        let (mut watch, at) = watch(true);
        assert_eq!(watch.next(at(0), &[write(1)]), NOTHING);
        assert_eq!(watch.next(at(1_000), &[write(1), write(2)]), Step::Kill(vec![&write(1)]));
        assert_eq!(watch.next(at(2_000), &[write(1), write(2)]), Step::Kill(vec![&write(2)]));
    }

    #[test]
    fn what_cannot_be_killed_is_named_after_a_minute() {
        let (mut watch, at) = watch(true);
        let writes = [write(7)];
        assert!(matches!(watch.next(at(59_999), &writes), Step::Kill(_)));
        let Step::GiveUp(write) = watch.next(at(60_000), &writes) else { panic!("it goes on") };
        let failure = stuck(write);
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert!(failure.what.contains("operation 7 (insert on shop.orders, running for 130 s)"), "{failure}");
        assert!(failure.next.contains("killOp(7)"), "{failure}");
    }
}
