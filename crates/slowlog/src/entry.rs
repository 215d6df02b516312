//! One slow query as the server logged it.
//!
//! A closed list of fields is read and everything else skipped, so that a new server version cannot break a line.
//! Fields were seen in lines of 6.0.5; those of other versions are taken from the server's documentation. Of a key that
//! stands twice the last one counts, as with most readers of JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

mod scalar;
mod sums;

pub(crate) use scalar::Key;
pub use scalar::Scalar;
use sums::Sums;

/// The id of the message "Slow query".
const SLOW_QUERY: u64 = 51803;

/// Times in the unit of their name. Absent numbers are 0 except where `Option` says that absence means something.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "flags of the server, independent of each other")]
pub struct SlowQuery<'a> {
    /// When the line was written, in milliseconds since 1970.
    pub at_millis: Option<i64>,
    /// `command`, `update`, `remove`, …
    pub kind: Option<Cow<'a, str>>,
    pub ns: Option<Cow<'a, str>>,
    pub app_name: Option<Cow<'a, str>>,
    pub command: Option<&'a RawValue>,
    /// Of a `getMore`: the command that opened the cursor.
    pub originating_command: Option<&'a RawValue>,
    pub plan_summary: Option<Cow<'a, str>>,
    /// 8.0 and newer.
    pub query_shape_hash: Option<Cow<'a, str>>,
    /// The newer name of `queryHash`.
    pub plan_cache_shape_hash: Option<Cow<'a, str>>,
    pub query_hash: Option<Cow<'a, str>>,
    pub duration_millis: u64,
    /// Without waiting for locks, tickets and write concern; 8.0 and newer.
    pub working_millis: Option<u64>,
    pub queued_micros: u64,
    pub lock_wait_micros: u64,
    pub write_concern_wait_millis: u64,
    pub flow_control_micros: u64,
    pub cpu_nanos: u64,
    pub storage_read_micros: u64,
    pub remote_wait_millis: u64,
    pub planning_micros: u64,
    pub docs_examined: u64,
    pub keys_examined: u64,
    pub returned: u64,
    pub inserted: u64,
    pub modified: u64,
    pub deleted: u64,
    pub yields: u64,
    pub response_bytes: u64,
    pub read_bytes: u64,
    pub write_conflicts: u64,
    pub sort_stage: bool,
    pub used_disk: bool,
    pub multi_planner: bool,
    pub replanned: bool,
    pub mirrored: bool,
    pub failed: bool,
    /// The server left something out of this line.
    pub truncated: bool,
}

impl SlowQuery<'_> {
    /// Documents that came out of the operation: returned by reads, written by writes.
    pub fn produced(&self) -> u64 {
        self.returned.max(self.inserted).max(self.modified).max(self.deleted)
    }
}

/// `Ok(None)`: valid, and another message.
pub(crate) fn parse(text: &str) -> serde_json::Result<Option<SlowQuery<'_>>> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let query = deserializer.deserialize_map(LineVisitor)?;
    deserializer.end()?;
    Ok(query)
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Option<SlowQuery<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a log line")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut query = SlowQuery::default();
        let mut id = None;
        while let Some(key) = map.next_key::<Key<'de>>()? {
            match &*key.0 {
                "t" => query.at_millis = millis(&map.next_value()?),
                "id" => id = map.next_value::<Scalar<'de>>()?.count(),
                // The id comes first in all versions; in another order the attributes are read before it is known.
                "attr" if id.is_none_or(|id| id == SLOW_QUERY) => map.next_value_seed(AttrSeed(&mut query))?,
                "truncated" => {
                    map.next_value::<IgnoredAny>()?;
                    query.truncated = true;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((id == Some(SLOW_QUERY)).then_some(query))
    }
}

fn millis(value: &Scalar<'_>) -> Option<i64> {
    match value {
        Scalar::Text(text) => text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond),
        Scalar::Integer(millis) => Some(*millis),
        _ => None,
    }
}

struct AttrSeed<'q, 'a>(&'q mut SlowQuery<'a>);

impl<'de> DeserializeSeed<'de> for AttrSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for AttrSeed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'de>>()? {
            attribute(self.0, &key.0, &mut map)?;
        }
        Ok(())
    }
}

fn attribute<'de, A: MapAccess<'de>>(query: &mut SlowQuery<'de>, key: &str, map: &mut A) -> Result<(), A::Error> {
    match key {
        "type" => query.kind = text(map)?,
        "ns" => query.ns = text(map)?,
        "appName" => query.app_name = text(map)?,
        "command" => query.command = Some(map.next_value()?),
        "originatingCommand" => query.originating_command = Some(map.next_value()?),
        "planSummary" => query.plan_summary = text(map)?,
        "queryShapeHash" => query.query_shape_hash = text(map)?,
        "planCacheShapeHash" => query.plan_cache_shape_hash = text(map)?,
        "queryHash" => query.query_hash = text(map)?,
        "durationMillis" => query.duration_millis = count(map)?,
        "workingMillis" => query.working_millis = map.next_value::<Scalar<'de>>()?.count(),
        "queues" => [query.queued_micros] = map.next_value_seed(Sums { wanted: ["totalTimeQueuedMicros"] })?,
        "locks" => [query.lock_wait_micros] = map.next_value_seed(Sums { wanted: ["timeAcquiringMicros"] })?,
        "flowControl" => [query.flow_control_micros] = map.next_value_seed(Sums { wanted: ["timeAcquiringMicros"] })?,
        "waitForWriteConcernDurationMillis" | "waitForWriteConcernDuration" => {
            query.write_concern_wait_millis = count(map)?;
        }
        "cpuNanos" => query.cpu_nanos = count(map)?,
        "storage" => {
            let wanted = ["timeReadingMicros", "bytesRead"];
            [query.storage_read_micros, query.read_bytes] = map.next_value_seed(Sums { wanted })?;
        }
        "remoteOpWaitMillis" => query.remote_wait_millis = count(map)?,
        "planningTimeMicros" => query.planning_micros = count(map)?,
        "docsExamined" => query.docs_examined = count(map)?,
        "keysExamined" => query.keys_examined = count(map)?,
        "nreturned" => query.returned = count(map)?,
        "ninserted" => query.inserted = count(map)?,
        "nModified" => query.modified = count(map)?,
        "ndeleted" => query.deleted = count(map)?,
        "numYields" => query.yields = count(map)?,
        "reslen" => query.response_bytes = count(map)?,
        "writeConflicts" => query.write_conflicts = count(map)?,
        "hasSortStage" => query.sort_stage = flag(map)?,
        "usedDisk" => query.used_disk = flag(map)?,
        "fromMultiPlanner" => query.multi_planner = flag(map)?,
        "replanned" => query.replanned = flag(map)?,
        "mirrored" => query.mirrored = flag(map)?,
        "ok" => query.failed = map.next_value::<Scalar<'de>>()?.flag() == Some(false),
        _ => {
            map.next_value::<IgnoredAny>()?;
        }
    }
    Ok(())
}

fn text<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_value::<Scalar<'de>>()?.text())
}

fn count<'de, A: MapAccess<'de>>(map: &mut A) -> Result<u64, A::Error> {
    Ok(map.next_value::<Scalar<'de>>()?.count().unwrap_or(0))
}

fn flag<'de, A: MapAccess<'de>>(map: &mut A) -> Result<bool, A::Error> {
    Ok(map.next_value::<Scalar<'de>>()?.flag().unwrap_or(false))
}

#[cfg(test)]
mod tests;
