//! What stands further down: members, snapshots, drills, and the sidecar itself.

use archive::drill::Verdict;
use maud::{Markup, html};

use super::when_or;
use crate::page::{bytes, count, known, length, when_text};
use crate::status::{Role, StatusReport};

pub fn members(status: &StatusReport, now: f64) -> Markup {
    html! {
        section #members {
            h2 { "Replica set" @if let Some(set) = &status.replica_set { " " (set) } }
            @if status.members.is_empty() {
                p.dim { "Members are not known" @if status.server.up == Some(false) { ": the server does not answer." } @else { " yet." } }
            } @else {
                table {
                    thead { tr { th { "Member" } th { "State" } th { "Reachable" } th.number { "Lag" } th { "Archive" } th { "Last heard" } } }
                    tbody {
                        @for member in &status.members {
                            tr {
                                td.mono data-name="Member" { span { (member.name) } }
                                td data-name="State" {
                                    span {
                                        @if member.state == "PRIMARY" { strong { "PRIMARY" } } @else { (member.state) }
                                        @if member.hidden == Some(true) { span.dim { " hidden" } }
                                    }
                                }
                                td data-name="Reachable" {
                                    @match member.healthy {
                                        Some(true) => span.good { "yes" },
                                        Some(false) => span.bad { strong { "no" } },
                                        None => span.dim { "not known yet" },
                                    }
                                }
                                td.number data-name="Lag" {
                                    @match member.lag_seconds {
                                        Some(lag) => span { (length(lag)) },
                                        None => span.dim { "none to measure" },
                                    }
                                }
                                td data-name="Archive" {
                                    @if member.archived { strong { "is archived" } } @else { span.dim { "no" } }
                                }
                                td data-name="Last heard" { span { (when_or(member.last_heartbeat_at.as_deref(), now, "this server")) } }
                            }
                        }
                    }
                }
                p.small.dim { "As the server beside this sidecar sees the set." }
            }
        }
    }
}

pub fn snapshots(status: &StatusReport, now: f64) -> Markup {
    let Some(holdings) = &status.holdings else { return html! {} };
    html! {
        section #snapshots {
            h2 { "Snapshots" }
            @if holdings.snapshots.is_empty() {
                p { "None yet." }
            } @else {
                table {
                    thead { tr { th { "Snapshot" } th { "Published" } th.number { "Documents" } th.number { "Size" } th.number { "Stored" } th { "State" } } }
                    tbody {
                        @for snapshot in &holdings.snapshots {
                            tr {
                                td.mono data-name="Snapshot" { span { (snapshot.id) } }
                                td.wide data-name="Published" { span { (when_text(&snapshot.published_at, now)) } }
                                td.number data-name="Documents" { (count(snapshot.documents)) }
                                td.number data-name="Size" { (bytes(snapshot.bytes)) }
                                td.number data-name="Stored" { (bytes(snapshot.stored_bytes)) }
                                td data-name="State" {
                                    span {
                                        @match snapshot.defect() {
                                            Some(defect) => span.bad { "damaged: " (defect) },
                                            None => span { "complete" },
                                        }
                                        @if snapshot.pinned { ", pinned" }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            p.small.dim {
                @if holdings.snapshots_total > holdings.snapshots.len() { "The newest of " (holdings.snapshots_total) ". " }
                "Next: " (when_or(status.next_snapshot_at.as_deref(), now, "none by schedule"))
            }
        }
    }
}

pub fn drills(status: &StatusReport, now: f64) -> Markup {
    let Some(holdings) = &status.holdings else { return html! {} };
    let objective = |own: Option<u64>| own.map(metrics::sample::float).or(status.expected.rto_seconds);
    html! {
        section #drills {
            h2 { "Drills" }
            @if holdings.drills.is_empty() {
                p { "None so far: nobody knows whether and how fast a restore works. " code { "dr-cli drill" } " practises one." }
            } @else {
                table {
                    thead { tr { th { "Finished" } th { "Verdict" } th.number { "Restored in (RTO)" } th.number { "Objective" } th { "Restored to" } } }
                    tbody {
                        @for drill in &holdings.drills {
                            tr {
                                td data-name="Finished" { span { (when_text(&drill.finished_at, now)) } }
                                td.wide data-name="Verdict" {
                                    span {
                                        strong.(tone(drill.verdict)) { (drill.verdict) }
                                        @for reason in &drill.reasons { br; span.small { (reason) } }
                                    }
                                }
                                td.number data-name="Restored in" { (known(drill.recovery_time_seconds.map(|took| length(metrics::sample::float(took))).as_deref())) }
                                td.number data-name="Objective" { (objective(drill.recovery_time_objective_seconds).map_or("none".to_owned(), length)) }
                                td data-name="Restored to" { span { (crate::page::moment(f64::from(drill.restored_to.seconds))) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

const fn tone(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "good",
        Verdict::PassWithFindings | Verdict::Inconclusive => "attention",
        Verdict::Fail => "bad",
    }
}

pub fn sidecar(status: &StatusReport, now: f64) -> Markup {
    html! {
        section #sidecar {
            h2 { "This sidecar" }
            dl {
                dt { "Ready" }
                dd { @match &status.not_ready_because { None => "yes", Some(reason) => span.bad { "no: " (reason) } } }
                dt { "Archive" } dd.mono { (status.archive) }
                dt { "Lineage" } dd.mono { (known(status.lineage.as_deref())) }
                dt { "Archives" }
                dd {
                    @match &status.archiver_lease {
                        Some(lease) => { code { (lease.holder) } span.dim { " (epoch " (lease.epoch) ")" } },
                        None => (known(None)),
                    }
                }
                @if status.role == Role::Archiving {
                    dt { "Oplog read from" } dd.mono { (known(status.member.as_deref())) }
                    dt { "Archive verified" }
                    dd {
                        @match &status.verified {
                            Some(verified) if verified.findings_total == 0 => { "sound " (when_text(&verified.at, now)) },
                            Some(verified) => span.bad { (verified.findings_total) " findings " (when_text(&verified.at, now)) },
                            None => (known(None)),
                        }
                    }
                }
                @if let Some(error) = &status.last_error {
                    dt { "Last error" } dd.bad { (error.what) " " span.dim { (when_text(&error.at, now)) } }
                }
                dt { "Looks at" }
                dd {
                    @if status.collectors.is_empty() { (known(None)) }
                    @for (position, collector) in status.collectors.iter().enumerate() {
                        @if position > 0 { ", " }
                        span.nowrap {
                            (collector.name) " "
                            span.(if collector.stale { "bad" } else { "dim" }) {
                                @if collector.stale { "stale, last " }
                                @match collector.last_success_at.as_deref().and_then(metrics::backup::instant) {
                                    Some(at) => (crate::page::ago(now - at)),
                                    None => "never",
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
