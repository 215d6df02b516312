//! The replica set as the member beside the sidecar sees it, and its oplog.

use super::{Metric, group};

const MEMBER: &[&str] = &["replset", "member"];
const REPLSET: &[&str] = &["replset"];
const IN_A_SET: &str = "beside a member of an initiated set that may be asked";

group! {
    REPLICATION, "Replication",
    "As the member beside the sidecar sees the set: aggregate over all sidecars of a set, never by pod. \
     `member` is host:port from the configuration.";
    REPLSET_SELF_STATE = Metric::gauge(
        "tidemark_replset_self_state",
        "State of the member beside this sidecar as a number: 1 primary, 2 secondary, 3 recovering, 5 startup2, 7 arbiter, 9 rollback, 10 removed.")
        .by(REPLSET)
        .when("beside a member of an initiated set, an arbiter included")
        .from("replSetGetStatus.myState; beside an arbiter hello")
        .why("joins `only on the primary` to what every member reports");
    REPLSET_MEMBER_INFO = Metric::gauge(
        "tidemark_replset_member_info",
        "Always 1; what the configuration says about a member is in the labels.")
        .by(&["replset", "member", "hidden", "arbiter", "priority_zero", "votes", "delay_seconds"])
        .when(IN_A_SET)
        .from("replSetGetConfig.config.members")
        .why("lets rules leave out arbiters, hidden and delayed members; changes only by a reconfiguration");
    REPLSET_MEMBER_STATE = Metric::gauge(
        "tidemark_replset_member_state",
        "State of a member as a number, as in tidemark_replset_self_state; 6 unknown, 8 down.")
        .by(MEMBER)
        .when(IN_A_SET)
        .from("replSetGetStatus.members.state")
        .why("a number and not a label: a change of state makes no new series");
    REPLSET_MEMBER_HEALTH = Metric::gauge(
        "tidemark_replset_member_health",
        "1 while the member answers the heartbeats of the member beside this sidecar, else 0.")
        .by(MEMBER)
        .when(IN_A_SET)
        .from("replSetGetStatus.members.health")
        .why("one observer that sees 0 is a network, two are a dead member");
    REPLSET_HAS_PRIMARY = Metric::gauge(
        "tidemark_replset_has_primary",
        "1 while the member beside this sidecar knows a primary, else 0.")
        .by(REPLSET)
        .when("beside a member of an initiated set, an arbiter included")
        .from("replSetGetStatus.members.state; beside an arbiter hello")
        .why("nobody can write without one; independent of lag");
    REPLSET_MEMBER_LAG_SECONDS = Metric::gauge(
        "tidemark_replset_member_lag_seconds",
        "How many seconds the member has applied less than the primary, by wall clock of the entries; never below 0.")
        .by(MEMBER)
        .when("while there is a primary, for which it is 0; not for arbiters and members that are down, starting or being synchronised")
        .from("replSetGetStatus.members.lastAppliedWallTime, in milliseconds; optimeDate before 4.4")
        .why("replication lag as the server measures it");
    REPLSET_MEMBER_EXCESS_LAG_SECONDS = Metric::gauge(
        "tidemark_replset_member_excess_lag_seconds",
        "Lag beyond the delay that is configured for the member, in seconds; never below 0.")
        .by(MEMBER)
        .when("as tidemark_replset_member_lag_seconds")
        .from("lag minus replSetGetConfig.config.members.secondaryDelaySecs (slaveDelay before 5.0)")
        .why("the one to alert on: a delayed member is not lagging");
    REPLSET_MEMBER_DURABLE_LAG_SECONDS = Metric::gauge(
        "tidemark_replset_member_durable_lag_seconds",
        "How many seconds the member has journaled less than the primary has applied; never below 0.")
        .by(MEMBER)
        .when("as tidemark_replset_member_lag_seconds")
        .from("replSetGetStatus.members.lastDurableWallTime")
        .why("a slow journal shows here, slow applying in the lag");
    REPLSET_MEMBER_WRITTEN_LAG_SECONDS = Metric::gauge(
        "tidemark_replset_member_written_lag_seconds",
        "How many seconds the member has written to its oplog less than the primary has applied; never below 0.")
        .by(MEMBER)
        .when("as tidemark_replset_member_lag_seconds, from 8.0 on")
        .from("replSetGetStatus.members.lastWrittenWallTime, optimeWrittenDate")
        .why("from 8.0 on writing the oplog and applying it are two steps")
        .not_observed();
    REPLSET_MAJORITY_COMMIT_LAG_SECONDS = Metric::gauge(
        "tidemark_replset_majority_commit_lag_seconds",
        "How many seconds the majority commit point is behind what this member has applied; never below 0.")
        .by(REPLSET)
        .when("beside a primary or secondary")
        .from("replSetGetStatus.optimes lastAppliedWallTime minus lastCommittedWallTime")
        .why("writes with w:majority wait for it, and nothing beyond it is archived; look at it on the primary");
    REPLSET_MEMBER_LAST_HEARTBEAT_TIMESTAMP_SECONDS = Metric::gauge(
        "tidemark_replset_member_last_heartbeat_timestamp_seconds",
        "When the last heartbeat of another member was answered.")
        .by(MEMBER)
        .when("for each other member, once one was answered")
        .from("replSetGetStatus.members.lastHeartbeat")
        .why("which pair of members cannot talk");
    REPLSET_MEMBER_PING_SECONDS = Metric::gauge(
        "tidemark_replset_member_ping_seconds",
        "Round trip of a heartbeat to another member, in seconds.")
        .by(MEMBER)
        .when("for each other member that is healthy")
        .from("replSetGetStatus.members.pingMs")
        .why("network between members");
    REPLSET_SYNC_SOURCE_INFO = Metric::gauge(
        "tidemark_replset_sync_source_info",
        "Always 1; the member from which the one beside this sidecar replicates is a label.")
        .by(&["replset", "sync_source"])
        .when("while the member replicates from another one")
        .from("replSetGetStatus.syncSourceHost")
        .why("chains, and who suffers from a slow one");
    REPLSET_SYNC_SOURCE_CHANGES_TOTAL = Metric::counter(
        "tidemark_replset_sync_source_changes_total",
        "How often the member beside this sidecar was seen to replicate from another one than before.")
        .by(REPLSET)
        .when(IN_A_SET)
        .from("differences between two looks at replSetGetStatus.syncSourceHost")
        .why("a source that flaps");
    REPLSET_TERM = Metric::gauge("tidemark_replset_term", "Number of the current election term.")
        .by(REPLSET)
        .when(IN_A_SET)
        .from("replSetGetStatus.term")
        .why("changes() of it counts elections as everybody sees them, and survives a failover");
    REPLSET_ELECTIONS_CALLED_TOTAL = Metric::counter(
        "tidemark_replset_elections_called_total",
        "Elections that the member beside this sidecar has called, by reason.")
        .by(&["replset", "reason"])
        .when(IN_A_SET)
        .from("serverStatus.electionMetrics.*.called; reasons: step_up, priority_takeover, catch_up_takeover, election_timeout, freeze_timeout")
        .why("who disturbs the set");
    REPLSET_ELECTIONS_SUCCEEDED_TOTAL = Metric::counter(
        "tidemark_replset_elections_succeeded_total",
        "Elections that the member beside this sidecar has won, by reason.")
        .by(&["replset", "reason"])
        .when(IN_A_SET)
        .from("serverStatus.electionMetrics.*.successful")
        .why("flapping: the sum over all members is the number of failovers");
    REPLSET_ELECTION_LAST_TIMESTAMP_SECONDS = Metric::gauge(
        "tidemark_replset_election_last_timestamp_seconds",
        "When the current primary was elected.")
        .by(REPLSET)
        .when("while there is a primary")
        .from("replSetGetStatus.members.electionDate of the primary")
        .why("how long the primary has been one");
    REPLSET_CONFIG_VERSION = Metric::gauge(
        "tidemark_replset_config_version",
        "Version of the configuration that the member beside this sidecar has.")
        .by(REPLSET)
        .when(IN_A_SET)
        .from("replSetGetConfig.config.version")
        .why("a member with another version than the rest is cut off");
    REPLSET_CONFIG_TERM = Metric::gauge(
        "tidemark_replset_config_term",
        "Term of the configuration that the member beside this sidecar has.")
        .by(REPLSET)
        .when(IN_A_SET)
        .from("replSetGetConfig.config.term")
        .why("as the version");
    REPLSET_INITIAL_SYNC_RUNNING = Metric::gauge(
        "tidemark_replset_initial_sync_running",
        "1 while the member beside this sidecar copies all data from another one, else 0.")
        .by(REPLSET)
        .when(IN_A_SET)
        .from("replSetGetStatus.initialSyncStatus, state STARTUP2")
        .why("lag and recovery mean something else meanwhile");
    REPLSET_INITIAL_SYNC_PROGRESS_RATIO = Metric::gauge(
        "tidemark_replset_initial_sync_progress_ratio",
        "Share of the data that the initial sync has copied, 0 to 1.")
        .by(REPLSET)
        .when("while an initial sync runs and its size is known")
        .from("replSetGetStatus.initialSyncStatus approxTotalBytesCopied / approxTotalDataSize")
        .why("whether it gets anywhere");
    REPLSET_INITIAL_SYNC_ELAPSED_SECONDS = Metric::gauge(
        "tidemark_replset_initial_sync_elapsed_seconds",
        "Seconds since the initial sync started.")
        .by(REPLSET)
        .when("while an initial sync runs")
        .from("replSetGetStatus.initialSyncStatus.totalInitialSyncElapsedMillis, else initialSyncStart")
        .why("one that outlasts the oplog window starts again");
    REPLSET_INITIAL_SYNC_FAILED_ATTEMPTS_TOTAL = Metric::counter(
        "tidemark_replset_initial_sync_failed_attempts_total",
        "Attempts at an initial sync that failed, since the mongod process started.")
        .by(REPLSET)
        .when(IN_A_SET)
        .from("serverStatus.metrics.repl.initialSync.failedAttempts")
        .why("window of the source, its disk, the network");
    REPLSET_ROLLBACKS_TOTAL = Metric::counter(
        "tidemark_replset_rollbacks_total",
        "Rollbacks of the member beside this sidecar since its last initial sync: writes that were undone.")
        .by(REPLSET)
        .when(IN_A_SET)
        .from("serverStatus.repl.rbid, which starts at 1")
        .why("writes that were acknowledged without a majority were lost");
    REPL_APPLY_OPS_TOTAL = Metric::counter("tidemark_repl_apply_ops_total", "Oplog entries that the member applied.")
        .when(IN_A_SET).from("serverStatus.metrics.repl.apply.ops").why("speed of a secondary");
    REPL_APPLY_BATCHES_TOTAL = Metric::counter("tidemark_repl_apply_batches_total", "Batches of oplog entries that the member applied.")
        .when(IN_A_SET).from("serverStatus.metrics.repl.apply.batches.num").why("size of batches");
    REPL_APPLY_SECONDS_TOTAL = Metric::counter("tidemark_repl_apply_seconds_total", "Seconds that the member spent applying oplog entries.")
        .when(IN_A_SET).from("serverStatus.metrics.repl.apply.batches.totalMillis").why("near 1 s per second the member cannot keep up");
    REPL_NETWORK_BYTES_TOTAL = Metric::counter("tidemark_repl_network_bytes_total", "Bytes of oplog that the member read from its source.")
        .when(IN_A_SET).from("serverStatus.metrics.repl.network.bytes").why("growth of the oplog, network");
    REPL_BUFFER_BYTES = Metric::gauge("tidemark_repl_buffer_bytes", "Bytes of oplog entries that wait in a buffer of the member.")
        .by(&["buffer"])
        .when(IN_A_SET)
        .from("serverStatus.metrics.repl.buffer.sizeBytes (apply); from 8.0 on .buffer.apply, .buffer.write")
        .why("full when the member cannot apply what it reads");
    REPL_BUFFER_LIMIT_BYTES = Metric::gauge("tidemark_repl_buffer_limit_bytes", "Bytes that a buffer of the member may hold.")
        .by(&["buffer"])
        .when(IN_A_SET)
        .from("serverStatus.metrics.repl.buffer.maxSizeBytes and as above")
        .why("the limit of tidemark_repl_buffer_bytes");
    REPL_BUFFER_ENTRIES = Metric::gauge("tidemark_repl_buffer_entries", "Oplog entries that wait in a buffer of the member.")
        .by(&["buffer"])
        .when(IN_A_SET)
        .from("serverStatus.metrics.repl.buffer.count and as above")
        .why("as the bytes");
    FLOW_CONTROL_LAGGED = Metric::gauge("tidemark_flow_control_lagged", "1 while the primary slows writes down for a majority that lags, else 0.")
        .when(IN_A_SET).from("serverStatus.flowControl.isLagged").why("writers are slow on purpose");
    FLOW_CONTROL_LAGGED_SECONDS_TOTAL = Metric::counter("tidemark_flow_control_lagged_seconds_total", "Seconds during which flow control found the majority lagging.")
        .when(IN_A_SET).from("serverStatus.flowControl.isLaggedTimeMicros").why("its rate is the share of time; look at it on the primary");
    FLOW_CONTROL_WAIT_SECONDS_TOTAL = Metric::counter("tidemark_flow_control_wait_seconds_total", "Seconds that operations waited for flow control.")
        .when(IN_A_SET).from("serverStatus.flowControl.timeAcquiringMicros").why("what it costs");
    FLOW_CONTROL_TARGET_RATE = Metric::gauge("tidemark_flow_control_target_rate", "Operations per second that flow control lets through.")
        .when(IN_A_SET).from("serverStatus.flowControl.targetRateLimit").why("how hard it brakes");
}

group! {
    OPLOG, "Oplog",
    "The member's own oplog. A window means something only once the oplog is nearly full: `size / max >= 0.95`.";
    OPLOG_FIRST_TIMESTAMP_SECONDS = Metric::gauge("tidemark_oplog_first_timestamp_seconds", "Cluster time of the oldest entry in the oplog.")
        .by(REPLSET)
        .when("beside a member that holds data")
        .from("serverStatus.oplog.earliestOptime")
        .why("first and last instead of head and tail, which tools use in both directions");
    OPLOG_LAST_TIMESTAMP_SECONDS = Metric::gauge("tidemark_oplog_last_timestamp_seconds", "Cluster time of the newest entry in the oplog.")
        .by(REPLSET)
        .when("beside a member that holds data")
        .from("serverStatus.oplog.latestOptime")
        .why("last minus first is the window: how long a member may be away");
    OPLOG_SIZE_BYTES = Metric::gauge("tidemark_oplog_size_bytes", "Plain bytes of the entries in the oplog.")
        .by(REPLSET)
        .when("beside a member that holds data, after the first slow look")
        .from("$collStats of local.oplog.rs: storageStats.size")
        .why("whether the oplog is full yet");
    OPLOG_MAX_BYTES = Metric::gauge("tidemark_oplog_max_bytes", "Bytes that the oplog may grow to.")
        .by(REPLSET)
        .when("beside a member that holds data, after the first slow look")
        .from("$collStats of local.oplog.rs: storageStats.maxSize")
        .why("as the size");
    OPLOG_MIN_RETENTION_SECONDS = Metric::gauge("tidemark_oplog_min_retention_seconds", "Seconds for which the server keeps oplog entries whatever their size.")
        .by(REPLSET)
        .when("when a retention is configured")
        .from("serverStatus.oplogTruncation.oplogMinRetentionHours")
        .why("the window that is promised");
}
