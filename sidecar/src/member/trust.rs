//! Whether clients and the other members would take a certificate, asked before the server is told to use it: mongod sees only whether it can read it
//! and has its key, and lets go of the one that all was well with (`rotateCertificates`; seen on 6.0.5).

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, RootCertStore};

/// Why it would not be taken, in words.
#[derive(Debug, PartialEq, Eq)]
pub enum Distrust {
    Unreadable(String),
    /// None of the authorities signed it.
    UnknownIssuer,
    /// It is expired, for example, or has not this name.
    Refused(String),
}

impl std::fmt::Display for Distrust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(problem) | Self::Refused(problem) => f.write_str(problem),
            Self::UnknownIssuer => f.write_str("none of the authorities signed the certificate"),
        }
    }
}

/// Looks at the first certificate of `certificate`, with what follows it, as a client does that trusts `authorities` (both PEM) and asks for each of
/// `hosts` (`HOST:PORT`); and as another member does, to which this one shows it as a client ("unsuitable certificate purpose" without the usage
/// `clientAuth`, whether members sign in by it or by a keyfile; seen on 6.0.5).
pub fn trusted(certificate: &[u8], authorities: &[u8], hosts: &[&str]) -> Result<(), Distrust> {
    let chain = certificates(certificate, "the server's file")?;
    let mut roots = RootCertStore::empty();
    // As clients do, which leave aside what they do not understand.
    roots.add_parsable_certificates(certificates(authorities, "the authorities' file")?);
    let (roots, provider) = (Arc::new(roots), Arc::new(rustls::crypto::ring::default_provider()));
    let unusable = |error: rustls::client::VerifierBuilderError| {
        Distrust::Unreadable(format!("the authorities cannot be used: {error}"))
    };
    let by_clients = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
    let by_clients = by_clients.build().map_err(unusable)?;
    let by_members = WebPkiClientVerifier::builder_with_provider(roots, provider).build().map_err(unusable)?;
    let Some((own, more)) = chain.split_first() else { return Ok(()) };
    let now = UnixTime::now();
    for host in hosts {
        let name = host.rsplit_once(':').map_or(*host, |(name, _)| name).trim_matches(['[', ']']);
        let server = ServerName::try_from(name)
            .map_err(|error| Distrust::Refused(format!("{name} cannot stand in a certificate: {error}")))?;
        by_clients.verify_server_cert(own, more, &server, &[], now).map_err(|error| distrust(name, error))?;
    }
    by_members.verify_client_cert(own, more, now).map_err(|error| distrust("as a client of other members", error))?;
    Ok(())
}

fn distrust(asked: &str, error: rustls::Error) -> Distrust {
    match error {
        // The latter of an authority that has the same name.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            Distrust::UnknownIssuer
        }
        error => Distrust::Refused(format!("{asked}: {error}")),
    }
}

fn certificates<'a>(pem: &'a [u8], what: &str) -> Result<Vec<CertificateDer<'a>>, Distrust> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| Distrust::Unreadable(format!("{what} is no PEM: {error}")))?;
    if found.is_empty() { Err(Distrust::Unreadable(format!("{what} holds no certificate"))) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    const HOSTS: [&str; 2] = ["127.0.0.1:27017", "m-0.m.ns.svc:27017"];

    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    fn authority(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn certificate(authority: &Authority, names: &[&str], change: impl Fn(&mut CertificateParams)) -> String {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        params.signed_by(&KeyPair::generate().unwrap(), &authority.issuer).unwrap().pem()
    }

    fn judged(certificate: &str, authorities: &str) -> Result<(), Distrust> {
        trusted(certificate.as_bytes(), authorities.as_bytes(), &HOSTS)
    }

    #[test]
    fn a_certificate_of_the_authority_with_every_name_is_taken() {
        let ours = authority("ours");
        assert_eq!(judged(&certificate(&ours, &["127.0.0.1", "m-0.m.ns.svc"], |_| {}), &ours.pem), Ok(()));
        assert_eq!(judged(&certificate(&ours, &["127.0.0.1", "*.m.ns.svc"], |_| {}), &ours.pem), Ok(()));
    }

    #[test]
    fn of_another_authority_it_is_taken_once_both_are_trusted() {
        let (ours, theirs) = (authority("ours"), authority("theirs"));
        let new = certificate(&theirs, &["127.0.0.1", "m-0.m.ns.svc"], |_| {});
        assert_eq!(judged(&new, &ours.pem), Err(Distrust::UnknownIssuer));
        assert_eq!(judged(&new, &format!("{}{}", ours.pem, theirs.pem)), Ok(()));
        let namesake = authority("theirs");
        assert_eq!(judged(&new, &namesake.pem), Err(Distrust::UnknownIssuer));
    }

    #[test]
    fn without_a_usage_it_is_not_taken() {
        use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
        let ours = authority("ours");
        let for_usages = |usages: &[rcgen::ExtendedKeyUsagePurpose]| {
            certificate(&ours, &["127.0.0.1", "m-0.m.ns.svc"], |params| params.extended_key_usages = usages.to_vec())
        };
        assert_eq!(judged(&for_usages(&[ServerAuth, ClientAuth]), &ours.pem), Ok(()));
        for usage in [ServerAuth, ClientAuth] {
            assert!(matches!(judged(&for_usages(&[usage]), &ours.pem), Err(Distrust::Refused(_))));
        }
    }

    #[test]
    fn without_a_name_or_out_of_its_time_it_is_not_taken() {
        let ours = authority("ours");
        for names in [["127.0.0.1", "m-1.m.ns.svc"], ["127.0.0.2", "m-0.m.ns.svc"]] {
            assert!(matches!(judged(&certificate(&ours, &names, |_| {}), &ours.pem), Err(Distrust::Refused(_))));
        }
        let expired = certificate(&ours, &["127.0.0.1", "m-0.m.ns.svc"], |params| {
            params.not_after = date_time_ymd(2020, 1, 1);
        });
        let refused = judged(&expired, &ours.pem).unwrap_err();
        assert!(refused.to_string().contains("expired"), "{refused}");
    }

    #[test]
    fn half_a_file_and_none_are_told() {
        let ours = authority("ours");
        let good = certificate(&ours, &["127.0.0.1", "m-0.m.ns.svc"], |_| {});
        for half in ["", "-----BEGIN CERTIFICATE-----\n", "words", &good[..good.len() / 2]] {
            assert!(matches!(judged(half, &ours.pem), Err(Distrust::Unreadable(_))), "{half}");
            assert!(matches!(judged(&good, half), Err(Distrust::Unreadable(_))), "{half}");
        }
    }
}
