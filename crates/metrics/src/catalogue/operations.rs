//! What the server does for its clients, all operations and not only the slow ones.

use super::{Metric, group};

const UP: &str = "while the server is up and authorized";

group! {
    OPERATIONS, "Operations",
    "Counters go on over a restart of the server: the sidecar adds what the process before had counted.";
    OP_LATENCY_SECONDS = Metric::histogram(
        "tidemark_op_latency_seconds",
        "Latency of all operations in seconds, waiting included; type is read, write, command or transaction.")
        .by(&["type"])
        .when(UP)
        .from("serverStatus.opLatencies with histograms, re-cut to fixed bounds; an operation is never counted as faster than it was")
        .why("the denominator of a latency objective: it knows fast operations, too");
    OP_WORKING_SECONDS = Metric::histogram(
        "tidemark_op_working_seconds",
        "Time that operations worked, without waiting for locks, tickets and write concern, in seconds.")
        .by(&["type"])
        .when("from 8.0 on")
        .from("serverStatus.opWorkingTime")
        .why("from 8.0 on slow operations are found by it")
        .not_observed();
    OPS_TOTAL = Metric::counter("tidemark_ops_total", "Operations; those that came by replication have source replication, the others client.")
        .by(&["type", "source"])
        .when(UP)
        .from("serverStatus.opcounters, opcountersRepl; type: insert, query, update, delete, getmore, command")
        .why("load");
    DOCUMENTS_TOTAL = Metric::counter("tidemark_documents_total", "Documents that operations inserted, updated, deleted or returned.")
        .by(&["action"])
        .when(UP)
        .from("serverStatus.metrics.document; action: inserted, updated, deleted, returned")
        .why("load");
    DOCS_EXAMINED_TOTAL = Metric::counter("tidemark_docs_examined_total", "Documents that queries looked at.")
        .when(UP).from("serverStatus.metrics.queryExecutor.scannedObjects").why("against tidemark_docs_returned_total: missing indexes, without any profiler");
    KEYS_EXAMINED_TOTAL = Metric::counter("tidemark_keys_examined_total", "Index keys that queries looked at.")
        .when(UP).from("serverStatus.metrics.queryExecutor.scanned").why("as the documents");
    DOCS_RETURNED_TOTAL = Metric::counter("tidemark_docs_returned_total", "Documents that queries returned.")
        .when(UP).from("serverStatus.metrics.document.returned").why("the other half of the ratio");
    COLLSCANS_TOTAL = Metric::counter("tidemark_collscans_total", "Scans of whole collections; tailable cursors scan by nature.")
        .by(&["kind"])
        .when(UP)
        .from("serverStatus.metrics.queryExecutor.collectionScans; kind: tailable, nontailable")
        .why("a trend even when each scan is fast");
    SORT_IN_MEMORY_TOTAL = Metric::counter("tidemark_sort_in_memory_total", "Queries that had to sort without an index.")
        .when(UP).from("serverStatus.metrics.operation.scanAndOrder").why("missing indexes");
    SORT_SPILLS_TOTAL = Metric::counter("tidemark_sort_spills_total", "Sorts that spilled to disk.")
        .when("from 6.2 on").from("serverStatus.metrics.query.sort.spillToDisk").why("sorts beyond memory").not_observed();
    WRITE_CONFLICTS_TOTAL = Metric::counter("tidemark_write_conflicts_total", "Writes that were tried again because another one changed the same document.")
        .when(UP).from("serverStatus.metrics.operation.writeConflicts").why("contention");
    ASSERTS_TOTAL = Metric::counter("tidemark_asserts_total", "Assertions of the server by kind; user ones are errors that clients got.")
        .by(&["kind"])
        .when(UP)
        .from("serverStatus.asserts; kind: regular, warning, msg, user, tripwire")
        .why("errors");
    KILLED_OPS_TOTAL = Metric::counter("tidemark_killed_ops_total", "Operations that the server ended early, by reason.")
        .by(&["reason"])
        .when("from 7.1 on")
        .from("serverStatus.metrics.operation.killedDueToClientDisconnect, killedDueToMaxTimeMSExpired; reason: client_disconnect, max_time")
        .why("clients that give up")
        .not_observed();
    CURSOR_TIMEOUTS_TOTAL = Metric::counter("tidemark_cursor_timeouts_total", "Cursors that the server closed because nobody used them.")
        .when(UP).from("serverStatus.metrics.cursor.timedOut").why("clients that leak cursors");
    CURSORS_OPEN = Metric::gauge("tidemark_cursors_open", "Open cursors; pinned ones are in use at this moment.")
        .by(&["kind"])
        .when(UP)
        .from("serverStatus.metrics.cursor.open; kind: pinned, idle")
        .why("leaks");
    TTL_DELETED_TOTAL = Metric::counter("tidemark_ttl_deleted_total", "Documents that TTL indexes deleted.")
        .when(UP).from("serverStatus.metrics.ttl.deletedDocuments").why("bursts of deletes");
    TTL_PASSES_TOTAL = Metric::counter("tidemark_ttl_passes_total", "Rounds of the TTL monitor.")
        .when(UP).from("serverStatus.metrics.ttl.passes").why("0 for hours: it does not get through");
    CONNECTIONS = Metric::gauge("tidemark_connections", "Connections: current ones, those still available, and current ones that work at this moment.")
        .by(&["state"])
        .when(UP)
        .from("serverStatus.connections; state: current, available, active")
        .why("current / (current + available) near 1 refuses clients");
    CONNECTIONS_CREATED_TOTAL = Metric::counter("tidemark_connections_created_total", "Connections that clients opened.")
        .when(UP).from("serverStatus.connections.totalCreated").why("its rate is a connection storm");
    CONNECTIONS_REJECTED_TOTAL = Metric::counter("tidemark_connections_rejected_total", "Connections that the server refused because there were too many.")
        .when("from 6.3 on").from("serverStatus.connections.rejected").why("clients were refused").not_observed();
    NETWORK_BYTES_TOTAL = Metric::counter("tidemark_network_bytes_total", "Bytes that the server received (in) and sent (out).")
        .by(&["direction"])
        .when(UP)
        .from("serverStatus.network.bytesIn, bytesOut")
        .why("load");
    NETWORK_REQUESTS_TOTAL = Metric::counter("tidemark_network_requests_total", "Requests that the server received.")
        .when(UP).from("serverStatus.network.numRequests").why("load");
    TRANSACTIONS_TOTAL = Metric::counter("tidemark_transactions_total", "Transactions by what became of them.")
        .by(&["outcome"])
        .when(UP)
        .from("serverStatus.transactions; outcome: started, committed, aborted")
        .why("aborts");
    TRANSACTIONS_OPEN = Metric::gauge("tidemark_transactions_open", "Transactions that are open; active ones run a statement, prepared ones wait for their coordinator.")
        .by(&["state"])
        .when(UP)
        .from("serverStatus.transactions currentActive, currentInactive, currentPrepared; state: active, inactive, prepared")
        .why("inactive ones hold the cache");
}
