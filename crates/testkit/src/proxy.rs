//! A proxy between a client and a server that does to each connection what a test wants. It knows no HTTP but the end
//! of a request's head: servers that close after each answer, and answers made up here, make a connection a request.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What happens to one connection.
#[derive(Debug, Clone)]
pub enum Fault {
    Pass,
    /// Everything is passed on, later.
    Delay(Duration),
    /// What is sent arrives that much later, half of it on each way; nothing is slower for it.
    Latency(Duration),
    /// The connection is closed before anything is passed on.
    Reset,
    /// The connection is accepted and never answered.
    Hang,
    /// The request is read, not passed on, and answered with this.
    Answer(String),
    /// The same for requests whose head is wanted; any other one is passed on, and is the only one of its connection.
    AnswerIf(fn(&str) -> bool, String),
    /// The request is passed on and done, its answer is lost.
    LoseAnswer,
    /// The answer ends after so many bytes, its head included.
    CutAnswer(usize),
}

impl Fault {
    /// An answer of HTTP with a body of XML.
    pub fn status(line: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        Self::Answer(format!("HTTP/1.1 {line}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"))
    }

    /// What S3 says under load.
    pub fn slow_down() -> Self {
        Self::status("503 Slow Down", "", "<Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>")
    }
}

/// Decides by the number of the connection, from 1, counted since the plan was set.
type Plan = Box<dyn FnMut(u64) -> Fault + Send>;

pub struct FaultProxy {
    address: SocketAddr,
    plan: Arc<Mutex<Plan>>,
    connections: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl FaultProxy {
    /// In front of a server on this machine; passes everything on until told otherwise.
    pub async fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen for a proxy")?;
        let address = listener.local_addr()?;
        let plan: Arc<Mutex<Plan>> = Arc::new(Mutex::new(Box::new(|_| Fault::Pass)));
        let connections = Arc::new(AtomicU64::new(0));
        let (plans, count) = (Arc::clone(&plan), Arc::clone(&connections));
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                let fault = plans.lock().unwrap_or_else(PoisonError::into_inner)(number);
                // A connection that fails is what the proxy is for.
                tokio::spawn(async move { Box::pin(serve(client, port, fault)).await.ok() });
            }
        });
        Ok(Self { address, plan, connections, accepting })
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What happens to the connections from now on.
    pub fn plan(&self, plan: impl FnMut(u64) -> Fault + Send + 'static) {
        let mut current = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        self.connections.store(0, Ordering::SeqCst);
        *current = Box::new(plan);
    }

    /// How many there were since the plan was set.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut client: TcpStream, port: u16, fault: Fault) -> Result<()> {
    let connect = || TcpStream::connect(("127.0.0.1", port));
    match fault {
        Fault::Pass => {
            copy_bidirectional(&mut client, &mut connect().await?).await?;
        }
        Fault::Delay(delay) => {
            let mut server = connect().await?;
            tokio::time::sleep(delay).await;
            copy_bidirectional(&mut client, &mut server).await?;
        }
        Fault::Latency(latency) => {
            let mut server = connect().await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            let (from_client, to_client) = client.split();
            let (from_server, to_server) = server.split();
            let there = delayed(from_client, to_server, latency / 2);
            let back = delayed(from_server, to_client, latency / 2);
            tokio::try_join!(there, back)?;
        }
        Fault::Reset => {}
        Fault::Hang => {
            let mut ignored = vec![0; 4096];
            while client.read(&mut ignored).await? > 0 {}
        }
        Fault::Answer(answer) => {
            read_request(&mut client).await?;
            client.write_all(answer.as_bytes()).await?;
            client.shutdown().await?;
        }
        Fault::AnswerIf(is_wanted, answer) => {
            let request = read_request(&mut client).await?;
            let (head, _) = split_head(&request).context("a head")?;
            if is_wanted(&head) {
                client.write_all(answer.as_bytes()).await?;
            } else {
                let mut server = connect().await?;
                server.write_all(&closing(&request)).await?;
                copy(&mut server, &mut client).await?;
            }
            client.shutdown().await?;
        }
        Fault::LoseAnswer => {
            let (request, mut server) = (read_request(&mut client).await?, connect().await?);
            server.write_all(&request).await?;
            // Only an answer proves that the request was done.
            server.read_u8().await?;
        }
        Fault::CutAnswer(length) => {
            let mut server = connect().await?;
            let (mut from_client, mut to_client) = client.split();
            let (from_server, mut to_server) = server.split();
            let forward = async { copy(&mut from_client, &mut to_server).await };
            let mut head = from_server.take(length as u64);
            let backward = async { copy(&mut head, &mut to_client).await };
            tokio::select! { result = backward => { result?; } Err(error) = forward => return Err(error.into()) }
        }
    }
    Ok(())
}

/// Like a long wire: what is under way does not wait for what came before it to arrive.
async fn delayed(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, latency: Duration) -> Result<()> {
    let (sender, mut under_way) = tokio::sync::mpsc::channel::<(Instant, Vec<u8>)>(4096);
    // Ends the other half when it ends.
    let reading = async move {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let length = from.read(&mut chunk).await?;
            if length == 0 || sender.send((Instant::now() + latency, chunk[..length].to_vec())).await.is_err() {
                return Ok::<(), anyhow::Error>(());
            }
        }
    };
    let writing = async {
        while let Some((arrives, bytes)) = under_way.recv().await {
            tokio::time::sleep_until(arrives).await;
            to.write_all(&bytes).await?;
        }
        to.shutdown().await?;
        Ok(())
    };
    tokio::try_join!(reading, writing)?;
    Ok(())
}

/// The head of a request, and where its body starts.
fn split_head(request: &[u8]) -> Option<(String, usize)> {
    let end = request.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some((String::from_utf8_lossy(&request[..end]).into_owned(), end + 4))
}

/// The request, after whose answer the server is to close. No signature covers that header.
fn closing(request: &[u8]) -> Vec<u8> {
    let Some((head, body)) = split_head(request) else { return request.to_vec() };
    let lines = head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head = lines.collect::<Vec<_>>().join("\r\n");
    [head.as_bytes(), b"\r\nconnection: close\r\n\r\n", &request[body..]].concat()
}

/// The whole of one request, by the length its head announces.
async fn read_request(client: &mut TcpStream) -> Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        if let Some((head, body)) = split_head(&request) {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            if request.len() >= body + length {
                return Ok(request);
            }
        }
        let read = client.read(&mut chunk).await?;
        anyhow::ensure!(read > 0, "the client went away");
        request.extend_from_slice(&chunk[..read]);
    }
}
