//! Certificates that were renewed: mongod reads them at its start, and later only when it is told to. Without that all members
//! would go on with the old ones, and fail at once when these expire. All of them hear of a new one at about the same time, so a bad one is refused
//! here: what mongod takes is more than what clients take.

use std::path::PathBuf;

use archive::Digest;
use replset::member::Server;

use super::said::Said;
use super::trust::trusted;

/// What the server was told to read last.
#[derive(Default)]
pub struct Certificates {
    told: Option<Digest>,
}

impl Certificates {
    /// What the server has to be told to read: files that are others than at the last time, and at first, because nobody knows what it has read. What
    /// is refused is told, and looked at again. `files`: the server's own, then those of authorities; `hosts`: its addresses (`HOST:PORT`). Nothing is
    /// connected for it: with bad files nothing could be.
    pub async fn look(&mut self, files: &[PathBuf], hosts: &[&str], said: &mut Said) -> Option<Digest> {
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
        if let [own, authorities @ ..] = contents.as_slice()
            && !authorities.is_empty()
            && let Err(distrust) = trusted(own, &authorities.join(&b'\n'), hosts)
        {
            refuse(&distrust.to_string(), said);
            return None;
        }
        Some(digest)
    }

    /// Whether the server has read them.
    pub async fn rotate(&mut self, server: &Server, renewed: Digest, said: &mut Said) -> bool {
        if let Err(error) = server.rotate_certificates().await {
            refuse(&error.to_string(), said);
            return false;
        }
        said.forget("certificates");
        if self.told.replace(renewed).is_some() {
            tracing::info!(
                event = "certificates_renewed",
                "the server uses the certificates that are in the files now"
            );
        }
        true
    }
}

fn refuse(problem: &str, said: &mut Said) {
    if said.is_news("certificates", problem) {
        tracing::error!(
            event = "certificates_refused",
            problem,
            next = "put a certificate into the Secret, with its key, that the authority beside it signed, for servers and clients, with the members' names",
            "the certificates that are in the files now are not used: the server goes on with the old ones until they expire"
        );
    }
}

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
