//! How requests to Azure are sent: by reqwest over rustls, with the signature, if there is one, added at the last moment.
//! So it is in no URL that the SDK, an error or a log could show; the errors of reqwest are stripped of theirs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{AsyncRawResponse, Body, HttpClient, Method, Request};
use futures::TryStreamExt;
use rustls::RootCertStore;

use super::credentials::Signature;
use crate::cloud::trust::{Authority, native_certificates};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

pub(super) struct Transport {
    client: reqwest::Client,
    signature: Option<Signature>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Transport {
    pub fn new(authority: Option<&Authority>, signature: Option<Signature>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(native_certificates());
        roots.add_parsable_certificates(authority.map(|authority| authority.certificates.clone()).unwrap_or_default());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(CONNECT_LIMIT)
            // A redirect could carry the signature to somebody else.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| format!("HTTP cannot be set up: {error}"))?;
        Ok(Self { client, signature })
    }

    async fn send(&self, request: &Request) -> Result<reqwest::Response, Error> {
        let mut url = request.url().clone();
        if let Some(signature) = &self.signature {
            let signature = signature.read().await?;
            let query = url.query().filter(|query| !query.is_empty()).map(|query| format!("{query}&{signature}"));
            url.set_query(Some(&query.unwrap_or(signature)));
        }
        let method = match request.method() {
            Method::Delete => reqwest::Method::DELETE,
            Method::Get => reqwest::Method::GET,
            Method::Head => reqwest::Method::HEAD,
            Method::Patch => reqwest::Method::PATCH,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            other => return Err(Error::with_message(ErrorKind::Other, format!("{other} is not a known method"))),
        };
        let mut sent = self.client.request(method, url);
        for (name, value) in request.headers().iter() {
            sent = sent.header(name.as_str(), value.as_str());
        }
        let sent = match request.body() {
            Body::Bytes(bytes) => sent.body(bytes.clone()),
            Body::SeekableStream(stream) => sent.body(reqwest::Body::wrap_stream(stream.clone())),
        };
        sent.send().await.map_err(failed)
    }
}

/// The whole chain as one text: what matters (refused, certificate) is at its end.
fn failed(error: reqwest::Error) -> Error {
    let kind = if error.is_connect() { ErrorKind::Connection } else { ErrorKind::Io };
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    Error::with_message(kind, text)
}

#[async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let answer = self.send(request).await?;
        let status = answer.status().as_u16().into();
        let mut headers = Headers::new();
        for (name, value) in answer.headers() {
            if let Ok(value) = value.to_str() {
                headers.insert(HeaderName::from(name.as_str().to_owned()), HeaderValue::from(value.to_owned()));
            }
        }
        let body = Box::pin(answer.bytes_stream().map_err(failed));
        Ok(AsyncRawResponse::new(status, headers, body))
    }
}
