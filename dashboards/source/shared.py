"""What several dashboards show in the same way."""

from model import Annotation, Variable, limit

BY_SET = "namespace, cluster, replset"
SET = "{{namespace}} {{cluster}} {{replset}}"
MEMBER = f"{SET} {{{{member}}}}"
# Outside of Kubernetes there is no pod, in it an instance alone says little.
TARGET = "{{pod}} {{instance}}"
BY_TARGET = "namespace, cluster, pod, instance"

# The set of a metric that has no label of it, by the sidecar that it came from.
JOINED = "* on (namespace, cluster, job, instance) group_left (replset) tidemark:set_info"
# Of logs, whose metrics have no set. A node agent knows no cluster either, but a sidecar that reads profiles does.
BY_LOG = "namespace, cluster"
LOG = "{{namespace}} {{cluster}}"
# Legend of what `by_set` answers.
SET_OR_TARGET = f"{SET} {TARGET}"
# Each set that any sidecar knows, whether or not it is archived and its servers answer: 1.
KNOWN = f"group by ({BY_SET}) (tidemark:set_info)"
LEASES = f"sum by ({BY_SET}) (tidemark_archiver_lease_held {JOINED})"
# Only such sets, each 0. What they would say is absent, so that a worst or a sum over sets passes over them.
NOBODY = f"({LEASES} == 0)"
NO_SERVER = f"(sum by ({BY_SET}) (tidemark_mongod_up {JOINED}) == 0)"
NOTHING_RESTORABLE = f"(max by ({BY_SET}) (tidemark_pitr_windows) == 0)"
UNLISTED = f"{KNOWN} unless max by ({BY_SET}) (tidemark_pitr_windows)"

# Of each set: no bound for what is lost while nobody archives, no primary and no voters while no server answers.
LAG = f"(1 / {NOBODY} or tidemark:archive_lag_seconds:max)"
LAG_SHARE = f"(1 / {NOBODY} or tidemark:archive_lag_seconds:max / clamp_min(tidemark:rpo_target_seconds:max, 1))"
WINDOW = f"(tidemark:pitr_window_seconds:max or {NOTHING_RESTORABLE})"
HAS_PRIMARY = f"(tidemark:replset_has_primary:max or {NO_SERVER})"
SPARE_VOTERS = f"(-1 / {NO_SERVER} or tidemark:replset_healthy_voters:max - floor(tidemark:replset_voters:max / 2) - 1)"

UNBOUNDED = (("Infinity", "NOBODY ARCHIVES", "red"),)
ALL_DOWN = (("-Infinity", "NO SERVER ANSWERS", "red"),)
NOTHING = ((0, "NOTHING", "red"),)


# With a matcher of their own they are not narrowed to the chosen sets: the server of another one is no standalone.
OF_ANY_SET = '(tidemark_lineage_info{replset=~".*"} or tidemark_replset_self_state{replset=~".*"})'


def by_set(aggregation, series, *labels):
    """Over the servers of each set, for metrics without a label of it. A standalone, or one whose set is not known, stands for itself."""
    more = "".join(f", {label}" for label in labels)
    alone = f"({series}) unless on (namespace, cluster, job, instance) {OF_ANY_SET}"
    return f"({aggregation} by ({BY_SET}{more}) (({series}) {JOINED}) or {aggregation} by ({BY_TARGET}{more}) ({alone}))"


def judged(value, bad, unknown):
    """One value over all sets: shown when it is bad, else only when each set has a say in it. `unknown` are sets that have none."""
    return f"{value} {bad} or ({value} unless on () ({unknown}))"


def unlisted_or(*figures):
    """Sets of which one of the figures is there, or whose archive nobody has listed."""
    return " or ".join((UNLISTED, *(f"group by ({BY_SET}) ({figure})" for figure in figures)))


SNAPSHOT_INTERVAL = f'max by ({BY_SET}) (tidemark_backup_expected_interval_seconds{{kind="snapshot"}})'
SNAPSHOT_DONE = f'max by ({BY_SET}) (tidemark_backup_last_success_timestamp_seconds{{kind="snapshot"}})'
SNAPSHOT_LATE = judged(
    f"max((time() - {SNAPSHOT_DONE}) / {SNAPSHOT_INTERVAL})",
    f"> {limit('overdue_warning_factor'):g}",
    unlisted_or(f"{SNAPSHOT_INTERVAL} unless {SNAPSHOT_DONE}"),
)
FINDINGS = f"max by ({BY_SET}) (tidemark_backup_verify_findings)"
DAMAGE = judged(f"sum({FINDINGS})", "> 0", f"{KNOWN} unless {FINDINGS}")
WORST_SHARE = judged(f"max({LAG_SHARE})", "> 1", f"{KNOWN} unless {LAG_SHARE}")
FEWEST_VOTERS = judged(f"min({SPARE_VOTERS})", "< 1", f"{KNOWN} unless {SPARE_VOTERS}")

JOB = Variable("job", "Job", "tidemark_build_info", ".+")
NAMESPACE = Variable("namespace", "Namespace", "tidemark_mongod_up")
CLUSTER = Variable("cluster", "Cluster", "tidemark_mongod_up")
REPLSET = Variable("replset", "Replica set", "tidemark_replset_self_state")
MEMBERS = Variable("member", "Member", "tidemark_replset_member_state")
# `All` is the list, so that instances are those of the chosen set. A standalone or one that is down has no set to be chosen by.
INSTANCE = Variable(
    "instance",
    "Instance",
    '{__name__=~"tidemark_mongod_up|tidemark_replset_self_state",job=~"$job",namespace=~"$namespace",'
    'cluster=~"$cluster",replset=~"$replset"}',
    None,
)
POD = Variable(
    "pod", "Pod", '{__name__=~"tidemark_mongod_up|tidemark_log_lines_total",job=~"$job",namespace=~"$namespace",cluster=~"$cluster"}', None
)
SETS = (JOB, NAMESPACE, CLUSTER, REPLSET)

ELECTION = Annotation(
    "Elections",
    f"max by ({BY_SET}) (tidemark_replset_election_last_timestamp_seconds) * 1000",
    "orange",
    "A primary was elected",
    "namespace,cluster,replset",
)
SNAPSHOT = Annotation(
    "Snapshots",
    f'max by ({BY_SET}) (tidemark_backup_last_success_timestamp_seconds{{kind="snapshot"}}) * 1000',
    "green",
    "A snapshot was completed",
    "namespace,cluster,replset",
)
GAP = Annotation(
    "Gaps",
    f"max by ({BY_SET}) (tidemark_archive_gap_last_timestamp_seconds) * 1000",
    "red",
    "A gap of the archive ends here",
    "namespace,cluster,replset",
    empty="there is no gap",
)
DRILL = Annotation(
    "Drills",
    f"max by ({BY_SET}) (tidemark_restore_drill_last_attempt_timestamp_seconds) * 1000",
    "blue",
    "A drill was finished",
    "namespace,cluster,replset",
    empty="no drill was stored yet",
)
RESTART = Annotation(
    "Restarts",
    f"max by ({BY_TARGET}) (time() - tidemark_mongod_uptime_seconds) * 1000",
    "purple",
    "mongod started",
    "namespace,cluster,pod,instance",
    within=("instance",),
)
ALERT = Annotation(
    "Alerts",
    'max by (alertname, severity, namespace, cluster) (ALERTS{product="tidemark",alertstate="firing",severity=~"critical|warning"})',
    "red",
    "{{alertname}} ({{severity}})",
    "namespace,cluster",
    at_value=False,
    empty="nothing fires",
)

MEMBER_STATES = (
    (0, "starting", "blue"),
    (1, "PRIMARY", "green"),
    (2, "secondary", "#5794F2"),
    (3, "recovering", "orange"),
    (5, "initial sync", "blue"),
    (6, "unknown", "purple"),
    (7, "arbiter", "text"),
    (8, "DOWN", "red"),
    (9, "ROLLBACK", "red"),
    (10, "REMOVED", "red"),
)
YES_NO = ((0, "no", "red"), (1, "yes", "green"))

BURN_WINDOWS = (("1h", "1 h"), ("6h", "6 h"), ("3d", "3 d"))
UNRECORDED = "alerts/generated/rules.yaml is not loaded"


def burn_queries(name):
    return tuple((f"slo:tidemark_{name}:burnrate{window}", f"{SET}, {shown}", None, None, (), UNRECORDED) for window, shown in BURN_WINDOWS)


BURN = (
    "How many times faster than allowed the budget of 30 days is used: at 1 exactly all of it. "
    "14.4 for an hour pages, as does 6 for six hours; 1 for three days is a ticket."
)
