//! What holds expiry back: pins, the freeze, and the protection of what a running command reads.
//!
//! They are mutable records below `control/`. One that cannot be read counts as holding everything, so nothing that is
//! damaged here makes anything go away.

use std::time::Duration;

use archive::catalog::Finding;
use archive::high_water::HighWater;
use archive::json_record::RecordError;
use archive::layout::{ObjectKey, ParseKeyError};
use archive::retention::{Freeze, Pin, Protection};
use archive::{LineageId, layout};
use store::{Created, ObjectStoreExt as _};

use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};

mod guard;
pub(crate) mod notice;
mod pinning;

pub use guard::{ProtectionGuard, protect};

pub(crate) const LIMIT: usize = 16 << 20;
/// An expiry that is at work stops that soon after a freeze, unless a request of it hangs.
const STOPS_WITHIN: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Default)]
pub struct Holds {
    pub pins: Vec<Pin>,
    pub protections: Vec<Protection>,
    pub freeze: Option<Freeze>,
    pub unreadable: Vec<Finding>,
}

impl ArchiveReader {
    /// Refuses when `control/` of the lineage is somewhere else: a pin that is written here holds nothing, and an expiry
    /// that looks here sees no pin. Whoever archives leaves its high-water mark there.
    pub async fn require_control(&self, lineage: &LineageId) -> Result<()> {
        let mark = HighWater::key(lineage).to_string();
        if self.control().head(&mark).await?.is_some() {
            return Ok(());
        }
        if self.store().list(&ObjectKey::slices_prefix(lineage), None, 1).await?.objects.is_empty() {
            return Ok(());
        }
        Err(Failure::new(FailureKind::Unsafe, "the control records of this archive are not here")
            .at(format!("{mark} in {}", self.control().location()))
            .because("the sidecar keeps `control/` elsewhere (--control), or it was deleted; pins and leases cannot be seen")
            .then("the same command with --control URL, as the sidecar has it; a deleted one comes back when `sidecar run` archives"))
    }

    pub async fn holds(&self, lineage: &LineageId) -> Result<Holds> {
        let mut holds = Holds::default();
        let (pins, protections) = (Pin::prefix(lineage), Protection::prefix(lineage));
        holds.pins = self.records(&pins, Pin::from_json, &mut holds.unreadable).await?;
        holds.protections = self.records(&protections, Protection::from_json, &mut holds.unreadable).await?;
        let key = freeze_key(lineage)?.to_string();
        if let Some(body) = self.control().get_bytes(&key, LIMIT).await? {
            match Freeze::from_json(&body) {
                Ok(freeze) => holds.freeze = Some(freeze),
                Err(problem) => holds.unreadable.push(Finding { object: key, problem: problem.to_string() }),
            }
        }
        Ok(holds)
    }

    async fn records<T>(
        &self,
        prefix: &str,
        parse: impl Fn(&[u8]) -> Result<T, RecordError>,
        unreadable: &mut Vec<Finding>,
    ) -> Result<Vec<T>> {
        let mut records = Vec::new();
        for object in self.control().list_all(prefix).await? {
            // It may have been taken away since it was listed.
            let Some(body) = self.control().get_bytes(&object.key, LIMIT).await? else { continue };
            match parse(&body) {
                Ok(record) => records.push(record),
                Err(problem) => unreadable.push(Finding { object: object.key, problem: problem.to_string() }),
            }
        }
        Ok(records)
    }

    /// Writes the pin. One of that name that keeps something else stays; the same one is replaced, and given back.
    async fn put_pin(&self, lineage: &LineageId, pin: &mut Pin) -> Result<Option<Pin>> {
        let key = pin.key(lineage).map_err(|error| invalid_id(&pin.id, &error))?;
        let body = pin.to_json().map_err(|problem| unexpected(&problem))?;
        if self.control().put_new(&key.to_string(), body.into()).await? == Created::New {
            return Ok(None);
        }
        let earlier = self.control().get_bytes(&key.to_string(), LIMIT).await?.map(|body| Pin::from_json(&body));
        match earlier {
            Some(Ok(earlier)) if earlier.keeps == pin.keeps => {
                // Its holds are set; whoever lifts the pin has to know of them.
                pin.legal_hold |= earlier.legal_hold;
                self.put_control(&key, pin.to_json()).await?;
                Ok(Some(earlier))
            }
            _ => {
                Err(Failure::new(FailureKind::Usage, format!("there is a pin `{}` that keeps something else", pin.id))
                    .at(format!("{key} in {}", self.control().location()))
                    .because("what it keeps would expire if this one took its place")
                    .then(format!("the same command with another --id, or dr-cli unpin {} first", pin.id)))
            }
        }
    }

    async fn remove_pin(&self, lineage: &LineageId, id: &str) -> Result<()> {
        let key = format!("{}{id}.json", Pin::prefix(lineage));
        key.parse::<layout::ObjectKey>().map_err(|error| invalid_id(id, &error))?;
        Ok(self.control().delete(&key).await?)
    }

    /// Stops expiry, also one that is at work: on return nothing is deleted any more.
    pub async fn freeze(&self, lineage: &LineageId, freeze: &Freeze) -> Result<()> {
        self.require_control(lineage).await?;
        self.put_control(&freeze_key(lineage)?, freeze.to_json()).await?;
        // An expiry that was at work sees it when it next renews its notice.
        let ends = tokio::time::Instant::now() + STOPS_WITHIN;
        while let Some(notice) = notice::look(self, lineage, None).await?.living.pop() {
            if tokio::time::Instant::now() >= ends {
                return Err(Failure::new(
                    FailureKind::LeaseHeld,
                    "it is frozen, but an expiry that began before goes on",
                )
                .at(self.place(lineage.as_str()))
                .because(format!("{} began it, and does not stop", notice.by))
                .then("end that process; the freeze stays"));
            }
        }
        Ok(())
    }

    pub(crate) async fn is_frozen(&self, lineage: &LineageId) -> Result<bool> {
        Ok(self.control().head(&freeze_key(lineage)?.to_string()).await?.is_some())
    }

    /// `false` when nothing was frozen.
    pub async fn unfreeze(&self, lineage: &LineageId) -> Result<bool> {
        self.require_control(lineage).await?;
        let key = freeze_key(lineage)?.to_string();
        let is_there = self.is_frozen(lineage).await?;
        self.control().delete(&key).await?;
        Ok(is_there)
    }

    pub(crate) async fn put_control(&self, key: &ObjectKey, body: Result<Vec<u8>, RecordError>) -> Result<()> {
        let body = body.map_err(|problem| unexpected(&problem))?;
        Ok(self.control().put_mutable(&key.to_string(), body.into()).await?)
    }
}

fn freeze_key(lineage: &LineageId) -> Result<ObjectKey> {
    Freeze::key(lineage).map_err(|error| unexpected(&error))
}

fn unexpected(error: &impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Unexpected, error.to_string())
}

fn invalid_id(id: &str, error: &ParseKeyError) -> Failure {
    Failure::new(FailureKind::Usage, format!("`{}` cannot be the name of a pin: {error}", id.escape_debug()))
        .then("dr-cli pin --id NAME: letters, digits, `-`, `_` and `.`")
}
