//! `mongorestore --oplogReplay --bypassDocumentValidation`, as its sources say what it does (mongo-tools 100.x).
//!
//! The real program is used when `MONGORESTORE` names it. Otherwise the folder is read here by the same rules: files by
//! their names, options and indexes from canonical extended JSON, each oplog entry by an `applyOps` of its own and by
//! name, users and roles merged by the server, indexes last. It shares no code with the export.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use archive::bson_run;
use mongodb::Client;
use mongodb::bson::{Bson, Document, RawArrayBuf, RawDocument, RawDocumentBuf, cstr, doc, rawdoc};
use testkit::{ReplicaSet, processes};

const BUCKETS: &str = "system.buckets.";
const DUPLICATE_KEY: i32 = 11_000;
const BATCH_BYTES: usize = 8 << 20;

#[derive(Debug, Default)]
struct Intent {
    metadata: Option<Document>,
    data: Option<Vec<RawDocumentBuf>>,
}

type Intents = BTreeMap<(String, String), Intent>;

pub async fn mongorestore(set: &ReplicaSet, folder: &Path) -> Result<()> {
    let Some(program) = std::env::var_os("MONGORESTORE") else { return by_its_rules(&set.client(), folder).await };
    let (uri, folder) = (set.uri(), folder.display().to_string());
    let arguments = ["--uri", &uri, "--oplogReplay", "--bypassDocumentValidation", "--dir", &folder];
    let done = processes::finish(Path::new(&program), arguments, &[]).await?;
    ensure!(done.exit_code == 0 && done.stderr.contains(" 0 document(s) failed"), "{done:?}");
    Ok(())
}

/// The documents of a file, each walked to its last element as `bsondump` does.
pub fn documents(file: &Path) -> Result<Vec<RawDocumentBuf>> {
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let mut found = Vec::new();
    for document in bson_run::Documents::new(&bytes) {
        let document = document.with_context(|| format!("{}", file.display()))?;
        bson_run::validate(document.as_bytes()).with_context(|| format!("{}", file.display()))?;
        found.push(document.to_owned());
    }
    Ok(found)
}

async fn by_its_rules(client: &Client, folder: &Path) -> Result<()> {
    let mut intents = Intents::new();
    let mut oplog = None;
    for entry in std::fs::read_dir(folder)? {
        let (name, path) = entry.map(|entry| (entry.file_name().into_string(), entry.path()))?;
        match name.map_err(|name| anyhow::anyhow!("{}", name.display()))?.as_str() {
            "oplog.bson" => oplog = Some(documents(&path)?),
            "prelude.json" => check_prelude(&path)?,
            database if path.is_dir() => read_database(database, &path, &mut intents)?,
            other => bail!("mongorestore does not know what to do with `{other}`"),
        }
    }
    let oplog = oplog.context("no oplog file to replay")?;
    let mut special = |name: &str| intents.remove(&("admin".to_owned(), name.to_owned()));
    let (users, roles, version) = (special("system.users"), special("system.roles"), special("system.version"));
    for ((database, collection), intent) in &intents {
        let place = || format!("restore {database}.{collection}");
        restore_collection(client, database, collection, intent).await.with_context(place)?;
    }
    if users.is_some() || roles.is_some() {
        check_auth_version(version.and_then(|version| version.data))?;
        merge_access(client, users, roles).await?;
    }
    for entry in &oplog {
        apply(client, entry).await.with_context(|| format!("apply {entry:.300?}"))?;
    }
    for ((database, collection), intent) in &intents {
        let place = || format!("build the indexes of {database}.{collection}");
        build_indexes(client, database, collection, intent).await.with_context(place)?;
    }
    Ok(())
}

fn check_prelude(path: &Path) -> Result<()> {
    let prelude: BTreeMap<String, String> = serde_json::from_slice(&std::fs::read(path)?)?;
    let version = prelude.get("ServerVersion").context("the prelude has no version")?;
    ensure!(version.split('.').next().is_some_and(|major| major.parse::<u32>().is_ok()), "{prelude:?}");
    Ok(())
}

fn read_database(database: &str, folder: &Path, intents: &mut Intents) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("a name of ASCII")?;
        if let Some(stem) = name.strip_suffix(".metadata.json") {
            let metadata: Document = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
            let collection = collection_name(stem, &metadata)?;
            ensure!(metadata.get_str("collectionName")? == collection, "{metadata}");
            intents.entry((database.to_owned(), collection)).or_default().metadata = Some(metadata);
        } else if let Some(stem) = name.strip_suffix(".bson") {
            let metadata = || -> Result<Document> {
                Ok(serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{stem}.metadata.json")))?)?)
            };
            let collection = if is_cut(stem) { collection_name(stem, &metadata()?)? } else { unescape(stem)? };
            let collection = collection.strip_prefix(BUCKETS).unwrap_or(&collection).to_owned();
            intents.entry((database.to_owned(), collection)).or_default().data = Some(documents(&path)?);
        } else {
            bail!("mongorestore does not know what to do with {}", path.display());
        }
    }
    Ok(())
}

fn is_cut(stem: &str) -> bool {
    stem.contains("%24") && stem.len() == 238
}

fn collection_name(stem: &str, metadata: &Document) -> Result<String> {
    if is_cut(stem) { Ok(metadata.get_str("collectionName")?.to_owned()) } else { unescape(stem) }
}

fn unescape(stem: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let mut rest = stem.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%' {
            let (hex, after) = rest.split_at_checked(2).context("two digits behind %")?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(hex)?, 16)?);
            rest = after;
        } else {
            bytes.push(*byte);
        }
    }
    Ok(String::from_utf8(bytes)?)
}

async fn restore_collection(client: &Client, database: &str, collection: &str, intent: &Intent) -> Result<()> {
    let metadata = intent.metadata.as_ref().context("data without metadata")?;
    let mut create = doc! { "create": collection };
    let options = metadata.get_document("options").cloned().unwrap_or_default();
    let is_series = options.contains_key("timeseries");
    let kind = metadata.get_str("type")?;
    ensure!((kind == "timeseries") == is_series && (kind == "view") == options.contains_key("viewOn"), "{metadata}");
    ensure!((kind == "collection") == metadata.contains_key("uuid"), "{metadata}");
    let id_index = indexes(metadata)?.find(|index| index.get_str("name").is_ok_and(|name| name == "_id_"));
    let is_clustered = options.contains_key("clusteredIndex");
    create.extend(options);
    if let Some(mut id_index) = id_index.filter(|_| !is_clustered) {
        id_index.remove("v");
        id_index.insert("ns", format!("{database}.{collection}"));
        create.remove("autoIndexId");
        create.insert("idIndex", id_index);
    }
    client.database(database).run_command(create).await.context("create it")?;
    let Some(documents) = &intent.data else { return Ok(()) };
    let name = if is_series { format!("{BUCKETS}{collection}") } else { collection.to_owned() };
    insert(client, database, &name, documents).await
}

async fn insert(client: &Client, database: &str, collection: &str, documents: &[RawDocumentBuf]) -> Result<()> {
    let mut rest = documents;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |document: &&RawDocumentBuf| {
            bytes += document.as_bytes().len();
            bytes <= BATCH_BYTES
        };
        let count = rest.iter().take(1_000).take_while(fits).count().max(1);
        let mut batch = RawArrayBuf::new();
        rest[..count].iter().for_each(|document| batch.push(document.clone()));
        let command = rawdoc! {
            "insert": collection, "documents": batch, "ordered": false, "bypassDocumentValidation": true,
        };
        let reply = client.database(database).run_raw_command(command).await?;
        for error in reply.get_array("writeErrors").into_iter().flatten() {
            let error = error.as_document().context("an error")?;
            // The program goes on over duplicates as well.
            ensure!(error.get_i32("code")? == DUPLICATE_KEY, "{error}");
        }
        rest = &rest[count..];
    }
    Ok(())
}

fn check_auth_version(version: Option<Vec<RawDocumentBuf>>) -> Result<()> {
    let version = version.context("assuming users from <= 2.4, which no server takes")?;
    let schema = version.iter().find(|document| document.get_str("_id").is_ok_and(|id| id == "authSchema"));
    ensure!(schema.context("no authSchema document")?.get_i32("currentVersion")? == 5);
    Ok(())
}

async fn merge_access(client: &Client, users: Option<Intent>, roles: Option<Intent>) -> Result<()> {
    let admin = client.database("admin");
    let mut merge = doc! { "_mergeAuthzCollections": 1 };
    for (intent, parameter, name) in
        [(users, "tempUsersCollection", "tempusers"), (roles, "tempRolesCollection", "temproles")]
    {
        let Some(documents) = intent.and_then(|intent| intent.data) else { continue };
        ensure!(!documents.is_empty(), "an empty file of {name} makes mongorestore stumble");
        insert(client, "admin", name, &documents).await?;
        merge.insert(parameter, format!("admin.{name}"));
    }
    merge.extend(doc! { "drop": false, "db": "" });
    admin.run_command(merge).await.context("merge users and roles")?;
    for name in ["tempusers", "temproles"] {
        admin.collection::<Document>(name).drop().await?;
    }
    Ok(())
}

/// One entry, with those fields that the program's own type has, and without the UUID.
async fn apply(client: &Client, entry: &RawDocument) -> Result<()> {
    let (op, ns) = (entry.get_str("op")?, entry.get_str("ns")?);
    ensure!(matches!(op, "i" | "u" | "d") || op == "c" && entry.get_document("o")?.get_str("collMod").is_ok());
    ensure!(!ns.starts_with("config.") && !ns.starts_with("__mdb_internal"), "mongorestore skips {ns}");
    let mut sent = RawDocumentBuf::new();
    for field in ["ts", "t", "v", "op", "ns", "o", "o2"] {
        if let Some(value) = entry.get(field)? {
            sent.append(mongodb::bson::raw::CString::try_from(field)?, value);
        }
    }
    ensure!(sent.get_timestamp("ts").is_ok() && sent.get_i64("v").is_ok(), "{sent:?}");
    let mut operations = RawArrayBuf::new();
    operations.push(sent);
    let mut command = RawDocumentBuf::new();
    command.append(cstr!("applyOps"), operations);
    command.append(cstr!("bypassDocumentValidation"), true);
    let reply = client.database("admin").run_raw_command(command).await?;
    ensure!(reply.get("ok").and_then(Bson::as_f64) == Some(1.0), "{reply}");
    Ok(())
}

fn indexes(metadata: &Document) -> Result<impl Iterator<Item = Document>> {
    let all = metadata.get_array("indexes")?.iter();
    Ok(all.filter_map(|index| index.as_document().cloned()).collect::<Vec<_>>().into_iter())
}

async fn build_indexes(client: &Client, database: &str, collection: &str, intent: &Intent) -> Result<()> {
    let metadata = intent.metadata.as_ref().context("metadata")?;
    let options = metadata.get_document("options").cloned().unwrap_or_default();
    let has_collation =
        options.get_document("collation").is_ok_and(|c| c.get_str("locale").is_ok_and(|l| l != "simple"));
    let mut built = Vec::new();
    for mut index in indexes(metadata)?.filter(|index| index.get_str("name").is_ok_and(|name| name != "_id_")) {
        index.remove("v");
        index.insert("ns", format!("{database}.{collection}"));
        if has_collation && !index.contains_key("collation") {
            index.insert("collation", doc! { "locale": "simple" });
        }
        built.push(index);
    }
    if built.is_empty() {
        return Ok(());
    }
    let command = doc! { "createIndexes": collection, "indexes": built, "ignoreUnknownIndexOptions": true };
    client.database(database).run_command(command).await?;
    Ok(())
}
