#!/usr/bin/env python3
"""Renders dashboards/source/ into JSON for Grafana.

render.py                     writes dashboards/generated/*.json
render.py --check             fails when these are not what the source says
render.py --runbooks URL DIR  writes them to another folder, with links to runbooks below URL
"""

import argparse
import json
import pathlib
import sys

import catalogue
import grafana
from source import backup, engine, fleet, replica_set, sidecar, slow_queries

GENERATED = catalogue.ROOT / "generated"
DASHBOARDS = [module.DASHBOARD for module in (fleet, replica_set, slow_queries, backup, engine, sidecar)]


def rendered_files():
    """File name -> content."""
    return {f"{one.uid}.json": json.dumps(grafana.document(one), indent=1, ensure_ascii=False) + "\n" for one in DASHBOARDS}


def stale():
    """Generated files that are not what the source says, and those that have no source."""
    files = rendered_files()
    left = {path.name for path in GENERATED.glob("*")} - set(files)
    return sorted(left | {name for name, text in files.items() if not (GENERATED / name).is_file() or (GENERATED / name).read_text() != text})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare with what is generated")
    parser.add_argument("--runbooks", metavar="URL", help="where docs/runbooks/ is served [default: runbook_base of the alerts]")
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=GENERATED, help="where to write [default: dashboards/generated]")
    options = parser.parse_args()
    if options.check:
        if names := stale():
            sys.exit(f"render.py: not up to date: {', '.join(names)}; run dashboards/render.py")
        return
    if options.runbooks:
        catalogue.parameters()["runbook_base"] = options.runbooks.rstrip("/")
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, text in rendered_files().items():
        (options.folder / name).write_text(text)


if __name__ == "__main__":
    main()
