//! What the files of a collection are called.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha1::{Digest as _, Sha1};

/// With the longest extension (`.metadata.json.gz`) a name is at most 255 bytes, which is what file systems take.
const LONGEST: usize = 238;
const KEPT: usize = 208;

/// A name that no file can have without meaning something else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` cannot be a file of a dump: {problem}")]
pub struct UnusableName {
    pub name: String,
    pub problem: &'static str,
}

/// The name of a collection's files without extension: percent-escaped as a segment of a URL; a longer name is cut and
/// ends with `%24` (an escaped `$`) and a digest, and only the metadata has the whole.
pub fn file_stem(collection: &str) -> Result<String, UnusableName> {
    if collection.is_empty() || collection.contains('\0') {
        return Err(UnusableName { name: collection.to_owned(), problem: "no server has such a collection" });
    }
    let escaped = escape(collection);
    if escaped.len() <= LONGEST {
        return Ok(escaped);
    }
    if collection.starts_with("system.buckets.") {
        // The reader looks for the metadata under the cut name of the buckets, where there is none.
        return Err(UnusableName {
            name: collection.to_owned(),
            problem: "mongorestore does not find the metadata of a time-series collection with so long a name",
        });
    }
    let digest = BASE64_URL_SAFE_NO_PAD.encode(Sha1::digest(collection.as_bytes()));
    Ok(format!("{}%24{digest}", &escaped[..KEPT]))
}

/// Whether a database can be a folder of this name: those that no server allows would lead out of the dump.
pub fn is_database_folder(name: &str) -> bool {
    !name.is_empty() && name.len() <= 63 && !name.contains(['/', '\\', '.', ' ', '"', '$', '\0'])
}

/// As Go's `url.PathEscape` does it.
fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+:=@".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_as_go_escapes_a_segment() {
        let names = [
            ("orders", "orders"),
            ("a/b", "a%2Fb"),
            ("..", ".."),
            ("50% off; a, b?", "50%25%20off%3B%20a%2C%20b%3F"),
            ("a$b&c+d:e=f@g~h", "a$b&c+d:e=f@g~h"),
            ("zwölf\n", "zw%C3%B6lf%0A"),
            ("(*)!'", "%28%2A%29%21%27"),
            ("system.buckets.x", "system.buckets.x"),
        ];
        for (name, stem) in names {
            assert_eq!(file_stem(name).unwrap(), stem);
        }
    }

    #[test]
    fn a_long_name_is_cut_and_told_apart_by_its_digest() {
        let (long, other) = ("x".repeat(239), format!("{}y", "x".repeat(238)));
        let stem = file_stem(&long).unwrap();
        assert_eq!(stem.len(), 238);
        let (kept, digest) = stem.split_once("%24").unwrap();
        // By Python's hashlib and base64.
        assert_eq!((kept.len(), digest), (208, "Nq75d-cu3iRxNs-ce3Tvf9gagoU"));
        assert_ne!(stem, file_stem(&other).unwrap());
        assert_eq!(file_stem(&"x".repeat(238)).unwrap(), "x".repeat(238));
        assert!(file_stem(&format!("system.buckets.{}", "x".repeat(230))).is_err());
    }

    #[test]
    fn a_folder_never_leads_out_of_the_dump() {
        assert!(is_database_folder("shop") && is_database_folder("zwölf"));
        for name in ["", "..", "a/b", "a.b", "a b", "\0", &"x".repeat(64)] {
            assert!(!is_database_folder(name), "{name}");
        }
        assert!(file_stem("").is_err() && file_stem("a\0").is_err());
    }
}
