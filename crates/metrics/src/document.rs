//! `docs/metrics.md`, written from the catalogue.

use std::fmt::Write as _;

use crate::catalogue::{GROUPS, Group, Metric};

const HEAD: &str = "# Metrics

Everything that `sidecar run` serves at `/metrics`, in the text format of Prometheus. Written from the catalogue in
`crates/metrics`; `TIDEMARK_BLESS=1 cargo test -p metrics` writes it anew.

- Names end in their unit. Instants are `_timestamp_seconds` (age: `time() - …`) and absent until they are known; counters end in
  `_total`, and those with closed labels are there before their first event.
- Everything is collected in the background. A scrape serves the last complete snapshot at once, whatever state the server,
  its disk or the archive are in.
- Labels never hold what users of the database chose, but names of databases and collections: the largest have series of their own,
  the others are `__other__`. Beyond `tidemark_series_limit` series are left out and counted.
- What a failed or stopped server had said is absent, never old. `tidemark_mongod_up` is 0 then.
- After a failover other sidecars report: aggregate by the set, never by pod.
- *Not observed*: read from the documentation of a newer server than was at hand.
";

/// The whole page.
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for group in GROUPS {
        section(&mut page, group);
    }
    page
}

fn section(page: &mut String, group: &Group) {
    write(page, format_args!("\n## {}\n\n{}\n", group.title, group.about));
    for metric in group.metrics {
        entry(page, metric);
    }
}

fn entry(page: &mut String, metric: &Metric) {
    let labels = if metric.labels.is_empty() { String::new() } else { format!("{{{}}}", metric.labels.join(", ")) };
    let unit = if metric.unit().is_empty() { String::new() } else { format!(", {}", metric.unit()) };
    write(page, format_args!("\n### `{}{labels}`\n\n{}{unit}. {}\n\n", metric.name, metric.kind.as_str(), metric.help));
    let not_observed = if metric.not_observed { " *Not observed.*" } else { "" };
    write(page, format_args!("- There: {}.{not_observed}\n", metric.present));
    write(page, format_args!("- From: {}.\n- For: {}.\n", metric.source, metric.why));
}

fn write(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    page.write_fmt(text).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_in_docs_is_that_of_the_catalogue() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
        if std::env::var_os("TIDEMARK_BLESS").is_some() {
            std::fs::write(path, page()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(written == page(), "docs/metrics.md has drifted: TIDEMARK_BLESS=1 cargo test -p metrics");
    }
}
