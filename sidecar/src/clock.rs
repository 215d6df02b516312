//! Wall clock for records and logs. Order and age in the archive go by cluster time, waiting by monotonic clocks.

/// RFC 3339, to the millisecond.
pub fn now_text() -> String {
    text_of(jiff::Timestamp::now())
}

pub fn now_seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

pub fn text_of_millis(milliseconds: i64) -> Option<String> {
    jiff::Timestamp::from_millisecond(milliseconds).ok().map(text_of)
}

pub fn text_of_seconds(seconds: u32) -> String {
    jiff::Timestamp::from_second(i64::from(seconds)).map(text_of).unwrap_or_default()
}

/// Seconds since 1970, to the millisecond.
#[expect(clippy::cast_possible_truncation, reason = "a float beyond the range saturates, and is no moment then")]
pub fn text_of_float(seconds: f64) -> Option<String> {
    text_of_millis((seconds * 1000.0).round() as i64)
}

/// `20261122T174500Z`: how snapshot ids start.
pub fn compact_now() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn text_of(time: jiff::Timestamp) -> String {
    time.round(jiff::Unit::Millisecond).unwrap_or(time).to_string()
}
