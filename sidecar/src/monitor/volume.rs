//! The volume with the server's data, without the server.

use std::path::PathBuf;
use std::time::Duration;

use metrics::Samples;
use metrics::catalogue::{DATA_VOLUME_FREE_BYTES, DATA_VOLUME_SIZE_BYTES};
use tokio::task::JoinHandle;

use super::collectors::Collectors;

/// A network file system can hang for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes: those that an ordinary user may still fill, and all.
type Space = std::io::Result<(u64, u64)>;

#[derive(Debug)]
pub struct Volume {
    path: PathBuf,
    /// A call that hangs is not joined by another one.
    pending: Option<JoinHandle<Space>>,
}

impl Volume {
    pub fn new(path: PathBuf) -> Self {
        Self { path, pending: None }
    }

    pub async fn look(&mut self, collectors: &mut Collectors, interval: Duration) -> Samples {
        let path = self.path.clone();
        let call = self.pending.get_or_insert_with(|| tokio::task::spawn_blocking(move || space(&path)));
        let space = collectors.run("volume", interval, async {
            match tokio::time::timeout(PATIENCE, call).await {
                Ok(Ok(space)) => space.map_err(|error| (error.to_string(), true)),
                Ok(Err(error)) => Err((error.to_string(), true)),
                Err(_elapsed) => Err(("the file system does not answer".to_owned(), false)),
            }
        });
        let space = space.await;
        let mut samples = Samples::default();
        match space {
            Ok((free, size)) => {
                self.pending = None;
                samples.set(&DATA_VOLUME_FREE_BYTES, &["data"], metrics::sample::float(free));
                samples.set(&DATA_VOLUME_SIZE_BYTES, &["data"], metrics::sample::float(size));
            }
            Err((error, has_ended)) => {
                if has_ended {
                    self.pending = None;
                }
                tracing::debug!(path = %self.path.display(), error, "free space not read");
            }
        }
        samples
    }
}

fn space(path: &std::path::Path) -> Space {
    let volume = rustix::fs::statvfs(path)?;
    Ok((volume.f_bavail.saturating_mul(volume.f_frsize), volume.f_blocks.saturating_mul(volume.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_volume_has_a_size_and_a_missing_path_none() {
        let (mut collectors, interval) = (Collectors::default(), Duration::from_secs(1));
        let samples = Volume::new("/".into()).look(&mut collectors, interval).await;
        let (free, size) =
            (samples.number(&DATA_VOLUME_FREE_BYTES, &["data"]), samples.number(&DATA_VOLUME_SIZE_BYTES, &["data"]));
        assert!(size > Some(0.0) && free <= size, "{free:?} {size:?}");
        let mut missing = Volume::new("/no/such/path".into());
        assert!(missing.look(&mut collectors, interval).await.is_empty());
        assert!(missing.look(&mut collectors, interval).await.is_empty(), "and it is looked at again");
    }
}
