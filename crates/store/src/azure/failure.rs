//! What a failed request to Azure means.

use std::time::Duration;

use azure_core::error::{Error, ErrorKind as SdkKind};
use azure_core::http::RawResponse;
use azure_core::http::headers::HeaderName;

use crate::cloud::failure::{Again, Failure, Reason};
use crate::error::ErrorKind;

const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
const RETRY_AFTER: HeaderName = HeaderName::from_static("retry-after");
const DATE: HeaderName = HeaderName::from_static("date");

pub(super) fn judge(error: &Error) -> Failure {
    match error.kind() {
        SdkKind::HttpResponse { status, error_code, raw_response } => {
            let response = raw_response.as_deref();
            let header = response.and_then(|response| response.headers().get_optional_str(&ERROR_CODE));
            let code = header.or(error_code.as_deref()).unwrap_or_default();
            answered(u16::from(*status), code, response)
        }
        SdkKind::Credential => {
            let hint = "no credentials: set AZURE_STORAGE_SAS_TOKEN, name a `sas_file`, or give the pod an identity";
            Failure::new(ErrorKind::PermissionDenied, Again::Once, format!("{hint} ({})", readable(&error.to_string())))
        }
        SdkKind::Connection | SdkKind::Io => {
            let text = readable(&error.to_string());
            if text.contains("certificate") || text.contains("BadSignature") {
                let hint = "the server's certificate is not trusted; for an authority of your own add `ca=/path.pem`";
                return Failure::new(ErrorKind::Unreachable, Again::Never, format!("{hint} ({text})"));
            }
            Failure::unreachable(text)
        }
        SdkKind::DataConversion => not_azure("it cannot be read"),
        SdkKind::Other => Failure::new(ErrorKind::Other, Again::Never, readable(&error.to_string())),
    }
}

pub(super) fn not_azure(what: &str) -> Failure {
    let text = format!("the answer is not that of Azure Blob Storage ({what}); is the endpoint right?");
    Failure::new(ErrorKind::Unreachable, Again::Once, text)
}

fn answered(status: u16, code: &str, response: Option<&RawResponse>) -> Failure {
    let mut said = if code.is_empty() { format!("HTTP {status}") } else { format!("{code} (HTTP {status})") };
    if let Some(message) = response.and_then(message) {
        said = format!("{said}: {message}");
    }
    let denied = |hint: &str| Failure::new(ErrorKind::PermissionDenied, Again::Never, format!("{hint} [{said}]"));
    let never = |kind, reason| Failure::new(kind, Again::Never, said.clone()).because(reason);
    match (code, status) {
        ("BlobAlreadyExists" | "ConditionNotMet" | "TargetConditionNotMet", _) => {
            never(ErrorKind::Other, Reason::NameTaken)
        }
        ("BlobNotFound" | "ResourceNotFound", _) => {
            Failure::new(ErrorKind::NotFound, Again::Never, "").because(Reason::NoObject)
        }
        ("ContainerNotFound" | "ContainerBeingDeleted" | "ContainerDisabled", _) => {
            let detail = format!("there is no such container [{said}]");
            Failure::new(ErrorKind::NotFound, Again::Never, detail).because(Reason::NoLocation)
        }
        ("InvalidBlockList", _) => never(ErrorKind::Unreachable, Reason::UploadGone),
        ("InvalidRange", _) | (_, 416) => never(ErrorKind::Other, Reason::RangeBehindEnd),
        ("BlobImmutableDueToPolicy", _) => denied("the blob is protected by its retention or a legal hold"),
        ("LeaseIdMissing" | "LeaseAlreadyPresent", _) => denied("somebody holds a lease on the blob"),
        ("AuthenticationFailed", _) => {
            denied("the signature or token is wrong, expired, or not valid yet by the clock there")
        }
        ("NoAuthenticationInformation", _) => denied("the request was anonymous; set AZURE_STORAGE_SAS_TOKEN"),
        (code, _) if code.starts_with("Authorization") || code == "InsufficientAccountPermissions" => {
            denied("the signature or identity lacks the permission")
        }
        ("AccountRequiresHttps", _) => never(ErrorKind::InvalidUrl, Reason::Other),
        ("InvalidResourceName" | "OutOfRangeInput" | "InvalidUri", _) => never(ErrorKind::InvalidKey, Reason::Other),
        ("AccountLimitExceeded" | "QuotaExceeded", _) | (_, 507) => never(ErrorKind::NoSpace, Reason::Other),
        ("ServerBusy", _) | (_, 429 | 503) => {
            let seconds = response.and_then(|response| response.headers().get_optional_str(&RETRY_AFTER));
            let seconds = seconds.and_then(|seconds| seconds.trim().parse().ok());
            let failure = Failure::unreachable(format!("the store asks to slow down [{said}]"));
            Failure { again: seconds.map_or(Again::Soon, |wait| Again::After(Duration::from_secs(wait))), ..failure }
        }
        (_, 401 | 403) => denied("the signature or identity lacks the permission"),
        (_, 404) => Failure::new(ErrorKind::NotFound, Again::Never, "").because(Reason::NoObject),
        (_, 412) => never(ErrorKind::Other, Reason::NameTaken),
        ("Md5Mismatch" | "Crc64Mismatch", _) | (_, 408 | 500..) => Failure::unreachable(said),
        (_, 200..=399) => not_azure(&said),
        _ => never(ErrorKind::Other, Reason::Other),
    }
}

fn message(response: &RawResponse) -> Option<String> {
    let text = String::from_utf8_lossy(response.body());
    let message = text.split_once("<Message>")?.1.split_once("</Message>")?.0;
    // What follows are an id and a time of the request.
    let message = readable(message.lines().next().unwrap_or_default());
    (!message.is_empty()).then_some(message)
}

/// The time in an answer's header.
pub(super) fn date(response: &azure_core::http::headers::Headers) -> Option<jiff::Timestamp> {
    timestamp(azure_core::time::parse_rfc7231(response.get_optional_str(&DATE)?).ok()?)
}

/// The time in the header of a refusal.
pub(super) fn date_of(error: &Error) -> Option<jiff::Timestamp> {
    match error.kind() {
        SdkKind::HttpResponse { raw_response: Some(response), .. } => date(response.headers()),
        _ => None,
    }
}

pub(super) fn timestamp(time: azure_core::time::OffsetDateTime) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_second(time.unix_timestamp()).ok()
}

/// Text from elsewhere: one line, short, nothing that could steer a terminal, no signature.
fn readable(text: &str) -> String {
    let words = text.split_whitespace().map(|word| match word.split_once("sig=") {
        Some((before, _)) => format!("{before}sig=…"),
        None => word.to_owned(),
    });
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().take(400).filter(|c| !c.is_control()).collect()
}
