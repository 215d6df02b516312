//! A certificate for 127.0.0.1, signed by an authority that nobody else knows.

use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Writes `ca.pem`, `public.crt` and `private.key`, the last two under the names `MinIO` looks for, and `server.pem` with both as `mongod`
/// wants them.
pub fn write(folder: &Path) -> Result<()> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&key, &issuer)?;

    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for (name, content) in [
        ("server.pem", certificate.pem() + &key.serialize_pem()),
        ("ca.pem", authority_certificate.pem()),
        ("public.crt", certificate.pem()),
        ("private.key", key.serialize_pem()),
    ] {
        std::fs::write(folder.join(name), content).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}
