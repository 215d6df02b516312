#!/usr/bin/env python3
"""Tests of the alerts: `make test-alerts`, or `python3 alerts/test_alerts.py`.

PROMTOOL and AMTOOL name the tools (else those on PATH), TIDEMARK_CATALOGUE the pages that list metrics [default: docs/metrics.md docs/slow-queries.md],
TIDEMARK_BIN_DIR the folder of our binaries [default: target/debug].
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import yaml

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
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Verify fixed", "Escalate when", "Do not"]
# Of Prometheus itself.
FOREIGN = {"up", "ALERTS"}

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


def metrics_below(expression):
    """Metrics of an expression and of the recording rules that it uses."""
    found = metrics(re.sub(r"\b(tidemark|slo):[\w:]+", "", expression))
    for record in set(re.findall(r"\b(?:tidemark|slo):[\w:]+", expression)):
        found |= metrics_below(RECORDS[record])
    return found


def described():
    shown = {}
    for rule in ALERTS:
        labels = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"]))
        shown.setdefault(rule["alert"], set()).update(labels)
    # Either the scrape of a target fails, which has no cluster in every setup, or its pod is gone and with it the instance.
    shown["SidecarAbsent"] -= {"instance", "cluster"}
    # Two arms: the metric that is cut is known to the sidecar, but not to the node agent.
    shown["SeriesCapHit"] -= {"metric"}
    return shown


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


class Source(unittest.TestCase):
    def test_generated_files_are_what_the_source_says(self):
        self.assertEqual(render.stale(), [], "run alerts/render.py")

    def test_promtool_accepts_the_rules_also_with_shorter_times(self):
        with tempfile.TemporaryDirectory() as folder:
            scaled = pathlib.Path(folder) / "scaled.yaml"
            scaled.write_text(render.dump({"groups": render.groups(render.parameters(), render.Scale(60, 10))}))
            for path in (cases.ROOT / "generated/rules.yaml", scaled):
                done = run(PROMTOOL, "check", "rules", path)
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
        known = metrics(catalogue())
        used = set().union(*(metrics_below(rule["expr"]) for rule in RULES))
        self.assertEqual(sorted(used - known), [])

    def test_cases_name_only_metrics_of_the_catalogue(self):
        known = metrics(catalogue()) | FOREIGN
        used = {re.split("[{]", series)[0] for _, case in cases.cases() for series in case["series"]}
        used = set().union(*(metrics(name) or {name} for name in used))
        self.assertEqual(sorted(used - known), [])


class Coverage(unittest.TestCase):
    def test_every_alert_and_severity_has_a_firing_case(self):
        wanted = {f"{rule['alert']} {rule['labels']['severity']}" for rule in ALERTS} - {f"{cases.WATCHDOG} none"}
        fired = {entry for _, case in cases.cases() for expected in case["firing"].values() for entry in expected}
        self.assertEqual(sorted(wanted - fired), [])

    def test_every_alert_has_a_silent_case_about_its_own_metrics(self):
        trapped = set()
        for file, case in cases.cases():
            shown = set().union(*(metrics(series) for series in case["series"]), {"tidemark_replset_self_state"})
            for alert in case.get("silent", []):
                with self.subTest(case=case["name"], alert=alert):
                    self.assertIn(alert, NAMES, file)
                    self.assertNotIn(alert, cases.firing(case))
                    used = set().union(*(metrics_below(rule["expr"]) for rule in ALERTS if rule["alert"] == alert))
                    self.assertTrue(used & shown, "the case shows none of the alert's metrics")
                trapped.add(alert)
        self.assertEqual(sorted(NAMES - trapped - {cases.WATCHDOG}), [])


class Runbooks(unittest.TestCase):
    def test_every_alert_has_its_page_and_every_page_its_alert(self):
        pages = {path.stem for path in RUNBOOKS.glob("[A-Z]*.md")} - {"README"}
        self.assertEqual(sorted(NAMES ^ pages), [])

    def test_pages_have_their_sections_in_order(self):
        for path in RUNBOOKS.glob("*.md"):
            if path.name == "README.md":
                continue
            with self.subTest(page=path.name):
                text = path.read_text()
                self.assertTrue(text.startswith(f"# {path.stem}\n") or path.stem not in NAMES)
                self.assertEqual(re.findall(r"^## (.+)$", text, re.M), SECTIONS)

    def test_a_diagnosis_has_one_to_five_commands_with_good_and_bad_output(self):
        for alert in NAMES:
            with self.subTest(page=alert):
                text = (RUNBOOKS / f"{alert}.md").read_text()
                diagnosis = text.partition("## Diagnosis")[2].partition("\n## ")[0]
                commands = re.findall(r"^```sh\n(.*?)^```$", diagnosis, re.M | re.S)
                self.assertIn(len(commands), range(1, 6))
                self.assertIn("Good:", diagnosis)
                self.assertIn("Bad:", diagnosis)

    def test_pages_name_only_metrics_of_the_catalogue_and_link_to_pages_that_are_there(self):
        known = metrics(catalogue())
        for path in RUNBOOKS.glob("*.md"):
            with self.subTest(page=path.name):
                text = path.read_text()
                commands = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S))
                # A command may grep for what several names begin with.
                begun = {name for name in metrics(commands) if any(one.startswith(name) for one in known)}
                self.assertEqual(sorted(metrics(text) - known - begun), [])
                for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", text):
                    self.assertTrue((path.parent / link).exists(), link)


def commands(text):
    """Command lines of our binaries in the shell blocks and code spans of a page, as words without placeholders."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    for line in [line for block in blocks for line in block.splitlines()] + spans:
        if re.match(r"(dr-cli|sidecar) \S", line):
            words = shlex.split(line.partition("|")[0])
            yield line, [PLACEHOLDERS.get(word, word).replace("T:I", "1795900413:1") for word in words]


PLACEHOLDERS = {"ID": "20261128T010000Z-f07079", "N": "7", "FILE": "file", "TARGET": "latest", "URI": "mongodb://fresh"}


class Commands(unittest.TestCase):
    """Every command in a runbook is one that our binaries accept: with `--help` behind it they parse, and do nothing."""

    def parse(self, words):
        done = subprocess.run([BINARIES / words[0], *words[1:], "--help"], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def test_commands_of_the_runbooks_are_accepted(self):
        seen = 0
        for path in RUNBOOKS.glob("*.md"):
            for line, words in commands(path.read_text()):
                seen += 1
                with self.subTest(page=path.name, command=line):
                    self.assertEqual(self.parse(words), (0, ""))
        self.assertGreater(seen, 100)

    def test_a_flag_or_command_that_does_not_exist_is_noticed(self):
        for wrong in (["dr-cli", "status", "--frobnicate"], ["dr-cli", "frobnicate"], ["sidecar", "check", "--all"],
                      ["dr-cli", "plan", "--to", "yesterday"]):
            self.assertNotEqual(self.parse(wrong)[0], 0, wrong)


class Alertmanager(unittest.TestCase):
    CONFIG = cases.ROOT / "alertmanager.example.yaml"

    def test_amtool_accepts_the_example(self):
        done = run(AMTOOL, "check-config", self.CONFIG)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_severity_goes_where_the_example_says(self):
        for severity, receiver in (("critical", "page"), ("warning", "ticket"), ("info", "ticket"), ("none", "dead-man")):
            alert = cases.WATCHDOG if severity == "none" else "MongodDown"
            done = run(AMTOOL, "config", "routes", "test", "--config.file", self.CONFIG,
                       "product=tidemark", f"severity={severity}", f"alertname={alert}")
            self.assertEqual(done.stdout.strip(), receiver, done.stderr)

    def test_inhibitions_name_alerts_that_exist(self):
        rules = yaml.safe_load(self.CONFIG.read_text())["inhibit_rules"]
        named = re.findall(r"\balertname\s*=~?\s*([\w|]+)", yaml.dump(rules, width=10_000))
        self.assertTrue(named)
        self.assertEqual(sorted(set("|".join(named).split("|")) - NAMES), [])


class Cases(unittest.TestCase):
    """One test for each case, added below."""


def promtool_test(case):
    def test(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "case.yaml"
            document = cases.promtool_file(case, cases.ROOT / "generated/rules.yaml", described())
            path.write_text(yaml.safe_dump(document, sort_keys=False, width=10_000))
            done = run(PROMTOOL, "test", "rules", path)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    return test


for number, (file, case) in enumerate(cases.cases()):
    name = re.sub(r"\W+", "_", case["name"])
    setattr(Cases, f"test_{file}_{number:03}_{name}", promtool_test(case))


if __name__ == "__main__":
    for tool in (PROMTOOL, AMTOOL):
        if not shutil.which(tool):
            raise SystemExit(f"test_alerts.py: {tool} is not there: make test-alerts fetches it, or set PROMTOOL and AMTOOL")
    for name in ("dr-cli", "sidecar"):
        if not (BINARIES / name).is_file():
            raise SystemExit(f"test_alerts.py: {BINARIES / name} is not there: cargo build -p {name}, or set TIDEMARK_BIN_DIR")
    unittest.main()
