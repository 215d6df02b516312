"""The cluster is a real one: what charts rely on holds before any chart is tried."""

import time
import urllib.request

from . import target
from .fixture import ClusterTest, client_pod, pod, service, web_pod


class Node(ClusterTest):
    def test_a_pod_runs_and_can_be_looked_into(self):
        began = time.monotonic()
        self.cluster.apply(pod("hello", ["sh", "-c", "echo hello; exec sleep 100000"]))
        self.cluster.wait_ready("hello")
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual(self.cluster.kubectl("logs", "hello").stdout, "hello\n")
        self.assertEqual(self.cluster.execute("hello", "hostname").stdout, "hello\n")

    def test_a_service_is_found_by_name_and_answers(self):
        self.cluster.apply(web_pod("web", {"app": "web"}), service("web", {"app": "web"}, 80, 8080), client_pod("client"))
        self.cluster.wait_ready("web", "client")
        names = ["web", f"web.{self.cluster.namespace}.svc.cluster.local"]
        for name in names:
            answer = self.eventually(lambda: self.cluster.execute("client", "curl", "-sS", "--max-time", "5", f"http://{name}", check=False).stdout, 20, name)
            self.assertEqual(answer, "web\n")

    def test_a_pod_of_a_headless_service_is_found_by_name_before_it_is_ready(self):
        never = {"readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1}}
        self.cluster.apply(
            service("db", {"app": "db"}, 80, 8080, clusterIP="None", publishNotReadyAddresses=True), client_pod("client"),
            pod("db-0", ["sh", "-c", "mkdir /tmp/www; hostname > /tmp/www/index.html; exec busybox httpd -f -p 8080 -h /tmp/www"], {"app": "db"},
                hostname="db-0", subdomain="db", container=never))
        self.cluster.wait_ready("client")
        ask = lambda: self.cluster.execute("client", "curl", "-sS", "--max-time", "5", "http://db-0.db:8080", check=False).stdout  # noqa: E731
        self.assertEqual(self.eventually(ask, 30, "db-0.db"), "db-0\n")

    def test_an_unknown_name_fails_at_once(self):
        self.cluster.apply(client_pod("client"))
        self.cluster.wait_ready("client")
        began = time.monotonic()
        result = self.cluster.execute("client", "curl", "-sS", "--max-time", "8", "http://no-such-name", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("resolve", result.stderr)
        self.assertLess(time.monotonic() - began, 6)

    def test_a_port_is_forwarded_to_this_machine(self):
        self.cluster.apply(web_pod("web"))
        self.cluster.wait_ready("web")
        with self.cluster.port_forward("pod/web", 8080) as port, urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=10) as answer:
            self.assertEqual(answer.read(), b"web\n")

    def test_a_node_port_answers_outside(self):
        self.outside()
        self.cluster.apply(web_pod("web", {"app": "web"}), service("web", {"app": "web"}, 80, 8080, type="NodePort"))
        self.cluster.wait_ready("web")
        port = self.cluster.get("service", "web")["spec"]["ports"][0]["nodePort"]
        address = self.cluster.get("pod", "web")["status"]["hostIP"]

        def ask() -> bytes:
            try:
                with urllib.request.urlopen(f"http://{address}:{port}", timeout=5) as answer:
                    return answer.read()
            except OSError:
                return b""

        self.assertEqual(self.eventually(ask, 20, "the node port"), b"web\n")

    def test_metrics_of_pods_are_served_for_autoscalers(self):
        self.cluster.apply(pod("busy", ["sh", "-c", "while :; do :; done"], container={"resources": {"limits": {"cpu": "100m", "memory": "32Mi"}}}))
        self.cluster.wait_ready("busy")
        line = self.eventually(lambda: self.cluster.kubectl("top", "pod", "busy", "--no-headers", check=False).stdout.split(), 120, "metrics of the pod")
        self.assertGreater(int(line[1].removesuffix("m")), 50)

    def test_a_container_over_its_memory_limit_is_killed_and_started_again(self):
        greedy = ["sh", "-c", "tail -c 200000000 /dev/zero | sort > /dev/null; exit 1"]
        self.cluster.apply(pod("greedy", greedy, container={"resources": {"limits": {"memory": "32Mi"}}}))

        def restarts() -> bool:
            statuses = self.cluster.get("pod", "greedy")["status"].get("containerStatuses") or [{}]
            return statuses[0].get("restartCount", 0) > 0

        self.eventually(restarts, 60, "a restart")


class Volumes(ClusterTest):
    def claim(self) -> dict:
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "100Mi"}}}}

    def writer(self, name: str) -> dict:
        user = {"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001, "runAsNonRoot": True}
        return pod(name, ["sh", "-c", "echo $HOSTNAME >> /data/log; exec sleep 100000"], securityContext=user,
                   volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
                   container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]})

    def test_what_is_in_a_volume_survives_its_pod(self):
        self.cluster.apply(self.claim(), self.writer("first"))
        self.cluster.wait_ready("first")
        self.cluster.kubectl("delete", "pod", "first", "--wait")
        self.cluster.apply(self.writer("second"))
        self.cluster.wait_ready("second")
        read = lambda: self.cluster.execute("second", "cat", "/data/log").stdout == "first\nsecond\n"  # noqa: E731
        self.eventually(read, 10, "both lines")


class PodSecurity(ClusterTest):
    pod_security = "restricted"

    def test_restricted_refuses_what_asks_for_more(self):
        refused = self.cluster.kubectl("run", "root", f"--image={target.image()}", check=False)
        self.assertEqual(refused.returncode, 1)
        self.assertIn('violates PodSecurity "restricted', refused.stderr)

    def test_restricted_takes_what_asks_for_little(self):
        self.cluster.apply(client_pod("modest", restricted=True))
        self.cluster.wait_ready("modest")
