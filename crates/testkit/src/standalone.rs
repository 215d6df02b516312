//! A `mongod` without a replica set: what a careless destination or a wrong URI looks like.

use std::path::Path;

use anyhow::Result;
use mongodb::Client;
use tempfile::TempDir;

use crate::mongod::port::PortLease;
use crate::mongod::process::{Launch, MongodProcess};
use crate::mongod::{binary, temp_folder};

#[derive(Debug)]
pub struct Standalone {
    // Dropped in this order: the server ends before its files go.
    _process: MongodProcess,
    port: PortLease,
    folder: TempDir,
}

impl Standalone {
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// With more arguments for `mongod`.
    pub async fn start_with(arguments: &[&str]) -> Result<Self> {
        let folder = temp_folder("standalone")?;
        let port = PortLease::take()?;
        let launch = Launch {
            binary: binary()?,
            port: port.port(),
            folder: folder.path().to_owned(),
            dbpath: folder.path().join("data"),
            log: folder.path().join("mongod.log"),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
        };
        Ok(Self { _process: MongodProcess::start(&launch).await?, port, folder })
    }

    /// Its log is `mongod.log` in here.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port.port())
    }

    pub async fn client(&self) -> Result<Client> {
        Ok(Client::with_uri_str(self.uri()).await?)
    }
}
