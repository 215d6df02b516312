//! The mutable objects of the lineage, which may be in another store than the archive.

use archive::high_water::HighWater;
use archive::layout::ObjectKey;
use bytes::Bytes;
use store::{Created, ObjectStoreExt as _};

use super::{ArchiveStore, RECORD_LIMIT};
use crate::error::{Error, Result};

impl ArchiveStore {
    pub async fn high_water(&self) -> Result<Option<HighWater>> {
        let key = HighWater::key(&self.lineage).to_string();
        let Some(body) = self.stores.control.get_bytes(&key, RECORD_LIMIT).await? else { return Ok(None) };
        HighWater::from_json(&body).map(Some).map_err(Error::record(&key))
    }

    pub async fn put_high_water(&self, mark: &HighWater) -> Result<()> {
        let key = HighWater::key(&self.lineage).to_string();
        let body = mark.to_json().map_err(Error::record(&key))?;
        Ok(self.stores.control.put_mutable(&key, body.into()).await?)
    }

    fn control_key(&self, path: &str) -> Result<String> {
        let path = path.parse().map_err(|error| Error::Internal(format!("{error}")))?;
        Ok(ObjectKey::Control { lineage: self.lineage.clone(), path }.to_string())
    }

    pub async fn put_control(&self, path: &str, body: impl Into<Bytes> + Send) -> Result<()> {
        Ok(self.stores.control.put_mutable(&self.control_key(path)?, body.into()).await?)
    }

    /// Create-only below `control/`: what leases are decided by.
    pub async fn create_control(&self, path: &str, body: impl Into<Bytes> + Send) -> Result<Created> {
        Ok(self.stores.control.put_new(&self.control_key(path)?, body.into()).await?)
    }

    pub async fn get_control(&self, path: &str, limit: usize) -> Result<Option<Bytes>> {
        Ok(self.stores.control.get_bytes(&self.control_key(path)?, limit).await?)
    }

    pub async fn delete_control(&self, path: &str) -> Result<()> {
        Ok(self.stores.control.delete(&self.control_key(path)?).await?)
    }

    /// Paths below `control/` that start with `prefix`, ascending.
    pub async fn list_control(&self, prefix: &str) -> Result<Vec<String>> {
        let folder = ObjectKey::control_prefix(&self.lineage);
        let objects = self.stores.control.list_all(&format!("{folder}{prefix}")).await?;
        Ok(objects.into_iter().filter_map(|object| Some(object.key.strip_prefix(&folder)?.to_owned())).collect())
    }
}
