//! How values are written: durations with a unit, sizes with or without one.

use std::time::Duration;

/// `5s`, `500ms`, `1m 30s`, `2h`. A number alone is refused: nobody should have to guess its unit.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refuse = || format!("`{text}` is not a duration; write it with a unit, for example `5s`, `500ms` or `1h 30m`");
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| refuse())?;
    Duration::try_from(parsed).map_err(|_| refuse())
}

pub fn duration_between(text: &str, least: Duration, most: Duration) -> Result<Duration, String> {
    let value = duration(text)?;
    if value < least || value > most {
        return Err(format!("must be between {} and {}", show_duration(least), show_duration(most)));
    }
    Ok(value)
}

pub fn show_duration(value: Duration) -> String {
    if value.subsec_millis() > 0 { format!("{}ms", value.as_millis()) } else { format!("{}s", value.as_secs()) }
}

/// `16MiB`, `64kB`, `1048576`.
pub fn bytes(text: &str) -> Result<u64, String> {
    let refuse = || format!("`{text}` is not a size; write it as `16MiB`, `64kB` or a number of bytes");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().map_err(|_| refuse())?;
    let factor = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "k" | "kib" => 1 << 10,
        "mb" => 1_000_000,
        "m" | "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "g" | "gib" => 1 << 30,
        _ => return Err(refuse()),
    };
    number.checked_mul(factor).ok_or_else(refuse)
}

/// A duration, a size, or both: `4m`, `50GiB`, `4m,50GiB`.
pub fn time_and_bytes(text: &str) -> Result<(Option<Duration>, Option<u64>), String> {
    let (mut time, mut size) = (None, None);
    for part in text.split(',').map(str::trim) {
        let (parsed_time, parsed_size) = (duration(part).ok(), bytes(part).ok().filter(|bytes| *bytes > 0));
        let is_new = match (parsed_time, parsed_size) {
            (Some(parsed), _) => time.replace(parsed).is_none(),
            (None, Some(parsed)) => size.replace(parsed).is_none(),
            (None, None) => false,
        };
        if !is_new {
            return Err(format!("`{text}` is no budget; write a time, a size or both: `4m`, `50GiB`, `4m,50GiB`"));
        }
    }
    Ok((time, size))
}

pub fn whole_number<T>(text: &str, least: T, most: T) -> Result<T, String>
where
    T: Copy + std::str::FromStr + PartialOrd + std::fmt::Display,
{
    text.parse()
        .ok()
        .filter(|value| *value >= least && *value <= most)
        .ok_or_else(|| format!("must be a whole number between {least} and {most}"))
}

pub fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("must be `true` or `false`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_time_a_size_or_both_in_any_order() {
        let (minute, gib) = (Some(Duration::from_mins(1)), Some(1 << 30));
        assert_eq!(time_and_bytes("1m"), Ok((minute, None)));
        assert_eq!(time_and_bytes("1GiB"), Ok((None, gib)));
        assert_eq!(time_and_bytes("1 GiB, 60s"), Ok((minute, gib)));
        for wrong in ["", ",", "1m,", "1m,2m", "1GiB,2GiB", "all", "0"] {
            assert!(time_and_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_and_sizes_carry_their_unit() {
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_mins(90)));
        for wrong in ["5", "-5s", "s", "", "5 parsecs"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(bytes("16MiB"), Ok(16 << 20));
        assert_eq!(bytes("16 mb"), Ok(16_000_000));
        assert_eq!(bytes("7"), Ok(7));
        for wrong in ["", "MiB", "1.5MiB", "16 elephants", "99999999999GiB", "-1"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
