//! Write-once protection, where a store has it: objects that nobody, the owner of the credentials included, can remove
//! before their time. `expire` asks here what the store would refuse, pins use the hold, the store proof tries it out.

use std::fmt::{self, Debug};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;

use crate::port::{Created, Result};

/// Who can lift a retention before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RetentionMode {
    /// Whoever has a special permission. (S3 `GOVERNANCE`, Azure `Unlocked`)
    Governance,
    /// Nobody. (S3 `COMPLIANCE`, Azure `Locked`)
    Compliance,
}

impl fmt::Display for RetentionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Governance => "governance",
            Self::Compliance => "compliance",
        })
    }
}

/// What a location asks for every object it creates outside `control` folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    pub mode: RetentionMode,
    pub days: u32,
}

impl Retention {
    /// The end of the protection of an object that is created now. By the clock of this machine, so the proof compares
    /// that clock with the store's.
    pub fn until(&self) -> Timestamp {
        let period = jiff::SignedDuration::from_hours(24 * i64::from(self.days));
        Timestamp::now().checked_add(period).unwrap_or(Timestamp::MAX)
    }
}

/// How one object is protected as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Protection {
    pub retained: Option<(RetentionMode, Timestamp)>,
    /// A hold has no end of its own; it is set and lifted.
    pub held: bool,
}

/// The part of [`crate::ObjectStore`] that only some stores have; see [`crate::ObjectStore::lock`].
#[async_trait]
pub trait ObjectLock: Send + Sync + Debug {
    /// What the location asks for; `None` where objects are created without protection.
    fn retention(&self) -> Option<Retention>;

    /// `None` when there is no such object.
    async fn protection(&self, key: &str) -> Result<Option<Protection>>;

    /// Sets or lifts the hold of an object.
    async fn hold(&self, key: &str, held: bool) -> Result<()>;

    /// Protects an existing object, or extends its protection. A store refuses to shorten it in compliance mode.
    async fn retain(&self, key: &str, mode: RetentionMode, until: Timestamp) -> Result<()>;

    /// Creates an object that is protected from the start, whatever the location asks for.
    async fn put_retained(&self, key: &str, body: Bytes, mode: RetentionMode, until: Timestamp) -> Result<Created>;

    /// Removes an object with all its versions. Where versions are kept, [`crate::ObjectStore::delete`] only hides an
    /// object, which no protection forbids; this is what protection must refuse.
    async fn purge(&self, key: &str) -> Result<()>;
}
