//! Whether a process of this machine is gone for certain, so that nobody has to wait until it looks dead.
//!
//! The kernel gives a process number anew, but not with the same start time; another machine, another boot, another
//! container and another user are not looked at, because what is not seen there proves nothing.

use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessMark {
    /// Boot, process namespace and user: who sees each other's processes.
    scope: String,
    pid: u32,
    /// Clock ticks from the boot to its start.
    started: u64,
}

impl ProcessMark {
    /// `None` where the kernel does not tell.
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { scope: scope()?, pid, started: Stat::of(pid)?.started })
    }

    /// `false` also when it cannot be known.
    pub fn is_gone(&self) -> bool {
        // Another process tells first whether anything can be seen at all.
        if scope().is_none_or(|scope| scope != self.scope) || Stat::of(std::process::id()).is_none() {
            return false;
        }
        Stat::of(self.pid).is_none_or(|stat| stat.is_dead || stat.started != self.started)
    }
}

fn scope() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let user = std::fs::metadata("/proc/self").ok()?.uid();
    Some(format!("{}/{}/{user}", boot.trim(), namespace.display()))
}

/// What `/proc/<pid>/stat` says (`man 5 proc_pid_stat`).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// Killed, and only not yet waited for.
    is_dead: bool,
    started: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The second field is a name in parentheses, which may hold anything; the state is the third, the start the 22nd.
        let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
        let state = fields.next()?;
        Some(Self { is_dead: matches!(state, "Z" | "X" | "x"), started: fields.nth(18)?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_move_the_fields() {
        let rest = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(Stat::parse(&format!("12 (a) S b) S {rest}")), Some(Stat { is_dead: false, started: 777 }));
        assert_eq!(Stat::parse(&format!("12 (a) Z {rest}")), Some(Stat { is_dead: true, started: 777 }));
    }

    #[test]
    fn a_process_is_gone_when_its_number_belongs_to_another_or_to_nobody() {
        let own = ProcessMark::own().unwrap();
        assert!(!own.is_gone());
        assert!(ProcessMark { started: own.started + 1, ..own.clone() }.is_gone());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let mark = ProcessMark::of(child.id()).unwrap();
        child.wait().unwrap();
        assert!(mark.is_gone());
    }

    #[test]
    fn what_another_machine_or_container_knows_is_not_judged() {
        let own = ProcessMark::own().unwrap();
        let elsewhere = ProcessMark { scope: format!("{}x", own.scope), pid: u32::MAX, started: 1 };
        assert!(!elsewhere.is_gone());
    }
}
