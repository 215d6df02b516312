//! Arms what a restore parked: from then on documents expire again.

use archive::Namespace;
use bson::{RawDocument, RawDocumentBuf, rawdoc};
use replset::{ConnectOptions, Destination};
use serde::Serialize;

use super::report::Parked;
use super::state::RestoreState;
use crate::failure::{Failure, FailureKind, Result};

/// What was armed.
#[derive(Debug, Clone, Serialize)]
pub struct ReleaseReport {
    pub released: Vec<Parked>,
    /// Gone since the restore: the collection or the index was dropped.
    pub missing: Vec<Parked>,
    pub already_released: bool,
}

impl ReleaseReport {
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        if self.already_released {
            text.push_str("the TTL indexes of this restore were released before\n");
        }
        for (what, list) in [("armed", &self.released), ("no longer there", &self.missing)] {
            for parked in list {
                let index = parked.index.as_deref().unwrap_or("(collection)");
                text.push_str(&format!("{what}: {} {index}, expires after {} s\n", parked.namespace, parked.seconds));
            }
        }
        if text.is_empty() {
            text.push_str("nothing was parked\n");
        }
        text
    }
}

/// Arms the parked TTL indexes of a finished restore.
pub async fn release(destination_uri: &str) -> Result<ReleaseReport> {
    let options = ConnectOptions { app_name: "tidemark-release".to_owned(), ..ConnectOptions::default() };
    let destination = Destination::open(destination_uri, options).await?;
    let nothing = || {
        Failure::new(FailureKind::NotFound, "there is no finished restore here")
            .at(destination.server())
            .because("config.tidemark_restore does not exist or the restore is not complete")
    };
    let stored = RestoreState::load(&destination)
        .await?
        .ok_or_else(|| nothing().then("name the destination of a restore with --destination"))?;
    if !stored.complete {
        return Err(nothing().then("run the restore again: it goes on where it stopped"));
    }
    release_on(&destination).await
}

pub(super) async fn release_on(destination: &Destination) -> Result<ReleaseReport> {
    let mut report = ReleaseReport { released: Vec::new(), missing: Vec::new(), already_released: false };
    let Some(document) = RestoreState::parked(destination).await? else { return Ok(report) };
    report.already_released = document.get_bool("released").unwrap_or(false);
    for parked in read_parked(&document)? {
        match destination.coll_mod_raw(&parked.namespace.db, &command(&parked)).await {
            Ok(_) => report.released.push(parked),
            // 26 NamespaceNotFound, 27 IndexNotFound
            Err(error)
                if *error.kind() == replset::ErrorKind::CollectionGone || matches!(error.code(), Some(26 | 27)) =>
            {
                report.missing.push(parked);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let mut released = RawDocumentBuf::new();
    for (key, value) in document.iter().flatten() {
        if key.as_str() == "released" {
            released.append(key, true);
        } else {
            released.append(key, value);
        }
    }
    RestoreState::mark_parked(destination, released).await?;
    Ok(report)
}

fn command(parked: &Parked) -> RawDocumentBuf {
    let coll = parked.namespace.time_series_name().unwrap_or(&parked.namespace.coll);
    let Some(index) = &parked.index else { return rawdoc! { "collMod": coll, "expireAfterSeconds": parked.seconds } };
    let index = rawdoc! { "name": index.as_str(), "expireAfterSeconds": parked.seconds };
    rawdoc! { "collMod": coll, "index": index }
}

fn read_parked(document: &RawDocument) -> Result<Vec<Parked>> {
    let invalid = || {
        Failure::new(FailureKind::Integrity, "the list of parked TTL indexes in config.tidemark_restore cannot be read")
            .because("it was changed by hand")
    };
    let mut list = Vec::new();
    for entry in document.get_array("parked").map_err(|_| invalid())? {
        let entry = entry.ok().and_then(bson::RawBsonRef::as_document).ok_or_else(invalid)?;
        let text = |name| entry.get_str(name).map_err(|_| invalid());
        list.push(Parked {
            namespace: Namespace::new(text("db")?, text("coll")?),
            index: entry.get_str("index").ok().map(str::to_owned),
            seconds: entry.get_i64("seconds").map_err(|_| invalid())?,
        });
    }
    Ok(list)
}
