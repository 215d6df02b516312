//! `<collection>.metadata.json`.

use bson::{RawDocument, RawDocumentBuf};

use super::extended_json::{NotJson, write_document, write_text};
use crate::CollectionUuid;

/// `type` as `listCollections` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Collection,
    View,
    TimeSeries,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Collection => "collection",
            Self::View => "view",
            Self::TimeSeries => "timeseries",
        }
    }
}

/// Everything about a collection but its documents.
#[derive(Debug, Clone, Copy)]
pub struct Metadata<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub options: &'a RawDocument,
    /// The `_id` index first, as `listIndexes` gives them.
    pub indexes: &'a [RawDocumentBuf],
    /// Views and time-series collections have none of their own.
    pub uuid: Option<CollectionUuid>,
}

impl Metadata<'_> {
    pub fn to_json(&self) -> Result<String, NotJson> {
        let mut out = String::from("{");
        if self.options.iter().next().is_some() {
            out.push_str(r#""options":"#);
            write_document(self.options, &mut out)?;
            out.push(',');
        }
        out.push_str(r#""indexes":["#);
        for (position, index) in self.indexes.iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            write_document(index, &mut out)?;
        }
        out.push(']');
        if let Some(uuid) = self.uuid {
            out.push_str(&format!(r#","uuid":"{uuid}""#));
        }
        out.push_str(r#","collectionName":"#);
        write_text(self.name, &mut out);
        out.push_str(&format!(r#","type":"{}"}}"#, self.kind.name()));
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;

    use super::*;

    /// As mongodump 100.x writes it.
    #[test]
    fn the_fields_and_their_order_are_those_of_mongodump() {
        let indexes = [rawdoc! { "v": 2, "key": { "_id": 1 }, "name": "_id_" }];
        let mut metadata = Metadata {
            name: "orders",
            kind: Kind::Collection,
            options: &rawdoc! {},
            indexes: &indexes,
            uuid: Some(CollectionUuid([0xab; 16])),
        };
        let uuid = "ab".repeat(16);
        assert_eq!(
            metadata.to_json().unwrap(),
            format!(
                r#"{{"indexes":[{{"v":{{"$numberInt":"2"}},"key":{{"_id":{{"$numberInt":"1"}}}},"name":"_id_"}}],"uuid":"{uuid}","collectionName":"orders","type":"collection"}}"#
            )
        );
        let view = rawdoc! { "viewOn": "orders", "pipeline": [] };
        metadata = Metadata { name: "v", kind: Kind::View, options: &view, indexes: &[], uuid: None };
        assert_eq!(
            metadata.to_json().unwrap(),
            r#"{"options":{"viewOn":"orders","pipeline":[]},"indexes":[],"collectionName":"v","type":"view"}"#
        );
    }
}
