//! Looks at the ends of the server's oplog, for the headroom and the archive lag.
//!
//! Both matter most when archiving stands still, so nothing here depends on the store or on the tail: a store that is
//! full must not freeze the numbers that say how long it may stay so. Runs beside the archiver, as long as it does.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use replset::oplog;
use tokio::sync::watch;
use tokio::time::Instant;

use super::open_slice::entry_time;
use super::window::ArchiverState;
use crate::error::Result;
use crate::source::{Source, SourceMember};

const LOOK_EVERY: Duration = Duration::from_secs(2);

pub async fn run(source: Source, state: Arc<watch::Sender<ArchiverState>>) -> Infallible {
    let mut lookout = Lookout { source, state, member: None };
    loop {
        if let Err(error) = lookout.look().await {
            // Who reads the oplog says what is wrong with the server; here the numbers become unknown.
            tracing::debug!(%error, "oplog not looked at");
            lookout.member = None;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

struct Lookout {
    source: Source,
    state: Arc<watch::Sender<ArchiverState>>,
    member: Option<SourceMember>,
}

impl Lookout {
    async fn look(&mut self) -> Result<()> {
        let member = self.member().await?;
        if let Some(oldest) = oplog::oldest_entry(&member.connection).await? {
            let oldest = entry_time(&oldest)?;
            self.state.send_modify(|state| state.seen.oldest = Some((oldest, Instant::now())));
        }
        let Some(archived) = self.state.borrow().archived_through else { return Ok(()) };
        let whole = self.source.connection().await?;
        let newest = match oplog::newest_write_after(&whole.on_primary(), archived).await {
            Ok(newest) => newest,
            // Between two primaries a member's own view has to do.
            Err(_) => oplog::newest_write_after(&member.connection, archived).await?,
        };
        self.state.send_modify(|state| state.seen.looked(newest));
        Ok(())
    }

    /// The one that is archived from: its oplog is the one that can overtake the archive.
    async fn member(&mut self) -> Result<SourceMember> {
        let archived_from = self.state.borrow().member.clone();
        if let Some(member) = &self.member
            && archived_from.as_ref().is_none_or(|host| *host == member.host)
        {
            return Ok(member.clone());
        }
        let named = match archived_from {
            Some(host) => self.source.member(&host).await.ok(),
            None => None,
        };
        let member = match named {
            Some(member) => member,
            None => self.source.choose().await?,
        };
        self.member = Some(member.clone());
        Ok(member)
    }
}
