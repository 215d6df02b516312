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
import scrapes

PROMTOOL = os.environ.get("PROMTOOL", "promtool")
UIDS = {f"tidemark-{name}" for name in ("fleet", "replica-set", "slow-queries", "backup", "engine", "sidecar")}
CORE_PANELS = {"stat", "timeseries", "table", "state-timeline", "heatmap", "row"}
DOCUMENTS = {one["uid"]: one for one in (json.loads(path.read_text()) for path in sorted(render.GENERATED.glob("*.json")))}

# Shown nowhere, with the reason.
UNSEEN = {}
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


class Answers(unittest.TestCase):
    """Every expression, evaluated by promtool over what the golden scrapes hold."""

    def test_every_panel_has_an_answer(self):
        asked = list(queries.queries({}, "5m", "1h"))
        tests = []
        for entry in asked:
            expected = [{"labels": "{}", "value": 1}]
            tests.append({"expr": f"count({entry['expr']}) >= bool 1", "eval_time": f"{scrapes.MINUTES}m", "exp_samples": expected})
        group = {"name": "golden", "interval": "1m", "input_series": scrapes.series(), "promql_expr_test": tests}
        document = {"rule_files": [str(catalogue.REPOSITORY / "alerts/generated/rules.yaml")], "evaluation_interval": "1m", "tests": [group]}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "golden.yaml"
            path.write_text(json.dumps(document))
            done = subprocess.run([PROMTOOL, "test", "rules", path], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[:4000])
        self.assertGreater(len(asked), 350)


def wrong_answers(series, asked):
    """Failures of promtool, which asks after five minutes: `asked` are (expression, labels and value of each answer)."""
    tests = [{"expr": expr, "eval_time": "5m", "exp_samples": [{"labels": labels, "value": value} for labels, value in answers]} for expr, answers in asked]
    group = {"interval": "1m", "input_series": [{"series": name, "values": values} for name, values in series], "promql_expr_test": tests}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "asked.yaml"
        path.write_text(json.dumps({"evaluation_interval": "1m", "tests": [group]}))
        done = subprocess.run([PROMTOOL, "test", "rules", path], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def shipped(uid, title, column=None, chosen=()):
    """The expression of a panel, or of a column of a table, as it is shipped; `chosen` are values of variables."""
    panel = next(panel for panel in panels(DOCUMENTS[uid]) if panel["title"] == title)
    text = next(target["expr"] for target in panel["targets"] if column in (None, target["legendFormat"]))
    return expressions.substituted(text, dict(chosen), "1m", "1h")


# What promtool cannot be told in JSON: without bound.
UNBOUNDED = 1e12


class Fleet(unittest.TestCase):
    """Three sets: one is archived; nobody archives the second; of the third no server answers either, and its sidecar knows it from the archive."""

    ARCHIVED, ORPHAN, DARK = "archived", "orphan", "dark"

    def series(self, *sets):
        served = {
            "tidemark_mongod_up": 1, "tidemark_archiver_lease_held": 1, "tidemark_rpo_target_seconds": 60, 'tidemark_archive_shortfall{kind="slices_missing"}': 0,
            "tidemark_replset_self_state{SET}": 1, "tidemark_replset_has_primary{SET}": 1, "tidemark_replset_majority_commit_lag_seconds{SET}": 0,
            'tidemark_replset_member_info{SET,member="a",votes="1"}': 1, 'tidemark_replset_member_health{SET,member="a"}': 1,
            "tidemark_replset_election_last_timestamp_seconds{SET}": 0, "tidemark_lineage_info{SET}": 1, "tidemark_archive_lag_seconds": 6, "tidemark_pitr_windows{SET}": 1,
            "tidemark_pitr_window_start_timestamp_seconds{SET}": 0, "tidemark_pitr_window_end_timestamp_seconds{SET}": 200, "tidemark_pitr_window_target_seconds{SET}": 100,
            "tidemark_archive_gaps{SET}": 0, "tidemark_backup_verify_findings{SET}": 0, 'tidemark_backup_last_success_timestamp_seconds{SET,kind="snapshot"}': 0,
            'tidemark_backup_expected_interval_seconds{SET,kind="snapshot"}': 600, "tidemark_restore_drill_last_success_timestamp_seconds{SET}": 0,
            "tidemark_restore_drill_expected_interval_seconds{SET}": 600, 'tidemark_restore_drill_last_verdict{SET,verdict="fail"}': 0,
            "tidemark_restore_drill_last_duration_seconds{SET}": 10, "tidemark_rto_target_seconds{SET}": 100,
        }
        of_server = [name for name in served if re.match(r"tidemark_(replset|mongod_up)", name)]
        always = ["tidemark_archiver_lease_held", "tidemark_rpo_target_seconds", 'tidemark_archive_shortfall{kind="slices_missing"}']
        there = {self.ARCHIVED: list(served), self.ORPHAN: of_server + always, self.DARK: ["tidemark_mongod_up", "tidemark_lineage_info{SET}", *always]}
        for one in sets:
            for name in there[one]:
                base, _, labels = name.rstrip("}").partition("{")
                target = f'namespace="n",cluster="{one}",job="j",instance="{one}"'
                labels = ",".join(part for part in (target, labels.replace("SET", f'replset="{one}"')) if part)
                value = 0 if (base, one) in {("tidemark_archiver_lease_held", self.ORPHAN), ("tidemark_archiver_lease_held", self.DARK), ("tidemark_mongod_up", self.DARK)} else served[name]
                yield f"{base}{{{labels}}}", f"{value}+0x5"

    def check(self, sets, expected):
        """`expected`: (uid, title, column) -> value of each set, one value, or None for none."""
        asked = []
        for (uid, title, column), answer in expected.items():
            answers = [] if answer is None else list(answer.items()) if isinstance(answer, dict) else [(None, answer)]
            labels = [("{}" if one is None else f'{{namespace="n",cluster="{one}",replset="{one}"}}', value) for one, value in answers]
            asked.append((f"clamp({shipped(uid, title, column)}, {-UNBOUNDED:.0f}, {UNBOUNDED:.0f})", labels))
        self.assertEqual(wrong_answers(list(self.series(*sets)), asked), "")

    def test_a_set_that_nobody_archives_is_in_the_tables(self):
        every = (self.ARCHIVED, self.ORPHAN, self.DARK)
        fleet, backup = ("tidemark-fleet", "Replica sets"), ("tidemark-backup", "Restore windows")
        archivers = {self.ARCHIVED: 1, self.ORPHAN: 0, self.DARK: 0}
        lags = {self.ARCHIVED: 6, self.ORPHAN: UNBOUNDED, self.DARK: UNBOUNDED}
        self.check(every, {
            (*fleet, "Archivers"): archivers, (*backup, "Archivers"): archivers, (*fleet, "Archive lag"): lags,
            ("tidemark-backup", "Recovery point of each set", "Lag"): lags,
            (*fleet, "Primary"): {self.ARCHIVED: 1, self.ORPHAN: 1, self.DARK: 0},
            (*fleet, "Spare voters"): {self.ARCHIVED: 0, self.ORPHAN: 0, self.DARK: -UNBOUNDED},
        })

    def test_no_tile_is_green_for_a_set_that_nobody_archives(self):
        fleet, backup = "tidemark-fleet", "tidemark-backup"
        tiles = {
            (fleet, "Recovery point / objective"): 0.1, (fleet, "Sets that nobody archives"): 0, (fleet, "Sets without a restorable moment"): 0,
            (fleet, "Snapshot age / interval"): 0.5, (fleet, "Damage in archives"): 0, (fleet, "Drill age / interval"): 0.5,
            (backup, "Would be lost now"): 6, (backup, "… of the objective"): 0.1, (backup, "Missing in the archive"): 0, (backup, "Damage"): 0,
            (backup, "Restore window"): 200, (backup, "… of what is promised"): 2, (backup, "Gaps"): 0, (backup, "Snapshot age / interval"): 0.5,
            (backup, "Last drill"): 0, (backup, "Recovery time / objective"): 0.1, (backup, "Who archives"): 1,
        }
        self.check([self.ARCHIVED], {(*tile, None): value for tile, value in tiles.items()})
        said = {
            (fleet, "Recovery point / objective"): UNBOUNDED, (fleet, "Sets that nobody archives"): 1, (backup, "Would be lost now"): UNBOUNDED,
            (backup, "… of the objective"): UNBOUNDED, (backup, "Who archives"): 0,
        }
        self.check([self.ARCHIVED, self.ORPHAN], {(*tile, None): said.get(tile) for tile in tiles})

    def test_what_is_bad_is_shown_also_while_another_set_is_not_known(self):
        """A worst that is bad is not hidden behind what is not known."""
        series = [(name, "1+0x5" if re.match(r"tidemark_(backup_verify_findings|archive_gaps|archive_shortfall).*archived", name) else values)
                  for name, values in self.series(self.ARCHIVED, self.ORPHAN)]
        asked = [(shipped(uid, title), [("{}", 1)]) for uid, title in
                 (("tidemark-fleet", "Damage in archives"), ("tidemark-backup", "Gaps"), ("tidemark-backup", "Missing in the archive"))]
        self.assertEqual(wrong_answers(series, asked), "")

    def test_a_set_whose_servers_are_all_down_has_no_primary(self):
        fleet, replica_set = "tidemark-fleet", "tidemark-replica-set"
        fine = {(fleet, "Sets without a primary"): 0, (fleet, "Voters to spare"): 0, (fleet, "Sets that vanished"): 0, (replica_set, "Primary"): 1,
                (replica_set, "Voters to spare"): 0, (replica_set, "Majority commit lag"): 0, (replica_set, "Primary since"): 300}
        bad = {**fine, (fleet, "Sets without a primary"): 1, (fleet, "Voters to spare"): -UNBOUNDED, (replica_set, "Primary"): 0,
               (replica_set, "Voters to spare"): -UNBOUNDED, (replica_set, "Majority commit lag"): None, (replica_set, "Primary since"): None}
        self.check([self.ARCHIVED], {(*tile, None): value for tile, value in fine.items()})
        self.check([self.ARCHIVED, self.DARK], {(*tile, None): value for tile, value in bad.items()})

    def test_a_band_of_all_sets_wants_a_window_of_each(self):
        title = ("tidemark-backup", "How far back, how near to now")
        self.check([self.ARCHIVED], {(*title, "restorable from"): 300, (*title, "restorable to"): 100})
        self.check([self.ARCHIVED, self.ORPHAN], {(*title, "restorable from"): None, (*title, "restorable to"): None})

    def test_what_stands_for_no_value_has_a_text(self):
        for uid, title, key, text in (
            ("tidemark-fleet", "Recovery point / objective", "Infinity", "NOBODY ARCHIVES"), ("tidemark-fleet", "Voters to spare", "-Infinity", "NO SERVER ANSWERS"),
            ("tidemark-backup", "Would be lost now", "Infinity", "NOBODY ARCHIVES"), ("tidemark-backup", "Restore window", "0", "NOTHING"),
        ):
            panel = next(panel for panel in panels(DOCUMENTS[uid]) if panel["title"] == title)
            values = next(one["options"] for one in panel["fieldConfig"]["defaults"]["mappings"] if one["type"] == "value")
            self.assertEqual((values[key]["text"], values[key]["color"]), (text, "red"), title)

    def test_what_is_gone_is_a_flag_and_no_count(self):
        """`tidemark_archive_shortfall` is 1 however many objects are gone, and 0 also where nobody looks."""
        shown = [(where, panel, target) for where, panel, target, tree in every_target()
                 if panel["type"] != "stat" and any(one.name == "tidemark_archive_shortfall" for one in promql.selectors(tree))]
        self.assertEqual(len(shown), 1)
        where, panel, target = shown[0]
        self.assertEqual((panel["type"], panel["fieldConfig"]["defaults"]["unit"]), ("state-timeline", "bool"), where)
        self.assertNotRegex(panel["title"], r"(?i)objects|number|count|how many")
        values = next(one["options"] for one in panel["fieldConfig"]["defaults"]["mappings"] if one["type"] == "value")
        self.assertEqual({value: mapped["color"] for value, mapped in values.items()}, {"0": "green", "1": "red"})
        labels = f'{{namespace="n",cluster="{self.ARCHIVED}",replset="{self.ARCHIVED}",kind="slices_missing"}}'
        self.assertEqual(wrong_answers(list(self.series(self.ARCHIVED, self.ORPHAN)), [(plain(target["expr"]), [(labels, 0)])]), "")


class SetsOfOneName(unittest.TestCase):
    """What two sets have under one name stays two."""

    def series(self, name, labels="", values=("1", "2"), sets=("rs0", "rs1")):
        """One of each set, in one namespace and cluster; and one of a standalone."""
        for index, one in enumerate((*sets, None)):
            target = f'namespace="n",cluster="c",job="j",pod="p{index}",instance="{index}"'
            value = (*values, "7")[index]
            yield f"{name}{{{target}{labels}}}", f"{value}x5"
            if one:
                yield f'tidemark_replset_self_state{{{target},replset="{one}"}}', "1+0x5"

    def test_databases(self):
        names = {"Databases": ("Data", "data_bytes"), "Databases on disk": (None, "storage_bytes"), "Indexes on disk": (None, "index_bytes"), "Documents stored": (None, "objects")}
        for title, (column, metric) in names.items():
            series = list(self.series(f"tidemark_db_{metric}", ',db="shop"', ("5+0", "3+0")))
            series = [(name, values.replace("7x5", "7+0x5")) for name, values in series]
            answers = [('{namespace="n",cluster="c",replset="rs0",db="shop"}', 5), ('{namespace="n",cluster="c",replset="rs1",db="shop"}', 3),
                       ('{namespace="n",cluster="c",pod="p2",instance="2",db="shop"}', 7)]
            self.assertEqual(wrong_answers(series, [(shipped("tidemark-engine", title, column), answers)]), "", title)

    def test_servers_of_a_set_that_is_not_chosen_are_no_standalones(self):
        series = list(self.series("tidemark_mongod_info", ',version="8"', ("1+0", "1+0")))
        series = [(name, values.replace("7x5", "1+0x5")) for name, values in series]
        expr = shipped("tidemark-fleet", "Versions of mongod", chosen={"replset": "rs0"}.items())
        answers = [('{namespace="n",cluster="c",replset="rs0",version="8"}', 1), ('{namespace="n",cluster="c",pod="p2",instance="2",version="8"}', 1)]
        self.assertEqual(wrong_answers(series, [(expr, answers)]), "")

    def test_what_is_gone_is_said_of_chosen_sets(self):
        series = list(self.series("tidemark_archive_shortfall", ',kind="slices_missing"', ("0+0", "1+0")))[:4]
        series += [(name, "1+0x5") for name, _ in self.series("tidemark_archiver_lease_held")][:4:2]
        asked = [(shipped("tidemark-backup", "Missing in the archive", chosen={"replset": one}.items()), [("{}", value)]) for one, value in (("rs0", 0), ("rs1", 1), (".*", 1))]
        self.assertEqual(wrong_answers(series, asked), "")

    def test_copies_of_a_database_are_one(self):
        series = list(self.series("tidemark_db_data_bytes", ',db="shop"', ("5+0", "3+0"), ("rs0", "rs0")))[:4]
        answers = [('{namespace="n",cluster="c",replset="rs0",db="shop"}', 5)]
        self.assertEqual(wrong_answers(series, [(shipped("tidemark-engine", "Databases", "Data"), answers)]), "")

    def test_a_small_slow_set_is_not_hidden_behind_a_large_fast_one(self):
        """Of 6000 operations in a minute none is slow in one set, of 60 each in the other."""
        bound = f"{catalogue.limit('latency_bound'):g}"
        series = []
        for le, values in ((bound, ("0+6000", "0+0")), ("+Inf", ("0+6000", "0+60"))):
            series += list(self.series("tidemark_op_latency_seconds_bucket", f',type="read",le="{le}"', values))[:4]
        series += list(self.series("tidemark_op_latency_seconds_count", ',type="read"', ("0+6000", "0+60")))[:4]
        expr = shipped("tidemark-slow-queries", f"Slower than {bound} s").replace("[1m]", "[2m]")
        self.assertEqual(wrong_answers(list(dict(series).items()), [(expr, [("{}", 1)])]), "")

    def test_collections_of_two_namespaces(self):
        series = [(f'tidemark_slow_ops_total{{namespace="{one}",pod="p",job="j",instance="i",db="shop",coll="orders",op="find",plan="IXSCAN"}}', "0+60x5") for one in ("a", "b")]
        expr = shipped("tidemark-slow-queries", "Number by collection").replace("[1m]", "[2m]")
        answers = [(f'{{namespace="{one}",db="shop",coll="orders"}}', 1) for one in ("a", "b")]
        self.assertEqual(wrong_answers(series, [(expr, answers)]), "")


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
