//! What is set up wrongly: each error says what and never shows a secret.

use store::{ErrorKind, ObjectStoreExt};
use testkit::S3Server;
use testkit::proxy::Fault;
use testkit::{FaultProxy, s3_server};

use super::{BUCKET, assert_failed, read};

#[tokio::test]
async fn wrong_and_missing_credentials_are_told_apart() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let url = format!(
        "s3://{BUCKET}/x?endpoint={}&region={}&credentials_file={}",
        server.endpoint(),
        s3_server::REGION,
        file.display()
    );
    for (access_key, secret, said) in [
        (s3_server::ACCESS_KEY, "hunter2-hunter2", "secret key is wrong"),
        ("nobody-hunter2", "hunter2-hunter2", "access key is not known"),
    ] {
        let content = format!("[default]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret}\n");
        std::fs::write(&file, content).unwrap();
        let store = store::open(&url).unwrap();
        for error in [
            store.put_new("a", "x".into()).await.unwrap_err(),
            store.list("", None, 1).await.unwrap_err(),
            store.get_bytes("a", 1).await.unwrap_err(),
        ] {
            assert_failed(&error, ErrorKind::PermissionDenied, said);
            assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
            assert!(!error.is_retryable());
        }
    }
    std::fs::write(&file, "").unwrap();
    let error = store::open(&url).unwrap().head("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(error.to_string().contains("credentials"), "{error}");
}

#[tokio::test]
async fn answers_of_aws_are_explained() {
    let server = S3Server::start().await.unwrap();
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    let store = store::open(&format!("{}&deadline=2", server.url_at(&proxy.endpoint(), BUCKET, ""))).unwrap();
    let error = |code: &str| format!("<Error><Code>{code}</Code><Message>as AWS says it</Message></Error>");
    let region = "x-amz-bucket-region: eu-west-3\r\n";
    for (status, headers, code, kind, said) in [
        ("301 Moved", region, "PermanentRedirect", ErrorKind::InvalidUrl, "?region=eu-west-3"),
        ("400 Bad Request", region, "AuthorizationHeaderMalformed", ErrorKind::InvalidUrl, "?region=eu-west-3"),
        ("403 Forbidden", "", "AccessDenied", ErrorKind::PermissionDenied, "lack the permission"),
        ("400 Bad Request", "", "ExpiredToken", ErrorKind::PermissionDenied, "expired"),
        ("400 Bad Request", "", "KMS.DisabledException", ErrorKind::PermissionDenied, "KMS key"),
        ("507 Insufficient", "", "XMinioStorageFull", ErrorKind::NoSpace, "no space"),
        ("501 Not Implemented", "", "NotImplemented", ErrorKind::Other, "cannot do this"),
    ] {
        let (answer, status) = (error(code), status.to_owned());
        proxy.plan(move |_| Fault::status(&status, headers, &answer));
        assert_failed(&store.put_new("a", "x".into()).await.unwrap_err(), kind, said);
    }
    // A login page, or a server of something else.
    proxy.plan(|_| Fault::status("200 OK", "content-type: text/html\r\n", "<html>hello"));
    assert_failed(&store.list("", None, 1).await.unwrap_err(), ErrorKind::Unreachable, "is the endpoint right?");
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_and_otherwise_named() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET).await.unwrap();
    let proxy = FaultProxy::start(server.port()).await.unwrap();
    let store = store::open(&format!("{}&deadline=2", server.url_at(&proxy.endpoint(), BUCKET, ""))).unwrap();
    let skewed = |_| {
        let date = "date: Mon, 01 Jan 2035 00:00:00 GMT\r\n";
        Fault::status("403 Forbidden", date, "<Error><Code>RequestTimeTooSkewed</Code></Error>")
    };
    proxy.plan(skewed);
    let error = store.list("", None, 1).await.unwrap_err();
    assert_failed(&error, ErrorKind::PermissionDenied, "the clock of this machine is");
    assert!(error.to_string().contains("behind the store's"), "{error}");

    // A refusal tells the time too.
    assert_eq!(store.clock().await.unwrap().unwrap().to_string(), "2035-01-01T00:00:00Z");
    proxy.plan(|_| Fault::Pass);
    let now = store.clock().await.unwrap().unwrap();
    assert!(jiff::Timestamp::now().duration_since(now).abs() < jiff::SignedDuration::from_secs(5));
    assert!(store.list("", None, 1).await.is_ok());
}

#[tokio::test]
async fn tls_is_trusted_by_ones_own_authority_only() {
    let mut server = S3Server::start().await.unwrap();
    server.create_bucket(BUCKET).await.unwrap();
    let plain = server.endpoint();
    server.switch_to_tls().await.unwrap();
    let url = server.url(BUCKET, "archive");
    let trusting = store::open(&format!("{url}&ca={}", server.authority().display())).unwrap();
    let large = super::body(11 * super::MIB);
    for body in ["x".into(), large.clone()] {
        let key = format!("of-{}", body.len());
        assert_eq!(trusting.put_new(&key, body.clone()).await.unwrap(), store::Created::New);
        assert!(read(&*trusting, &key).await.unwrap() == body);
        assert_eq!(trusting.put_new(&key, large.clone()).await.unwrap(), store::Created::AlreadyExists);
    }

    let error = store::open(&format!("{url}&deadline=5")).unwrap().head("a").await.unwrap_err();
    assert_failed(&error, ErrorKind::Unreachable, "add `ca=/path.pem`");
    let error = store::open(&format!("{}&deadline=2", server.url_at(&plain, BUCKET, ""))).unwrap();
    assert_eq!(error.head("a").await.unwrap_err().kind(), ErrorKind::Unreachable);

    server.kill();
    let mut plain = S3Server::start().await.unwrap();
    let https = plain.endpoint().replace("http://", "https://");
    let error = store::open(&plain.url_at(&https, BUCKET, "")).unwrap().head("a").await.unwrap_err();
    assert_failed(&error, ErrorKind::Unreachable, "does not speak TLS");
    plain.kill();
}
