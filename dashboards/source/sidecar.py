"""The watchers themselves: can the other dashboards be believed?"""

from model import Dashboard, Query, Row, graph, limit, rising, stat, states, table
from source.shared import ALERT, BY_LOG, INSTANCE, LOG, SETS, SET_OR_TARGET, TARGET, YES_NO, by_set

SCRAPED = "up and on (job) group by (job) (last_over_time(tidemark_build_info[6h]))"
STALE = "(time() - tidemark_collector_last_success_timestamp_seconds) / tidemark_collector_interval_seconds"
COLLECTOR = f"{TARGET} {{{{collector}}}}"
NO_AGENT = "no node agent is scraped"
OF_AGENT = "{{instance}}"

FINE = Row(
    "Is it fine?",
    (
        stat(
            "Not scraped",
            "Sidecars and node agents that Prometheus knows and cannot scrape. Of jobs that have served Tidemark within six hours.",
            f"sum(({SCRAPED}) == bool 0)",
            steps=rising(red=1),
            unknown="nothing is scraped",
            alerts=("SidecarAbsent",),
        ),
        stat(
            "Refused by mongod",
            "Servers that answer but refuse the credentials of their sidecar.",
            "sum((tidemark_mongod_authorized == bool 0) and on (namespace, cluster, job, instance) (tidemark_mongod_up == 1) unless on (namespace, cluster, job, instance) (tidemark_replset_self_state == 7))",
            steps=rising(1),
            unknown="no server is up",
            alerts=("MongodAccessDenied",),
        ),
        stat(
            "Oldest collector",
            "Age of what a collector last read, in intervals; the worst.",
            f"max({STALE})",
            "none",
            steps=rising(3, limit("collector_intervals")),
            decimals=1,
            alerts=("CollectorStale",),
        ),
        stat(
            "Collectors that fail",
            "Whose last run did not succeed. One that fails leaves its metrics absent.",
            "sum(tidemark_collector_success == bool 0)",
            steps=rising(1),
            alerts=("CollectorStale",),
        ),
        stat(
            "Series left out",
            "In the shown range, because there were too many. What is left out is seen by nobody.",
            "sum(increase(tidemark_series_dropped_total[$__range]))",
            steps=rising(1),
            decimals=0,
            alerts=("SeriesCapHit",),
        ),
        stat(
            "Log behind",
            "Bytes of server logs that node agents have seen and not read yet; the worst agent.",
            "max(tidemark_log_lag_bytes)",
            "bytes",
            steps=rising(limit("log_lag_bytes") / 8, limit("log_lag_bytes")),
            unknown="no node agent",
            alerts=("LogTailLosing",),
            empty=NO_AGENT,
        ),
    ),
)

SIDECARS = Row(
    "Sidecars",
    (
        table(
            "What sidecars do and see",
            "One line for each.",
            {
                "mongod answers": Query("max by (namespace, cluster, pod, instance) (tidemark_mongod_up)", mappings=YES_NO),
                "Credentials accepted": Query(
                    "max by (namespace, cluster, pod, instance) (tidemark_mongod_authorized)", mappings=YES_NO, empty="no server is up"
                ),
                "Archive answers": Query(
                    "max by (namespace, cluster, pod, instance) (tidemark_repository_up)", mappings=YES_NO, empty="no archive was asked yet"
                ),
                "Archives": Query(
                    "max by (namespace, cluster, pod, instance) (tidemark_archiver_lease_held)",
                    mappings=((0, "stands by", "text"), (1, "archives", "green")),
                ),
                "Knows the backups": Query(
                    "max by (namespace, cluster, pod, instance) (tidemark_backup_catalog_loaded)",
                    mappings=((0, "no", "text"), (1, "yes", "green")),
                ),
                "Version": Query("max by (namespace, cluster, pod, instance, version) (tidemark_build_info)"),
            },
            hidden=("Version",),
            alerts=("MongodAccessDenied", "SidecarAbsent"),
        ),
        table(
            "What they back up",
            "Lineage of each replica set: a new one after a set was made anew.",
            {"Sidecars": Query("count by (namespace, cluster, replset, lineage) (tidemark_lineage_info)", empty="no archive is open")},
            width=12,
            height=6,
            alerts=("TargetNamesTwoSets",),
        ),
        states(
            "Scraped",
            "A gap: Prometheus does not know the target any more.",
            ((SCRAPED, "{{job}} {{pod}} {{instance}}"),),
            ((0, "NO", "red"), (1, "yes", "green")),
            width=12,
            height=6,
            alerts=("SidecarAbsent",),
        ),
    ),
)

COLLECTORS = Row(
    "Collectors",
    (
        table(
            "Each collector",
            "Each reads one part of the server in the background; a scrape serves the last complete snapshot.",
            {
                "Succeeds": Query("min by (collector, namespace, cluster, pod, instance) (tidemark_collector_success)", mappings=YES_NO),
                "Duration": Query("max by (collector, namespace, cluster, pod, instance) (tidemark_collector_duration_seconds)", unit="s"),
                "Age": Query(
                    "max by (collector, namespace, cluster, pod, instance) (time() - tidemark_collector_last_success_timestamp_seconds)",
                    unit="s",
                ),
                "Interval": Query("max by (collector, namespace, cluster, pod, instance) (tidemark_collector_interval_seconds)", unit="s"),
            },
            height=10,
            alerts=("CollectorStale",),
        ),
        graph(
            "Age in intervals",
            "Of what each collector last read.",
            ((STALE, COLLECTOR),),
            "none",
            steps=rising(limit("collector_intervals")),
            alerts=("CollectorStale",),
        ),
        graph("Duration", "Of the last run; grows when the server gets slow.", (("tidemark_collector_duration_seconds", COLLECTOR),), "s"),
        graph(
            "Commands to mongod",
            "What watching costs the server.",
            ((by_set("sum", "rate(tidemark_mongo_commands_total[$__rate_interval])", "command", "outcome"), f"{SET_OR_TARGET} {{{{command}}}} {{{{outcome}}}}"),),
            "ops",
        ),
        graph(
            "Failed commands",
            "Refused or unanswered.",
            (
                (
                    'sum by (namespace, cluster, pod, instance, command) (rate(tidemark_mongo_commands_total{outcome="failed"}[$__rate_interval]))',
                    f"{TARGET} {{{{command}}}}",
                ),
            ),
            "ops",
            alerts=("MongodAccessDenied",),
        ),
        graph(
            "Connections to mongod",
            "Held open by collectors; never more than 2.",
            (("tidemark_mongo_pool_connections", TARGET),),
            steps=rising(3),
        ),
        graph(
            "Series",
            "Kept; dashed: the limit.",
            (("tidemark_series_active", TARGET), ("tidemark_series_limit", f"limit {TARGET}")),
            dashed=("limit",),
            alerts=("SeriesCapHit",),
        ),
        graph(
            "Series left out by metric",
            "Because there were too many.",
            ((by_set("sum", "increase(tidemark_series_dropped_total[$__rate_interval])", "metric"), f"{SET_OR_TARGET} {{{{metric}}}}"),),
            bars=True,
            alerts=("SeriesCapHit",),
        ),
        graph(
            "Connections that were closed",
            "By the sidecar: too_many are open, or one did not take its answer (slow). Here 0 is good.",
            (("rate(tidemark_http_connections_closed_total[$__rate_interval])", f"{TARGET} {{{{reason}}}}"),),
            "cps",
        ),
        graph("Size of a scrape", "Of the answer before this one.", (("tidemark_scrape_bytes", TARGET),), "bytes"),
        graph(
            "Scrapes",
            "Answers per second; twice as many as expected: two Prometheus scrape it.",
            (("rate(tidemark_scrapes_total[$__rate_interval])", TARGET),),
            "reqps",
        ),
    ),
)

AGENTS = Row(
    "Node agents",
    (
        graph(
            "Behind",
            "Bytes that were seen and not read yet.",
            (("tidemark_log_lag_bytes", OF_AGENT),),
            "bytes",
            steps=rising(limit("log_lag_bytes")),
            alerts=("LogTailLosing",),
            empty=NO_AGENT,
        ),
        graph(
            "Lost",
            "Bytes that were seen and gone before they were read; and times that more may have been lost.",
            (
                Query("increase(tidemark_log_lost_bytes_total[$__rate_interval])", f"{OF_AGENT} bytes", "bytes"),
                Query("increase(tidemark_log_loss_uncertain_total[$__rate_interval])", f"{OF_AGENT} uncertain", "short"),
            ),
            "bytes",
            bars=True,
            alerts=("LogTailLosing",),
            empty=NO_AGENT,
        ),
        graph(
            "Read",
            "Bytes of logs per second.",
            (("rate(tidemark_log_read_bytes_total[$__rate_interval])", OF_AGENT),),
            "Bps",
            empty=NO_AGENT,
        ),
        graph(
            "Lines",
            "By what became of them.",
            ((f"sum by ({BY_LOG}, result) (rate(tidemark_log_lines_total[$__rate_interval]))", f"{LOG} {{{{result}}}}"),),
            "ops",
            empty=NO_AGENT,
        ),
        graph(
            "Troubles",
            "Failed reads, truncated logs, positions that could not be saved.",
            (
                ("increase(tidemark_log_read_errors_total[$__rate_interval])", f"{OF_AGENT} failed reads"),
                ("increase(tidemark_log_truncations_total[$__rate_interval])", f"{OF_AGENT} truncated"),
                ("increase(tidemark_log_position_save_failures_total[$__rate_interval])", f"{OF_AGENT} positions not saved"),
            ),
            bars=True,
            empty=NO_AGENT,
        ),
        graph(
            "Files",
            "Followed; beyond the limit; unreadable.",
            (
                ("tidemark_log_files", f"{OF_AGENT} followed"),
                ("tidemark_log_files_not_followed", f"{OF_AGENT} beyond the limit"),
                ("tidemark_log_files_unreadable", f"{OF_AGENT} unreadable"),
                ("1 - tidemark_log_root_readable", f"{OF_AGENT} no folder of logs"),
            ),
            alerts=("LogsNotFound",),
            empty=NO_AGENT,
        ),
        graph(
            "Last look",
            "Since the agent last looked through its logs; it does every second.",
            (("time() - tidemark_log_last_poll_timestamp_seconds", OF_AGENT),),
            "s",
            steps=rising(limit("log_poll_seconds")),
            alerts=("LogFollowerStalled",),
            empty=NO_AGENT,
        ),
        graph("Pods", "With numbers at each agent.", (("tidemark_agent_watched_pods", OF_AGENT),), empty=NO_AGENT),
        graph(
            "Series an agent left out",
            "Of its last answer.",
            (("tidemark_agent_series_dropped", OF_AGENT),),
            steps=rising(1),
            alerts=("SeriesCapHit",),
            empty=NO_AGENT,
        ),
    ),
)

NO_PROFILER = "no sidecar has --slow-profiler"

PROFILER = Row(
    "Database profiler",
    (
        graph(
            "Databases",
            "Whose profile is read, and those beyond the limit of 20.",
            (("tidemark_profiler_databases", f"{TARGET} read"), ("tidemark_profiler_databases_not_read", f"{TARGET} not read")),
            empty=NO_PROFILER,
        ),
        graph(
            "Entries read",
            "Of profiles, per second.",
            (("rate(tidemark_profiler_read_entries_total[$__rate_interval])", TARGET),),
            "ops",
            empty=NO_PROFILER,
        ),
        graph(
            "Entries lost",
            "Overwritten before they were read; and times that more may have been lost.",
            (
                ("increase(tidemark_profiler_lost_entries_total[$__rate_interval])", f"{TARGET} lost"),
                ("increase(tidemark_profiler_loss_uncertain_total[$__rate_interval])", f"{TARGET} uncertain"),
            ),
            bars=True,
            alerts=("LogTailLosing",),
            empty=NO_PROFILER,
        ),
    ),
)

DASHBOARD = Dashboard(
    "tidemark-sidecar",
    "Tidemark / Sidecar and node agent",
    "Whether what is shown elsewhere is current and whole, and what watching costs.",
    (FINE, SIDECARS, COLLECTORS, AGENTS, PROFILER),
    (*SETS, INSTANCE),
    (ALERT,),
    within=("instance",),
)
