//! A drill's report as it is stored: for programs, for people, and signed.

use archive::drill::DrillReport;
use archive::layout::ObjectKey;
use archive::signature::SigningKey;
use store::{Created, ObjectStoreExt as _};

use crate::archive_reader::ArchiveReader;
use crate::failure::{Failure, FailureKind, Result};

/// The texts of one report.
#[derive(Debug, Clone)]
pub struct Documents {
    pub json: Vec<u8>,
    pub markdown: String,
    /// Of exactly the bytes of `json`, as minisign checks it.
    pub signature: Option<String>,
}

impl Documents {
    pub fn of(report: &DrillReport, key: Option<&SigningKey>) -> Result<Self> {
        let unexpected = |what: String| Failure::new(FailureKind::Unexpected, what).at("the drill report");
        let json = report.to_json().map_err(|error| unexpected(error.to_string()))?;
        let comment = format!("tidemark drill {} of {}: {}", report.id, report.lineage, report.verdict);
        let signature = key.map(|key| key.sign(&json, &comment)).transpose();
        let signature = signature.map_err(|error| unexpected(error.to_string()))?;
        Ok(Self { json, markdown: report.to_markdown(), signature })
    }
}

/// Stores the report create-only, the one for programs last: who sees it sees its signature. The keys.
pub async fn publish(reader: &ArchiveReader, report: &DrillReport, documents: &Documents) -> Result<Vec<String>> {
    let (lineage, id) = (report.lineage.clone(), report.id.clone());
    let mut objects = vec![(
        ObjectKey::DrillText { lineage: lineage.clone(), id: id.clone() },
        documents.markdown.clone().into_bytes(),
    )];
    if let Some(signature) = &documents.signature {
        objects.push((ObjectKey::DrillSignature { lineage, id }, signature.clone().into_bytes()));
    }
    objects.push((report.key(), documents.json.clone()));
    let mut stored = Vec::new();
    for (key, body) in objects {
        let key = key.to_string();
        if reader.store().put_new(&key, body.into()).await? == Created::AlreadyExists {
            return Err(Failure::new(FailureKind::Unexpected, "a report of this drill is there already")
                .at(reader.place(&key))
                .because("its name holds the time and a random number")
                .then("dr-cli drill again"));
        }
        stored.push(key);
    }
    Ok(stored)
}
