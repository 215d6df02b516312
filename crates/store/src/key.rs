//! Which names an object may have. Every backend checks every key here before it does anything with it, so that a
//! key from a hostile or damaged catalog can neither leave the archive nor mean different objects in different stores.

use crate::error::{ErrorKind, Operation, StoreError};

/// S3 and Azure allow 1024 bytes for a whole key; the prefix of the location has to fit in as well.
const MAX_KEY_BYTES: usize = 900;
/// `NAME_MAX` of every common file system.
const MAX_COMPONENT_BYTES: usize = 255;

/// Keys are relative paths of `/`-separated components. A component is not empty, has no control character and no
/// backslash, does not begin with a dot (`..`; names that file systems and our own staging keep for themselves) nor
/// end with one (Azure drops it), and is not `lost+found`, which ext4 puts into the root of a volume.
pub fn validate_key(key: &str) -> Result<(), &'static str> {
    if key.is_empty() {
        return Err("it is empty");
    }
    if key.len() > MAX_KEY_BYTES {
        return Err("it is longer than 900 bytes");
    }
    key.split('/').try_for_each(validate_component)
}

/// Only what is below a folder `control` may be overwritten; everything else in an archive is immutable.
pub fn validate_mutable_key(key: &str) -> Result<(), &'static str> {
    validate_key(key)?;
    if is_control(key) { Ok(()) } else { Err("only objects below a folder `control` can be overwritten") }
}

/// Whether an object is below a folder `control`.
pub(crate) fn is_control(key: &str) -> bool {
    key.rsplit_once('/').is_some_and(|(folder, _)| folder.split('/').any(|component| component == "control"))
}

/// A prefix is the beginning of a key, cut anywhere; the empty one covers everything.
pub(crate) fn validate_prefix(prefix: &str) -> Result<(), &'static str> {
    let (folder, rest) = prefix.rsplit_once('/').map_or((None, prefix), |(folder, rest)| (Some(folder), rest));
    if let Some(folder) = folder {
        validate_key(folder)?;
    }
    if rest.is_empty() { Ok(()) } else { validate_characters(rest) }
}

/// The prefix of a folder: empty, or ending with `/`.
pub(crate) fn validate_folder_prefix(prefix: &str) -> Result<(), &'static str> {
    validate_prefix(prefix)?;
    if prefix.is_empty() || prefix.ends_with('/') { Ok(()) } else { Err("the prefix of a folder ends with `/`") }
}

pub(crate) fn validate_component(component: &str) -> Result<(), &'static str> {
    if component.is_empty() {
        return Err("it is absolute, ends with `/` or has an empty component");
    }
    if component.ends_with('.') {
        return Err("a component ends with a dot");
    }
    if component == "lost+found" {
        return Err("`lost+found` belongs to the file system");
    }
    validate_characters(component)
}

fn validate_characters(component: &str) -> Result<(), &'static str> {
    if component.len() > MAX_COMPONENT_BYTES {
        return Err("a component is longer than 255 bytes");
    }
    if component.starts_with('.') {
        return Err("a component begins with a dot");
    }
    if component.chars().any(|c| c.is_control() || c == '\\') {
        return Err("it has a control character or a backslash");
    }
    Ok(())
}

/// Turns the verdict of a rule above into the error of the operation that was refused.
pub(crate) fn checked(
    verdict: Result<(), &'static str>,
    operation: Operation,
    key: &str,
    location: &str,
) -> Result<(), StoreError> {
    verdict.map_err(|why| StoreError::new(ErrorKind::InvalidKey, operation, location).with_key(key).with_detail(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_archive_layout_are_accepted() {
        for key in ["archive.json", "rs0-5f/oplog/20250101/a_b_1_c.bson.zst.age", "a/b-c/ü d", "control/lease.json"] {
            assert_eq!(validate_key(key), Ok(()), "{key}");
        }
    }

    #[test]
    fn hostile_keys_are_refused() {
        let long = "x".repeat(256);
        let deep = "x/".repeat(600) + "x";
        for key in [
            "",
            "/",
            "/etc/passwd",
            "a/",
            "a//b",
            ".",
            "..",
            "../a",
            "a/../b",
            "a/./b",
            ".tmp/x",
            "a\\b",
            "a\0b",
            "a\nb",
            "a\u{85}b",
            "a/b.",
            "lost+found",
            "lost+found/x",
            &long,
            &deep,
        ] {
            assert!(validate_key(key).is_err(), "{key:?}");
        }
    }

    #[test]
    fn a_prefix_may_end_anywhere_but_not_climb() {
        for prefix in ["", "a", "a/", "a/b", "rs0/oplog/2025"] {
            assert_eq!(validate_prefix(prefix), Ok(()), "{prefix:?}");
        }
        for prefix in ["/", "/a", "..", "../", "a/../", "a/..", "a//", "a\0"] {
            assert!(validate_prefix(prefix).is_err(), "{prefix:?}");
        }
        assert!(validate_folder_prefix("a").is_err());
    }

    #[test]
    fn only_control_objects_are_mutable() {
        assert_eq!(validate_mutable_key("control/lease.json"), Ok(()));
        assert_eq!(validate_mutable_key("rs0/control/pins/x.json"), Ok(()));
        for key in ["rs0/lineage.json", "control", "a/controls/x", "a/control/../manifest.json"] {
            assert!(validate_mutable_key(key).is_err(), "{key}");
        }
    }
}
