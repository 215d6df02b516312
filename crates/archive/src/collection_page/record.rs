//! One collection as a BSON document of a page.

use bson::raw::cstr;
use bson::{RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf, Timestamp};

use super::{CollectionRecord, ScanOutcome, ScanRecord, SegmentRecord};
use crate::bson_run;
use crate::{ClusterTime, CollectionUuid, Namespace};

/// The only kind there is: views and time-series collections live in `system.views` and in bucket collections.
const COLLECTION: &str = "collection";

const fn outcome_text(outcome: ScanOutcome) -> &'static str {
    match outcome {
        ScanOutcome::Complete => "complete",
        ScanOutcome::Dropped => "dropped",
    }
}

pub(super) fn encode(record: &CollectionRecord) -> Result<RawDocumentBuf, String> {
    check_parts(&record.segments)?;
    let count = |value: u64| i64::try_from(value).map_err(|_| format!("{value} does not fit into BSON"));

    let mut indexes = RawArrayBuf::new();
    for index in &record.indexes {
        indexes.push(index.clone());
    }
    let mut scan = RawDocumentBuf::new();
    scan.append(cstr!("outcome"), outcome_text(record.scan.outcome));
    if let Some(last_id) = &record.scan.last_id {
        scan.append(cstr!("lastId"), last_id.clone());
    }
    scan.append(cstr!("through"), Timestamp::from(record.scan.through));
    let mut segments = RawArrayBuf::new();
    for segment in &record.segments {
        let mut document = RawDocumentBuf::new();
        document.append(cstr!("part"), i64::from(segment.part));
        document.append(cstr!("documents"), count(segment.documents)?);
        document.append(cstr!("bytes"), count(segment.bytes)?);
        document.append(cstr!("storedBytes"), count(segment.stored_bytes)?);
        document.append(cstr!("sha256"), segment.sha256.to_string());
        segments.push(document);
    }

    let mut document = RawDocumentBuf::new();
    document.append(cstr!("uuid"), record.uuid.to_binary());
    document.append(cstr!("db"), record.namespace.db.as_str());
    document.append(cstr!("name"), record.namespace.coll.as_str());
    document.append(cstr!("kind"), COLLECTION);
    document.append(cstr!("options"), record.options.clone());
    if let Some(id_index) = &record.id_index {
        document.append(cstr!("idIndex"), id_index.clone());
    }
    document.append(cstr!("indexes"), indexes);
    document.append(cstr!("scan"), scan);
    document.append(cstr!("segments"), segments);
    Ok(document)
}

pub(super) fn decode(document: &RawDocument) -> Result<CollectionRecord, String> {
    // Options and indexes are handed on as they are: whoever reads them may rely on sound BSON.
    bson_run::validate(document.as_bytes()).map_err(|error| format!("a collection record is {error}"))?;
    let fields = Fields(document);
    let db = fields.text("db")?;
    let name = fields.text("name")?;
    let at = || format!("the record of `{db}.{name}`: ");
    read(&fields, db, name).map_err(|problem| at() + &problem)
}

fn read(fields: &Fields<'_>, db: &str, name: &str) -> Result<CollectionRecord, String> {
    let kind = fields.text("kind")?;
    if kind != COLLECTION {
        return Err(format!("kind `{kind}` is unknown, a newer release wrote it"));
    }
    let Some(RawBsonRef::Binary(uuid)) = fields.get("uuid")? else { return Err("`uuid` is not a UUID".into()) };
    let uuid = CollectionUuid::from_binary(uuid).ok_or("`uuid` is not a UUID")?;
    let segments: Vec<SegmentRecord> =
        fields.documents("segments")?.map(|inner| segment(inner?)).collect::<Result<_, _>>()?;
    check_parts(&segments)?;
    Ok(CollectionRecord {
        uuid,
        namespace: Namespace::new(db, name),
        options: fields.document("options")?.ok_or("`options` is missing")?.to_owned(),
        id_index: fields.document("idIndex")?.map(ToOwned::to_owned),
        indexes: fields.documents("indexes")?.map(|index| index.map(ToOwned::to_owned)).collect::<Result<_, _>>()?,
        scan: scan(fields.document("scan")?.ok_or("`scan` is missing")?)?,
        segments,
    })
}

fn scan(document: &RawDocument) -> Result<ScanRecord, String> {
    let fields = Fields(document);
    let outcome = match fields.text("outcome")? {
        "complete" => ScanOutcome::Complete,
        "dropped" => ScanOutcome::Dropped,
        other => return Err(format!("scan outcome `{other}` is unknown, a newer release wrote it")),
    };
    let Some(RawBsonRef::Timestamp(through)) = fields.get("through")? else {
        return Err("`through` is not a timestamp".into());
    };
    Ok(ScanRecord { outcome, last_id: fields.get("lastId")?.map(RawBson::from), through: ClusterTime::from(through) })
}

fn segment(document: &RawDocument) -> Result<SegmentRecord, String> {
    let fields = Fields(document);
    Ok(SegmentRecord {
        part: u32::try_from(fields.count("part")?).map_err(|_| "`part` is too large")?,
        documents: fields.count("documents")?,
        bytes: fields.count("bytes")?,
        stored_bytes: fields.count("storedBytes")?,
        sha256: fields.text("sha256")?.parse().map_err(|_| "`sha256` is not a digest")?,
    })
}

fn check_parts(segments: &[SegmentRecord]) -> Result<(), String> {
    if segments.is_sorted_by(|a, b| a.part < b.part) {
        Ok(())
    } else {
        Err("the segments are not in ascending order of their part".into())
    }
}

/// Fields of a document whose BSON was validated.
struct Fields<'a>(&'a RawDocument);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Result<Option<RawBsonRef<'a>>, String> {
        for element in self.0.iter_elements() {
            let element = element.map_err(|error| error.to_string())?;
            if element.key().as_str() == name {
                return element.value().map(Some).map_err(|error| format!("`{name}`: {error}"));
            }
        }
        Ok(None)
    }

    fn text(&self, name: &str) -> Result<&'a str, String> {
        match self.get(name)? {
            Some(RawBsonRef::String(text)) => Ok(text),
            _ => Err(format!("`{name}` is not a text")),
        }
    }

    fn count(&self, name: &str) -> Result<u64, String> {
        let value = match self.get(name)? {
            Some(RawBsonRef::Int64(value)) => value,
            Some(RawBsonRef::Int32(value)) => i64::from(value),
            _ => return Err(format!("`{name}` is not an integer")),
        };
        u64::try_from(value).map_err(|_| format!("`{name}` is negative"))
    }

    fn document(&self, name: &str) -> Result<Option<&'a RawDocument>, String> {
        match self.get(name)? {
            None => Ok(None),
            Some(RawBsonRef::Document(document)) => Ok(Some(document)),
            Some(_) => Err(format!("`{name}` is not a document")),
        }
    }

    fn documents(&self, name: &str) -> Result<impl Iterator<Item = Result<&'a RawDocument, String>>, String> {
        let Some(RawBsonRef::Array(array)) = self.get(name)? else { return Err(format!("`{name}` is not an array")) };
        let name = name.to_owned();
        Ok(array.into_iter().map(move |item| match item {
            Ok(RawBsonRef::Document(document)) => Ok(document),
            Ok(_) => Err(format!("`{name}` holds something else than documents")),
            Err(error) => Err(format!("`{name}`: {error}")),
        }))
    }
}
