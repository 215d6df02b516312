//! BSON written and read byte by byte.
//!
//! The oracle and the hostile documents must not share code with what they test, and must hold values that a BSON
//! library refuses or rewrites (deprecated types, unusual sub-types, text that is not UTF-8).

use mongodb::bson::RawDocumentBuf;

pub const DOUBLE: u8 = 0x01;
pub const STRING: u8 = 0x02;
pub const DOCUMENT: u8 = 0x03;
pub const ARRAY: u8 = 0x04;
pub const BINARY: u8 = 0x05;
pub const UNDEFINED: u8 = 0x06;
pub const OBJECT_ID: u8 = 0x07;
pub const BOOL: u8 = 0x08;
pub const DATE: u8 = 0x09;
pub const NULL: u8 = 0x0a;
pub const REGEX: u8 = 0x0b;
pub const DB_POINTER: u8 = 0x0c;
pub const CODE: u8 = 0x0d;
pub const SYMBOL: u8 = 0x0e;
pub const CODE_WITH_SCOPE: u8 = 0x0f;
pub const INT32: u8 = 0x10;
pub const TIMESTAMP: u8 = 0x11;
pub const INT64: u8 = 0x12;
pub const DECIMAL128: u8 = 0x13;
pub const MIN_KEY: u8 = 0xff;
pub const MAX_KEY: u8 = 0x7f;

/// Appends elements to one buffer; nested documents are written in place.
#[derive(Debug)]
pub struct DocumentWriter {
    bytes: Vec<u8>,
    open: Vec<usize>,
}

impl Default for DocumentWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl DocumentWriter {
    pub fn new() -> Self {
        Self::with_capacity(256)
    }

    pub fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(&[0; 4]);
        Self { bytes, open: vec![0] }
    }

    /// One element as it stands: type, name and the bytes of its value.
    pub fn element(&mut self, kind: u8, name: &str, value: &[u8]) -> &mut Self {
        self.header(kind, name);
        self.bytes.extend_from_slice(value);
        self
    }

    pub fn str(&mut self, name: &str, value: &str) -> &mut Self {
        self.header(STRING, name);
        self.bytes.extend_from_slice(&length(value.len() + 1));
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.push(0);
        self
    }

    pub fn f64(&mut self, name: &str, value: f64) -> &mut Self {
        self.element(DOUBLE, name, &value.to_le_bytes())
    }

    pub fn i32(&mut self, name: &str, value: i32) -> &mut Self {
        self.element(INT32, name, &value.to_le_bytes())
    }

    pub fn i64(&mut self, name: &str, value: i64) -> &mut Self {
        self.element(INT64, name, &value.to_le_bytes())
    }

    pub fn bool(&mut self, name: &str, value: bool) -> &mut Self {
        self.element(BOOL, name, &[u8::from(value)])
    }

    /// Milliseconds since the epoch.
    pub fn date(&mut self, name: &str, milliseconds: i64) -> &mut Self {
        self.element(DATE, name, &milliseconds.to_le_bytes())
    }

    pub fn timestamp(&mut self, name: &str, seconds: u32, increment: u32) -> &mut Self {
        self.element(TIMESTAMP, name, &((u64::from(seconds) << 32) | u64::from(increment)).to_le_bytes())
    }

    pub fn binary(&mut self, name: &str, subtype: u8, content: &[u8]) -> &mut Self {
        self.header(BINARY, name);
        self.bytes.extend_from_slice(&length(content.len()));
        self.bytes.push(subtype);
        self.bytes.extend_from_slice(content);
        self
    }

    /// A finished document as a value.
    pub fn document(&mut self, name: &str, document: &[u8]) -> &mut Self {
        self.element(DOCUMENT, name, document)
    }

    pub fn begin_document(&mut self, name: &str) -> &mut Self {
        self.begin(DOCUMENT, name)
    }

    /// Elements of an array are named by their position: "0", "1", ….
    pub fn begin_array(&mut self, name: &str) -> &mut Self {
        self.begin(ARRAY, name)
    }

    /// Ends the innermost document or array that was begun.
    pub fn end(&mut self) -> &mut Self {
        if self.open.len() > 1 {
            self.close();
        }
        self
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.len() == 4
    }

    pub fn finish(&mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.close();
        }
        std::mem::take(&mut self.bytes)
    }

    /// For the driver. Checks no more than the length.
    pub fn build(&mut self) -> anyhow::Result<RawDocumentBuf> {
        Ok(RawDocumentBuf::from_bytes(self.finish())?)
    }

    fn begin(&mut self, kind: u8, name: &str) -> &mut Self {
        self.header(kind, name);
        self.open.push(self.bytes.len());
        self.bytes.extend_from_slice(&[0; 4]);
        self
    }

    fn close(&mut self) {
        if let Some(start) = self.open.pop() {
            self.bytes.push(0);
            let size = length(self.bytes.len() - start);
            self.bytes[start..start + 4].copy_from_slice(&size);
        }
    }

    fn header(&mut self, kind: u8, name: &str) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
    }
}

fn length(size: usize) -> [u8; 4] {
    u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()
}

/// One element of a document: type, name and the bytes of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    pub kind: u8,
    pub name: &'a [u8],
    pub value: &'a [u8],
}

impl Element<'_> {
    /// Type and value without the name, so that elements can be compared and stored.
    pub fn typed_value(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.value.len() + 1);
        bytes.push(self.kind);
        bytes.extend_from_slice(self.value);
        bytes
    }
}

/// The elements of a document; ends early at the first byte that is not BSON.
pub fn elements(document: &[u8]) -> Elements<'_> {
    Elements { rest: document.get(4..).unwrap_or_default() }
}

#[derive(Debug, Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (&kind, rest) = self.rest.split_first()?;
        let end_of_name = rest.iter().position(|byte| *byte == 0)?;
        let (name, rest) = (&rest[..end_of_name], &rest[end_of_name + 1..]);
        let size = value_size(kind, rest)?;
        let value = rest.get(..size)?;
        self.rest = &rest[size..];
        Some(Element { kind, name, value })
    }
}

fn value_size(kind: u8, bytes: &[u8]) -> Option<usize> {
    let prefix = || bytes.first_chunk::<4>().map(|size| u32::from_le_bytes(*size) as usize);
    let c_string = |from: usize| bytes.get(from..)?.iter().position(|byte| *byte == 0).map(|at| from + at + 1);
    Some(match kind {
        UNDEFINED | NULL | MIN_KEY | MAX_KEY => 0,
        BOOL => 1,
        INT32 => 4,
        DOUBLE | DATE | TIMESTAMP | INT64 => 8,
        OBJECT_ID => 12,
        DECIMAL128 => 16,
        STRING | CODE | SYMBOL => prefix()? + 4,
        BINARY => prefix()? + 5,
        DB_POINTER => prefix()? + 16,
        DOCUMENT | ARRAY | CODE_WITH_SCOPE => prefix()?,
        REGEX => c_string(c_string(0)?)?,
        _ => return None,
    })
}

pub fn get<'a>(document: &'a [u8], name: &str) -> Option<Element<'a>> {
    elements(document).find(|element| element.name == name.as_bytes())
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Document, doc};

    use super::*;

    #[test]
    fn written_bytes_are_what_the_library_reads() {
        let bytes = DocumentWriter::new()
            .i32("_id", 1)
            .str("name", "ä")
            .begin_array("items")
            .f64("0", 1.5)
            .begin_document("1")
            .bool("deep", true)
            .end()
            .end()
            .i64("last", -1)
            .finish();
        let read: Document = mongodb::bson::deserialize_from_slice(&bytes).unwrap();
        assert_eq!(read, doc! { "_id": 1, "name": "ä", "items": [1.5, { "deep": true }], "last": -1_i64 });
    }

    #[test]
    fn every_value_is_stepped_over_by_its_exact_size() {
        for document in crate::weird::documents() {
            let walked: Vec<Element> = elements(&document.bytes).collect();
            let size: usize = walked.iter().map(|element| element.name.len() + element.value.len() + 2).sum();
            assert_eq!(size + 5, document.bytes.len(), "{}", document.name);
        }
    }
}
