//! The sidecar about itself.

use super::{Metric, group};

const ALWAYS: &str = "always, from the start";

group! {
    SIDECAR, "Sidecar",
    "How honest the rest is. `collector` is hello, replication, server_status, current_op, slow_threshold, profiler, oplog, databases, volume or archive.";
    BUILD_INFO = Metric::gauge("tidemark_build_info", "Always 1; the version of the sidecar is a label.")
        .by(&["version"]).when(ALWAYS).from("the build").why("drift in a fleet");
    COLLECTOR_SUCCESS = Metric::gauge("tidemark_collector_success", "1 when the last run of a collector succeeded, else 0.")
        .by(&["collector"]).when("after its first run; only for collectors that make sense beside this server").from("background collection").why("a part that fails is visible, and never fails a scrape");
    COLLECTOR_DURATION_SECONDS = Metric::gauge("tidemark_collector_duration_seconds", "How long the last run of a collector took, in seconds.")
        .by(&["collector"]).when("after its first run").from("background collection").why("a server that gets slow");
    COLLECTOR_LAST_SUCCESS_TIMESTAMP_SECONDS = Metric::gauge("tidemark_collector_last_success_timestamp_seconds", "When a collector last succeeded.")
        .by(&["collector"]).when("after its first success").from("background collection").why("the age of what a scrape serves");
    COLLECTOR_INTERVAL_SECONDS = Metric::gauge("tidemark_collector_interval_seconds", "How often a collector runs, in seconds.")
        .by(&["collector"]).when("after its first run").from("metrics_interval, storage_interval").why("the threshold of a stale collector");
    MONGO_COMMANDS_TOTAL = Metric::counter("tidemark_mongo_commands_total", "Commands that collectors sent to the server, by outcome.")
        .by(&["command", "outcome"]).when(ALWAYS).from("background collection; outcome: ok, failed").why("what watching costs the server");
    MONGO_POOL_CONNECTIONS = Metric::gauge("tidemark_mongo_pool_connections", "Connections that collectors hold open to the server.")
        .when(ALWAYS).from("events of the driver's pool").why("never more than 2");
    SERIES_ACTIVE = Metric::gauge("tidemark_series_active", "Series in the last snapshot of collected metrics.")
        .when(ALWAYS).from("background collection").why("cost of storing them");
    SERIES_LIMIT = Metric::gauge("tidemark_series_limit", "Series that are kept at most.")
        .when(ALWAYS).from("the build").why("the limit of tidemark_series_active");
    SERIES_DROPPED_TOTAL = Metric::counter("tidemark_series_dropped_total", "Series that were left out because there were too many, by metric.")
        .by(&["metric"]).when("from the start for metrics whose labels are not closed").from("background collection").why("what is shown is not all");
    SCRAPE_BYTES = Metric::gauge("tidemark_scrape_bytes", "Bytes of the answer to the scrape before this one.")
        .when("after the first scrape").from("/metrics").why("cost of scraping");
    SCRAPES_TOTAL = Metric::counter("tidemark_scrapes_total", "Scrapes that were answered.")
        .when(ALWAYS).from("/metrics").why("whether anybody watches");
    HTTP_CONNECTIONS_CLOSED_TOTAL = Metric::counter("tidemark_http_connections_closed_total", "Connections to the sidecar that it closed itself, by reason: too_many, slow.")
        .by(&["reason"]).when(ALWAYS).from("the listener").why("scrapers that do not read what they asked for, or are too many");
}
