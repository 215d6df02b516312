//! From the URL an operator writes to a store. Refuses what it does not understand instead of guessing: an archive in
//! the wrong folder is found out on the day it is needed.

use std::path::{Component, PathBuf};
use std::sync::Arc;

use url::Url;

use crate::error::{ErrorKind, Operation, StoreError};
use crate::file_system::FileStore;
use crate::port::{ObjectStore, Result};

/// Opens a location that must exist. Opening changes nothing there, so this is right for everything that reads, and
/// for writing into an archive that somebody else has made. Clouds are not asked for anything before the first call.
pub fn open(url: &str) -> Result<Arc<dyn ObjectStore>> {
    match place_of(url)? {
        Place::Folder(path) => Ok(Arc::new(FileStore::open(&path)?)),
        Place::Cloud(store) => Ok(store),
    }
}

/// Opens a location to write to. A folder is created when it is missing, cleared of what killed writers left behind
/// long ago, and proven by a trial write that objects can be published there. A bucket or container must exist, its
/// lifecycle rules clear it, and [`crate::prove`] proves it.
pub fn open_or_create(url: &str) -> Result<Arc<dyn ObjectStore>> {
    match place_of(url)? {
        Place::Folder(path) => Ok(Arc::new(FileStore::open_or_create(&path)?)),
        Place::Cloud(store) => Ok(store),
    }
}

enum Place {
    Folder(PathBuf),
    #[cfg_attr(not(any(feature = "s3", feature = "azure")), expect(dead_code))]
    Cloud(Arc<dyn ObjectStore>),
}

fn place_of(text: &str) -> Result<Place> {
    let invalid = |why: String| StoreError::new(ErrorKind::InvalidUrl, Operation::Open, &shown(text)).with_detail(why);
    // The URL standard would repair these silently, into another place than the one that was written.
    if text.contains(|c: char| c.is_control() || c == '\\') || text.trim() != text {
        return Err(invalid("it has a control character, a backslash or surrounding space; write them as %XX".into()));
    }
    let Some((scheme, _)) = text.split_once("://") else {
        return Err(invalid(if text.starts_with('/') {
            format!("a location is a URL; a folder is written `file://{text}`")
        } else {
            "a location is a URL like `file:///backups/rs0` or `s3://bucket/rs0`".to_owned()
        }));
    };
    let unsupported = |why: String| {
        Err(StoreError::new(ErrorKind::UnsupportedScheme, Operation::Open, &shown(text)).with_detail(why))
    };
    match scheme.to_ascii_lowercase().as_str() {
        "file" => folder_of(text).map(Place::Folder),
        #[cfg(feature = "s3")]
        "s3" => Ok(Place::Cloud(Arc::new(crate::s3::S3Store::open(text, &shown(text))?))),
        #[cfg(feature = "azure")]
        "azblob" => Ok(Place::Cloud(Arc::new(crate::azure::AzureStore::open(text, &shown(text))?))),
        #[cfg(not(feature = "s3"))]
        "s3" => unsupported("`s3://` is not part of this build".to_owned()),
        #[cfg(not(feature = "azure"))]
        "azblob" => unsupported("`azblob://` is not part of this build".to_owned()),
        _ => unsupported("known schemes are file://, s3:// and azblob://".to_owned()),
    }
}

fn folder_of(text: &str) -> Result<PathBuf> {
    let invalid = |why: String| StoreError::new(ErrorKind::InvalidUrl, Operation::Open, &shown(text)).with_detail(why);
    let url = Url::parse(text).map_err(|error| invalid(error.to_string()))?;
    if let Some(host) = url.host_str() {
        return Err(invalid(format!(
            "`{host}` is taken for a host; the path of a folder is absolute, with three slashes: `file:///{host}{}`",
            url.path()
        )));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("a file URL has no query and no fragment; write `?` as %3F and `#` as %23".into()));
    }
    let path = url.to_file_path().map_err(|()| invalid("it is not the path of a folder".into()))?;
    if path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(invalid("a path cannot hold a zero byte".into()));
    }
    // The parser resolves `..` between slashes, but not beside one that is written as %2F.
    if path.components().any(|part| part == Component::ParentDir) {
        return Err(invalid("its path leads upwards; write it without `..`".into()));
    }
    if path.parent().is_none() {
        return Err(invalid("it is the root of the file system; name a folder".into()));
    }
    Ok(path)
}

/// The URL as it may appear in a message: whatever could be a credential (user, password, query) is left out.
fn shown(text: &str) -> String {
    let cut = text.split(['?', '#']).next().unwrap_or_default();
    let cut: String = match cut.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            match (authority.rsplit_once('@'), path.rsplit_once('@')) {
                (Some((_, host)), _) => format!("{scheme}://{host}{path}"),
                // No place has a port: a password that holds a `/`, as keys of S3 do.
                (None, Some((_, place))) if authority.contains(':') => format!("{scheme}://{place}"),
                _ => format!("{scheme}://{authority}{path}"),
            }
        }
        None => cut.to_owned(),
    };
    cut.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(url: &str) -> StoreError {
        open(url).map(|store| panic!("{url} was taken for {store:?}")).unwrap_err()
    }

    /// Texts of what URLs are made of, and of what must not lead anywhere else.
    fn hostile_url() -> impl Strategy<Value = String> {
        const PARTS: &[&str] = &[
            "file://",
            "s3://",
            "azblob://",
            "bucket",
            "account",
            "/",
            "/",
            "/",
            "..",
            ".",
            "%2e",
            "%2F",
            "%00",
            "%5c",
            "%",
            "\\",
            "?",
            "&",
            "=",
            "#",
            "@",
            ":",
            "endpoint=",
            "http://x",
            "deadline=",
            "retention_days=",
            "99999999999999999999",
            "é",
            " ",
            "lost+found",
        ];
        let mixed = proptest::collection::vec(proptest::sample::select(PARTS), 0..12);
        prop_oneof![mixed.prop_map(|parts| parts.concat()), any::<String>()]
    }

    proptest! {
        #[test]
        fn any_text_is_a_place_of_its_own_or_refused(text in hostile_url()) {
            match place_of(&text) {
                Ok(Place::Folder(path)) => {
                    prop_assert!(path.is_absolute() && path.parent().is_some(), "{path:?}");
                    prop_assert!(path.components().all(|part| part != std::path::Component::ParentDir), "{path:?}");
                }
                Ok(Place::Cloud(store)) => {
                    let place = store.location().split('?').next().unwrap_or_default().to_owned();
                    prop_assert!(place.split('/').all(|part| part != ".."), "{place}");
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }

        #[test]
        fn what_stands_before_a_host_is_never_shown(
            scheme in "file|s3|azblob|gs", secret in "[A-Za-z0-9+/]{8,40}", rest in "[a-z0-9]{3,9}(/[a-z0-9@]{1,5}){0,3}",
        ) {
            let shown = shown(&format!("{scheme}://AKIA:{secret}@{rest}"));
            prop_assert!(!shown.contains(&secret), "{shown}");
        }
    }

    #[test]
    fn file_urls_are_percent_decoded() {
        assert_eq!(folder_of("file:///a/b%20c%23d").unwrap(), PathBuf::from("/a/b c#d"));
        assert_eq!(folder_of("file://localhost/a").unwrap(), PathBuf::from("/a"));
        assert_eq!(folder_of("FILE:///a/").unwrap(), PathBuf::from("/a/"));
    }

    #[test]
    fn urls_that_name_no_folder_are_refused() {
        for url in [
            "",
            "/backups",
            "backups",
            "file:/a",
            "file:a",
            "file://",
            "file:///",
            "file://backups/rs0",
            "file:///a?b=c",
            "file:///a#b",
            "file:///a\\b",
            "file:///a\nb",
            " file:///a",
            "file:///a ",
            "file:///a%00b",
            "file:///..",
            "file:///..%2F",
            "file:///a/%2e%2e%2fb",
            "file:///backup/..%2F..%2Fetc",
        ] {
            assert_eq!(refusal(url).kind(), ErrorKind::InvalidUrl, "{url:?}");
        }
        assert!(refusal("/backups").to_string().contains("file:///backups"));
        assert!(refusal("file://backups/rs0").to_string().contains("file:///backups/rs0"));
    }

    #[test]
    fn other_schemes_are_told_apart_as_unsupported() {
        assert_eq!(refusal("gs://bucket").kind(), ErrorKind::UnsupportedScheme);
        assert!(refusal("gs://bucket/x").to_string().contains("azblob://"));
        for (scheme, built) in [("s3", cfg!(feature = "s3")), ("azblob", cfg!(feature = "azure"))] {
            let expected = if built { ErrorKind::InvalidUrl } else { ErrorKind::UnsupportedScheme };
            assert_eq!(refusal(&format!("{scheme}:///x")).kind(), expected, "{scheme}");
        }
    }

    #[cfg(feature = "s3")]
    #[test]
    fn buckets_are_opened_without_asking_them() {
        for open in [open, open_or_create] {
            let store = open("s3://bucket/prefix?region=eu-central-1").unwrap();
            assert_eq!(store.location(), "s3://bucket/prefix");
        }
    }

    #[test]
    fn no_secret_of_a_url_reaches_a_message() {
        for url in [
            "azblob://key:hunter2@account/c?sig=hunter2",
            "s3://b/p?secret=hunter2",
            "file://me:hunter2@host/x",
            "s3://AKIA:hunter2/hunter2+hunter2@bucket/prefix",
            "s3://AKIA:abc/hunter2@x/hunter2@bucket",
        ] {
            let error = refusal(url);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
