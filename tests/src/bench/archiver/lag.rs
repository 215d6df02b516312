//! How far the archive is behind the client, seen from outside of the sidecar.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use archive::ClusterTime;

use crate::archive_folder::ArchiveFolder;
use crate::bench::load::{Batch, Written};

/// How long after the last write the archive may take to be complete.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(50);

/// When the archive was first seen to reach which moment; told by the names that lie in it, not by the sidecar.
pub type Seen = Vec<(Instant, ClusterTime)>;

/// Until it fails.
pub async fn watch(archive: &ArchiveFolder, seen: &mut Seen) -> Result<()> {
    loop {
        let through = archive.archived_through()?;
        if seen.last().is_none_or(|(_, last)| through > *last) {
            seen.push((Instant::now(), through));
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub async fn reach(archive: &ArchiveFolder, moment: ClusterTime) -> Result<()> {
    let limit = Instant::now() + PATIENCE;
    while archive.archived_through()? < moment {
        ensure!(Instant::now() < limit, "the archive does not reach {moment} within {PATIENCE:?}");
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Seconds from the acknowledgement of each batch until it was seen in the archive.
pub fn lags(written: &Written, seen: &[(Instant, ClusterTime)]) -> Result<Vec<f64>> {
    let lag = |batch: &Batch| {
        let (at, _) = seen.get(seen.partition_point(|(_, through)| *through < batch.at))?;
        Some(at.saturating_duration_since(batch.acknowledged).as_secs_f64())
    };
    written.batches.iter().map(lag).collect::<Option<_>>().context("a batch never came into the archive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_of_a_batch_ends_with_the_first_slice_that_holds_it() -> Result<()> {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let batch = |second, acknowledged| Batch {
            at: ClusterTime::new(second, 1),
            acknowledged: after(acknowledged),
            seconds: 0.1,
        };
        let seen =
            [(after(0), ClusterTime::ZERO), (after(5), ClusterTime::new(10, 1)), (after(9), ClusterTime::new(14, 2))];
        let written = |batches: Vec<Batch>| Written { batches, seconds: 1.0 };
        let found = lags(&written(vec![batch(10, 1), batch(11, 2), batch(3, 7)]), &seen)?;
        for (found, expected) in found.iter().zip([4.0, 7.0, 0.0]) {
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
        assert!(lags(&written(vec![batch(15, 1)]), &seen).is_err());
        Ok(())
    }
}
