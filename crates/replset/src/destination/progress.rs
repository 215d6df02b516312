//! A small store of documents in the destination itself, so that a killed restore finds where it was.
//!
//! Every write waits for a majority: what progress claims must survive a failover.

use archive::Namespace;
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::{Destination, PROGRESS};
use crate::connect::{Collected, CursorSettings};
use crate::error::Result;
use crate::raw::{RawWriter, field};

impl Destination {
    pub async fn progress_get(&self, id: &str) -> Result<Option<RawDocumentBuf>> {
        let found = self.progress_find(rawdoc! { "_id": id }).await?;
        Ok(found.documents.first().and_then(|stored| value(stored)))
    }

    /// Puts `document` under `id`, in the place of what was there.
    pub async fn progress_put(&self, id: &str, document: &RawDocument) -> Result<()> {
        let mut command = RawWriter::with_capacity(document.as_bytes().len() + 256);
        command.str("update", PROGRESS.1).begin_array("updates").begin_entry(0);
        command.begin_document("q").str("_id", id).end();
        command.begin_document("u").str("_id", id).document("value", document).end().bool("upsert", true);
        command.end().end().begin_document("writeConcern").str("w", "majority").end();
        self.write(PROGRESS.0, "record the progress", command.finish()).await.map(|_| ())
    }

    /// Everything, ordered by id.
    pub async fn progress_all(&self) -> Result<Vec<(String, RawDocumentBuf)>> {
        let found = self.progress_find(rawdoc! {}).await?;
        let pairs =
            found.documents.iter().filter_map(|stored| Some((stored.get_str("_id").ok()?.to_owned(), value(stored)?)));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(pairs)
    }

    pub async fn progress_remove(&self, id: &str) -> Result<()> {
        let command = rawdoc! {
            "delete": PROGRESS.1, "deletes": [{ "q": { "_id": id }, "limit": 1 }], "writeConcern": { "w": "majority" },
        };
        self.write(PROGRESS.0, "remove a progress record", command).await.map(|_| ())
    }

    pub async fn progress_clear(&self) -> Result<()> {
        self.drop_collection(&Namespace::new(PROGRESS.0, PROGRESS.1)).await
    }

    async fn progress_find(&self, filter: RawDocumentBuf) -> Result<Collected> {
        let command = rawdoc! { "find": PROGRESS.1, "filter": filter, "readConcern": { "level": "majority" } };
        self.connection.collect(PROGRESS.0, "read the progress", command, CursorSettings::default()).await
    }
}

fn value(stored: &RawDocument) -> Option<RawDocumentBuf> {
    field(stored, "value")?.as_document().map(ToOwned::to_owned)
}
