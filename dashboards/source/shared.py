"""What several dashboards show in the same way."""

from model import Annotation, Variable

BY_SET = "namespace, cluster, replset"
SET = "{{cluster}} {{replset}}"
MEMBER = "{{replset}} {{member}}"
# Outside of Kubernetes there is no pod, in it an instance alone says little.
TARGET = "{{pod}} {{instance}}"
BY_TARGET = "namespace, cluster, pod, instance"

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
    "cluster,replset",
)
SNAPSHOT = Annotation(
    "Snapshots",
    f'max by ({BY_SET}) (tidemark_backup_last_success_timestamp_seconds{{kind="snapshot"}}) * 1000',
    "green",
    "A snapshot was completed",
    "cluster,replset",
)
GAP = Annotation(
    "Gaps",
    f"max by ({BY_SET}) (tidemark_archive_gap_last_timestamp_seconds) * 1000",
    "red",
    "A gap of the archive ends here",
    "cluster,replset",
    empty="there is no gap",
)
DRILL = Annotation(
    "Drills",
    f"max by ({BY_SET}) (tidemark_restore_drill_last_attempt_timestamp_seconds) * 1000",
    "blue",
    "A drill was finished",
    "cluster,replset",
    empty="no drill was stored yet",
)
RESTART = Annotation(
    "Restarts",
    f"max by ({BY_TARGET}) (time() - tidemark_mongod_uptime_seconds) * 1000",
    "purple",
    "mongod started",
    "cluster,pod,instance",
    within=("instance",),
)
ALERT = Annotation(
    "Alerts",
    'max by (alertname, severity, namespace, cluster) (ALERTS{product="tidemark",alertstate="firing",severity=~"critical|warning"})',
    "red",
    "{{alertname}} ({{severity}})",
    "cluster",
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
