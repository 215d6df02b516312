//! Certificates that were renewed: mongod reads them at its start, and later only when it is told to. Without that all members
//! would go on with the old ones, and fail at once when these expire.

use std::path::PathBuf;

use archive::Digest;
use replset::member::Server;

use super::said::Said;

/// What the server was told to read last.
#[derive(Default)]
pub struct Certificates {
    told: Option<Digest>,
}

impl Certificates {
    /// Whether the server has read certificates anew. It is told so when the files are others than at the last time, and at first, because
    /// nobody knows what it has read. What it refuses is told again.
    pub async fn keep(&mut self, server: &Server, files: &[PathBuf], said: &mut Said) -> bool {
        if files.is_empty() {
            return false;
        }
        let present = match digest_of(files).await {
            Ok(present) => present,
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
                return false;
            }
        };
        if self.told == Some(present) {
            return false;
        }
        match server.rotate_certificates().await {
            Ok(()) => {
                said.forget("certificates");
                if self.told.replace(present).is_some() {
                    tracing::info!(
                        event = "certificates_renewed",
                        "the server uses the certificates that are in the files now"
                    );
                }
                true
            }
            Err(error) => {
                if said.is_news("certificates", &error.to_string()) {
                    tracing::error!(
                        event = "certificates_refused",
                        %error,
                        next = "put a certificate into the Secret that this authority signed and that has the members' names",
                        "the server does not take the certificates that are in the files now, and goes on with the old ones until they expire"
                    );
                }
                false
            }
        }
    }
}

async fn digest_of(files: &[PathBuf]) -> Result<Digest, String> {
    let mut all = Vec::new();
    for file in files {
        let bytes =
            tokio::fs::read(file).await.map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        all.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        all.extend(bytes);
    }
    Ok(Digest::of(&all))
}
