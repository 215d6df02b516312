"""From an expression as sources write it to one that Grafana sends: recordings replaced, variables of the dashboard added."""

import re

import catalogue
import promql

# Labels of a set. Every metric of a sidecar has the first two through its target; a set is narrowed by the third where there is one.
SET = ("namespace", "cluster", "replset")
RANGE_VARIABLES = ("$__rate_interval", "$__range", "$__interval")


def expanded(text):
    """Recordings replaced with what they record, so that panels need no rules; `slo:` ones stay."""

    def expression(match):
        if match[0] not in catalogue.recordings():
            raise promql.PromqlError(f"{match[0]} is recorded nowhere")
        if text[match.end():match.end() + 1] == "[":
            raise promql.PromqlError(f"{match[0]} cannot have a range: it is replaced with its expression")
        return f"({expanded(catalogue.recordings()[match[0]])})"

    return re.sub(r"\btidemark:[\w:]+", expression, text)


def narrowed_by(series, given, variables, within):
    """(label, `$variable`) that a selector of this series is narrowed by; `given` are its own matchers as text."""
    if series == "up":
        wanted = ("job",)
    elif series == "ALERTS":
        wanted = () if 'alertname="TidemarkWatchdog"' in given else ("namespace", "cluster")
    elif series.startswith("slo:"):
        wanted = SET
    else:
        metric = catalogue.metric_of(series)
        if metric is None:
            raise promql.PromqlError(f"{series} is in no catalogue")
        wanted = {
            # Of the agent's own pod, in a namespace of its own.
            catalogue.AGENT: ("job",),
            # An agent knows namespaces and pods, but no clusters.
            catalogue.POD_LOG: ("job", "namespace", "pod", *(label for label in ("db",) if label in metric.labels)),
            catalogue.SIDECAR: ("job", "namespace", "cluster", *(label for label in ("replset",) if label in metric.labels),
                                *(label for label in within if label == "instance" or label in metric.labels)),
        }[metric.served_by]
    return [(label, f"${label}") for label in wanted if label in variables and not re.search(rf"\b{label}\s*[=!]", given)]


def rendered(text, variables, within=()):
    return promql.rewrite(expanded(text), lambda series, given: narrowed_by(series, given, variables, within))


def substituted(text, values, interval, window):
    """Variables replaced: `values` by name, any other with `.*`."""
    for variable in RANGE_VARIABLES:
        text = text.replace(variable, window if variable == "$__range" else interval)
    return re.sub(r"\$(\w+)", lambda match: values.get(match[1], ".*"), text)
