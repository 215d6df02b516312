"""All installations: against the schemas of Kubernetes 1.31 to 1.34, against bad practice, and against rules of our own."""

import base64
import gzip
import json
import os
import re
import subprocess
import unittest

import helm
from variants import variants

SCHEMAS = os.environ.get("KUBERNETES_SCHEMAS", "")
KUBECONFORM = os.environ.get("KUBECONFORM", "kubeconform")
KUBE_SCORE = os.environ.get("KUBE_SCORE", "kube-score")
# Their definitions are of others, and are not in the schemas of Kubernetes.
FOREIGN = "Certificate,PrometheusRule,PodMonitor,HTTPRoute,BackendTrafficPolicy"
# What kube-score is not asked, and why.
LEFT_OUT = {
    "container-image-pull-policy": "tags are of a release and never move; `Always` would make a registry part of each restart",
    "container-ephemeral-storage-request-and-limit": "root file systems are read-only and every emptyDir has a size limit",
}
NO_CPU_LIMIT = "--ignore-container-cpu-limit"  # Throttled databases lose elections; requests share a node fairly.
# What it may find, and why that stays.
FOUND = {
    r"(tidemark-node|log-collector).*: \((node|collector)\) The container (is )?running with a low (user|group) ID": "the logs of pods belong to root",
    r"default-deny/.*selector doesn't match any pods": "the pods come later",
    r"(orders-api|mongodb).* does not have a host podAntiAffinity set": "topologySpreadConstraints, and a choice: affinityPreset",
    r"edge.*(same readiness and liveness probe|few replicas|NodePort)": "an entry for one machine",
    r"monitoring-\w+ .*(update strategy|few replicas)": "two of them cannot share a store",
    r"alertmanager.*egress NetworkPolicy": "receivers may be anywhere",
}
# May not run otherwise, and why.
ROOT = {"node": "the logs of pods belong to root", "collector": "the logs of pods belong to root"}


def pods(documents):
    """(its name, pod template) of everything that makes pods."""
    for document in documents:
        spec = document.get("spec") or {}
        template = {"Pod": document, "CronJob": ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template")}.get(document["kind"], spec.get("template"))
        if template and "containers" in template.get("spec", {}):
            yield f"{document['kind']}/{document['metadata']['name']}", template


def containers(template):
    return template["spec"]["containers"] + template["spec"].get("initContainers", [])


class Manifests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.installations = [(name, text, helm.parse(text)) for name, text in variants()]

    def conform(self, text, version):
        location = SCHEMAS + "/{{ .NormalizedKubernetesVersion }}-local-strict/{{ .ResourceKind }}{{ .KindSuffix }}.json"
        arguments = ["-strict", "-kubernetes-version", version, "-schema-location", location, "-skip", FOREIGN]
        return subprocess.run([KUBECONFORM, *arguments], input=text, capture_output=True, text=True)

    def test_schemas_of_each_kubernetes_accept_everything(self):
        everything = "\n---\n".join(text for _, text, _ in self.installations)
        for minor in (31, 32, 33, 34):
            with self.subTest(minor=minor):
                done = self.conform(everything, f"1.{minor}.0")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_schemas_are_strict(self):
        text = helm.text("orders-api").replace("  replicas: 2", "  replcas: 2")
        self.assertIn("replcas", self.conform(text, "1.33.0").stdout)

    def test_kube_score_finds_nothing_else(self):
        ignored = [argument for test in LEFT_OUT for argument in ("--ignore-test", test)]
        for name, text, _ in self.installations:
            with self.subTest(name):
                done = subprocess.run([KUBE_SCORE, "score", "--output-format", "ci", NO_CPU_LIMIT, *ignored, "-"], input=text, capture_output=True, text=True)
                found = [line for line in done.stdout.splitlines() if line.startswith(("[CRITICAL]", "[WARNING]"))]
                self.assertEqual(done.stderr, "")
                self.assertEqual([line for line in found if not any(re.search(known, line) for known in FOUND)], [])

    def test_pods_are_restricted(self):
        for name, _, documents in self.installations:
            for owner, template in pods(documents):
                with self.subTest(name, owner=owner):
                    spec = template["spec"]
                    if not owner.endswith("-prometheus"):
                        self.assertFalse(spec["automountServiceAccountToken"])
                    self.assertFalse(spec["enableServiceLinks"])
                    self.assertEqual(spec["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})
                    for key in ("hostNetwork", "hostPID", "hostIPC"):
                        self.assertNotIn(key, spec)
                    for container in containers(template):
                        context = container["securityContext"]
                        self.assertFalse(context["allowPrivilegeEscalation"])
                        self.assertTrue(context["readOnlyRootFilesystem"])
                        self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
                        self.assertEqual(spec["securityContext"].get("runAsNonRoot", False), container["name"] not in ROOT)
                        self.assertIn("memory", container["resources"]["limits"])
                        self.assertIn("cpu", container["resources"]["requests"])
                        self.assertNotIn("latest", container["image"])
                    for volume in spec.get("volumes", []):
                        if "hostPath" in volume:
                            self.assertTrue(owner.startswith("DaemonSet/"))
                        if "emptyDir" in volume:
                            self.assertIn("sizeLimit", volume["emptyDir"])

    def test_host_paths_are_read_only(self):
        for chart in ("tidemark-node", "log-collector"):
            template = dict(pods(helm.render(chart)))[f"DaemonSet/r-{chart}"]
            hosts = {volume["name"] for volume in template["spec"]["volumes"] if "hostPath" in volume}
            writable = [mount["name"] for mount in template["spec"]["containers"][0]["volumeMounts"] if mount["name"] in hosts and not mount.get("readOnly")]
            with self.subTest(chart):
                self.assertIn("logs", hosts)
                # Positions and queues have to outlive the pod.
                self.assertEqual(writable, {"tidemark-node": [], "log-collector": ["state"]}[chart])

    def test_every_pod_has_a_network_policy_in_both_directions(self):
        for name, _, documents in self.installations:
            policies = [document["spec"] for document in documents if document["kind"] == "NetworkPolicy"]
            for owner, template in pods(documents):
                if owner.endswith("-alertmanager"):
                    continue
                with self.subTest(name, owner=owner):
                    directions = {
                        direction
                        for policy in policies
                        if selects(policy["podSelector"], template["metadata"]["labels"])
                        for direction in policy["policyTypes"]
                    }
                    self.assertEqual(directions, {"Ingress", "Egress"})

    def test_nobody_is_let_in_by_a_label_that_any_namespace_can_give(self):
        for name, _, documents in self.installations:
            for document in documents:
                if document["kind"] != "NetworkPolicy":
                    continue
                for rule in document["spec"].get("ingress") or []:
                    for peer in rule.get("from") or []:
                        with self.subTest(name, policy=document["metadata"]["name"]):
                            self.assertNotEqual(peer.get("namespaceSelector"), {}, peer)

    def test_the_agent_is_read_by_the_prometheus_of_its_release(self):
        for name, _, documents in self.installations:
            for policy in (document for document in documents if document["kind"] == "NetworkPolicy" and document["metadata"]["name"].endswith(("tidemark-node", "log-collector"))):
                with self.subTest(name, policy=policy["metadata"]["name"]):
                    namespaces = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in policy["spec"]["ingress"][0]["from"]]
                    self.assertEqual(namespaces, [helm.NAMESPACE, "monitoring"])

    def test_servers_have_probes_and_liveness_is_not_readiness(self):
        for name, _, documents in self.installations:
            for owner, template in pods(documents):
                if owner.split("/")[0] not in ("Deployment", "StatefulSet", "DaemonSet"):
                    continue
                for container in template["spec"]["containers"]:
                    with self.subTest(name, owner=owner, container=container["name"]):
                        self.assertIn("livenessProbe", container)
                        self.assertIn("readinessProbe", container)
                        if container["name"] != "nginx":
                            self.assertNotEqual(probed(container["livenessProbe"]), probed(container["readinessProbe"]))

    def test_two_renderings_are_equal(self):
        helm._text.cache_clear()
        for (name, before, _), (_, after) in zip(self.installations, variants()):
            with self.subTest(name):
                self.assertEqual(before, after)

    def test_a_new_chart_that_changes_nothing_restarts_nobody(self):
        for name, text, documents in self.installations:
            newer = dict(pods(helm.parse(re.sub(r"(helm.sh/chart: [a-z-]+)-0\.1\.0", r"\1-0.2.0", text))))
            for owner, template in pods(documents):
                if owner.split("/")[0] in ("StatefulSet", "Deployment", "DaemonSet", "Job"):
                    with self.subTest(name, owner=owner):
                        self.assertEqual(template, newer[owner])

    def test_a_release_fits_into_its_secret(self):
        text = helm.text("tidemark")
        files = {str(path): path.read_text() for path in helm.CHARTS.glob("*/**/*") if path.is_file() and path.suffix != ".tgz"}
        stored = base64.b64encode(gzip.compress(json.dumps({"chart": files, "manifest": text}).encode()))
        self.assertLess(len(stored) * 4 // 3, 700_000, "a Secret of Kubernetes holds 1 MiB")

    def test_objects_are_in_the_namespace_of_the_release_or_their_own(self):
        for name, _, documents in self.installations:
            for document in documents:
                with self.subTest(name, object=document["metadata"]["name"]):
                    self.assertIn(document["metadata"].get("namespace", "ns"), ("ns", "tidemark-node", "agents", "shop", "log-collector"))


def selects(selector, labels):
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(labels.get(term["key"]) in term["values"] for term in selector.get("matchExpressions") or [])


def probed(probe):
    return probe.get("exec") or probe.get("httpGet")


if __name__ == "__main__":
    unittest.main()
