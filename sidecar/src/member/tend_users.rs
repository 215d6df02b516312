//! Keeps the users of the users file, through the primary. Users that are not in the file are never touched.

use std::collections::{BTreeSet, HashMap};

use member::{Gate, Password, RestoreMark, UserAction, Waiting, WantedUser, gate, parse_users, user_action};
use rand::RngExt as _;
use replset::member::{FoundUser, Lock, Server};

use super::said::Said;
use crate::config::TendConfig;
use crate::error::Result;

/// What is known of passwords: kept in memory only.
pub struct UsersKeeper {
    tried: HashMap<String, Tried>,
}

/// A password, the credentials that it was tried against, and what came of it.
struct Tried {
    password: String,
    credentials: String,
    works: bool,
}

impl UsersKeeper {
    pub fn new() -> Self {
        Self { tried: HashMap::new() }
    }

    /// Another primary may change anything.
    pub fn forget(&mut self) {
        self.tried.clear();
    }

    /// Whether there is nothing left to do or to wait for. One step for each user; a user that fails holds up no other.
    pub async fn keep(&mut self, server: &Server, config: &TendConfig, said: &mut Said) -> Result<bool> {
        let Some(path) = &config.users else { return Ok(true) };
        let shown = path.display().to_string();
        let parsed = match tokio::fs::read_to_string(path).await {
            Ok(text) => parse_users(&text),
            Err(error) => Err(vec![format!("cannot be read: {error}")]),
        };
        let wanted = match parsed {
            Ok(wanted) => wanted,
            Err(problems) => {
                let problems = problems.join("; ");
                if said.is_news("users", &problems) {
                    tracing::error!(event = "users_unusable", path = shown, problems, "users are left as they are");
                }
                return Ok(false);
            }
        };
        said.forget("users");
        // Also outside of recovery: a set that is given its ordinary values in the middle of a restore is half a database.
        // And each time: the set may be emptied and restored into again.
        let has_gate = wanted.iter().any(|user| user.after_restore);
        let mark = if has_gate { server.restore_mark().await? } else { RestoreMark::None };
        let (mut settled, mut failed) = (true, None);
        for user in &wanted {
            match self.keep_one(server, user, gate(config.mode, user.after_restore, mark), said).await {
                Ok(is_settled) => settled &= is_settled,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(settled), Err)
    }

    async fn keep_one(&mut self, server: &Server, wanted: &WantedUser, gate: Gate, said: &mut Said) -> Result<bool> {
        let subject = format!("user {}", wanted.name);
        let user = wanted.name.as_str();
        // At most: try the password, change it, try it again, keep it.
        for _ in 0..4 {
            let found = server.user(user).await?;
            let text = password_of(wanted).await;
            let password = self.judge(user, found.as_ref(), text.as_deref());
            let text = text.unwrap_or_default();
            match user_action(wanted, found.as_ref().map(|found| &found.user), password, gate) {
                UserAction::Keep => {
                    said.forget(&subject);
                    return Ok(true);
                }
                UserAction::Wait(waiting) => {
                    tell(said, &subject, wanted, waiting);
                    return Ok(false);
                }
                UserAction::TryPassword => {
                    let works = server.password_works(user, &text).await?;
                    let credentials = found.map(|found| found.credentials).unwrap_or_default();
                    self.tried.insert(user.to_owned(), Tried { password: text, credentials, works });
                }
                UserAction::Create => {
                    server.create_user(user, &text, &wanted.roles, Lock::Unlocked).await?;
                    tracing::info!(event = "user_created", user, "a user was created");
                }
                UserAction::CreateLocked => {
                    server.create_user(user, &nobody_knows(), &BTreeSet::new(), Lock::Locked).await?;
                    tracing::info!(event = "user_locked", user, "a user is kept out until the restore has completed");
                }
                UserAction::Lock => {
                    server.update_user(user, Some(&nobody_knows()), Some(&BTreeSet::new()), Some(Lock::Locked)).await?;
                    tracing::info!(event = "user_locked", user, "a user is kept out until the restore has completed");
                }
                UserAction::Update { roles, password } => {
                    let (set_roles, set_password) = (roles.then_some(&wanted.roles), password.then_some(text.as_str()));
                    let unlock = password.then_some(Lock::Unlocked);
                    server.update_user(user, set_password, set_roles, unlock).await?;
                    tracing::info!(event = "user_updated", user, roles, password, "a user was updated");
                }
            }
        }
        Ok(false)
    }

    fn judge(&self, user: &str, found: Option<&FoundUser>, text: Option<&str>) -> Password {
        let Some(text) = text else { return Password::Missing };
        match (self.tried.get(user), found) {
            (Some(tried), Some(found)) if tried.password == text && tried.credentials == found.credentials => {
                if tried.works { Password::Right } else { Password::Wrong }
            }
            _ => Password::Untried,
        }
    }
}

/// Without the newline that editors put at the end of a file.
async fn password_of(wanted: &WantedUser) -> Option<String> {
    let text = tokio::fs::read_to_string(&wanted.password_file).await.ok()?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    (!text.is_empty()).then(|| text.to_owned())
}

/// 256 bits.
fn nobody_knows() -> String {
    hex::encode(rand::rng().random::<[u8; 32]>())
}

fn tell(said: &mut Said, subject: &str, wanted: &WantedUser, waiting: Waiting) {
    if !said.is_news(subject, &format!("{waiting:?}")) {
        return;
    }
    let user = wanted.name.as_str();
    match waiting {
        Waiting::ForRestore => {
            tracing::info!(
                event = "user_waits_for_restore",
                user,
                "a user is kept out until the restore has completed, and in a drill for good"
            );
        }
        Waiting::LeftAlone => tracing::warn!(
            event = "user_left_alone",
            user,
            "in recovery mode, but the user exists and nothing was restored into this set: it is left as it is"
        ),
        Waiting::ForPassword => {
            let path = wanted.password_file.display().to_string();
            tracing::warn!(event = "user_without_password", user, path, "the password file is missing or empty");
        }
    }
}
