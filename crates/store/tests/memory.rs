//! Memory is bounded by construction: a large object is written to and read from a bucket without ever being held. Alone
//! in its test binary, because it looks at the peak of the whole process.

#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use futures::TryStreamExt;
use store::Created;
use testkit::S3Server;

const MIB: usize = 1024 * 1024;
const OBJECT: usize = 256 * MIB;
/// Three parts of 5 MiB and what the SDK copies of them.
const ALLOWED: usize = 64 * MIB;

fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_object_passes_through_little_memory() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("bucket").await.unwrap();
    let store = store::open(&server.url("bucket", "archive")).unwrap();
    let chunk = Bytes::from(vec![7; MIB]);
    // The client, its TLS roots and its buffers are there before anything is measured.
    let mut writer = store.create("small").await.unwrap();
    writer.write(chunk.clone()).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), Created::New);
    let before = peak();

    let mut writer = store.create("large").await.unwrap();
    for _ in 0..OBJECT / MIB {
        writer.write(chunk.clone()).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap(), Created::New);
    let mut chunks = store.get("large", None).await.unwrap();
    let mut read = 0;
    while let Some(chunk) = chunks.try_next().await.unwrap() {
        assert!(chunk.iter().all(|byte| *byte == 7));
        read += chunk.len();
    }
    assert_eq!(read, OBJECT);
    let grown = peak() - before;
    assert!(grown < ALLOWED, "{} MiB for an object of {} MiB", grown / MIB, OBJECT / MIB);
}
