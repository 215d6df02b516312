"""Backup and disaster recovery: what could be restored now, how much would be lost, how long would it take?"""

from model import Dashboard, Query, Row, falling, graph, limit, rising, stat, states, table
from source.shared import ALERT, BURN, BY_SET, DRILL, ELECTION, GAP, SET, SETS, SNAPSHOT, TARGET, burn_queries

KIND = f"{SET} {{{{kind}}}}"
JOINED = "* on (job, instance) group_left (replset) tidemark:set_info"
NO_SNAPSHOT = "there is no snapshot yet"
NO_DRILL = "no drill was stored yet"
NO_GAP = "there is no gap"
IDLE = "no backup runs"


def newest(metric, by=BY_SET, matchers=""):
    return f"max by ({by}) (tidemark_{metric}{matchers})"


def age(metric, by=BY_SET, matchers=""):
    return f"time() - {newest(metric, by, matchers)}"


def of_set(metric):
    return f"sum by ({BY_SET}) (rate(tidemark_{metric}[$__rate_interval]) {JOINED})"


def events(metric):
    return f"sum by ({BY_SET}) (increase(tidemark_{metric}[$__rate_interval]) {JOINED})"


BY_KIND = f"{BY_SET}, kind"
LEASES = f"sum by ({BY_SET}) (tidemark_archiver_lease_held {JOINED})"
SNAPSHOTS_ONLY = '{kind="snapshot"}'
SNAPSHOT_AGE = (
    f"({age('backup_last_success_timestamp_seconds', BY_SET, SNAPSHOTS_ONLY)})"
    f" / {newest('backup_expected_interval_seconds', BY_SET, SNAPSHOTS_ONLY)}"
)
FAILED_DRILLS = newest("restore_drill_last_verdict", BY_SET, '{verdict=~"fail|inconclusive"}')
WINDOW_SHARE = f"tidemark:pitr_window_seconds:max / {newest('pitr_window_target_seconds')}"

FINE = Row(
    "Is it fine?",
    (
        stat(
            "Would be lost now",
            "Committed writes of so many seconds are not in the archive, by the clock of the server; in the worst set.",
            "max(tidemark:archive_lag_seconds:max)",
            "s",
            unknown="nobody archives",
            decimals=1,
            alerts=("ArchiveStalled",),
        ),
        stat(
            "… of the objective",
            "The same as a share of the recovery point objective: beyond 100 % more is lost than allowed.",
            "max(tidemark:archive_lag_seconds:max / clamp_min(tidemark:rpo_target_seconds:max, 1))",
            "percentunit",
            steps=rising(1, limit("stalled_factor")),
            unknown="nobody archives",
            alerts=("ArchiveStalled", "RpoBudgetBurn"),
        ),
        stat(
            "Who archives",
            "Sidecars that hold the archiver lease, in the set with the fewest. It must be one.",
            f"min({LEASES})",
            mappings=((0, "NOBODY", "red"), (1, "one", "green")),
            steps=falling(red=1),
            alerts=("ArchiverLeaseCount",),
        ),
        stat(
            "Sidecars without archive",
            "Sidecars to which the object store last refused or gave no answer.",
            "sum(tidemark_repository_up == bool 0)",
            mappings=((0, "none", "green"),),
            steps=rising(1),
            alerts=("RepositoryUnavailable",),
            unknown="not asked yet",
        ),
        stat(
            "Missing in the archive",
            "Whether something that was once archived is gone: somebody deleted backups.",
            "max(tidemark_archive_shortfall)",
            mappings=((0, "nothing", "green"), (1, "BACKUPS ARE GONE", "red")),
            steps=rising(red=1),
            alerts=("ArchiveShortfall",),
        ),
        stat(
            "Damage",
            "Objects that the last verification found to be missing, foreign or damaged.",
            f"sum({newest('backup_verify_findings')})",
            steps=rising(red=1),
            unknown="not verified yet",
            alerts=("BackupVerifyFindings",),
        ),
        stat(
            "Restore window",
            "Length of the newest unbroken stretch of restorable moments, in the set with the shortest.",
            "min(tidemark:pitr_window_seconds:max)",
            "s",
            unknown="NOTHING, or not known",
            alerts=("NothingRestorable", "PitrWindowShort"),
            empty=NO_SNAPSHOT,
        ),
        stat(
            "… of what is promised",
            "The same as a share of the configured window. It grows after the first snapshot.",
            f"min({WINDOW_SHARE})",
            "percentunit",
            steps=falling(limit("window_short_ratio")),
            unknown="nothing is promised",
            alerts=("PitrWindowShort",),
            empty="no window is configured",
        ),
        stat(
            "Gaps",
            "Recorded holes in the history: moments in them can never be restored.",
            f"sum({newest('archive_gaps')})",
            steps=rising(1),
            unknown="not listed yet",
            alerts=("ArchiveGap",),
        ),
        stat(
            "Snapshot age / interval",
            "In the worst set.",
            f"max({SNAPSHOT_AGE})",
            "percentunit",
            steps=rising(limit("overdue_warning_factor"), limit("overdue_critical_factor")),
            unknown="never, or not known",
            alerts=("BackupOverdue",),
            empty="there is no schedule or no snapshot yet",
        ),
        stat(
            "Last drill",
            "Whether the newest drill of each set passed; the worst.",
            f"max({FAILED_DRILLS})",
            mappings=((0, "passed", "green"), (1, "DID NOT PASS", "red")),
            steps=rising(red=1),
            unknown="no drill",
            alerts=("RestoreDrillFailed", "RestoreDrillOverdue"),
            empty=NO_DRILL,
        ),
        stat(
            "Recovery time / objective",
            "How long the newest drill took to restore, as a share of the objective; the worst set.",
            f"max({newest('restore_drill_last_duration_seconds')} / {newest('rto_target_seconds')})",
            "percentunit",
            steps=rising(0.8, 1),
            unknown="no drill, or no objective",
            alerts=("RestoreDrillRtoExceeded",),
            empty="no drill was measured, or no objective is set",
        ),
    ),
)

RESTORABLE = Row(
    "What can be restored",
    (
        graph(
            "How far back, how near to now",
            "The filled band is how old the moments are that can be restored in all chosen sets: its lower edge is how near to now, its upper edge how far back without a gap. "
            "After a gap the upper edge falls down to the snapshot with which history goes on, and the line of the last gap begins.",
            (
                (f"min({age('pitr_window_start_timestamp_seconds')})", "restorable from", None, None, (), NO_SNAPSHOT),
                (f"max({age('pitr_window_end_timestamp_seconds')})", "restorable to", None, None, (), NO_SNAPSHOT),
                (f"min({age('backup_oldest_timestamp_seconds', BY_SET, SNAPSHOTS_ONLY)})", "oldest snapshot", None, None, (), NO_SNAPSHOT),
                (f"min({age('archive_gap_last_timestamp_seconds')})", "last gap", None, None, (), NO_GAP),
                (f"max({newest('pitr_window_target_seconds')})", "promised", None, None, (), "no window is configured"),
            ),
            "s",
            width=12,
            height=10,
            band=("restorable to", "restorable from"),
            dashed=("promised", "last gap", "oldest"),
            alerts=("PitrWindowShort", "ArchiveGap"),
        ),
        table(
            "Restore windows",
            "Moments from and to which every one can be restored. More than one window: there is a gap between them; `dr-cli status` lists all of them.",
            {
                "From": Query(f"{newest('pitr_window_start_timestamp_seconds')} * 1000", unit="dateTimeAsIso", empty=NO_SNAPSHOT),
                "To": Query(f"{newest('pitr_window_end_timestamp_seconds')} * 1000", unit="dateTimeAsIso", empty=NO_SNAPSHOT),
                "Length": Query("tidemark:pitr_window_seconds:max", unit="s", empty=NO_SNAPSHOT),
                "Windows": Query(newest("pitr_windows"), steps=falling(red=1)),
                "Gaps": Query(newest("archive_gaps"), steps=rising(1)),
                "Lost history": Query(newest("archive_gap_seconds"), unit="s"),
                "Last gap ends": Query(f"{newest('archive_gap_last_timestamp_seconds')} * 1000", unit="dateTimeAsIso", empty=NO_GAP),
                "Newest snapshot": Query("tidemark:last_snapshot_timestamp_seconds:max * 1000", unit="dateTimeAsIso", empty=NO_SNAPSHOT),
            },
            width=12,
            height=10,
            alerts=("NothingRestorable", "ArchiveGap"),
        ),
        graph(
            "New gaps",
            "Oplog that was overwritten before it was archived, or that cannot be replayed: take a snapshot.",
            ((events("gaps_total"), SET),),
            bars=True,
            steps=rising(red=1),
            alerts=("ArchiveGap",),
        ),
        graph(
            "Windows",
            "1: unbroken. More: there is a gap. 0: nothing can be restored.",
            ((newest("pitr_windows"), SET),),
            alerts=("NothingRestorable",),
        ),
        graph(
            "Objects missing by kind",
            "1 while something is missing that was once archived.",
            (("max by (namespace, cluster, kind) (tidemark_archive_shortfall)", "{{cluster}} {{kind}}"),),
            alerts=("ArchiveShortfall",),
        ),
    ),
)

POINT = Row(
    "Recovery point",
    (
        graph(
            "Archive lag against its objective",
            "Committed writes of so many seconds are not in the archive. Without a line nobody archives.",
            (("tidemark:archive_lag_seconds:max", SET), ("tidemark:rpo_target_seconds:max", f"objective {SET}")),
            "s",
            dashed=("objective",),
            alerts=("ArchiveStalled",),
        ),
        graph(
            "Archived through",
            "Age of the newest moment in the archive. An idle set moves it every minute.",
            (("time() - tidemark:archived_through_timestamp_seconds:max", SET),),
            "s",
            steps=rising(limit("archive_idle_seconds")),
            alerts=("ArchiveStalled",),
        ),
        graph(
            "Oplog headroom",
            "Oplog between its oldest entry and what is archived: at 0 there is a gap for ever. An archiver that keeps up has all of the window (dashed); while the oplog is young both grow.",
            (("tidemark:oplog_headroom_seconds:min", SET), ("tidemark:oplog_window_seconds:max", f"window {SET}")),
            "s",
            dashed=("window",),
            alerts=("ArchiveGapImminent",),
            steps=falling(red=limit("gap_horizon_seconds")),
        ),
        graph(
            "Time within the objective",
            "Share of seconds in which the archive lag was within its objective; unknown is not good. The line is what is promised over 30 days.",
            (
                (
                    f"sum by ({BY_SET}) (rate(tidemark_rpo_good_seconds_total[$__rate_interval])) / (sum by ({BY_SET}) (rate(tidemark_rpo_observed_seconds_total[$__rate_interval])) > 0)",
                    SET,
                ),
            ),
            "percentunit",
            steps=falling(limit("rpo_objective")),
            alerts=("RpoBudgetBurn",),
        ),
        graph("Recovery point: burn rate", BURN, burn_queries("rpo"), "none", steps=rising(6, 14.4), alerts=("RpoBudgetBurn",)),
        table(
            "Recovery point of each set",
            "Budget left: share of the errors that the objective allows in the shown range which is not used. Below 0 more was used.",
            {
                "Lag": Query("tidemark:archive_lag_seconds:max", unit="s"),
                "Objective": Query("tidemark:rpo_target_seconds:max", unit="s"),
                "Good": Query(
                    f"sum by ({BY_SET}) (increase(tidemark_rpo_good_seconds_total[$__range])) / (sum by ({BY_SET}) (increase(tidemark_rpo_observed_seconds_total[$__range])) > 0)",
                    unit="percentunit",
                ),
                "Budget left": Query(
                    f"1 - (1 - sum by ({BY_SET}) (increase(tidemark_rpo_good_seconds_total[$__range])) / (sum by ({BY_SET}) (increase(tidemark_rpo_observed_seconds_total[$__range])) > 0))"
                    f" / {1 - limit('rpo_objective'):.6g}",
                    unit="percentunit",
                    steps=falling(orange=0.25, red=0),
                ),
            },
            width=8,
            alerts=("RpoBudgetBurn",),
        ),
    ),
)

ARCHIVING = Row(
    "Archiving",
    (
        graph("Bytes archived", "Stored bytes of oplog slices per second.", ((of_set("slice_bytes_total"), SET),), "Bps"),
        graph("Entries archived", "Oplog entries per second.", ((of_set("slice_entries_total"), SET),), "ops"),
        graph(
            "Slices",
            "Published; yielded: another sidecar had archived the same.",
            ((of_set("slices_published_total"), f"{SET} published"), (of_set("slices_yielded_total"), f"{SET} yielded")),
            "ops",
        ),
        graph(
            "Failed attempts to publish",
            "Each is tried again.",
            ((events("publish_failures_total"), SET),),
            bars=True,
            alerts=("ArchiveStalled", "RepositoryUnavailable"),
        ),
        states(
            "Sidecars that archive",
            "One line for each sidecar; exactly one of a set shall be green.",
            (("tidemark_archiver_lease_held", TARGET),),
            ((0, "stands by", "text"), (1, "archives", "green")),
            width=8,
            alerts=("ArchiverLeaseCount",),
        ),
        graph(
            "Take-overs",
            "Leases lost to another sidecar, and the epoch of the lease: each holder has the next one.",
            (
                (events("archiver_leases_lost_total"), f"{SET} lost"),
                (f"max by ({BY_SET}) (tidemark_archiver_lease_epoch {JOINED})", f"{SET} epoch"),
            ),
            alerts=("ArchiverLeaseCount",),
        ),
        states(
            "Whether the archive answers",
            "As each sidecar saw it last.",
            (("tidemark_repository_up", TARGET),),
            ((0, "no", "red"), (1, "yes", "green")),
            width=16,
            height=6,
            alerts=("RepositoryUnavailable",),
        ),
        stat(
            "Deleted by retention",
            "Objects that expiry deleted in the shown range.",
            "sum(increase(tidemark_backup_expired_total[$__range]))",
            width=8,
            height=6,
            decimals=0,
        ),
    ),
)

SNAPSHOTS = Row(
    "Snapshots and references",
    (
        table(
            "Backups by kind",
            "A snapshot is a full copy, a reference digests that drills compare with.",
            {
                "Last success": Query(
                    f"{newest('backup_last_success_timestamp_seconds', BY_KIND)} * 1000", unit="dateTimeAsIso", empty=NO_SNAPSHOT
                ),
                "Age": Query(age("backup_last_success_timestamp_seconds", BY_KIND), unit="s", empty=NO_SNAPSHOT),
                "Interval": Query(newest("backup_expected_interval_seconds", BY_KIND), unit="s", empty="there is no schedule"),
                "Last attempt": Query(
                    f"{newest('backup_last_attempt_timestamp_seconds', BY_KIND)} * 1000",
                    unit="dateTimeAsIso",
                    empty="no backup was started since the sidecar started",
                ),
                "Last failure": Query(
                    f"{newest('backup_last_failure_timestamp_seconds', BY_KIND)} * 1000",
                    unit="dateTimeAsIso",
                    empty="none failed since the sidecar started",
                ),
                "Stored": Query(newest("backups_stored", BY_KIND)),
                "Oldest": Query(
                    f"min by ({BY_KIND}) (tidemark_backup_oldest_timestamp_seconds) * 1000", unit="dateTimeAsIso", empty=NO_SNAPSHOT
                ),
            },
            height=7,
            alerts=("BackupOverdue", "BackupFailed"),
        ),
        graph(
            "Age of backups",
            "Since the newest one of each kind was completed; dashed: the interval of its schedule.",
            (
                (age("backup_last_success_timestamp_seconds", BY_KIND), KIND, None, None, (), NO_SNAPSHOT),
                (newest("backup_expected_interval_seconds", BY_KIND), f"interval {KIND}", None, None, (), "there is no schedule"),
            ),
            "s",
            dashed=("interval",),
            alerts=("BackupOverdue",),
        ),
        graph(
            "Duration of the newest snapshot",
            "Dashed: how long the one that runs is under way.",
            (
                ("tidemark:snapshot_duration_seconds:max", SET, None, None, (), NO_SNAPSHOT),
                (f"time() - min by ({BY_KIND}) (tidemark_backup_started_timestamp_seconds)", f"running {KIND}", None, None, (), IDLE),
            ),
            "s",
            dashed=("running",),
            alerts=("BackupStuck",),
        ),
        graph(
            "Progress of what runs",
            "Share of the collections that is done; and 1 while a snapshot is taken.",
            ((newest("backup_progress_ratio", BY_KIND), KIND, None, None, (), IDLE), ("tidemark:snapshot_running:max", f"{SET} runs")),
            "percentunit",
            alerts=("BackupStuck",),
        ),
        graph(
            "Size of the newest snapshot",
            "Plain bytes of the documents, and what is stored of them.",
            (
                ("tidemark:snapshot_bytes:max", f"{SET} plain", None, None, (), NO_SNAPSHOT),
                (f"max by ({BY_SET}) (tidemark_snapshot_stored_bytes {JOINED})", f"{SET} stored", None, None, (), NO_SNAPSHOT),
            ),
            "bytes",
            alerts=("BackupSizeAnomaly",),
        ),
        graph(
            "Size against two weeks",
            "Plain bytes of the newest snapshot against their average of 14 days: half or twice of it is unusual.",
            ((f"max by ({BY_SET}) ((tidemark_snapshot_bytes / avg_over_time(tidemark_snapshot_bytes[14d])) {JOINED})", SET),),
            "percentunit",
            steps=rising(limit("size_high_ratio")),
            alerts=("BackupSizeAnomaly",),
            empty=NO_SNAPSHOT,
        ),
        graph(
            "Documents in the newest snapshot",
            "Documents of all its collections.",
            ((f"max by ({BY_SET}) (tidemark_snapshot_documents {JOINED})", SET),),
            empty=NO_SNAPSHOT,
        ),
        graph(
            "Completed and failed",
            "Snapshots and references as they came.",
            (
                (events("snapshots_completed_total"), f"{SET} snapshots"),
                (events("snapshots_failed_total"), f"{SET} failed snapshots"),
                (events("references_completed_total"), f"{SET} references"),
                (events("references_failed_total"), f"{SET} failed references"),
            ),
            bars=True,
            alerts=("BackupFailed",),
        ),
        graph(
            "Size of the archive",
            "Stored bytes by part.",
            ((newest("backup_repository_bytes", f"{BY_SET}, part"), f"{SET} {{{{part}}}}"),),
            "bytes",
            stacked=True,
        ),
        graph(
            "Cluster time of the newest reference",
            "Its age, as the sidecar that took it knows.",
            ((f"time() - max by ({BY_SET}) (tidemark_last_reference_timestamp_seconds {JOINED})", SET),),
            "s",
            empty="no reference was taken",
        ),
        graph(
            "Since the archive was verified",
            "By its listing, without findings.",
            ((age("backup_verify_last_success_timestamp_seconds"), SET),),
            "s",
            steps=rising(limit("verify_overdue_seconds")),
            alerts=("BackupVerifyOverdue",),
        ),
        graph(
            "Findings of verification",
            "Objects that are missing, foreign or damaged.",
            ((newest("backup_verify_findings"), SET),),
            steps=rising(red=1),
            alerts=("BackupVerifyFindings",),
        ),
    ),
)

DRILLS = Row(
    "Drills: restores that were practised",
    (
        table(
            "Newest drill of each set",
            "Recovery time and point as measured, beside their objectives.",
            {
                "Finished": Query(f"{newest('restore_drill_last_attempt_timestamp_seconds')} * 1000", unit="dateTimeAsIso", empty=NO_DRILL),
                "Last that passed": Query(
                    f"{newest('restore_drill_last_success_timestamp_seconds')} * 1000", unit="dateTimeAsIso", empty=NO_DRILL
                ),
                "Interval": Query(newest("restore_drill_expected_interval_seconds"), unit="s", empty="no interval is configured"),
                "Recovery time": Query(newest("restore_drill_last_duration_seconds"), unit="s", empty=NO_DRILL),
                "Objective": Query(newest("rto_target_seconds"), unit="s", empty="no objective is set"),
                "Recovery point": Query(newest("restore_drill_last_target_lag_seconds"), unit="s", empty=NO_DRILL),
                "Documents compared": Query(newest("restore_drill_last_checked_documents"), empty=NO_DRILL),
            },
            height=6,
            alerts=("RestoreDrillOverdue", "RestoreDrillRtoExceeded"),
        ),
        states(
            "Verdict of the newest drill",
            "What the last exercise proved.",
            ((f"{newest('restore_drill_last_verdict', f'{BY_SET}, verdict')} == 1", f"{SET} {{{{verdict}}}}"),),
            ((1, "newest verdict", "blue"),),
            width=8,
            alerts=("RestoreDrillFailed",),
            empty=NO_DRILL,
        ),
        graph(
            "Recovery time",
            "As measured by drills, beside the objective.",
            (
                (newest("restore_drill_last_duration_seconds"), SET, None, None, (), NO_DRILL),
                (newest("rto_target_seconds"), f"objective {SET}", None, None, (), "no objective is set"),
            ),
            "s",
            dashed=("objective",),
            alerts=("RestoreDrillRtoExceeded",),
        ),
        graph(
            "Drills stored",
            "Reports in the archive by verdict.",
            ((newest("restore_drills_stored", f"{BY_SET}, verdict"), f"{SET} {{{{verdict}}}}"),),
            alerts=("RestoreDrillFailed",),
        ),
    ),
)

DASHBOARD = Dashboard(
    "tidemark-backup",
    "Tidemark / Backup and recovery",
    "What can be restored, what a disaster would cost now, and what drills proved. Numbers are of the sidecar that archives, so they survive its change.",
    (FINE, RESTORABLE, POINT, ARCHIVING, SNAPSHOTS, DRILLS),
    SETS,
    (ALERT, SNAPSHOT, GAP, DRILL, ELECTION),
    "now-24h",
)
