//! What the server does at this moment, and from when on it calls an operation slow.

use super::{Metric, group};

const READ: &str = "while the server holds data and the user may see all operations (`inprog`, part of clusterMonitor)";

group! {
    CURRENT, "Operations under way",
    "One look at `$currentOp` per `metrics_interval` (per six of them at index builds); the server filters and adds up. Counted are operations of clients. Not counted: the sidecar's and \
     `dr-cli`'s own (by application name `tidemark…`), members of the set among themselves, `hello`, tailable cursors and with them change streams, what reads or \
     writes `local`, idle connections, idle cursors, transactions between two statements (`tidemark_transactions_open` has them), and index builds, which have metrics \
     of their own. `op` is find, getmore, aggregate, distinct, count, insert, update, delete, findandmodify or command.";
    CURRENT_OP_LONGEST_SECONDS = Metric::gauge(
        "tidemark_current_op_longest_seconds",
        "How long the oldest operation of a client has been running, in seconds; 0 when there is none of its kind.")
        .by(&["op"]).when(READ).from("$currentOp microsecs_running").why("what runs is in no slow log until it is done");
    CURRENT_OPS_OVER_THRESHOLD = Metric::gauge(
        "tidemark_current_ops_over_threshold",
        "Operations of clients that have been running for `threshold` seconds or longer.")
        .by(&["op", "threshold"]).when(READ).from("$currentOp microsecs_running; threshold: 1, 10, 60, 600").why("one runaway report or hundreds of stalled requests");
    CURRENT_OP_NAMESPACE_LONGEST_SECONDS = Metric::gauge(
        "tidemark_current_op_namespace_longest_seconds",
        "How long the oldest operation on a collection has been running, in seconds, for those that took 10 seconds or longer.")
        .by(&["db", "coll"]).when("as above, while there are such operations: the ten collections with the oldest ones, the others as __other__").from("$currentOp ns, microsecs_running").why("where to look");
    CURRENT_OPS_BY_NAMESPACE = Metric::gauge(
        "tidemark_current_ops_by_namespace",
        "Operations on a collection that have been running for 10 seconds or longer.")
        .by(&["db", "coll"]).when("as tidemark_current_op_namespace_longest_seconds").from("$currentOp ns").why("where to look");
    CURRENT_OPS_WAITING = Metric::gauge(
        "tidemark_current_ops_waiting",
        "Operations of clients that wait at this moment, by what they wait for.")
        .by(&["reason"]).when(READ).from("$currentOp waitingForLock, waitingForFlowControl; reason: lock, flow_control").why("somebody holds a lock, or the majority is slow");
    INDEX_BUILDS = Metric::gauge("tidemark_index_builds", "Index builds under way.")
        .when(READ).from("$currentOp, operations of IndexBuildsCoordinator").why("they take cache and CPU for hours, and explain slow operations");
    INDEX_BUILD_LONGEST_SECONDS = Metric::gauge(
        "tidemark_index_build_longest_seconds",
        "How long the oldest index build has been running, in seconds; 0 when there is none.")
        .when(READ).from("$currentOp microsecs_running").why("a build that waits for a member that is away never ends");
    INDEX_BUILD_PROGRESS_RATIO = Metric::gauge(
        "tidemark_index_build_progress_ratio",
        "How much of its phase (scanning the collection, then loading keys) the index build of a collection has done, 0 to 1; of several the one furthest back.")
        .by(&["db", "coll"]).when("while an index build tells its progress: at most ten collections").from("$currentOp progress.done, progress.total").why("does it get on");
    SLOW_OP_THRESHOLD_SECONDS = Metric::gauge(
        "tidemark_slow_op_threshold_seconds",
        "Operations that take longer than this many seconds are logged as slow.")
        .when("once it was read: at the start of the server and every minute").from("profile -1, slowms").why("numbers of slow operations mean nothing without it");
    SLOW_OP_SAMPLE_RATIO = Metric::gauge("tidemark_slow_op_sample_ratio", "Share of slow operations that are logged, 0 to 1.")
        .when("as tidemark_slow_op_threshold_seconds").from("profile -1, sampleRate").why("as the threshold");
}

const PROFILING: &str = "with --slow-profiler";

group! {
    PROFILER, "The database profiler",
    "With `--slow-profiler` the sidecar reads `system.profile` and serves the families of [slow-queries.md](slow-queries.md), too.";
    PROFILER_DATABASES = Metric::gauge("tidemark_profiler_databases", "Databases whose profile is read.")
        .when(PROFILING).from("profile -1 of each database").why("0: nothing is profiled, and nothing is counted");
    PROFILER_DATABASES_NOT_READ = Metric::gauge("tidemark_profiler_databases_not_read", "Databases with a profile beyond the limit of 20: nobody reads it.")
        .when(PROFILING).from("profile -1 of each database").why("what is counted is not all");
    PROFILER_READ_ENTRIES_TOTAL = Metric::counter("tidemark_profiler_read_entries_total", "Entries of profiles that were read.")
        .when(PROFILING).from("system.profile").why("cost");
    PROFILER_LOST_ENTRIES_TOTAL = Metric::counter("tidemark_profiler_lost_entries_total", "Entries of profiles that were overwritten before they were read, by their numbers.")
        .when(PROFILING).from("record ids of system.profile, which have no gaps").why("what is counted is not all: a larger system.profile, or a higher threshold");
    PROFILER_LOSS_UNCERTAIN_TOTAL = Metric::counter("tidemark_profiler_loss_uncertain_total", "Times that a profile was made anew, which may have held entries that nobody read.")
        .when(PROFILING).from("record ids of system.profile that begin again").why("what is counted is not all");
}
