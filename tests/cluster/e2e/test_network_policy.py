"""Policies hold: from pods of other namespaces, from outside, and from the first moment of a pod."""

import socket

from .fixture import ClusterTest, client_pod, network_policy, web_pod

CLIENTS_ONLY = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [
    {"from": [{"podSelector": {"matchLabels": {"role": "client"}}}], "ports": [{"port": "http", "protocol": "TCP"}]}]}


class Policies(ClusterTest):
    def reaches(self, cluster, pod: str, address: str) -> bool:
        result = cluster.execute(pod, "curl", "-sS", "--max-time", "2", f"http://{address}:8080", check=False)
        return result.returncode == 0

    def address(self, pod: str) -> str:
        return self.cluster.get("pod", pod)["status"]["podIP"]

    def test_only_labelled_pods_of_the_same_namespace_reach_a_closed_pod(self):
        other = self.new_namespace()
        self.cluster.apply(web_pod("db", {"app": "db"}), client_pod("friend", {"role": "client"}), client_pod("stranger"))
        other.apply(client_pod("neighbour", {"role": "client"}))
        self.cluster.wait_ready("db", "friend", "stranger")
        other.wait_ready("neighbour")
        address = self.address("db")
        # Without a policy everybody gets in: so it is the policy that stops them below.
        for cluster, name in ((self.cluster, "friend"), (self.cluster, "stranger"), (other, "neighbour")):
            self.assertTrue(self.reaches(cluster, name, address), name)
        self.cluster.apply(network_policy("clients-only", CLIENTS_ONLY))
        self.eventually(lambda: not self.reaches(self.cluster, "stranger", address), 10, "the policy")
        self.assertTrue(self.reaches(self.cluster, "friend", address))
        self.assertFalse(self.reaches(other, "neighbour", address))

    def test_a_closed_pod_cannot_be_reached_from_outside(self):
        self.outside()
        self.cluster.apply(web_pod("db", {"app": "db"}))
        self.cluster.wait_ready("db")
        address = self.address("db")

        def connects() -> bool:
            try:
                socket.create_connection((address, 8080), timeout=2).close()
            except OSError:
                return False
            return True

        self.assertTrue(connects(), "there is no way to the pod from outside, so the test would prove nothing")
        self.cluster.apply(network_policy("clients-only", CLIENTS_ONLY))
        self.eventually(lambda: not connects(), 10, "the policy")

    def test_a_pod_without_leave_reaches_nobody(self):
        self.cluster.apply(web_pod("web"), client_pod("prisoner", {"role": "prisoner"}))
        self.cluster.wait_ready("web", "prisoner")
        address = self.address("web")
        self.assertTrue(self.reaches(self.cluster, "prisoner", address))
        self.cluster.apply(network_policy("nowhere", {"podSelector": {"matchLabels": {"role": "prisoner"}}, "policyTypes": ["Egress"]}))
        self.eventually(lambda: not self.reaches(self.cluster, "prisoner", address), 10, "the policy")

    def test_a_new_pod_is_held_by_its_policy_from_its_first_moment(self):
        self.outside()
        self.cluster.apply(web_pod("web"), network_policy("nowhere", {"podSelector": {"matchLabels": {"role": "prisoner"}}, "policyTypes": ["Egress"]}))
        self.cluster.wait_ready("web")
        # Tries from its first instruction on, much more often than a policy takes to arrive.
        script = f"for try in 1 2 3 4 5 6 7 8; do curl -s --max-time 0.3 http://{self.address('web')}:8080 && echo reached; done; echo done; exec sleep 100000"
        prisoner = client_pod("prisoner", {"role": "prisoner"})
        prisoner["spec"]["containers"][0]["command"] = ["sh", "-c", script]
        self.cluster.apply(prisoner)
        self.cluster.wait_ready("prisoner")
        said = self.eventually(lambda: "done" in (text := self.cluster.kubectl("logs", "prisoner").stdout) and text, 60, "the last try")
        self.assertEqual(said, "done\n")
