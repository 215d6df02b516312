#!/usr/bin/env python3
"""Renders alerts/source/ into rules for Prometheus.

render.py            writes alerts/generated/rules.yaml and prometheusrule.yaml
render.py --check    fails when these are not what the source says
render.py --scale 60 --set NAME=VALUE  prints rules with shorter times (for tests) on stdout
"""

import argparse
import math
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parent
GENERATED = ROOT / "generated"
HEADER = "# Generated from alerts/source/ by alerts/render.py. Do not edit.\n"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
ANNOTATIONS = ("summary", "description", "impact")
# Opens the dashboard at the set that the alert is about; what an alert does not have stays as the dashboard has it.
DASHBOARD_VARIABLES = "?orgId=1" + "".join(
    f"{{{{ with $labels.{label} }}}}&var-{label}={{{{ . | urlquery }}}}{{{{ end }}}}"
    for label in ("namespace", "cluster", "replset")
)
SEVERITIES = ("critical", "warning", "info", "none")


class SourceError(Exception):
    """The source cannot be rendered; the message names the rule."""


def load(path):
    return yaml.safe_load(path.read_text())


def parameters(overrides=()):
    """Name -> text of every parameter. Overrides are `NAME=VALUE`; an unknown name is an error."""
    values = {name: str(entry["value"]) for name, entry in load(ROOT / "source/parameters.yaml").items()}
    for override in overrides:
        name, found, value = override.partition("=")
        if not found or name not in values:
            raise SourceError(f"--set {override}: no such parameter; known are {', '.join(sorted(values))}")
        values[name] = value
    return values


def fill(text, values, where):
    """`${name}` becomes the parameter's value."""

    def value(match):
        if match[1] not in values:
            raise SourceError(f"{where}: unknown parameter ${{{match[1]}}}")
        return values[match[1]]

    return re.sub(r"\$\{(\w+)\}", value, text)


def seconds(duration):
    parts = re.fullmatch(r"(\d+)([smhdw])", duration)
    if not parts:
        raise SourceError(f"`{duration}` is not a duration such as 5m")
    return int(parts[1]) * UNITS[parts[2]]


class Scale:
    """Times divided by a factor. Ranges stay long enough to hold some scrapes."""

    def __init__(self, factor, floor):
        self.factor, self.floor = factor, floor

    def wait(self, duration):
        return duration if self.factor == 1 else f"{math.ceil(seconds(duration) / self.factor)}s"

    def window(self, duration):
        if self.factor == 1:
            return duration
        return f"{max(self.floor, math.ceil(seconds(duration) / self.factor))}s"

    def expression(self, text):
        text = re.sub(r"\[(\d+[smhdw])\]", lambda match: f"[{self.window(match[1])}]", text)
        return re.sub(r"\boffset (\d+[smhdw])\b", lambda match: f"offset {self.window(match[1])}", text)


def alert_rule(source, values, scale):
    name = source["alert"]
    if source["severity"] not in SEVERITIES:
        raise SourceError(f"{name}: severity {source['severity']}")
    rule = {"alert": name, "expr": scale.expression(fill(source["expr"], values, name)).strip()}
    for key in ("for", "keep_firing_for"):
        if key in source:
            rule[key] = scale.wait(source[key])
    rule["labels"] = {"severity": source["severity"], "product": "tidemark", **source.get("labels", {})}
    annotations = {key: fill(source[key], values, name) for key in ANNOTATIONS}
    if "{{" in annotations["summary"]:
        raise SourceError(f"{name}: the summary has a variable, which breaks grouping of notifications")
    annotations["runbook_url"] = f"{values['runbook_base']}/{name}.md"
    annotations["dashboard_url"] = f"{values['dashboard_base']}/{source['dashboard']}{DASHBOARD_VARIABLES}"
    rule["annotations"] = annotations
    return rule


def burn_rates(source, values, scale):
    """Recording rules for every window, then the alerts of the window table."""
    recorded, alerts = [], []
    windows = sorted({row[end] for row in source["windows"] for end in ("long", "short")}, key=seconds)
    for slo in source["slos"]:
        name = slo["name"]
        objective = fill(slo["objective"], values, name)
        for window in windows:
            ratio = fill(slo["error_ratio"], {**values, "window": window}, name)
            expr = f"(\n{ratio.strip()}\n) / (1 - {objective})"
            recorded.append({"record": f"slo:tidemark_{name}:burnrate{window}", "expr": scale.expression(expr)})
        for row in source["windows"]:
            long, short = (f"slo:tidemark_{name}:burnrate{row[end]}" for end in ("long", "short"))
            rule = {key: slo[key] for key in ("alert", "summary", "description", "impact", "dashboard")}
            rule |= {"severity": row["severity"], "for": row["for"]}
            rule["labels"] = {"slo": name, "long": row["long"], "short": row["short"]}
            rule["expr"] = f"({long} > {row['burn']}) and ({short} > {row['burn']})"
            alerts.append(alert_rule(rule, values, scale))
    return recorded + alerts


def groups(values, scale):
    """All groups in the order in which they rest on each other: recordings first."""
    rendered = []
    sources = sorted(path for path in (ROOT / "source").glob("*.yaml") if path.name != "parameters.yaml")
    sources.sort(key=lambda path: path.name != "recording.yaml")
    for path in sources:
        source = load(path)
        rules = []
        for rule in source.get("rules", []):
            if "record" in rule:
                expr = scale.expression(fill(rule["expr"], values, rule["record"]))
                rules.append({"record": rule["record"], "expr": expr.strip()})
            else:
                rules.append(alert_rule(rule, values, scale))
        if "slos" in source:
            rules += burn_rates(source, values, scale)
        interval = source["interval"] if scale.factor == 1 else "1s"
        rendered.append({"name": source["group"], "interval": interval, "rules": rules})
    return rendered


class Dumper(yaml.SafeDumper):
    pass


def text_of(dumper, text):
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


Dumper.add_representer(str, text_of)


def dump(document):
    return HEADER + yaml.dump(document, Dumper=Dumper, sort_keys=False, width=10_000, allow_unicode=True)


def rendered_files():
    """File name -> content of what is generated without any option."""
    all_groups = groups(parameters(), Scale(1, 0))
    custom = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "tidemark", "labels": {"app.kubernetes.io/name": "tidemark"}},
        "spec": {"groups": all_groups},
    }
    return {"rules.yaml": dump({"groups": all_groups}), "prometheusrule.yaml": dump(custom)}


def stale():
    """Generated files that are not what the source says."""
    files = rendered_files()
    return [name for name, text in files.items()
            if not (GENERATED / name).is_file() or (GENERATED / name).read_text() != text]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare with what is generated")
    parser.add_argument("--scale", type=float, help="divide `for`, `keep_firing_for`, ranges and offsets by this; print")
    parser.add_argument("--floor", type=int, default=10, help="seconds that a scaled range has at least [default: 10]")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="another value for a parameter; print")
    options = parser.parse_args()
    try:
        if options.scale or options.set:
            scale = Scale(options.scale or 1, options.floor)
            sys.stdout.write(dump({"groups": groups(parameters(options.set), scale)}))
        elif options.check:
            if names := stale():
                raise SourceError(f"not up to date: {', '.join(names)}; run alerts/render.py")
        else:
            GENERATED.mkdir(exist_ok=True)
            for name, text in rendered_files().items():
                (GENERATED / name).write_text(text)
    except SourceError as error:
        sys.exit(f"render.py: {error}")


if __name__ == "__main__":
    main()
