//! Realistic documents of about 320 bytes in three collections, each with three secondary indexes.
//!
//! Words, names and times that repeat as they do in real data, and in each document some bytes that no compressor
//! shortens. The same position gives the same bytes, so that two servers are loaded alike.

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use mongodb::Client;
use mongodb::bson::{RawDocumentBuf, doc};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use testkit::bson_bytes::{DocumentWriter, OBJECT_ID};

pub const DATABASE: &str = "bench";
const BATCH: u64 = 2_000;
const OPENING: i64 = 1_704_067_200_000;
const CITIES: [&str; 12] =
    ["Berlin", "Lyon", "Kraków", "Porto", "Gdańsk", "Zürich", "Malmö", "Aarhus", "Bilbao", "Torino", "Leeds", "Cork"];
const STATES: [&str; 5] = ["delivered", "paid", "shipped", "placed", "returned"];

type Random = Xoshiro256PlusPlus;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Orders,
    Customers,
    Events,
}

/// Half of the documents are orders.
pub const KINDS: [Kind; 3] = [Kind::Orders, Kind::Customers, Kind::Events];

impl Kind {
    pub const fn collection(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Customers => "customers",
            Self::Events => "events",
        }
    }

    const fn share_of(self, documents: u64) -> u64 {
        match self {
            Self::Orders => documents - documents / 4 * 2,
            Self::Customers | Self::Events => documents / 4,
        }
    }

    const fn indexes(self) -> [&'static str; 3] {
        match self {
            Self::Orders => ["customer", "placed", "status"],
            Self::Customers => ["email", "city", "since"],
            Self::Events => ["customer", "at", "kind"],
        }
    }

    fn write(self, w: &mut DocumentWriter, position: u64, random: &mut Random) {
        let number = i64::try_from(position).unwrap_or(i64::MAX);
        w.element(OBJECT_ID, "_id", &object_id(self, position));
        match self {
            Self::Orders => order(w, number, random),
            Self::Customers => customer(w, number, random),
            Self::Events => event(w, number, random),
        }
    }
}

pub fn object_id(kind: Kind, position: u64) -> [u8; 12] {
    let mut id = [0x65, 0x92, 0, 0, kind as u8, 0xc3, 0x11, 0x9e, 0, 0, 0, 0];
    id[..4].copy_from_slice(&(0x6592_0000 + u32::try_from(position / 7).unwrap_or(0)).to_be_bytes());
    id[8..].copy_from_slice(&u32::try_from(position).unwrap_or(u32::MAX).to_be_bytes());
    id
}

/// The first ones come most often.
fn choose(random: &mut Random, values: &[&'static str]) -> &'static str {
    values[random.random_range(0..values.len()).min(random.random_range(0..values.len()))]
}

/// Four thousand made-up words: few texts of real data live on less.
fn vocabulary() -> &'static [String] {
    static WORDS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    WORDS.get_or_init(|| {
        const SYLLABLES: [&str; 20] = [
            "ba", "ker", "lo", "min", "tra", "ven", "si", "dor", "pel", "u", "gra", "tis", "en", "hol", "mar", "qui",
            "zo", "fen", "ra", "st",
        ];
        let mut random = Random::seed_from_u64(1);
        let word = |random: &mut Random| -> String {
            (0..random.random_range(1..5)).map(|_| SYLLABLES[random.random_range(0..SYLLABLES.len())]).collect()
        };
        (0..4_000).map(|_| word(&mut random)).collect()
    })
}

fn word(random: &mut Random) -> &'static str {
    let words = vocabulary();
    &words[random.random_range(0..words.len()).min(random.random_range(0..words.len()))]
}

fn words(random: &mut Random, count: std::ops::Range<usize>) -> String {
    let count = random.random_range(count);
    (0..count).map(|_| word(random)).collect::<Vec<_>>().join(" ")
}

fn token(random: &mut Random) -> String {
    format!("{:016x}{:08x}", random.random::<u64>(), random.random::<u32>())
}

fn order(w: &mut DocumentWriter, number: i64, random: &mut Random) {
    w.i64("number", number).i32("customer", random.random_range(0..200_000)).str("status", choose(random, &STATES));
    w.date("placed", OPENING + number * 517).begin_array("items");
    for index in ["0", "1"].iter().take(random.random_range(1..=2)) {
        let product = random.random_range(0..20_000);
        w.begin_document(index).str("sku", &format!("SKU-{product:06}")).str("title", &words(random, 2..4));
        w.i32("quantity", random.random_range(1..4))
            .f64("price", f64::from(random.random_range(99..40_000)) / 100.0)
            .end();
    }
    w.end().begin_document("shipping").str("city", choose(random, &CITIES));
    w.str("street", &format!("{} street {}", word(random), random.random_range(1..200))).end();
    w.str("note", &words(random, 2..12)).str("trace", &token(random));
}

fn customer(w: &mut DocumentWriter, number: i64, random: &mut Random) {
    w.str("email", &format!("{}.{}.{number}@example.org", word(random), word(random)));
    w.str("name", &words(random, 2..3)).str("city", choose(random, &CITIES));
    w.date("since", OPENING + i64::from(random.random_range(0..31_536_000)) * 1_000);
    w.begin_document("preferences").bool("newsletter", random.random_bool(0.3)).str("language", "en").end();
    w.f64("points", f64::from(random.random_range(0..100_000)) / 7.0);
    w.str("about", &words(random, 5..22)).str("token", &token(random));
}

fn event(w: &mut DocumentWriter, number: i64, random: &mut Random) {
    w.i32("customer", random.random_range(0..200_000)).date("at", OPENING + number * 250);
    w.str("kind", choose(random, &["view", "click", "search", "buy", "leave"]));
    w.str("agent", choose(random, &["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone)", "curl/8.5.0"]));
    w.str("page", &format!("/products/{}/SKU-{:06}", word(random), random.random_range(0..20_000)));
    w.str("query", &words(random, 1..12)).str("session", &token(random));
}

/// The commands that insert `documents`, in the order of their positions; nothing is made before it is asked for.
pub fn batches(documents: u64) -> impl Iterator<Item = (Kind, u64, u64)> {
    KINDS.into_iter().flat_map(move |kind| {
        let total = kind.share_of(documents);
        let starts = (0..total).step_by(usize::try_from(BATCH).unwrap_or(1));
        starts.map(move |first| (kind, first, BATCH.min(total - first)))
    })
}

/// An `insert` command with the documents of one batch, and their bytes.
pub fn insert_command((kind, first, count): (Kind, u64, u64)) -> Result<(RawDocumentBuf, u64)> {
    let mut random = Random::seed_from_u64(first << 2 | kind as u64);
    let mut command = DocumentWriter::with_capacity(1 << 20);
    command.str("insert", kind.collection()).bool("ordered", false);
    command.begin_document("writeConcern").i32("w", 1).end().begin_array("documents");
    let mut bytes = 0;
    for position in 0..count {
        let start = command.len();
        let key = position.to_string();
        command.begin_document(&key);
        kind.write(&mut command, first + position, &mut random);
        command.end();
        // Without type and name of the array's element.
        bytes += (command.len() - start - 2 - key.len()) as u64;
    }
    Ok((command.end().build()?, bytes))
}

pub async fn insert(client: &Client, command: RawDocumentBuf) -> Result<()> {
    let reply = client.database(DATABASE).run_raw_command(command).await.context("insert documents")?;
    ensure!(!reply.contains_key("writeErrors"), "insert documents: {reply}");
    Ok(())
}

/// Loads and indexes them; gives their bytes.
pub async fn load(client: &Client, documents: u64) -> Result<u64> {
    let inserts = batches(documents).map(async |batch| {
        let made = tokio::task::spawn_blocking(move || insert_command(batch)).await;
        let (command, bytes) = made.context("make documents")??;
        insert(client, command).await.map(|()| bytes)
    });
    let bytes =
        futures::stream::iter(inserts).buffer_unordered(3).try_fold(0, async |sum, bytes| Ok(sum + bytes)).await?;
    create_indexes(client).await?;
    testkit::dataset::wait_for_majority(client).await?;
    Ok(bytes)
}

/// All collections at once.
pub async fn create_indexes(client: &Client) -> Result<()> {
    let builds = KINDS.map(async |kind| {
        let indexes = kind.indexes().map(|field| doc! { "key": { field: 1 }, "name": format!("{field}_1") });
        let command = doc! { "createIndexes": kind.collection(), "indexes": indexes.to_vec() };
        client.database(DATABASE).run_command(command).await.context("build indexes").map(|_| ())
    });
    futures::future::try_join_all(builds).await.map(|_| ())
}
