//! A real S3 server over a folder of its own: versitygw, or `MinIO` as a second opinion.
//!
//! Buckets are made through its API like a user would; what a test wants to know behind the back of the code under
//! test (unfinished uploads) is asked with requests signed here, since only `store` may use the SDK.

mod signature;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fetched;
use crate::mongod::port::PortLease;
use crate::mongod::temp_folder;
use crate::watchdog::Watched;

pub const ACCESS_KEY: &str = "tidemark";
pub const SECRET_KEY: &str = "tidemark-test-secret";
pub const REGION: &str = "us-east-1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Versitygw,
    Minio,
}

#[derive(Debug)]
pub struct S3Server {
    // Dropped in this order: the server ends before its files go.
    process: Option<Watched>,
    kind: Kind,
    tls: bool,
    port: PortLease,
    folder: TempDir,
}

impl S3Server {
    pub async fn start() -> Result<Self> {
        Self::start_as(Kind::Versitygw).await
    }

    pub async fn start_as(kind: Kind) -> Result<Self> {
        let folder = temp_folder("s3")?;
        for name in ["data", "versions"] {
            std::fs::create_dir(folder.path().join(name)).context("create the folders of an S3 server")?;
        }
        let credentials =
            format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
        std::fs::write(folder.path().join("credentials"), credentials).context("write a credentials file")?;
        let mut server = Self { process: None, kind, tls: false, port: PortLease::take()?, folder };
        server.restart().await?;
        Ok(server)
    }

    /// Restarts it with a certificate of an authority made for it, see [`Self::authority`].
    pub async fn switch_to_tls(&mut self) -> Result<()> {
        self.kill();
        crate::certificate::write(&self.folder.path().join("certs"))?;
        self.tls = true;
        self.restart().await
    }

    /// The PEM file of the authority that signed the server's certificate.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("certs/ca.pem")
    }

    pub fn endpoint(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port.port())
    }

    /// Where the objects of a bucket lie as plain files (versitygw only).
    pub fn bucket_folder(&self, bucket: &str) -> PathBuf {
        self.folder.path().join("data").join(bucket)
    }

    pub fn port(&self) -> u16 {
        self.port.port()
    }

    /// A file in the format of AWS with the right keys.
    pub fn credentials_file(&self) -> PathBuf {
        self.folder.path().join("credentials")
    }

    /// The archive URL of a place in a bucket. It needs nothing from the environment.
    pub fn url(&self, bucket: &str, prefix: &str) -> String {
        self.url_at(&self.endpoint(), bucket, prefix)
    }

    /// The same through another address, such as a proxy's.
    pub fn url_at(&self, endpoint: &str, bucket: &str, prefix: &str) -> String {
        let credentials = self.credentials_file();
        format!("s3://{bucket}/{prefix}?region={REGION}&endpoint={endpoint}&credentials_file={}", credentials.display())
    }

    /// What a process needs in its environment when its URL names no credentials.
    pub fn environment() -> [(&'static str, &'static str); 3] {
        [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY), ("AWS_REGION", REGION)]
    }

    pub async fn create_bucket(&self, bucket: &str) -> Result<()> {
        self.put_bucket(bucket, &[]).await
    }

    /// A bucket with Object Lock, and so with versions, and without a default retention.
    pub async fn create_locked_bucket(&self, bucket: &str) -> Result<()> {
        self.put_bucket(bucket, &[("x-amz-bucket-object-lock-enabled", "true")]).await
    }

    async fn put_bucket(&self, bucket: &str, headers: &[(&str, &str)]) -> Result<()> {
        let (status, body) = self.request("PUT", &format!("/{bucket}"), "", headers).await?;
        ensure!(status == 200, "create bucket {bucket}: HTTP {status}: {body}");
        Ok(())
    }

    pub async fn delete_bucket(&self, bucket: &str) -> Result<()> {
        let (status, body) = self.request("DELETE", &format!("/{bucket}"), "", &[]).await?;
        ensure!(status == 204, "delete bucket {bucket}: HTTP {status}: {body}");
        Ok(())
    }

    /// The keys of the multipart uploads that are neither completed nor aborted.
    pub async fn unfinished_uploads(&self, bucket: &str) -> Result<Vec<String>> {
        let (status, body) = self.request("GET", &format!("/{bucket}"), "uploads=", &[]).await?;
        ensure!(status == 200, "list the uploads of {bucket}: HTTP {status}: {body}");
        let keys = body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        Ok(keys.map(|(key, _)| key.to_owned()).collect())
    }

    /// A signed request without a body, over plain HTTP.
    async fn request(&self, method: &str, path: &str, query: &str, headers: &[(&str, &str)]) -> Result<(u16, String)> {
        ensure!(!self.tls, "the test kit asks over plain HTTP only");
        let host = format!("127.0.0.1:{}", self.port.port());
        let signed = signature::sign(method, path, query, &host, headers, jiff::Timestamp::now())?;
        let lines: Vec<String> = signed.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let lines = lines.concat();
        let mark = if query.is_empty() { "" } else { "?" };
        let request =
            format!("{method} {path}{mark}{query} HTTP/1.1\r\n{lines}content-length: 0\r\nconnection: close\r\n\r\n");
        let mut connection = TcpStream::connect(&host).await.with_context(|| format!("connect to {host}"))?;
        connection.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.with_context(|| format!("{method} {path} was answered with `{answer}`"))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, body.to_owned()))
    }

    pub fn pid(&self) -> Option<i32> {
        self.process.as_ref().map(Watched::pid)
    }

    /// SIGKILL; returns when it is gone. Its data and its port are kept for [`Self::restart`].
    pub fn kill(&mut self) {
        self.process = None;
    }

    pub fn pause(&self) -> Result<()> {
        self.signal(Signal::STOP)
    }

    pub fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().context("the server is not running")?.signal(signal)
    }

    /// Starts it over the data it had; returns when it answers.
    pub async fn restart(&mut self) -> Result<()> {
        let log = self.folder.path().join("log");
        let output = std::fs::File::create(&log).with_context(|| format!("create {}", log.display()))?;
        let program = match self.kind {
            Kind::Versitygw => fetched::path("VERSITYGW", "fetch-versitygw.sh")?,
            Kind::Minio => fetched::path("MINIO", "fetch-minio.sh")?,
        };
        let mut process = Watched::spawn(&program, Some(self.folder.path()), Stdio::from(output), |command| {
            let (arguments, environment) = self.arguments();
            command.args(arguments).envs(environment);
        })?;
        let limit = Instant::now() + Duration::from_secs(30);
        while !self.answers().await {
            let failed = match process.status()? {
                Some(status) => Some(format!("ended with {status}")),
                None => (Instant::now() > limit).then(|| "does not answer".to_owned()),
            };
            if let Some(failed) = failed {
                bail!("{} {failed}:\n{}", program.display(), std::fs::read_to_string(&log).unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.process = Some(process);
        Ok(())
    }

    fn arguments(&self) -> (Vec<String>, Vec<(&'static str, String)>) {
        let path = |name: &str| path_text(&self.folder.path().join(name));
        let address = format!("127.0.0.1:{}", self.port.port());
        let mut arguments: Vec<String> = Vec::new();
        let environment = match self.kind {
            Kind::Versitygw => {
                arguments.extend(["--port".into(), address, "--health".into(), "/healthz".into(), "--quiet".into()]);
                if self.tls {
                    let (certificate, key) = (path("certs/public.crt"), path("certs/private.key"));
                    arguments.extend(["--cert".into(), certificate, "--key".into(), key]);
                }
                arguments.extend(["posix".into(), "--versioning-dir".into(), path("versions"), path("data")]);
                vec![("ROOT_ACCESS_KEY", ACCESS_KEY.to_owned()), ("ROOT_SECRET_KEY", SECRET_KEY.to_owned())]
            }
            Kind::Minio => {
                arguments.extend(["server".into(), "--quiet".into(), "--address".into(), address]);
                arguments.extend(["--certs-dir".into(), path("certs"), path("data")]);
                vec![("MINIO_ROOT_USER", ACCESS_KEY.to_owned()), ("MINIO_ROOT_PASSWORD", SECRET_KEY.to_owned())]
            }
        };
        (arguments, environment)
    }

    async fn answers(&self) -> bool {
        if self.tls {
            return TcpStream::connect(("127.0.0.1", self.port.port())).await.is_ok();
        }
        matches!(self.request("GET", "/", "", &[]).await, Ok((200, _)))
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(&mut self) -> Result<ExitStatus> {
        let mut process = self.process.take().context("the server is not running")?;
        process.signal(Signal::TERM)?;
        process.wait(Duration::from_secs(10)).await
    }
}

fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
