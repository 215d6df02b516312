//! AWS Signature Version 4 for requests without a body.

use anyhow::Result;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{ACCESS_KEY, REGION, SECRET_KEY};

/// The headers of the request, the signature included.
pub(super) fn sign(
    method: &str,
    path: &str,
    query: &str,
    host: &str,
    headers: &[(&str, &str)],
    now: jiff::Timestamp,
) -> Result<Vec<(String, String)>> {
    let time = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &time[..8];
    let empty = hex::encode(Sha256::digest(b""));
    let mut all: Vec<(String, String)> = vec![
        ("host".into(), host.into()),
        ("x-amz-content-sha256".into(), empty.clone()),
        ("x-amz-date".into(), time.clone()),
    ];
    all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    all.sort();
    let lines: Vec<String> = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let lines = lines.concat();
    let names = all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
    let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{empty}");
    let scope = format!("{day}/{REGION}/s3/aws4_request");
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let mut key = format!("AWS4{SECRET_KEY}").into_bytes();
    for part in [day, REGION, "s3", "aws4_request"] {
        key = code(&key, part)?;
    }
    let signature = hex::encode(code(&key, &to_sign)?);
    let credential = format!("{ACCESS_KEY}/{scope}");
    all.push((
        "authorization".into(),
        format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"),
    ));
    Ok(all)
}

fn code(key: &[u8], text: &str) -> Result<Vec<u8>> {
    let mut code = Hmac::<Sha256>::new_from_slice(key)?;
    code.update(text.as_bytes());
    Ok(code.finalize().into_bytes().to_vec())
}
