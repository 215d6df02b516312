"""The example configuration of Alertmanager against amtool and against the rules."""

import re
import unittest

import yaml

import cases
import rulebook


class Alertmanager(unittest.TestCase):
    CONFIG = cases.ROOT / "alertmanager.example.yaml"

    def test_amtool_accepts_the_example(self):
        done = rulebook.run(rulebook.AMTOOL, "check-config", self.CONFIG)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_severity_goes_where_the_example_says(self):
        for severity, receiver in (("critical", "page"), ("warning", "ticket"), ("info", "ticket"), ("none", "dead-man")):
            alert = cases.WATCHDOG if severity == "none" else "MongodDown"
            done = rulebook.run(rulebook.AMTOOL, "config", "routes", "test", "--config.file", self.CONFIG,
                               "product=tidemark", f"severity={severity}", f"alertname={alert}")
            self.assertEqual(done.stdout.strip(), receiver, done.stderr)

    def test_no_replica_set_silences_another_one(self):
        for rule in yaml.safe_load(self.CONFIG.read_text())["inhibit_rules"]:
            self.assertLessEqual({"namespace", "cluster", "replset"}, set(rule["equal"]), rule)

    def test_inhibitions_name_alerts_that_exist(self):
        rules = yaml.safe_load(self.CONFIG.read_text())["inhibit_rules"]
        named = re.findall(r"\balertname\s*=~?\s*([\w|]+)", yaml.dump(rules, width=10_000))
        self.assertTrue(named)
        self.assertEqual(sorted(set("|".join(named).split("|")) - rulebook.NAMES), [])
