//! Where the demonstration keeps its archive: a folder, or a bucket of a real object store on this machine.

use std::sync::Arc;

use anyhow::{Context, Result};
use archive::ClusterTime;
use archive::layout::ObjectKey;
use store::{ObjectStore, ObjectStoreExt as _};
use testkit::{AzuriteServer, S3Server};

use crate::archive_folder::ArchiveFolder;

const BUCKET: &str = "backups";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreKind {
    #[default]
    File,
    S3,
    Azure,
}

impl StoreKind {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "file" => Self::File,
            "s3" => Self::S3,
            "azure" => Self::Azure,
            _ => return None,
        })
    }
}

/// What holds the archive as long as it lives.
#[derive(Debug)]
enum Server {
    Folder(ArchiveFolder),
    S3(S3Server),
    Azure(AzuriteServer),
}

#[derive(Debug)]
pub struct ArchivePlace {
    server: Server,
    store: Arc<dyn ObjectStore>,
}

impl ArchivePlace {
    pub async fn start(kind: StoreKind) -> Result<Self> {
        let server = match kind {
            StoreKind::File => Server::Folder(ArchiveFolder::new()?),
            StoreKind::S3 => {
                let server = S3Server::start().await?;
                server.create_bucket(BUCKET).await?;
                Server::S3(server)
            }
            StoreKind::Azure => {
                let server = AzuriteServer::start().await?;
                server.create_container(BUCKET).await?;
                Server::Azure(server)
            }
        };
        let store = store::open(&url(&server)).context("open the archive's store")?;
        Ok(Self { server, store })
    }

    pub fn url(&self) -> String {
        url(&self.server)
    }

    /// For people: the URL without what only servers need to know.
    pub fn shown(&self) -> String {
        match &self.server {
            Server::Folder(folder) => folder.url(),
            Server::S3(server) => format!("s3://{BUCKET}/rs0 at {} (versitygw)", server.endpoint()),
            Server::Azure(server) => format!("azblob://…/{BUCKET}/rs0 at {} (Azurite)", server.endpoint()),
        }
    }

    /// Where the newest slice ends, by its name.
    pub async fn archived_through(&self) -> Result<ClusterTime> {
        let mut newest = ClusterTime::ZERO;
        for lineage in self.store.list_folders("").await? {
            let Ok(lineage) = lineage.parse() else { continue };
            let prefix = ObjectKey::slices_prefix(&lineage);
            let Some(day) = self.store.list_folders(&prefix).await?.pop() else { continue };
            for object in self.store.list_all(&format!("{prefix}{day}/")).await? {
                if let Ok(ObjectKey::Slice { id, .. }) = object.key.parse() {
                    newest = newest.max(id.through);
                }
            }
        }
        Ok(newest)
    }
}

fn url(server: &Server) -> String {
    match server {
        Server::Folder(folder) => folder.url(),
        Server::S3(server) => server.url(BUCKET, "rs0"),
        Server::Azure(server) => server.url(BUCKET, "rs0"),
    }
}
