//! Numbers and times as people read them. Always UTC.

/// `2026-11-29 00:07:21 UTC`, of seconds since 1970.
#[expect(clippy::cast_possible_truncation, reason = "a float beyond the range saturates, and is no moment then")]
pub fn moment(seconds: f64) -> String {
    let at = jiff::Timestamp::from_second(seconds.floor() as i64);
    at.map_or_else(|_| format!("{seconds} s"), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// `3 d 4 h`, `12 min 5 s`, `1.5 s`, `35 ms`: the two largest units.
#[expect(clippy::cast_possible_truncation, reason = "whole seconds of a bounded float")]
pub fn length(seconds: f64) -> String {
    const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    if !seconds.is_finite() {
        return "an unknown time".to_owned();
    }
    if seconds > 0.0 && seconds < 0.9995 {
        let millis = seconds * 1000.0;
        return if millis < 9.95 { format!("{millis:.1} ms") } else { format!("{millis:.0} ms") };
    }
    if seconds > 0.0 && seconds < 9.95 {
        let text = format!("{seconds:.1}");
        return format!("{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    let mut rest = seconds.max(0.0).round() as i64;
    let mut parts = Vec::new();
    for (unit, size) in UNITS {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / size));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// `12 min ago`, `in 3 h`: one unit.
#[expect(clippy::cast_possible_truncation, reason = "whole units of a bounded float")]
pub fn ago(seconds: f64) -> String {
    const UNITS: [(&str, &str, f64); 4] = [
        ("day", "days", 86_400.0),
        ("hour", "hours", 3_600.0),
        ("minute", "minutes", 60.0),
        ("second", "seconds", 1.0),
    ];
    let distance = seconds.abs();
    let found = UNITS.into_iter().find(|(_, _, size)| distance >= *size);
    let Some((one, many, size)) = found.filter(|_| distance.is_finite()) else { return "just now".to_owned() };
    let number = (distance / size).floor() as i64;
    let unit = if number == 1 { one } else { many };
    if seconds > 0.0 { format!("{number} {unit} ago") } else { format!("in {number} {unit}") }
}

/// `1.2 GiB`.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, UNITS[0]);
    for larger in UNITS.into_iter().skip(1) {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == UNITS[0] || value >= 100.0 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_written_for_people() {
        assert_eq!(moment(1_795_824_441.9), "2026-11-28 00:07:21 UTC");
        assert_eq!(moment(f64::MAX), format!("{} s", f64::MAX));
        assert_eq!(
            [0.0, 0.0042, 0.42, 9.0, 61.4, 3_600.0, 100_000.0].map(length),
            ["0 s", "4.2 ms", "420 ms", "9 s", "1 min 1 s", "1 h", "1 d 3 h"]
        );
        assert_eq!([f64::NAN, -5.0].map(length), ["an unknown time", "0 s"]);
        assert_eq!(
            [0.3, 1.0, 119.0, 7_300.0, -90_000.0, f64::INFINITY].map(ago),
            ["just now", "1 second ago", "1 minute ago", "2 hours ago", "in 1 day", "just now"]
        );
        assert_eq!([0, 1023, 1536, 200 << 20, 5 << 40].map(bytes), ["0 B", "1023 B", "1.5 KiB", "200 MiB", "5.0 TiB"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
