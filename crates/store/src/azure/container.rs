//! One container and the clients for it, made when it is first used.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use azure_core::credentials::TokenCredential;
use azure_core::error::Error;
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{ClientOptions, Pipeline, RetryOptions, Transport as SdkTransport};
use azure_storage_blob::clients::{BlobClient, BlobClientOptions, BlobContainerClient, BlobContainerClientOptions};
use tokio::sync::OnceCell;

use super::credentials::{Chain, Signature};
use super::failure::{date, date_of, judge};
use super::location::AzureLocation;
use super::transport::Transport;
use crate::cloud::attempts::Patience;
use crate::cloud::failure::{Failure, GaveUp, Reason};
use crate::cloud::pages::Pages;
use crate::error::{ErrorKind, Operation, StoreError};
use crate::port::Result;

const SCOPE: &str = "https://storage.azure.com/.default";

pub(super) struct Clients {
    pub container: BlobContainerClient,
    /// For the requests that the SDK has no call for.
    pub pipeline: Pipeline,
    pub version: String,
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

#[derive(Debug)]
pub(super) struct Container {
    pub location: AzureLocation,
    pub pages: Pages,
    clients: OnceCell<Clients>,
}

impl Container {
    pub fn new(location: AzureLocation) -> Self {
        Self { location, pages: Pages::default(), clients: OnceCell::new() }
    }

    pub fn shown(&self) -> &str {
        &self.location.shown
    }

    pub fn patience(&self) -> Patience {
        Patience { deadline: self.location.deadline }
    }

    pub async fn clients(&self) -> Result<&Clients> {
        self.clients.get_or_try_init(|| async { self.connect() }).await
    }

    pub async fn blob(&self, key: &str) -> Result<BlobClient> {
        Ok(self.clients().await?.container.blob_client(&self.location.name_of(key)))
    }

    fn connect(&self) -> Result<Clients> {
        let location = &self.location;
        let failed = |kind, detail: String| StoreError::new(kind, Operation::Open, self.shown()).with_detail(detail);
        let signature = Signature::find(location.sas_file.as_ref(), location.identity);
        let signed = signature.is_some();
        let transport = |signature| {
            let transport = Transport::new(location.authority.as_ref(), signature);
            let transport = transport.map_err(|detail| failed(ErrorKind::Other, detail))?;
            Ok::<_, StoreError>(ClientOptions {
                transport: Some(SdkTransport::new(Arc::new(transport))),
                // Retries are ours, for all clouds alike.
                retry: RetryOptions::none(),
                ..ClientOptions::default()
            })
        };
        let credential: Option<Arc<dyn TokenCredential>> =
            if signed { None } else { Some(Arc::new(Chain::new(location.identity, &transport(None)?))) };
        if credential.is_some() && location.url.scheme() != "https" {
            let detail =
                "a token is sent over https only; a plain endpoint needs a signature (AZURE_STORAGE_SAS_TOKEN)";
            return Err(failed(ErrorKind::InvalidUrl, detail.to_owned()));
        }
        let options = transport(signature)?;
        let per_try: Vec<Arc<dyn Policy>> = credential
            .iter()
            .map(|credential| {
                Arc::new(BearerTokenAuthorizationPolicy::new(Arc::clone(credential), vec![SCOPE])) as Arc<dyn Policy>
            })
            .collect();
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            options.clone(),
            Vec::new(),
            per_try,
            None,
        );
        let container_options = BlobContainerClientOptions { client_options: options, ..Default::default() };
        let container = BlobContainerClient::new(location.url.clone(), credential, Some(container_options))
            .map_err(|error| failed(ErrorKind::InvalidUrl, judge(&error).detail))?;
        Ok(Clients { container, pipeline, version: BlobClientOptions::default().version })
    }

    /// Sends a request until it is answered for good.
    pub async fn call<T, F>(&self, body_bytes: usize, mut request: impl FnMut() -> F) -> Result<T, GaveUp>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let judged = |sent: F| async move { sent.await.map_err(|error| judge(&error)) };
        self.patience().run(body_bytes, |_| judged(request())).await
    }

    /// A blob that is missing together with its container is not just missing. A HEAD cannot tell them apart.
    pub async fn require(&self, operation: Operation) -> Result<()> {
        let clients = self.clients().await?;
        match self.call(0, || clients.container.get_properties(None)).await {
            Ok(_) => Ok(()),
            Err(GaveUp { failure, attempts }) if failure.kind == ErrorKind::NotFound => {
                let failure = Failure { detail: "there is no such container".to_owned(), ..failure };
                let gave_up = GaveUp { failure: failure.because(Reason::NoLocation), attempts };
                Err(gave_up.into_error(operation, "", self.shown()))
            }
            // Who may not ask for the container was told about the blob by a container that is there.
            Err(GaveUp { failure, .. }) if failure.kind == ErrorKind::PermissionDenied => Ok(()),
            Err(gave_up) => Err(gave_up.into_error(operation, "", self.shown())),
        }
    }

    /// The time in the header of an answer, whatever the answer is.
    pub async fn clock(&self) -> Result<Option<jiff::Timestamp>> {
        let clients = self.clients().await?;
        let patience = self.patience();
        let asked = patience.run(0, |_| async {
            match clients.container.get_properties(None).await {
                Ok(answer) => Ok(date(answer.headers())),
                Err(error) => date_of(&error).map(Some).ok_or_else(|| judge(&error)),
            }
        });
        asked.await.map_err(|gave_up| {
            let failure = gave_up.failure.because(Reason::NoLocation);
            GaveUp { failure, ..gave_up }.into_error(Operation::Clock, "", self.shown())
        })
    }
}
