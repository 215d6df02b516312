//! Who holds a lease: for people, and for a process on the same machine that wants to know whether it is gone.

use super::process::ProcessMark;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Pod or host, and process.
    pub name: String,
    /// The member that it stands beside, `host:port`.
    pub member: Option<String>,
    pub process: Option<ProcessMark>,
}

impl Holder {
    /// This process.
    pub fn own() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim();
        let name = format!("{}/{}", if host.is_empty() { "unknown" } else { host }, std::process::id());
        Self { name, member: None, process: ProcessMark::own() }
    }

    #[must_use]
    pub fn beside(mut self, member: Option<String>) -> Self {
        self.member = member;
        self
    }

    /// For a part of an object's key.
    pub fn key_part(&self) -> String {
        let allowed = |char: char| if char.is_ascii_alphanumeric() || "._-".contains(char) { char } else { '-' };
        let text: String = self.name.chars().take(150).map(allowed).collect();
        text.trim_start_matches('.').to_owned()
    }
}
