//! From the URL an operator writes to a store. Refuses what it does not understand instead of guessing: an archive in
//! the wrong folder is found out on the day it is needed.

use std::path::PathBuf;
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
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => cut.to_owned(),
    };
    cut.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> StoreError {
        open(url).map(|store| panic!("{url} was taken for {store:?}")).unwrap_err()
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
        for url in ["azblob://key:hunter2@account/c?sig=hunter2", "s3://b/p?secret=hunter2", "file://me:hunter2@host/x"]
        {
            let error = refusal(url);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
