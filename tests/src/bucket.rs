//! A bucket of a real S3 server behind a proxy, and the archive in it.

use anyhow::Result;
use testkit::{FaultProxy, S3Server};

use crate::archive_folder::ArchiveFolder;

const BUCKET: &str = "backups";
const PREFIX: &str = "rs0";

pub struct Bucket {
    pub server: S3Server,
    pub proxy: FaultProxy,
}

impl Bucket {
    pub async fn start() -> Result<Self> {
        let server = S3Server::start().await?;
        server.create_bucket(BUCKET).await?;
        let proxy = FaultProxy::start(server.port()).await?;
        Ok(Self { server, proxy })
    }

    /// Through the proxy, with further parameters of the URL (`&deadline=2`). Its files are looked at where the server keeps
    /// them.
    pub fn archive(&self, parameters: &str) -> ArchiveFolder {
        let url = self.server.url_at(&self.proxy.endpoint(), BUCKET, PREFIX);
        ArchiveFolder::served(&self.server.bucket_folder(BUCKET).join(PREFIX), format!("{url}{parameters}"))
    }

    /// The same past the proxy.
    pub fn url(&self) -> String {
        self.server.url(BUCKET, PREFIX)
    }
}
