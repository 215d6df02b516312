use archive::catalog::Finding;
use archive::drill::Verdict;

use super::*;
use crate::archiver::LastError;
use crate::status::LeaseReport;
use crate::status::problems::tests::reports::{concluded, drill, gap, member, well};

fn render(report: &StatusReport) -> String {
    page(report, None, true).render()
}

#[test]
fn the_verdict_comes_first_and_everything_good_is_said_with_its_numbers() {
    let text = render(&well());
    let place = |needle: &str| text.find(needle).unwrap_or_else(|| panic!("{needle} is not in {text}"));
    assert!(
        place("All is well") < place("What to do next") && place("What to do next") < place("What can be restored")
    );
    for shown in [
        "Any moment from 2026-11-26 00:00:00 UTC through 2026-11-28 00:00:00 UTC can be restored, without a gap",
        "replica set <strong>rs0</strong>",
        "objective 1 min",
        "<strong>PRIMARY</strong>",
        "<strong>is archived</strong>",
        "6 hours ago",
        "in 1 hour",
        "1 min 35 s",
        "20261127T180000Z-f07079",
        "dr-cli plan --to latest",
        "export TIDEMARK_ARCHIVE='file:///backup/rs0' TIDEMARK_LINEAGE='rs0-6b0b4ac7a5ec1f8ded39b15b'",
    ] {
        place(shown);
    }
    assert!(!text.contains("<script") && !text.contains(" style="), "the policy forbids both");
}

#[test]
fn every_problem_is_shown_with_its_commands_and_runbook() {
    let mut report = well();
    report.repository_up = Some(false);
    report.collectors[0].stale = true;
    let holdings = report.holdings.as_mut().unwrap();
    (holdings.gaps, holdings.gaps_total) = (vec![gap(5, 4)], 1);
    let report = concluded(report);
    let text = render(&report);
    assert_eq!(report.problems.len(), 3, "{:?}", report.problems);
    for problem in &report.problems {
        assert!(text.contains(&format!("docs/runbooks/{}.md", problem.runbook)), "{problem:?}");
        let lines: Vec<String> = problem.next.iter().map(|line| line.replace('"', "&quot;")).collect();
        assert!(text.contains(&format!("<pre>{}</pre>", lines.join("\n"))), "{problem:?}");
    }
    assert!(text.contains("Act now") && text.contains("oplog_overrun"), "{text}");
    assert!(text.contains("<strong>Stale: </strong>no news lately from server_status"), "{text}");
}

#[test]
fn runbooks_are_links_where_somebody_serves_them() {
    let mut report = well();
    report.repository_up = Some(false);
    let mut report = concluded(report);
    assert!(!render(&report).contains("<a href=\"https://wiki"), "none is configured");
    report.problems[0].runbook_url = Some("https://wiki.example/RepositoryUnavailable.md".to_owned());
    let text = render(&report);
    let link = r#"<a href="https://wiki.example/RepositoryUnavailable.md" rel="noreferrer">RepositoryUnavailable</a>"#;
    assert!(text.contains(link), "{text}");
}

#[test]
fn slow_shapes_of_the_profiler_are_shown_with_their_time() {
    let mut aggregate = slowlog::Aggregate::new(slowlog::aggregate::Limits::default());
    let lines = include_str!("../../../../crates/slowlog/tests/lines/6.0.5.log");
    for line in lines.lines() {
        aggregate.observe(&slowlog::Reader::new(None).read(line.as_bytes()), std::time::Duration::ZERO);
    }
    let slow = PodReport { namespace: String::new(), pod: "rs0-0:27017".to_owned(), report: aggregate.report() };
    let text = page(&well(), Some(&slow), true).render();
    assert!(text.contains("shop.orders") && text.contains("By the database profiler"), "{text}");
    assert!(!text.contains("does not read the server's log") && !text.contains(" style="), "{text}");
    assert_eq!(text.matches("tr class=\"has-more\"").count(), SLOW_SHAPES.min(slow.report.shapes.len()));
}

#[test]
fn nothing_is_green_before_it_is_known() {
    let board = crate::status::StatusBoard::new(
        crate::metrics::Metrics::new().unwrap(),
        std::time::Duration::from_secs(5),
        "file:///x",
    );
    let text = render(&board.report());
    assert!(text.contains("Not known yet") && !text.contains("All is well"), "{text}");
    let (_, body) = text.split_once("<body>").unwrap();
    assert!(!body.contains("class=\"good\"") && !body.contains(" good\""), "{body}");
}

#[test]
fn names_and_texts_from_outside_are_escaped_wherever_they_are_shown() {
    const HOSTILE: &str = "<script>alert('x')</script>\"&";
    let mut report = well();
    let hostile = || HOSTILE.to_owned();
    report.replica_set = Some(hostile());
    report.lineage = Some(hostile());
    report.archive = hostile();
    report.member = Some(hostile());
    report.not_ready_because = Some(hostile());
    report.archiver_lease = Some(LeaseReport { epoch: 1, holder: hostile() });
    report.last_error = Some(LastError { at: hostile(), what: hostile() });
    report.shortfalls = vec![hostile()];
    report.next_snapshot_at = Some(hostile());
    report.members = vec![member(HOSTILE, "PRIMARY"), member(HOSTILE, "ROLLBACK")];
    report.members[0].healthy = Some(false);
    report.members[1].last_heartbeat_at = Some(hostile());
    report.server.version = Some(hostile());
    report.collectors[0].name = hostile();
    report.collectors[0].stale = true;
    let finding = Finding { object: hostile(), problem: hostile() };
    report.verified.as_mut().unwrap().findings = vec![finding.clone()];
    let holdings = report.holdings.as_mut().unwrap();
    holdings.findings = vec![finding];
    holdings.listed_at = hostile();
    let mut lost = gap(5, 4);
    (lost.reason, lost.detail) = (hostile(), hostile());
    (holdings.gaps, holdings.gaps_total) = (vec![lost], 1);
    holdings.snapshots[0].damaged = Some(hostile());
    holdings.snapshots[1].published_at = hostile();
    let mut failed = drill(1, Verdict::Fail);
    failed.reasons = vec![hostile()];
    holdings.drills.insert(0, failed);
    for role in [Role::Archiving, Role::Standby, Role::Starting, Role::Watching] {
        report.role = role;
        let text = render(&concluded(report.clone()));
        assert!(text.contains("&lt;script&gt;"), "{text}");
        assert!(!text.contains("<script") && !text.contains("</script"), "{role:?}: {text}");
        let attributes = text.split('<').filter_map(|tag| tag.split('>').next());
        assert!(attributes.into_iter().all(|tag| !tag.contains("alert(")), "within a tag: {text}");
    }
}

#[test]
fn a_shell_takes_the_location_as_one_word() {
    let mut report = well();
    report.archive = "file:///it's; rm -rf".to_owned();
    assert!(environment(&report).starts_with(r"export TIDEMARK_ARCHIVE='file:///it'\''s; rm -rf' "));
}
