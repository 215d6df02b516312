//! Object store servers of the test kit: they start, keep their data over a restart, and speak TLS.
#![allow(clippy::unwrap_used)]

use testkit::{AzuriteServer, S3Server};

#[tokio::test]
async fn an_s3_server_keeps_its_buckets_over_a_kill() {
    let mut server = S3Server::start().await.unwrap();
    server.create_bucket("plain").await.unwrap();
    server.create_locked_bucket("locked").await.unwrap();
    server.kill();
    server.restart().await.unwrap();
    assert!(server.create_bucket("plain").await.unwrap_err().to_string().contains("409"));
    assert!(server.unfinished_uploads("locked").await.unwrap().is_empty());
    server.delete_bucket("plain").await.unwrap();
    server.switch_to_tls().await.unwrap();
    assert!(server.endpoint().starts_with("https://") && server.authority().is_file());
}

#[tokio::test]
async fn azurite_accepts_our_signatures() {
    let server = AzuriteServer::start().await.unwrap();
    server.create_container("container").await.unwrap();
    assert!(server.create_container("container").await.unwrap_err().to_string().contains("409"));
    server.delete_container("container").await.unwrap();
}
