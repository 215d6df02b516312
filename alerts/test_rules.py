"""Every rule against promtool: generated files, coverage by cases, and the cases themselves."""

import concurrent.futures
import os
import pathlib
import re
import tempfile
import unittest

import yaml

import cases
import rulebook
import render

# Of Prometheus itself.
FOREIGN = {"up", "ALERTS", "prometheus_rule_evaluation_failures_total"}


def foreign(text):
    return {name for name in FOREIGN if re.search(rf"\b{name}\b", text)}


def described():
    shown = {}
    for rule in rulebook.ALERTS:
        labels = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"]))
        shown.setdefault(rule["alert"], set()).update(labels)
    # Either the scrape of a target fails, which has no cluster in every setup, or its pod is gone and with it the instance.
    shown["SidecarAbsent"] -= {"instance", "cluster"}
    # What has a pod is counted for the pod, wherever it runs.
    shown["MongodRestarting"] -= {"instance"}
    # Two arms: the metric that is cut is known to the sidecar, but not to the node agent.
    shown["SeriesCapHit"] -= {"metric"}
    # Without them an alert of one set would silence another set.
    for alert, labels in inhibited().items():
        shown[alert] |= labels
    return shown


def inhibited():
    """Alert -> labels by which it inhibits, or is inhibited, one alert by another.

    One without the label `member` inhibits nothing that always has it: not every server is known as a member.
    """
    found = {}
    for rule in yaml.safe_load((cases.ROOT / "alertmanager.example.yaml").read_text())["inhibit_rules"]:
        for side, free in (("source_matchers", {"alertname", "member"}), ("target_matchers", {"alertname"})):
            for alert in "|".join(re.findall(r"\balertname\s*=~?\s*([\w|]+)", " ".join(rule[side]))).split("|"):
                if alert:
                    found.setdefault(alert, set()).update(set(rule["equal"]) - free)
    return found


class Source(unittest.TestCase):
    def test_generated_files_are_what_the_source_says(self):
        self.assertEqual(render.stale(), [], "run alerts/render.py")

    def test_promtool_accepts_the_rules_also_with_shorter_times(self):
        with tempfile.TemporaryDirectory() as folder:
            scaled = pathlib.Path(folder) / "scaled.yaml"
            scaled.write_text(render.dump({"groups": render.groups(render.parameters(), render.Scale(60, 10))}))
            for path in (cases.ROOT / "generated/rules.yaml", scaled):
                done = rulebook.run(rulebook.PROMTOOL, "check", "rules", path)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_shorter_times_leave_nothing_long(self):
        groups = render.groups(render.parameters(), render.Scale(3600, 10))
        for rule in (rule for group in groups for rule in group["rules"]):
            for key in ("for", "keep_firing_for"):
                self.assertLessEqual(render.seconds(rule.get(key, "0s")), 3, rule)
            self.assertEqual(re.findall(r"\[\d+[mhdw]\]|offset \d+[mhdw]", rule["expr"]), [], rule)

    def test_an_unknown_parameter_is_refused(self):
        with self.assertRaisesRegex(render.SourceError, "no such parameter"):
            render.parameters(["lag_warning=5"])
        self.assertEqual(render.parameters(["lag_warning_seconds=5"])["lag_warning_seconds"], "5")

    def test_every_parameter_is_used(self):
        text = "".join(path.read_text() for path in (cases.ROOT / "source").glob("*.yaml"))
        unused = [name for name in render.parameters() if f"${{{name}}}" not in text and not name.endswith("_base")]
        self.assertEqual(unused, [])

    def test_rules_name_only_metrics_of_the_catalogue(self):
        known = rulebook.metrics(rulebook.catalogue())
        used = set().union(*(rulebook.metrics_below(rule["expr"]) for rule in rulebook.RULES))
        self.assertEqual(sorted(used - known), [])

    def test_cases_name_only_metrics_of_the_catalogue(self):
        known = rulebook.metrics(rulebook.catalogue()) | FOREIGN
        used = {re.split("[{]", series)[0] for _, case in cases.cases() for series in case["series"]}
        used = set().union(*(rulebook.metrics(name) or {name} for name in used))
        self.assertEqual(sorted(used - known), [])


class Coverage(unittest.TestCase):
    def test_every_alert_and_severity_has_a_firing_case(self):
        wanted = {f"{rule['alert']} {rule['labels']['severity']}" for rule in rulebook.ALERTS} - {f"{cases.WATCHDOG} none"}
        fired = {entry for _, case in cases.cases() for expected in case["firing"].values() for entry in expected}
        self.assertEqual(sorted(wanted - fired), [])

    def test_every_alert_has_a_silent_case_about_its_own_metrics(self):
        trapped = set()
        for file, case in cases.cases():
            shown = set().union(*(rulebook.metrics(series) | foreign(series) for series in case["series"]), {"tidemark_replset_self_state"})
            for alert in case.get("silent", []):
                with self.subTest(case=case["name"], alert=alert):
                    self.assertIn(alert, rulebook.NAMES, file)
                    self.assertNotIn(alert, cases.firing(case))
                    expressions = [rule["expr"] for rule in rulebook.ALERTS if rule["alert"] == alert]
                    used = set().union(*(rulebook.metrics_below(expression) | foreign(expression) for expression in expressions))
                    self.assertTrue(used & shown, "the case shows none of the alert's metrics")
                trapped.add(alert)
        self.assertEqual(sorted(rulebook.NAMES - trapped - {cases.WATCHDOG}), [])


def fault(case):
    """What promtool says against the case, beginning with its exit code; empty when it accepts it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "case.yaml"
        document = cases.promtool_file(case, cases.ROOT / "generated/rules.yaml", described())
        path.write_text(yaml.safe_dump(document, sort_keys=False, width=10_000))
        done = rulebook.run(rulebook.PROMTOOL, "test", "rules", path)
        # One that was killed says nothing, and has accepted nothing.
        return f"promtool exited {done.returncode}\n{done.stdout}{done.stderr}" if done.returncode else ""


class Cases(unittest.TestCase):
    """One test for each case, added below. They run side by side: promtool works on one core, and some cases last for days."""

    CASES = {}
    asked = []

    @classmethod
    def setUpClass(cls):
        cls.pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
        cls.addClassCleanup(cls.pool.shutdown, cancel_futures=True)
        cls.faults = {name: cls.pool.submit(fault, cls.CASES[name]) for name in cls.asked}

    def holds(self):
        name = self._testMethodName
        self.assertEqual(self.faults[name].result() if name in self.faults else fault(self.CASES[name]), "")


for number, (file, case) in enumerate(cases.cases()):
    name = f"test_{file}_{number:03}_" + re.sub(r"\W+", "_", case["name"])
    Cases.CASES[name] = case
    setattr(Cases, name, Cases.holds)


def load_tests(loader, tests, pattern):
    """Notes which cases are asked for: -k leaves some out."""
    Cases.asked = [test._testMethodName for suite in tests for test in suite if isinstance(test, Cases)]
    return tests
