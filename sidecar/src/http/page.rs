//! The status page: the same facts as `/status`, for a person. No script, nothing loaded from elsewhere.

use std::fmt::Write as _;

use crate::status::{Role, StatusReport};

const HEAD: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5"><title>Tidemark sidecar</title><style>
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #c0392b; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.25rem; } h2 { font-size: 1rem; margin: 1.6rem 0 .3rem; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; font-weight: 500; width: 14rem; vertical-align: top; }
th, td { padding: .3rem .5rem .3rem 0; border-bottom: 1px solid var(--line); } td { overflow-wrap: anywhere; }
.good { color: var(--good); } .bad { color: var(--bad); } .dim { opacity: .65; }
</style></head><body>
"#;

pub fn render(status: &StatusReport) -> String {
    let mut page = String::from(HEAD);
    let (class, word) = match (status.ready, status.role) {
        (false, _) => ("bad", "not ready"),
        (true, Role::Watching) => ("good", "watching an arbiter"),
        (true, Role::Standby) => ("good", "standing by"),
        (true, _) => ("good", "archiving"),
    };
    write(&mut page, format_args!("<h1>Tidemark sidecar: <span class=\"{class}\">{word}</span></h1>"));
    if let Some(reason) = &status.not_ready_because {
        write(&mut page, format_args!("<p class=\"bad\">{}</p>", escape(reason)));
    }
    let seconds = |value: Option<f64>| value.map(|value| format!("{value:.0} s"));
    table(
        &mut page,
        "Oplog archive",
        &[
            ("Lineage", status.lineage.clone()),
            ("Archive", Some(status.archive.clone())),
            (
                "Archived by",
                status.archiver_lease.as_ref().map(|lease| format!("{} (epoch {})", lease.holder, lease.epoch)),
            ),
            ("Member", status.member.clone()),
            (
                "Archived through",
                status.archived_through.map(|time| format!("{} ({time})", crate::clock::text_of_seconds(time.seconds))),
            ),
            ("Archive lag", seconds(status.archive_lag_seconds)),
            ("Oplog headroom", seconds(status.oplog_headroom_seconds)),
            ("Gaps since start", Some(status.gaps.to_string())),
        ],
    );
    if let Some(current) = &status.current_snapshot {
        table(
            &mut page,
            "Snapshot in progress",
            &[
                ("Id", current.id.clone()),
                ("Phase", Some(format!("{:?}", current.phase))),
                ("Collections", Some(format!("{} of {}", current.collections_done, current.collections))),
                ("Documents", Some(current.documents.to_string())),
                ("Bytes", Some(current.bytes.to_string())),
            ],
        );
    }
    let last = status.last_snapshot.as_ref();
    table(
        &mut page,
        "Last snapshot",
        &[
            ("Id", last.map(|snapshot| snapshot.id.to_string())),
            ("Consistent at", last.map(|snapshot| snapshot.end.to_string())),
            ("Published", last.map(|snapshot| snapshot.published_at.clone())),
            ("Documents", last.map(|snapshot| snapshot.documents.to_string())),
            ("Bytes, as stored", last.map(|snapshot| format!("{} ({} stored)", snapshot.bytes, snapshot.stored_bytes))),
            ("Next", status.next_snapshot_at.clone()),
        ],
    );
    if let Some(error) = &status.last_error {
        table(&mut page, "Last error", &[("At", Some(error.at.clone())), ("What", Some(error.what.clone()))]);
    }
    write(
        &mut page,
        format_args!(
            "<p class=\"dim\">version {} · <a href=\"/status\">JSON</a> · <a href=\"/metrics\">metrics</a></p></body></html>\n",
            escape(status.version)
        ),
    );
    page
}

fn table(page: &mut String, title: &str, rows: &[(&str, Option<String>)]) {
    write(page, format_args!("<h2>{title}</h2><table>"));
    for (name, value) in rows {
        let value = value.as_deref().map_or_else(|| "<span class=\"dim\">not known yet</span>".to_owned(), escape);
        write(page, format_args!("<tr><th>{name}</th><td>{value}</td></tr>"));
    }
    page.push_str("</table>\n");
}

fn write(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    page.write_fmt(text).ok();
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::Metrics;
    use crate::status::StatusBoard;

    #[test]
    fn the_page_says_why_it_is_not_ready_and_escapes_what_it_shows() {
        let board = StatusBoard::new(Metrics::new().unwrap(), Duration::from_secs(5), "file:///a<b>");
        board.error(&crate::error::Error::Internal("<script>".to_owned()));
        let page = render(&board.report());
        assert!(page.contains("not ready"), "{page}");
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"), "{page}");
        assert!(page.contains("file:///a&lt;b&gt;"), "{page}");
    }
}
