//! Who we are: a shared access signature from the environment or a file, or an identity of Entra ID by the usual chain.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::error::{Error, ErrorKind};
use azure_core::http::ClientOptions;
use azure_identity::{
    AzureCliCredential, ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId, WorkloadIdentityCredential,
    WorkloadIdentityCredentialOptions,
};

const SIGNATURE_VARIABLE: &str = "AZURE_STORAGE_SAS_TOKEN";
/// A signature in a file is renewed by whoever wrote it.
const REREAD: Duration = Duration::from_secs(30);

/// A shared access signature: the query of a URL that opens the container to whoever has it.
#[derive(Debug)]
pub(super) struct Signature {
    file: Option<PathBuf>,
    read: Mutex<Option<(Secret, Instant)>>,
}

impl Signature {
    /// From a file, or from the environment when nothing else was asked for.
    pub fn find(file: Option<&PathBuf>, identity: Option<Identity>) -> Option<Self> {
        if let Some(file) = file {
            return Some(Self { file: Some(file.clone()), read: Mutex::new(None) });
        }
        let text = std::env::var(SIGNATURE_VARIABLE).ok().filter(|text| !text.is_empty() && identity.is_none())?;
        Some(Self { file: None, read: Mutex::new(Some((Secret::new(trimmed(&text)), Instant::now()))) })
    }

    pub async fn read(&self) -> Result<String, Error> {
        let cached = |max_age: Option<Duration>| {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            let (secret, at) = read.as_ref()?;
            max_age.is_none_or(|limit| at.elapsed() < limit).then(|| secret.secret().to_owned())
        };
        let Some(file) = &self.file else { return Ok(cached(None).unwrap_or_default()) };
        if let Some(text) = cached(Some(REREAD)) {
            return Ok(text);
        }
        let text = tokio::fs::read_to_string(file).await.map_err(|error| {
            Error::with_message(ErrorKind::Credential, format!("cannot read `sas_file` {}: {error}", file.display()))
        })?;
        let text = trimmed(&text);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((Secret::new(text.clone()), Instant::now()));
        Ok(text)
    }
}

/// The portal shows it with a question mark.
fn trimmed(text: &str) -> String {
    text.trim().trim_start_matches('?').to_owned()
}

/// Where a token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    Workload,
    Secret,
    Managed,
    Cli,
}

impl Identity {
    pub const CHOICES: [(&'static str, Self); 4] =
        [("workload", Self::Workload), ("secret", Self::Secret), ("managed", Self::Managed), ("cli", Self::Cli)];

    fn name(self) -> &'static str {
        Self::CHOICES.iter().find(|(_, identity)| *identity == self).map_or("", |(name, _)| name)
    }

    fn credential(self, options: &ClientOptions) -> azure_core::Result<Arc<dyn TokenCredential>> {
        let variable = |name: &str| {
            let missing = || Error::with_message(ErrorKind::Credential, format!("{name} is not set"));
            std::env::var(name).map_err(|_| missing())
        };
        Ok(match self {
            Self::Workload => WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                credential_options: ClientAssertionCredentialOptions { client_options: options.clone() },
                ..WorkloadIdentityCredentialOptions::default()
            }))?,
            Self::Secret => ClientSecretCredential::new(
                &variable("AZURE_TENANT_ID")?,
                variable("AZURE_CLIENT_ID")?,
                Secret::new(variable("AZURE_CLIENT_SECRET")?),
                Some(ClientSecretCredentialOptions { client_options: options.clone() }),
            )?,
            Self::Managed => ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                user_assigned_id: variable("AZURE_CLIENT_ID").ok().map(UserAssignedId::ClientId),
                client_options: options.clone(),
            }))?,
            Self::Cli => AzureCliCredential::new(None)?,
        })
    }
}

/// The first source that gives a token is kept. Sources that are not set up are skipped without a request.
#[derive(Debug)]
pub(super) struct Chain {
    sources: Vec<(Identity, Arc<dyn TokenCredential>)>,
    found: Mutex<Option<usize>>,
    skipped: Vec<String>,
}

impl Chain {
    pub fn new(only: Option<Identity>, options: &ClientOptions) -> Self {
        let (mut sources, mut skipped) = (Vec::new(), Vec::new());
        for (name, identity) in Identity::CHOICES {
            if only.is_none_or(|only| only == identity) {
                match identity.credential(options) {
                    Ok(credential) => sources.push((identity, credential)),
                    Err(error) => skipped.push(format!("{name}: {error}")),
                }
            }
        }
        Self { sources, found: Mutex::new(None), skipped }
    }

    fn found(&self) -> Option<usize> {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TokenCredential for Chain {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let found = self.found();
        let mut tried = self.skipped.clone();
        for (index, (identity, credential)) in self.sources.iter().enumerate() {
            if found.is_some_and(|found| found != index) {
                continue;
            }
            match credential.get_token(scopes, options.clone()).await {
                Ok(token) => {
                    *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(index);
                    return Ok(token);
                }
                Err(error) => tried.push(format!("{}: {error}", identity.name())),
            }
        }
        Err(Error::with_message(ErrorKind::Credential, tried.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_signature_is_read_from_its_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sas");
        let signature = Signature::find(Some(&file), None).unwrap();
        let error = signature.read().await.unwrap_err();
        assert!(error.to_string().contains("cannot read `sas_file`"), "{error}");
        std::fs::write(&file, "?sv=1&sig=hunter2\n").unwrap();
        assert_eq!(signature.read().await.unwrap(), "sv=1&sig=hunter2");
        assert!(!format!("{signature:?}").contains("hunter2"));
        // Until it is time to look again the file is not needed.
        std::fs::remove_file(&file).unwrap();
        assert_eq!(signature.read().await.unwrap(), "sv=1&sig=hunter2");
    }

    #[tokio::test]
    async fn an_identity_that_is_not_set_up_says_what_is_missing() {
        let chain = Chain::new(Some(Identity::Secret), &ClientOptions::default());
        let error = chain.get_token(&["scope"], None).await.unwrap_err();
        assert!(error.to_string().contains("AZURE_TENANT_ID is not set"), "{error}");
    }
}
