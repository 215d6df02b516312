//! Whether something that is overwritten again and again still changes, by our own clock.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// The silence is made of the pauses between looks, none of which counts for more than a look may take: whoever was paused
/// itself has not seen anybody being silent.
#[derive(Debug)]
pub struct Pulse {
    body: Option<Bytes>,
    looked_at: Instant,
    silence: Duration,
    longest_look: Duration,
    has_changed: bool,
}

impl Pulse {
    pub fn new(body: Option<Bytes>, now: Instant, longest_look: Duration) -> Self {
        Self { body, looked_at: now, silence: Duration::ZERO, longest_look, has_changed: false }
    }

    /// What stands there now.
    pub fn look(&mut self, body: Option<Bytes>, now: Instant) {
        let since = now.duration_since(self.looked_at).min(self.longest_look);
        self.looked_at = now;
        if self.body == body {
            self.silence += since;
        } else {
            *self = Self { has_changed: true, ..Self::new(body, now, self.longest_look) };
        }
    }

    /// For how long it was seen not to change.
    pub fn silence(&self) -> Duration {
        self.silence
    }

    /// Whether it was seen to change at all.
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }

    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_paused_has_not_seen_the_other_being_silent() {
        let body = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut pulse = Pulse::new(body("1"), start, Duration::from_secs(5));
        pulse.look(body("1"), after(3));
        pulse.look(body("1"), after(3_600));
        assert_eq!((pulse.silence(), pulse.has_changed()), (Duration::from_secs(8), false));
        pulse.look(body("2"), after(3_601));
        assert_eq!((pulse.silence(), pulse.has_changed()), (Duration::ZERO, true));
    }
}
