"""What the rows about backups ask in the same way: figures of the sidecar that archives, by replica set."""

from source.shared import BY_SET, SET

KIND = f"{SET} {{{{kind}}}}"
JOINED = "* on (namespace, cluster, job, instance) group_left (replset) tidemark:set_info"
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
