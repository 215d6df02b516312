//! The SDK's client for one location: credentials by the usual chain, TLS by rustls, and none of its own retries.

use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    RequestChecksumCalculation, ResponseChecksumValidation, SharedHttpClient, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};

use super::location::S3Location;
use crate::cloud::trust::native_certificates;
use crate::error::{ErrorKind, Operation, StoreError};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// What S3-compatible servers call their only region.
const USUAL_REGION: &str = "us-east-1";

pub(super) async fn connect(location: &S3Location) -> Result<Client, StoreError> {
    let failed = |kind, detail: String| StoreError::new(kind, Operation::Open, &location.shown).with_detail(detail);
    let http = http_client(location).map_err(|detail| failed(ErrorKind::Other, detail))?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_LIMIT).build())
        // Deadlines and silent connections are watched over by our own code, for all backends alike.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        // Anything less and the SDK announces the checksum an upload names, but does not send it.
        .request_checksum_calculation(RequestChecksumCalculation::WhenSupported)
        // Everything in an archive carries its own digest, checked by whoever reads it.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    if let Some(region) = region_of(location) {
        loader = loader.region(Region::new(region));
    }
    if let Some(profile) = &location.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(path) = &location.credentials_file {
        let files = EnvConfigFiles::builder().with_file(EnvConfigFileKind::Credentials, path).build();
        let without_region = ProviderConfig::without_region().with_http_client(http);
        let mut provider = ProfileFileCredentialsProvider::builder().configure(&without_region).profile_files(files);
        if let Some(profile) = &location.profile {
            provider = provider.profile_name(profile);
        }
        loader = loader.credentials_provider(provider.build());
    }
    let shared = loader.load().await;
    if shared.region().is_none() {
        // Without one the SDK fails at each call, with a message about rules of endpoints.
        let detail = "the region of the bucket is not known; add `?region=…` to the URL or set AWS_REGION";
        return Err(failed(ErrorKind::InvalidUrl, detail.to_owned()));
    }
    let mut config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(location.path_style);
    if let Some(endpoint) = &location.endpoint {
        config = config.endpoint_url(endpoint.as_str().trim_end_matches('/'));
    }
    Ok(Client::from_conf(config.build()))
}

/// The region that is known without the SDK's search, which ends by asking the metadata service of a cloud that a server
/// of one's own is not in.
fn region_of(location: &S3Location) -> Option<String> {
    let usual = || location.endpoint.is_some().then(|| std::env::var("AWS_REGION").unwrap_or(USUAL_REGION.to_owned()));
    location.region.clone().or_else(usual)
}

fn http_client(location: &S3Location) -> Result<SharedHttpClient, String> {
    // The SDK asserts that native roots exist; a container without any can still use its own authority, or plain HTTP.
    let mut trusted = TrustStore::empty().with_native_roots(!native_certificates().is_empty());
    if let Some(authority) = &location.authority {
        trusted = trusted.with_pem_certificate(authority.pem.clone());
    }
    let tls = TlsContext::builder().with_trust_store(trusted).build();
    let tls = tls.map_err(|error| format!("TLS cannot be set up: {error}"))?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https())
}
