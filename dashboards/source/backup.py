"""Backup and disaster recovery: what could be restored now, how much would be lost, how long would it take?"""

from model import Dashboard, Query, Row, falling, graph, limit, rising, stat, table
from source.backup_expressions import FAILED_DRILLS, LEASES, NO_DRILL, NO_GAP, NO_SNAPSHOT, SNAPSHOTS_ONLY, SNAPSHOT_AGE, WINDOW_SHARE, age, events, newest
from source.backup_work import ARCHIVING, DRILLS, SNAPSHOTS
from source.shared import ALERT, BURN, BY_SET, DRILL, ELECTION, GAP, SET, SETS, SNAPSHOT, burn_queries

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
                (f"min({age('lineage_created_timestamp_seconds')})", "first archived", None, None, (), "nothing was archived"),
                (f"max({newest('pitr_window_target_seconds')})", "promised", None, None, (), "no window is configured"),
            ),
            "s",
            width=12,
            height=10,
            band=("restorable to", "restorable from"),
            dashed=("promised", "last gap", "oldest", "first archived"),
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

DASHBOARD = Dashboard(
    "tidemark-backup",
    "Tidemark / Backup and recovery",
    "What can be restored, what a disaster would cost now, and what drills proved. Numbers are of the sidecar that archives, so they survive its change.",
    (FINE, RESTORABLE, POINT, ARCHIVING, SNAPSHOTS, DRILLS),
    SETS,
    (ALERT, SNAPSHOT, GAP, DRILL, ELECTION),
    "now-24h",
)
