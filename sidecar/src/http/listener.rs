//! Connections that cost what is known beforehand: so many at once, so many from one address, and none that keeps an answer,
//! takes long to ask, or says nothing for long.
//!
//! Whoever can reach the port could otherwise hold memory with each connection that is not read from, keep probes from being
//! answered, and a scrape that hangs would hold up the end of the process.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use metrics::catalogue::HTTP_CONNECTIONS_CLOSED_TOTAL;
use prometheus::{IntCounter, IntCounterVec, Opts};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};
use tokio_io_timeout::TimeoutStream;

/// An answer has some hundred KiB: together they stay below what the rest of the process may take.
const MOST: usize = 64;
/// So that one client leaves room for the others: a probe of the kubelet and a scrape come from addresses of their own.
const MOST_OF_ONE: usize = 16;
/// From the first byte of a question to its last.
const ASKING: Duration = Duration::from_secs(10);
/// Prometheus keeps its connection between scrapes, which are a minute apart at most where anybody cares.
const SILENCE: Duration = Duration::from_mins(2);
/// Longer than the ten seconds after which Prometheus gives up by default.
const STUCK: Duration = Duration::from_secs(15);

const TOO_MANY: &str = "too_many";
const SLOW: &str = "slow";

/// Connections that were closed from this side, by reason.
#[derive(Debug, Clone)]
pub struct Closed(IntCounterVec);

impl Closed {
    /// # Errors
    /// Never, for labels that the catalogue has.
    pub fn new() -> prometheus::Result<Self> {
        let metric = &HTTP_CONNECTIONS_CLOSED_TOTAL;
        let counters = IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels)?;
        for reason in [TOO_MANY, SLOW] {
            counters.with_label_values(&[reason]);
        }
        Ok(Self(counters))
    }

    pub fn counters(&self) -> &IntCounterVec {
        &self.0
    }

    fn because(&self, reason: &str) -> IntCounter {
        self.0.with_label_values(&[reason])
    }
}

/// What [`axum::serve`] accepts from.
#[derive(Debug)]
pub struct Guarded {
    listener: TcpListener,
    held: Arc<Held>,
    closed: Closed,
    limits: Limits,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    most: usize,
    most_of_one: usize,
    asking: Duration,
    silence: Duration,
    stuck: Duration,
}

impl Guarded {
    pub fn new(listener: TcpListener, closed: Closed) -> Self {
        let limits = Limits { most: MOST, most_of_one: MOST_OF_ONE, asking: ASKING, silence: SILENCE, stuck: STUCK };
        Self::with(listener, closed, limits)
    }

    fn with(listener: TcpListener, closed: Closed, limits: Limits) -> Self {
        Self { listener, held: Arc::default(), closed, limits }
    }
}

/// How many connections each address has.
#[derive(Debug, Default)]
struct Held(Mutex<HashMap<IpAddr, usize>>);

impl Held {
    /// `None` when there is no room.
    fn take(self: &Arc<Self>, address: IpAddr, limits: &Limits) -> Option<Place> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let of_it = held.get(&address).copied().unwrap_or_default();
        if all >= limits.most || of_it >= limits.most_of_one {
            return None;
        }
        held.insert(address, of_it + 1);
        Some(Place { held: Arc::clone(self), address })
    }
}

#[derive(Debug)]
struct Place {
    held: Arc<Held>,
    address: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.held.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_it) = held.get_mut(&self.address) {
            *of_it -= 1;
        }
        held.retain(|_, count| *count > 0);
    }
}

impl Listener for Guarded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            // Dropping it tells the client at once; one that waited in a queue would wait for those who are slow.
            let Some(place) = self.held.take(address.ip(), &self.limits) else {
                self.closed.because(TOO_MANY).inc();
                continue;
            };
            let mut stream = TimeoutStream::new(stream);
            stream.set_read_timeout(Some(self.limits.silence));
            stream.set_write_timeout(Some(self.limits.stuck));
            let connection = Connection {
                stream: Box::pin(stream),
                asking: None,
                limit: self.limits.asking,
                slow: self.closed.because(SLOW),
                _place: place,
            };
            return (connection, address);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

#[derive(Debug)]
pub struct Connection {
    stream: Pin<Box<TimeoutStream<TcpStream>>>,
    /// Runs from the first byte of a question until something of its answer is written.
    asking: Option<Pin<Box<Sleep>>>,
    limit: Duration,
    slow: IntCounter,
    _place: Place,
}

impl Connection {
    fn count<T>(&self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &done
            && error.kind() == io::ErrorKind::TimedOut
        {
            self.slow.inc();
        }
        done
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let done = self.stream.as_mut().poll_read(cx, into);
        if done.is_ready() && into.filled().len() > before {
            let limit = self.limit;
            self.asking.get_or_insert_with(|| Box::pin(sleep(limit)));
        }
        // A byte now and then would begin the silence anew each time.
        let is_over = self.asking.as_mut().is_some_and(|asking| asking.as_mut().poll(cx).is_ready());
        if done.is_pending() && is_over {
            return self.count(Poll::Ready(Err(io::ErrorKind::TimedOut.into())));
        }
        self.count(done)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.asking = None;
        let done = self.stream.as_mut().poll_write(cx, bytes);
        self.count(done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = self.stream.as_mut().poll_flush(cx);
        self.count(done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = self.stream.as_mut().poll_shutdown(cx);
        self.count(done)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A server whose answer fills every buffer between it and a client that does not read.
    async fn start(limits: Limits) -> (SocketAddr, Closed) {
        let closed = Closed::new().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let guarded = Guarded::with(listener, closed.clone(), limits);
        let router = Router::new().route("/", get(async || "x".repeat(64 << 20))).route("/short", get(async || "ok"));
        tokio::spawn(async move { axum::serve(guarded, router).await });
        (address, closed)
    }

    async fn ask(address: SocketAddr, path: &str) -> TcpStream {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        client
    }

    /// The answer up to the end of the connection.
    async fn rest(mut client: TcpStream) -> usize {
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.ok();
        answer.len()
    }

    async fn until(closed: &Closed, reason: &str, count: u64) {
        let reached = async {
            while closed.because(reason).get() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reached).await.unwrap();
    }

    const LONG: Duration = Duration::from_mins(10);
    const SHORT: Duration = Duration::from_millis(200);
    const WIDE: Limits = Limits { most: 8, most_of_one: 8, asking: LONG, silence: LONG, stuck: LONG };

    #[tokio::test(flavor = "multi_thread")]
    async fn a_question_that_comes_byte_by_byte_is_given_up_and_a_connection_between_questions_is_not() {
        let (address, closed) = start(Limits { asking: Duration::from_secs(1), ..WIDE }).await;
        let mut kept = ask(address, "/short").await;
        let mut first = [0; 15];
        kept.read_exact(&mut first).await.unwrap();
        let mut dripping = TcpStream::connect(address).await.unwrap();
        let drips = async {
            // Refused at the latest when what was sent before is answered by a reset.
            while dripping.write_all(b"G").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), drips).await.unwrap();
        assert_eq!(closed.because(SLOW).get(), 1);
        kept.write_all(b"GET /short HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut rest = [0; 20];
        kept.read_exact(&mut rest).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_does_not_read_the_answer_or_says_nothing_is_given_up() {
        let (address, closed) = start(Limits { stuck: SHORT, ..WIDE }).await;
        let stuck = ask(address, "/").await;
        until(&closed, SLOW, 1).await;
        assert!(rest(stuck).await < 64 << 20, "the answer was cut");
        let (address, closed) = start(Limits { silence: SHORT, ..WIDE }).await;
        let silent = TcpStream::connect(address).await.unwrap();
        until(&closed, SLOW, 1).await;
        assert_eq!(rest(silent).await, 0);
        // One that reads is answered whole, however large the answer.
        let (address, _) = start(WIDE).await;
        let mut client = ask(address, "/").await;
        let mut answer = vec![0; 64 << 20];
        client.read_exact(&mut answer).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn beyond_the_most_connections_are_closed_until_there_is_room() {
        beyond_two(Limits { most: 2, ..WIDE }).await;
        beyond_two(Limits { most_of_one: 2, ..WIDE }).await;
    }

    async fn beyond_two(limits: Limits) {
        let (address, closed) = start(limits).await;
        // Answered and kept open, as Prometheus does.
        let mut held = [ask(address, "/short").await, ask(address, "/short").await];
        for client in &mut held {
            let mut first = [0; 15];
            client.read_exact(&mut first).await.unwrap();
            assert_eq!(&first, b"HTTP/1.1 200 OK");
        }
        let refused = TcpStream::connect(address).await.unwrap();
        assert_eq!(rest(refused).await, 0);
        assert_eq!(closed.because(TOO_MANY).get(), 1);
        drop(held);
        // The server sees the end of a connection a moment later.
        let served = async {
            let mut first = [0; 15];
            while ask(address, "/short").await.read_exact(&mut first).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), served).await.unwrap();
    }
}
