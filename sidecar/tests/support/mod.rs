//! What the tests share: a configuration, the binary, and reading an archive back with nothing but its format.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "each test uses a part; tests may panic")]

pub mod golden;
pub mod tended;
pub mod watched;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use archive::catalog::StoredSlice;
use archive::collection_page::{CollectionRecord, PageHeader, decode_page};
use archive::coverage::Coverage;
use archive::gap::Gap;
use archive::layout::ObjectKey;
use archive::manifest::{PublishedManifest, SnapshotManifest};
use archive::segment::{SegmentDecoder, SegmentEvent};
use archive::slice::{SliceDecoder, SliceEvent};
use archive::{ClusterTime, Digest};
use bson::doc;
use sidecar::archive_store::{ArchiveStore, Stores};
use sidecar::archiver::ArchiverSettings;
use sidecar::config::Config;
use sidecar::source::Source;
use store::ObjectStore;
use testkit::processes::{Finished, finish};
use testkit::{ReplicaSet, Sidecar};

pub const BINARY: &str = env!("CARGO_BIN_EXE_sidecar");

/// An archive on disk.
pub struct Archive {
    folder: tempfile::TempDir,
}

impl Archive {
    pub fn new() -> Self {
        Self { folder: testkit::mongod::temp_folder("archive").unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Every object with its typed key, in the order of keys.
    pub fn objects(&self) -> Vec<(ObjectKey, PathBuf)> {
        let mut found = Vec::new();
        walk(self.path(), self.path(), &mut found);
        found.sort();
        found
    }

    pub fn slices(&self) -> Vec<StoredSlice> {
        let objects = self.objects();
        let slices = objects.iter().filter_map(|(key, path)| match key {
            ObjectKey::Slice { id, encrypted, .. } => {
                Some(StoredSlice { id: *id, stored_bytes: path.metadata().unwrap().len(), encrypted: *encrypted })
            }
            _ => None,
        });
        slices.collect()
    }

    pub fn gaps(&self) -> Vec<Gap> {
        let objects = self.objects();
        let gaps = objects.iter().filter(|(key, _)| matches!(key, ObjectKey::Gap { .. }));
        gaps.map(|(_, path)| Gap::from_json(&std::fs::read(path).unwrap()).unwrap()).collect()
    }

    pub fn coverage(&self) -> Coverage {
        Coverage::of(&self.slices(), &self.gaps())
    }

    pub fn manifests(&self) -> Vec<SnapshotManifest> {
        let objects = self.objects();
        let manifests = objects.iter().filter(|(key, _)| matches!(key, ObjectKey::Manifest { .. }));
        let parsed = manifests.map(|(_, path)| PublishedManifest::from_json(&std::fs::read(path).unwrap()).unwrap());
        parsed
            .map(|manifest| match manifest {
                PublishedManifest::Complete(manifest) => *manifest,
                PublishedManifest::Abandoned(abandoned) => panic!("{abandoned:?}"),
            })
            .collect()
    }

    /// The collections of a snapshot with their documents, decoded from the stored objects and checked on the way.
    pub fn read(&self, manifest: &SnapshotManifest) -> Vec<(CollectionRecord, Vec<Vec<u8>>)> {
        let mut collections = Vec::new();
        for page in &manifest.pages {
            let header =
                PageHeader { lineage: manifest.lineage.clone(), snapshot: manifest.snapshot.clone(), page: page.page };
            let object = std::fs::read(self.path().join(header.key(false).to_string())).unwrap();
            let (records, totals) = decode_page(&header, &object).unwrap();
            assert_eq!(totals.sha256, page.sha256);
            for record in records {
                let documents = self.documents(manifest, &record);
                collections.push((record, documents));
            }
        }
        collections
    }

    fn documents(&self, manifest: &SnapshotManifest, record: &CollectionRecord) -> Vec<Vec<u8>> {
        let mut documents = Vec::new();
        for segment in &record.segments {
            let key = ObjectKey::Segment {
                lineage: manifest.lineage.clone(),
                snapshot: manifest.snapshot.clone(),
                uuid: record.uuid,
                part: segment.part,
                encrypted: false,
            };
            let object = std::fs::read(self.path().join(key.to_string())).unwrap();
            assert_eq!(object.len() as u64, segment.stored_bytes);
            let mut decoder = SegmentDecoder::new(key);
            decoder.feed(&object);
            while let Some(event) = decoder.next_event().unwrap() {
                if let SegmentEvent::Documents(block) = event {
                    documents.extend(block.documents().map(|document| document.as_bytes().to_vec()));
                }
            }
            assert_eq!(decoder.finish().unwrap(), segment.totals());
        }
        documents
    }

    /// Decodes every slice and follows the chain by the digests of the entries that slices start after.
    pub fn assert_slices_are_sound(&self) {
        let mut ends: BTreeMap<ClusterTime, Digest> = BTreeMap::new();
        let mut starts: Vec<(ClusterTime, Option<Digest>)> = Vec::new();
        for (key, path) in self.objects() {
            let ObjectKey::Slice { lineage, id, .. } = key else { continue };
            let mut decoder = SliceDecoder::new(lineage, id);
            decoder.feed(&std::fs::read(path).unwrap());
            while let Some(event) = decoder.next_event().unwrap() {
                if let SliceEvent::Header(header) = event {
                    starts.push((header.after, header.after_digest));
                }
            }
            ends.insert(id.through, decoder.last_digest().unwrap());
            decoder.finish().unwrap();
        }
        for (after, digest) in starts {
            if let (Some(digest), Some(end)) = (digest, ends.get(&after)) {
                assert_eq!(digest, *end, "the slice after {after} continues another entry");
            }
        }
    }

    /// One unbroken stretch without any contradiction.
    pub fn assert_unbroken(&self) -> Coverage {
        let coverage = self.coverage();
        assert!(coverage.problems.is_empty(), "{:?}", coverage.problems);
        assert!(coverage.windows.len() <= 1, "{:?}", coverage.windows);
        self.assert_slices_are_sound();
        coverage
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<(ObjectKey, PathBuf)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, found);
        } else if let Ok(key) = path.strip_prefix(root).unwrap().to_string_lossy().parse() {
            found.push((key, path));
        }
    }
}

pub fn config(uri: &str, archive: &str, more: &[(&str, &str)]) -> Config {
    let find = |key: &str| match key {
        "uri" => Some(uri.to_owned()),
        "archive" => Some(archive.to_owned()),
        "slice_span" if !more.iter().any(|(name, _)| *name == key) => Some("1s".to_owned()),
        key => more.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned()),
    };
    Config::load(&find, &|_| None, &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap()
}

pub async fn sidecar(args: &[&str]) -> Finished {
    finish(Path::new(BINARY), args, &[("RUST_BACKTRACE", "0")]).await.unwrap()
}

/// `sidecar run` with short spans; `listen` is free.
pub fn start_run(uri: &str, archive: &Archive, more: &[&str]) -> (Sidecar, String) {
    let listen = format!("127.0.0.1:{}", free_port());
    let url = archive.url();
    let mut args = vec!["run", "--uri", uri, "--archive", &url, "--listen", &listen];
    args.extend(more);
    let environment = [
        ("TIDEMARK_SLICE_SPAN", "1s"),
        ("TIDEMARK_SLICE_IDLE", "2s"),
        ("TIDEMARK_LOG_LEVEL", "info,sidecar=debug"),
        ("RUST_BACKTRACE", "0"),
    ];
    (Sidecar::run_program(Path::new(BINARY), &args, &environment).unwrap(), listen)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `GET path`: status and body.
pub async fn get(listen: &str, path: &str) -> Result<(u16, String)> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(listen).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    let status = reply.split(' ').nth(1).context("no status")?.parse()?;
    let body = reply.split_once("\r\n\r\n").context("no body")?.1.to_owned();
    Ok((status, body))
}

pub async fn until<T>(what: &str, limit: Duration, mut check: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = check().await {
            return Ok(value);
        }
        if Instant::now() > deadline {
            bail!("{what}: not within {limit:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The cluster time of a majority write made now.
pub async fn note(set: &ReplicaSet, text: &str) -> Result<ClusterTime> {
    let command = doc! { "appendOplogNote": 1, "data": { "test": text }, "writeConcern": { "w": "majority" } };
    let reply = set.client().database("admin").run_command(command).await?;
    Ok(reply.get_timestamp("operationTime")?.into())
}

/// Inserts documents `first..first + count`, `filler` bytes each.
pub async fn fill(set: &ReplicaSet, db: &str, coll: &str, first: i32, count: i32, filler: usize) -> Result<()> {
    let collection = set.client().database(db).collection::<bson::Document>(coll);
    for start in (first..first + count).step_by(1000) {
        let end = (start + 1000).min(first + count);
        let documents: Vec<_> = (start..end).map(|id| doc! { "_id": id, "filler": text(id, filler) }).collect();
        let inserted = collection.insert_many(documents).await?;
        ensure!(!inserted.inserted_ids.is_empty());
    }
    Ok(())
}

fn text(seed: i32, length: usize) -> String {
    let mut state = u32::try_from(seed).unwrap_or(1).wrapping_mul(2_654_435_761).wrapping_add(1);
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            char::from(b'a' + (state % 26) as u8)
        })
        .collect()
}

/// The documents of a collection, as the server gives them now.
pub async fn documents(set: &ReplicaSet, db: &str, coll: &str) -> Result<Vec<Vec<u8>>> {
    use futures::TryStreamExt as _;
    let collection = set.client().database(db).collection::<bson::RawDocumentBuf>(coll);
    let found: Vec<_> = collection.find(doc! {}).sort(doc! { "$natural": 1 }).await?.try_collect().await?;
    Ok(found.into_iter().map(bson::RawDocumentBuf::into_bytes).collect())
}

pub fn sorted(mut documents: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    documents.sort();
    documents
}

/// The replica set and its lineage in stores of the test's own.
pub async fn site(
    set: &ReplicaSet,
    archive: Arc<dyn ObjectStore>,
    control: Arc<dyn ObjectStore>,
) -> Result<(Source, ArchiveStore)> {
    let source = Source::new(&set.uri(), None);
    let opened = ArchiveStore::open(Stores { archive, control }, &source.lineage().await?, false).await?;
    Ok((source, opened))
}

/// As `run` has them by default.
pub fn archiver_settings() -> ArchiverSettings {
    ArchiverSettings {
        cut: config("mongodb://x:1", "file:///x", &[]).cut,
        compression_level: 1,
        grace: Duration::from_secs(5),
        for_one_snapshot: false,
        permit: None,
    }
}
