//! Azurite, the emulator of Azure Blob Storage, and shared access signatures for it.
//!
//! It knows no immutability: calls about it fail with 500, and protected blobs can be deleted.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rustix::process::Signal;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fetched;
use crate::mongod::port::PortLease;
use crate::mongod::temp_folder;
use crate::watchdog::Watched;

/// The account and the key that every Azurite has; they are published and protect nothing.
pub const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// Everything an archive needs: read, write, delete, list, add, create.
pub const ALL_PERMISSIONS: &str = "rwdlac";

#[derive(Debug)]
pub struct AzuriteServer {
    // Dropped in this order: the server ends before its files go.
    process: Option<Watched>,
    port: PortLease,
    folder: TempDir,
}

impl AzuriteServer {
    pub async fn start() -> Result<Self> {
        let folder = temp_folder("azurite")?;
        std::fs::write(folder.path().join("sas"), signature(ALL_PERMISSIONS, "2099-01-01T00:00:00Z")?)?;
        let mut server = Self { process: None, port: PortLease::take()?, folder };
        server.restart().await?;
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port.port()
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port.port())
    }

    /// A file with a signature that allows everything.
    pub fn sas_file(&self) -> std::path::PathBuf {
        self.folder.path().join("sas")
    }

    /// The archive URL of a place in a container. It needs nothing from the environment.
    pub fn url(&self, container: &str, prefix: &str) -> String {
        self.url_at(&self.endpoint(), container, prefix)
    }

    /// The same through another address, such as a proxy's.
    pub fn url_at(&self, endpoint: &str, container: &str, prefix: &str) -> String {
        let file = self.sas_file();
        format!("azblob://{ACCOUNT}/{container}/{prefix}?endpoint={endpoint}&sas_file={}", file.display())
    }

    /// Names have at least three characters.
    pub async fn create_container(&self, container: &str) -> Result<()> {
        let (status, body) = self.request("PUT", container, "restype=container").await?;
        ensure!(status == 201, "create container {container}: HTTP {status}: {body}");
        Ok(())
    }

    pub async fn delete_container(&self, container: &str) -> Result<()> {
        let (status, body) = self.request("DELETE", container, "restype=container").await?;
        ensure!(status == 202, "delete container {container}: HTTP {status}: {body}");
        Ok(())
    }

    async fn request(&self, method: &str, path: &str, query: &str) -> Result<(u16, String)> {
        let sas = signature(ALL_PERMISSIONS, "2099-01-01T00:00:00Z")?;
        let host = format!("127.0.0.1:{}", self.port.port());
        let request = format!(
            "{method} /{ACCOUNT}/{path}?{query}&{sas} HTTP/1.1\r\nhost: {host}\r\nx-ms-version: 2021-08-06\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        );
        let mut connection = TcpStream::connect(&host).await.with_context(|| format!("connect to {host}"))?;
        connection.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("{method} {path} was answered with `{answer}`"))?;
        Ok((status, answer))
    }

    /// SIGTERM, and waits for the end. Its data and its port are kept for [`Self::restart`]. SIGKILL would lose containers:
    /// it writes its tables now and then only.
    pub async fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the server is not running")?;
        process.signal(Signal::TERM)?;
        process.wait(Duration::from_secs(20)).await?;
        Ok(())
    }

    pub fn pause(&self) -> Result<()> {
        self.process.as_ref().context("the server is not running")?.signal(Signal::STOP)
    }

    pub fn resume(&self) -> Result<()> {
        self.process.as_ref().context("the server is not running")?.signal(Signal::CONT)
    }

    /// Starts it over the data it had; returns when it answers, which takes some seconds.
    pub async fn restart(&mut self) -> Result<()> {
        let script = fetched::path("AZURITE", "fetch-azurite.sh")?;
        let log = self.folder.path().join("log");
        let output = std::fs::File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let mut process = Watched::spawn("node", Some(self.folder.path()), Stdio::from(output), |command| {
            command
                .arg(&script)
                .args(["--blobHost", "127.0.0.1", "--blobPort", &self.port.port().to_string()])
                .args(["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--location"])
                .arg(self.folder.path().join("data"));
        })?;
        let limit = Instant::now() + Duration::from_mins(1);
        while !matches!(self.request("GET", "", "comp=list").await, Ok((200, _))) {
            let failed = match process.status()? {
                Some(status) => Some(format!("ended with {status}")),
                None => (Instant::now() > limit).then(|| "does not answer".to_owned()),
            };
            if let Some(failed) = failed {
                bail!("Azurite {failed}:\n{}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.process = Some(process);
        Ok(())
    }
}

/// An account signature for blobs, as the query of a URL.
pub fn signature(permissions: &str, expires: &str) -> Result<String> {
    const VERSION: &str = "2021-08-06";
    const PROTOCOLS: &str = "https,http";
    let to_sign = format!("{ACCOUNT}\n{permissions}\nb\nsco\n\n{expires}\n\n{PROTOCOLS}\n{VERSION}\n\n");
    let mut code = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(ACCOUNT_KEY)?)?;
    code.update(to_sign.as_bytes());
    let signature = STANDARD.encode(code.finalize().into_bytes());
    let encoded = |text: &str| text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D").replace(':', "%3A");
    Ok(format!(
        "ss=b&srt=sco&sp={permissions}&sv={VERSION}&spr={PROTOCOLS}&se={}&sig={}",
        encoded(expires),
        encoded(&signature)
    ))
}
