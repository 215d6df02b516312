"""What the charts give to Prometheus and Alertmanager is what these accept, and what the rules expect."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

import helm

PROMTOOL = os.environ.get("PROMTOOL", "promtool")
AMTOOL = os.environ.get("AMTOOL", "amtool")
PLAIN = {"prometheus": {"enabled": True}, "cluster": "prod", "alertmanager": {"enabled": True, "pageUrl": "http://page.example/hook"}}


class Monitoring(unittest.TestCase):
    def test_promtool_accepts_configuration_and_rules(self):
        # Debian's promtool knows no discovery by Kubernetes.
        documents = helm.render("monitoring", helm.merged(PLAIN, {"prometheus": {"discovery": "dns"}}))
        with tempfile.TemporaryDirectory() as folder:
            rules = pathlib.Path(folder, "rules.yaml")
            rules.write_text(helm.look(documents, "ConfigMap/r-monitoring-rules data/rules.yaml"))
            config = pathlib.Path(folder, "prometheus.yml")
            config.write_text(
                helm.look(documents, "ConfigMap/r-monitoring-prometheus data/prometheus.yml").replace("/etc/prometheus-rules/rules.yaml", str(rules))
            )
            done = subprocess.run([PROMTOOL, "check", "config", config], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("rules found", done.stdout)

    def test_amtool_accepts_routes_of_ours_with_receivers_of_theirs(self):
        config = helm.look(helm.render("monitoring", PLAIN), "Secret/r-monitoring-alertmanager stringData/alertmanager.yml")
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(config)
            file.flush()
            done = subprocess.run([AMTOOL, "check-config", file.name], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            page = subprocess.run(
                [AMTOOL, "config", "routes", "test", f"--config.file={file.name}", "product=tidemark", "severity=critical"], capture_output=True, text=True
            )
            self.assertEqual(page.stdout.strip(), "page")
        example = yaml.safe_load((helm.REPOSITORY / "alerts/alertmanager.example.yaml").read_text())
        ours = yaml.safe_load(config)
        self.assertEqual((ours["route"], ours["inhibit_rules"]), (example["route"], example["inhibit_rules"]))
        self.assertNotIn("127.0.0.1", config)

    def test_rules_are_those_of_alerts(self):
        generated = yaml.safe_load((helm.REPOSITORY / "alerts/generated/prometheusrule.yaml").read_text())
        rule = helm.find(helm.render("monitoring", {"operator": {"enabled": True}}), "PrometheusRule/r-monitoring")
        self.assertEqual(rule["spec"], generated["spec"])

    def test_dashboards_are_those_of_dashboards(self):
        maps = [document for document in helm.render("monitoring") if (document["metadata"]["labels"] or {}).get("grafana_dashboard") == "1"]
        found = {name: json.loads(text) for document in maps for name, text in document["data"].items()}
        expected = {path.name: json.loads(path.read_text()) for path in (helm.REPOSITORY / "dashboards/generated").glob("*.json")}
        self.assertEqual(found, expected)

    def test_jobs_and_labels_are_those_that_the_rules_expect(self):
        parameters = yaml.safe_load((helm.REPOSITORY / "alerts/source/parameters.yaml").read_text())
        pattern = re.compile(parameters["sidecar_job"]["value"])
        config = helm.look(helm.render("monitoring", PLAIN), "ConfigMap/r-monitoring-prometheus data/prometheus.yml/|yaml")
        jobs = {job["job_name"]: job for job in config["scrape_configs"]}
        monitors = {
            document["metadata"]["name"].removeprefix("r-monitoring-"): document["spec"]["podMetricsEndpoints"][0]
            for document in helm.render("monitoring", {"operator": {"enabled": True}, "cluster": "prod"})
            if document["kind"] == "PodMonitor"
        }
        # The operator's Prometheus is scraped by whoever installed it.
        own = jobs.pop("prometheus")
        self.assertEqual(own["static_configs"], [{"targets": ["127.0.0.1:9090"], "labels": {"namespace": "ns", "cluster": "prod"}}])
        self.assertEqual(set(jobs), set(monitors))
        self.assertEqual([name for name in jobs if pattern.fullmatch(name)], ["tidemark-sidecar", "tidemark-node"])
        for name, job in jobs.items():
            labels = {relabelling.get("target_label") for relabelling in job["relabel_configs"]}
            self.assertLessEqual({"namespace", "pod", "cluster"}, labels)
            self.assertEqual(job.get("honor_labels", False), name == "tidemark-node")
            self.assertEqual(monitors[name]["honorLabels"], name == "tidemark-node")

    def test_services_for_discovery_by_dns_are_there(self):
        config = helm.look(
            helm.render("monitoring", {"prometheus": {"enabled": True, "discovery": "dns"}}), "ConfigMap/r-monitoring-prometheus data/prometheus.yml/|yaml"
        )
        services = {
            f"_metrics._tcp.{document['metadata']['name']}.{document['metadata'].get('namespace', 'ns')}.svc": document["spec"]
            for document in helm.render("tidemark")
            if document["kind"] == "Service"
        }
        for job in (job for job in config["scrape_configs"] if "dns_sd_configs" in job):
            service = services[job["dns_sd_configs"][0]["names"][0]]
            self.assertEqual(service["clusterIP"], "None")
            self.assertIn("metrics", [port["name"] for port in service["ports"]])

    def test_what_is_scraped_is_there_and_lets_prometheus_in(self):
        config = helm.look(helm.render("monitoring", PLAIN), "ConfigMap/r-monitoring-prometheus data/prometheus.yml/|yaml")
        documents = helm.render("tidemark")
        kinds = {"mongodb": "StatefulSet/r-mongodb", "tidemark-node": "DaemonSet/r-tidemark-node", "orders-api": "Deployment/r-orders-api"}
        for job in (job for job in config["scrape_configs"] if "kubernetes_sd_configs" in job):
            name, container, port = job["relabel_configs"][0]["regex"].split(";")
            with self.subTest(job=job["job_name"]):
                template = helm.look(documents, f"{kinds[name]} spec/template")
                self.assertEqual(template["metadata"]["labels"]["app.kubernetes.io/name"], name)
                spec = template["spec"]
                (found,) = [each for each in spec["containers"] + spec.get("initContainers", []) if each["name"] == container]
                (number,) = [each["containerPort"] for each in found["ports"] if each["name"] == port]
                policy = helm.look(documents, f"NetworkPolicy/{kinds[name].split('/')[1]} spec/ingress")
                allowed = [rule for rule in policy if {"port": number, "protocol": "TCP"} in rule["ports"]]
                self.assertEqual(allowed[0]["from"][0]["podSelector"]["matchLabels"], {"app.kubernetes.io/name": "prometheus"})


if __name__ == "__main__":
    unittest.main()
