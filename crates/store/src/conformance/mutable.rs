//! The control objects, which alone can be overwritten.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::{Store, keys, put, read};
use crate::port::{Created, ObjectStoreExt};

pub async fn mutable_objects_are_replaced(store: Store) {
    for body in ["first", "a longer second one", "3", ""] {
        store.put_mutable("rs0/control/lease.json", body.into()).await.unwrap();
        assert_eq!(read(&store, "rs0/control/lease.json").await, body.as_bytes());
        assert_eq!(store.head("rs0/control/lease.json").await.unwrap().unwrap().size, body.len() as u64);
    }
    put(&store, "rs0/control/pin", b"created").await;
    store.put_mutable("rs0/control/pin", "replaced".into()).await.unwrap();
    assert_eq!(store.put_new("rs0/control/pin", "again".into()).await.unwrap(), Created::AlreadyExists);
    assert_eq!(read(&store, "rs0/control/pin").await, b"replaced");
    assert_eq!(keys(&store, "").await, ["rs0/control/lease.json", "rs0/control/pin"]);
}

pub async fn readers_never_see_a_torn_value(store: Store) {
    const KEY: &str = "control/value";
    // The length tells which byte it is made of, so any mix of two values shows.
    let value = |byte: u8| -> Bytes { vec![byte; 50_000 + 3_000 * usize::from(byte)].into() };
    store.put_mutable(KEY, value(0)).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                loop {
                    let body = store.get_bytes(KEY, 10_000_000).await.unwrap().expect("the value vanished");
                    assert!(body == value(body[0]), "{} bytes beginning with {}", body.len(), body[0]);
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    // A store that never waits would keep this thread from everybody else.
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..2)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for round in 0..30 {
                    store.put_mutable(KEY, value((writer * 100 + round) % 200)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}
