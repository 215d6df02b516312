//! Detached signatures in the minisign format, for drill reports: `minisign -Vm REPORT -P KEY` checks them without us.
//!
//! Who may write to the archive could also write a report; a signature says which key vouches for it. Ed25519 over the
//! `BLAKE2b` digest of the bytes, and over a comment that cannot be changed either.

use std::fmt;
use std::io::Cursor;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minisign::{PublicKey, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};

const MAX_TEXT_BYTES: usize = 16 * 1024;
const GLOBAL_SIGNATURE_DIGITS: usize = 88;
/// How a secret key without a password starts: Ed25519, no key derivation.
const WITHOUT_PASSWORD: &[u8] = b"Ed\0\0";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    #[error("it is not a minisign {what}; make keys with `minisign -G` (add -W for one without a password)")]
    NotAKey { what: &'static str },
    #[error("the secret key has a password and none was given")]
    PasswordNeeded,
    #[error("the password does not open the secret key")]
    WrongPassword,
    #[error("it is not a minisign signature")]
    NotASignature,
    #[error("it is signed by key {signed_by}, not by {expected}")]
    OtherKey { signed_by: String, expected: String },
    #[error("the signature is not that of these bytes; they or the signature were changed")]
    Forged,
    #[error("a comment has to be one line")]
    Comment,
    #[error("cannot sign: {0}")]
    Failed(String),
}

/// Signs reports; its `Debug` shows only the key's number.
pub struct SigningKey(SecretKey);

/// Checks reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey(PublicKey);

impl SigningKey {
    /// A secret key file. Never asks for the password.
    pub fn parse(text: &str, password: Option<&str>) -> Result<Self, SignatureError> {
        const NOT_A_KEY: SignatureError = SignatureError::NotAKey { what: "secret key" };
        let data = data_line(text).and_then(|line| BASE64_STANDARD.decode(line).ok()).ok_or(NOT_A_KEY)?;
        if data.starts_with(WITHOUT_PASSWORD) {
            // Other than the crate, `minisign -W` writes no checksum here; so the key has to prove itself.
            let key = Self(SecretKey::from_bytes(&data).map_err(|_| NOT_A_KEY)?);
            let public = PublicKey::from_secret_key(&key.0).map(VerifyingKey).map_err(|_| NOT_A_KEY)?;
            let proof = key.sign(b"proof", "")?;
            return public.verify(b"proof", &proof).map(|_| key).map_err(|_| NOT_A_KEY);
        }
        let file = SecretKeyBox::from_string(text).map_err(|_| NOT_A_KEY)?;
        let password = password.ok_or(SignatureError::PasswordNeeded)?;
        file.into_secret_key(Some(password.to_owned())).map(Self).map_err(|_| SignatureError::WrongPassword)
    }

    pub fn key_id(&self) -> String {
        key_id(self.0.keynum())
    }

    /// The text of a `.minisig` file.
    pub fn sign(&self, bytes: &[u8], comment: &str) -> Result<String, SignatureError> {
        if comment.chars().any(char::is_control) {
            return Err(SignatureError::Comment);
        }
        let untrusted = format!("signature from tidemark key {}", self.key_id());
        minisign::sign(None, &self.0, Cursor::new(bytes), Some(comment), Some(&untrusted))
            .map(SignatureBox::into_string)
            .map_err(|error| SignatureError::Failed(error.to_string()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.key_id()).finish()
    }
}

impl VerifyingKey {
    /// A public key file, or its second line alone.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        const NOT_A_KEY: SignatureError = SignatureError::NotAKey { what: "public key" };
        if text.len() > MAX_TEXT_BYTES {
            return Err(NOT_A_KEY);
        }
        let text = text.trim();
        let key = if text.lines().count() == 1 {
            PublicKey::from_base64(text)
        } else {
            data_line(text).ok_or(NOT_A_KEY)?;
            PublicKeyBox::from_string(text).and_then(PublicKeyBox::into_public_key)
        };
        key.map(Self).map_err(|_| NOT_A_KEY)
    }

    pub fn key_id(&self) -> String {
        key_id(self.0.keynum())
    }

    /// One line, as `minisign -P` takes it.
    pub fn text(&self) -> String {
        self.0.to_base64()
    }

    /// The signed comment, if `signature` is that of `bytes` by this key.
    pub fn verify(&self, bytes: &[u8], signature: &str) -> Result<String, SignatureError> {
        let parsed = parse_signature(signature).ok_or(SignatureError::NotASignature)?;
        let signed_by = key_id(parsed.keynum());
        if signed_by != self.key_id() {
            return Err(SignatureError::OtherKey { signed_by, expected: self.key_id() });
        }
        minisign::verify(&self.0, &parsed, Cursor::new(bytes), true, false, false)
            .map_err(|_| SignatureError::Forged)?;
        parsed.trusted_comment().map_err(|_| SignatureError::NotASignature)
    }
}

fn parse_signature(text: &str) -> Option<SignatureBox> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    let mut lines = text.lines();
    if lines.nth(3)?.trim().len() != GLOBAL_SIGNATURE_DIGITS || lines.any(|line| !line.trim().is_empty()) {
        return None;
    }
    let parsed = SignatureBox::from_string(text).ok()?;
    // Base64 that says the same with other characters is not the signature that was made.
    let canonical = parsed.to_string();
    let is_canonical = text.lines().zip(canonical.lines()).skip(1).all(|(line, other)| line.trim() == other.trim());
    is_canonical.then_some(parsed)
}

/// The second line of a key file.
fn data_line(text: &str) -> Option<&str> {
    if text.len() > MAX_TEXT_BYTES {
        return None;
    }
    text.lines().nth(1).map(str::trim).filter(|line| !line.is_empty())
}

/// As minisign shows it.
fn key_id(number: &[u8]) -> String {
    hex::encode_upper(number.iter().rev().copied().collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests;
