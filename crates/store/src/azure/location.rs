//! `azblob://account/container/prefix?name=value`: which container, where, and how blobs are to be kept there.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::credentials::Identity;
use crate::cloud::trust::Authority;
use crate::cloud::url::CloudUrl;
use crate::error::StoreError;
use crate::lock::{Retention, RetentionMode};

const PARAMETERS: [&str; 7] =
    ["ca", "deadline", "endpoint", "identity", "retention_days", "retention_mode", "sas_file"];
/// The longest that Azure accepts.
const LONGEST_RETENTION: u64 = 146_000;

#[derive(Debug, Clone)]
pub(super) struct AzureLocation {
    /// For messages: everything that tells this place from another one, nothing that could be a secret.
    pub shown: String,
    /// The container at its endpoint.
    pub url: Url,
    /// Empty, or ending with `/`.
    pub prefix: String,
    pub authority: Option<Authority>,
    pub sas_file: Option<PathBuf>,
    pub identity: Option<Identity>,
    pub retention: Option<Retention>,
    pub deadline: Duration,
}

impl AzureLocation {
    pub fn parse(text: &str, shown: &str) -> Result<Self, StoreError> {
        let url = CloudUrl::parse(text, shown, &PARAMETERS)?;
        let account = &url.host;
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !(3..=24).contains(&account.len()) || !plain(account) {
            return Err(
                url.refuse("an account name has 3 to 24 small letters and digits; write azblob://ACCOUNT/CONTAINER")
            );
        }
        let Some(container) = url.path.first() else {
            return Err(url.refuse("it names no container; write azblob://ACCOUNT/CONTAINER/PREFIX"));
        };
        if !(3..=63).contains(&container.len()) || !plain(&container.replace('-', "")) || container.starts_with('-') {
            return Err(url.refuse("a container name has 3 to 63 small letters, digits and hyphens"));
        }
        let prefix = url.prefix(1)?;
        let endpoint = url.endpoint()?;
        let mut shown = format!("azblob://{account}/{container}/{}", prefix.trim_end_matches('/'));
        let base = match &endpoint {
            Some(endpoint) => {
                let endpoint = endpoint.as_str().trim_end_matches('/');
                shown = format!("{shown}?endpoint={endpoint}");
                endpoint.to_owned()
            }
            None => format!("https://{account}.blob.core.windows.net"),
        };
        let address = Url::parse(&format!("{base}/{container}"));
        let authority = match url.get("ca") {
            Some(path) => Some(Authority::read(path.as_ref()).map_err(|why| url.refuse(format!("`ca`: {why}")))?),
            None => None,
        };
        let modes = [("governance", RetentionMode::Governance), ("compliance", RetentionMode::Compliance)];
        let retention =
            match (url.number("retention_days", 1..=LONGEST_RETENTION)?, url.choice("retention_mode", &modes)?) {
                (None, None) => None,
                (Some(days), Some(mode)) => Some(Retention { mode, days: u32::try_from(days).unwrap_or(u32::MAX) }),
                _ => {
                    return Err(
                        url.refuse("`retention_days` and `retention_mode=governance|compliance` need each other")
                    );
                }
            };
        let sas_file = url.get("sas_file").map(PathBuf::from);
        let identity = url.choice("identity", &Identity::CHOICES)?;
        if sas_file.is_some() && identity.is_some() {
            return Err(url.refuse("`sas_file` and `identity` exclude each other"));
        }
        Ok(Self {
            shown: shown.escape_debug().to_string(),
            url: address.map_err(|error| url.refuse(error.to_string()))?,
            prefix,
            authority,
            sas_file,
            identity,
            retention,
            deadline: url.deadline()?,
        })
    }

    pub fn name_of(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn parse(text: &str) -> Result<AzureLocation, StoreError> {
        AzureLocation::parse(text, "shown")
    }

    #[test]
    fn the_cloud_and_other_endpoints_are_addressed() {
        let cloud = parse("azblob://myaccount/backups/rs0/x").unwrap();
        assert_eq!(cloud.url.as_str(), "https://myaccount.blob.core.windows.net/backups");
        assert_eq!((cloud.shown.as_str(), cloud.prefix.as_str()), ("azblob://myaccount/backups/rs0/x", "rs0/x/"));
        let local = parse(
            "azblob://devstoreaccount1/backups?endpoint=http://127.0.0.1:10000/devstoreaccount1&sas_file=/run/sas\
             &retention_days=7&retention_mode=governance",
        )
        .unwrap();
        assert_eq!(local.url.as_str(), "http://127.0.0.1:10000/devstoreaccount1/backups");
        assert_eq!(local.retention, Some(Retention { mode: RetentionMode::Governance, days: 7 }));
        assert_eq!(local.name_of("a"), "a");
        assert!(local.shown.contains("127.0.0.1:10000") && !local.shown.contains("sas"));
    }

    #[test]
    fn what_cannot_work_or_is_ambiguous_is_refused() {
        for text in [
            "azblob://",
            "azblob://account",
            "azblob://account/",
            "azblob://Account/container",
            "azblob://ac/container",
            "azblob://account/Container",
            "azblob://account/-container",
            "azblob://account/co",
            "azblob://account/container/../other",
            "azblob://account/container?sas=sv%3D1",
            "azblob://account/container?sas_file=/a&identity=cli",
            "azblob://account/container?identity=me",
            "azblob://account/container?retention_days=1",
            "azblob://account/container?region=x",
        ] {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::InvalidUrl, "{text}");
        }
    }
}
