//! The S3 policies of `docs/policies`, judged as data: what each of the three roles may do, and above all what it may not.
//!
//! A request is allowed when a statement allows it and none denies it; the keys that conditions look at are those that S3
//! documents for conditional writes (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html>).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use std::path::Path;

use serde_json::Value;

/// One call of the API, as far as policies see it.
#[derive(Debug, Clone, Copy)]
struct Request<'a> {
    action: &'a str,
    key: &'a str,
    if_none_match: bool,
    /// False for the parts of a multipart upload, which take no conditional header.
    creates: bool,
    tls: bool,
}

const LINEAGE: &str = "rs0-0123";

fn request<'a>(action: &'a str, key: &'a str) -> Request<'a> {
    Request { action, key, if_none_match: false, creates: action == "s3:PutObject", tls: true }
}

fn policy(role: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/policies/s3-{role}.json"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().map(|one| one.as_str().unwrap()).collect(),
        other => panic!("{other}"),
    }
}

/// `*` stands for anything, slashes included.
fn is_like(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn resource(request: &Request) -> String {
    if request.key.is_empty() {
        "arn:aws:s3:::BUCKET".into()
    } else {
        format!("arn:aws:s3:::BUCKET/PREFIX/{}", request.key)
    }
}

fn meets(conditions: &Value, request: &Request) -> bool {
    let Some(conditions) = conditions.as_object() else { return true };
    conditions.iter().all(|(operator, keys)| {
        keys.as_object().unwrap().iter().all(|(key, wanted)| {
            let wanted = wanted.as_str().unwrap() == "true";
            match (operator.as_str(), key.as_str()) {
                ("Null", "s3:if-none-match") => wanted != request.if_none_match,
                ("Bool", "s3:ObjectCreationOperation") => wanted == request.creates,
                ("Bool", "aws:SecureTransport") => wanted == request.tls,
                other => panic!("a condition that this test does not know: {other:?}"),
            }
        })
    })
}

fn is_allowed(role: &str, request: Request) -> bool {
    let policy = policy(role);
    let resource = resource(&request);
    let mut allowed = false;
    for statement in policy["Statement"].as_array().unwrap() {
        let acts = texts(&statement["Action"]).iter().any(|action| is_like(action, request.action));
        let is_meant = match &statement["NotResource"] {
            Value::Null => texts(&statement["Resource"]).iter().any(|one| is_like(one, &resource)),
            excluded => !texts(excluded).iter().any(|one| is_like(one, &resource)),
        };
        if !acts || !is_meant || !meets(&statement["Condition"], &request) {
            continue;
        }
        if statement["Effect"] == "Deny" {
            return false;
        }
        allowed = true;
    }
    allowed
}

fn keys() -> [String; 5] {
    [
        "lineage.json",
        "snapshots/1/manifest.json",
        "snapshots/1/data/a-00000.bson.zst",
        "oplog/20260101/x.bson.zst",
        "gaps/a_b.json",
    ]
    .map(|key| format!("{LINEAGE}/{key}"))
}

#[test]
fn a_writer_creates_and_never_replaces_or_deletes() {
    for key in &keys() {
        let put = request("s3:PutObject", key);
        assert!(is_allowed("writer", Request { if_none_match: true, ..put }), "{key}");
        assert!(!is_allowed("writer", put), "{key}");
        assert!(is_allowed("writer", Request { creates: false, ..put }), "a part of an upload: {key}");
        assert!(!is_allowed("writer", Request { if_none_match: true, tls: false, ..put }), "{key}");
        for action in
            ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObjectLegalHold"]
        {
            assert!(!is_allowed("writer", request(action, key)), "{action} {key}");
        }
        assert!(is_allowed("writer", request("s3:GetObject", key)));
    }
    let lease = format!("{LINEAGE}/control/archiver-lease/heartbeat-1.json");
    assert!(is_allowed("writer", request("s3:PutObject", &lease)));
    assert!(is_allowed("writer", request("s3:DeleteObject", &lease)));
    assert!(is_allowed("writer", request("s3:ListBucket", "")));
    for action in ["s3:DeleteBucket", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration"] {
        assert!(!is_allowed("writer", request(action, "")), "{action}");
    }
}

#[test]
fn a_reader_writes_only_pins_protections_the_freeze_and_new_drill_reports() {
    for key in &keys() {
        for action in ["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"] {
            assert!(!is_allowed("reader", Request { if_none_match: true, ..request(action, key) }), "{action} {key}");
        }
        assert!(is_allowed("reader", request("s3:GetObject", key)));
    }
    for path in ["pins/audit.json", "protect/1.json", "freeze.json"] {
        let key = format!("{LINEAGE}/control/{path}");
        assert!(is_allowed("reader", request("s3:PutObject", &key)), "{key}");
        assert!(is_allowed("reader", request("s3:DeleteObject", &key)), "{key}");
    }
    let lease = format!("{LINEAGE}/control/archiver-lease/epoch-1.json");
    assert!(!is_allowed("reader", request("s3:PutObject", &lease)));
    let report = format!("{LINEAGE}/drills/1.json");
    assert!(is_allowed("reader", Request { if_none_match: true, ..request("s3:PutObject", &report) }));
    assert!(!is_allowed("reader", request("s3:PutObject", &report)), "a report is replaced");
    assert!(!is_allowed("reader", request("s3:DeleteObject", &report)));
}

#[test]
fn an_expirer_deletes_what_expires_and_nothing_else_and_goes_around_no_lock() {
    for key in &keys()[1..] {
        for action in ["s3:DeleteObject", "s3:DeleteObjectVersion"] {
            assert!(is_allowed("expirer", request(action, key)), "{action} {key}");
        }
        assert!(!is_allowed("expirer", request("s3:PutObject", key)), "replaces {key}");
        assert!(is_allowed("expirer", Request { if_none_match: true, ..request("s3:PutObject", key) }));
        for action in ["s3:BypassGovernanceRetention", "s3:PutObjectLegalHold", "s3:PutObjectRetention"] {
            assert!(!is_allowed("expirer", request(action, key)), "{action} {key}");
        }
    }
    for key in ["archive.json".to_owned(), keys()[0].clone(), format!("{LINEAGE}/drills/1.json")] {
        assert!(!is_allowed("expirer", request("s3:DeleteObject", &key)), "{key}");
    }
}
