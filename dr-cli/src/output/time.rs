//! Times as people read them: always UTC, always with the cluster time beside it.

use archive::ClusterTime;
use archive::target::WallTarget;

/// `2024-05-01T12:30:00Z (1714566600:3)`
pub fn moment(at: ClusterTime) -> String {
    format!("{} ({at})", second(at))
}

/// `2024-05-01T12:30:00Z`
pub fn second(at: ClusterTime) -> String {
    WallTarget { seconds: at.seconds, millis: None }.to_string()
}

/// `3 d 4 h`, `12 min 5 s`: the two largest units.
pub fn length(seconds: i64) -> String {
    const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut rest = seconds.max(0);
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
