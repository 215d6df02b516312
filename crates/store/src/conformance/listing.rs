//! Order, prefixes, paging and folders.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Store, keys, put};
use crate::error::ErrorKind;
use crate::port::ObjectStore;

pub async fn keys_are_listed_in_byte_order(store: Store) {
    let mut sorted = ["a-b", "a.b", "a/b", "a/b-c", "a/b.d", "a0", "a/c/d", "a/c-/d", "B", "ä", "a b", "~"];
    for key in sorted {
        put(&store, key, b"").await;
    }
    sorted.sort_unstable();
    assert_eq!(keys(&store, "").await, sorted);
    assert_eq!(keys(&store, "a/").await, ["a/b", "a/b-c", "a/b.d", "a/c-/d", "a/c/d"]);
    assert_eq!(keys(&store, "a/b").await, ["a/b", "a/b-c", "a/b.d"]);
    assert_eq!(keys(&store, "a/c/d").await, ["a/c/d"]);
    assert_eq!(keys(&store, "a/c/d/").await, Vec::<String>::new());
}

/// Compares with a sorted set: random keys over an alphabet that provokes `a-b` before `a/b`, random prefixes, starts
/// and page sizes.
pub async fn random_keys_are_listed_as_a_sorted_set(store: Store) {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let mut all: BTreeSet<String> = BTreeSet::new();
    for _ in 0..120 {
        let key = random_text(&mut random);
        let is_folder = all.iter().any(|other| other.starts_with(&format!("{key}/")));
        let is_below_object = key.match_indices('/').any(|(slash, _)| all.contains(&key[..slash]));
        if crate::validate_key(&key).is_ok() && !is_folder && !is_below_object && all.insert(key.clone()) {
            put(&store, &key, b"").await;
        }
    }
    for _ in 0..80 {
        let prefix = random_prefix(&mut random, &all);
        let start_after = random.random_bool(0.7).then(|| random_prefix(&mut random, &all));
        let limit = random.random_range(1..20);
        let expected: Vec<_> = all
            .iter()
            .filter(|key| key.starts_with(&prefix) && start_after.as_ref().is_none_or(|after| *key > after))
            .cloned()
            .collect();
        let found = pages(&*store, &prefix, start_after.as_deref(), limit).await;
        assert_eq!(found, expected, "seed {seed}, prefix {prefix:?}, after {start_after:?}, limit {limit}");

        let folder = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        let folders: BTreeSet<_> =
            all.iter().filter_map(|key| Some(key.strip_prefix(folder)?.split_once('/')?.0.to_owned())).collect();
        let found = store.list_folders(folder).await.unwrap();
        assert_eq!(found, folders.into_iter().collect::<Vec<_>>(), "seed {seed}, folder {folder:?}");
    }
}

fn random_text(random: &mut StdRng) -> String {
    let letters = ['a', 'b', '-', '0', '/', '/'];
    (0..random.random_range(1..7)).map(|_| letters[random.random_range(0..letters.len())]).collect()
}

fn random_prefix(random: &mut StdRng, keys: &BTreeSet<String>) -> String {
    loop {
        let text = match keys.iter().nth(random.random_range(0..keys.len().max(1))) {
            Some(key) if random.random_bool(0.6) => key[..random.random_range(0..=key.len())].to_owned(),
            _ => random_text(random),
        };
        if crate::key::validate_prefix(&text).is_ok() {
            return text;
        }
    }
}

/// Follows the pages and checks what each of them promises.
async fn pages(store: &dyn ObjectStore, prefix: &str, start_after: Option<&str>, limit: usize) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut start_after = start_after.map(str::to_owned);
    loop {
        let page = store.list(prefix, start_after.as_deref(), limit).await.unwrap();
        assert!(page.objects.len() <= limit.max(1), "{} objects for a limit of {limit}", page.objects.len());
        found.extend(page.objects.into_iter().map(|object| object.key));
        match page.next_start_after {
            Some(next) => {
                assert!(start_after.as_ref().is_none_or(|last| *last < next), "paging does not advance past {next}");
                start_after = Some(next);
            }
            None => return found,
        }
    }
}

pub async fn pages_cover_everything_once(store: Store) {
    let all: Vec<_> = (0..25).map(|i| format!("oplog/2025010{}/{i:03}", i / 10)).collect();
    for key in &all {
        put(&store, key, b"x").await;
    }
    for limit in [0, 1, 2, 5, 7, 24, 25, 26, usize::MAX] {
        assert_eq!(pages(&*store, "oplog/", None, limit).await, all, "limit {limit}");
    }
    assert_eq!(pages(&*store, "oplog/", Some("oplog/20250101/013"), 4).await, all[14..]);
    assert_eq!(pages(&*store, "oplog/", Some("oplog/20250101"), 4).await, all[10..]);
    assert_eq!(pages(&*store, "oplog/20250101/", Some("a"), 4).await, all[10..20]);
    assert_eq!(pages(&*store, "oplog/20250101/", Some("p"), 4).await, Vec::<String>::new());
    assert_eq!(store.list("oplog/", None, 25).await.unwrap().next_start_after, None);
    assert!(store.list("oplog/", None, 24).await.unwrap().next_start_after.is_some());
}

pub async fn sizes_are_listed(store: Store) {
    put(&store, "a", b"").await;
    put(&store, "b/c", &[0; 4321]).await;
    let page = store.list("", None, 10).await.unwrap();
    let sizes: Vec<_> = page.objects.iter().map(|object| (object.key.as_str(), object.size)).collect();
    assert_eq!(sizes, [("a", 0), ("b/c", 4321)]);
    for object in page.objects {
        let meta = store.head(&object.key).await.unwrap().unwrap();
        assert_eq!((meta.size, meta.modified), (object.size, object.modified));
        let age = jiff::Timestamp::now().duration_since(meta.modified).abs();
        assert!(age < jiff::SignedDuration::from_mins(10), "the clock of the store is {age:#} off");
    }
}

pub async fn folders_are_those_that_hold_objects(store: Store) {
    for key in ["archive.json", "rs0/lineage.json", "rs0/oplog/d1/a", "rs0/oplog/d2/b", "rs0-x/oplog/d1/a", "rs00/a"] {
        put(&store, key, b"").await;
    }
    assert_eq!(store.list_folders("").await.unwrap(), ["rs0", "rs0-x", "rs00"]);
    assert_eq!(store.list_folders("rs0/").await.unwrap(), ["oplog"]);
    assert_eq!(store.list_folders("rs0/oplog/").await.unwrap(), ["d1", "d2"]);
    assert_eq!(store.list_folders("rs0/oplog/d1/").await.unwrap(), Vec::<String>::new());
    assert_eq!(store.list_folders("rs0").await.unwrap_err().kind(), ErrorKind::InvalidKey);
    store.delete("rs0/oplog/d1/a").await.unwrap();
    assert_eq!(store.list_folders("rs0/oplog/").await.unwrap(), ["d2"]);
}
