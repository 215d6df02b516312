#!/usr/bin/env python3
"""Prints every expression of the dashboards as JSON, for a test against a Prometheus that scrapes for real.

queries.py [--set rs0] [--interval 15s] [--range 1h] [--var NAME=VALUE]

An array of {"dashboard", "panel", "ref", "expr", "may_be_empty"}: `may_be_empty` is null, or the reason why the expression may
have no answer although everything works. Annotations and the choices of variables are in it as well, as panels named
`annotation: …` and `variable: …`. Variables that are not given become `.*`.
"""

import argparse
import json
import re
import sys

import expressions
import grafana
import render


def queries(values, interval, window):
    for dashboard in render.DASHBOARDS:
        names = {variable.name for variable in dashboard.variables}

        def entry(panel, ref, text, reason):
            expr = expressions.substituted(text, values, interval, window)
            return {"dashboard": dashboard.uid, "panel": panel, "ref": ref, "expr": expr, "may_be_empty": reason}

        for panel in dashboard.panels():
            within = dashboard.within if panel.within is None else panel.within
            for index, query in enumerate(panel.queries):
                text = expressions.rendered(query.expr, names, within)
                yield entry(panel.title, grafana.letter(index), text, query.empty or panel.empty)
        for one in dashboard.annotations:
            yield entry(f"annotation: {one.name}", "A", expressions.rendered(one.expr, names, one.within), one.empty)
        for one, shown in zip(dashboard.variables, grafana.variables(dashboard), strict=True):
            series = re.fullmatch(r"label_values\((.*), \w+\)", shown["definition"])[1]
            yield entry(f"variable: {one.name}", "A", series, one.empty)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", help="a replica set [default: all]")
    parser.add_argument("--interval", default="1m", help="for $__rate_interval; at least four scrapes [default: 1m]")
    parser.add_argument("--range", default="1h", help="for $__range [default: 1h]")
    parser.add_argument("--var", action="append", default=[], metavar="NAME=VALUE", help="a regular expression for another variable")
    options = parser.parse_args()
    values = dict(pair.split("=", 1) for pair in options.var)
    if options.set:
        values["replset"] = options.set
    json.dump(list(queries(values, options.interval, options.range)), sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
