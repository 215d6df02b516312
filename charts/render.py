#!/usr/bin/env python3
"""Renders what charts carry of other parts of the repository, and the schemas of their values.

render.py            writes charts/*/values.schema.json, and charts/monitoring/files/ from alerts/ and dashboards/
render.py --check    fails when these are not current
"""

import argparse
import json
import pathlib
import sys

import yaml

import schema

ROOT = pathlib.Path(__file__).resolve().parent
REPOSITORY = ROOT.parent
CHARTS = ("mongodb", "orders-api", "tidemark-node", "tenant", "monitoring", "log-collector", "tidemark")


def rendered():
    """Text by path. A chart can read no file beside itself, so it gets copies."""
    files = {}
    for chart in CHARTS:
        text = (ROOT / chart / "values.yaml").read_text()
        files[ROOT / chart / "values.schema.json"] = schema.text_of(schema.schema_of(chart, text, yaml.safe_load(text)))
    copies = ROOT / "monitoring" / "files"
    files[copies / "rules.yaml"] = (REPOSITORY / "alerts/generated/rules.yaml").read_text()
    files[copies / "alertmanager.example.yaml"] = (REPOSITORY / "alerts/alertmanager.example.yaml").read_text()
    for dashboard in sorted((REPOSITORY / "dashboards/generated").glob("*.json")):
        # On one line: Helm stores chart and manifest in a Secret of at most 1 MiB.
        value = json.loads(dashboard.read_text())
        files[copies / "dashboards" / dashboard.name] = json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"
    return files


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    files = rendered()
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    leftover = [path for path in (ROOT / "monitoring/files").rglob("*.*") if path.is_file() and path not in files]
    if check:
        for path in stale + leftover:
            print(f"{path.relative_to(REPOSITORY)} is not current: run charts/render.py", file=sys.stderr)
        return 1 if stale or leftover else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path])
    for path in leftover:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
