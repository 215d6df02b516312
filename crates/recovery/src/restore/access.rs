//! Brings users and roles into the destination, last of all.

use replset::destination::MergedAccess;

use super::Context;
use super::routes::{Role, Routes};
use crate::failure::Result;
use crate::progress::Unit;

/// Merges the staged users and roles; those that the destination has already (the one running the restore among them)
/// stay as they are.
pub async fn merge(context: &Context, routes: &Routes) -> Result<MergedAccess> {
    context.progress.phase("users and roles", None, Unit::Items);
    let (mut users, mut roles) = (Vec::new(), Vec::new());
    for route in routes.staged() {
        match route.role {
            Role::Users => users.extend(context.destination.read_all(&route.namespace).await?),
            Role::Roles => roles.extend(context.destination.read_all(&route.namespace).await?),
            Role::Data | Role::Views(_) => {}
        }
    }
    let users: Vec<_> = users.iter().map(|user| &**user).collect();
    let roles: Vec<_> = roles.iter().map(|role| &**role).collect();
    Ok(context.destination.merge_users_and_roles(&users, &roles).await?)
}
