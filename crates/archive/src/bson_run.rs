//! Runs of concatenated BSON: what segments, slices and collection pages hold.
//!
//! Documents are passed on as the bytes they are. [`Documents`] checks only what is needed to find the next one
//! (length and terminator); [`validate`] walks every element. Strings are not checked for UTF-8: the server stores
//! whatever a driver sent, and such a document must survive a backup.

use bson::RawDocument;

mod validate;

pub use validate::validate;

/// The empty document.
pub const MIN_DOCUMENT_BYTES: usize = 5;

/// The server allows user documents of 16 MiB and 16 KiB more for its own fields (`BSONObjMaxInternalSize`); oplog
/// entries use that. The rest is slack, so that a server with a slightly larger limit can still be archived.
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024 * 1024 + 64 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid BSON at byte {offset}: {problem}")]
pub struct BsonError {
    /// From the start of the run or document that was looked at.
    pub offset: usize,
    pub problem: &'static str,
}

impl BsonError {
    const fn new(offset: usize, problem: &'static str) -> Self {
        Self { offset, problem }
    }
}

/// The document at the start of `bytes`, which may go on behind it. Checks its length and its terminator.
pub fn first_document(bytes: &[u8]) -> Result<&[u8], BsonError> {
    let length = declared_length(bytes).ok_or(BsonError::new(0, "ends within a length"))?;
    if !(MIN_DOCUMENT_BYTES..=MAX_DOCUMENT_BYTES).contains(&length) {
        return Err(BsonError::new(0, "a document cannot have this length"));
    }
    let document = bytes.get(..length).ok_or(BsonError::new(0, "ends within a document"))?;
    if document[length - 1] != 0 {
        return Err(BsonError::new(length - 1, "a document does not end with a zero byte"));
    }
    Ok(document)
}

/// Exactly one document, nothing behind it.
pub fn whole_document(bytes: &[u8]) -> Result<&RawDocument, BsonError> {
    let document = first_document(bytes)?;
    if document.len() != bytes.len() {
        return Err(BsonError::new(document.len(), "more bytes than the document has"));
    }
    raw(document)
}

fn raw(document: &[u8]) -> Result<&RawDocument, BsonError> {
    RawDocument::from_bytes(document).map_err(|_| BsonError::new(0, "length or terminator of a document is wrong"))
}

fn declared_length(bytes: &[u8]) -> Option<usize> {
    let prefix = bytes.first_chunk::<4>()?;
    // A negative length becomes one that no document may have.
    Some(usize::try_from(i32::from_le_bytes(*prefix)).unwrap_or(0))
}

/// The documents of a run, in order. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Documents<'a> {
    run: &'a [u8],
    offset: usize,
}

impl<'a> Documents<'a> {
    pub const fn new(run: &'a [u8]) -> Self {
        Self { run, offset: 0 }
    }

    /// Where the next document starts.
    pub const fn offset(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Documents<'a> {
    type Item = Result<&'a RawDocument, BsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.run.get(self.offset..).filter(|rest| !rest.is_empty())?;
        let start = self.offset;
        match first_document(rest).and_then(|document| Ok((document.len(), raw(document)?))) {
            Ok((length, document)) => {
                self.offset += length;
                Some(Ok(document))
            }
            Err(error) => {
                self.offset = self.run.len();
                Some(Err(BsonError::new(start + error.offset, error.problem)))
            }
        }
    }
}

/// Walks every element of every document of a run; the number of documents.
pub fn validate_run(run: &[u8]) -> Result<u64, BsonError> {
    let mut count = 0;
    let mut documents = Documents::new(run);
    loop {
        let start = documents.offset();
        let Some(document) = documents.next() else { return Ok(count) };
        validate(document?.as_bytes()).map_err(|error| BsonError::new(start + error.offset, error.problem))?;
        count += 1;
    }
}

#[cfg(test)]
mod tests;
