//! `s3://bucket/prefix?name=value`: which bucket, where, and how objects are to be kept there.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::cloud::trust::Authority;
use crate::cloud::url::CloudUrl;
use crate::error::StoreError;
use crate::lock::{Retention, RetentionMode};

const PARAMETERS: [&str; 12] = [
    "ca",
    "credentials_file",
    "deadline",
    "endpoint",
    "kms_key",
    "path_style",
    "profile",
    "region",
    "retention_days",
    "retention_mode",
    "sse",
    "storage_class",
];
const LONGEST_RETENTION: u64 = 36_500;

/// Server-side encryption, when it is to be asked for; buckets encrypt by themselves as they are set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    S3,
    Kms,
    KmsDual,
}

#[derive(Debug, Clone)]
pub(super) struct S3Location {
    /// For messages: everything that tells this place from another one, nothing that could be a secret.
    pub shown: String,
    pub bucket: String,
    /// Empty, or ending with `/`.
    pub prefix: String,
    pub region: Option<String>,
    pub endpoint: Option<Url>,
    pub path_style: bool,
    pub authority: Option<Authority>,
    pub profile: Option<String>,
    pub credentials_file: Option<PathBuf>,
    pub encryption: Option<Encryption>,
    pub kms_key: Option<String>,
    pub storage_class: Option<String>,
    pub retention: Option<Retention>,
    pub deadline: Duration,
}

impl S3Location {
    pub fn parse(text: &str, shown: &str) -> Result<Self, StoreError> {
        let url = CloudUrl::parse(text, shown, &PARAMETERS)?;
        if let Err(why) = validate_bucket(&url.host) {
            return Err(url.refuse(why));
        }
        let endpoint = url.endpoint()?;
        let flag = [("true", true), ("false", false)];
        let authority = match url.get("ca") {
            Some(path) => Some(Authority::read(path.as_ref()).map_err(|why| url.refuse(format!("`ca`: {why}")))?),
            None => None,
        };
        let encryption = url.choice(
            "sse",
            &[("AES256", Encryption::S3), ("aws:kms", Encryption::Kms), ("aws:kms:dsse", Encryption::KmsDual)],
        )?;
        let kms_key = url.get("kms_key").map(str::to_owned);
        if kms_key.is_some() && !matches!(encryption, Some(Encryption::Kms | Encryption::KmsDual)) {
            return Err(url.refuse("`kms_key` needs `sse=aws:kms` or `sse=aws:kms:dsse`"));
        }
        let prefix = url.prefix(0)?;
        let mut shown = format!("s3://{}/{}", url.host, prefix.trim_end_matches('/'));
        if let Some(endpoint) = &endpoint {
            shown = format!("{shown}?endpoint={}", endpoint.as_str().trim_end_matches('/'));
        }
        Ok(Self {
            shown: shown.escape_debug().to_string(),
            prefix,
            region: url.get("region").map(str::to_owned),
            // Other servers rarely have a host name for each bucket.
            path_style: url.choice("path_style", &flag)?.unwrap_or(endpoint.is_some()),
            endpoint,
            authority,
            profile: url.get("profile").map(str::to_owned),
            credentials_file: url.get("credentials_file").map(PathBuf::from),
            encryption,
            kms_key,
            storage_class: url.get("storage_class").map(str::to_owned),
            retention: retention(&url)?,
            deadline: url.deadline()?,
            bucket: url.host,
        })
    }

    pub fn name_of(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }
}

/// The mode has no default: one can be undone by nobody, the other protects from careless people only.
fn retention(url: &CloudUrl) -> Result<Option<Retention>, StoreError> {
    let modes = [("governance", RetentionMode::Governance), ("compliance", RetentionMode::Compliance)];
    let days = url.number("retention_days", 1..=LONGEST_RETENTION)?;
    match (days, url.choice("retention_mode", &modes)?) {
        (None, None) => Ok(None),
        (Some(days), Some(mode)) => Ok(Some(Retention { mode, days: u32::try_from(days).unwrap_or(u32::MAX) })),
        _ => Err(url.refuse("`retention_days` and `retention_mode=governance|compliance` need each other")),
    }
}

fn validate_bucket(bucket: &str) -> Result<(), &'static str> {
    if bucket.is_empty() {
        return Err("it names no bucket; write s3://BUCKET/PREFIX");
    }
    let is_alphanumeric = |c: char| c.is_ascii_alphanumeric();
    let known = bucket.chars().all(|c| is_alphanumeric(c) || matches!(c, '-' | '.' | '_'));
    if !(3..=63).contains(&bucket.len()) || !known || !bucket.starts_with(is_alphanumeric) {
        return Err("a bucket name has 3 to 63 letters, digits, hyphens and dots");
    }
    if bucket.ends_with("--x-s3") {
        return Err("directory buckets list their objects without order, which an archive relies on");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn parse(text: &str) -> Result<S3Location, StoreError> {
        S3Location::parse(text, "shown")
    }

    #[test]
    fn everything_has_a_parameter_and_a_default() {
        let plain = parse("s3://my-bucket").unwrap();
        assert_eq!((plain.bucket.as_str(), plain.prefix.as_str(), plain.path_style), ("my-bucket", "", false));
        assert_eq!((plain.region, plain.retention, plain.encryption, plain.deadline.as_secs()), (None, None, None, 60));

        let full = parse(
            "s3://my-bucket/backups/rs0?region=eu-central-1&endpoint=https://s3.example.org:9000&path_style=false\
             &profile=p&credentials_file=/run/secrets/s3&sse=aws:kms&kms_key=arn:aws:kms:x&storage_class=STANDARD_IA\
             &retention_days=30&retention_mode=compliance&deadline=9",
        )
        .unwrap();
        assert_eq!(full.shown, "s3://my-bucket/backups/rs0?endpoint=https://s3.example.org:9000");
        assert_eq!(full.name_of("a/b"), "backups/rs0/a/b");
        assert_eq!(
            (full.region.as_deref(), full.path_style, full.deadline.as_secs()),
            (Some("eu-central-1"), false, 9)
        );
        assert_eq!(full.retention, Some(Retention { mode: RetentionMode::Compliance, days: 30 }));
        assert_eq!((full.encryption, full.kms_key.as_deref()), (Some(Encryption::Kms), Some("arn:aws:kms:x")));
        assert!(parse("s3://my-bucket?endpoint=http://127.0.0.1:9").unwrap().path_style);
    }

    #[test]
    fn what_cannot_work_or_is_ambiguous_is_refused() {
        for text in [
            "s3://",
            "s3:///prefix",
            "s3://ab/x",
            "s3://buck et/x",
            "s3://-bucket/x",
            "s3://bucket--euc1-az1--x-s3/x",
            "s3://bucket/../other",
            "s3://bucket/x?kms_key=k",
            "s3://bucket/x?sse=aes",
            "s3://bucket/x?retention_days=30",
            "s3://bucket/x?retention_mode=compliance",
            "s3://bucket/x?retention_days=0&retention_mode=compliance",
            "s3://bucket/x?path_style=yes",
            "s3://bucket/x?ca=/nowhere/ca.pem",
            "s3://bucket/x?acl=public-read",
        ] {
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::InvalidUrl, "{text}");
        }
        assert!(parse("s3://bucket/x?ca=/nowhere/ca.pem").unwrap_err().to_string().contains("/nowhere/ca.pem"));
    }
}
