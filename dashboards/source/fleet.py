"""The first click of the one on call: is anything wrong, and where?"""

import grafana
from model import NEUTRAL, Dashboard, Query, Row, falling, graph, limit, rising, stat, table
from source.shared import (
    ALERT,
    ALL_DOWN,
    BURN,
    BY_SET,
    DAMAGE,
    ELECTION,
    FEWEST_VOTERS,
    HAS_PRIMARY,
    KNOWN,
    LAG,
    LEASES,
    NOTHING,
    SET,
    SETS,
    SET_OR_TARGET,
    SNAPSHOT,
    SNAPSHOT_LATE,
    SPARE_VOTERS,
    UNBOUNDED,
    UNLISTED,
    WINDOW,
    WORST_SHARE,
    burn_queries,
    by_set,
    judged,
    unlisted_or,
)

# Without the rules the watchdog is missing, and then nothing is said instead of 0.
FIRING = 'ALERTS{product="tidemark",alertstate="firing",alertname!="TidemarkWatchdog"}'
CRITICAL = FIRING.replace("}", ',severity="critical"}')
WATCHED = '(0 * count(ALERTS{alertname="TidemarkWatchdog",alertstate="firing"}))'
NO_RULES = "rules not loaded"

DRILL_INTERVAL = f"max by ({BY_SET}) (tidemark_restore_drill_expected_interval_seconds)"
DRILL_DONE = f"max by ({BY_SET}) (tidemark_restore_drill_last_success_timestamp_seconds)"
DRILL_LATE = judged(f"max((time() - {DRILL_DONE}) / {DRILL_INTERVAL})", "> 1", unlisted_or(f"{DRILL_INTERVAL} unless {DRILL_DONE}"))
# As `tidemark:set_info`, but over time.
EVER_KNOWN = f"group by ({BY_SET}) (last_over_time(tidemark_lineage_info[6h]) or last_over_time(tidemark_replset_self_state[6h]))"
NOT_KNOWN = "not known of all"

FINE = Row(
    "Is it fine?",
    (
        stat(
            "Critical alerts",
            "Alerts that page and fire now.",
            f"count({CRITICAL}) or {WATCHED}",
            steps=rising(red=1),
            unknown=NO_RULES,
            alerts=("TidemarkWatchdog", "RuleEvaluationFailing"),
            empty="the rules are not loaded",
        ),
        stat(
            "Sets that vanished",
            "Replica sets that sidecars knew within the last six hours and none knows now: nothing watches them.",
            f"count({EVER_KNOWN}) - count({KNOWN})",
            steps=rising(red=1),
            unknown="nothing is scraped",
            alerts=("MetricsMissing",),
        ),
        stat(
            "Sets without a primary",
            "No member knows a primary, or no server of the set answers: all writes fail.",
            judged(f"sum({HAS_PRIMARY} == bool 0)", "> 0", f"{KNOWN} unless {HAS_PRIMARY}"),
            steps=rising(red=1),
            unknown=NOT_KNOWN,
            alerts=("ReplsetNoPrimary",),
        ),
        stat(
            "Servers that are down",
            "mongod does not answer its sidecar.",
            "sum(tidemark_mongod_up == bool 0)",
            steps=rising(red=1),
            alerts=("MongodDown",),
        ),
        stat(
            "Voters to spare",
            "Healthy voting members beyond a majority, in the set with the fewest. At 0 the loss of one more stops all writes.",
            FEWEST_VOTERS,
            mappings=ALL_DOWN,
            steps=falling(orange=1, red=0),
            unknown=NOT_KNOWN,
            alerts=("ReplsetMajorityAtRisk",),
        ),
        stat(
            "Least free disk",
            "Free share of the fullest data volume.",
            "min(tidemark_data_volume_free_bytes / tidemark_data_volume_size_bytes)",
            "percentunit",
            steps=falling(limit("disk_warning_ratio"), limit("disk_critical_ratio")),
            unknown="not watched",
            alerts=("DiskFilling",),
            empty="no sidecar has --data-path",
        ),
        stat(
            "Recovery point / objective",
            "Archive lag as a share of its objective, in the worst set: beyond 100 % a disaster loses more than allowed.",
            WORST_SHARE,
            "percentunit",
            mappings=UNBOUNDED,
            steps=rising(1, limit("stalled_factor")),
            unknown=NOT_KNOWN,
            alerts=("ArchiveStalled", "RpoBudgetBurn"),
        ),
        stat(
            "Sets that nobody archives",
            "No sidecar of the set holds the archiver lease.",
            f"sum({LEASES} == bool 0)",
            steps=rising(red=1),
            alerts=("ArchiverLeaseCount",),
        ),
        stat(
            "Sets without a restorable moment",
            "The archive holds no snapshot with its oplog. What the archive of a set holds is not known before it was listed, nor while nobody archives.",
            judged(f"sum(max by ({BY_SET}) (tidemark_pitr_windows) == bool 0)", "> 0", UNLISTED),
            steps=rising(red=1),
            unknown=NOT_KNOWN,
            alerts=("NothingRestorable",),
        ),
        stat(
            "Snapshot age / interval",
            "Age of the newest snapshot as a share of the interval of its schedule, in the worst set.",
            SNAPSHOT_LATE,
            "percentunit",
            steps=rising(limit("overdue_warning_factor"), limit("overdue_critical_factor")),
            unknown="never, or not known",
            alerts=("BackupOverdue",),
            empty="there is no schedule or no snapshot yet",
        ),
        stat(
            "Damage in archives",
            "Objects that verification found to be missing, foreign or damaged.",
            DAMAGE,
            steps=rising(red=1),
            unknown="not all verified",
            alerts=("BackupVerifyFindings",),
        ),
        stat(
            "Drill age / interval",
            "Age of the last drill that passed as a share of its interval, in the worst set.",
            DRILL_LATE,
            "percentunit",
            steps=rising(1, limit("drill_overdue_factor")),
            unknown="no drill, or no interval",
            alerts=("RestoreDrillOverdue",),
            empty="drills have no interval or none has passed",
        ),
    ),
)

LINKS = (
    (
        "replset",
        "Replica set",
        "/d/tidemark-replica-set?${datasource:queryparam}&var-namespace=${__data.fields.namespace}&var-cluster=${__data.fields.cluster}&var-replset=${__data.fields.replset}&${__url_time_range}",
    ),
    (
        "Archive lag",
        "Backup",
        "/d/tidemark-backup?${datasource:queryparam}&var-namespace=${__data.fields.namespace}&var-cluster=${__data.fields.cluster}&var-replset=${__data.fields.replset}&${__url_time_range}",
    ),
)

WHERE = Row(
    "Where?",
    (
        table(
            "Replica sets",
            "One line for each set that any sidecar knows, whether or not somebody archives it; what is absent is not known. "
            "The names link to the set, the archive lag to its backups.",
            {
                "Primary": Query(HAS_PRIMARY, unit="short", mappings=((0, "NO", "red"), (1, "yes", "green"))),
                "Spare voters": Query(SPARE_VOTERS, mappings=ALL_DOWN, steps=falling(orange=1, red=0)),
                "Excess lag": Query(
                    f"max by ({BY_SET}) (tidemark:replset_excess_lag_seconds:max)",
                    unit="s",
                    steps=rising(limit("lag_warning_seconds"), limit("lag_critical_seconds")),
                ),
                "Oplog window": Query("tidemark:oplog_window_seconds:max", unit="s"),
                "Archivers": Query(LEASES, mappings=((0, "NOBODY", "red"), (1, "one", "green")), steps=rising(2)),
                "Archive lag": Query(LAG, unit="s", mappings=UNBOUNDED, steps=NEUTRAL),
                "Objective": Query("tidemark:rpo_target_seconds:max", unit="s"),
                "Oplog headroom": Query("tidemark:oplog_headroom_seconds:min", unit="s"),
                "Restore window": Query(WINDOW, unit="s", mappings=NOTHING, steps=NEUTRAL, empty="no archive was listed"),
                "Snapshot age": Query(
                    f'time() - max by ({BY_SET}) (tidemark_backup_last_success_timestamp_seconds{{kind="snapshot"}})', unit="s"
                ),
                "Last drill that passed": Query(
                    f"time() - max by ({BY_SET}) (tidemark_restore_drill_last_success_timestamp_seconds)",
                    unit="s",
                    empty="no drill has passed",
                ),
            },
            height=9,
            links=LINKS,
        ),
        table(
            "Alerts that fire",
            "The name links to the runbook. Empty is good only while `Critical alerts` above shows a number.",
            {"Firing": Query(f"max by (severity, alertname, namespace, cluster, replset, pod, instance, member) ({FIRING})")},
            height=8,
            links=(("alertname", "Runbook", f"{grafana.runbook('${__value.raw}')}"),),
            hidden=("Firing",),
            empty="nothing fires",
        ),
        graph(
            "Alerts over time",
            "Alerts that fired, by severity.",
            ((f"count by (severity) ({FIRING})", "{{severity}}"),),
            width=24,
            height=6,
            stacked=True,
            bars=True,
            empty="nothing fired",
        ),
    ),
)

LEVELS = Row(
    "Service levels",
    (
        graph("Recovery point: burn rate", BURN, burn_queries("rpo"), "none", steps=rising(6, 14.4), alerts=("RpoBudgetBurn",)),
        graph(
            "Latency: burn rate",
            BURN,
            burn_queries("latency"),
            "none",
            steps=rising(6, 14.4),
            alerts=("LatencyBudgetBurn",),
            empty="there are too few operations to judge",
        ),
        graph(
            "Writes available: burn rate",
            BURN,
            burn_queries("writes"),
            "none",
            steps=rising(6, 14.4),
            alerts=("WriteAvailabilityBudgetBurn",),
        ),
    ),
)

TRENDS = Row(
    "Trends",
    (
        graph(
            "Replication lag",
            "Largest lag beyond the configured delay in each set.",
            ((f"max by ({BY_SET}) (tidemark:replset_excess_lag_seconds:max)", SET),),
            "s",
            steps=rising(limit("lag_warning_seconds"), limit("lag_critical_seconds")),
            alerts=("ReplicationLagHigh",),
        ),
        graph(
            "Archive lag",
            "Committed writes of so many seconds are not in the archive. Without a line nobody archives.",
            (("tidemark:archive_lag_seconds:max", SET),),
            "s",
            alerts=("ArchiveStalled",),
        ),
        graph(
            "Operations",
            "Operations of clients.",
            ((by_set("sum", 'rate(tidemark_ops_total{source="client"}[$__rate_interval])'), SET_OR_TARGET),),
            "ops",
        ),
        graph(
            "Free disk",
            "Free share of the fullest volume of each set.",
            ((by_set("min", "tidemark_data_volume_free_bytes / tidemark_data_volume_size_bytes"), SET_OR_TARGET),),
            "percentunit",
            steps=falling(limit("disk_warning_ratio"), limit("disk_critical_ratio")),
            alerts=("DiskFilling",),
            empty="no sidecar has --data-path",
        ),
        table(
            "Versions of mongod",
            "More than one version or feature compatibility version in a set: an upgrade is not finished.",
            {"Servers": Query(by_set("count", "tidemark_mongod_info", "version", "edition", "storage_engine", "fcv"))},
            width=8,
        ),
        table(
            "Versions of Tidemark",
            "Sidecars and node agents by version.",
            {"Processes": Query("count by (job, namespace, cluster, version) (tidemark_build_info)")},
            width=8,
        ),
    ),
)

DASHBOARD = Dashboard(
    "tidemark-fleet",
    "Tidemark / Fleet",
    "All replica sets at a glance: what is wrong, where, and which runbook to open.",
    (FINE, WHERE, LEVELS, TRENDS),
    SETS,
    (ALERT, ELECTION, SNAPSHOT),
    "now-6h",
)
