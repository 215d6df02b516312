//! The few numbers that matter, as tiles.

use archive::drill::Verdict;
use maud::{Markup, html};

use crate::page::{ago, bytes, length, moment};
use crate::status::{Role, StatusReport};

/// A number with its name; nothing is green that is not known.
struct Tile {
    name: &'static str,
    value: Option<String>,
    tone: &'static str,
    note: Option<String>,
}

impl Tile {
    fn new(name: &'static str, value: Option<String>, note: Option<String>) -> Self {
        Self { name, value, tone: "", note }
    }

    fn toned(mut self, tone: &'static str) -> Self {
        self.tone = tone;
        self
    }

    fn draw(&self) -> Markup {
        html! {
            div.tile {
                div.name { (self.name) }
                @match &self.value {
                    Some(value) => div.value.(self.tone) { (value) },
                    None => div.value.dim { "not known yet" },
                }
                @if let Some(note) = &self.note { div.note { (note) } }
            }
        }
    }
}

pub fn tiles(status: &StatusReport, now: f64) -> Markup {
    if matches!(status.role, Role::Standby | Role::Watching) {
        return html! { div.tiles { (server(status).draw()) @if let Some(disk) = disk(status) { (disk.draw()) } } };
    }
    let tiles = [
        Some(lag(status)),
        Some(through(status, now)),
        Some(headroom(status)),
        Some(snapshot(status, now)),
        running(status),
        Some(drill(status, now)),
        Some(server(status)),
        disk(status),
    ];
    html! { div.tiles { @for tile in tiles.iter().flatten() { (tile.draw()) } } }
}

fn lag(status: &StatusReport) -> Tile {
    let target = status.expected.rpo_seconds;
    let tone = match status.archive_lag_seconds.zip(target) {
        Some((lag, target)) if lag <= target => "good",
        Some(_) => "bad",
        None => "",
    };
    let lost = status.archive_lag_seconds.map(|_| "would be lost now".to_owned());
    let target = target.map(|target| format!("objective {}", length(target)));
    let note = Some(lost.into_iter().chain(target).collect::<Vec<_>>().join("; ")).filter(|note| !note.is_empty());
    Tile::new("Archive lag (RPO)", status.archive_lag_seconds.map(length), note).toned(tone)
}

fn through(status: &StatusReport, now: f64) -> Tile {
    let at = status.archived_through.map(|through| f64::from(through.seconds));
    Tile::new("Archived through", at.map(|at| ago(now - at)), at.map(moment))
}

fn headroom(status: &StatusReport) -> Tile {
    let oplog = status.server.oplog_window_seconds.map(|window| format!("oplog holds {}", length(window)));
    let young = status.server.oplog_full_ratio.filter(|ratio| *ratio < 0.95).map(|_| "and is not full yet");
    let note = oplog.map(|oplog| [Some(oplog.as_str()), young].into_iter().flatten().collect::<Vec<_>>().join(" "));
    Tile::new("Oplog headroom", status.oplog_headroom_seconds.map(length), note)
}

fn snapshot(status: &StatusReport, now: f64) -> Tile {
    let published = status.last_snapshot.as_ref().and_then(|snapshot| instant(&snapshot.published_at));
    let value = match (published, &status.holdings) {
        (Some(at), _) => Some(ago(now - at)),
        (None, Some(holdings)) if holdings.snapshots_total == 0 => Some("none yet".to_owned()),
        (None, _) => None,
    };
    let next = status.next_snapshot_at.as_deref().and_then(instant).map(|at| format!("next {}", ago(now - at)));
    Tile::new("Last snapshot", value, next)
}

fn running(status: &StatusReport) -> Option<Tile> {
    let current = status.current_snapshot.as_ref()?;
    let note = format!(
        "{} of {} collections, {} documents, {}",
        current.collections_done,
        current.collections,
        crate::page::count(current.documents),
        bytes(current.bytes)
    );
    Some(Tile::new("Snapshot in progress", Some(current.phase.text().to_owned()), Some(note)))
}

fn drill(status: &StatusReport, now: f64) -> Tile {
    let Some(holdings) = &status.holdings else { return Tile::new("Last drill", None, None) };
    let Some(drill) = holdings.drills.first() else {
        let note = "nobody has restored from here".to_owned();
        return Tile::new("Last drill", Some("never".to_owned()), Some(note)).toned("attention");
    };
    let tone = match drill.verdict {
        Verdict::Pass => "good",
        Verdict::PassWithFindings | Verdict::Inconclusive => "attention",
        Verdict::Fail => "bad",
    };
    let took = drill.recovery_time_seconds.map(|took| format!("restored in {} · ", length(float(took))));
    let at = instant(&drill.finished_at).map(|at| ago(now - at)).unwrap_or_default();
    let note = format!("{}{at}", took.unwrap_or_default());
    Tile::new("Last drill (RTO)", Some(drill.verdict.to_string().replace('_', " ")), Some(note)).toned(tone)
}

fn server(status: &StatusReport) -> Tile {
    let value = status.server.up.map(|is_up| if is_up { "up" } else { "down" }.to_owned());
    let tone = match (status.server.up, status.server.authorized) {
        (Some(true), Some(true)) => "good",
        (Some(true), _) => "attention",
        (Some(false), _) => "bad",
        (None, _) => "",
    };
    let note = status.server.version.as_ref().map(|version| format!("mongod {version}"));
    Tile::new("Server beside this sidecar", value, note).toned(tone)
}

fn disk(status: &StatusReport) -> Option<Tile> {
    let volume = status.data_volume.filter(|volume| volume.size_bytes > 0.0)?;
    let free = format!("{:.0} % free", volume.free_bytes / volume.size_bytes * 100.0);
    let note = format!("{} of {}", bytes(whole(volume.free_bytes)), bytes(whole(volume.size_bytes)));
    Some(Tile::new("Data volume", Some(free), Some(note)))
}

fn instant(text: &str) -> Option<f64> {
    metrics::backup::instant(text)
}

fn float(value: u64) -> f64 {
    metrics::sample::float(value)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes of volumes")]
fn whole(bytes: f64) -> u64 {
    bytes.max(0.0) as u64
}
