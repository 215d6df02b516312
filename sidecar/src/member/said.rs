//! Each thing is told once, until it is something else: `tend` looks every few seconds, for ever.

use std::collections::HashMap;

#[derive(Debug, Default)]
pub struct Said(HashMap<String, String>);

impl Said {
    /// Whether `text` is news about `subject`.
    pub fn is_news(&mut self, subject: &str, text: &str) -> bool {
        self.0.insert(subject.to_owned(), text.to_owned()).as_deref() != Some(text)
    }

    /// Nothing to tell any more; the next time is news again.
    pub fn forget(&mut self, subject: &str) {
        self.0.remove(subject);
    }
}
