//! `WiredTiger`, queues and the process.

use super::{Metric, group};

const WIRED_TIGER: &str = "while the server is up and authorized and its storage engine is WiredTiger";
const UP: &str = "while the server is up and authorized";

group! {
    ENGINE, "Engine",
    "Storage engine, queues and memory.";
    WT_CACHE_BYTES = Metric::gauge("tidemark_wt_cache_bytes", "Bytes in the cache of WiredTiger.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.cache: bytes currently in the cache").why("beyond 80 % of the limit eviction starts");
    WT_CACHE_DIRTY_BYTES = Metric::gauge("tidemark_wt_cache_dirty_bytes", "Bytes in the cache that are not on disk yet.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.cache: tracked dirty bytes in the cache").why("beyond 20 % of the limit application threads must evict");
    WT_CACHE_UPDATES_BYTES = Metric::gauge("tidemark_wt_cache_updates_bytes", "Bytes in the cache that hold updates.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.cache: bytes allocated for updates").why("beyond 10 % of the limit application threads must evict");
    WT_CACHE_LIMIT_BYTES = Metric::gauge("tidemark_wt_cache_limit_bytes", "Bytes that the cache may hold.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.cache: maximum bytes configured").why("the limit of the three above");
    WT_CACHE_READ_BYTES_TOTAL = Metric::counter("tidemark_wt_cache_read_bytes_total", "Bytes read into the cache.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.cache: bytes read into cache").why("a working set that does not fit");
    WT_CACHE_WRITTEN_BYTES_TOTAL = Metric::counter("tidemark_wt_cache_written_bytes_total", "Bytes written from the cache.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.cache: bytes written from cache").why("write load of the disk");
    WT_EVICTIONS_TOTAL = Metric::counter("tidemark_wt_evictions_total", "Pages evicted from the cache, by threads of the server or of applications.")
        .by(&["by"])
        .when(WIRED_TIGER)
        .from("serverStatus.wiredTiger.cache: eviction server and worker threads evicting pages; pages evicted by application threads")
        .why("by application is a stall that users feel");
    WT_APP_EVICTION_SECONDS_TOTAL = Metric::counter("tidemark_wt_app_eviction_seconds_total", "Seconds that application threads spent evicting.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.thread-yield: application thread time evicting").why("how long they stalled");
    WT_APP_CACHE_WAIT_SECONDS_TOTAL = Metric::counter("tidemark_wt_app_cache_wait_seconds_total", "Seconds that application threads waited for room in the cache.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.thread-yield: application thread time waiting for cache").why("as above");
    WT_CHECKPOINT_LAST_SECONDS = Metric::gauge("tidemark_wt_checkpoint_last_seconds", "How many seconds the last checkpoint took.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.transaction: transaction checkpoint most recent time; from 8.0 on .checkpoint").why("beyond 60 s the disk cannot keep up");
    WT_CHECKPOINT_RUNNING = Metric::gauge("tidemark_wt_checkpoint_running", "1 while a checkpoint runs, else 0.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.transaction: transaction checkpoint currently running; from 8.0 on .checkpoint").why("explains bursts of I/O");
    WT_CHECKPOINTS_TOTAL = Metric::counter("tidemark_wt_checkpoints_total", "Checkpoints.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.transaction: transaction checkpoints; from 8.0 on .checkpoint").why("none for minutes: it hangs");
    WT_HISTORY_STORE_BYTES = Metric::gauge("tidemark_wt_history_store_bytes", "Bytes of old versions of documents on disk.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.cache: history store table on-disk size").why("grows while something pins old data");
    WT_OLDEST_PINNED_AGE_SECONDS = Metric::gauge("tidemark_wt_oldest_pinned_age_seconds", "How many seconds of history the oldest reader pins.")
        .when(WIRED_TIGER).from("serverStatus.wiredTiger.transaction: transaction range of timestamps currently pinned").why("long transactions, a majority that lags");
    TICKETS_LIMIT = Metric::gauge("tidemark_tickets_limit", "Operations that the storage engine lets in at once; from 7.0 on the server moves it by itself.")
        .by(&["mode"])
        .when(UP)
        .from("serverStatus.wiredTiger.concurrentTransactions.*.totalTickets; from 8.0 on queues.execution; mode: read, write")
        .why("the limit of those in use");
    TICKETS_IN_USE = Metric::gauge("tidemark_tickets_in_use", "Operations that are in the storage engine now.")
        .by(&["mode"])
        .when(UP)
        .from("serverStatus.wiredTiger.concurrentTransactions.*.out; from 8.0 on queues.execution")
        .why("all in use is normal from 7.0 on: look at the queue");
    TICKET_QUEUE_LENGTH = Metric::gauge("tidemark_ticket_queue_length", "Operations that wait for a ticket.")
        .by(&["mode"])
        .when("from 7.0 on")
        .from("serverStatus.wiredTiger.concurrentTransactions.*.normalPriority.queueLength; from 8.0 on queues.execution")
        .why("overload; slow operations by log do not see it from 8.0 on")
        .not_observed();
    TICKET_QUEUE_SECONDS_TOTAL = Metric::counter("tidemark_ticket_queue_seconds_total", "Seconds that operations waited for a ticket.")
        .by(&["mode"])
        .when("from 7.0 on")
        .from("serverStatus.wiredTiger.concurrentTransactions.*.normalPriority.totalTimeQueuedMicros; from 8.0 on queues.execution")
        .why("as above")
        .not_observed();
    GLOBAL_LOCK_QUEUE = Metric::gauge("tidemark_global_lock_queue", "Operations that wait for the global lock.")
        .by(&["mode"])
        .when(UP)
        .from("serverStatus.globalLock.currentQueue; mode: read, write")
        .why("overload on all versions");
    ACTIVE_CLIENTS = Metric::gauge("tidemark_active_clients", "Clients whose operation holds the global lock.")
        .by(&["mode"])
        .when(UP)
        .from("serverStatus.globalLock.activeClients; mode: read, write")
        .why("load");
    MEMORY_RESIDENT_BYTES = Metric::gauge("tidemark_memory_resident_bytes", "Resident memory of the mongod process in bytes, to the megabyte.")
        .when(UP).from("serverStatus.mem.resident").why("against the limit of its container");
    PAGE_FAULTS_TOTAL = Metric::counter("tidemark_page_faults_total", "Page faults of the mongod process that needed the disk.")
        .when(UP).from("serverStatus.extra_info.page_faults").why("memory that is missing");
}
