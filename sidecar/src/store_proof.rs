//! The store proof on the locations of an archive: before the first use of one, and whenever somebody asks.

use store::{Check, ErrorKind, Operation, StoreError, Verdict};

use crate::archive_store::Stores;
use crate::error::{Error, Result};

const FOLDER: &str = "sidecar-check/control";
/// What only the location of `control/` has to do.
const OF_CONTROL: [&str; 2] = ["overwrite in control", "delete"];

/// One property of one location.
#[derive(Debug)]
pub struct Proven {
    location: String,
    pub check: Check,
}

impl Proven {
    /// An error for what makes the location unfit.
    pub fn judge(&self) -> Result<()> {
        let Check { name, verdict, found, remedy, .. } = &self.check;
        match verdict {
            // Nothing is wrong with the store itself then.
            Verdict::Broken if self.is_passing() => {
                let kind = self.check.error.unwrap_or(ErrorKind::Other);
                let error = StoreError::new(kind, Operation::Open, &self.location);
                Err(error.with_detail(format!("{name}: {found}")).into())
            }
            Verdict::Broken => {
                let (location, found) = (self.location.clone(), found.clone());
                Err(Error::UnsafeStore { location, check: name, found, remedy })
            }
            Verdict::Holds | Verdict::Doubtful | Verdict::Skipped => Ok(()),
        }
    }

    /// Whether it was only kept from being tried: by permissions, room or the network.
    fn is_passing(&self) -> bool {
        matches!(self.check.error, Some(ErrorKind::PermissionDenied | ErrorKind::NoSpace | ErrorKind::Unreachable))
    }
}

pub async fn prove(stores: &Stores) -> Result<Vec<Proven>> {
    let prove = async |store: &dyn store::ObjectStore| -> Result<Vec<Proven>> {
        let location = store.location().to_owned();
        let proof = store::prove(store, FOLDER).await?;
        Ok(proof.checks.into_iter().map(|check| Proven { location: location.clone(), check }).collect())
    };
    let mut proven = prove(&*stores.archive).await?;
    if stores.control.location() != stores.archive.location() {
        proven.retain(|one| !OF_CONTROL.contains(&one.check.name));
        proven.extend(prove(&*stores.control).await?);
    }
    Ok(proven)
}

/// Refuses a location in which nothing may be archived.
pub async fn require(stores: &Stores) -> Result<()> {
    for one in prove(stores).await? {
        if one.check.verdict == Verdict::Doubtful {
            tracing::warn!(
                event = "store_proof_failed",
                location = one.location,
                check = one.check.name,
                found = one.check.found,
                "store proof"
            );
        }
        // The first real write says it better.
        if !one.is_passing() {
            one.judge()?;
        }
    }
    Ok(())
}
