"""What the rules say for given policies; and that nft takes them, where nft is there."""

import os
import shutil
import subprocess
import unittest

from harness.policy_rules import TABLE, State, directions, render, selects

NETWORK = "10.213.64.0/24"


def pod(namespace, name, address, labels=None, ports=None, **status):
    return {"metadata": {"namespace": namespace, "name": name, "labels": labels or {}},
            "spec": {"containers": [{"ports": ports or []}]}, "status": {"podIP": address, "phase": "Running", **status}}


def policy(spec, namespace="shop", name="p"):
    return {"metadata": {"namespace": namespace, "name": name}, "spec": spec}


def state(*pods, policies=(), namespaces=()):
    return State(
        pods={f"{p['metadata']['namespace']}/{p['metadata']['name']}": p for p in pods},
        policies={f"{p['metadata']['namespace']}/{p['metadata']['name']}": p for p in policies},
        namespaces={name: {"metadata": {"name": name, "labels": labels}} for name, labels in namespaces})


DB = pod("shop", "db", "10.213.64.2", {"app": "db"}, [{"name": "mongo", "containerPort": 27017}])
API = pod("shop", "api", "10.213.64.3", {"app": "api"})
STRANGER = pod("other", "api", "10.213.64.4", {"app": "api"})


def chain(text, name):
    """The lines of one chain; None when there is none."""
    _, found, rest = text.partition(f"chain {name} {{\n")
    return [line.strip() for line in rest.partition("  }")[0].splitlines()] if found else None


class Selectors(unittest.TestCase):
    def test_an_empty_selector_selects_everything(self):
        self.assertTrue(selects({}, {}))
        self.assertTrue(selects(None, {"a": "b"}))

    def test_expressions(self):
        cases = [("In", ["a"], "a", True), ("In", ["a"], "b", False), ("In", ["a"], None, False), ("NotIn", ["a"], "b", True), ("NotIn", ["a"], "a", False),
                 ("NotIn", ["a"], None, True), ("Exists", [], "x", True), ("Exists", [], None, False), ("DoesNotExist", [], None, True), ("DoesNotExist", [], "x", False)]
        for operator, values, value, expected in cases:
            expression = {"matchExpressions": [{"key": "k", "operator": operator, "values": values}]}
            with self.subTest(operator=operator, value=value):
                self.assertEqual(selects(expression, {} if value is None else {"k": value}), expected)

    def test_all_parts_must_match(self):
        selector = {"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}
        self.assertFalse(selects(selector, {"a": "1"}))
        self.assertTrue(selects(selector, {"a": "1", "b": ""}))


class Rules(unittest.TestCase):
    def ingress(self, spec, *others, namespaces=()):
        policies = [policy({"podSelector": {"matchLabels": {"app": "db"}}, **spec})]
        return chain(render(state(DB, API, STRANGER, *others, policies=policies, namespaces=namespaces), NETWORK), "ingress_10_213_64_2")

    def test_a_pod_that_no_policy_selects_is_open(self):
        self.assertNotIn("ingress_", render(state(DB, API), NETWORK))

    def test_a_policy_without_rules_closes(self):
        self.assertEqual(self.ingress({}), ["counter drop"])

    def test_an_empty_rule_opens_for_everybody(self):
        self.assertEqual(self.ingress({"ingress": [{}]}), ["return", "counter drop"])

    def test_a_pod_selector_stays_in_its_namespace(self):
        spec = {"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}]}
        self.assertEqual(self.ingress(spec), ["ip saddr { 10.213.64.3 } return", "counter drop"])

    def test_a_namespace_selector_reaches_other_namespaces(self):
        spec = {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "b"}}}]}]}
        found = self.ingress(spec, namespaces=[("shop", {}), ("other", {"team": "b"})])
        self.assertEqual(found, ["ip saddr { 10.213.64.4 } return", "counter drop"])

    def test_both_selectors_of_a_peer_must_match(self):
        spec = {"ingress": [{"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "none"}}}]}]}
        self.assertEqual(self.ingress(spec, namespaces=[("shop", {}), ("other", {})]), ["counter drop"])

    def test_a_rule_whose_peers_match_nobody_opens_for_nobody(self):
        self.assertEqual(self.ingress({"ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "none"}}}]}]}), ["counter drop"])

    def test_blocks_with_exceptions(self):
        spec = {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}]}
        self.assertEqual(self.ingress(spec), ["ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16 } return", "counter drop"])

    def test_ports(self):
        cases = [({"port": 80}, "tcp dport 80"), ({"port": 53, "protocol": "UDP"}, "udp dport 53"), ({"port": 80, "endPort": 90}, "tcp dport 80-90"),
                 ({"protocol": "UDP"}, "meta l4proto udp"), ({"port": "mongo"}, "ip daddr 10.213.64.2 tcp dport 27017")]
        for port, expected in cases:
            with self.subTest(port=port):
                self.assertEqual(self.ingress({"ingress": [{"ports": [port]}]}), [f"{expected} return", "counter drop"])

    def test_a_port_name_that_the_pod_has_not_opens_nothing(self):
        self.assertEqual(self.ingress({"ingress": [{"ports": [{"port": "nothing"}]}]}), ["counter drop"])

    def test_policies_add_up(self):
        first = policy({"podSelector": {}, "ingress": [{"ports": [{"port": 1}]}]}, name="a")
        second = policy({"podSelector": {}, "ingress": [{"ports": [{"port": 2}]}]}, name="b")
        text = render(state(DB, policies=[first, second]), NETWORK)
        self.assertEqual(chain(text, "ingress_10_213_64_2"), ["tcp dport 1 return", "tcp dport 2 return", "counter drop"])

    def test_a_policy_does_not_reach_into_another_namespace(self):
        text = render(state(DB, STRANGER, policies=[policy({"podSelector": {}}, namespace="other")]), NETWORK)
        self.assertIsNone(chain(text, "ingress_10_213_64_2"))
        self.assertIsNotNone(chain(text, "ingress_10_213_64_4"))

    def test_egress_by_a_named_port_is_that_of_each_target(self):
        spec = {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Egress"], "egress": [{"ports": [{"port": "mongo"}]}]}
        found = chain(render(state(DB, API, policies=[policy(spec)]), NETWORK), "egress_10_213_64_3")
        self.assertEqual(found, ["ip daddr 10.213.64.2 tcp dport 27017 return", "counter drop"])

    def test_egress_to_the_node_is_held_too(self):
        text = render(state(API, policies=[policy({"podSelector": {}, "policyTypes": ["Egress"]})]), NETWORK)
        self.assertIn("ip saddr vmap { 10.213.64.3 : jump egress_10_213_64_3 }", "\n".join(chain(text, "input")))

    def test_directions_that_are_not_named_follow_from_the_rules(self):
        self.assertEqual(directions(policy({})), ["Ingress"])
        self.assertEqual(directions(policy({"egress": [{}]})), ["Ingress", "Egress"])
        self.assertEqual(directions(policy({"policyTypes": ["Egress"]})), ["Egress"])


class Addresses(unittest.TestCase):
    def test_an_address_of_nobody_is_closed(self):
        text = render(state(), NETWORK)
        self.assertIn("set known { type ipv4_addr; }", text)
        self.assertIn(f"ip daddr {NETWORK} ip daddr != @known counter drop", chain(text, "forward"))

    def test_an_announced_pod_is_held_before_its_status_has_an_address(self):
        fresh = pod("shop", "db", None, {"app": "db"})
        given = state(fresh, policies=[policy({"podSelector": {}})])
        self.assertNotIn("ingress_", render(given, NETWORK))
        given.announced["10.213.64.9"] = "shop/db"
        self.assertEqual(chain(render(given, NETWORK), "ingress_10_213_64_9"), ["counter drop"])

    def test_a_finished_pod_and_one_on_the_node_s_network_have_no_address(self):
        finished = pod("shop", "job", "10.213.64.8", phase="Succeeded")
        on_the_node = pod("shop", "agent", "10.213.0.2")
        on_the_node["spec"]["hostNetwork"] = True
        self.assertIn("set known { type ipv4_addr; }", render(state(finished, on_the_node), NETWORK))


@unittest.skipUnless(shutil.which("nft") and os.geteuid() == 0, "needs nft and root")
class Accepted(unittest.TestCase):
    def test_nft_takes_rules_of_every_kind_twice(self):
        spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
                             "ports": [{"port": "mongo"}, {"port": 80, "endPort": 90}, {"protocol": "UDP"}]}],
                "egress": [{"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}]}
        text = render(state(DB, API, STRANGER, policies=[policy(spec)], namespaces=[("other", {})]), NETWORK)
        # In a network namespace that goes with the command.
        result = subprocess.run(["unshare", "--net", "sh", "-c", f"nft -f - <<'RULES' && nft -f - <<'RULES' && nft list table inet {TABLE}\n{text}\nRULES\n{text}\nRULES"],
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr + text)


if __name__ == "__main__":
    unittest.main()
