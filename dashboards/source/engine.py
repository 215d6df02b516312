"""Engine and storage: is a server short of cache, tickets, connections or disk?"""

from model import Dashboard, Query, Row, falling, graph, limit, rising, stat, table
from source.shared import ALERT, BY_TARGET, ELECTION, INSTANCE, RESTART, SETS, SET_OR_TARGET, TARGET, by_set

NOT_WATCHED = "no sidecar has --data-path"
OLD_7 = "the server is older than 7.0"
DIRTY = "tidemark_wt_cache_dirty_bytes / tidemark_wt_cache_limit_bytes"
EVICTION = "rate(tidemark_wt_app_eviction_seconds_total[$__rate_interval])"
FREE = "tidemark_data_volume_free_bytes / tidemark_data_volume_size_bytes"
USED = f'sum by ({BY_TARGET}) (tidemark_connections{{state="current"}}) / sum by ({BY_TARGET}) (tidemark_connections{{state=~"current|available"}})'
FULL_IN = "tidemark_data_volume_free_bytes / (-1 * (deriv(tidemark_data_volume_free_bytes[6h]) < 0))"
TRIGGER = 0.1  # of updates in the cache; above it application threads evict


def rate(metric, legend=TARGET, empty=None):
    return Query(f"rate(tidemark_{metric}[$__rate_interval])", legend, empty=empty)


def value(metric, legend=TARGET, empty=None):
    return Query(f"tidemark_{metric}", legend, empty=empty)


def stored(metric):
    # Copies of a set hold the same databases: the largest copy, not their sum.
    return by_set("max", f"tidemark_db_{metric}", "db")


def largest(metric):
    return Query(f"topk(15, {stored(metric)})", f"{SET_OR_TARGET} {{{{db}}}}")


def per_second(metric, label, matchers=""):
    return Query(by_set("sum", f"rate(tidemark_{metric}{matchers}[$__rate_interval])", label), f"{SET_OR_TARGET} {{{{{label}}}}}")


FINE = Row(
    "Is it fine?",
    (
        stat(
            "Servers that are down",
            "mongod does not answer its sidecar.",
            "sum(tidemark_mongod_up == bool 0)",
            steps=rising(red=1),
            alerts=("MongodDown",),
        ),
        stat(
            "Dirty share of the cache",
            "From 20 % on application threads must write pages out: operations stall. The worst instance.",
            f"max({DIRTY})",
            "percentunit",
            steps=rising(0.1, limit("cache_dirty_ratio")),
            alerts=("CachePressure",),
            empty="the engine is not WiredTiger",
        ),
        stat(
            "Applications evict",
            "Share of a second that application threads spend evicting, summed over threads. The worst instance.",
            f"max({EVICTION})",
            "percentunit",
            steps=rising(limit("app_eviction_ratio")),
            alerts=("CachePressure",),
        ),
        stat(
            "Operations that wait",
            "In the queue of the global lock, over all chosen instances.",
            "sum(tidemark_global_lock_queue)",
            steps=rising(10, 100),
            alerts=("TicketQueueing",),
        ),
        stat(
            "Connections in use",
            "Share of the limit at the worst instance.",
            f"max({USED})",
            "percentunit",
            steps=rising(limit("connections_ratio"), 0.95),
            alerts=("ConnectionsHigh",),
        ),
        stat(
            "Least free disk",
            "Free share of the fullest volume.",
            f"min({FREE})",
            "percentunit",
            steps=falling(limit("disk_warning_ratio"), limit("disk_critical_ratio")),
            unknown="not watched",
            alerts=("DiskFilling",),
            empty=NOT_WATCHED,
        ),
    ),
)

CACHE = Row(
    "Cache",
    (
        graph(
            "Cache in use",
            "Share of the limit; eviction starts at 80 %.",
            (Query("tidemark_wt_cache_bytes / tidemark_wt_cache_limit_bytes", TARGET),),
            "percentunit",
            steps=rising(0.95),
        ),
        graph(
            "Dirty share",
            "Not on disk yet. From 20 % on application threads evict.",
            (Query(DIRTY, TARGET),),
            "percentunit",
            steps=rising(0.05, limit("cache_dirty_ratio")),
            alerts=("CachePressure",),
        ),
        graph(
            "Updates share",
            "From 10 % on application threads evict.",
            (Query("tidemark_wt_cache_updates_bytes / tidemark_wt_cache_limit_bytes", TARGET),),
            "percentunit",
            steps=rising(TRIGGER),
        ),
        graph(
            "Read into the cache, written from it",
            "Much reading: the working set does not fit.",
            (rate("wt_cache_read_bytes_total", f"{TARGET} read"), rate("wt_cache_written_bytes_total", f"{TARGET} written")),
            "Bps",
        ),
        graph(
            "Evictions",
            "Pages per second; by application: users wait for it.",
            (rate("wt_evictions_total", f"{TARGET} by {{{{by}}}}"),),
            "ops",
        ),
        graph(
            "Time that applications lose",
            "Share of a second, summed over threads: evicting, and waiting for room.",
            (Query(EVICTION, f"{TARGET} evicting"), rate("wt_app_cache_wait_seconds_total", f"{TARGET} waiting")),
            "percentunit",
            steps=rising(limit("app_eviction_ratio")),
            alerts=("CachePressure",),
        ),
        graph(
            "Checkpoints: duration",
            "Of the last one. Beyond 60 s the disk cannot keep up.",
            (value("wt_checkpoint_last_seconds"),),
            "s",
            steps=rising(60),
        ),
        graph(
            "Checkpoints",
            "Finished ones per second, and 1 while one runs. None for minutes: it hangs.",
            (rate("wt_checkpoints_total", f"{TARGET} per second"), Query("tidemark_wt_checkpoint_running", f"{TARGET} runs", "short")),
            "ops",
        ),
        graph(
            "History pinned",
            "Seconds of history that the oldest reader pins: long transactions, a majority that lags.",
            (value("wt_oldest_pinned_age_seconds"),),
            "s",
        ),
        graph(
            "History store",
            "Old versions of documents on disk; grows while something pins them.",
            (value("wt_history_store_bytes"),),
            "bytes",
        ),
        graph(
            "Memory",
            "Resident memory of mongod, and the limit of the cache.",
            (value("memory_resident_bytes"), value("wt_cache_limit_bytes", f"cache limit {TARGET}")),
            "bytes",
            dashed=("cache limit",),
        ),
        graph("Page faults", "That needed the disk.", (rate("page_faults_total"),), "ops"),
    ),
)

QUEUES = Row(
    "Queues, connections, transactions",
    (
        graph(
            "Tickets in use",
            "Operations in the engine; dashed: the limit, which the server moves from 7.0 on. All in use is normal then.",
            (value("tickets_in_use", f"{TARGET} {{{{mode}}}}"), value("tickets_limit", f"limit {TARGET} {{{{mode}}}}")),
            dashed=("limit",),
        ),
        graph(
            "Wait for a ticket",
            "Operations that wait (7.0 and newer).",
            (value("ticket_queue_length", f"{TARGET} {{{{mode}}}}"),),
            alerts=("TicketQueueing",),
            empty=OLD_7,
        ),
        graph(
            "Time waited for tickets",
            "Seconds per second over all operations (7.0 and newer).",
            (rate("ticket_queue_seconds_total", f"{TARGET} {{{{mode}}}}"),),
            "none",
            steps=rising(limit("ticket_wait_ratio")),
            alerts=("TicketQueueing",),
            empty=OLD_7,
        ),
        graph(
            "Wait for the global lock", "Operations that wait, on all versions.", (value("global_lock_queue", f"{TARGET} {{{{mode}}}}"),)
        ),
        graph("Active clients", "Clients whose operation holds the global lock.", (value("active_clients", f"{TARGET} {{{{mode}}}}"),)),
        graph(
            "Connections",
            "Current and active ones; dashed: how many more are possible.",
            (
                Query('tidemark_connections{state!="available"}', f"{TARGET} {{{{state}}}}"),
                Query('tidemark_connections{state="available"}', f"possible {TARGET}"),
            ),
            dashed=("possible",),
            alerts=("ConnectionsHigh",),
        ),
        graph(
            "New connections",
            "Per second; each costs a handshake.",
            (rate("connections_created_total"),),
            "ops",
            steps=rising(limit("connections_created_rate")),
            alerts=("ConnectionStorm",),
        ),
        graph(
            "Refused connections",
            "Because there were too many (6.3 and newer).",
            (rate("connections_rejected_total"),),
            "ops",
            alerts=("ConnectionsHigh",),
            empty="the server is older than 6.3",
        ),
        graph("Network", "Bytes that the server received and sent.", (rate("network_bytes_total", f"{TARGET} {{{{direction}}}}"),), "Bps"),
        graph("Requests", "Per second.", (rate("network_requests_total"),), "reqps"),
        graph("Open cursors", "Pinned ones are in use; many idle ones: a leak.", (value("cursors_open", f"{TARGET} {{{{kind}}}}"),)),
        graph("Cursors that timed out", "Clients that leave cursors open.", (rate("cursor_timeouts_total"),), "ops"),
        graph("Open transactions", "Inactive ones hold the cache.", (value("transactions_open", f"{TARGET} {{{{state}}}}"),)),
        graph("Transactions", "By what became of them.", (rate("transactions_total", f"{TARGET} {{{{outcome}}}}"),), "ops"),
        graph(
            "Operations ended early",
            "By reason (7.1 and newer): clients that give up.",
            (rate("killed_ops_total", f"{TARGET} {{{{reason}}}}"),),
            "ops",
            empty="the server is older than 7.1",
        ),
    ),
)

LOAD = Row(
    "Load",
    (
        graph(
            "Operations of clients",
            "By set and type, over the chosen instances.",
            (per_second("ops_total", "type", '{source="client"}'),),
            "ops",
            stacked=True,
        ),
        graph(
            "Operations by replication",
            "By set and type, over the chosen instances.",
            (per_second("ops_total", "type", '{source="replication"}'),),
            "ops",
            stacked=True,
        ),
        graph(
            "Documents",
            "By what was done with them.",
            (per_second("documents_total", "action"),),
            "ops",
        ),
        graph(
            "Assertions",
            "Errors by kind; `user`: errors that clients got.",
            (per_second("asserts_total", "kind"),),
            "ops",
        ),
        graph("Deleted by TTL indexes", "Documents per second.", (rate("ttl_deleted_total"),), "ops"),
        graph("Rounds of the TTL monitor", "None for hours: it does not get through.", (rate("ttl_passes_total"),), "ops"),
    ),
)

STORAGE = Row(
    "Storage",
    (
        graph(
            "Free disk",
            "Share of the volume, known also while the server is down.",
            (Query(FREE, f"{TARGET} {{{{volume}}}}"),),
            "percentunit",
            steps=falling(limit("disk_warning_ratio"), limit("disk_critical_ratio")),
            alerts=("DiskFilling",),
            empty=NOT_WATCHED,
        ),
        graph(
            "Disk",
            "Bytes that may still be filled; dashed: all of the volume.",
            (
                value("data_volume_free_bytes", f"{TARGET} {{{{volume}}}} free"),
                value("data_volume_size_bytes", f"size {TARGET} {{{{volume}}}}"),
            ),
            "bytes",
            dashed=("size",),
            alerts=("DiskFilling",),
            empty=NOT_WATCHED,
        ),
        graph(
            "Disk is full in",
            "If it goes on as in the last six hours; without a line nothing shrinks.",
            (Query(FULL_IN, f"{TARGET} {{{{volume}}}}"),),
            "s",
            steps=falling(limit("disk_horizon_seconds")),
            alerts=("DiskFilling",),
            empty="the free space does not shrink",
        ),
        graph(
            "Databases on disk",
            "Bytes of collections; the 15 largest over all chosen sets. `__other__`: those of a set beyond its largest.",
            (largest("storage_bytes"),),
            "bytes",
            stacked=True,
        ),
        graph(
            "Indexes on disk", "What should fit into memory.", (largest("index_bytes"),), "bytes", stacked=True
        ),
        graph("Documents stored", "By the metadata of the collections.", (largest("objects"),), stacked=True),
        table(
            "Databases",
            "The largest copy of each, by replica set: databases of one name in two sets are two.",
            {
                "Data": Query(stored("data_bytes"), unit="bytes"),
                "On disk": Query(stored("storage_bytes"), unit="bytes"),
                "Indexes": Query(stored("index_bytes"), unit="bytes"),
                "Collections": Query(stored("collections"), unit="short"),
                "Documents": Query(stored("objects"), unit="short"),
            },
            width=16,
        ),
        graph("Number of databases", "Growth without end: somebody creates one for each customer.", (value("databases"),)),
    ),
)

DASHBOARD = Dashboard(
    "tidemark-engine",
    "Tidemark / Engine and storage",
    "Cache, queues, connections, load and disk of each server.",
    (FINE, CACHE, QUEUES, LOAD, STORAGE),
    (*SETS, INSTANCE),
    (ALERT, ELECTION, RESTART),
    within=("instance",),
)
