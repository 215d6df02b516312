//! Users, roles and views as they are at the target: few and small, so they are kept in memory and written at the end.
//!
//! Replayed by `mongorestore` they would not come right: it merges users and roles before it replays, and makes views from
//! metadata alone.

use std::collections::BTreeMap;
use std::path::Path;

use archive::bson_run;
use archive::catalog::Finding;
use archive::mongodump::{AUTH_SCHEMA_VERSION, Kind, Metadata, file_stem, looks_like_a_type};
use archive::oplog::{OpKind, Operation};
use archive::{ClusterTime, Namespace, oplog_update};
use bson::{RawDocument, RawDocumentBuf, rawdoc};

use super::Export;
use super::layout::{self, Entry, Role};
use crate::failure::{Failure, Result};

/// All of them together.
const MOST_BYTES: usize = 256 * 1024 * 1024;

#[derive(Debug, Default)]
pub struct Definitions {
    /// By role, database and `_id`.
    documents: BTreeMap<(Role, String, String), RawDocumentBuf>,
    bytes: usize,
}

/// What was written of them.
#[derive(Debug, Default)]
pub struct Written {
    pub users: u64,
    pub roles: u64,
    pub views: u64,
    pub findings: Vec<Finding>,
}

fn unusable(namespace: &Namespace, problem: impl std::fmt::Display) -> Failure {
    Failure::integrity(format!("a definition in {namespace} cannot be used: {problem}")).at(namespace.to_string())
}

impl Definitions {
    /// A document of the snapshot. One that was written again during the scan may come twice; replay settles it.
    pub fn load(&mut self, entry: &Entry<'_>, document: &RawDocument) -> Result<()> {
        let namespace = &entry.collection.namespace;
        bson_run::validate(document.as_bytes()).map_err(|error| unusable(namespace, error))?;
        let id = document.get_str("_id").map_err(|error| unusable(namespace, error))?;
        self.put(entry, id.to_owned(), document.to_owned())
    }

    fn put(&mut self, entry: &Entry<'_>, id: String, document: RawDocumentBuf) -> Result<()> {
        self.bytes += document.as_bytes().len();
        let replaced = self.documents.insert((entry.role, entry.collection.namespace.db.clone(), id), document);
        self.bytes -= replaced.map_or(0, |replaced| replaced.as_bytes().len());
        if self.bytes > MOST_BYTES {
            return Err(unusable(
                &entry.collection.namespace,
                format!("there are more than {MOST_BYTES} bytes of them"),
            ));
        }
        Ok(())
    }

    /// An operation of the window.
    pub fn apply(&mut self, entry: &Entry<'_>, at: ClusterTime, operation: &Operation<'_>) -> Result<()> {
        let namespace = &entry.collection.namespace;
        let wrong = |problem: String| unusable(namespace, format!("the {} at {at}: {problem}", operation.kind.name()));
        let id = operation.document_id().and_then(bson::raw::RawBsonRef::as_str);
        let id = id.ok_or_else(|| wrong("its _id is no text".to_owned()))?.to_owned();
        bson_run::validate(operation.o.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        let key = (entry.role, namespace.db.clone(), id.clone());
        match operation.kind {
            OpKind::Insert => self.put(entry, id, operation.o.to_owned()),
            OpKind::Delete => {
                let removed = self.documents.remove(&key);
                self.bytes -= removed.map_or(0, |removed| removed.as_bytes().len());
                Ok(())
            }
            _ => {
                // One that is not there any more was deleted later in the window, before the scan came by.
                let Some(document) = self.documents.get(&key) else { return Ok(()) };
                let updated = oplog_update::apply(document, operation.o).map_err(|error| wrong(error.to_string()))?;
                let updated = RawDocumentBuf::try_from(&updated).map_err(|error| wrong(error.to_string()))?;
                self.put(entry, id, updated)
            }
        }
    }

    fn of(&self, role: Role) -> impl Iterator<Item = (&str, &RawDocumentBuf)> {
        self.documents.iter().filter(move |((of, ..), _)| *of == role).map(|((_, _, id), document)| (&**id, document))
    }

    pub async fn write(&self, export: &Export<'_>) -> Result<Written> {
        let mut written = Written::default();
        self.write_access(export, &mut written).await?;
        for (id, definition) in self.of(Role::Views) {
            let name = Namespace::parse(id)
                .ok_or_else(|| Failure::integrity(format!("`{}` is not the name of a view", id.escape_debug())))?;
            let options = layout::options_of_view(definition).ok_or_else(|| unusable(&name, "it is no view"))?;
            // The definition of a time-series collection; its buckets are described already.
            if options.get_str("viewOn").is_ok_and(|on| on.starts_with("system.buckets.")) {
                continue;
            }
            let metadata = Metadata { name: &name.coll, kind: Kind::View, options: &options, indexes: &[], uuid: None };
            let json = metadata.to_json().map_err(|error| layout::not_json(&name, &error))?;
            let stem = file_stem(&name.coll).map_err(|error| unusable(&name, error))?;
            let file = layout::folder_of(&name.db)?.join(format!("{stem}.metadata.json"));
            export.folder.write(&file, json.as_bytes()).await?;
            written.findings.extend(looks_like_a_type(&options).map(|mark| layout::ambiguity(&name, &mark)));
            written.views += 1;
        }
        Ok(written)
    }

    /// `admin/system.users`, `system.roles` and the version of their scheme. An empty file makes `mongorestore` stumble.
    async fn write_access(&self, export: &Export<'_>, written: &mut Written) -> Result<()> {
        for (role, count) in [(Role::Users, &mut written.users), (Role::Roles, &mut written.roles)] {
            let documents: Vec<&RawDocumentBuf> = self.of(role).map(|(_, document)| document).collect();
            let Some(entry) = export.layout.entries().find(|entry| entry.role == role) else { continue };
            if documents.is_empty() {
                continue;
            }
            let mut file = export.folder.create(&entry.data_file).await?;
            for document in &documents {
                file.write(document.as_bytes().to_vec()).await?;
            }
            file.close().await?;
            export.folder.write(&entry.metadata_file, entry.metadata.as_bytes()).await?;
            *count = documents.len() as u64;
        }
        if written.users + written.roles == 0 {
            return Ok(());
        }
        let version = rawdoc! { "_id": "authSchema", "currentVersion": AUTH_SCHEMA_VERSION };
        let fcv = rawdoc! { "_id": "featureCompatibilityVersion", "version": export.manifest.fcv.as_str() };
        let both = [fcv.as_bytes(), version.as_bytes()].concat();
        export.folder.write(Path::new("admin/system.version.bson"), &both).await?;
        let id_index = [rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }];
        let metadata = Metadata {
            name: "system.version",
            kind: Kind::Collection,
            options: &RawDocumentBuf::new(),
            indexes: &id_index,
            uuid: None,
        };
        let json = metadata.to_json().map_err(|error| Failure::integrity(error.to_string()))?;
        export.folder.write(Path::new("admin/system.version.metadata.json"), json.as_bytes()).await
    }
}
