//! Progress on stderr: a bar with rate and remaining time on a terminal, a line every few seconds elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressStyle};
use recovery::{Progress, Silent, Unit};

const LINE_EVERY: Duration = Duration::from_secs(5);

pub fn start(quiet: bool) -> Arc<dyn Progress> {
    if quiet {
        Arc::new(Silent)
    } else if io::stderr().is_terminal() {
        Arc::new(Bars { current: Mutex::new(None) })
    } else {
        Arc::new(Lines { state: Mutex::new(None), every: LINE_EVERY })
    }
}

struct Bars {
    current: Mutex<Option<ProgressBar>>,
}

impl Bars {
    fn current(&self) -> std::sync::MutexGuard<'_, Option<ProgressBar>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Bars {
    fn phase(&self, name: &'static str, total: Option<u64>, unit: Unit) {
        let (amounts, rate) = match unit {
            Unit::Bytes => ("{bytes}/{total_bytes}", "{bytes_per_sec}"),
            _ => ("{human_pos}/{human_len}", "{per_sec}"),
        };
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), format!("{{msg:>10}} [{{bar:30}}] {amounts} {rate} {{eta}} left")),
            None => (ProgressBar::new_spinner(), format!("{{msg:>10}} {{spinner}} {{human_pos}} {rate}")),
        };
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(name);
        if let Some(before) = self.current().replace(bar) {
            before.finish_and_clear();
        }
    }

    fn advance(&self, amount: u64) {
        if let Some(bar) = &*self.current() {
            bar.inc(amount);
        }
    }

    fn note(&self, text: &str) {
        match &*self.current() {
            Some(bar) => bar.println(text),
            None => drop(writeln!(io::stderr(), "{text}")),
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        if let Some(bar) = self.current().take() {
            bar.finish_and_clear();
        }
    }
}

struct Phase {
    name: &'static str,
    total: Option<u64>,
    unit: Unit,
    done: u64,
    started: Instant,
    printed: Instant,
}

struct Lines {
    state: Mutex<Option<Phase>>,
    every: Duration,
}

impl Progress for Lines {
    fn phase(&self, name: &'static str, total: Option<u64>, unit: Unit) {
        let now = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Short phases in a row are to print as seldom as one long one.
        let printed = state.as_ref().map_or(now, |before| before.printed);
        *state = Some(Phase { name, total, unit, done: 0, started: now, printed });
    }

    fn advance(&self, amount: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(phase) = &mut *state else { return };
        phase.done += amount;
        if phase.printed.elapsed() >= self.every {
            phase.printed = Instant::now();
            let line = phase.line(phase.started.elapsed());
            drop(writeln!(io::stderr(), "{line}"));
        }
    }

    fn note(&self, text: &str) {
        drop(writeln!(io::stderr(), "{text}"));
    }
}

impl Phase {
    fn line(&self, elapsed: Duration) -> String {
        let amount = |n: u64| match self.unit {
            Unit::Bytes => HumanBytes(n).to_string(),
            Unit::Documents => format!("{} documents", HumanCount(n)),
            Unit::Entries => format!("{} entries", HumanCount(n)),
            Unit::Items => HumanCount(n).to_string(),
        };
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "rounded for people"
        )]
        let rate = (self.done as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
        let mut line = format!("{}: {}", self.name, amount(self.done));
        if let Some(total) = self.total {
            line.push_str(&format!(" of {}", amount(total)));
        }
        line.push_str(&format!(", {}/s", amount(rate)));
        if let Some(left) = self.total.map(|total| total.saturating_sub(self.done)).filter(|_| rate > 0) {
            line.push_str(&format!(", about {} left", HumanDuration(Duration::from_secs(left / rate))));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_amount_rate_and_remaining_time() {
        let now = Instant::now();
        let mut phase = Phase {
            name: "load",
            total: Some(100 << 20),
            unit: Unit::Bytes,
            done: 20 << 20,
            started: now,
            printed: now,
        };
        assert_eq!(
            phase.line(Duration::from_secs(2)),
            "load: 20.00 MiB of 100.00 MiB, 10.00 MiB/s, about 8 seconds left"
        );
        phase.total = None;
        phase.unit = Unit::Entries;
        phase.done = 3_000;
        assert_eq!(
            phase.line(Duration::from_secs(1)),
            "replay: 3,000 entries, 3,000 entries/s".replace("replay", "load")
        );
    }
}
