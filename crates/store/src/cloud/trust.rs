//! Certificates of an authority of one's own (`ca=`), checked before an SDK gets them: the S3 SDK panics on bad ones.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// A PEM file with at least one certificate.
#[derive(Clone)]
pub(crate) struct Authority {
    #[cfg_attr(not(feature = "s3"), expect(dead_code))]
    pub pem: Vec<u8>,
    pub certificates: Vec<CertificateDer<'static>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({} certificates)", self.certificates.len())
    }
}

impl Authority {
    pub fn read(path: &Path) -> Result<Self, String> {
        let pem = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("{} is not a PEM file: {error}", path.display()))?;
        if certificates.is_empty() {
            return Err(format!("{} holds no certificate", path.display()));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            let added = roots.add(certificate.clone());
            added.map_err(|error| format!("a certificate in {} cannot be used: {error}", path.display()))?;
        }
        Ok(Self { pem, certificates })
    }
}

/// The authorities this machine trusts; containers may have none.
pub(crate) fn native_certificates() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().certs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_a_usable_certificate_are_refused_with_their_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(Authority::read(&path).unwrap_err().contains("ca.pem"));
        for (content, why) in [
            ("", "no certificate"),
            ("hello", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n", "not a PEM file"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be used"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = Authority::read(&path).unwrap_err();
            assert!(error.contains(why), "{content:?}: {error}");
        }
    }
}
