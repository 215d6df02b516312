//! Certificates that were renewed: mongod reads them at its start, and later only when it is told to. Without that all members
//! would go on with the old ones, and fail at once when these expire. All of them hear of a new one at about the same time, so a bad one is refused
//! here: what mongod takes is more than what clients take.

use std::path::PathBuf;

use archive::Digest;
use replset::member::Server;

use super::said::Said;
use super::trust::{Distrust, trusted};

/// What the server was told to read last.
#[derive(Default)]
pub struct Certificates {
    told: Option<Digest>,
    /// The certificate among it, as PEM.
    used: Option<Vec<u8>>,
}

/// Files that the server is to read, and that all may be well with.
pub struct Renewed {
    digest: Digest,
    certificate: Option<Vec<u8>>,
}

impl Certificates {
    /// What the server has to be told to read: files that are others than at the last time, and at first, because nobody knows what it has read. What
    /// is refused is told, and looked at again. `files`: the server's own, then those of authorities; `hosts`: its addresses (`HOST:PORT`). Nothing is
    /// connected for it: with bad files nothing could be.
    pub async fn look(&mut self, files: &[PathBuf], hosts: &[&str], said: &mut Said) -> Option<Renewed> {
        if files.is_empty() {
            return None;
        }
        let contents = match read(files).await {
            Ok(contents) => contents,
            Err(problem) => {
                if said.is_news("certificates", &problem) {
                    let next = "give the files that mongod was started with to --certificates, readable for this user";
                    tracing::warn!(
                        event = "certificates_unreadable",
                        problem,
                        next,
                        "certificates are left as they are"
                    );
                }
                return None;
            }
        };
        let digest = digest_of(&contents);
        if self.told == Some(digest) {
            said.forget("certificates");
            return None;
        }
        match self.judge(&contents, hosts) {
            Ok(()) => Some(Renewed { digest, certificate: contents.into_iter().next() }),
            Err((problem, next)) => {
                refuse(&problem, next, said);
                None
            }
        }
    }

    /// Whether the server has read them.
    pub async fn rotate(&mut self, server: &Server, renewed: Renewed, said: &mut Said) -> bool {
        if let Err(error) = server.rotate_certificates().await {
            refuse(&error.to_string(), MEND, said);
            return false;
        }
        said.forget("certificates");
        self.used = renewed.certificate;
        if self.told.replace(renewed.digest).is_some() {
            tracing::info!(
                event = "certificates_renewed",
                "the server uses the certificates that are in the files now"
            );
        }
        true
    }

    /// Whether clients will take the new one, and whether this server will take the old one of members that have not read theirs yet.
    fn judge(&self, contents: &[Vec<u8>], hosts: &[&str]) -> Result<(), (String, &'static str)> {
        let [own, authorities @ ..] = contents else { return Ok(()) };
        if authorities.is_empty() {
            return Ok(());
        }
        let authorities = authorities.join(&b'\n');
        trusted(own, &authorities, hosts).map_err(|distrust| (distrust.to_string(), MEND))?;
        match self.used.as_ref().map(|used| trusted(used, &authorities, hosts)) {
            Some(Err(Distrust::UnknownIssuer)) => Err((
                "the authority of the certificates that are in use is no longer trusted".to_owned(),
                "give both authorities in the Secret's ca.crt until every member has its new certificate",
            )),
            _ => Ok(()),
        }
    }
}

/// Tells once why files are not used, and what to do.
pub fn refuse(problem: &str, next: &str, said: &mut Said) {
    if said.is_news("certificates", problem) {
        tracing::error!(
            event = "certificates_refused",
            problem,
            next,
            "the certificates that are in the files now are not used: the server goes on with the old ones until they expire"
        );
    }
}

/// What to do about most of it.
pub const MEND: &str = "put a certificate with its key into the Secret that the authority beside it signed and that has the members' names";

async fn read(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, String> {
    let mut all = Vec::new();
    for file in files {
        let bytes = tokio::fs::read(file).await;
        all.push(bytes.map_err(|error| format!("{} cannot be read: {error}", file.display()))?);
    }
    Ok(all)
}

fn digest_of(contents: &[Vec<u8>]) -> Digest {
    let mut all = Vec::new();
    for bytes in contents {
        all.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        all.extend(bytes);
    }
    Digest::of(&all)
}
