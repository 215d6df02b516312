//! A process that writes objects is killed with SIGKILL at random moments; what it published must be whole.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use store::{Created, ErrorKind, ObjectStoreExt};

const URL: &str = "TIDEMARK_TEST_KILLED_WRITER_URL";

/// Every object is told by its number alone, so that whoever reads it knows whether it is whole.
fn body_of(number: u64) -> Bytes {
    let fill = u8::try_from(number % 251).unwrap();
    vec![fill; 40_000 + usize::try_from(number % 17).unwrap() * 30_000].into()
}

/// The killed process: this test binary, started again by the tests below.
#[tokio::test]
#[ignore = "started by the other tests"]
async fn writes_until_killed() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = store::open_or_create(&url).unwrap();
    for number in 0.. {
        let key = format!("rs0/day{:04}/{number:06}", number / 10);
        match store.put_new(&key, body_of(number)).await.unwrap() {
            Created::New => store.put_mutable("rs0/control/last", body_of(number)).await.unwrap(),
            Created::AlreadyExists => {}
        }
    }
}

#[tokio::test]
async fn objects_of_a_killed_writer_are_whole_or_absent() {
    let folder = tempfile::tempdir().unwrap();
    killed_at_random(&format!("file://{}", folder.path().display())).await;
}

#[cfg(feature = "s3")]
#[tokio::test]
async fn objects_of_a_killed_writer_in_a_bucket_are_whole_or_absent() {
    let server = testkit::S3Server::start().await.unwrap();
    server.create_bucket("bucket").await.unwrap();
    killed_at_random(&server.url("bucket", "archive")).await;
}

async fn killed_at_random(url: &str) {
    let store = store::open(url).unwrap();
    let mut published = 0;
    for _ in 0..8 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "writes_until_killed"])
            .env(URL, url)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // However slow the machine is, the kill comes in the middle of the work.
        while store.list_all("rs0/day").await.unwrap().len() <= published {
            assert!(writer.try_wait().unwrap().is_none(), "the writer ended by itself");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_micros(rand::random_range(0..60_000))).await;
        assert!(writer.try_wait().unwrap().is_none(), "the writer ended by itself");
        writer.kill().unwrap();
        writer.wait().unwrap();
        published = store.list_all("rs0/day").await.unwrap().len();
    }
    let objects = store.list_all("rs0/day").await.unwrap();
    for (expected, object) in (0..).zip(&objects) {
        let number: u64 = object.key.rsplit_once('/').unwrap().1.parse().unwrap();
        let body = store.get_bytes(&object.key, 1_000_000).await.unwrap().unwrap();
        assert!(body == body_of(number), "{} holds {} bytes", object.key, body.len());
        assert!(number == expected, "{} follows a hole", object.key);
    }
    let last = store.get_bytes("rs0/control/last", 1_000_000).await.unwrap().unwrap();
    assert!((0..objects.len() as u64).any(|number| last == body_of(number)), "a torn value");
    // The name of the object that was being written when the kill came is still free.
    let next = objects.len() as u64;
    let key = format!("rs0/day{:04}/{next:06}", next / 10);
    assert_eq!(store.get(&key, None).await.err().map(|error| error.kind()), Some(ErrorKind::NotFound));
    assert_eq!(store.put_new(&key, body_of(next)).await.unwrap(), Created::New);
}
