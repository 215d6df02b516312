//! Before a member is stopped: another one becomes primary first, so that nobody waits for an election to notice.

use std::time::{Duration, Instant};

use replset::member::{HandedOver, Login, Server};

use super::keyfile;
use crate::config::StepDownConfig;
use crate::error::Result;

const PAUSE: Duration = Duration::from_millis(500);

/// A sentence that says what came of it.
pub async fn step_down(config: &StepDownConfig) -> Result<String> {
    let key = keyfile::read(config.keyfile.as_deref())?;
    let login = key.as_deref().map_or(Login::Uri, Login::Key);
    let server = Server::open(&config.uri, None, login, config.timeout).await?;
    let waited = wait(&server, config.wait).await;
    let done = match server.hand_over(config.seconds, config.timeout).await? {
        HandedOver::NotPrimary => "it is not primary: nothing to hand over".to_owned(),
        HandedOver::NobodyElse => "no other member can be primary: nobody to hand over to".to_owned(),
        HandedOver::To(primary) => format!("{primary} is primary"),
    };
    Ok(match waited {
        Some(waited) => format!("{waited}; {done}"),
        None => done,
    })
}

/// While the set would lose its majority with this member, it waits for those that are away. Whoever restarts members one after
/// the other and is told to begin anew may have one down already.
///
/// Who cannot be asked is not waited for: to be stopped must not depend on it.
async fn wait(server: &Server, limit: Duration) -> Option<String> {
    let (began, mut away) = (Instant::now(), String::new());
    while began.elapsed() < limit {
        match server.awaited().await {
            Ok(awaited) if !awaited.is_empty() => away = awaited.join(", "),
            _ if away.is_empty() => return None,
            _ => return Some(format!("waited {} s for {away}", began.elapsed().as_secs())),
        }
        tokio::time::sleep(PAUSE).await;
    }
    (!away.is_empty()).then(|| format!("{away} did not come back within {} s", limit.as_secs()))
}
