//! What every location has to do.

use bytes::Bytes;
use futures::TryStreamExt;
use futures::future::{join_all, try_join_all};
use jiff::{SignedDuration, Timestamp};

use super::{AT_ONCE, Check, Found, Prover, Trouble, broken, doubtful, judged, skipped};
use crate::error::ErrorKind;
use crate::port::{Created, ObjectStoreExt, ObjectWriter, Result};

/// Just large enough that clouds take it in more than one part.
const LARGE_BYTES: usize = 5 * 1024 * 1024 + 1;
const RACERS: u8 = 8;
const LARGEST_READ: usize = 16 * 1024 * 1024;
const TOLERATED_DRIFT: SignedDuration = SignedDuration::from_secs(30);
/// `expire` refuses to work beyond this, and AWS to accept requests beyond three times as much.
const LARGEST_DRIFT: SignedDuration = SignedDuration::from_mins(5);

const USE_ANOTHER: &str = "use a store that honours `If-None-Match: *` on every upload; nothing is archived here";

/// The names of the checks after the first, which the rest builds on.
const LATER: [&str; 8] = [
    "create-only",
    "create-only under contention",
    "create-only in parts",
    "list after write",
    "list order",
    "ranged read",
    "overwrite in control",
    "delete",
];

pub(super) async fn checks(prover: &Prover<'_>) -> Result<Vec<Check>> {
    let write = write(prover).await;
    if let Err(Failed::Location(error)) = write {
        return Err(error);
    }
    let write = write.map_err(|failed| match failed {
        Failed::Location(error) => Trouble::from(error),
        Failed::Check(trouble) => trouble,
    });
    let written = write.is_ok();
    let mut checks = vec![judged("write and read", write)];
    if written {
        // Each has names of its own.
        let (twice, race, parts, range) =
            tokio::join!(create_only(prover), contention(prover), in_parts(prover), ranged_read(prover));
        // These ask whether what was done is seen at once. Alone, because a store that shows it only after the next write
        // of anybody would look honest beside other writers.
        let listed = list_after_write(prover).await;
        let order = list_order(prover).await;
        let overwritten = overwrite(prover).await;
        let deleted = delete(prover).await;
        let found = [twice, race, parts, listed, order, range, overwritten, deleted];
        checks.extend(LATER.into_iter().zip(found).map(|(name, found)| judged(name, found)));
    } else {
        checks.extend(LATER.map(|name| skipped(name, "nothing could be written")));
    }
    checks.push(clock(prover).await);
    Ok(checks)
}

enum Failed {
    /// There is nothing to judge.
    Location(crate::error::StoreError),
    Check(Trouble),
}

async fn write(prover: &Prover<'_>) -> std::result::Result<String, Failed> {
    let body = Bytes::from_static(b"written by the store proof");
    let created = prover.store.put_new(&prover.key("first"), body.clone()).await.map_err(|error| {
        let nothing_there = error.kind() == ErrorKind::NotFound && error.key().is_none();
        let unusable = matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::InvalidUrl) || nothing_there;
        if unusable { Failed::Location(error) } else { Failed::Check(error.into()) }
    })?;
    let read = read(prover, "first").await.map_err(Failed::Check)?;
    if created != Created::New || read.as_ref() != Some(&body) {
        let found =
            format!("a new object of {} bytes was {created:?} and reads as {}", body.len(), described(read.as_ref()));
        return Err(Failed::Check(broken(found, "do not use this store")));
    }
    Ok("a new object reads as it was written".to_owned())
}

async fn read(prover: &Prover<'_>, name: &str) -> std::result::Result<Option<Bytes>, Trouble> {
    Ok(prover.store.get_bytes(&prover.key(name), LARGEST_READ).await?)
}

fn described(read: Option<&Bytes>) -> String {
    read.map_or("nothing".to_owned(), |body| format!("{} bytes", body.len()))
}

async fn create_only(prover: &Prover<'_>) -> Found {
    let key = prover.key("twice");
    let first = prover.store.put_new(&key, "first".into()).await?;
    let second = prover.store.put_new(&key, "second".into()).await?;
    let read = read(prover, "twice").await?;
    if first == Created::New && second == Created::AlreadyExists && read.as_deref() == Some(b"first") {
        return Ok("a second object of the same name is refused".to_owned());
    }
    let replaced = if read.as_deref() == Some(b"second") { "and replaced the first" } else { "" };
    Err(broken(format!("a second object of the same name was {second:?} {replaced}"), USE_ANOTHER))
}

async fn contention(prover: &Prover<'_>) -> Found {
    let key = prover.key("race");
    let body = |racer: u8| Bytes::from(vec![racer; 1000 + usize::from(racer)]);
    let racing = (0..RACERS).map(|racer| {
        let (key, body) = (&key, body(racer));
        async move { Ok::<_, Trouble>((racer, prover.store.put_new(key, body).await?)) }
    });
    let mut winners = Vec::new();
    for outcome in join_all(racing).await {
        let (racer, created) = outcome?;
        if created == Created::New {
            winners.push(racer);
        }
    }
    let read = read(prover, "race").await?;
    match winners.as_slice() {
        [winner] if read.as_ref() == Some(&body(*winner)) => Ok(format!("of {RACERS} writers at once one won")),
        [winner] => Err(broken(
            format!("writer {winner} was told that it won, but the object is another's ({})", described(read.as_ref())),
            USE_ANOTHER,
        )),
        winners => {
            Err(broken(format!("of {RACERS} writers at once {} were told that they won", winners.len()), USE_ANOTHER))
        }
    }
}

/// Servers that honour the condition on single requests may ignore it when an upload in parts is completed.
async fn in_parts(prover: &Prover<'_>) -> Found {
    let key = prover.key("large");
    let body = |byte: u8| Bytes::from(vec![byte; LARGE_BYTES]);
    let mut writers = Vec::new();
    for byte in 0..2 {
        let mut writer = prover.store.create(&key).await?;
        writer.write(body(byte)).await?;
        writers.push(writer);
    }
    let mut winners = Vec::new();
    for (byte, created) in (0..2).zip(join_all(writers.into_iter().map(ObjectWriter::finish)).await) {
        if created? == Created::New {
            winners.push(byte);
        }
    }
    let later = prover.store.put_new(&key, body(2)).await?;
    let read = read(prover, "large").await?;
    match winners.as_slice() {
        [winner] if later == Created::AlreadyExists && read.as_ref() == Some(&body(*winner)) => {
            Ok("an upload in parts does not replace another".to_owned())
        }
        _ => {
            let told = winners.len() + usize::from(later == Created::New);
            let found = format!(
                "of three uploads in parts {told} were told that they won; there are {}",
                described(read.as_ref())
            );
            Err(broken(found, USE_ANOTHER))
        }
    }
}

async fn list_after_write(prover: &Prover<'_>) -> Found {
    for round in 0..5 {
        let key = prover.key(&format!("listed/{round}"));
        let created = prover.store.put_new(&key, vec![0; round].into()).await?;
        let page = prover.store.list(&prover.key("listed/"), None, 10).await?;
        let listed = page.objects.iter().find(|object| object.key == key);
        if created != Created::New
            || page.objects.len() != round + 1
            || listed.map(|one| one.size) != Some(round as u64)
        {
            let found = format!("after {} objects were written, {} were listed", round + 1, page.objects.len());
            return Err(broken(found, "use a store that lists what was written at once; gaps cannot be judged here"));
        }
    }
    Ok("what was written is listed at once".to_owned())
}

async fn list_order(prover: &Prover<'_>) -> Found {
    // The names among which stores with folders, or with caches of folders, lose their way.
    let mut keys =
        ["a", "a-b", "a.b", "f-", "f-b", "f.b/c", "f/b", "f/b-c", "f/c/d", "f0", "b-", "b/-a", "b/b", "b0/x"]
            .map(|name| prover.key(&format!("order/{name}")));
    for some in keys.chunks(AT_ONCE) {
        try_join_all(some.iter().map(|key| prover.store.put_new(key, Bytes::new()))).await?;
    }
    keys.sort_unstable();
    let remedy = "use a store that lists all names in byte order; an Azure account needs a flat namespace";
    let prefix = prover.key("order/");
    for limit in [3, 1000] {
        let mut found = Vec::new();
        let mut start_after = None;
        loop {
            let page = prover.store.list(&prefix, start_after.as_deref(), limit).await?;
            found.extend(page.objects.into_iter().map(|object| object.key));
            start_after = page.next_start_after;
            if start_after.is_none() || found.len() > 2 * keys.len() {
                break;
            }
        }
        if found != keys {
            let missing = keys.iter().filter(|key| !found.contains(key)).count();
            let wrong =
                if missing > 0 { format!("{missing} names are missing") } else { "they are out of order".into() };
            return Err(broken(format!("of {} names in pages of {limit}: {wrong}", keys.len()), remedy));
        }
    }
    let mut pages = Vec::new();
    for some in keys.chunks(AT_ONCE) {
        pages.extend(try_join_all(some.iter().map(|key| prover.store.list(&prefix, Some(key), 1000))).await?);
    }
    for (index, page) in pages.iter().enumerate() {
        if !page.objects.iter().map(|object| &object.key).eq(&keys[index + 1..]) {
            let found = format!(
                "a listing that starts after a name has {} of {} names",
                page.objects.len(),
                keys.len() - index - 1
            );
            return Err(broken(found, remedy));
        }
    }
    Ok("names are listed completely and in byte order, from any start".to_owned())
}

async fn ranged_read(prover: &Prover<'_>) -> Found {
    let key = prover.key("range");
    let body: Vec<u8> = (0..=255).collect();
    let _created = prover.store.put_new(&key, body.clone().into()).await?;
    for range in [0..1, 100..200, 255..256, 250..300, 256..300] {
        let chunks: Vec<Bytes> = prover.store.get(&key, Some(range.clone())).await?.try_collect().await?;
        let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
        if chunks.concat() != body[bound(range.start)..bound(range.end)] {
            let found = format!("bytes {range:?} of an object of 256 came as {} bytes", chunks.concat().len());
            return Err(broken(found, "use a store that honours ranges"));
        }
    }
    Ok("a part of an object reads as that part".to_owned())
}

async fn overwrite(prover: &Prover<'_>) -> Found {
    for body in ["first", "a longer second", "3"] {
        let remedy =
            "give control objects a place that is not locked (`--control`), and the permission to replace them";
        let written = prover.store.put_mutable(&prover.key("mutable"), body.into()).await;
        written.map_err(|error| broken(error.to_string(), remedy))?;
        let read = read(prover, "mutable").await?;
        if read.as_deref() != Some(body.as_bytes()) {
            return Err(broken("after it was replaced, an object still reads as before", remedy));
        }
    }
    Ok("control objects are replaced at once".to_owned())
}

async fn delete(prover: &Prover<'_>) -> Found {
    let key = prover.key("deleted");
    let _created = prover.store.put_new(&key, "x".into()).await?;
    match prover.store.delete(&key).await {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let remedy = "fine for a writer that only appends; `expire` and leases need credentials that may delete";
            return Err(doubtful(error.to_string(), remedy));
        }
        Err(error) => return Err(error.into()),
    }
    let listed = prover.store.list(&key, None, 10).await?.objects.len();
    if prover.store.head(&key).await?.is_some() || listed > 0 {
        return Err(broken("a deleted object is still there", "do not use this store"));
    }
    prover.store.delete(&key).await?;
    Ok("a deleted object is gone at once".to_owned())
}

async fn clock(prover: &Prover<'_>) -> Check {
    const NAME: &str = "clock drift";
    let before = Timestamp::now();
    let theirs = match prover.store.clock().await {
        Ok(Some(theirs)) => theirs,
        Ok(None) => return skipped(NAME, "the location has no clock of its own"),
        Err(error) => return judged(NAME, Err(doubtful(error.to_string(), "the clocks could not be compared"))),
    };
    // Their time is in whole seconds, and taken at some moment of the call.
    let behind = theirs.duration_since(Timestamp::now());
    let ahead = before.duration_since(theirs);
    let drift = if behind > SignedDuration::ZERO { behind } else { ahead.max(SignedDuration::ZERO) };
    let seen = format!("the clocks of this machine and of the store are {} s apart", drift.as_secs());
    let remedy = "set both clocks by NTP; retention and expiry go by them";
    judged(
        NAME,
        if drift > LARGEST_DRIFT {
            Err(broken(seen, remedy))
        } else if drift > TOLERATED_DRIFT {
            Err(doubtful(seen, remedy))
        } else {
            Ok(seen)
        },
    )
}
