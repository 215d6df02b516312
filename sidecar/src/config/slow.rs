//! When an operation is slow, and whether the database profiler is read for it. Unless something is asked for, nothing
//! in the server is changed.

use std::collections::BTreeSet;
use std::fmt;

use super::{ConfigProblem, Reader, values};

/// More databases are not read, whatever is asked for.
pub const MOST_PROFILED: usize = 20;

/// What the server shall log as slow, while this sidecar runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SlowThreshold {
    pub millis: i64,
    /// Absent: left alone.
    pub sample_rate: Option<f64>,
}

impl fmt::Display for SlowThreshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.millis)?;
        self.sample_rate.map_or(Ok(()), |rate| write!(f, " (sample rate {rate})"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProfilerMode {
    #[default]
    None,
    /// Where the profiler is on already.
    Read,
    /// Turns it on, for slow operations only, in the databases that are named.
    On,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfilerSettings {
    pub mode: ProfilerMode,
    /// Empty: all.
    pub databases: BTreeSet<String>,
}

impl fmt::Display for ProfilerSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.mode {
            ProfilerMode::None => "none",
            ProfilerMode::Read => "read",
            ProfilerMode::On => "on",
        })?;
        let names: Vec<&str> = self.databases.iter().map(String::as_str).collect();
        if names.is_empty() { Ok(()) } else { write!(f, " ({})", names.join(",")) }
    }
}

impl Reader<'_> {
    /// An error was reported already.
    pub(super) fn slow_threshold(&mut self) -> Result<Option<SlowThreshold>, ()> {
        const DAY: i64 = 86_400_000;
        let is_given = |reader: &Self, key: &str| reader.layers.find(key).is_some();
        let millis = self.optional("slow_ms", |text| values::whole_number(text, 0, DAY));
        let rate = self.optional("slow_sample_rate", |text| {
            let rate = text.parse::<f64>().ok().filter(|rate| (0.0..=1.0).contains(rate));
            rate.ok_or_else(|| "must be a number between 0 and 1".to_owned())
        });
        let (has_millis, has_rate) = (is_given(self, "slow_ms"), is_given(self, "slow_sample_rate"));
        if has_rate && !has_millis {
            self.refuse("slow_sample_rate", "needs slow_ms: the rate is of operations that are slow by it");
            return Err(());
        }
        match millis {
            Some(_) if has_rate && rate.is_none() => Err(()),
            Some(millis) => Ok(Some(SlowThreshold { millis, sample_rate: rate })),
            None if has_millis => Err(()),
            None => Ok(None),
        }
    }

    pub(super) fn profiler(&mut self) -> Option<ProfilerSettings> {
        let mode = self.with_default("slow_profiler", "none", |text| match text {
            "none" => Ok(ProfilerMode::None),
            "read" => Ok(ProfilerMode::Read),
            "on" => Ok(ProfilerMode::On),
            _ => Err("must be `none`, `read` or `on`".to_owned()),
        });
        let databases = self.with_default("slow_profiler_databases", "", |text| {
            let names: BTreeSet<String> =
                text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
            if names.len() > MOST_PROFILED {
                return Err(format!("names more than {MOST_PROFILED} databases"));
            }
            if names.contains("local") {
                return Err("`local` cannot be profiled".to_owned());
            }
            Ok(names)
        });
        let (mode, databases) = (mode?, databases?);
        if mode == ProfilerMode::On && databases.is_empty() {
            self.refuse(
                "slow_profiler",
                "`on` needs slow_profiler_databases: the databases whose profiler is turned on",
            );
            return None;
        }
        Some(ProfilerSettings { mode, databases })
    }

    fn refuse(&mut self, key: &str, reason: &str) {
        let (value, origin) = self.layers.find(key).unzip();
        let (key, reason) = (key.to_owned(), reason.to_owned());
        self.problems.push(ConfigProblem { key, value: value.unwrap_or_default(), origin, reason });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::{Config, MonitorSettings};
    use super::*;

    fn load(more: &[(&str, &str)]) -> Result<MonitorSettings, Vec<String>> {
        let mut flags: HashMap<&str, &str> = HashMap::from([("uri", "mongodb://h:1/"), ("archive", "file:///a")]);
        flags.extend(more.iter().copied());
        let no_file = |_: &str| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let loaded = Config::load(&|key| flags.get(key).map(|text| (*text).to_owned()), &|_| None, &no_file);
        loaded
            .map(|config| config.monitor)
            .map_err(|problems| problems.into_iter().map(|problem| problem.key).collect())
    }

    #[test]
    fn nothing_is_changed_unless_it_is_asked_for() {
        let settings = load(&[]).unwrap();
        assert_eq!((settings.slow_threshold, settings.profiler), (None, ProfilerSettings::default()));
    }

    #[test]
    fn a_threshold_may_come_with_a_rate_but_not_the_rate_alone() {
        let settings = load(&[("slow_ms", "20"), ("slow_sample_rate", "0.25")]).unwrap();
        assert_eq!(settings.slow_threshold, Some(SlowThreshold { millis: 20, sample_rate: Some(0.25) }));
        assert_eq!(load(&[("slow_sample_rate", "0.25")]).unwrap_err(), ["slow_sample_rate"]);
        assert_eq!(load(&[("slow_ms", "-1")]).unwrap_err(), ["slow_ms"]);
        let both = load(&[("slow_ms", "fast"), ("slow_sample_rate", "2"), ("slow_profiler", "yes")]).unwrap_err();
        assert_eq!(both, ["slow_ms", "slow_sample_rate", "slow_profiler"]);
    }

    #[test]
    fn turning_the_profiler_on_needs_names() {
        assert_eq!(load(&[("slow_profiler", "on")]).unwrap_err(), ["slow_profiler"]);
        let settings = load(&[("slow_profiler", "on"), ("slow_profiler_databases", "shop, billing,")]).unwrap();
        assert_eq!(settings.profiler.to_string(), "on (billing,shop)");
        assert_eq!(load(&[("slow_profiler_databases", "local")]).unwrap_err(), ["slow_profiler_databases"]);
    }
}
