//! BSON as bytes: walks elements and builds commands without decoding a value.
//!
//! The BSON library refuses some bytes that a server stores (text that is not UTF-8) and normalises others (binary
//! subtype 2), so what travels from archive to server is copied here by type and length only. Used by `scan` and
//! `oplog` for batches and by `destination` for commands.

use bson::{RawDocument, RawDocumentBuf};

use crate::error::ReplsetError;

pub const DOCUMENT: u8 = 0x03;
pub const ARRAY: u8 = 0x04;
pub const TIMESTAMP: u8 = 0x11;
pub const DOUBLE: u8 = 0x01;
pub const DECIMAL128: u8 = 0x13;

const STRING: u8 = 0x02;
const BOOL: u8 = 0x08;
const INT32: u8 = 0x10;
const EMPTY_DOCUMENT: &[u8] = &[5, 0, 0, 0, 0];

/// One element of a document: type, name and the bytes of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    pub kind: u8,
    pub name: &'a [u8],
    pub value: &'a [u8],
}

impl<'a> Element<'a> {
    pub fn as_document(&self) -> Option<&'a RawDocument> {
        (self.kind == DOCUMENT).then(|| RawDocument::from_bytes(self.value).ok()).flatten()
    }
}

/// The elements of a document or array in their order. Ends with an error at the first byte that is not BSON.
pub fn elements(document: &RawDocument) -> Elements<'_> {
    Elements { rest: document.as_bytes().get(4..).unwrap_or_default() }
}

pub fn field<'a>(document: &'a RawDocument, name: &str) -> Option<Element<'a>> {
    elements(document).map_while(Result::ok).find(|element| element.name == name.as_bytes())
}

#[derive(Debug, Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    fn split(&self) -> Option<(Element<'a>, &'a [u8])> {
        let (&kind, rest) = self.rest.split_first()?;
        let end_of_name = rest.iter().position(|byte| *byte == 0)?;
        let (name, rest) = (&rest[..end_of_name], &rest[end_of_name + 1..]);
        let value = rest.get(..value_length(kind, rest)?)?;
        Some((Element { kind, name, value }, &rest[value.len()..]))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, ReplsetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest == [0] || self.rest.is_empty() {
            return None;
        }
        if let Some((element, rest)) = self.split() {
            self.rest = rest;
            return Some(Ok(element));
        }
        self.rest = &[];
        Some(Err(ReplsetError::protocol("read BSON", "a document is not valid BSON: an element runs past its end")))
    }
}

fn value_length(kind: u8, bytes: &[u8]) -> Option<usize> {
    let prefix = || bytes.first_chunk().map(|length| u32::from_le_bytes(*length) as usize);
    let text = |from: usize| bytes.get(from..)?.iter().position(|byte| *byte == 0).map(|at| from + at + 1);
    Some(match kind {
        0x06 | 0x0a | 0x7f | 0xff => 0,
        BOOL => 1,
        INT32 => 4,
        DOUBLE | 0x09 | TIMESTAMP | 0x12 => 8,
        0x07 => 12,
        DECIMAL128 => 16,
        STRING | 0x0d | 0x0e => prefix()?.checked_add(4)?,
        0x05 => prefix()?.checked_add(5)?,
        0x0c => prefix()?.checked_add(16)?,
        DOCUMENT | ARRAY | 0x0f => prefix().filter(|length| *length >= 5)?,
        0x0b => text(text(0)?)?,
        _ => return None,
    })
}

/// The documents of a batch array, borrowed from the reply that holds them.
#[derive(Debug, Clone)]
pub struct RawDocuments<'a> {
    elements: Elements<'a>,
}

impl<'a> RawDocuments<'a> {
    /// The documents of `array`; anything but a document in it is an error.
    pub fn of_array(array: &'a RawDocument) -> Self {
        Self { elements: elements(array) }
    }

    /// `cursor.firstBatch` or `cursor.nextBatch` of a reply.
    pub fn of_reply(reply: &'a RawDocument) -> Result<Self, ReplsetError> {
        let cursor = field(reply, "cursor").and_then(|cursor| cursor.as_document());
        let batch = cursor.and_then(|cursor| field(cursor, "firstBatch").or_else(|| field(cursor, "nextBatch")));
        let array =
            batch.filter(|batch| batch.kind == ARRAY).and_then(|batch| RawDocument::from_bytes(batch.value).ok());
        array.map(Self::of_array).ok_or_else(|| ReplsetError::protocol("read a batch", "the reply has no batch"))
    }
}

impl<'a> Iterator for RawDocuments<'a> {
    type Item = Result<&'a RawDocument, ReplsetError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.elements.next()?.and_then(|element| {
            element
                .as_document()
                .ok_or_else(|| ReplsetError::protocol("read a batch", "an entry of the batch is not a document"))
        }))
    }
}

/// Builds a document by appending to one buffer; nested documents and arrays are written in place.
#[derive(Debug)]
pub struct RawWriter {
    bytes: Vec<u8>,
    open: Vec<usize>,
}

impl Default for RawWriter {
    fn default() -> Self {
        Self::with_capacity(256)
    }
}

impl RawWriter {
    pub fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(&[0; 4]);
        Self { bytes, open: vec![0] }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.len() == 4
    }

    /// One element as it stands: its bytes are copied, whatever they are.
    pub fn value(&mut self, name: &[u8], kind: u8, value: &[u8]) -> &mut Self {
        self.header(kind, name);
        self.bytes.extend_from_slice(value);
        self
    }

    pub fn element(&mut self, element: Element<'_>) -> &mut Self {
        self.value(element.name, element.kind, element.value)
    }

    pub fn str(&mut self, name: &str, text: &str) -> &mut Self {
        self.header(STRING, name.as_bytes());
        let length = u32::try_from(text.len() + 1).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        self
    }

    pub fn i32(&mut self, name: &str, value: i32) -> &mut Self {
        self.value(name.as_bytes(), INT32, &value.to_le_bytes())
    }

    pub fn bool(&mut self, name: &str, value: bool) -> &mut Self {
        self.value(name.as_bytes(), BOOL, &[u8::from(value)])
    }

    pub fn timestamp(&mut self, name: &str, time: archive::ClusterTime) -> &mut Self {
        self.value(name.as_bytes(), TIMESTAMP, &time.to_bits().to_le_bytes())
    }

    pub fn document(&mut self, name: &str, document: &RawDocument) -> &mut Self {
        self.value(name.as_bytes(), DOCUMENT, document.as_bytes())
    }

    pub fn uuid(&mut self, name: &str, uuid: archive::CollectionUuid) -> &mut Self {
        let mut value = [0; 21];
        value[0] = 16;
        value[4] = 4;
        value[5..].copy_from_slice(&uuid.0);
        self.value(name.as_bytes(), 0x05, &value)
    }

    pub fn begin_document(&mut self, name: &str) -> &mut Self {
        self.begin(DOCUMENT, name.as_bytes())
    }

    pub fn begin_array(&mut self, name: &str) -> &mut Self {
        self.begin(ARRAY, name.as_bytes())
    }

    /// The next entry of the array that is open, at its position.
    pub fn entry(&mut self, position: usize, document: &RawDocument) -> &mut Self {
        self.index_header(DOCUMENT, position);
        self.bytes.extend_from_slice(document.as_bytes());
        self
    }

    pub fn begin_entry(&mut self, position: usize) -> &mut Self {
        self.index_header(DOCUMENT, position);
        self.open_here()
    }

    /// Ends the innermost document or array.
    pub fn end(&mut self) -> &mut Self {
        if self.open.len() > 1 {
            self.close();
        }
        self
    }

    pub fn finish(mut self) -> RawDocumentBuf {
        while !self.open.is_empty() {
            self.close();
        }
        // The buffer has the length prefix and the final zero that this checks; nothing else is looked at.
        RawDocumentBuf::from_bytes(self.bytes).unwrap_or_default()
    }

    fn begin(&mut self, kind: u8, name: &[u8]) -> &mut Self {
        self.header(kind, name);
        self.open_here()
    }

    fn open_here(&mut self) -> &mut Self {
        self.open.push(self.bytes.len());
        self.bytes.extend_from_slice(&[0; 4]);
        self
    }

    fn close(&mut self) {
        if let Some(start) = self.open.pop() {
            self.bytes.push(0);
            let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
            self.bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
        }
    }

    fn header(&mut self, kind: u8, name: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
    }

    fn index_header(&mut self, kind: u8, position: usize) {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = position;
        loop {
            at -= 1;
            digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.header(kind, &digits[at..]);
    }
}

/// What identifies a document in its collection: the `_id`, as type and bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentKey {
    kind: u8,
    value: Vec<u8>,
}

impl DocumentKey {
    /// The `_id` of a document (also of an oplog entry's `o2`, or `o` of a delete); `None` when it has none.
    pub fn of(document: &RawDocument) -> Option<Self> {
        field(document, "_id").map(|id| Self { kind: id.kind, value: id.value.to_vec() })
    }

    pub fn kind(&self) -> u8 {
        self.kind
    }

    /// Equal on the server only when equal in bytes, whatever the collation.
    pub(crate) fn is_exact(&self) -> bool {
        matches!(self.kind, 0x05 | 0x07 | BOOL | 0x09 | TIMESTAMP)
    }

    /// Appends `name: <the _id>` as a query condition that is an equality for every kind of value.
    pub(crate) fn write_condition(&self, name: &str, writer: &mut RawWriter) {
        let looks_like_operator = self.kind == DOCUMENT && self.value.get(5) == Some(&b'$');
        if looks_like_operator {
            writer.begin_document(name).value(b"$eq", self.kind, &self.value).end();
        } else {
            writer.value(name.as_bytes(), self.kind, &self.value);
        }
    }

    pub(crate) fn write_value(&self, name: &str, writer: &mut RawWriter) {
        writer.value(name.as_bytes(), self.kind, &self.value);
    }
}

impl From<&bson::RawBson> for DocumentKey {
    fn from(id: &bson::RawBson) -> Self {
        let mut document = RawDocumentBuf::new();
        document.append(bson::raw::cstr!("_id"), id);
        Self::of(&document).unwrap_or_else(|| Self { kind: DOCUMENT, value: EMPTY_DOCUMENT.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use bson::{doc, rawdoc};

    use super::*;

    #[test]
    fn written_documents_are_what_the_library_reads() {
        let mut writer = RawWriter::default();
        writer.str("insert", "c").i32("n", -1).bool("ordered", true).begin_array("documents");
        for position in 0..12 {
            writer.begin_entry(position).i32("_id", i32::try_from(position).unwrap()).end();
        }
        writer.end().begin_document("rc").str("level", "majority").end();
        let document: bson::Document = (&*writer.finish()).try_into().unwrap();
        let documents: Vec<_> = (0..12).map(|i| doc! { "_id": i }).collect();
        let expected =
            doc! { "insert": "c", "n": -1, "ordered": true, "documents": documents, "rc": { "level": "majority" } };
        assert_eq!(document, expected);
    }

    #[test]
    fn elements_of_every_type_are_walked_and_copied() {
        let source = rawdoc! {
            "a": 1.5, "b": "text", "c": { "d": [1, 2] }, "e": bson::Regex { pattern: bson::raw::cstr!("p").into(), options: bson::raw::cstr!("i").into() },
            "f": bson::oid::ObjectId::new(), "g": true, "h": bson::DateTime::now(), "i": bson::RawBson::Null, "j": 7_i64,
            "k": bson::Timestamp { time: 1, increment: 2 }, "l": bson::RawBson::MinKey, "m": bson::Binary { subtype: 0x02.into(), bytes: vec![1] },
        };
        let mut copy = RawWriter::default();
        for element in elements(&source) {
            copy.element(element.unwrap());
        }
        assert_eq!(copy.finish(), source);
    }

    #[test]
    fn truncated_elements_end_with_an_error() {
        let mut bytes = rawdoc! { "a": "text" }.into_bytes();
        bytes[7] = 100;
        let document = RawDocumentBuf::from_bytes(bytes).unwrap();
        let results: Vec<_> = elements(&document).collect();
        assert_eq!(results.len(), 1);
        assert!(results[0].is_err());
    }
}
