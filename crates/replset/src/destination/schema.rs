//! Collections, views and indexes of the destination.

use archive::Namespace;
use bson::{RawArray, RawDocument, RawDocumentBuf, rawdoc};

use super::{Destination, copy_without, is_set};
use crate::connect::Reply;
use crate::error::{ErrorKind, Result};
use crate::raw::{ARRAY, RawWriter, elements, field};

/// Options that a listing shows but `create` refuses or that must not come back: `autoIndexId: false` is not allowed
/// on replicated collections, `temp` collections vanish at the next election.
const NOT_CREATABLE: &[&str] = &["autoIndexId", "temp", "uuid"];

impl Destination {
    /// Creates a collection with its options and `_id` index as listed: plain, capped, clustered or time-series buckets.
    ///
    /// For `system.buckets.X` the time-series collection `X` is created with the same settings, which makes the bucket
    /// collection with the server's own validator and the definition in `system.views`.
    pub async fn create_collection(
        &self,
        namespace: &Namespace,
        options: &RawDocument,
        id_index: Option<&RawDocument>,
    ) -> Result<()> {
        let mut command = RawWriter::with_capacity(512 + options.as_bytes().len());
        match namespace.time_series_name() {
            Some(name) if is_set(options, "timeseries") => {
                command.str("create", name);
                copy_without(
                    options,
                    &["validator", "validationLevel", "validationAction", "clusteredIndex", "temp"],
                    &mut command,
                )?;
            }
            _ => {
                command.str("create", &namespace.coll);
                copy_without(options, NOT_CREATABLE, &mut command)?;
                // A clustered collection has no separate index on `_id`; the server refuses both together.
                if let Some(id_index) = id_index.filter(|_| !is_set(options, "clusteredIndex")) {
                    command.begin_document("idIndex");
                    copy_without(id_index, &["ns"], &mut command)?;
                    command.end();
                }
            }
        }
        acknowledged_by_primary(&mut command);
        self.write(&namespace.db, "create a collection", command.finish()).await.map(|_| ())
    }

    pub async fn create_view(
        &self,
        namespace: &Namespace,
        view_on: &str,
        pipeline: &RawArray,
        collation: Option<&RawDocument>,
    ) -> Result<()> {
        let mut command = RawWriter::default();
        command.str("create", &namespace.coll).str("viewOn", view_on).value(b"pipeline", ARRAY, pipeline.as_bytes());
        if let Some(collation) = collation {
            command.document("collation", collation);
        }
        self.write(&namespace.db, "create a view", command.finish()).await.map(|_| ())
    }

    /// Builds all indexes of a collection in one pass over it; waits for a majority of the members.
    ///
    /// `specs` are as listed. `_id` indexes are left out (they exist). In a collection with a default collation
    /// (`default_collation`) an index that lists none has the simple one, and must say so to keep it.
    pub async fn create_indexes(
        &self,
        namespace: &Namespace,
        specs: &[&RawDocument],
        default_collation: bool,
    ) -> Result<()> {
        let mut command = RawWriter::with_capacity(4096);
        command.str("createIndexes", &namespace.coll).begin_array("indexes");
        let mut count = 0;
        for spec in specs.iter().filter(|spec| !is_id_index(spec)) {
            command.begin_entry(count);
            copy_without(spec, &["ns"], &mut command)?;
            if default_collation && !is_set(spec, "collation") {
                command.begin_document("collation").str("locale", "simple").end();
            }
            command.end();
            count += 1;
        }
        if count == 0 {
            return Ok(());
        }
        command.end().str("commitQuorum", "majority");
        acknowledged_by_primary(&mut command);
        self.unlimited(&namespace.db, "build indexes", command.finish()).await.map(|_| ())
    }

    /// A collection or view that does not exist is fine.
    pub async fn drop_collection(&self, namespace: &Namespace) -> Result<()> {
        self.tolerate_missing(&namespace.db, "drop a collection", rawdoc! { "drop": namespace.coll.as_str() }).await
    }

    pub async fn drop_database(&self, database: &str) -> Result<()> {
        self.tolerate_missing(database, "drop a database", rawdoc! { "dropDatabase": 1 }).await
    }

    /// An index that does not exist is fine.
    pub async fn drop_index(&self, namespace: &Namespace, name: &str) -> Result<()> {
        let command = rawdoc! { "dropIndexes": namespace.coll.as_str(), "index": name };
        match self.tolerate_missing(&namespace.db, "drop an index", command).await {
            Err(error) if error.code() == Some(27) => Ok(()),
            result => result,
        }
    }

    pub async fn rename_collection(&self, from: &Namespace, to: &Namespace, drop_target: bool) -> Result<()> {
        let command = rawdoc! { "renameCollection": from.to_string(), "to": to.to_string(), "dropTarget": drop_target };
        self.unlimited("admin", "rename a collection", command).await.map(|_| ())
    }

    /// `collMod` as it is; the collection's name stands in the command.
    pub async fn coll_mod_raw(&self, database: &str, command: &RawDocument) -> Result<Reply> {
        self.unlimited(database, "modify a collection", command.to_owned()).await
    }

    async fn tolerate_missing(&self, database: &str, operation: &'static str, command: RawDocumentBuf) -> Result<()> {
        match self.unlimited(database, operation, command).await {
            Err(error) if *error.kind() == ErrorKind::CollectionGone => Ok(()),
            result => result.map(|_| ()),
        }
    }
}

/// The index on `_id` that each collection has of itself, or that a clustered collection shows in its place.
fn is_id_index(spec: &RawDocument) -> bool {
    if spec.get_bool("clustered").unwrap_or(false) {
        return true;
    }
    let key = field(spec, "key").and_then(|key| key.as_document());
    let mut fields = key.map(elements).into_iter().flatten().map_while(Result::ok);
    let first = fields.next().is_some_and(|element| element.name == b"_id" && is_one(element.kind, element.value));
    first && fields.next().is_none()
}

/// The number 1 in any type; `{_id: -1}` and `{_id: "hashed"}` are indexes of their own.
fn is_one(kind: u8, value: &[u8]) -> bool {
    match kind {
        0x01 => value == 1.0_f64.to_le_bytes(),
        0x10 => value == 1_i32.to_le_bytes(),
        0x12 => value == 1_i64.to_le_bytes(),
        _ => false,
    }
}

/// The server's default is a majority, which costs a journal flush for each of thousands of collections; whoever needs
/// certainty waits once, at [`Destination::majority_barrier`].
fn acknowledged_by_primary(command: &mut RawWriter) {
    command.begin_document("writeConcern").i32("w", 1).end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_own_id_index_is_left_out() {
        for spec in [
            rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" },
            rawdoc! { "v": 1, "key": { "_id": 1.0 }, "name": "_id_" },
            rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "mine", "unique": true, "clustered": true },
        ] {
            assert!(is_id_index(&spec), "{spec:?}");
        }
        for spec in [
            rawdoc! { "v": 2, "key": { "_id": "hashed" }, "name": "_id_hashed" },
            rawdoc! { "v": 2, "key": { "_id": 1, "a": 1 }, "name": "_id_1_a_1" },
            rawdoc! { "v": 2, "key": { "a": 1 }, "name": "a_1" },
        ] {
            assert!(!is_id_index(&spec), "{spec:?}");
        }
    }
}
