//! A `mongod` without a replica set: what a careless destination or a wrong URI looks like.

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
    _folder: TempDir,
}

impl Standalone {
    pub async fn start() -> Result<Self> {
        let folder = temp_folder("standalone")?;
        let port = PortLease::take()?;
        let launch = Launch {
            binary: binary()?,
            port: port.port(),
            folder: folder.path().to_owned(),
            dbpath: folder.path().join("data"),
            log: folder.path().join("mongod.log"),
            arguments: Vec::new(),
        };
        Ok(Self { _process: MongodProcess::start(&launch).await?, port, _folder: folder })
    }

    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/?directConnection=true", self.port.port())
    }

    pub async fn client(&self) -> Result<Client> {
        Ok(Client::with_uri_str(self.uri()).await?)
    }
}
