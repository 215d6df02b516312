"""What docs/metrics.md and docs/slow-queries.md say about the metrics, and the recording rules and parameters of alerts/.

Panels rest on the same definitions as alerts: thresholds come from alerts/source/parameters.yaml, and a name such as
`tidemark:archive_lag_seconds:max` in a panel is replaced with its expression in alerts/generated/rules.yaml.
"""

import dataclasses
import functools
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent
REPOSITORY = ROOT.parent

try:
    import yaml
except ModuleNotFoundError:
    # So that scripts and tests need no environment of their own.
    found = subprocess.run([REPOSITORY / "scripts/fetch-pyyaml.sh"], stdout=subprocess.PIPE, text=True, check=True)
    sys.path.append(found.stdout.split("\n")[-2])
    import yaml

# Given by the scrape (docs: alerts/README.md), whatever the metric.
TARGET_LABELS = ("job", "instance", "namespace", "cluster", "pod")
SIDECAR, POD_LOG, AGENT = "sidecar", "pod log", "agent"


@dataclasses.dataclass(frozen=True)
class Metric:
    name: str
    kind: str  # counter, gauge or histogram
    labels: tuple[str, ...]
    unit: str  # seconds, bytes, instant (seconds since 1970), ratio or empty
    # Who serves it: SIDECAR with the labels of its target, POD_LOG with namespace and pod of the log, AGENT of a node.
    served_by: str


@functools.cache
def metrics():
    """Name -> Metric of everything that is served."""
    found = {}
    for head, kind, unit in re.findall(r"^### `([^`]+)`\n\n(counter|gauge|histogram)(?:, ([^.]+))?\. ", page("metrics.md"), re.M):
        name, _, labels = head.rstrip("}").partition("{")
        unit = {"seconds since 1970": "instant", "0 to 1": "ratio"}.get(unit, unit)
        found[name] = Metric(name, kind, tuple(labels.split(", ")) if labels else (), unit, SIDECAR)
    for name, kind, labels in re.findall(r"^\| `(tidemark_\w+)` \| (\w+) \|([^|]*)\|", page("slow-queries.md"), re.M):
        served_by = AGENT if "—" in labels or name == "tidemark_build_info" else POD_LOG
        endings = {"instant": "_timestamp_seconds", "seconds": "_seconds(_total)?", "bytes": "_bytes(_total)?"}
        unit = next((unit for unit, ending in endings.items() if re.search(rf"{ending}$", name)), "")
        # Both serve tidemark_build_info; as of the sidecar it has labels of its target like any other.
        found.setdefault(name, Metric(name, kind, tuple(re.findall(r"`(\w+)`", labels)), unit, served_by))
    return found


def page(name):
    return (REPOSITORY / "docs" / name).read_text()


def metric_of(series):
    """The metric that a series name belongs to: that of a histogram without its suffix; None when it is not ours."""
    known = metrics()
    if series in known:
        return known[series]
    base = re.sub(r"_(bucket|sum|count)$", "", series)
    return known[base] if base in known and known[base].kind == "histogram" else None


@functools.cache
def recordings():
    """Recorded name -> expression. Those of service levels (`slo:`) look back for days, so panels read what was recorded."""
    groups = yaml.safe_load((REPOSITORY / "alerts/generated/rules.yaml").read_text())["groups"]
    return {rule["record"]: rule["expr"] for group in groups for rule in group["rules"] if "record" in rule}


@functools.cache
def alerts():
    """Alert -> uid of the dashboard that its annotation links to."""
    groups = yaml.safe_load((REPOSITORY / "alerts/generated/rules.yaml").read_text())["groups"]
    rules = (rule for group in groups for rule in group["rules"] if "alert" in rule)
    return {rule["alert"]: rule["annotations"]["dashboard_url"].partition("?")[0].rpartition("/")[2] for rule in rules}


@functools.cache
def parameters():
    source = yaml.safe_load((REPOSITORY / "alerts/source/parameters.yaml").read_text())
    return {name: entry["value"] for name, entry in source.items()}


def limit(name):
    """A threshold of the alerts as a number."""
    return float(parameters()[name])
