"""The first click of the one on call: is anything wrong, and where?"""

import grafana
from model import Dashboard, Query, Row, falling, graph, limit, rising, stat, table
from source.shared import ALERT, BURN, BY_SET, ELECTION, SET, SETS, SNAPSHOT, burn_queries

# Without the rules the watchdog is missing, and then nothing is said instead of 0.
FIRING = 'ALERTS{product="tidemark",alertstate="firing",alertname!="TidemarkWatchdog"}'
CRITICAL = FIRING.replace("}", ',severity="critical"}')
KNOWN = '(0 * count(ALERTS{alertname="TidemarkWatchdog",alertstate="firing"}))'
NO_RULES = "rules not loaded"

SNAPSHOT_AGE = (
    f'(time() - max by ({BY_SET}) (tidemark_backup_last_success_timestamp_seconds{{kind="snapshot"}}))'
    f' / max by ({BY_SET}) (tidemark_backup_expected_interval_seconds{{kind="snapshot"}})'
)
LEASES = f"sum by ({BY_SET}) (tidemark_archiver_lease_held * on (namespace, cluster, job, instance) group_left (replset) tidemark:set_info)"
DRILL_AGE = (
    f"(time() - max by ({BY_SET}) (tidemark_restore_drill_last_success_timestamp_seconds))"
    f" / max by ({BY_SET}) (tidemark_restore_drill_expected_interval_seconds)"
)

FINE = Row(
    "Is it fine?",
    (
        stat(
            "Critical alerts",
            "Alerts that page and fire now.",
            f"count({CRITICAL}) or {KNOWN}",
            steps=rising(red=1),
            unknown=NO_RULES,
            alerts=("TidemarkWatchdog",),
            empty="the rules are not loaded",
        ),
        stat(
            "Sets that vanished",
            "Replica sets that were scraped within the last six hours and are not any more: nothing watches them.",
            f"count(group by ({BY_SET}) (last_over_time(tidemark_replset_self_state[6h]))) - count(group by ({BY_SET}) (tidemark_replset_self_state))",
            steps=rising(red=1),
            unknown="nothing is scraped",
            alerts=("MetricsMissing",),
        ),
        stat(
            "Sets without a primary",
            "No member knows a primary: all writes fail.",
            "sum(tidemark:replset_has_primary:max == bool 0)",
            steps=rising(red=1),
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
            "min(tidemark:replset_healthy_voters:max - floor(tidemark:replset_voters:max / 2) - 1)",
            steps=falling(orange=1, red=0),
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
            "max(tidemark:archive_lag_seconds:max / clamp_min(tidemark:rpo_target_seconds:max, 1))",
            "percentunit",
            steps=rising(1, limit("stalled_factor")),
            unknown="nobody archives",
            alerts=("ArchiveStalled", "RpoBudgetBurn"),
        ),
        stat(
            "Sets that nobody archives",
            "No sidecar of the set holds the archiver lease.",
            f"sum(({LEASES}) == bool 0)",
            steps=rising(red=1),
            alerts=("ArchiverLeaseCount",),
        ),
        stat(
            "Sets without a restorable moment",
            "The archive holds no snapshot with its oplog. Only sets whose archive was listed.",
            f"sum(max by ({BY_SET}) (tidemark_pitr_windows) == bool 0)",
            steps=rising(red=1),
            unknown="not known",
            alerts=("NothingRestorable",),
        ),
        stat(
            "Snapshot age / interval",
            "Age of the newest snapshot as a share of the interval of its schedule, in the worst set.",
            f"max({SNAPSHOT_AGE})",
            "percentunit",
            steps=rising(limit("overdue_warning_factor"), limit("overdue_critical_factor")),
            unknown="never, or not known",
            alerts=("BackupOverdue",),
            empty="there is no schedule or no snapshot yet",
        ),
        stat(
            "Damage in archives",
            "Objects that verification found to be missing, foreign or damaged.",
            f"sum(max by ({BY_SET}) (tidemark_backup_verify_findings))",
            steps=rising(red=1),
            unknown="not verified",
            alerts=("BackupVerifyFindings",),
        ),
        stat(
            "Drill age / interval",
            "Age of the last drill that passed as a share of its interval, in the worst set.",
            f"max({DRILL_AGE})",
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
            "One line for each set; what is absent is not known. The names link to the set, the archive lag to its backups.",
            {
                "Primary": Query("tidemark:replset_has_primary:max", unit="short", mappings=((0, "NO", "red"), (1, "yes", "green"))),
                "Spare voters": Query(
                    "tidemark:replset_healthy_voters:max - floor(tidemark:replset_voters:max / 2) - 1", steps=falling(orange=1, red=0)
                ),
                "Excess lag": Query(
                    f"max by ({BY_SET}) (tidemark:replset_excess_lag_seconds:max)",
                    unit="s",
                    steps=rising(limit("lag_warning_seconds"), limit("lag_critical_seconds")),
                ),
                "Oplog window": Query("tidemark:oplog_window_seconds:max", unit="s"),
                "Archive lag": Query("tidemark:archive_lag_seconds:max", unit="s"),
                "Objective": Query("tidemark:rpo_target_seconds:max", unit="s"),
                "Oplog headroom": Query("tidemark:oplog_headroom_seconds:min", unit="s"),
                "Restore window": Query("tidemark:pitr_window_seconds:max", unit="s", empty="nothing can be restored yet"),
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
            "Committed writes of so many seconds are not in the archive.",
            (("tidemark:archive_lag_seconds:max", SET),),
            "s",
            alerts=("ArchiveStalled",),
        ),
        graph(
            "Operations",
            "Operations of clients.",
            (('sum by (namespace, cluster) (rate(tidemark_ops_total{source="client"}[$__rate_interval]))', "{{namespace}} {{cluster}}"),),
            "ops",
        ),
        graph(
            "Free disk",
            "Free share of the fullest volume of each cluster.",
            (
                (
                    "min by (namespace, cluster) (tidemark_data_volume_free_bytes / tidemark_data_volume_size_bytes)",
                    "{{namespace}} {{cluster}}",
                ),
            ),
            "percentunit",
            steps=falling(limit("disk_warning_ratio"), limit("disk_critical_ratio")),
            alerts=("DiskFilling",),
            empty="no sidecar has --data-path",
        ),
        table(
            "Versions of mongod",
            "More than one version or feature compatibility version in a cluster: an upgrade is not finished.",
            {"Servers": Query("count by (namespace, cluster, version, edition, storage_engine, fcv) (tidemark_mongod_info)")},
            width=8,
        ),
        table(
            "Versions of Tidemark",
            "Sidecars and node agents by version.",
            {"Processes": Query("count by (job, namespace, version) (tidemark_build_info)")},
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
