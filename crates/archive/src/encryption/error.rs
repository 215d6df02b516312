//! What can be wrong when an object is decrypted.

/// Never holds a secret. Offsets are in the encrypted object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptionError {
    #[error("it is not in the age format: it starts with `{found}`")]
    NotAge { found: String },
    #[error("it is in a newer version of the age format than this build reads; use a newer release")]
    NewerAge,
    #[error(
        "none of the identities given (for {}) can decrypt it; it needs one for {}",
        listed(.offered, "nobody"),
        listed(.needed, "recipients that are not recorded")
    )]
    NoMatchingIdentity {
        /// Public keys, as recorded in the archive when it was written.
        needed: Vec<String>,
        /// Public halves of the identities that were tried.
        offered: Vec<String>,
    },
    #[error("its age header is damaged")]
    DamagedHeader,
    /// What was handed out before is authentic; nothing is known about the rest.
    #[error("it is damaged, or cut off, in the 64 KiB behind byte {offset}")]
    Damaged { offset: u64 },
    #[error("it ends too early, at byte {offset}; the rest of it is missing")]
    Truncated { offset: u64 },
}

impl DecryptionError {
    /// Exit code 6 rather than 5: nothing is wrong with the object as far as one can tell.
    pub fn is_key_problem(&self) -> bool {
        matches!(self, Self::NoMatchingIdentity { .. })
    }
}

fn listed(keys: &[String], none: &str) -> String {
    if keys.is_empty() { none.to_owned() } else { keys.join(" or ") }
}
