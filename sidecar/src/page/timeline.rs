//! The restore window as a bar: what can be restored, what is lost, where the snapshots are.

use maud::{Markup, html};

/// Width of the drawing in its own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 40.0;
/// Nothing is so short that it cannot be seen.
const LEAST: f64 = 4.0;
/// At most that part of the bar lies before the first moment that can be restored.
const BEFORE: f64 = 0.2;

/// Moments, seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// Ascending.
    pub windows: Vec<(f64, f64)>,
    pub gaps: Vec<(f64, f64)>,
    pub snapshots: Vec<f64>,
    pub now: f64,
}

impl Timeline {
    /// First and last moment of the bar.
    pub fn range(&self) -> (f64, f64) {
        let ends = self.windows.iter().map(|(_, end)| *end);
        let end = ends.fold(self.now, f64::max);
        let starts = self.gaps.iter().chain(&self.windows).map(|(start, _)| *start);
        let first = starts.reduce(f64::min).unwrap_or(end - 60.0);
        let start = match self.windows.first() {
            // A loss long before everything that is left would press the rest into nothing.
            Some((restorable, _)) => first.max(restorable - (end - restorable) * BEFORE / (1.0 - BEFORE)),
            None => first,
        };
        (start.min(end - 1.0), end)
    }

    pub fn draw(&self, label: &str) -> Markup {
        let (start, end) = self.range();
        let place = |at: f64| ((at - start) / (end - start) * WIDTH).clamp(0.0, WIDTH);
        let piece = |(from, to): &(f64, f64)| {
            let (left, right) = (place(*from), place(*to));
            let left = left.min(WIDTH - LEAST);
            (round(left), round((right - left).max(LEAST)))
        };
        html! {
            svg.timeline viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
                rect.nothing x="0" y="0" width=(WIDTH) height=(HEIGHT) {}
                @for (x, width) in self.windows.iter().map(piece) {
                    rect.window x=(x) y="0" width=(width) height=(HEIGHT) {}
                }
                // Thinner, so that it is told apart without its colour.
                @for (x, width) in self.gaps.iter().map(piece) {
                    rect.nothing x=(x) y="0" width=(width) height=(HEIGHT) {}
                    rect.gap x=(x) y=(HEIGHT * 0.35) width=(width) height=(HEIGHT * 0.3) {}
                }
                @for at in self.snapshots.iter().filter(|at| **at >= start) {
                    rect.snapshot x=(round(place(*at).min(WIDTH - 2.0))) y=(HEIGHT * 0.6) width="2" height=(HEIGHT * 0.4) {}
                }
            }
        }
    }
}

fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_gaps_and_snapshots_lie_where_their_moments_are() {
        let line = Timeline {
            windows: vec![(100.0, 400.0), (600.0, 1100.0)],
            gaps: vec![(400.0, 550.0)],
            snapshots: vec![600.0],
            now: 1100.0,
        };
        assert_eq!(line.range(), (100.0, 1100.0));
        let drawn = line.draw("from <a>").into_string();
        assert!(drawn.contains("aria-label=\"from &lt;a&gt;\""), "{drawn}");
        for rect in [
            r#"class="window" x="0" y="0" width="300""#,
            r#"class="window" x="500" y="0" width="500""#,
            r#"class="gap" x="300" y="14" width="150""#,
            r#"class="snapshot" x="500""#,
        ] {
            assert!(drawn.contains(rect), "{rect} is not in {drawn}");
        }
    }

    #[test]
    fn a_loss_long_ago_takes_a_part_of_the_bar_and_a_short_one_can_be_seen() {
        let line = Timeline {
            windows: vec![(900.0, 980.0)],
            gaps: vec![(1.0, 2.0), (980.0, 980.1)],
            snapshots: vec![],
            now: 980.0,
        };
        assert_eq!(line.range(), (880.0, 980.0));
        assert!(line.draw("").into_string().contains(r#"class="gap" x="996" y="14" width="4""#), "{}", line.draw("").0);
    }

    #[test]
    fn without_anything_there_is_still_a_bar() {
        let (start, end) = Timeline { now: 100.0, ..Timeline::default() }.range();
        assert!(start < end);
        let single = Timeline { windows: vec![(100.0, 100.0)], now: 100.0, ..Timeline::default() };
        assert!(single.draw("").into_string().contains("class=\"window\""));
    }
}
