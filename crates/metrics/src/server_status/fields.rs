//! The table: paths in the reply (the newest first), the metric, its labels, and the factor to its unit.

#[allow(clippy::wildcard_imports, reason = "names of metrics, most of them")]
use crate::catalogue::*;

pub(super) struct Field {
    /// Names divided by `/`, which stands in none of them.
    pub paths: &'static [&'static str],
    pub metric: &'static Metric,
    /// Without the name of the set, which comes first where the metric has it.
    pub labels: &'static [&'static str],
    pub scale: f64,
}

const fn field(paths: &'static [&'static str], metric: &'static Metric) -> Field {
    Field { paths, metric, labels: &[], scale: 1.0 }
}

impl Field {
    const fn label(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = labels;
        self
    }

    const fn times(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }
}

const MILLI: f64 = 1e-3;
const MICRO: f64 = 1e-6;
const MIB: f64 = 1_048_576.0;

pub(super) const FIELDS: &[Field] = &[
    field(&["uptimeMillis"], &MONGOD_UPTIME_SECONDS).times(MILLI),
    // Operations.
    field(&["opcounters/insert"], &OPS_TOTAL).label(&["insert", "client"]),
    field(&["opcounters/query"], &OPS_TOTAL).label(&["query", "client"]),
    field(&["opcounters/update"], &OPS_TOTAL).label(&["update", "client"]),
    field(&["opcounters/delete"], &OPS_TOTAL).label(&["delete", "client"]),
    field(&["opcounters/getmore"], &OPS_TOTAL).label(&["getmore", "client"]),
    field(&["opcounters/command"], &OPS_TOTAL).label(&["command", "client"]),
    field(&["opcountersRepl/insert"], &OPS_TOTAL).label(&["insert", "replication"]),
    field(&["opcountersRepl/update"], &OPS_TOTAL).label(&["update", "replication"]),
    field(&["opcountersRepl/delete"], &OPS_TOTAL).label(&["delete", "replication"]),
    field(&["opcountersRepl/command"], &OPS_TOTAL).label(&["command", "replication"]),
    field(&["metrics/document/inserted"], &DOCUMENTS_TOTAL).label(&["inserted"]),
    field(&["metrics/document/updated"], &DOCUMENTS_TOTAL).label(&["updated"]),
    field(&["metrics/document/deleted"], &DOCUMENTS_TOTAL).label(&["deleted"]),
    field(&["metrics/document/returned"], &DOCUMENTS_TOTAL).label(&["returned"]),
    field(&["metrics/document/returned"], &DOCS_RETURNED_TOTAL),
    field(&["metrics/queryExecutor/scannedObjects"], &DOCS_EXAMINED_TOTAL),
    field(&["metrics/queryExecutor/scanned"], &KEYS_EXAMINED_TOTAL),
    field(&["metrics/operation/scanAndOrder"], &SORT_IN_MEMORY_TOTAL),
    field(&["metrics/query/sort/spillToDisk"], &SORT_SPILLS_TOTAL),
    field(&["metrics/operation/writeConflicts"], &WRITE_CONFLICTS_TOTAL),
    field(&["asserts/regular"], &ASSERTS_TOTAL).label(&["regular"]),
    field(&["asserts/warning"], &ASSERTS_TOTAL).label(&["warning"]),
    field(&["asserts/msg"], &ASSERTS_TOTAL).label(&["msg"]),
    field(&["asserts/user"], &ASSERTS_TOTAL).label(&["user"]),
    field(&["asserts/tripwire"], &ASSERTS_TOTAL).label(&["tripwire"]),
    field(&["metrics/operation/killedDueToClientDisconnect"], &KILLED_OPS_TOTAL).label(&["client_disconnect"]),
    field(&["metrics/operation/killedDueToMaxTimeMSExpired"], &KILLED_OPS_TOTAL).label(&["max_time"]),
    field(&["metrics/cursor/timedOut"], &CURSOR_TIMEOUTS_TOTAL),
    field(&["metrics/ttl/deletedDocuments"], &TTL_DELETED_TOTAL),
    field(&["metrics/ttl/passes"], &TTL_PASSES_TOTAL),
    field(&["connections/current"], &CONNECTIONS).label(&["current"]),
    field(&["connections/available"], &CONNECTIONS).label(&["available"]),
    field(&["connections/active"], &CONNECTIONS).label(&["active"]),
    field(&["connections/totalCreated"], &CONNECTIONS_CREATED_TOTAL),
    field(&["connections/rejected"], &CONNECTIONS_REJECTED_TOTAL),
    field(&["network/bytesIn"], &NETWORK_BYTES_TOTAL).label(&["in"]),
    field(&["network/bytesOut"], &NETWORK_BYTES_TOTAL).label(&["out"]),
    field(&["network/numRequests"], &NETWORK_REQUESTS_TOTAL),
    field(&["transactions/totalStarted"], &TRANSACTIONS_TOTAL).label(&["started"]),
    field(&["transactions/totalCommitted"], &TRANSACTIONS_TOTAL).label(&["committed"]),
    field(&["transactions/totalAborted"], &TRANSACTIONS_TOTAL).label(&["aborted"]),
    field(&["transactions/currentActive"], &TRANSACTIONS_OPEN).label(&["active"]),
    field(&["transactions/currentInactive"], &TRANSACTIONS_OPEN).label(&["inactive"]),
    field(&["transactions/currentPrepared"], &TRANSACTIONS_OPEN).label(&["prepared"]),
    // Engine.
    field(&["wiredTiger/cache/bytes currently in the cache"], &WT_CACHE_BYTES),
    field(&["wiredTiger/cache/tracked dirty bytes in the cache"], &WT_CACHE_DIRTY_BYTES),
    field(&["wiredTiger/cache/bytes allocated for updates"], &WT_CACHE_UPDATES_BYTES),
    field(&["wiredTiger/cache/maximum bytes configured"], &WT_CACHE_LIMIT_BYTES),
    field(&["wiredTiger/cache/bytes read into cache"], &WT_CACHE_READ_BYTES_TOTAL),
    field(&["wiredTiger/cache/bytes written from cache"], &WT_CACHE_WRITTEN_BYTES_TOTAL),
    field(&["wiredTiger/cache/history store table on-disk size"], &WT_HISTORY_STORE_BYTES),
    field(
        &[
            "wiredTiger/thread-yield/application thread time evicting (usecs)",
            "wiredTiger/cache/application thread time evicting (usecs)",
        ],
        &WT_APP_EVICTION_SECONDS_TOTAL,
    )
    .times(MICRO),
    field(
        &["wiredTiger/thread-yield/application thread time waiting for cache (usecs)"],
        &WT_APP_CACHE_WAIT_SECONDS_TOTAL,
    )
    .times(MICRO),
    field(
        &[
            "wiredTiger/checkpoint/most recent time (msecs)",
            "wiredTiger/transaction/transaction checkpoint most recent time (msecs)",
        ],
        &WT_CHECKPOINT_LAST_SECONDS,
    )
    .times(MILLI),
    field(
        &[
            "wiredTiger/checkpoint/currently running",
            "wiredTiger/checkpoint/progress state",
            "wiredTiger/transaction/transaction checkpoint currently running",
        ],
        &WT_CHECKPOINT_RUNNING,
    ),
    field(
        &[
            "wiredTiger/checkpoint/number of checkpoints started by api",
            "wiredTiger/checkpoint/total succeed number of checkpoints",
            "wiredTiger/transaction/transaction checkpoints",
        ],
        &WT_CHECKPOINTS_TOTAL,
    ),
    field(
        &["queues/execution/read/totalTickets", "wiredTiger/concurrentTransactions/read/totalTickets"],
        &TICKETS_LIMIT,
    )
    .label(&["read"]),
    field(
        &["queues/execution/write/totalTickets", "wiredTiger/concurrentTransactions/write/totalTickets"],
        &TICKETS_LIMIT,
    )
    .label(&["write"]),
    field(&["queues/execution/read/out", "wiredTiger/concurrentTransactions/read/out"], &TICKETS_IN_USE)
        .label(&["read"]),
    field(&["queues/execution/write/out", "wiredTiger/concurrentTransactions/write/out"], &TICKETS_IN_USE)
        .label(&["write"]),
    field(
        &[
            "queues/execution/read/normalPriority/queueLength",
            "wiredTiger/concurrentTransactions/read/normalPriority/queueLength",
        ],
        &TICKET_QUEUE_LENGTH,
    )
    .label(&["read"]),
    field(
        &[
            "queues/execution/write/normalPriority/queueLength",
            "wiredTiger/concurrentTransactions/write/normalPriority/queueLength",
        ],
        &TICKET_QUEUE_LENGTH,
    )
    .label(&["write"]),
    field(
        &[
            "queues/execution/read/normalPriority/totalTimeQueuedMicros",
            "wiredTiger/concurrentTransactions/read/normalPriority/totalTimeQueuedMicros",
        ],
        &TICKET_QUEUE_SECONDS_TOTAL,
    )
    .label(&["read"])
    .times(MICRO),
    field(
        &[
            "queues/execution/write/normalPriority/totalTimeQueuedMicros",
            "wiredTiger/concurrentTransactions/write/normalPriority/totalTimeQueuedMicros",
        ],
        &TICKET_QUEUE_SECONDS_TOTAL,
    )
    .label(&["write"])
    .times(MICRO),
    field(&["globalLock/currentQueue/readers"], &GLOBAL_LOCK_QUEUE).label(&["read"]),
    field(&["globalLock/currentQueue/writers"], &GLOBAL_LOCK_QUEUE).label(&["write"]),
    field(&["globalLock/activeClients/readers"], &ACTIVE_CLIENTS).label(&["read"]),
    field(&["globalLock/activeClients/writers"], &ACTIVE_CLIENTS).label(&["write"]),
    field(&["mem/resident"], &MEMORY_RESIDENT_BYTES).times(MIB),
    field(&["extra_info/page_faults"], &PAGE_FAULTS_TOTAL),
];

/// Only where the server is a member of a set.
pub(super) const REPLICATION_FIELDS: &[Field] = &[
    field(&["electionMetrics/stepUpCmd/called"], &REPLSET_ELECTIONS_CALLED_TOTAL).label(&["step_up"]),
    field(&["electionMetrics/priorityTakeover/called"], &REPLSET_ELECTIONS_CALLED_TOTAL).label(&["priority_takeover"]),
    field(&["electionMetrics/catchUpTakeover/called"], &REPLSET_ELECTIONS_CALLED_TOTAL).label(&["catch_up_takeover"]),
    field(&["electionMetrics/electionTimeout/called"], &REPLSET_ELECTIONS_CALLED_TOTAL).label(&["election_timeout"]),
    field(&["electionMetrics/freezeTimeout/called"], &REPLSET_ELECTIONS_CALLED_TOTAL).label(&["freeze_timeout"]),
    field(&["electionMetrics/stepUpCmd/successful"], &REPLSET_ELECTIONS_SUCCEEDED_TOTAL).label(&["step_up"]),
    field(&["electionMetrics/priorityTakeover/successful"], &REPLSET_ELECTIONS_SUCCEEDED_TOTAL)
        .label(&["priority_takeover"]),
    field(&["electionMetrics/catchUpTakeover/successful"], &REPLSET_ELECTIONS_SUCCEEDED_TOTAL)
        .label(&["catch_up_takeover"]),
    field(&["electionMetrics/electionTimeout/successful"], &REPLSET_ELECTIONS_SUCCEEDED_TOTAL)
        .label(&["election_timeout"]),
    field(&["electionMetrics/freezeTimeout/successful"], &REPLSET_ELECTIONS_SUCCEEDED_TOTAL).label(&["freeze_timeout"]),
    field(&["metrics/repl/initialSync/failedAttempts"], &REPLSET_INITIAL_SYNC_FAILED_ATTEMPTS_TOTAL),
    field(&["metrics/repl/apply/ops"], &REPL_APPLY_OPS_TOTAL),
    field(&["metrics/repl/apply/batches/num"], &REPL_APPLY_BATCHES_TOTAL),
    field(&["metrics/repl/apply/batches/totalMillis"], &REPL_APPLY_SECONDS_TOTAL).times(MILLI),
    field(&["metrics/repl/network/bytes"], &REPL_NETWORK_BYTES_TOTAL),
    field(&["metrics/repl/buffer/apply/sizeBytes", "metrics/repl/buffer/sizeBytes"], &REPL_BUFFER_BYTES)
        .label(&["apply"]),
    field(&["metrics/repl/buffer/write/sizeBytes"], &REPL_BUFFER_BYTES).label(&["write"]),
    field(&["metrics/repl/buffer/apply/maxSizeBytes", "metrics/repl/buffer/maxSizeBytes"], &REPL_BUFFER_LIMIT_BYTES)
        .label(&["apply"]),
    field(&["metrics/repl/buffer/write/maxSizeBytes"], &REPL_BUFFER_LIMIT_BYTES).label(&["write"]),
    field(&["metrics/repl/buffer/apply/count", "metrics/repl/buffer/count"], &REPL_BUFFER_ENTRIES).label(&["apply"]),
    field(&["metrics/repl/buffer/write/count"], &REPL_BUFFER_ENTRIES).label(&["write"]),
    field(&["flowControl/isLagged"], &FLOW_CONTROL_LAGGED),
    field(&["flowControl/isLaggedTimeMicros"], &FLOW_CONTROL_LAGGED_SECONDS_TOTAL).times(MICRO),
    field(&["flowControl/timeAcquiringMicros"], &FLOW_CONTROL_WAIT_SECONDS_TOTAL).times(MICRO),
    field(&["flowControl/targetRateLimit"], &FLOW_CONTROL_TARGET_RATE),
    field(&["oplogTruncation/oplogMinRetentionHours"], &OPLOG_MIN_RETENTION_SECONDS).times(3600.0),
];
