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

    def test_a_server_that_is_down_hides_what_is_said_of_this_member_and_of_no_other_one(self):
        place = {"product": "tidemark", "namespace": "db", "cluster": "orders", "replset": "rs0"}
        down = {**place, "alertname": "MongodDown", "severity": "critical", "pod": "orders-1", "instance": "10.0.0.2:9717"}
        known = {**down, "member": "orders-1:27017"}
        unhealthy = {**place, "alertname": "ReplsetMemberUnhealthy", "severity": "warning", "member": "orders-1:27017"}
        self.assertTrue(self.is_inhibited(unhealthy, known))
        self.assertFalse(self.is_inhibited({**unhealthy, "member": "orders-2:27017"}, known))
        self.assertFalse(self.is_inhibited({**unhealthy, "replset": "rs1"}, known))
        self.assertFalse(self.is_inhibited(unhealthy, down))
        at_risk = {**place, "alertname": "ReplsetMajorityAtRisk", "severity": "warning"}
        self.assertTrue(self.is_inhibited(at_risk, known) and self.is_inhibited(at_risk, down))
        self.assertFalse(self.is_inhibited({**at_risk, "cluster": "west"}, known))

    def is_inhibited(self, target, source):
        """As Alertmanager has it: a label that both lack is equal."""
        return any(matches(rule["source_matchers"], source) and matches(rule["target_matchers"], target)
                   and all(source.get(label, "") == target.get(label, "") for label in rule["equal"])
                   for rule in yaml.safe_load(self.CONFIG.read_text())["inhibit_rules"])

    def test_inhibitions_name_alerts_that_exist(self):
        rules = yaml.safe_load(self.CONFIG.read_text())["inhibit_rules"]
        named = re.findall(r"\balertname\s*=~?\s*([\w|]+)", yaml.dump(rules, width=10_000))
        self.assertTrue(named)
        self.assertEqual(sorted(set("|".join(named).split("|")) - rulebook.NAMES), [])


def matches(matchers, labels):
    parts = (re.fullmatch(r'(\w+)\s*(=~?)\s*"?([^"]*)"?', matcher) for matcher in matchers)
    return all(re.fullmatch(value if operator == "=~" else re.escape(value), labels.get(label, ""))
               for label, operator, value in (part.groups() for part in parts))
