//! Which users there shall be, and what is next for one of them.
//!
//! A user that waits for a restore is not merely left out: a restore brings the users of its source with their passwords,
//! before its last checks. So its name is taken beforehand by a locked user, with a password that nobody knows and no
//! roles, which a restore leaves as it is; and a user that a restore has brought all the same is locked.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Deserialize;

use crate::roles::Role;

/// One entry of the users file. Users live in `admin`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct WantedUser {
    pub name: String,
    pub roles: BTreeSet<Role>,
    pub password_file: PathBuf,
    /// In recovery mode let in only when the restore has completed.
    #[serde(default)]
    pub after_restore: bool,
}

/// All mistakes at once.
pub fn parse_users(text: &str) -> Result<Vec<WantedUser>, Vec<String>> {
    let entries: Vec<serde_json::Value> =
        serde_json::from_str(text).map_err(|error| vec![format!("is no JSON list of users: {error}")])?;
    let (mut users, mut problems): (Vec<WantedUser>, Vec<String>) = (Vec::new(), Vec::new());
    for (at, entry) in entries.into_iter().enumerate() {
        match serde_json::from_value::<WantedUser>(entry) {
            Err(error) => problems.push(format!("entry {at}: {error}")),
            Ok(user) if user.name.is_empty() => problems.push(format!("entry {at}: the name is empty")),
            Ok(user) if user.name == "__system" => {
                problems.push(format!("entry {at}: `__system` is the servers' own name"));
            }
            Ok(user) if users.iter().any(|other| other.name == user.name) => {
                problems.push(format!("entry {at}: `{}` stands there twice", user.name));
            }
            Ok(user) => users.push(user),
        }
    }
    if problems.is_empty() { Ok(users) } else { Err(problems) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Standard,
    /// The set is made to be restored into.
    Recovery,
    /// The set is made for a drill, and destroyed after it.
    Drill,
}

/// What the set says of a restore into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestoreMark {
    None,
    UnderWay,
    Complete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Open,
    Closed { restoring: bool },
}

/// Whether a user may be let in. That nothing was restored yet does not open it where a restore is expected: it may be about to
/// begin. One that has begun and is not complete keeps it closed in every mode: what is there is no database yet. What a drill
/// restores is let to nobody.
pub fn gate(mode: Mode, after_restore: bool, mark: RestoreMark) -> Gate {
    match (mode, mark) {
        (Mode::Drill, _) | (Mode::Recovery, RestoreMark::None) | (_, RestoreMark::UnderWay) if after_restore => {
            Gate::Closed { restoring: mark == RestoreMark::UnderWay }
        }
        _ => Gate::Open,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentUser {
    pub roles: BTreeSet<Role>,
    /// Holds the name until the restore has completed.
    pub locked: bool,
}

/// The password of the file, tried at the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Password {
    Right,
    Wrong,
    /// Not tried since the file or the user changed.
    Untried,
    /// The file is not there, or empty.
    Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waiting {
    /// Its name is taken and nobody can use it.
    ForRestore,
    /// In recovery mode, there before anything was restored: this may be a set in use, so it is left as it is.
    LeftAlone,
    ForPassword,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserAction {
    Keep,
    Wait(Waiting),
    TryPassword,
    Create,
    CreateLocked,
    Lock,
    Update { roles: bool, password: bool },
}

pub fn user_action(wanted: &WantedUser, present: Option<&PresentUser>, password: Password, gate: Gate) -> UserAction {
    match (gate, present) {
        (Gate::Closed { .. }, None) => UserAction::CreateLocked,
        (Gate::Closed { .. }, Some(user)) if user.locked => UserAction::Wait(Waiting::ForRestore),
        (Gate::Closed { restoring: true }, Some(_)) => UserAction::Lock,
        (Gate::Closed { restoring: false }, Some(_)) => UserAction::Wait(Waiting::LeftAlone),
        (Gate::Open, None) if password == Password::Missing => UserAction::Wait(Waiting::ForPassword),
        (Gate::Open, None) => UserAction::Create,
        (Gate::Open, Some(user)) if user.locked && password == Password::Missing => {
            UserAction::Wait(Waiting::ForPassword)
        }
        (Gate::Open, Some(user)) if user.locked => UserAction::Update { roles: true, password: true },
        (Gate::Open, Some(user)) => {
            let roles = user.roles != wanted.roles;
            match password {
                Password::Wrong => UserAction::Update { roles, password: true },
                _ if roles => UserAction::Update { roles, password: false },
                Password::Untried => UserAction::TryPassword,
                Password::Missing => UserAction::Wait(Waiting::ForPassword),
                Password::Right => UserAction::Keep,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(role: &str, db: &str) -> Role {
        Role { role: role.to_owned(), db: db.to_owned() }
    }

    fn orders() -> WantedUser {
        let entry = r#"[{"name": "orders", "roles": [{"role": "readWrite", "db": "orders"}, "clusterMonitor"],
                         "passwordFile": "/p", "afterRestore": true}]"#;
        parse_users(entry).unwrap().remove(0)
    }

    fn present(roles: &[Role], locked: bool) -> PresentUser {
        PresentUser { roles: roles.iter().cloned().collect(), locked }
    }

    #[test]
    fn roles_are_written_with_their_database_or_are_of_admin() {
        assert_eq!(orders().roles, BTreeSet::from([role("clusterMonitor", "admin"), role("readWrite", "orders")]));
    }

    #[test]
    fn every_mistake_of_the_file_is_named_at_once() {
        let text = r#"[{"name": "a", "roles": [], "passwordFile": "/p"}, {"name": "a", "roles": [], "passwordFile": "/q"},
                       {"name": "", "roles": [], "passwordFile": "/p"}, {"name": "b", "passwordFile": "/p"},
                       {"name": "c", "roles": [], "passwordFile": "/p", "password": "hidden"},
                       {"name": "__system", "roles": [], "passwordFile": "/p"}]"#;
        let problems = parse_users(text).unwrap_err();
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert!(!problems.iter().any(|problem| problem.contains("hidden")), "{problems:?}");
        assert!(parse_users("{}").is_err());
    }

    #[test]
    fn the_gate_is_closed_for_users_that_wait_until_a_restore_says_that_it_is_complete_and_always_in_a_drill() {
        for mark in [RestoreMark::None, RestoreMark::UnderWay, RestoreMark::Complete] {
            for mode in [Mode::Standard, Mode::Recovery, Mode::Drill] {
                assert_eq!(gate(mode, false, mark), Gate::Open);
            }
            assert!(matches!(gate(Mode::Drill, true, mark), Gate::Closed { .. }));
        }
        assert_eq!(gate(Mode::Standard, true, RestoreMark::None), Gate::Open);
        assert_eq!(gate(Mode::Standard, true, RestoreMark::UnderWay), Gate::Closed { restoring: true });
        assert_eq!(gate(Mode::Standard, true, RestoreMark::Complete), Gate::Open);
        assert_eq!(gate(Mode::Recovery, true, RestoreMark::None), Gate::Closed { restoring: false });
        assert_eq!(gate(Mode::Recovery, true, RestoreMark::UnderWay), Gate::Closed { restoring: true });
        assert_eq!(gate(Mode::Recovery, true, RestoreMark::Complete), Gate::Open);
    }

    #[test]
    fn behind_a_closed_gate_nothing_ever_lets_a_user_in() {
        let wanted = orders();
        let right = present(&wanted.roles.iter().cloned().collect::<Vec<_>>(), false);
        for restoring in [false, true] {
            for user in [None, Some(&right), Some(&present(&[], true))] {
                for password in [Password::Right, Password::Wrong, Password::Untried, Password::Missing] {
                    let action = user_action(&wanted, user, password, Gate::Closed { restoring });
                    let lets_in = matches!(action, UserAction::Create | UserAction::Update { .. });
                    assert!(!lets_in, "{user:?} {password:?}: {action:?}");
                }
            }
        }
        let action = |user, restoring| user_action(&wanted, user, Password::Untried, Gate::Closed { restoring });
        assert_eq!(action(None, false), UserAction::CreateLocked);
        assert_eq!(action(Some(&right), true), UserAction::Lock, "brought by the restore");
        assert_eq!(action(Some(&right), false), UserAction::Wait(Waiting::LeftAlone), "a set in use");
    }

    #[test]
    fn an_open_gate_leads_from_every_state_to_the_wanted_one_and_then_to_rest() {
        let wanted = orders();
        let starts = [None, Some(present(&[role("read", "x")], false)), Some(present(&[], true))];
        for start in starts {
            for first in [Password::Wrong, Password::Untried] {
                let (mut user, mut password, mut steps) = (start.clone(), first, 0);
                loop {
                    match user_action(&wanted, user.as_ref(), password, Gate::Open) {
                        UserAction::Keep => break,
                        UserAction::TryPassword => password = Password::Wrong,
                        UserAction::Create => {
                            user = Some(PresentUser { roles: wanted.roles.clone(), locked: false });
                            password = Password::Right;
                        }
                        UserAction::Update { roles, password: set } => {
                            let user = user.as_mut().unwrap();
                            user.locked &= !set;
                            if roles {
                                user.roles = wanted.roles.clone();
                            }
                            if set {
                                password = Password::Right;
                            }
                        }
                        other => panic!("{start:?}: {other:?}"),
                    }
                    steps += 1;
                    assert!(steps < 5, "{start:?} never comes to rest");
                }
                assert_eq!(user, Some(PresentUser { roles: wanted.roles.clone(), locked: false }));
            }
        }
    }

    #[test]
    fn without_a_password_nobody_is_created_or_unlocked_and_roles_still_change() {
        let wanted = orders();
        let act = |user: Option<&PresentUser>| user_action(&wanted, user, Password::Missing, Gate::Open);
        assert_eq!(act(None), UserAction::Wait(Waiting::ForPassword));
        assert_eq!(act(Some(&present(&[], true))), UserAction::Wait(Waiting::ForPassword));
        assert_eq!(act(Some(&present(&[], false))), UserAction::Update { roles: true, password: false });
    }
}
