"""The dashboards as they are shipped, for tests: their documents, panels and expressions."""

import json
import re

import catalogue
import expressions
import promql
import render

DOCUMENTS = {one["uid"]: one for one in (json.loads(path.read_text()) for path in sorted(render.GENERATED.glob("*.json")))}


def panels(document):
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def every_panel():
    return [(f"{uid}: {panel['title']}", panel) for uid, document in DOCUMENTS.items() for panel in panels(document)]


def every_target():
    """(where, panel, target, tree of its expression)."""
    for where, panel in every_panel():
        for target in panel["targets"]:
            yield f"{where} {target['refId']}", panel, target, promql.parse(plain(target["expr"]))


def plain(text):
    return expressions.substituted(text, {}, "1m", "1h")


def expressions_of_variables():
    for uid, document in DOCUMENTS.items():
        for variable in document["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{uid}: variable {variable['name']}", re.fullmatch(r"label_values\((.+), \w+\)", variable["definition"])[1]


def golden():
    """Names of all golden scrapes."""
    text = "".join(path.read_text() for path in (catalogue.REPOSITORY / "sidecar/tests/golden").glob("*.txt"))
    return set(re.findall(r"^(tidemark_\w+)", text, re.M))
