//! Creating, reading and deleting immutable objects.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use super::{Store, keys, put, read};
use crate::error::{ErrorKind, Operation};
use crate::port::{Created, ObjectStoreExt};

pub async fn concurrent_creators_have_one_winner(store: Store) {
    const CREATORS: u8 = 24;
    for round in 0..4 {
        let key = format!("race/{round}/object");
        let barrier = Arc::new(tokio::sync::Barrier::new(CREATORS.into()));
        let creators: Vec<_> = (0..CREATORS)
            .map(|creator| {
                let (store, key, barrier) = (Arc::clone(&store), key.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    let mut writer = store.create(&key).await.unwrap();
                    for _ in 0..3 {
                        writer.write(vec![creator; 100_000 + usize::from(creator)].into()).await.unwrap();
                    }
                    barrier.wait().await;
                    writer.finish().await.unwrap()
                })
            })
            .collect();
        let mut winners = Vec::new();
        for (creator, task) in (0..CREATORS).zip(creators) {
            if task.await.unwrap() == Created::New {
                winners.push(creator);
            }
        }
        assert_eq!(winners.len(), 1, "winners: {winners:?}");
        let winner = winners[0];
        assert_eq!(read(&store, &key).await, vec![winner; 3 * (100_000 + usize::from(winner))]);
    }
}

pub async fn an_existing_object_is_never_replaced(store: Store) {
    put(&store, "a/b", b"first").await;
    let before = store.head("a/b").await.unwrap();
    assert_eq!(store.put_new("a/b", Bytes::from_static(b"second")).await.unwrap(), Created::AlreadyExists);
    assert_eq!(read(&store, "a/b").await, b"first");
    assert_eq!(store.head("a/b").await.unwrap(), before);
}

pub async fn an_unfinished_object_is_invisible(store: Store) {
    put(&store, "a/present", b"x").await;
    let mut writer = store.create("a/unfinished").await.unwrap();
    writer.write(vec![7; 600_000].into()).await.unwrap();
    let mut dropped = store.create("b/dropped").await.unwrap();
    dropped.write(vec![8; 600_000].into()).await.unwrap();
    drop(dropped);
    let aborted = store.create("c/aborted").await.unwrap();
    aborted.abort().await;

    assert_eq!(keys(&store, "").await, ["a/present"]);
    assert_eq!(store.list_folders("").await.unwrap(), ["a"]);
    assert_eq!(store.head("a/unfinished").await.unwrap(), None);
    writer.abort().await;
    assert_eq!(keys(&store, "").await, ["a/present"]);
    for key in ["a/unfinished", "b/dropped", "c/aborted"] {
        put(&store, key, b"the name is still free").await;
    }
}

pub async fn an_object_may_be_empty(store: Store) {
    let writer = store.create("empty").await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), Created::New);
    put(&store, "written-empty", b"").await;
    for key in ["empty", "written-empty"] {
        assert_eq!(store.head(key).await.unwrap().unwrap().size, 0);
        assert_eq!(store.get_bytes(key, 0).await.unwrap(), Some(Bytes::new()));
    }
    assert_eq!(keys(&store, "").await, ["empty", "written-empty"]);
}

pub async fn a_large_object_is_streamed(store: Store) {
    const SIZE: usize = 20 * 1024 * 1024;
    let body: Bytes = (0..SIZE).map(|i| u8::try_from(i % 251).unwrap()).collect::<Vec<_>>().into();
    let mut writer = store.create("large").await.unwrap();
    let mut rest = body.clone();
    for length in [1, 4096, 70_001, 1_500_000].into_iter().cycle() {
        writer.write(rest.split_to(length.min(rest.len()))).await.unwrap();
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(writer.finish().await.unwrap(), Created::New);
    assert_eq!(store.head("large").await.unwrap().unwrap().size, SIZE as u64);

    let mut chunks = store.get("large", None).await.unwrap();
    let mut position = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        assert!(!chunk.is_empty() && chunk.len() <= 4 * 1024 * 1024, "a chunk of {} bytes", chunk.len());
        assert!(chunk == body[position..position + chunk.len()], "content differs after byte {position}");
        position += chunk.len();
    }
    assert_eq!(position, SIZE);

    let middle = 1_000_001..9_000_002;
    let chunks: Vec<Bytes> = store.get("large", Some(middle.clone())).await.unwrap().try_collect().await.unwrap();
    let (start, end) = (usize::try_from(middle.start).unwrap(), usize::try_from(middle.end).unwrap());
    assert!(chunks.concat() == body[start..end], "the range differs");
}

/// Objects that clouds take in parts: the decision who has the name falls at the end, and the loser leaves no trace.
pub async fn a_large_object_is_create_only(store: Store) {
    const PART: usize = 5 * 1024 * 1024;
    let body = |byte: u8| -> Bytes { vec![byte; 2 * PART + 1].into() };
    let mut writers = Vec::new();
    for byte in [1, 2] {
        let mut writer = store.create("race").await.unwrap();
        writer.write(body(byte)).await.unwrap();
        writers.push((byte, writer));
    }
    let finishing = writers.into_iter().map(|(byte, writer)| async move { (byte, writer.finish().await.unwrap()) });
    let outcomes = futures::future::join_all(finishing).await;
    let winners: Vec<u8> =
        outcomes.iter().filter(|(_, created)| *created == Created::New).map(|(byte, _)| *byte).collect();
    assert_eq!(winners.len(), 1, "{outcomes:?}");
    assert!(read(&store, "race").await == body(winners[0]), "the content is not the winner's");

    assert_eq!(store.put_new("race", body(3)).await.unwrap(), Created::AlreadyExists);
    assert_eq!(store.put_new("race", Bytes::from_static(b"small")).await.unwrap(), Created::AlreadyExists);
    assert!(read(&store, "race").await == body(winners[0]), "the content was replaced");
    assert_eq!(keys(&store, "").await, ["race"]);
}

pub async fn ranges_are_clamped_to_the_object(store: Store) {
    put(&store, "ten", b"0123456789").await;
    let reversed = std::ops::Range { start: 7, end: 3 };
    for (range, expected) in [
        (0..10, "0123456789"),
        (0..1, "0"),
        (3..7, "3456"),
        (9..10, "9"),
        (5..99, "56789"),
        (0..u64::MAX, "0123456789"),
        (5..5, ""),
        (reversed, ""),
        (10..11, ""),
        (u64::MAX - 1..u64::MAX, ""),
    ] {
        let chunks: Vec<Bytes> = store.get("ten", Some(range.clone())).await.unwrap().try_collect().await.unwrap();
        assert_eq!(chunks.concat(), expected.as_bytes(), "{range:?}");
    }
}

pub async fn a_missing_object_is_absent_everywhere(store: Store) {
    put(&store, "here", b"x").await;
    for key in ["missing", "folder/missing", "here/below", "her"] {
        let Err(error) = store.get(key, None).await else { panic!("{key} was read") };
        assert_eq!((error.kind(), error.operation()), (ErrorKind::NotFound, Operation::Get), "{error}");
        assert_eq!(error.key(), Some(key));
        assert!(error.to_string().contains(store.location()), "{error}");
        assert_eq!(store.head(key).await.unwrap(), None);
        assert_eq!(store.get_bytes(key, 10).await.unwrap(), None);
        store.delete(key).await.unwrap();
    }
    assert_eq!(keys(&store, "missing").await, Vec::<String>::new());
    assert_eq!(keys(&store, "missing/").await, Vec::<String>::new());
    assert_eq!(store.list_folders("missing/").await.unwrap(), Vec::<String>::new());
    assert_eq!(keys(&store, "").await, ["here"]);
}

pub async fn deleting_is_idempotent(store: Store) {
    for key in ["a/b/c", "a/b/d", "a/e"] {
        put(&store, key, b"x").await;
    }
    for _ in 0..2 {
        store.delete("a/b/c").await.unwrap();
        store.delete("a/b").await.unwrap();
        assert_eq!(keys(&store, "").await, ["a/b/d", "a/e"]);
    }
    store.delete("a/b/d").await.unwrap();
    store.delete("a/e").await.unwrap();
    assert_eq!(keys(&store, "").await, Vec::<String>::new());
    assert_eq!(store.list_folders("").await.unwrap(), Vec::<String>::new());
}

pub async fn a_deleted_name_can_be_created_again(store: Store) {
    for body in [b"first", b"other"] {
        put(&store, "a/b/c", body).await;
        assert_eq!(read(&store, "a/b/c").await, body);
        store.delete("a/b/c").await.unwrap();
        assert_eq!(store.head("a/b/c").await.unwrap(), None);
    }
    put(&store, "a/b", b"now an object").await;
}

pub async fn creating_and_deleting_in_one_folder_do_not_disturb_each_other(store: Store) {
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for round in 0..15 {
                    let key = format!("shared/folder/{task}-{round}");
                    put(&store, &key, key.as_bytes()).await;
                    assert_eq!(read(&store, &key).await, key.as_bytes());
                    store.delete(&key).await.unwrap();
                }
                put(&store, &format!("shared/folder/{task}"), b"x").await;
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(keys(&store, "").await, (0..8).map(|task| format!("shared/folder/{task}")).collect::<Vec<_>>());
}

pub async fn whole_reads_respect_their_limit(store: Store) {
    put(&store, "a", &[1; 1000]).await;
    assert_eq!(store.get_bytes("a", 1000).await.unwrap().unwrap().len(), 1000);
    let error = store.get_bytes("a", 999).await.unwrap_err();
    assert_eq!((error.kind(), error.key()), (ErrorKind::Other, Some("a")));
    assert!(error.to_string().contains("999"), "{error}");
}
