//! Skippable frames with our JSON in them: how header and footer look in bytes.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::{FormatError, MAX_JSON_BYTES, Problem};
use crate::Digest;
use crate::json_record::FORMAT;

/// One of the sixteen magic numbers that every zstd decoder skips, little-endian.
pub(super) const MAGIC: [u8; 4] = 0x184D_2A5D_u32.to_le_bytes();
pub(super) const HEADER_TAG: [u8; 4] = *b"TMHD";
pub(super) const FOOTER_TAG: [u8; 4] = *b"TMFT";
/// Magic and length.
pub(super) const PREFIX: usize = 8;

const CHECK_START: &[u8] = b",\"check\":\"";
const CHECK_END: &[u8] = b"\"}";
const CHECK_DIGITS: usize = 16;

/// The first 8 bytes of the SHA-256 of a frame's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Check([u8; 8]);

impl Check {
    fn of(content: &[u8]) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&Digest::of(content).0[..8]);
        Self(first)
    }
}

impl Serialize for Check {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 8];
        hex::decode_to_slice(&text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

/// The whole frame, and its check. `value` must serialise to an object with at least one member.
pub(super) fn encode<T: Serialize>(
    tag: [u8; 4],
    what: &'static str,
    value: &T,
) -> Result<(Vec<u8>, Check), FormatError> {
    let unwritable = |problem: String| FormatError::new(0, Problem::Json { what, problem });
    let json = serde_json::to_vec(value).map_err(|error| unwritable(error.to_string()))?;
    let [b'{', .., b'}'] = json.as_slice() else { return Err(unwritable("not an object".into())) };
    let mut frame = Vec::with_capacity(json.len() + 64);
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(&tag);
    frame.extend_from_slice(&json[..json.len() - 1]);
    let check = Check::of(&frame[PREFIX..]);
    frame.extend_from_slice(CHECK_START);
    frame.extend_from_slice(hex::encode(check.0).as_bytes());
    frame.extend_from_slice(CHECK_END);
    let length = u32::try_from(frame.len() - PREFIX).ok().filter(|&length| length as usize <= MAX_JSON_BYTES);
    let Some(length) = length else {
        return Err(FormatError::new(
            0,
            Problem::TooLarge { what, bytes: frame.len() as u64, limit: MAX_JSON_BYTES as u64 },
        ));
    };
    frame[4..PREFIX].copy_from_slice(&length.to_le_bytes());
    Ok((frame, check))
}

/// The JSON of a frame's content (behind magic and length), its check verified and its format understood.
pub(super) fn decode(tag: [u8; 4], what: &'static str, content: &[u8]) -> Result<(Vec<u8>, Check), Problem> {
    let Some((found, json)) = content.split_first_chunk::<4>() else {
        return Err(Problem::Truncated { missing: "a frame has no tag" });
    };
    if *found != tag {
        return Err(if matches!(*found, HEADER_TAG | FOOTER_TAG) {
            Problem::UnexpectedFrame { expected: what, found: found.escape_ascii().to_string() }
        } else {
            Problem::UnknownTag { tag: found.escape_ascii().to_string() }
        });
    }
    let check = match checked_part(content) {
        Some((covered, check)) if Check::of(covered) == check => Some(check),
        Some(_) => return Err(Problem::Checksum { what }),
        // A newer format may protect its frames in another way; one of ours always has the check.
        None => None,
    };
    let format: FormatOnly = parse(what, json).map_err(|problem| match check {
        Some(_) => problem,
        None => Problem::Checksum { what },
    })?;
    match check {
        _ if format.format > u64::from(FORMAT) => Err(Problem::NewerFormat { found: format.format, newest: FORMAT }),
        Some(check) if format.format > 0 => Ok((json.to_vec(), check)),
        Some(_) => Err(Problem::Json { what, problem: "format 0 does not exist".into() }),
        None => Err(Problem::Checksum { what }),
    }
}

pub(super) fn parse<T: DeserializeOwned>(what: &'static str, json: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(json).map_err(|error| Problem::Json { what, problem: error.to_string() })
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u64,
}

fn checked_part(content: &[u8]) -> Option<(&[u8], Check)> {
    let rest = content.strip_suffix(CHECK_END)?;
    let (rest, digits) = rest.split_at_checked(rest.len().checked_sub(CHECK_DIGITS)?)?;
    let covered = rest.strip_suffix(CHECK_START)?;
    let mut check = [0; 8];
    // Only lower-case digits are ours; otherwise a flipped case bit would pass.
    if digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    hex::decode_to_slice(digits, &mut check).ok()?;
    Some((covered, Check(check)))
}
