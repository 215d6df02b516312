//! The writer against a sink that shows how it is used.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::cloud::parts::FIRST_PART_BYTES;

#[derive(Debug, Default)]
struct Log {
    wholes: Vec<usize>,
    completed: Option<(Vec<(u32, usize)>, u64)>,
    discarded: usize,
    in_flight: usize,
    most_in_flight: usize,
}

#[derive(Debug, Clone, Default)]
struct Sink {
    log: Arc<Mutex<Log>>,
    refuse_part: Option<u32>,
    taken: bool,
    begun: Arc<AtomicUsize>,
}

impl Sink {
    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}

#[async_trait]
impl PartSink for Sink {
    type Upload = ();
    type Part = (u32, usize);

    async fn create_whole(&self, body: Bytes) -> Result<Created> {
        self.log().wholes.push(body.len());
        Ok(Created::New)
    }

    async fn begin(&self) -> Result<()> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn send_part(&self, (): &(), number: u32, body: Bytes) -> Result<(u32, usize)> {
        {
            let mut log = self.log();
            log.in_flight += 1;
            log.most_in_flight = log.most_in_flight.max(log.in_flight);
        }
        // Odd parts overtake even ones.
        tokio::time::sleep(Duration::from_millis(if number.is_multiple_of(2) { 20 } else { 10 })).await;
        self.log().in_flight -= 1;
        if self.refuse_part == Some(number) {
            return Err(self.error(ErrorKind::PermissionDenied, Operation::Write));
        }
        Ok((number, body.len()))
    }

    async fn complete(&self, (): &(), parts: Vec<(u32, usize)>, bytes: u64) -> Result<Created> {
        self.log().completed = Some((parts, bytes));
        Ok(if self.taken { Created::AlreadyExists } else { Created::New })
    }

    async fn discard(&self, (): &()) {
        self.log().discarded += 1;
    }

    fn error(&self, kind: ErrorKind, operation: Operation) -> StoreError {
        StoreError::new(kind, operation, "sink:")
    }
}

async fn write(sink: &Sink, chunks: impl IntoIterator<Item = usize>) -> Result<Created> {
    let mut writer = Box::new(PartWriter::new(sink.clone()));
    for length in chunks {
        writer.write(vec![0; length].into()).await?;
    }
    writer.finish().await
}

#[tokio::test(start_paused = true)]
async fn what_fits_into_a_part_is_one_request() {
    for chunks in [vec![], vec![0], vec![1, 2, 3], vec![FIRST_PART_BYTES - 1, 1], vec![FIRST_PART_BYTES]] {
        let sink = Sink::default();
        let length = chunks.iter().sum();
        assert_eq!(write(&sink, chunks).await.unwrap(), Created::New);
        assert_eq!((sink.log().wholes.as_slice(), sink.begun.load(Ordering::SeqCst)), ([length].as_slice(), 0));
    }
}

#[tokio::test(start_paused = true)]
async fn parts_are_full_in_order_and_few_at_a_time() {
    let sink = Sink::default();
    let chunks = [1, FIRST_PART_BYTES, 3 * FIRST_PART_BYTES, 70_000, 2 * FIRST_PART_BYTES, 7];
    let total: usize = chunks.iter().sum();
    assert_eq!(write(&sink, chunks).await.unwrap(), Created::New);
    let log = sink.log();
    let (parts, bytes) = log.completed.clone().unwrap();
    assert_eq!(bytes, total as u64);
    assert_eq!(parts.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=7).collect::<Vec<_>>());
    let (last, full) = parts.split_last().unwrap();
    assert!(full.iter().all(|(_, length)| *length == FIRST_PART_BYTES));
    assert_eq!(last.1, total - 6 * FIRST_PART_BYTES);
    assert_eq!((log.most_in_flight, log.discarded), (PARTS_IN_FLIGHT, 0));
    assert!(log.wholes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_publishes_nothing_is_discarded_once() {
    let losing = Sink { taken: true, ..Sink::default() };
    assert_eq!(write(&losing, [2 * FIRST_PART_BYTES]).await.unwrap(), Created::AlreadyExists);
    assert_eq!(losing.log().discarded, 1);

    let refused = Sink { refuse_part: Some(1), ..Sink::default() };
    let error = write(&refused, [FIRST_PART_BYTES; 9]).await.unwrap_err();
    assert_eq!((error.kind(), refused.log().discarded), (ErrorKind::PermissionDenied, 1));
    assert!(refused.log().completed.is_none());

    for abort in [true, false] {
        let sink = Sink::default();
        let mut writer = Box::new(PartWriter::new(sink.clone()));
        writer.write(vec![0; 2 * FIRST_PART_BYTES].into()).await.unwrap();
        if abort {
            writer.abort().await;
        } else {
            drop(writer);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let log = sink.log();
        assert_eq!((log.discarded, log.in_flight), (1, 0), "abort: {abort}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_is_unusable_after_an_error_or_a_cancelled_call() {
    let refused = Sink { refuse_part: Some(1), ..Sink::default() };
    let mut writer = Box::new(PartWriter::new(refused));
    while writer.write(vec![0; FIRST_PART_BYTES].into()).await.is_ok() {}
    assert_eq!(writer.write(Bytes::from_static(b"x")).await.unwrap_err().kind(), ErrorKind::Other);

    let sink = Sink::default();
    let mut writer = Box::new(PartWriter::new(sink.clone()));
    let cancelled = writer.write(vec![0; 9 * FIRST_PART_BYTES].into());
    assert!(tokio::time::timeout(Duration::from_millis(15), cancelled).await.is_err());
    let error = writer.finish().await.unwrap_err();
    assert!(error.to_string().contains("was cancelled"), "{error}");
    assert!(sink.log().completed.is_none());
}
