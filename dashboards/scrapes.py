"""The golden scrapes as series of promtool, as if Prometheus had scraped a set of three and a node agent for some hours."""

import re

import catalogue
import test_dashboards

MINUTES = 180
SCRAPES = ("archiving-with-history", "secondary", "secondary")
AGENT = "node-agent"
BOUNDS = ("0.1", "1", "10", "+Inf")


def target(index):
    return {"job": "db/tidemark", "namespace": "db", "cluster": "orders", "pod": f"orders-{index}", "instance": f"10.0.0.{index + 1}:9717"}


def lines(scrape):
    """(metric, labels) of a golden scrape; a member stands for all three."""
    text = (catalogue.REPOSITORY / f"sidecar/tests/golden/{scrape}.txt").read_text()
    for line in text.splitlines():
        name, kind, *labels = line.split(" ")
        if not re.match(r"tidemark_\w+$", name) or kind not in ("counter", "gauge", "histogram"):
            raise ValueError(f"{scrape}: {line}")
        labels = dict(label.split("=", 1) for label in labels)
        for member in members(labels):
            yield catalogue.metrics()[name], {label: f"mongo-{member}:27017" if value == "HOST:PORT" else value for label, value in labels.items()}


def members(labels):
    """Three that hold data, and a fourth where the scrape had an arbiter."""
    if "HOST:PORT" not in labels.values():
        return [0]
    return [3] if labels.get("arbiter") == "true" else range(3)


def rare():
    """What no golden scrape has at that moment, such as an initial sync, or what only a newer server says: as the primary would serve it."""
    values = {"replset": "golden", "member": "mongo-1:27017", "sync_source": "mongo-2:27017", "kind": "snapshot", "type": "read", "mode": "read",
              "reason": "max_time"}
    seen = {metric.name for scrape in SCRAPES for metric, _ in lines(scrape)}
    for metric in catalogue.metrics().values():
        if metric.served_by == catalogue.SIDECAR and metric.name not in seen:
            yield metric, {label: values.get(label, "some") for label in metric.labels}


def agent():
    """What a node agent serves: docs/slow-queries.md, with one value for each label."""
    values = {"db": "shop", "coll": "orders", "op": "find", "plan": "COLLSCAN", "flag": "sort_stage", "shape": "0123456789abcdef", "result": "parsed"}
    for metric in catalogue.metrics().values():
        if metric.served_by != catalogue.SIDECAR:
            pod = {"namespace": "db", "pod": "orders-0"} if metric.served_by == catalogue.POD_LOG else {"namespace": "kube-system"}
            yield metric, {**{label: values[label] for label in metric.labels}, "job": "tidemark-node", "instance": AGENT, **pod}


def series():
    """Entries for `input_series`: counters grow, free disk shrinks, anything else is 1."""
    found = {}
    for index, scrape in enumerate(SCRAPES):
        for metric, labels in lines(scrape):
            add(found, metric, {**target(index), **labels}, 1 if index == 0 else 2)
        found[written("up", target(index))] = f"1+0x{MINUTES}"
    for metric, labels in rare():
        add(found, metric, {**target(0), **labels}, 1)
    for metric, labels in agent():
        add(found, metric, labels, 1)
    return [{"series": name, "values": values} for name, values in found.items()]


def add(found, metric, labels, state):
    growing, constant = f"0+3000x{MINUTES}", f"{state if metric.name == 'tidemark_replset_self_state' else 1}+0x{MINUTES}"
    if metric.name == "tidemark_data_volume_free_bytes":
        constant = f"1000-1x{MINUTES}"
    if metric.kind == "histogram":
        bounds = test_dashboards.latency_bounds() if metric.name.startswith("tidemark_op_") else BOUNDS
        for bound in (*(bound if isinstance(bound, str) else f"{bound:g}" for bound in bounds), "+Inf"):
            found[written(f"{metric.name}_bucket", {**labels, "le": bound})] = growing
        found[written(f"{metric.name}_count", labels)] = found[written(f"{metric.name}_sum", labels)] = growing
    else:
        found[written(metric.name, labels)] = growing if metric.kind == "counter" else constant


def written(name, labels):
    return f"{name}{{{','.join(f'{label}={chr(34)}{value}{chr(34)}' for label, value in labels.items())}}}"
