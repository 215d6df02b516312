//! Operations that belong together: a disaster of a thousand deletes is one match, not a thousand.
//!
//! Together are operations of one kind on one collection by one session, less than a second apart. The session matters:
//! drivers send single-document writes as retryable ones, which carry their session's `lsid`, while updates and
//! deletes of many documents carry none. So the traffic of an application is not mixed up with a disaster beside it.

use std::collections::HashMap;

use archive::oplog::OpKind;
use archive::{ClusterTime, CollectionUuid};

use super::kept::{Kept, weight};
use super::{Match, wall_text};

const APART_MS: i64 = 1_000;

/// Open runs at once; only hostile or extremely busy archives have more, and then the oldest ones are cut short.
const MAX_OPEN: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RunKey {
    pub kind: OpKind,
    pub op: String,
    pub namespace: String,
    pub to: Option<String>,
    pub uuid: Option<CollectionUuid>,
    pub session: Option<Vec<u8>>,
}

/// Where an operation, or all of a transaction, stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub at: ClusterTime,
    pub last: ClusterTime,
    pub wall_ms: Option<i64>,
    pub last_wall_ms: Option<i64>,
}

impl Extent {
    fn starts_ms(&self) -> i64 {
        self.wall_ms.unwrap_or(i64::from(self.at.seconds) * 1000)
    }

    fn ends_ms(&self) -> i64 {
        self.last_wall_ms.unwrap_or(i64::from(self.last.seconds) * 1000)
    }
}

#[derive(Debug)]
struct Run {
    extent: Extent,
    count: u64,
}

#[derive(Debug)]
pub(super) struct Runs {
    open: HashMap<RunKey, Run>,
    kept: Kept,
    /// The second up to which runs that ended have been closed.
    closed_through: u32,
}

impl Runs {
    pub fn new(limit: usize) -> Self {
        Self { open: HashMap::new(), kept: Kept::new(limit), closed_through: 0 }
    }

    pub fn add(&mut self, key: RunKey, extent: Extent, count: u64) {
        if let Some(run) = self.open.get_mut(&key) {
            if extent.starts_ms() - run.extent.ends_ms() < APART_MS {
                if extent.at < run.extent.at {
                    (run.extent.at, run.extent.wall_ms) = (extent.at, extent.wall_ms);
                }
                (run.extent.last, run.extent.last_wall_ms) = (extent.last, extent.last_wall_ms);
                run.count += count;
                return;
            }
            let ended = std::mem::replace(run, Run { extent, count });
            keep(&mut self.kept, key, &ended);
            return;
        }
        if self.open.len() >= MAX_OPEN {
            self.close_all();
        }
        self.open.insert(key, Run { extent, count });
    }

    /// Time has reached `at`: closes what nothing can continue any more.
    pub fn advance(&mut self, at: ClusterTime, wall_ms: Option<i64>) {
        if at.seconds == self.closed_through {
            return;
        }
        self.closed_through = at.seconds;
        let now = wall_ms.unwrap_or(i64::from(at.seconds) * 1000);
        let kept = &mut self.kept;
        let ended = self.open.extract_if(|_, run| now - run.extent.ends_ms() >= APART_MS);
        for (key, run) in ended {
            keep(kept, key, &run);
        }
    }

    pub fn finish(mut self) -> (Vec<Match>, bool) {
        self.close_all();
        self.kept.finish()
    }

    fn close_all(&mut self) {
        for (key, run) in self.open.drain() {
            keep(&mut self.kept, key, &run);
        }
    }
}

fn keep(kept: &mut Kept, key: RunKey, run: &Run) {
    let at = run.extent.at;
    let found = Match {
        at,
        last: run.extent.last,
        wall: wall_text(at, run.extent.wall_ms),
        op: key.op,
        namespace: key.namespace,
        to: key.to,
        uuid: key.uuid,
        count: run.count,
        before: format!("before:{at}"),
    };
    kept.add(weight(key.kind, run.count), found);
}
