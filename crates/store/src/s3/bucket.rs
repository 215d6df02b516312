//! One bucket and the client for it, made when it is first used: reading the environment, files and metadata services
//! for credentials takes a runtime and may take a while.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata, SdkError};
use tokio::sync::OnceCell;

use super::client;
use super::failure::{date, judge};
use super::location::S3Location;
use crate::cloud::attempts::Patience;
use crate::cloud::failure::{Failure, GaveUp, Reason};
use crate::cloud::pages::Pages;
use crate::error::{ErrorKind, Operation, StoreError};
use crate::port::Result;

/// A HEAD has no body that could tell the two apart; AWS answers 403 to an unknown key, versitygw 404.
const NO_BUCKET: &str = "there is no such bucket, or the access key is not known there";

#[derive(Debug)]
pub(super) struct Bucket {
    pub location: S3Location,
    pub pages: Pages,
    client: OnceCell<Client>,
}

impl Bucket {
    pub fn new(location: S3Location) -> Self {
        Self { location, pages: Pages::default(), client: OnceCell::new() }
    }

    pub fn shown(&self) -> &str {
        &self.location.shown
    }

    pub fn patience(&self) -> Patience {
        Patience { deadline: self.location.deadline }
    }

    pub async fn client(&self) -> Result<&Client> {
        self.client.get_or_try_init(|| client::connect(&self.location)).await
    }

    /// Sends a request until it is answered for good. `request` gets the number of the attempt.
    pub async fn call<T, E, F>(&self, body_bytes: usize, mut request: impl FnMut(u32) -> F) -> Result<T, GaveUp>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let judged = |sent: F| async move { sent.await.map_err(|error| judge(&error)) };
        self.patience().run(body_bytes, |number| judged(request(number))).await
    }

    /// An object that is missing together with its bucket is not just missing. A HEAD cannot tell them apart.
    pub async fn require(&self, operation: Operation) -> Result<()> {
        let client = self.client().await?;
        let found = self.call(0, |_| client.head_bucket().bucket(&self.location.bucket).send()).await;
        match found {
            Ok(_) => Ok(()),
            Err(GaveUp { failure, attempts }) if failure.kind == ErrorKind::NotFound => {
                let failure = Failure::new(ErrorKind::NotFound, failure.again, NO_BUCKET);
                let gave_up = GaveUp { failure: failure.because(Reason::NoLocation), attempts };
                Err(gave_up.into_error(operation, "", self.shown()))
            }
            // Who may not ask for the bucket was told about the object by a bucket that is there.
            Err(GaveUp { failure, .. }) if failure.kind == ErrorKind::PermissionDenied => Ok(()),
            Err(gave_up) => Err(gave_up.into_error(operation, "", self.shown())),
        }
    }

    /// The time in the header of an answer, whatever the answer is.
    pub async fn clock(&self) -> Result<Option<jiff::Timestamp>> {
        let client = self.client().await?;
        let seen = Date::default();
        let asked = self
            .call(0, |_| {
                client.head_bucket().bucket(&self.location.bucket).customize().interceptor(seen.clone()).send()
            })
            .await;
        match (seen.get(), asked) {
            (Some(time), _) => Ok(Some(time)),
            (None, Ok(_)) => Ok(None),
            (None, Err(gave_up)) => Err(self.error(gave_up, Operation::Clock)),
        }
    }

    fn error(&self, gave_up: GaveUp, operation: Operation) -> StoreError {
        GaveUp { failure: gave_up.failure.because(Reason::NoLocation), ..gave_up }.into_error(
            operation,
            "",
            self.shown(),
        )
    }
}

/// Keeps the `Date` header of the last answer.
#[derive(Debug, Clone, Default)]
struct Date(Arc<Mutex<Option<jiff::Timestamp>>>);

impl Date {
    fn get(&self) -> Option<jiff::Timestamp> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let seen = context.response().headers().get("date").and_then(date);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(())
    }
}
