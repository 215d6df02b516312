//! Typed identifiers: what names an archive, a lineage, a snapshot, a collection and the content of an object.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}")]
pub struct ParseIdError {
    pub what: &'static str,
    pub text: String,
}

impl ParseIdError {
    fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(120).collect() }
    }
}

/// A name that is safe as one path component in every store: no separators, no `..`, no control characters.
pub(crate) fn is_path_component(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

macro_rules! text_serde {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                if is_path_component(text) { Ok(Self(text.to_owned())) } else { Err(ParseIdError::new($what, text)) }
            }
        }

        text_serde!($type);
    };
}

name_type!(
    /// One history of one replica set: `<set name>-<replica set id>`. A restored cluster is another lineage.
    LineageId,
    "lineage id"
);

name_type!(
    /// A snapshot. Ids start with the UTC time at which the snapshot was started, so that names sort by age.
    SnapshotId,
    "snapshot id"
);

name_type!(
    /// A practice restore.
    DrillId,
    "drill id"
);

impl LineageId {
    /// `set_name` may contain characters that a path component may not; they become `_`.
    pub fn from_replica_set(set_name: &str, replica_set_id: &str) -> Result<Self, ParseIdError> {
        let safe: String =
            set_name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect();
        format!("{safe}-{replica_set_id}").parse()
    }
}

/// A collection's UUID: what the server calls it through every rename. Lower-case hex without dashes in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollectionUuid(pub [u8; 16]);

impl CollectionUuid {
    /// From a BSON binary of subtype 4; anything else is not a UUID.
    pub fn from_binary(binary: bson::RawBinaryRef<'_>) -> Option<Self> {
        (binary.subtype == bson::spec::BinarySubtype::Uuid).then(|| binary.bytes.try_into().ok().map(Self)).flatten()
    }

    pub fn to_binary(self) -> bson::Binary {
        bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: self.0.to_vec() }
    }
}

impl fmt::Display for CollectionUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for CollectionUuid {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if !text.bytes().any(|b| b.is_ascii_uppercase()) => Ok(Self(bytes)),
            _ => Err(ParseIdError::new("collection UUID (32 lower-case hex digits)", text)),
        }
    }
}

text_serde!(CollectionUuid);

/// SHA-256 of an object's plain (uncompressed, unencrypted) bytes. 64 hex digits in text, 32 in object keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The first 32 hex digits, as they stand in a slice's key.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..16])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| ParseIdError::new("SHA-256 digest (64 hex digits)", text))?;
        Ok(Self(bytes))
    }
}

text_serde!(Digest);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_archive_are_refused() {
        for text in ["", "..", "../x", "a/b", "a\\b", ".hidden", "a b", "a\n", "ä"] {
            assert!(text.parse::<SnapshotId>().is_err(), "{text}");
            assert!(text.parse::<LineageId>().is_err(), "{text}");
        }
        assert_eq!(LineageId::from_replica_set("rs/0 ü", "6b03").unwrap().as_str(), "rs_0__-6b03");
    }

    #[test]
    fn uuids_and_digests_round_trip() {
        let uuid = CollectionUuid([7; 16]);
        assert_eq!(uuid.to_string().parse::<CollectionUuid>().unwrap(), uuid);
        let digest = Digest::of(b"tidemark");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!(digest.to_string().starts_with(&digest.short()));
    }
}
