//! Encryption: the standard age format around a whole object, `age -d` reads it.
//!
//! The sidecar holds recipients (public keys) only, so what it wrote before it was broken into stays closed to the thief;
//! identities (secret keys) are read by `dr-cli` alone. Like `framed`, [`Encryptor`] and [`Decryptor`] do no I/O: bytes in,
//! bytes out, in pieces of any size. Encrypting takes randomness from the system, the one impurity of this crate.
//!
//! An age file does not name its recipients. So that a missing key can be asked for by name, the recipients are recorded in
//! the clear: in the manifest for a snapshot, and for slices in [`RecipientsRecord`]s, one whenever they change.

mod decryptor;
mod encryptor;
mod error;
mod keys;
mod recipients_record;

#[cfg(test)]
mod tests;

pub use decryptor::Decryptor;
pub use encryptor::{EncryptionError, Encryptor};
pub use error::DecryptionError;
pub use keys::{Identities, KeyTextError, MAX_RECIPIENTS, Recipients};
pub use recipients_record::RecipientsRecord;

/// Plain bytes that age encrypts at once. Whoever encrypts or decrypts a stream holds one such chunk and not more.
pub const CHUNK_BYTES: usize = 64 * 1024;
