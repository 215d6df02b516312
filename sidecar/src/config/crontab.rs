//! When snapshots are due: a five-field crontab line, in UTC.
//!
//! The crate that computes the times wants seconds first, counts the days of the week from 1 and requires day of month
//! *and* day of week; crontab has five fields, Sunday is 0 or 7, and when both days are restricted either is enough.
//! So each field is parsed here into the numbers it means and handed over as plain lists.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use cron::Schedule;

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const SHORTCUTS: [(&str, &str); 6] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
];

struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[] };
const DAY_OF_MONTH: Field = Field { name: "day of month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field { name: "month", least: 1, most: 12, names: &MONTHS };
const DAY_OF_WEEK: Field = Field { name: "day of week", least: 0, most: 7, names: &DAYS };

/// A crontab line that fires at least once.
#[derive(Debug, Clone)]
pub struct Crontab {
    text: String,
    /// Two when day of month and day of week are both restricted: either fires.
    schedules: Vec<Schedule>,
}

impl Crontab {
    /// The first moment after `now`, which both are seconds since the epoch.
    pub fn next_after(&self, now: i64) -> Option<i64> {
        let now = DateTime::<Utc>::from_timestamp(now, 0)?;
        self.schedules.iter().filter_map(|schedule| schedule.after(&now).next()).min().map(|next| next.timestamp())
    }
}

impl fmt::Display for Crontab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Crontab {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let line = SHORTCUTS.iter().find(|(name, _)| *name == text).map_or(text, |(_, line)| line);
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [minute, hour, day_of_month, month, day_of_week] = fields[..] else {
            return Err(format!(
                "has {} fields; a crontab line has five: minute, hour, day of month, month, day of week",
                fields.len()
            ));
        };
        let (minutes, hours) = (MINUTE.parse(minute)?, HOUR.parse(hour)?);
        let (days, months) = (DAY_OF_MONTH.parse(day_of_month)?, MONTH.parse(month)?);
        // Sunday is 0 and 7; the crate counts from Sunday = 1.
        let week: BTreeSet<u32> = DAY_OF_WEEK.parse(day_of_week)?.into_iter().map(|day| day % 7 + 1).collect();
        let schedule = |days: &str, week: &str| {
            let expression = format!("0 {} {} {days} {} {week}", list(&minutes), list(&hours), list(&months));
            Schedule::from_str(&expression).map_err(|error| format!("is not a schedule: {error}"))
        };
        // As crontab(5) has it, a field that starts with `*` does not restrict.
        let schedules = match (day_of_month.starts_with('*'), day_of_week.starts_with('*')) {
            (false, false) => vec![schedule(&list(&days), "*")?, schedule("*", &list(&week))?],
            _ => vec![schedule(&list(&days), &list(&week))?],
        };
        let crontab = Self { text: text.to_owned(), schedules };
        // 2026-01-01: any moment does, the schedule only has to fire at all.
        if crontab.next_after(1_767_225_600).is_none() {
            return Err("never fires: no month has such a day".to_owned());
        }
        Ok(crontab)
    }
}

fn list(numbers: &BTreeSet<u32>) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

impl Field {
    fn parse(&self, text: &str) -> Result<BTreeSet<u32>, String> {
        let mut numbers = BTreeSet::new();
        for item in text.split(',') {
            let (range, step) = match item.split_once('/') {
                Some((range, step)) => (range, Some(self.step(step)?)),
                None => (item, None),
            };
            let (first, last) = match range.split_once('-') {
                _ if range == "*" => (self.least, self.most),
                Some((first, last)) => (self.number(first)?, self.number(last)?),
                // `5/15` means from 5 to the end, as in most crons.
                None => {
                    let first = self.number(range)?;
                    (first, if step.is_some() { self.most } else { first })
                }
            };
            if first > last {
                return Err(format!("{}: `{range}` ends before it starts", self.name));
            }
            numbers.extend((first..=last).step_by(step.unwrap_or(1)));
        }
        Ok(numbers)
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        text.parse().ok().filter(|step| *step > 0).ok_or_else(|| format!("{}: `/{text}` is not a step", self.name))
    }

    fn number(&self, text: &str) -> Result<u32, String> {
        if let Some(position) = self.names.iter().position(|name| text.eq_ignore_ascii_case(name)) {
            return Ok(u32::try_from(position).unwrap_or(0) + self.least);
        }
        let number = if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None };
        number
            .filter(|number| (self.least..=self.most).contains(number))
            .ok_or_else(|| format!("{}: `{text}` is not between {} and {}", self.name, self.least, self.most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first `count` times after the given one.
    fn fires(line: &str, after: &str, count: usize) -> Vec<String> {
        let crontab: Crontab = line.parse().unwrap();
        let mut now = after.parse::<jiff::Timestamp>().unwrap().as_second();
        (0..count)
            .map(|_| {
                now = crontab.next_after(now).unwrap();
                jiff::Timestamp::from_second(now).unwrap().to_string()
            })
            .collect()
    }

    #[test]
    fn five_fields_are_utc_without_seconds() {
        // 2026-11-22 is a Sunday.
        assert_eq!(fires("30 2 * * *", "2026-11-22T02:29:59Z", 2), ["2026-11-22T02:30:00Z", "2026-11-23T02:30:00Z"]);
        assert_eq!(
            fires("*/20 * * * *", "2026-11-22T00:00:00Z", 3),
            ["2026-11-22T00:20:00Z", "2026-11-22T00:40:00Z", "2026-11-22T01:00:00Z"]
        );
        assert_eq!(
            fires("5/25 0 * * *", "2026-11-22T00:00:00Z", 3),
            ["2026-11-22T00:05:00Z", "2026-11-22T00:30:00Z", "2026-11-22T00:55:00Z"]
        );
    }

    #[test]
    fn sunday_is_zero_and_seven_and_has_a_name() {
        for sunday in ["0", "7", "sun", "SUN"] {
            let line = format!("0 3 * * {sunday}");
            assert_eq!(fires(&line, "2026-11-22T04:00:00Z", 1), ["2026-11-29T03:00:00Z"], "{sunday}");
        }
        assert_eq!(fires("0 3 * * 1-5", "2026-11-27T04:00:00Z", 1), ["2026-11-30T03:00:00Z"], "Friday, then Monday");
        assert_eq!(
            fires("0 3 * * fri-7", "2026-11-26T04:00:00Z", 3),
            ["2026-11-27T03:00:00Z", "2026-11-28T03:00:00Z", "2026-11-29T03:00:00Z"]
        );
        assert_eq!(fires("0 3 * * */2", "2026-11-22T04:00:00Z", 2), ["2026-11-24T03:00:00Z", "2026-11-26T03:00:00Z"]);
    }

    #[test]
    fn two_restricted_days_mean_either() {
        assert_eq!(
            fires("0 0 1,15 * mon", "2026-11-28T00:00:00Z", 4),
            ["2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z", "2026-12-07T00:00:00Z", "2026-12-14T00:00:00Z"]
        );
    }

    #[test]
    fn months_lists_and_shortcuts() {
        assert_eq!(fires("0 0 1 jan,7 *", "2026-11-22T00:00:00Z", 2), ["2027-01-01T00:00:00Z", "2027-07-01T00:00:00Z"]);
        assert_eq!(fires("@weekly", "2026-11-22T00:00:00Z", 1), ["2026-11-29T00:00:00Z"]);
        assert_eq!(fires("0 0 29 2 *", "2026-11-22T00:00:00Z", 1), ["2028-02-29T00:00:00Z"]);
    }

    #[test]
    fn what_is_not_a_crontab_line_is_refused() {
        for line in [
            "",
            "* * * *",
            "0 * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "a * * * *",
            "0 0 31 2 *",
            "1,,2 * * * *",
            "-1 * * * *",
            "@reboot",
        ] {
            assert!(line.parse::<Crontab>().is_err(), "{line}");
        }
    }
}
