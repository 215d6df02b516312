//! Documents and names that backup tools are known to change, refuse or lose.
//!
//! Every document must come back byte for byte; every name must come back as it was.

use anyhow::{Result, ensure};
use mongodb::bson::{RawDocumentBuf, doc};
use mongodb::options::{CreateCollectionOptions, WriteConcern};
use mongodb::{Client, Database};

use crate::bson_bytes::{
    self, CODE, CODE_WITH_SCOPE, DB_POINTER, DECIMAL128, DocumentWriter, MAX_KEY, MIN_KEY, NULL, OBJECT_ID, REGEX,
    STRING, SYMBOL, TIMESTAMP, UNDEFINED,
};

/// The largest document that the server stores.
pub const LARGEST_DOCUMENT: usize = 16 * 1024 * 1024;
pub const DATABASE: &str = "weird";
pub const COLLECTION: &str = "documents";

#[derive(Debug, Clone)]
pub struct WeirdDocument {
    pub name: &'static str,
    /// What the collection must hold in the end.
    pub bytes: Vec<u8>,
    /// The server replaces `Timestamp(0,0)` at the top level of an insert: these fields are set by an update.
    pub set_after_insert: Vec<&'static str>,
}

fn weird(name: &'static str, write: impl FnOnce(&mut DocumentWriter)) -> WeirdDocument {
    let mut writer = DocumentWriter::new();
    writer.str("_id", name);
    write(&mut writer);
    WeirdDocument { name, bytes: writer.finish(), set_after_insert: Vec::new() }
}

fn weird_id(name: &'static str, write: impl FnOnce(&mut DocumentWriter)) -> WeirdDocument {
    let mut writer = DocumentWriter::new();
    write(&mut writer);
    writer.str("what", name);
    WeirdDocument { name, bytes: writer.finish(), set_after_insert: Vec::new() }
}

/// All of them; their `_id`s are distinct.
pub fn documents() -> Vec<WeirdDocument> {
    let mut all = values();
    all.extend(ids());
    all.extend(shapes());
    all
}

fn values() -> Vec<WeirdDocument> {
    let mut zero_timestamp = weird("timestamp zero at the top", |w| {
        w.timestamp("first", 0, 0).timestamp("second", 0, 0).timestamp("low", 0, 1).timestamp(
            "high",
            u32::MAX,
            u32::MAX,
        );
    });
    zero_timestamp.set_after_insert = vec!["first", "second"];
    vec![
        zero_timestamp,
        weird("timestamp zero nested", |w| {
            w.begin_document("a").timestamp("b", 0, 0).end().begin_array("c").timestamp("0", 0, 0).end();
        }),
        weird("doubles", |w| {
            w.f64("nan", f64::NAN)
                .f64("negative nan", -f64::NAN)
                // A payload that arithmetic would normalise.
                .element(bson_bytes::DOUBLE, "payload nan", &0x7ff4_0000_dead_beef_u64.to_le_bytes())
                .f64("negative zero", -0.0)
                .f64("infinity", f64::INFINITY)
                .f64("negative infinity", f64::NEG_INFINITY)
                .f64("smallest", 5e-324)
                .f64("whole", 1.0);
        }),
        weird("integers", |w| {
            w.i32("min", i32::MIN)
                .i64("min long", i64::MIN)
                .i64("one long", 1)
                .i32("one", 1)
                .date("long ago", i64::MIN);
        }),
        weird("decimals", |w| {
            for (name, high, low) in [
                ("nan", 0x7c00_0000_0000_0000_u64, 0_u64),
                ("signalling nan", 0x7e00_0000_0000_0000, 0),
                ("infinity", 0x7800_0000_0000_0000, 0),
                ("negative infinity", 0xf800_0000_0000_0000, 0),
                ("negative zero", 0xb040_0000_0000_0000, 0),
                ("zero with exponent", 0x5ffe_0000_0000_0000, 0),
                ("one", 0x3040_0000_0000_0000, 1),
                ("one with trailing zeros", 0x303a_0000_0000_0000, 1000),
                ("not canonical", 0x6c10_0000_0000_0000, 1),
            ] {
                let mut value = low.to_le_bytes().to_vec();
                value.extend(high.to_le_bytes());
                w.element(DECIMAL128, name, &value);
            }
        }),
        weird("binaries", |w| {
            w.binary("generic", 0, b"abc").binary("empty", 0, b"").binary("function", 1, b"f");
            // Sub-type 2 has a second length inside.
            w.binary("old", 2, &[3, 0, 0, 0, b'a', b'b', b'c']);
            w.binary("old uuid", 3, &[7; 16]).binary("uuid", 4, &[9; 16]).binary("md5", 5, &[5; 16]);
            w.binary("encrypted", 6, &[1; 17]).binary("column", 7, &[2; 9]).binary("sensitive", 8, b"s");
            w.binary("user defined", 128, &[0, 255]).binary("last", 255, b"x");
        }),
        weird("deprecated types", |w| {
            w.element(UNDEFINED, "undefined", &[]).element(SYMBOL, "symbol", b"\x03\0\0\0ab\0");
            w.element(DB_POINTER, "pointer", b"\x04\0\0\0a.b\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c");
            w.begin_array("nested").element(UNDEFINED, "0", &[]).element(NULL, "1", &[]).end();
        }),
        weird("keys and code", |w| {
            w.element(MIN_KEY, "min", &[]).element(MAX_KEY, "max", &[]).element(CODE, "code", b"\x04\0\0\0x=1\0");
            let mut scoped = vec![0; 4];
            scoped.extend(b"\x02\0\0\0y\0");
            scoped.extend(DocumentWriter::new().i32("y", 1).timestamp("t", 0, 0).finish());
            let size = u32::try_from(scoped.len()).unwrap_or_default();
            scoped[..4].copy_from_slice(&size.to_le_bytes());
            w.element(CODE_WITH_SCOPE, "scoped", &scoped);
        }),
        weird("regular expressions", |w| {
            w.element(REGEX, "all options", b"^a.*b$\0ilmsux\0")
                .element(REGEX, "none", b"a\0\0")
                .element(REGEX, "empty", b"\0\0");
        }),
        weird("text", |w| {
            w.str("empty", "")
                .str("with nul", "a\0b")
                .str("emoji", "🌊")
                .str("combining", "e\u{301}")
                .str("newline", "a\r\nb");
            // Servers store it; drivers of some languages write it.
            w.element(STRING, "not utf-8", b"\x03\0\0\0\xff\xfe\0");
        }),
    ]
}

fn ids() -> Vec<WeirdDocument> {
    vec![
        weird_id("id with fields a, b", |w| {
            w.begin_document("_id").i32("a", 1).i32("b", 2).end();
        }),
        weird_id("id with fields b, a", |w| {
            w.begin_document("_id").i32("b", 2).i32("a", 1).end();
        }),
        weird_id("id nested", |w| {
            w.begin_document("_id")
                .begin_document("z")
                .i64("y", 1)
                .f64("x", -0.0)
                .end()
                .begin_document("a")
                .end()
                .end();
        }),
        weird_id("id empty document", |w| {
            w.begin_document("_id").end();
        }),
        weird_id("id empty text", |w| {
            w.str("_id", "");
        }),
        weird_id("id null", |w| {
            w.element(NULL, "_id", &[]);
        }),
        weird_id("id NaN", |w| {
            w.f64("_id", f64::NAN);
        }),
        weird_id("id negative zero", |w| {
            w.f64("_id", -0.0);
        }),
        weird_id("id long", |w| {
            w.i64("_id", 1 << 53);
        }),
        weird_id("id decimal", |w| {
            let mut value = 1000_u64.to_le_bytes().to_vec();
            value.extend(0x303a_0000_0000_0000_u64.to_le_bytes());
            w.element(DECIMAL128, "_id", &value);
        }),
        weird_id("id min key", |w| {
            w.element(MIN_KEY, "_id", &[]);
        }),
        weird_id("id max key", |w| {
            w.element(MAX_KEY, "_id", &[]);
        }),
        weird_id("id false", |w| {
            w.bool("_id", false);
        }),
        weird_id("id date", |w| {
            w.date("_id", -1);
        }),
        weird_id("id timestamp", |w| {
            w.element(TIMESTAMP, "_id", &7_u64.to_le_bytes());
        }),
        weird_id("id binary", |w| {
            w.binary("_id", 2, &[1, 0, 0, 0, 9]);
        }),
        weird_id("id object id", |w| {
            w.element(OBJECT_ID, "_id", &[0; 12]);
        }),
        weird_id("id symbol", |w| {
            w.element(SYMBOL, "_id", b"\x02\0\0\0s\0");
        }),
    ]
}

fn shapes() -> Vec<WeirdDocument> {
    vec![
        weird("field names", |w| {
            w.i32("", 1).i32("with.dot", 2).i32("$dollar", 3).i32("with space", 4).i32("ünï", 5).i32("new\nline", 6);
            w.begin_document("nested").i32("$set", 1).i32("a.b", 2).i32("", 3).i32("_id", 4).end();
        }),
        weird("the same field twice", |w| {
            w.i32("a", 1).i32("b", 2).i32("a", 3);
        }),
        weird("numbered fields", |w| {
            w.begin_document("0").i32("0", 1).end().begin_array("array").i32("0", 1).i32("1", 2).end();
        }),
        weird("deep", |w| {
            // The server stores up to 180 levels.
            for level in 0..170 {
                if level % 2 == 0 {
                    w.begin_document("d")
                } else {
                    w.begin_array("0")
                };
            }
            w.i32("bottom", 1);
        }),
        weird("wide", |w| {
            for field in 0..2_000 {
                w.i32(&format!("field {field}"), field);
            }
        }),
        weird("empty", |w| {
            w.begin_document("d").end().begin_array("a").end();
        }),
        largest_document("largest"),
    ]
}

/// A document of exactly 16 MiB.
pub fn largest_document(name: &'static str) -> WeirdDocument {
    let frame = weird(name, |w| {
        w.binary("fill", 0, &[]);
    });
    let fill: Vec<u8> = (0_u32..)
        .map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0] & 0x3f)
        .take(LARGEST_DOCUMENT - frame.bytes.len())
        .collect();
    weird(name, |w| {
        w.binary("fill", 0, &fill);
    })
}

/// Stores all documents in `weird.documents` and proves that the server holds those bytes.
pub async fn load(client: &Client) -> Result<()> {
    let database = client.database(DATABASE);
    for document in documents() {
        insert(&database, COLLECTION, &document).await?;
    }
    Ok(())
}

/// Inserts one document and sets what an insert cannot.
pub async fn insert(database: &Database, collection: &str, document: &WeirdDocument) -> Result<()> {
    let collection = database.collection::<RawDocumentBuf>(collection);
    collection.insert_one(RawDocumentBuf::from_bytes(document.bytes.clone())?).await?;
    let Some(id) = bson_bytes::get(&document.bytes, "_id") else { return Ok(()) };
    let filter = DocumentWriter::new().element(id.kind, "_id", id.value).finish();
    if !document.set_after_insert.is_empty() {
        let set =
            document.set_after_insert.iter().map(|field| (*field, mongodb::bson::Timestamp { time: 0, increment: 0 }));
        let set: mongodb::bson::Document = set.map(|(field, zero)| (field.to_owned(), zero.into())).collect();
        collection.update_one(doc! { "_id": document.name }, doc! { "$set": set }).await?;
    }
    let mut find = DocumentWriter::new();
    find.str("find", collection.name()).document("filter", &filter).bool("singleBatch", true);
    let mut cursor = database.run_raw_cursor_command(find.build()?).await?;
    ensure!(cursor.advance().await?, "{}: not found after the insert", document.name);
    ensure!(cursor.current().as_bytes() == document.bytes, "{}: the server holds other bytes", document.name);
    Ok(())
}

/// Names that break file names, patterns and parsers: `(database, collection)`.
pub fn names() -> Vec<(String, String)> {
    let pairs = [
        ("names", "new\nline"),
        ("names", "per%cent%2Fcent"),
        ("names", "a/slash"),
        ("names", "back\\slash"),
        ("names", "dots..and.dots"),
        ("names", "up/../up"),
        ("names", "unicode-ü-日本-🌊"),
        ("names", "combining-e\u{301}"),
        ("names", "combining-\u{e9}"),
        ("names", "Case"),
        ("names", "case"),
        ("names", "CASE"),
        ("names", " space "),
        ("names", "tab\tquote\"'`"),
        ("names", "system.js"),
        ("names", "systematic"),
        ("names", "*"),
        ("names", "a:b|c?<d>"),
        ("names", "-dash"),
        ("names", "con"),
        ("admin_x", "ordinary"),
        ("admin2", "system_users"),
        ("local2", "oplog.rs"),
        ("config_x", "tidemark"),
        ("db-with-dash", "x"),
        ("db%percent", "x"),
        ("dbünï", "x"),
        ("0", "0"),
    ];
    let mut names: Vec<(String, String)> =
        pairs.iter().map(|(db, coll)| ((*db).to_owned(), (*coll).to_owned())).collect();
    // A namespace has at most 255 bytes.
    names.push(("names".to_owned(), "l".repeat(255 - "names.".len())));
    names.push(("d".repeat(63), "x".to_owned()));
    names
}

/// Creates every namespace of `names` with a document and, where possible, an index of an odd name.
pub async fn load_names(client: &Client) -> Result<()> {
    for (index, (database, name)) in (0_i32..).zip(names()) {
        let database = client.database(&database);
        let options = CreateCollectionOptions::builder().write_concern(WriteConcern::majority()).build();
        database.create_collection(&name).with_options(options).await?;
        let stored = DocumentWriter::new().i32("_id", index).str("name", &name).build()?;
        database.collection::<RawDocumentBuf>(&name).insert_one(stored).await?;
        let create = doc! { "createIndexes": &name, "indexes": [{ "key": { "name": 1 }, "name": "by/na\nme %24." }] };
        database.run_command(create).await?;
    }
    Ok(())
}
