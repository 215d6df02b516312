"""For developers and database administrators: is it slow, what is slow, why?"""

from model import Dashboard, Query, Row, Variable, graph, heatmap, limit, rising, stat, table
from source.shared import ALERT, BURN, BY_LOG, ELECTION, INSTANCE, LOG, POD, SETS, SET_OR_TARGET, TARGET, burn_queries, by_set

DB = Variable("db", "Database", "tidemark_slow_ops_total", empty="nothing was slow")
BOUND = limit("latency_bound")
NAMESPACE = f"{LOG} {{{{db}}}}.{{{{coll}}}}"
# The command around updates and deletes; each slow statement in it has a line of its own.
ONCE = '{op!="write_command"}'
NO_SLOW = "nothing was slow, or no node agent follows the logs"
RECENT = "8.0 and newer only"


def quantile(q, metric="tidemark_op_latency_seconds", types="read|write"):
    equal = "=~" if "|" in types else "="
    buckets = f'rate({metric}_bucket{{type{equal}"{types}"}}[$__rate_interval])'
    return f"histogram_quantile({q}, {by_set('sum', buckets, 'type', 'le')})"


def rate(metric, by="db, coll", matchers=ONCE):
    grouped = f"{BY_LOG}, {by}" if by else BY_LOG
    return f"sum by ({grouped}) (rate(tidemark_{metric}{matchers}[$__rate_interval]))"


def over_servers(metric, *labels):
    return by_set("sum", f"rate(tidemark_{metric}[$__rate_interval])", *labels)


def top(metric, by="db, coll", matchers=ONCE):
    return f"topk(10, {rate(metric, by, matchers)})"


SLOW_SHARE = (
    "1 - "
    + by_set("sum", f'rate(tidemark_op_latency_seconds_bucket{{type=~"read|write",le="{BOUND:g}"}}[$__rate_interval])')
    + f""" / ({by_set("sum", 'rate(tidemark_op_latency_seconds_count{type=~"read|write"}[$__rate_interval])')} > 0)"""
)
IDLE = "nobody reads or writes"

FINE = Row(
    "Is it fine?",
    (
        stat(
            f"Slower than {BOUND:g} s",
            "Share of all reads and writes, waiting included, from the histograms of the server: fast operations count as well. In the worst set.",
            f"max({SLOW_SHARE})",
            "percentunit",
            steps=rising(round(1 - limit("latency_objective"), 6), round(14.4 * (1 - limit("latency_objective")), 6)),
            alerts=("LatencyBudgetBurn",),
            decimals=2,
            empty=IDLE,
        ),
        stat("99th percentile", "Of reads and of writes, in the worst set.", ((f"max by (type) ({quantile(0.99)})", "{{type}}"),), "s", empty=IDLE),
        stat(
            "Documents read for each returned",
            "High: queries without a fitting index, also where none is slow enough for the log. In the worst set.",
            f"max({over_servers('docs_examined_total')} / clamp_min({over_servers('docs_returned_total')}, 1))",
            steps=rising(100, limit("scan_ratio")),
            alerts=("QueryScanRatioHigh",),
        ),
        stat(
            "Slow operations",
            "Per second, as the servers log them (slowms, sampleRate).",
            f"sum(rate(tidemark_slow_ops_total{ONCE}[$__rate_interval]))",
            "ops",
            unknown="none logged, or no agent",
            empty=NO_SLOW,
        ),
        stat(
            "Of these collection scans",
            "Share of slow operations that read a whole collection.",
            'sum(rate(tidemark_slow_ops_total{op!="write_command",plan="COLLSCAN"}[$__rate_interval])) / (sum(rate(tidemark_slow_ops_total{op!="write_command"}[$__rate_interval])) > 0)',
            "percentunit",
            unknown="none logged, or no agent",
            steps=rising(0.1, 0.5),
            alerts=("NewCollscan",),
            empty=NO_SLOW,
        ),
        stat(
            "Log that was not read",
            "Bytes of logs that were lost in the shown range. Above 0 the numbers of slow operations are too low.",
            "sum(increase(tidemark_log_lost_bytes_total[$__range]))",
            "bytes",
            steps=rising(1),
            unknown="no node agent",
            alerts=("LogTailLosing",),
        ),
    ),
)

ALL = Row(
    "All operations, from the server",
    (
        graph(
            "Latency of reads",
            "Of the reads at the chosen instances, by set.",
            tuple((quantile(q, types="read"), f"{SET_OR_TARGET} {name}") for q, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))),
            "s",
            empty=IDLE,
        ),
        graph(
            "Latency of writes",
            "Of the writes at the chosen instances, by set.",
            tuple((quantile(q, types="write"), f"{SET_OR_TARGET} {name}") for q, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))),
            "s",
            empty=IDLE,
        ),
        graph(
            "Latency of commands and transactions",
            "99th percentile.",
            ((quantile(0.99, types="command|transaction"), f"{SET_OR_TARGET} {{{{type}}}} 99 %"),),
            "s",
            empty="there are none",
        ),
        graph(
            f"Slower than {BOUND:g} s over time",
            "Share of reads and writes; the line is the objective.",
            ((SLOW_SHARE, SET_OR_TARGET),),
            "percentunit",
            steps=rising(round(1 - limit("latency_objective"), 6)),
            alerts=("LatencyBudgetBurn",),
            empty=IDLE,
        ),
        graph("Latency: burn rate", BURN, burn_queries("latency"), "none", steps=rising(6, 14.4), alerts=("LatencyBudgetBurn",)),
        graph(
            "Time at work",
            f"99th percentile without waiting for locks, tickets and write concern; {RECENT}. Far below the latency: operations wait.",
            ((quantile(0.99, "tidemark_op_working_seconds", "read|write|command"), f"{SET_OR_TARGET} {{{{type}}}} 99 %"),),
            "s",
            empty="the server is older than 8.0",
        ),
        heatmap(
            "Distribution of reads and writes",
            "How many took how long, at all chosen instances together.",
            (('sum by (le) (increase(tidemark_op_latency_seconds_bucket{type=~"read|write"}[$__rate_interval]))', "{{le}}"),),
            "s",
        ),
        graph(
            "Mean latency",
            "Seconds that operations took, divided by their number.",
            (
                (
                    f"{over_servers('op_latency_seconds_sum', 'type')} / ({over_servers('op_latency_seconds_count', 'type')} > 0)",
                    f"{SET_OR_TARGET} {{{{type}}}}",
                ),
            ),
            "s",
        ),
        graph(
            "Operations",
            "Per second, by kind.",
            ((over_servers("op_latency_seconds_count", "type"), f"{SET_OR_TARGET} {{{{type}}}}"),),
            "ops",
        ),
        graph(
            "Documents and keys",
            "Examined against returned.",
            (
                (over_servers("docs_examined_total"), f"{SET_OR_TARGET} documents examined"),
                (over_servers("keys_examined_total"), f"{SET_OR_TARGET} keys examined"),
                (over_servers("docs_returned_total"), f"{SET_OR_TARGET} documents returned"),
            ),
            "ops",
        ),
        graph(
            "Documents read for each returned, by instance",
            "By instance; the alert also asks for many documents per second.",
            (
                (
                    "rate(tidemark_docs_examined_total[$__rate_interval]) / clamp_min(rate(tidemark_docs_returned_total[$__rate_interval]), 1)",
                    TARGET,
                ),
            ),
            "short",
            steps=rising(limit("scan_ratio")),
            alerts=("QueryScanRatioHigh",),
        ),
        graph(
            "Collection scans and sorts",
            "Scans of whole collections (tailable cursors scan by nature), sorts without an index, sorts that spilled to disk (6.2 and newer).",
            (
                (over_servers("collscans_total", "kind"), f"{SET_OR_TARGET} scans: {{{{kind}}}}"),
                (over_servers("sort_in_memory_total"), f"{SET_OR_TARGET} sorts in memory"),
                (
                    over_servers("sort_spills_total"),
                    f"{SET_OR_TARGET} sorts that spilled",
                    None,
                    None,
                    (),
                    "the server is older than 6.2",
                ),
            ),
            "ops",
        ),
    ),
)

NOW = Row(
    "Under way now, from the server",
    (
        graph(
            "Oldest operation",
            "Of clients, by kind; 0 when there is none. It is in no slow log until it is done.",
            (("tidemark_current_op_longest_seconds", f"{TARGET} {{{{op}}}}"),),
            "s",
            steps=rising(limit("long_op_seconds")),
            alerts=("LongRunningOp",),
        ),
        graph(
            "Operations that run for long",
            "One runaway report, or hundreds of stalled requests?",
            ((by_set("sum", "tidemark_current_ops_over_threshold", "threshold"), f"{SET_OR_TARGET} {{{{threshold}}}} s and longer"),),
        ),
        graph(
            "Operations that wait",
            "For a lock: somebody holds it. For flow control: the majority is slow.",
            ((by_set("sum", "tidemark_current_ops_waiting", "reason"), f"{SET_OR_TARGET} {{{{reason}}}}"),),
        ),
        table(
            "Where they run",
            "Collections with operations of 10 seconds and longer.",
            {
                "Oldest": Query(
                    "max by (namespace, cluster, pod, instance, db, coll) (tidemark_current_op_namespace_longest_seconds)",
                    unit="s",
                    steps=rising(limit("long_op_seconds")),
                ),
                "Operations": Query(
                    "sum by (namespace, cluster, pod, instance, db, coll) (tidemark_current_ops_by_namespace)", unit="short"
                ),
            },
            width=12,
            alerts=("LongRunningOp",),
            empty="no operation takes 10 seconds",
        ),
        graph("Index builds", "Under way; they take cache and CPU.", (("tidemark_index_builds", TARGET),), width=6),
        graph(
            "Oldest index build",
            "One that waits for a member that is away never ends.",
            (("tidemark_index_build_longest_seconds", TARGET),),
            "s",
            width=6,
        ),
        graph(
            "Progress of index builds",
            "Of the phase: scanning the collection, then loading keys.",
            (("tidemark_index_build_progress_ratio", f"{TARGET} {{{{db}}}}.{{{{coll}}}}"),),
            "percentunit",
            empty="no index is built",
        ),
        graph(
            "What counts as slow",
            "Threshold of each server, as the sidecar read it.",
            (("tidemark_slow_op_threshold_seconds", TARGET),),
            "s",
        ),
        graph(
            "Share of slow operations that is logged",
            "Below 100 % the numbers from the logs are samples.",
            (("tidemark_slow_op_sample_ratio", TARGET),),
            "percentunit",
        ),
    ),
)

WAITS = (
    ("working", "at work (8.0 and newer)"),
    ("queued", "queued (8.0 and newer)"),
    ("lock_wait", "waiting for locks"),
    ("write_concern_wait", "waiting for write concern"),
    ("flow_control", "waiting for flow control"),
)
INSIDE = (("cpu", "CPU"), ("storage_read", "reading from storage"), ("planning", "planning"), ("remote_wait", "waiting for other servers"))

SLOW = Row(
    "Slow operations, from the logs",
    (
        graph(
            "Time by collection",
            "Seconds per second that slow operations took; the ten heaviest. 1: one operation is always under way.",
            ((top("slow_op_duration_seconds_sum"), NAMESPACE),),
            "none",
            stacked=True,
            empty=NO_SLOW,
        ),
        graph(
            "Number by collection",
            "Slow operations per second; the ten most.",
            ((top("slow_ops_total"), NAMESPACE),),
            "ops",
            stacked=True,
            empty=NO_SLOW,
        ),
        graph(
            "Number by plan",
            "COLLSCAN: a whole collection was read.",
            ((rate("slow_ops_total", "plan"), f"{LOG} {{{{plan}}}}"),),
            "ops",
            stacked=True,
            empty=NO_SLOW,
        ),
        graph(
            "Where the time went",
            "Seconds per second, waits stacked. The dashed line is all of the time; servers before 8.0 do not say how much of it was work.",
            (
                *((rate(f"slow_op_{part}_seconds_total", ""), f"{LOG} {name}") for part, name in WAITS),
                (rate("slow_op_duration_seconds_sum", ""), f"all of it {LOG}"),
            ),
            "none",
            width=12,
            stacked=True,
            dashed=("all of it",),
            empty=NO_SLOW,
        ),
        graph(
            "What the work was",
            "Parts of the time at work; they may overlap, so they are not stacked.",
            tuple((rate(f"slow_op_{part}_seconds_total", ""), f"{LOG} {name}") for part, name in INSIDE),
            "none",
            width=12,
            empty=NO_SLOW,
        ),
        graph(
            "95th percentile",
            "Duration of slow operations by kind.",
            (
                (
                    f"histogram_quantile(0.95, sum by ({BY_LOG}, op, le) (rate(tidemark_slow_op_duration_seconds_bucket{ONCE}[$__rate_interval])))",
                    f"{LOG} {{{{op}}}}",
                ),
            ),
            "s",
            empty=NO_SLOW,
        ),
        graph(
            "Collection scans in 15 minutes",
            "Slow ones, by collection. The alert wants that there were none the day before.",
            ((f'sum by ({BY_LOG}, db, coll) (increase(tidemark_slow_ops_total{{plan="COLLSCAN",op!="write_command"}}[15m]))', NAMESPACE),),
            "short",
            steps=rising(limit("collscans")),
            alerts=("NewCollscan",),
            empty="no slow operation scanned",
        ),
        graph(
            "Documents examined for each result",
            "By collection; the ten worst.",
            ((f"topk(10, {rate('slow_op_docs_examined_total')} / ({rate('slow_op_returned_total')} > 0))", NAMESPACE),),
            "short",
            empty=NO_SLOW,
        ),
        graph(
            "Keys examined",
            "Index keys per second; the ten most.",
            ((top("slow_op_keys_examined_total"), NAMESPACE),),
            "ops",
            empty=NO_SLOW,
        ),
        graph(
            "Read from storage", "Bytes per second; the ten most.", ((top("slow_op_read_bytes_total"), NAMESPACE),), "Bps", empty=NO_SLOW
        ),
        graph(
            "Size of responses",
            "Bytes per second; the ten most.",
            ((top("slow_op_response_bytes_total"), NAMESPACE),),
            "Bps",
            empty=NO_SLOW,
        ),
        graph(
            "What was noted",
            "Sorts without index, spills to disk, several plans tried, replanned, errors. An update counts again with the command around it.",
            ((rate("slow_op_flags_total", "flag", ""), f"{LOG} {{{{flag}}}}"),),
            "ops",
            empty=NO_SLOW,
        ),
        graph(
            "Conflicts and yields",
            "Write conflicts and yields of slow operations.",
            ((rate("slow_op_write_conflicts_total", ""), f"{LOG} write conflicts"), (rate("slow_op_yields_total", ""), f"{LOG} yields")),
            "ops",
            empty=NO_SLOW,
        ),
        graph(
            "Write conflicts of all operations",
            "Writes that were tried again.",
            (("rate(tidemark_write_conflicts_total[$__rate_interval])", TARGET),),
            "ops",
        ),
    ),
)


def per_shape(metric):
    return f"sum by ({BY_LOG}, shape, db, coll, op) (increase(tidemark_slow_shape_{metric}_total{ONCE}[$__range]))"


HEAVIEST = f"topk(25, {per_shape('seconds')})"

SHAPES = Row(
    "Query shapes",
    (
        table(
            "Heaviest shapes",
            "In the shown range. An example without values is at `/slow-queries` of the node agent (`curl 127.0.0.1:9717/slow-queries` on the node).",
            {
                "Time": Query(HEAVIEST, unit="s"),
                "Operations": Query(f"{per_shape('ops')} and {HEAVIEST}", unit="short"),
                "Mean": Query(f"{per_shape('seconds')} / ({per_shape('ops')} > 0) and {HEAVIEST}", unit="s"),
                "Documents for each result": Query(
                    f"{per_shape('docs_examined')} / ({per_shape('returned')} > 0) and {HEAVIEST}", unit="short"
                ),
            },
            height=11,
            decimals=2,
            empty=NO_SLOW,
        ),
        graph(
            "Time by shape",
            "Seconds per second; the ten heaviest.",
            ((top("slow_shape_seconds_total", "shape, db, coll, op"), f"{LOG} {{{{shape}}}} {{{{db}}}}.{{{{coll}}}} {{{{op}}}}"),),
            "none",
            width=12,
            stacked=True,
            empty=NO_SLOW,
        ),
        graph(
            "Time by shape against the day before",
            "Of the last hour, divided by the average of the day before it. Only shapes that take noticeable time.",
            (
                (
                    f'(sum by ({BY_LOG}, shape, db, coll) (increase(tidemark_slow_shape_seconds_total{{shape!="__other__"}}[1h])) / 3600 > {limit("shape_seconds"):g})'
                    f' / (sum by ({BY_LOG}, shape, db, coll) (increase(tidemark_slow_shape_seconds_total{{shape!="__other__"}}[1d] offset 1h)) / 86400 > 0)',
                    f"{LOG} {{{{shape}}}} {{{{db}}}}.{{{{coll}}}}",
                ),
            ),
            "none",
            width=12,
            steps=rising(limit("shape_factor")),
            alerts=("SlowShapeRegression",),
            empty="no shape takes much time, or a day has not passed",
        ),
    ),
)

HONEST = Row(
    "How whole these numbers are",
    (
        graph(
            "Lines of the logs",
            "By what became of them: `malformed`, `oversize` and `not_utf8` were not counted as operations.",
            ((f"sum by ({BY_LOG}, result) (rate(tidemark_log_lines_total[$__rate_interval]))", f"{LOG} {{{{result}}}}"),),
            "ops",
            empty=NO_SLOW,
        ),
        graph(
            "Counted as `__other__`",
            "Slow operations per second beyond the limits of collections and shapes.",
            (
                (rate("slow_namespaces_overflow_total", "", ""), f"{LOG} collections"),
                (rate("slow_shapes_overflow_total", "", ""), f"{LOG} shapes"),
            ),
            "ops",
            empty=NO_SLOW,
        ),
        graph(
            "Shapes",
            "Shapes with series of their own, and those that lost theirs; numbers of one that goes are dropped.",
            (
                ("sum by (namespace, cluster, pod) (tidemark_slow_shapes_tracked)", "{{namespace}} {{pod}} tracked"),
                (
                    "sum by (namespace, cluster, pod) (increase(tidemark_slow_shape_evictions_total[$__rate_interval]))",
                    "{{namespace}} {{pod}} shapes that went",
                ),
                (
                    "sum by (namespace, cluster, pod) (increase(tidemark_slow_namespace_evictions_total[$__rate_interval]))",
                    "{{namespace}} {{pod}} collections that went",
                ),
            ),
            empty=NO_SLOW,
        ),
    ),
)

DASHBOARD = Dashboard(
    "tidemark-slow-queries",
    "Tidemark / Slow queries",
    "Latency of all operations as the server counts it, and slow operations from its logs. The logs are known by namespace and pod, not by cluster.",
    (FINE, ALL, NOW, SLOW, SHAPES, HONEST),
    (*SETS, INSTANCE, POD, DB),
    (ALERT, ELECTION),
    within=("instance",),
)
