"""One replica set: who is primary, who lags, how long may a member be away."""

from model import Dashboard, Query, Row, falling, graph, limit, rising, stat, states, table
from source.shared import (
    ALERT,
    ALL_DOWN,
    BURN,
    BY_SET,
    ELECTION,
    FEWEST_VOTERS,
    HAS_PRIMARY,
    INSTANCE,
    KNOWN,
    MEMBER,
    MEMBER_STATES,
    MEMBERS,
    RESTART,
    SET,
    SETS,
    TARGET,
    YES_NO,
    burn_queries,
    judged,
)

LAG = rising(limit("lag_warning_seconds"), limit("lag_critical_seconds"))
FULL = f"(tidemark_oplog_size_bytes / tidemark_oplog_max_bytes > {limit('oplog_full_ratio')})"
WINDOW = "tidemark_oplog_last_timestamp_seconds - tidemark_oplog_first_timestamp_seconds"
ONE_MEMBER = ("member",)
ONE_TARGET = ("instance",)
PRIMARY = "and on (namespace, cluster, job, instance) (tidemark_replset_self_state == 1)"
ELECTED = f"max by ({BY_SET}) (tidemark_replset_election_last_timestamp_seconds)"
NEWER = "the server is older than 8.0"
NO_SYNC = "no member is being synchronised"
ALONE = "the set has one member"


def highest(metric, labels=""):
    return f"max by ({BY_SET}, member) ({metric}{labels})"


FINE = Row(
    "Is it fine?",
    (
        stat(
            "Primary",
            "Whether any member knows a primary; without one, and while no server of a set answers, all writes fail. In the worst set.",
            judged(f"min({HAS_PRIMARY})", "== 0", f"{KNOWN} unless {HAS_PRIMARY}"),
            mappings=((0, "NO PRIMARY", "red"), (1, "there", "green")),
            steps=falling(red=1),
            alerts=("ReplsetNoPrimary",),
        ),
        stat(
            "Servers that are down",
            "mongod does not answer its sidecar.",
            "sum(tidemark_mongod_up == bool 0)",
            steps=rising(red=1),
            alerts=("MongodDown",),
            within=ONE_TARGET,
        ),
        stat(
            "Voters to spare",
            "Healthy voting members beyond a majority. At 0 the loss of one more stops all writes; a set of one member has none to spare.",
            FEWEST_VOTERS,
            mappings=ALL_DOWN,
            steps=falling(orange=1, red=0),
            alerts=("ReplsetMajorityAtRisk",),
        ),
        stat(
            "Largest lag",
            "Lag of the slowest member beyond its configured delay. Arbiters and members in initial sync do not count.",
            "max(tidemark:replset_excess_lag_seconds:max)",
            "s",
            steps=LAG,
            alerts=("ReplicationLagHigh",),
            decimals=1,
        ),
        stat(
            "Majority commit lag",
            "How far the majority is behind the primary: writes with w:majority wait for it, and nothing beyond it is archived.",
            judged(
                "max(tidemark:majority_commit_lag_seconds:max)",
                f"> {limit('writes_lag_seconds'):g}",
                f"{KNOWN} unless tidemark:majority_commit_lag_seconds:max",
            ),
            "s",
            steps=rising(limit("writes_lag_seconds"), limit("majority_lag_seconds")),
            alerts=("MajorityCommitStalled",),
            unknown="no primary",
            decimals=1,
        ),
        stat(
            "Oplog window",
            "Time between the oldest and the newest entry where the oplog is full and overwrites itself: longer must no member be away.",
            f"min({WINDOW} and on (namespace, cluster, job, instance) {FULL})",
            "s",
            steps=falling(limit("oplog_window_warning_seconds"), limit("oplog_window_critical_seconds")),
            alerts=("OplogWindowShort",),
            unknown="not full yet, or not known",
            empty="the oplog is not full yet",
        ),
    ),
)

MEMBERS_ROW = Row(
    "Members",
    (
        states(
            "State of each member",
            "The best that any member says about another one. A gap: nobody who is scraped knows.",
            ((f"min by ({BY_SET}, member) (tidemark_replset_member_state)", MEMBER),),
            MEMBER_STATES,
            height=7,
            alerts=("ReplsetMemberBadState",),
            within=ONE_MEMBER,
        ),
        states(
            "State as each member sees itself",
            "From the sidecar beside it. A gap: the server or its sidecar is down.",
            (("tidemark_replset_self_state", TARGET),),
            MEMBER_STATES,
            height=7,
            alerts=("MongodDown",),
            within=ONE_TARGET,
        ),
        states(
            "How many members cannot reach it",
            "1: perhaps the network between two members; 2 and more: the member is gone.",
            ((f"sum by ({BY_SET}, member) (tidemark_replset_member_health == bool 0)", MEMBER),),
            ((0, "reached by all", "green"),),
            height=6,
            steps=rising(1, 2),
            alerts=("ReplsetMemberUnhealthy",),
            within=ONE_MEMBER,
        ),
        table(
            "Configuration and state",
            "Hidden, delayed and non-voting members explain what looks wrong elsewhere.",
            {
                "Configured": Query(
                    f"max by ({BY_SET}, member, hidden, arbiter, priority_zero, votes, delay_seconds) (tidemark_replset_member_info)"
                ),
                "State": Query(f"min by ({BY_SET}, member) (tidemark_replset_member_state)", mappings=MEMBER_STATES),
                "Lag": Query(highest("tidemark_replset_member_lag_seconds"), unit="s"),
                "Slowest heartbeat": Query(highest("tidemark_replset_member_ping_seconds"), unit="s", empty=ALONE),
            },
            within=ONE_MEMBER,
            hidden=("Configured",),
        ),
    ),
)

LAGS = Row(
    "Replication lag",
    (
        graph(
            "Lag beyond the configured delay",
            "By wall clock of the entries, in milliseconds, as the sidecars see it. Arbiters and members in initial sync have none.",
            (("tidemark:replset_excess_lag_seconds:max", MEMBER),),
            "s",
            steps=LAG,
            alerts=("ReplicationLagHigh",),
            within=ONE_MEMBER,
        ),
        graph(
            "Applied, journaled, written",
            "Lag of the journal behind the primary beside that of applying: which of the two is slow. Written: from 8.0 on.",
            (
                (highest("tidemark_replset_member_lag_seconds"), f"{MEMBER} applied"),
                (highest("tidemark_replset_member_durable_lag_seconds"), f"{MEMBER} journaled"),
                (highest("tidemark_replset_member_written_lag_seconds"), f"{MEMBER} written", None, None, (), NEWER),
            ),
            "s",
            within=ONE_MEMBER,
        ),
        graph(
            "Majority commit lag over time",
            "On the primary: how far the majority commit point is behind what it has applied.",
            ((f"max by ({BY_SET}) (tidemark_replset_majority_commit_lag_seconds {PRIMARY})", SET),),
            "s",
            steps=rising(limit("writes_lag_seconds"), limit("majority_lag_seconds")),
            alerts=("MajorityCommitStalled",),
        ),
        graph(
            "Lag as a share of the oplog window",
            "At 100 % the member has fallen off the oplog and needs an initial sync. Counts only once the oplog is full.",
            (
                (
                    "tidemark:replset_excess_lag_seconds:max / on (namespace, cluster, replset) group_left () tidemark:oplog_window_seconds:max",
                    MEMBER,
                ),
            ),
            "percentunit",
            steps=rising(limit("lag_of_window_ratio"), 1),
            alerts=("ReplicationLagVsOplog",),
            within=ONE_MEMBER,
        ),
        graph(
            "Flow control: time it braked",
            "Share of time in which the primary found the majority lagging and slowed writes down.",
            (("rate(tidemark_flow_control_lagged_seconds_total[$__rate_interval])" + f" {PRIMARY}", TARGET),),
            "percentunit",
            steps=rising(limit("flow_control_ratio")),
            alerts=("FlowControlEngaged",),
            within=ONE_TARGET,
        ),
        graph(
            "Flow control: cost",
            "Seconds per second that operations waited for flow control, summed over all clients, and whether it brakes now (1).",
            (
                ("rate(tidemark_flow_control_wait_seconds_total[$__rate_interval])", f"{TARGET} waited"),
                ("tidemark_flow_control_lagged", f"{TARGET} brakes"),
            ),
            "none",
            within=ONE_TARGET,
        ),
        graph(
            "Flow control: limit",
            "Operations per second that it lets through; a very large number means no limit.",
            (("tidemark_flow_control_target_rate", TARGET),),
            "short",
            within=ONE_TARGET,
        ),
        graph(
            "Writes available: burn rate",
            BURN,
            burn_queries("writes"),
            "none",
            steps=rising(6, 14.4),
            alerts=("WriteAvailabilityBudgetBurn",),
        ),
        graph(
            "Clock skew",
            "Clock of the server minus that of its sidecar. Targets of restores are wall clock times.",
            (("tidemark_clock_skew_seconds", TARGET),),
            "s",
            steps=rising(limit("clock_skew_seconds")),
            alerts=("ClockSkew",),
            within=ONE_TARGET,
        ),
    ),
)

OPLOG = Row(
    "Oplog",
    (
        graph(
            "Oplog window of each member",
            "Newest minus oldest entry of each member. Until the oplog is full it grows, and says nothing about how long a member may be away.",
            (
                (WINDOW, TARGET),
                ("tidemark_oplog_min_retention_seconds", f"promised {TARGET}", None, None, (), "no retention is configured"),
            ),
            "s",
            dashed=("promised",),
            alerts=("OplogWindowShort",),
            within=ONE_TARGET,
        ),
        graph(
            "Oplog in use",
            "Bytes of the entries as a share of the limit: from 95 % on old entries are overwritten.",
            (("tidemark_oplog_size_bytes / tidemark_oplog_max_bytes", TARGET),),
            "percentunit",
            within=ONE_TARGET,
        ),
        graph(
            "Oplog read from the source",
            "Bytes per second of oplog that secondaries read: growth of the oplog, and network.",
            (("rate(tidemark_repl_network_bytes_total[$__rate_interval])", TARGET),),
            "Bps",
            within=ONE_TARGET,
        ),
    ),
)

ELECTIONS = Row(
    "Elections and configuration",
    (
        graph(
            "Term",
            "Grows with each election, also with one that nobody won.",
            ((f"max by ({BY_SET}) (tidemark_replset_term)", SET),),
            "none",
            width=6,
            alerts=("ElectionsFlapping",),
        ),
        stat(
            "Terms in the last hour",
            "More than a rolling upgrade explains: the set flaps.",
            f"max(max by ({BY_SET}) (tidemark_replset_term) - max by ({BY_SET}) (tidemark_replset_term offset 1h))",
            steps=rising(limit("elections_per_hour") + 1),
            height=8,
            alerts=("ElectionsFlapping",),
            unknown="less than an hour known",
            empty="history is shorter than an hour",
        ),
        stat(
            "Primary since",
            "Time since the newest primary was elected. Not shown while a chosen set has none.",
            f"min(time() - {ELECTED}) unless on () ({KNOWN} unless {ELECTED})",
            "s",
            height=8,
            unknown="no primary",
        ),
        graph(
            "Elections called and won",
            "By the member that called them, with the reason.",
            (
                (
                    "sum by (namespace, cluster, pod, instance, reason) (increase(tidemark_replset_elections_called_total[$__rate_interval]))",
                    f"{TARGET} called: {{{{reason}}}}",
                ),
                (
                    "sum by (namespace, cluster, pod, instance, reason) (increase(tidemark_replset_elections_succeeded_total[$__rate_interval]))",
                    f"{TARGET} won: {{{{reason}}}}",
                ),
            ),
            width=10,
            bars=True,
            alerts=("ElectionsFlapping",),
            within=ONE_TARGET,
        ),
        stat(
            "Rollbacks",
            "In the shown range: writes that were acknowledged without a majority and undone.",
            "sum(increase(tidemark_replset_rollbacks_total[$__range]))",
            steps=rising(red=0.5),
            decimals=0,
            height=8,
            alerts=("ReplsetRollback",),
            within=ONE_TARGET,
        ),
        table(
            "Configuration of each member",
            "A member with another version than the rest is cut off.",
            {
                "Version": Query(f"max by ({BY_SET}, pod, instance) (tidemark_replset_config_version)"),
                "Term": Query(f"max by ({BY_SET}, pod, instance) (tidemark_replset_config_term)"),
                "Knows a primary": Query(f"max by ({BY_SET}, pod, instance) (tidemark_replset_has_primary)", mappings=YES_NO),
            },
            width=10,
            within=ONE_TARGET,
        ),
        table(
            "Sync sources",
            "From whom each member replicates; a chain shows as a source that is no primary.",
            {"Now": Query(f"max by ({BY_SET}, pod, instance, sync_source) (tidemark_replset_sync_source_info)", empty=ALONE)},
            width=10,
            hidden=("Now",),
            within=ONE_TARGET,
        ),
    ),
)

WORK = Row(
    "Work of replication",
    (
        graph(
            "Entries applied",
            "Oplog entries per second.",
            (("rate(tidemark_repl_apply_ops_total[$__rate_interval])", TARGET),),
            "ops",
            within=ONE_TARGET,
        ),
        graph(
            "Time spent applying",
            "Near 100 % the member cannot keep up.",
            (("rate(tidemark_repl_apply_seconds_total[$__rate_interval])", TARGET),),
            "percentunit",
            steps=rising(0.9),
            within=ONE_TARGET,
        ),
        graph(
            "Entries of a batch",
            "Entries applied for each batch.",
            (
                (
                    "rate(tidemark_repl_apply_ops_total[$__rate_interval]) / (rate(tidemark_repl_apply_batches_total[$__rate_interval]) > 0)",
                    TARGET,
                ),
            ),
            "short",
            within=ONE_TARGET,
            empty="nothing is applied: there is no secondary",
        ),
        graph(
            "Buffer in use",
            "Share of the limit; full when the member cannot apply what it reads.",
            (("tidemark_repl_buffer_bytes / tidemark_repl_buffer_limit_bytes", f"{TARGET} {{{{buffer}}}}"),),
            "percentunit",
            within=ONE_TARGET,
        ),
        graph(
            "Entries in the buffer",
            "Oplog entries that wait.",
            (("tidemark_repl_buffer_entries", f"{TARGET} {{{{buffer}}}}"),),
            within=ONE_TARGET,
        ),
        graph(
            "Changes of the sync source",
            "A source that flaps.",
            (("increase(tidemark_replset_sync_source_changes_total[$__rate_interval])", TARGET),),
            bars=True,
            within=ONE_TARGET,
        ),
        graph(
            "Since the last heartbeat",
            "Seconds since a heartbeat of the member was answered, as the others see it.",
            (
                (
                    "time() - tidemark_replset_member_last_heartbeat_timestamp_seconds",
                    "{{pod}} {{instance}} to {{member}}",
                    None,
                    None,
                    (),
                    ALONE,
                ),
            ),
            "s",
            within=ONE_MEMBER,
        ),
        graph(
            "Round trip of heartbeats",
            "Network between members.",
            (("tidemark_replset_member_ping_seconds", "{{pod}} {{instance}} to {{member}}", None, None, (), ALONE),),
            "s",
            within=ONE_MEMBER,
        ),
        graph(
            "Initial sync: progress",
            "Share of the data that was copied.",
            (("tidemark_replset_initial_sync_progress_ratio", TARGET),),
            "percentunit",
            within=ONE_TARGET,
            empty=NO_SYNC,
        ),
        graph(
            "Initial sync: duration",
            "One that outlasts the oplog window of its source starts again.",
            (("tidemark_replset_initial_sync_elapsed_seconds", TARGET),),
            "s",
            steps=rising(limit("initial_sync_seconds")),
            alerts=("InitialSyncLong",),
            within=ONE_TARGET,
            empty=NO_SYNC,
        ),
        graph(
            "Initial sync: running, failed",
            "1 while it runs; failed attempts as they come.",
            (
                ("tidemark_replset_initial_sync_running", f"{TARGET} runs"),
                ("increase(tidemark_replset_initial_sync_failed_attempts_total[$__rate_interval])", f"{TARGET} failed attempts"),
            ),
            alerts=("InitialSyncFailing",),
            within=ONE_TARGET,
        ),
        graph(
            "Uptime",
            "A drop is a restart.",
            (("tidemark_mongod_uptime_seconds", TARGET),),
            "s",
            alerts=("MongodRestarting",),
            within=ONE_TARGET,
        ),
    ),
)

DASHBOARD = Dashboard(
    "tidemark-replica-set",
    "Tidemark / Replica set",
    "Members, lag, oplog and elections of replica sets, and what replication works.",
    (FINE, MEMBERS_ROW, LAGS, OPLOG, ELECTIONS, WORK),
    (*SETS, MEMBERS, INSTANCE),
    (ALERT, ELECTION, RESTART),
)
