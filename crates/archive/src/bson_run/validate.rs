//! Walking every element of one document.
//!
//! Not the `bson` crate's own walk: that one takes strings that are not UTF-8 for corruption, and it recurses, which
//! a hostile document of a million levels turns into a stack overflow.

use super::{BsonError, MAX_DOCUMENT_BYTES, MIN_DOCUMENT_BYTES};

/// The server allows at most 250 levels (`maxBSONDepth`) plus a few for its own wrapping in oplog entries.
const MAX_DEPTH: usize = 300;

const fn fail<T>(offset: usize, problem: &'static str) -> Result<T, BsonError> {
    Err(BsonError::new(offset, problem))
}

/// `bytes` is exactly one structurally valid document: types, lengths and terminators down to the last level.
pub fn validate(bytes: &[u8]) -> Result<(), BsonError> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return fail(0, "a document cannot have this length");
    }
    // Ends of the open documents, innermost last; each end is the offset just behind its terminator.
    let mut open: Vec<usize> = Vec::with_capacity(16);
    let mut at = Walk { bytes, offset: 0, end: bytes.len() };
    let end = at.enter()?;
    if end != bytes.len() {
        return fail(0, "more bytes than the document has");
    }
    open.push(end);
    while let Some(&end) = open.last() {
        at.end = end - 1;
        if at.offset == at.end {
            if bytes[at.offset] != 0 {
                return fail(at.offset, "a document does not end with a zero byte");
            }
            at.offset += 1;
            open.pop();
            continue;
        }
        let start = at.offset;
        let tag = at.byte()?;
        if tag == 0 {
            return fail(start, "a document ends before its length says");
        }
        at.cstring()?;
        if let Some(inner) = at.value(tag)? {
            if open.len() == MAX_DEPTH {
                return fail(start, "nested deeper than the server allows");
            }
            open.push(inner);
        }
    }
    Ok(())
}

struct Walk<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Nothing of the current document's elements lies at or behind it.
    end: usize,
}

impl Walk<'_> {
    fn skip(&mut self, length: usize) -> Result<(), BsonError> {
        if length > self.end - self.offset {
            return fail(self.offset, "a value is longer than its document");
        }
        self.offset += length;
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, BsonError> {
        let at = self.offset;
        self.skip(1)?;
        Ok(self.bytes[at])
    }

    fn length(&mut self) -> Result<usize, BsonError> {
        let at = self.offset;
        self.skip(4)?;
        let prefix = self.bytes[at..].first_chunk::<4>().copied().unwrap_or_default();
        usize::try_from(i32::from_le_bytes(prefix)).or_else(|_| fail(at, "a length is negative"))
    }

    fn cstring(&mut self) -> Result<(), BsonError> {
        match self.bytes[self.offset..self.end].iter().position(|&byte| byte == 0) {
            Some(length) => self.skip(length + 1),
            None => fail(self.offset, "a name or pattern does not end"),
        }
    }

    fn string(&mut self) -> Result<(), BsonError> {
        let at = self.offset;
        let length = self.length()?;
        if length == 0 {
            return fail(at, "a string without its zero byte");
        }
        self.skip(length)?;
        if self.bytes[self.offset - 1] != 0 {
            return fail(at, "a string does not end with a zero byte");
        }
        Ok(())
    }

    /// Reads a document's length; the offset behind its end.
    fn enter(&mut self) -> Result<usize, BsonError> {
        let at = self.offset;
        let length = self.length()?;
        if length < MIN_DOCUMENT_BYTES || length > self.end - at {
            return fail(at, "an inner document cannot have this length");
        }
        Ok(at + length)
    }

    /// Skips a value; for a document or an array it enters it and tells where it ends.
    fn value(&mut self, tag: u8) -> Result<Option<usize>, BsonError> {
        let at = self.offset;
        match tag {
            // double, date, timestamp, int64
            0x01 | 0x09 | 0x11 | 0x12 => self.skip(8)?,
            // string, code, symbol
            0x02 | 0x0D | 0x0E => self.string()?,
            0x03 | 0x04 => return self.enter().map(Some),
            0x05 => self.binary()?,
            // undefined, null, max key, min key
            0x06 | 0x0A | 0x7F | 0xFF => {}
            0x07 => self.skip(12)?,
            0x08 => {
                if self.byte()? > 1 {
                    return fail(at, "a boolean is neither 0 nor 1");
                }
            }
            0x0B => {
                self.cstring()?;
                self.cstring()?;
            }
            // DBPointer
            0x0C => {
                self.string()?;
                self.skip(12)?;
            }
            0x0F => return self.code_with_scope().map(Some),
            0x10 => self.skip(4)?,
            0x13 => self.skip(16)?,
            _ => return fail(at, "an element of unknown type"),
        }
        Ok(None)
    }

    fn binary(&mut self) -> Result<(), BsonError> {
        let at = self.offset;
        let length = self.length()?;
        let subtype = self.byte()?;
        let data = self.offset;
        self.skip(length)?;
        // The old generic subtype repeats its length inside.
        if subtype == 2 {
            let inner = self.bytes[data..self.offset].first_chunk::<4>().copied().map(i32::from_le_bytes);
            if inner.and_then(|inner| usize::try_from(inner).ok()).and_then(|inner| inner.checked_add(4))
                != Some(length)
            {
                return fail(at, "an old binary whose two lengths differ");
            }
        }
        Ok(())
    }

    /// Total length, code, scope: the scope must fill the rest of the value exactly.
    fn code_with_scope(&mut self) -> Result<usize, BsonError> {
        let at = self.offset;
        let total = self.length()?;
        if total > self.end - at {
            return fail(at, "a value is longer than its document");
        }
        self.string()?;
        let scope_end = self.enter()?;
        if scope_end != at + total {
            return fail(at, "code with a scope of the wrong length");
        }
        Ok(scope_end)
    }
}
