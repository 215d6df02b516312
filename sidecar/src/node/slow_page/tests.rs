use std::sync::Arc;
use std::time::Duration;

use logfollow::{Counters, Progress};
use slowlog::Reader;
use slowlog::aggregate::{Aggregate, Limits};

use super::*;
use crate::node::agent::{Following, SlowQueries};

const OBSERVED: &str = include_str!("../../../../crates/slowlog/tests/lines/6.0.5.log");

fn view(lines: &str, name: &str) -> View {
    let mut aggregate = Aggregate::new(Limits::default());
    for line in lines.lines() {
        aggregate.observe(&Reader::new(Some("tidemark")).read(line.as_bytes()), Duration::ZERO);
    }
    let pods = vec![PodReport { namespace: name.to_owned(), pod: name.to_owned(), report: aggregate.report() }];
    View {
        metrics: Arc::default(),
        slow_queries: Arc::new(SlowQueries { schema: 1, pods }),
        following: Following {
            polled_at: 1_780_000_000,
            counters: Counters::default(),
            progress: Progress { families: 1, ..Progress::default() },
            save_failures: 0,
            pods: 1,
            root_readable: true,
        },
        problem: None,
    }
}

fn render(view: &View) -> String {
    page(view, 1_795_824_000.0, true).render()
}

#[test]
fn shapes_are_shown_with_their_numbers_and_without_values() {
    let text = render(&view(OBSERVED, "shop"));
    for secret in ["geheim", "alice", "p4ss", "127.0.0.1", "shop-api", "xxxx"] {
        assert!(!text.contains(secret), "{secret}");
    }
    for shown in [
        "shop.orders",
        ">COLLSCAN<",
        "17830885",
        "queryHash",
        r"{&quot;find&quot;:&quot;orders&quot;,&quot;filter&quot;:{&quot;customer&quot;:&quot;string&quot;}",
        "waiting for locks ",
        "By collection",
    ] {
        assert!(text.contains(shown), "{shown} is not in {text}");
    }
    assert!(!text.contains("<script") && !text.contains(" style="));
}

#[test]
fn names_from_a_log_are_escaped() {
    let hostile = r#"{"t":{"$date":"2026-11-28T20:00:00.000Z"},"s":"I","c":"COMMAND","id":51803,"ctx":"c","msg":"Slow query","attr":{"type":"command","ns":"a<script>.b<script>\"&","command":{"find":"b<script>\"&","filter":{"<script>alert(1)</script>":1},"$db":"a<script>"},"planSummary":"COLLSCAN","durationMillis":70}}"#;
    let text = render(&view(hostile, "<script>alert(2)</script>"));
    assert!(text.contains("a&lt;script&gt;") && text.contains("1 slow operations at one server"), "{text}");
    assert!(!text.contains("<script") && !text.contains("</script"), "{text}");
}

#[test]
fn what_the_numbers_miss_is_said_before_them() {
    let mut view = view(OBSERVED, "shop");
    view.following.counters.lost_bytes = 3 << 20;
    let text = render(&view);
    assert!(text.find("3.0 MiB").unwrap() < text.find("shop.orders").unwrap(), "{text}");
    view.problem = Some("/var/log/pods cannot be read".to_owned());
    assert!(render(&view).contains("The logs are not read: /var/log/pods cannot be read"));
    view.problem = None;
    view.following.progress.families = 0;
    assert!(render(&view).contains("none was found"));
}
