"""How backups are made and proven: the archiver, snapshots, drills."""

from model import Query, Row, graph, limit, rising, stat, states, table
from source.backup_expressions import BY_KIND, IDLE, KIND, NO_DRILL, NO_SNAPSHOT, age, events, newest, of_set
from source.shared import BY_SET, JOINED, SET, TARGET

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
            f"sum(increase(tidemark_backup_expired_total[$__range]) {JOINED})",
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
