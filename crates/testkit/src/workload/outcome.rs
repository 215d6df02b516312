//! What the server said: done, refused in a way that a random workload must expect, or something to stop for.

use mongodb::error::{Error, ErrorKind, WriteFailure};

use super::Tally;

/// Codes with which a server of 4.4 to 8.x refuses what a random operation asks for.
const REFUSALS: [i32; 36] = [
    2,      // BadValue
    5,      // GraphContainsCycle: views
    9,      // FailedToParse
    14,     // TypeMismatch
    20,     // IllegalOperation
    26,     // NamespaceNotFound
    27,     // IndexNotFound
    28,     // PathNotViable
    40,     // ConflictingUpdateOperators
    48,     // NamespaceExists
    54,     // NotSingleValueField
    66,     // ImmutableField
    67,     // CannotCreateIndex
    68,     // IndexAlreadyExists
    72,     // InvalidOptions
    73,     // InvalidNamespace
    85,     // IndexOptionsConflict
    86,     // IndexKeySpecsConflict
    96,     // OperationFailed
    115,    // CommandNotSupported
    121,    // DocumentValidationFailure
    166,    // CommandNotSupportedOnView
    167,    // OptionNotSupportedOnView
    171,    // CannotIndexParallelArrays
    197,    // InvalidIndexSpecificationOption
    263,    // OperationNotSupportedInTransaction
    303,    // FeatureNotSupported: 6.0 on clustered collections
    359,    // CannotConvertIndexToUnique
    388,    // TransactionTooLargeForCache: of a small cache after a hundred histories
    10_003, // a capped document may not grow
    11_000, // DuplicateKey
    16_755, // 2dsphere: no geometry
    16_764, // hashed: not unique
    16_766, // hashed: arrays
    16_837, // no positional match
    17_261, // text: language
];

/// The code when the server refused the operation; `None` for everything that should not happen.
pub(super) fn refusal(error: &Error) -> Option<i32> {
    let code = match &*error.kind {
        ErrorKind::Command(command) => command.code,
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code,
        ErrorKind::InsertMany(many) if many.write_concern_error.is_none() => many.write_errors.as_ref()?.first()?.code,
        _ => return None,
    };
    REFUSALS.contains(&code).then_some(code)
}

/// How often each kind of operation was done and refused.
#[derive(Debug, Clone, Default)]
pub struct Outcomes(Tally);

impl Outcomes {
    pub(super) fn count(&mut self, kind: &'static str, done: bool) {
        let (yes, no) = self.0.entry(kind).or_default();
        *if done { yes } else { no } += 1;
    }

    /// How often this kind was done.
    pub fn done(&self, kind: &str) -> u64 {
        self.0.get(kind).map_or(0, |(done, _)| *done)
    }

    /// Kind, times done, times refused.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        self.0.iter().map(|(kind, (done, refused))| (*kind, *done, *refused))
    }
}
