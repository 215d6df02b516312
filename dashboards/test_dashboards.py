"""The dashboards as they are shipped: their JSON, their expressions, and that nothing that is measured goes unseen."""

import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import catalogue
import dimensions
import expressions
import grafana
import promql
import queries
import render
from shipped import DOCUMENTS, every_panel, every_target, expressions_of_variables, golden, panels, plain

PROMTOOL = os.environ.get("PROMTOOL", "promtool")
UIDS = {f"tidemark-{name}" for name in ("fleet", "replica-set", "slow-queries", "backup", "engine", "sidecar")}
CORE_PANELS = {"stat", "timeseries", "table", "state-timeline", "heatmap", "row"}

# Shown nowhere, with the reason.
UNSEEN = {}


class Files(unittest.TestCase):
    def test_generated_files_are_what_the_source_says(self):
        self.assertEqual(render.stale(), [], "run dashboards/render.py")

    def test_they_are_the_six_that_alerts_link_to(self):
        self.assertEqual(set(DOCUMENTS), UIDS)
        self.assertEqual(set(catalogue.alerts().values()) - UIDS, set())

    def test_titles_are_unique_and_panels_have_ids_of_their_own(self):
        titles = [document["title"] for document in DOCUMENTS.values()]
        self.assertEqual(len(set(titles)), len(titles))
        for uid, document in DOCUMENTS.items():
            ids = [panel["id"] for panel in document["panels"]]
            self.assertEqual(len(set(ids)), len(ids), uid)
            doubled = [title for title, count in collections.Counter(panel["title"] for panel in panels(document)).items() if count > 1]
            self.assertEqual(doubled, [], uid)

    def test_they_can_be_provisioned(self):
        for uid, document in DOCUMENTS.items():
            with self.subTest(uid):
                self.assertEqual(document["schemaVersion"], 39)
                self.assertLessEqual(len(uid), 40)
                self.assertNotIn("id", document)
                self.assertNotIn("__inputs", document)
                self.assertEqual({panel["type"] for panel in document["panels"]} - CORE_PANELS, set())
                self.assertLess((render.GENERATED / f"{uid}.json").stat().st_size, 1 << 20)

    def test_panels_do_not_overlap_and_stay_in_the_grid(self):
        for uid, document in DOCUMENTS.items():
            taken = collections.Counter()
            for panel in document["panels"]:
                at = panel["gridPos"]
                taken.update((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"]))
            self.assertEqual({cell for cell, count in taken.items() if count > 1 or cell[0] >= grafana.COLUMNS}, set(), uid)

    def test_the_first_row_asks_whether_it_is_fine(self):
        for uid, document in DOCUMENTS.items():
            rows = [panel["title"] for panel in document["panels"] if panel["type"] == "row"]
            self.assertEqual(rows[0], "Is it fine?", uid)


class Linter(unittest.TestCase):
    """The rules of Grafana's dashboard-linter, by their names there."""

    def test_template_datasource_rule(self):
        for uid, document in DOCUMENTS.items():
            found = [(one["name"], one["label"], one["query"]) for one in document["templating"]["list"] if one["type"] == "datasource"]
            self.assertEqual(found, [("datasource", "Data source", "prometheus")], uid)

    def test_template_job_rule(self):
        for uid, document in DOCUMENTS.items():
            job = next(one for one in document["templating"]["list"] if one["name"] == "job")
            self.assertEqual((job["label"], job["multi"], job["allValue"], job["datasource"]["uid"]), ("Job", True, ".+", "${datasource}"), uid)

    def test_template_instance_rule(self):
        """Where single servers are shown. `All` is the list and not `.+`, so that the choice of a set narrows it."""
        for uid in ("tidemark-replica-set", "tidemark-slow-queries", "tidemark-engine", "tidemark-sidecar"):
            instance = next(one for one in DOCUMENTS[uid]["templating"]["list"] if one["name"] == "instance")
            self.assertEqual((instance["label"], instance["multi"], instance.get("allValue")), ("Instance", True, None), uid)

    def test_template_label_promql_rule(self):
        """That what is inside parses is asked of promtool, below."""
        for uid, document in DOCUMENTS.items():
            for variable in document["templating"]["list"]:
                if variable["type"] == "query":
                    self.assertEqual(variable["query"]["query"], variable["definition"])
                    self.assertRegex(variable["definition"], rf"^label_values\(.+, {variable['name']}\)$", uid)

    def test_choices_depend_on_variables_further_left_only(self):
        for uid, document in DOCUMENTS.items():
            left = set()
            for variable in document["templating"]["list"]:
                used = set(re.findall(r"\$(\w+)", variable.get("definition", "")))
                self.assertEqual(used - left, set(), (uid, variable["name"]))
                left.add(variable["name"])

    def test_expressions_use_only_variables_that_are_there(self):
        for uid, document in DOCUMENTS.items():
            known = {one["name"] for one in document["templating"]["list"]} | {"__all", "__rate_interval", "__range", "__url_time_range", "__data", "__value"}
            self.assertEqual(set(re.findall(r"\$\{?(\w+)", json.dumps(document))) - known, set(), uid)

    def test_template_on_time_change_reload_rule(self):
        for uid, document in DOCUMENTS.items():
            for variable in document["templating"]["list"]:
                self.assertEqual(variable["refresh"], 1 if variable["type"] == "datasource" else 2, (uid, variable["name"]))

    def test_panel_datasource_rule(self):
        for where, panel in every_panel():
            for one in (panel, *panel["targets"]):
                self.assertEqual(one["datasource"], {"type": "prometheus", "uid": "${datasource}"}, where)

    def test_panel_title_description_rule(self):
        for where, panel in every_panel():
            self.assertTrue(panel["title"].strip(), where)
            self.assertGreater(len(panel["description"]), 8, where)

    def test_panel_no_targets_rule(self):
        for where, panel in every_panel():
            self.assertGreater(len(panel["targets"]), 0, where)

    def test_target_rate_interval_rule(self):
        for where, _, target, _ in every_target():
            wrong = re.findall(r"\b(?:rate|irate)\([^()]*\[(?!\$__rate_interval\])[^\]]*\]", target["expr"])
            self.assertEqual(wrong, [], where)

    def test_target_job_rule(self):
        """Every selector of what is scraped; recordings and ALERTS have no job."""
        for where, _, target, tree in every_target():
            for selector in promql.selectors(tree):
                if selector.name.startswith("tidemark_") or selector.name == "up":
                    self.assertIn("job", [label for label, _, _ in selector.matchers], f"{where}: {target['expr']}")

    def test_target_instance_rule(self):
        """A panel whose legend names instances has only those that were chosen."""
        for where, panel, target, tree in every_target():
            uid = where.partition(":")[0]
            has_variable = any(one["name"] == "instance" for one in DOCUMENTS[uid]["templating"]["list"])
            if "instance" not in grafana.legend_labels(target["legendFormat"]) or "member" in grafana.legend_labels(target["legendFormat"]) or not has_variable:
                continue
            for selector in promql.selectors(tree):
                metric = catalogue.metric_of(selector.name)
                if metric and metric.served_by == catalogue.SIDECAR and metric.name != "tidemark_build_info":
                    self.assertIn("instance", [label for label, _, _ in selector.matchers], f"{where}: {target['expr']}")

    def test_target_counter_agg_rule(self):
        counters = {name for name, metric in catalogue.metrics().items() if metric.kind == "counter"}
        for where, _, _, tree in every_target():
            for node, parents in promql.walk(tree):
                if isinstance(node, promql.Selector) and (node.name in counters or node.name.endswith(("_bucket", "_sum", "_count"))):
                    function = parents[-1].function if parents and isinstance(parents[-1], promql.Call) else None
                    self.assertIn(function, ("rate", "irate", "increase"), f"{where}: {node.name}")
                    self.assertIsNotNone(node.range, where)

    def test_gauges_have_no_rate(self):
        for where, _, _, tree in every_target():
            for node, _ in promql.walk(tree):
                if isinstance(node, promql.Call) and node.function in ("rate", "irate", "increase"):
                    metric = catalogue.metric_of(node.arguments[0].name)
                    self.assertIn(metric.kind, ("counter", "histogram"), f"{where}: {metric.name}")

    def test_target_histogram_rule(self):
        """Quantiles keep `le`, and of rates; else a bucket is chosen by its bound, which is one that the histogram has."""
        seen = 0
        for where, panel, _, tree in every_target():
            for node, parents in promql.walk(tree):
                if not isinstance(node, promql.Selector) or not node.name.endswith("_bucket"):
                    continue
                seen += 1
                quantile = any(isinstance(parent, promql.Call) and parent.function == "histogram_quantile" for parent in parents)
                bounds = [value for label, _, value in node.matchers if label == "le"]
                if quantile or panel["type"] == "heatmap":
                    self.assertIn("le", [parent.by for parent in parents if isinstance(parent, promql.Aggregation)][-1], where)
                    self.assertEqual(bounds, [], where)
                else:
                    self.assertEqual(len(bounds), 1, where)
                    self.assertIn(float(bounds[0]), latency_bounds(), where)
        self.assertGreater(seen, 8)

    def test_template_uneditable_rule(self):
        for uid, document in DOCUMENTS.items():
            self.assertFalse(document["editable"], uid)


def latency_bounds():
    text = (catalogue.REPOSITORY / "crates/metrics/src/latency.rs").read_text()
    inside = re.search(r"const BOUNDS: \[f64; \d+\] =\s*\[([^\]]+)\]", text)[1]
    return [float(number.replace("_", "")) for number in inside.split(",") if number.strip()]


class Expressions(unittest.TestCase):
    def test_promtool_parses_every_expression(self):
        found = [(where, target["expr"]) for where, _, target, _ in every_target()] + list(expressions_of_variables())
        found += [(f"{uid}: {one['name']}", one["expr"]) for uid, document in DOCUMENTS.items() for one in document["annotations"]["list"] if "expr" in one]
        rules = [{"record": f"of:{index}", "expr": plain(text), "labels": {"where": where}} for index, (where, text) in enumerate(found)]
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "rules.yaml"
            path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
            done = subprocess.run([PROMTOOL, "check", "rules", path], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(f"{len(found)} rules found", done.stdout)

    def test_our_own_reader_notices_what_is_no_promql(self):
        for wrong in ("sum(", "a b", "rate(x[1m)", "x{a=}", ""):
            with self.assertRaises((promql.PromqlError, ValueError), msg=wrong):
                promql.parse(wrong)

    def test_every_metric_is_in_the_catalogue(self):
        for where, _, _, tree in every_target():
            for selector in promql.selectors(tree):
                known = catalogue.metric_of(selector.name) or selector.name in ("up", "ALERTS") or selector.name in catalogue.recordings()
                self.assertTrue(known, f"{where}: {selector.name}")

    def test_labels_are_those_of_the_metric_or_of_its_target(self):
        for where, panel, target, tree in every_target():
            for node, _ in promql.walk(tree):
                if isinstance(node, promql.Selector):
                    self.assertEqual({label for label, _, _ in node.matchers} - labels_of(node.name) - {"le"}, set(), f"{where}: {node.name}")
                elif isinstance(node, promql.Aggregation) and node.by:
                    below = set().union({"le"}, *(labels_of(selector.name) for selector in promql.selectors(node)))
                    self.assertEqual(set(node.by) - below, set(), where)

    def test_legends_show_labels_that_the_result_has(self):
        for where, panel, target, tree in every_target():
            shown = set(grafana.legend_labels(target["legendFormat"]))
            self.assertEqual(shown - result_labels(tree), set(), f"{where}: {target['expr']}")

    def test_lines_of_a_graph_can_be_told_apart(self):
        for where, panel, target, tree in every_target():
            if panel["type"] in ("timeseries", "state-timeline"):
                shown = set(grafana.legend_labels(target["legendFormat"]))
                lost = result_labels(tree) - shown - {"pod", "job"} - constant_labels(tree)
                if shown & {"pod", "instance"}:
                    lost -= {"instance", *expressions.SET}  # the same for all lines of one instance
                self.assertEqual(lost, set(), f"{where}: {target['legendFormat']}")

    def test_sets_are_kept_apart(self):
        """Two sets may have members, databases, collections and kinds of one name: what is added up or compared is of one of them."""
        together = {
            "tidemark-fleet: Alerts over time": "how many fire",
            "tidemark-fleet: Versions of Tidemark": "processes, also node agents",
            "tidemark-backup: How far back, how near to now": "what all chosen sets have",
        }
        for where, panel, target, tree in every_target():
            # A stat is one value, which its description says of what.
            if panel["type"] not in ("timeseries", "table", "state-timeline") or where[:-2] in together:
                continue
            found = result_labels(tree)
            served_by = {metric.served_by for metric in map(catalogue.metric_of, (one.name for one in promql.selectors(tree))) if metric}
            if served_by == {catalogue.AGENT} or {one.name for one in promql.selectors(tree)} & {"up"}:
                self.assertIn("instance", found, where)
                continue
            self.assertEqual({"namespace", "cluster"} - found, set(), f"{where}: {target['expr']}")
            if served_by != {catalogue.POD_LOG}:
                self.assertTrue({"replset", "instance"} & found, f"{where}: {target['expr']}")

    def test_units_are_those_of_the_values(self):
        for where, panel, target, tree in every_target():
            with self.subTest(where):
                dimension = str(dimensions.of(tree))
                unit = unit_of(panel, target)
                self.assertIn(dimension, dimensions.UNITS, target["expr"])
                # The distribution over time has bounds on its axis, and counts in its cells.
                if panel["type"] != "heatmap":
                    self.assertIn(unit, dimensions.UNITS[dimension], f"{dimension}: {target['expr']}")

    def test_a_wrong_unit_is_noticed(self):
        for text in ("time() - tidemark_mongod_uptime_seconds - tidemark_wt_cache_bytes", "tidemark_wt_cache_bytes + tidemark_mongod_uptime_seconds",
                     "tidemark_last_snapshot_timestamp_seconds * 2"):
            with self.assertRaises(dimensions.DimensionError):
                dimensions.of(promql.parse(text))
        of = {"rate(tidemark_slice_bytes_total[1m])": "bytes/seconds", "time() - tidemark_last_snapshot_timestamp_seconds": "seconds",
              "rate(tidemark_wt_app_eviction_seconds_total[1m])": "", "rate(tidemark_ops_total[1m])": "1/seconds",
              "tidemark_wt_cache_bytes / deriv(tidemark_wt_cache_bytes[1h])": "seconds",
              "1 / (tidemark_mongod_up == 0) or tidemark_archive_lag_seconds": "seconds"}
        self.assertEqual({text: str(dimensions.of(promql.parse(text))) for text in of}, of)


def labels_of(series):
    metric = catalogue.metric_of(series)
    if metric:
        # A sidecar that reads profiles serves those of logs as well, with the cluster of its target.
        return set(catalogue.TARGET_LABELS) | set(metric.labels)
    if series == "ALERTS":
        return {"alertname", "alertstate", "severity", "product", *catalogue.TARGET_LABELS, "replset", "member"}
    return set(catalogue.TARGET_LABELS) if series == "up" else set(expressions.SET)


def result_labels(node):
    """Labels that the result of an expression can have."""
    if isinstance(node, promql.Selector):
        return labels_of(node.name)
    if isinstance(node, promql.Aggregation):
        if node.function in ("topk", "bottomk"):
            return result_labels(node.arguments[1])
        return set(node.by or ())
    if isinstance(node, promql.Call):
        inner = [argument for argument in node.arguments if not isinstance(argument, (str, promql.Number))]
        found = result_labels(inner[-1]) if inner else set()
        return found - {"le"} if node.function == "histogram_quantile" else found
    if isinstance(node, promql.Binary):
        left, right = result_labels(node.left), result_labels(node.right)
        if node.operator in ("and", "unless"):
            return left
        if node.operator == "or":
            return left | right
        one_sided = isinstance(node.left, promql.Number) or not left
        found = right if one_sided else left if not right or node.on is None or node.group is not None or isinstance(node.right, promql.Number) else set(node.on)
        return found | set(node.group or ())
    return set()


def constant_labels(tree):
    """Labels that a matcher fixes to one value, or that are not worth a name in the legend."""
    fixed = {label for selector in promql.selectors(tree) for label, operator, _ in selector.matchers if operator == "="}
    return fixed | {"volume", "alertname"}


def unit_of(panel, target):
    """Of a column of a table, of a query with its own, else of the panel."""
    title = target["legendFormat"]
    for override in panel["fieldConfig"]["overrides"]:
        match = override["matcher"]
        if match == {"id": "byFrameRefID", "options": target["refId"]} or (panel["type"] == "table" and match == {"id": "byName", "options": title}):
            for one in override["properties"]:
                if one["id"] == "unit":
                    return one["value"]
    return panel["fieldConfig"]["defaults"].get("unit")


class Honesty(unittest.TestCase):
    def test_no_panel_invents_a_zero(self):
        for where, _, target, _ in every_target():
            self.assertNotRegex(target["expr"], r"or (on\(\) )?vector\(|absent", where)

    def test_single_values_are_of_now_and_unknown_is_never_green(self):
        for where, panel in every_panel():
            if panel["type"] != "stat":
                continue
            self.assertTrue(all(target["instant"] and not target["range"] for target in panel["targets"]), where)
            defaults = panel["fieldConfig"]["defaults"]
            special = [one["options"] for one in defaults["mappings"] if one["type"] == "special"]
            self.assertEqual([one["match"] for one in special], ["null+nan"], where)
            self.assertEqual(special[0]["result"]["color"], "purple", where)
            self.assertEqual(special[0]["result"]["text"], defaults["noValue"], where)

    def test_graphs_do_not_bridge_what_is_not_known(self):
        for where, panel in every_panel():
            if panel["type"] in ("timeseries", "state-timeline"):
                self.assertIs(panel["fieldConfig"]["defaults"]["custom"]["spanNulls"], False, where)
                self.assertNotIn("lastNotNull", panel["options"]["legend"].get("calcs", ()), where)

    def test_every_alert_is_named_where_its_annotation_links_to(self):
        for alert, uid in catalogue.alerts().items():
            links = {link["title"] for panel in panels(DOCUMENTS[uid]) for link in panel["links"]}
            self.assertIn(f"Runbook: {alert}", links, uid)

    def test_alerts_that_panels_name_exist_and_are_said_in_the_description(self):
        for where, panel in every_panel():
            for link in panel["links"]:
                alert = link["title"].removeprefix("Runbook: ")
                self.assertIn(alert, catalogue.alerts(), where)
                self.assertIn(alert, panel["description"], where)
                self.assertTrue(link["url"].endswith(f"/{alert}.md"), where)

    def test_every_metric_is_on_a_panel(self):
        seen = {catalogue.metric_of(selector.name).name for _, _, _, tree in every_target() for selector in promql.selectors(tree) if catalogue.metric_of(selector.name)}
        served = set(catalogue.metrics()) | {catalogue.metric_of(name).name for name in golden()}
        self.assertEqual(sorted(served - seen - set(UNSEEN)), [])
        self.assertEqual(sorted(set(UNSEEN) & seen), [], "shown after all")
        self.assertGreater(len(golden()), 150)

    def test_the_agent_serves_what_is_documented(self):
        """Name, type and labels as in the golden scrape; namespace and pod come from the folder of the log."""
        lines = (catalogue.REPOSITORY / "sidecar/tests/golden/node.txt").read_text().splitlines()
        served = {(name, kind, tuple(sorted(label.split("=")[0] for label in labels))) for name, kind, *labels in map(str.split, lines)}
        documented = set()
        for metric in catalogue.metrics().values():
            more = ("namespace", "pod") if metric.served_by == catalogue.POD_LOG else ()
            by_both = metric.name in ("tidemark_build_info", "tidemark_http_connections_closed_total")
            if metric.served_by != catalogue.SIDECAR or by_both:
                labels = ("version",) if metric.name == "tidemark_build_info" else metric.labels
                documented.add((metric.name, metric.kind, tuple(sorted({*labels, *more}))))
        self.assertEqual(served, documented)

    def test_links_between_dashboards_lead_somewhere(self):
        text = "".join(path.read_text() for path in render.GENERATED.glob("*.json"))
        linked = set(re.findall(r"/d/(tidemark-[\w-]+)", text))
        self.assertEqual(linked - UIDS, set())
        self.assertEqual(linked, {"tidemark-replica-set", "tidemark-backup"})
        for uid, document in DOCUMENTS.items():
            others = document["links"][0]
            self.assertEqual((others["tags"], others["includeVars"], others["keepTime"]), (document["tags"], True, True), uid)


class Queries(unittest.TestCase):
    """What the live test reads."""

    def ask(self, *arguments):
        command = [sys.executable, "-B", catalogue.ROOT / "queries.py", *arguments]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    def test_queries_are_those_of_the_panels_with_nothing_left_to_fill_in(self):
        found = self.ask("--set", "rs0", "--interval", "15s")
        self.assertEqual({tuple(sorted(entry)) for entry in found}, {("dashboard", "expr", "may_be_empty", "panel", "ref")})
        self.assertEqual([entry for entry in found if "$" in entry["expr"]], [])
        self.assertTrue(all(entry["may_be_empty"] is None or len(entry["may_be_empty"]) > 8 for entry in found))
        shipped = {(uid, panel["title"], target["refId"]) for uid, document in DOCUMENTS.items() for panel in panels(document) for target in panel["targets"]}
        self.assertEqual(shipped - {(entry["dashboard"], entry["panel"], entry["ref"]) for entry in found}, set())
        self.assertIn('replset=~"rs0"', "".join(entry["expr"] for entry in found))
        self.assertIn("[15s]", "".join(entry["expr"] for entry in found))


if __name__ == "__main__":
    unittest.main()
