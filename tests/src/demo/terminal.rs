//! The story on the terminal: numbered steps, each with the seconds since the start.

use std::time::Instant;

#[derive(Debug)]
pub struct Terminal {
    started: Instant,
    steps: u32,
}

impl Default for Terminal {
    fn default() -> Self {
        Self { started: Instant::now(), steps: 0 }
    }
}

impl Terminal {
    /// A new step of the story.
    pub fn step(&mut self, text: &str) {
        self.steps += 1;
        println!("\n{:>2}. {text}   [{:.0} s]", self.steps, self.started.elapsed().as_secs_f64());
    }

    /// What was seen in this step.
    #[allow(clippy::unused_self, reason = "a terminal is written to")]
    pub fn line(&self, text: &str) {
        println!("      {text}");
    }

    /// What a command of ours printed, as it printed it.
    pub fn quote(&self, text: &str) {
        for line in text.trim_end().lines() {
            self.line(&format!("│ {line}"));
        }
    }

    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }
}
