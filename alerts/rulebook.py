"""What the tests of alerts, runbooks and the Alertmanager example share.

PROMTOOL and AMTOOL name the tools (else those on PATH), TIDEMARK_CATALOGUE the pages that list metrics
[default: docs/metrics.md docs/slow-queries.md], TIDEMARK_BIN_DIR the folder of our binaries [default: target/debug].
"""

import os
import pathlib
import re
import subprocess

import cases
import render

REPOSITORY = cases.ROOT.parent
RUNBOOKS = REPOSITORY / "docs/runbooks"
# What the sidecar serves, and what the node agent serves.
CATALOGUE = os.environ.get("TIDEMARK_CATALOGUE", "docs/metrics.md docs/slow-queries.md").split()
PROMTOOL = os.environ.get("PROMTOOL", "promtool")
AMTOOL = os.environ.get("AMTOOL", "amtool")
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
BINARIES = pathlib.Path(os.environ.get("TIDEMARK_BIN_DIR", TARGET / "debug"))

RULES = [rule for group in render.groups(render.parameters(), render.Scale(1, 0)) for rule in group["rules"]]
ALERTS = [rule for rule in RULES if "alert" in rule]
RECORDS = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
NAMES = {rule["alert"] for rule in ALERTS}


def metrics(text):
    """Metrics of ours in an expression or a page, by the names of the catalogue."""
    names = re.findall(r"\btidemark_[a-z0-9_]+", text)
    return {re.sub(r"_(bucket|count|sum)$", "", name) if histogram(name) else name for name in names}


def catalogue():
    return "".join((REPOSITORY / page).read_text() for page in CATALOGUE)


def histogram(name):
    return re.fullmatch(r"tidemark_(op_latency|op_working|slow_op_duration|slow_oplog_apply)_seconds_(bucket|count|sum)", name)


def metrics_below(expression, above=()):
    """Metrics of an expression and of the recording rules that it uses; a rule may rest on its own past."""
    found = metrics(re.sub(r"\b(tidemark|slo):[\w:]+", "", expression))
    for record in set(re.findall(r"\b(?:tidemark|slo):[\w:]+", expression)) - set(above):
        found |= metrics_below(RECORDS[record], (*above, record))
    return found


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
