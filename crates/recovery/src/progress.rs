//! How long-running work tells somebody that it goes on; who that is, decides the binary.

/// What a phase counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Documents,
    Entries,
    Items,
}

/// Receives progress. Calls are cheap and may come from any task.
pub trait Progress: Send + Sync {
    /// A phase begins; `total` is what it will advance to, when that is known.
    fn phase(&self, name: &'static str, total: Option<u64>, unit: Unit);

    fn advance(&self, amount: u64);

    /// Something that a person should see, whether progress is shown or not.
    fn note(&self, text: &str);
}

/// For those who do not look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn phase(&self, _: &'static str, _: Option<u64>, _: Unit) {}

    fn advance(&self, _: u64) {}

    fn note(&self, _: &str) {}
}
