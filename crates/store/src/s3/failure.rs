//! What a failed S3 request means. Error codes are those of AWS, versitygw and `MinIO`; a HEAD has no body and so no
//! code, only a status.

use std::error::Error;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::cloud::failure::{Again, Failure, Reason};
use crate::error::ErrorKind;

/// Beyond this AWS refuses a signature; the SDK measures the skew of each answer and signs the next request with it.
const TOLERATED_SKEW: Duration = Duration::from_mins(4);

pub(super) fn judge<E>(error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::TimeoutError(_) => Failure::unreachable("no answer in time"),
        SdkError::ServiceError(context) => {
            answered(context.err().code().unwrap_or_default(), context.err().message(), context.raw())
        }
        // The head arrived and the body did not, or not whole. A whole body that cannot be read is a `ServiceError`.
        SdkError::ResponseError(context) => {
            let status = context.raw().status().as_u16();
            let sources = unsent(error.source()).detail;
            Failure::unreachable(format!("the answer (HTTP {status}) ended too early ({})", readable(&sources)))
        }
        SdkError::DispatchFailure(failure) => unsent(failure.as_connector_error().map(|error| error as _)),
        other => unsent(other.source()),
    }
}

/// The request did not reach the server, or its answer did not reach us.
fn unsent(error: Option<&(dyn Error + 'static)>) -> Failure {
    let mut texts: Vec<String> = Vec::new();
    let mut next = error;
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return no_credentials(error);
        }
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        next = error.source();
    }
    let text = texts.join(": ");
    if text.contains("certificate") || text.contains("BadSignature") {
        let hint =
            "the server's certificate is not trusted; for an authority of your own add `ca=/path.pem` to the URL";
        return Failure::new(ErrorKind::Unreachable, Again::Never, format!("{hint} ({text})"));
    }
    if text.contains("InvalidContentType") || text.contains("corrupt message") {
        let hint = "the server does not speak TLS there; is the endpoint http:// instead of https://?";
        return Failure::new(ErrorKind::Unreachable, Again::Never, format!("{hint} ({text})"));
    }
    if text.contains("dns error") || text.contains("failed to lookup address") {
        // Worth another try all the same: name servers have bad moments, too.
        let hint =
            "the host name of the store is not known here; check `endpoint` and `region` of the URL, and the DNS";
        return Failure::unreachable(format!("{hint} ({text})"));
    }
    Failure::unreachable(text)
}

/// The text of these errors names files, profiles and variables, never their contents; the sources of some quote an
/// answer of a token service, which is left out.
fn no_credentials(error: &CredentialsError) -> Failure {
    let hint = "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or give the pod a role";
    match error {
        CredentialsError::CredentialsNotLoaded(_) => Failure::new(ErrorKind::PermissionDenied, Again::Never, hint),
        CredentialsError::ProviderTimedOut(_) => Failure::unreachable("the source of the credentials does not answer"),
        CredentialsError::InvalidConfiguration(_) => {
            Failure::new(ErrorKind::PermissionDenied, Again::Never, format!("{error}; check AWS_PROFILE and its files"))
        }
        _ => Failure::new(ErrorKind::PermissionDenied, Again::Once, format!("the credentials cannot be had: {error}")),
    }
}

fn answered(code: &str, message: Option<&str>, response: &HttpResponse) -> Failure {
    let status = response.status().as_u16();
    let skew = skew(response);
    let mut said = if code.is_empty() { format!("HTTP {status}") } else { format!("{code} (HTTP {status})") };
    if let Some(message) = message.map(readable).filter(|message| !message.is_empty()) {
        said = format!("{said}: {message}");
    }
    let denied = |hint: &str| Failure::new(ErrorKind::PermissionDenied, Again::Never, format!("{hint} [{said}]"));
    match (code, status) {
        ("RequestTimeTooSkewed", _) => Failure { again: Again::Once, ..denied(&wrong_clock(skew)) },
        ("SignatureDoesNotMatch", _) if skew.is_some_and(|skew| skew.unsigned_abs() > TOLERATED_SKEW) => {
            Failure { again: Again::Once, ..denied(&wrong_clock(skew)) }
        }
        ("SignatureDoesNotMatch", _) => denied("the secret key is wrong, or a proxy changes requests"),
        ("InvalidAccessKeyId" | "XAdminUserNotFound", _) => {
            denied("the access key is not known there; is it for another account or server?")
        }
        ("ExpiredToken" | "TokenRefreshRequired" | "InvalidToken", _) => {
            denied("the session token is expired or not valid there; renew the credentials")
        }
        ("ObjectLocked", _) => denied("the object is protected by its retention or a legal hold"),
        ("NoSuchBucket", _) => missing_bucket(&said),
        ("NoSuchKey" | "NoSuchVersion" | "MethodNotAllowed", 404 | 405) => {
            Failure::new(ErrorKind::NotFound, Again::Never, "").because(Reason::NoObject)
        }
        ("NoSuchUpload", _) => {
            let failure = Failure::new(ErrorKind::Unreachable, Again::Never, format!("the upload is gone [{said}]"));
            failure.because(Reason::UploadGone)
        }
        ("PreconditionFailed", _) | (_, 412) => {
            Failure::new(ErrorKind::Other, Again::Never, said).because(Reason::NameTaken)
        }
        // Another request for the same key was under way; nothing was decided.
        ("ConditionalRequestConflict" | "OperationAborted", _) => Failure::unreachable(said),
        ("InvalidRange", _) | (_, 416) => {
            Failure::new(ErrorKind::Other, Again::Never, said).because(Reason::RangeBehindEnd)
        }
        (
            "PermanentRedirect"
            | "TemporaryRedirect"
            | "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException",
            _,
        )
        | (_, 301 | 307) => wrong_region(response, &said),
        (
            "ObjectParentIsFile"
            | "ExistingObjectIsDirectory"
            | "XMinioParentIsObject"
            | "XMinioObjectExistsAsDirectory",
            _,
        ) => {
            // A store on a file system (versitygw) also says so while it takes away the folder that just became empty.
            Failure::new(ErrorKind::InvalidKey, Again::Soon, "an object and a folder cannot have the same name")
        }
        ("KeyTooLongError" | "XMinioInvalidObjectName" | "InvalidURI", _) => {
            Failure::new(ErrorKind::InvalidKey, Again::Never, said)
        }
        ("XMinioStorageFull" | "QuotaExceeded" | "XMinioAdminBucketQuotaExceeded" | "InsufficientStorage", _)
        | (_, 507) => Failure::new(ErrorKind::NoSpace, Again::Never, said),
        ("SlowDown" | "TooManyRequests" | "ServiceUnavailable" | "Throttling" | "RequestLimitExceeded", _)
        | (_, 429 | 503) => {
            let failure = Failure::unreachable(format!("the store asks to slow down [{said}]"));
            Failure { again: retry_after(response), ..failure }
        }
        ("NotImplemented", _) | (_, 501) => {
            Failure::new(ErrorKind::Other, Again::Never, format!("the server cannot do this [{said}]"))
        }
        // Damaged or cut on the way, or the client was too slow.
        ("BadDigest" | "XAmzContentChecksumMismatch" | "IncompleteBody" | "RequestTimeout" | "InternalError", _) => {
            Failure::unreachable(said)
        }
        (code, _) if code.starts_with("KMS") || code.starts_with("Kms") => denied("the KMS key cannot be used"),
        ("AccessDenied" | "AllAccessDisabled" | "AccountProblem", _) | (_, 401 | 403) => denied(
            "the credentials lack the permission, or the object is protected; without s3:ListBucket an object \
                 that does not exist looks like this too",
        ),
        ("" | "NotFound", 404) => Failure::new(ErrorKind::NotFound, Again::Never, "").because(Reason::NoObject),
        // An answer of success that could not be read.
        ("", 200..=299) => not_s3(status, Again::Once),
        ("InvalidRequest", _) if said.contains("ObjectLock") || said.contains("Object Lock") => {
            let hint = "the bucket has no Object Lock; make one that has, or leave out `retention_days`";
            Failure::new(ErrorKind::InvalidUrl, Again::Never, format!("{hint} [{said}]"))
        }
        (_, 500..) => Failure::unreachable(said),
        _ => Failure::new(ErrorKind::Other, Again::Never, said),
    }
}

fn not_s3(status: u16, again: Again) -> Failure {
    let what = format!("the answer (HTTP {status}) is not that of an S3 server; is the endpoint right?");
    Failure::new(ErrorKind::Unreachable, again, what)
}

fn missing_bucket(said: &str) -> Failure {
    let detail = format!("there is no such bucket [{said}]");
    Failure::new(ErrorKind::NotFound, Again::Never, detail).because(Reason::NoLocation)
}

fn wrong_region(response: &HttpResponse, said: &str) -> Failure {
    let hint = match response.headers().get("x-amz-bucket-region") {
        Some(region) => format!("the bucket is in region {region}; add `?region={region}` to the URL"),
        None => "the bucket is in another region; correct `region` in the URL or AWS_REGION".to_owned(),
    };
    Failure::new(ErrorKind::InvalidUrl, Again::Never, format!("{} [{said}]", readable(&hint)))
}

fn retry_after(response: &HttpResponse) -> Again {
    let seconds = response.headers().get("retry-after").and_then(|value| value.trim().parse().ok());
    seconds.map_or(Again::Soon, |seconds| Again::After(Duration::from_secs(seconds)))
}

/// By how much the store's clock is ahead of ours; negative when it is behind.
fn skew(response: &HttpResponse) -> Option<jiff::SignedDuration> {
    let theirs = date(response.headers().get("date")?)?;
    Some(theirs.duration_since(jiff::Timestamp::now()))
}

/// A `Date` header.
pub(super) fn date(text: &str) -> Option<jiff::Timestamp> {
    let parsed = aws_smithy_types::DateTime::from_str(text, aws_smithy_types::date_time::Format::HttpDate).ok()?;
    jiff::Timestamp::from_second(parsed.secs()).ok()
}

fn wrong_clock(skew: Option<jiff::SignedDuration>) -> String {
    match skew {
        Some(skew) if skew.is_negative() => format!("the clock of this machine is {:#} ahead of the store's", -skew),
        Some(skew) => format!("the clock of this machine is {skew:#} behind the store's"),
        None => "the clock of this machine is too far from the store's".to_owned(),
    }
}

/// Text from a server: one line, short, nothing that could steer a terminal.
pub(super) fn readable(text: &str) -> String {
    let text: String = text.trim().chars().take(300).collect();
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .escape_debug()
        .to_string()
        .replace("\\'", "'")
        .replace("\\\"", "\"")
}
