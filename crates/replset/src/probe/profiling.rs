//! What a server calls slow, its profiler, and what that wrote.
//!
//! `slowms` and `sampleRate` belong to the process and are lost with it; the level belongs to a database. `profile: -1`
//! reads all three and, given a threshold, changes that and leaves the level (seen on 6.0.5).

use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt as _;
use mongodb::options::{ReadPreference, SelectionCriteria};

use super::{PATIENCE, Probe};
use crate::error::{ReplsetError, Result};

/// Of one database, as far as the level goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Profiling {
    /// 0: nothing, 1: slow operations, 2: everything is written to `system.profile`.
    pub level: i32,
    pub slow_millis: i64,
    /// Share of slow operations that are logged and profiled.
    pub sample_rate: f64,
    /// A filter decides instead of threshold and sample rate.
    pub has_filter: bool,
}

/// What is absent stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ProfilingChange {
    pub level: Option<i32>,
    pub slow_millis: Option<i64>,
    pub sample_rate: Option<f64>,
}

impl Profiling {
    fn parse(reply: &Document) -> Option<Self> {
        Some(Self {
            level: i32::try_from(whole(reply, "was")?).ok()?,
            slow_millis: whole(reply, "slowms")?,
            sample_rate: decimal(reply, "sampleRate").unwrap_or(1.0),
            has_filter: reply.contains_key("filter"),
        })
    }

    /// What the process was started with, by its reply to `getCmdLineOpts`: threshold and sample rate.
    fn at_start(reply: &Document) -> (i64, f64) {
        let parsed = reply.get_document("parsed").and_then(|parsed| parsed.get_document("operationProfiling"));
        let given = parsed.cloned().unwrap_or_default();
        (whole(&given, "slowOpThresholdMs").unwrap_or(100), decimal(&given, "slowOpSampleRate").unwrap_or(1.0))
    }
}

impl Probe {
    pub async fn profiling(&self, database: &str) -> Result<Profiling> {
        self.profile(database, "read the slow threshold", ProfilingChange::default()).await
    }

    /// Returns what was before.
    pub async fn change_profiling(&self, database: &str, change: ProfilingChange) -> Result<Profiling> {
        self.profile(database, "change the slow threshold or the profiler", change).await
    }

    async fn profile(&self, database: &str, what: &'static str, change: ProfilingChange) -> Result<Profiling> {
        let mut command = doc! { "profile": change.level.unwrap_or(-1) };
        if let Some(slow_millis) = change.slow_millis {
            command.insert("slowms", slow_millis);
        }
        if let Some(sample_rate) = change.sample_rate {
            command.insert("sampleRate", sample_rate);
        }
        let command =
            RawDocumentBuf::try_from(&command).map_err(|error| ReplsetError::protocol(what, error.to_string()))?;
        let reply = self.run(database, what, command).await?;
        Profiling::parse(&reply).ok_or_else(|| ReplsetError::protocol(what, "the reply holds no threshold"))
    }

    /// Threshold in milliseconds and sample rate that the process was started with.
    pub async fn slow_settings_at_start(&self) -> Result<(i64, f64)> {
        const WHAT: &str = "read what the server was started with";
        let reply = self.run("admin", WHAT, bson::rawdoc! { "getCmdLineOpts": 1 }).await?;
        Ok(Profiling::at_start(&reply))
    }

    /// The newest entries of a database's profile, newest first, each with its number as `$recordId`. Numbers ascend by
    /// one. Plans, which are long, are left out. At most `limit` entries, and no more once they hold `most_bytes`.
    pub async fn profile_entries(&self, database: &str, limit: u32, most_bytes: usize) -> Result<Vec<RawDocumentBuf>> {
        const WHAT: &str = "read the profile";
        let profile = self.client.database(database).collection::<RawDocumentBuf>("system.profile");
        let read = async {
            let nearest = SelectionCriteria::ReadPreference(ReadPreference::Nearest { options: None });
            let mut found = profile
                .find(doc! {})
                .sort(doc! { "$natural": -1 })
                .limit(i64::from(limit))
                .batch_size(limit)
                .projection(doc! { "execStats": 0 })
                .show_record_id(true)
                .selection_criteria(nearest)
                .await?;
            let (mut entries, mut bytes) = (Vec::new(), 0);
            while bytes < most_bytes
                && let Some(entry) = found.try_next().await?
            {
                bytes += entry.as_bytes().len();
                entries.push(entry);
            }
            Ok(entries)
        };
        match tokio::time::timeout(PATIENCE, read).await {
            Ok(entries) => entries.map_err(|error| ReplsetError::from_driver(&error, WHAT, &self.server)),
            Err(_elapsed) => Err(ReplsetError::timed_out(WHAT, &self.server, PATIENCE)),
        }
    }
}

fn whole(document: &Document, name: &str) -> Option<i64> {
    match document.get(name)? {
        bson::Bson::Int32(value) => Some(i64::from(*value)),
        bson::Bson::Int64(value) => Some(*value),
        #[expect(clippy::cast_possible_truncation, reason = "thresholds are small")]
        bson::Bson::Double(value) if value.is_finite() => Some(*value as i64),
        _ => None,
    }
}

fn decimal(document: &Document, name: &str) -> Option<f64> {
    match document.get(name)? {
        bson::Bson::Int32(value) => Some(f64::from(*value)),
        bson::Bson::Double(value) if value.is_finite() => Some(*value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_profile_is_read_whatever_its_numbers_are() {
        let reply = doc! { "was": 0, "slowms": 100_i64, "sampleRate": 1, "ok": 1.0 };
        let expected = Profiling { level: 0, slow_millis: 100, sample_rate: 1.0, has_filter: false };
        assert_eq!(Profiling::parse(&reply), Some(expected));
        let filtered = doc! { "was": 1.0, "slowms": 5, "sampleRate": 0.25, "filter": {} };
        let expected = Profiling { level: 1, slow_millis: 5, sample_rate: 0.25, has_filter: true };
        assert_eq!(Profiling::parse(&filtered), Some(expected));
        assert_eq!(Profiling::parse(&doc! { "ok": 1 }), None);
    }

    #[test]
    fn a_server_that_was_told_nothing_has_the_defaults() {
        assert_eq!(Profiling::at_start(&doc! { "parsed": { "net": {} } }), (100, 1.0));
        let told = doc! { "parsed": { "operationProfiling": { "slowOpThresholdMs": 50, "slowOpSampleRate": 0.5 } } };
        assert_eq!(Profiling::at_start(&told), (50, 0.5));
    }
}
