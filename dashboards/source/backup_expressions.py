"""What the rows about backups ask in the same way: figures of the sidecar that archives, by replica set."""

from model import limit
from source.shared import BY_SET, JOINED, KNOWN, NOBODY, SET, UNLISTED, WINDOW, judged, unlisted_or

BY_KIND = f"{BY_SET}, kind"
KIND = f"{SET} {{{{kind}}}}"
NO_SNAPSHOT = "there is no snapshot yet"
NO_DRILL = "no drill was stored yet"
NO_GAP = "there is no gap"
IDLE = "no backup runs"


def newest(metric, by=BY_SET, matchers=""):
    return f"max by ({by}) (tidemark_{metric}{matchers})"


def age(metric, by=BY_SET, matchers=""):
    return f"time() - {newest(metric, by, matchers)}"


def of_set(metric):
    return f"sum by ({BY_SET}) (rate(tidemark_{metric}[$__rate_interval]) {JOINED})"


def events(metric):
    return f"sum by ({BY_SET}) (increase(tidemark_{metric}[$__rate_interval]) {JOINED})"


SNAPSHOTS_ONLY = '{kind="snapshot"}'
VERDICTS = newest("restore_drill_last_verdict", BY_SET, '{verdict=~"fail|inconclusive"}')
FAILED_DRILL = judged(f"max({VERDICTS})", "> 0", f"{KNOWN} unless {VERDICTS}")
DURATION = newest("restore_drill_last_duration_seconds")
OBJECTIVE = newest("rto_target_seconds")
RECOVERY_TIME = judged(f"max({DURATION} / {OBJECTIVE})", "> 1", unlisted_or(f"{OBJECTIVE} unless {DURATION}"))
PROMISED = newest("pitr_window_target_seconds")
WINDOW_SHARE = judged(f"min({WINDOW} / {PROMISED})", f"< {limit('window_short_ratio'):g}", UNLISTED)
SHORTEST_WINDOW = judged(f"min({WINDOW})", "== 0", UNLISTED)
GAPS = judged(f"sum({newest('archive_gaps')})", "> 0", UNLISTED)
# A sidecar that stands by has not looked: it says 0, as one does that looked and found all.
SHORTFALL = judged(f"max(tidemark_archive_shortfall {JOINED})", "> 0", NOBODY)
SHORTFALL_BY_KIND = (
    f"max by ({BY_SET}, kind) (tidemark_archive_shortfall {JOINED}) == 1"
    f" or max by ({BY_SET}, kind) ((tidemark_archive_shortfall and on (namespace, cluster, job, instance) (tidemark_archiver_lease_held == 1)) {JOINED})"
)
