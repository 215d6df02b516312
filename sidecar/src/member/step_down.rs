//! Before a member is stopped: another one becomes primary first, so that nobody waits for an election to notice.

use replset::member::{HandedOver, Login, Server};

use super::keyfile;
use crate::config::StepDownConfig;
use crate::error::Result;

/// A sentence that says what came of it.
pub async fn step_down(config: &StepDownConfig) -> Result<String> {
    let key = keyfile::read(config.keyfile.as_deref())?;
    let login = key.as_deref().map_or(Login::Uri, Login::Key);
    let server = Server::open(&config.uri, None, login, config.timeout).await?;
    Ok(match server.hand_over(config.seconds, config.timeout).await? {
        HandedOver::NotPrimary => "it is not primary: nothing to hand over".to_owned(),
        HandedOver::NobodyElse => "no other member can be primary: nobody to hand over to".to_owned(),
        HandedOver::To(primary) => format!("{primary} is primary"),
    })
}
