"""What a team does with the product in its life, on one installation: each test leaves it whole."""

import base64
import json
import re
import socket
import time
import urllib.parse
import urllib.request

from . import store, target
from .fixture import Kubernetes, client_pod
from .ledger import Ledger
from .product import API, DATABASE, RELEASE, ProductTest

CONNECT = "timeout 3 bash -c 'exec 3<>/dev/tcp/{host}/{port}' && echo open"


def connects(cluster: Kubernetes, pod: str, address: str, port: int) -> bool:
    return cluster.execute(pod, "sh", "-c", CONNECT.format(host=address, port=port), check=False).stdout.strip() == "open"


class Life(ProductTest):
    minutes = 12.0
    quiet_start = True

    def test_01_one_install_brings_everything_up(self):
        self.figure(f"helm install to all ready: {self.seconds_to_install:.0f} s (limit 180)")
        self.assertLess(self.seconds_to_install, 180)
        self.wait_for_members()
        self.cluster.helm("test", RELEASE, "--timeout", "3m")

    def test_02_the_api_answers_outside_and_limits_who_asks_too_much(self):
        self.outside()
        api = self.product.edge()
        status, order = api.order("ada", f"k-{time.time()}")
        self.assertEqual(status, 201, order)
        self.assertEqual(api.call("GET", f"/v1/orders/{order['id']}")[0], 200)
        answers = [api.call("GET", "/v1/orders?limit=1")[0] for _ in range(150)]
        self.assertIn(429, answers)
        self.assertIn(200, answers[:20])
        self.eventually(lambda: api.call("GET", "/v1/orders?limit=1")[0] == 200, 30, "the API after the burst")

    def test_03_the_database_is_reached_by_its_clients_only(self):
        other = self.new_namespace()
        address = self.cluster.get("pod", f"{DATABASE}-0")["status"]["podIP"]
        label = {"tidemark/mongodb-client": DATABASE}
        self.cluster.apply(client_pod("friend", label, restricted=True), client_pod("stranger", restricted=True))
        self.addCleanup(self.cluster.kubectl, "delete", "pod", "friend", "stranger", "--wait=false")
        other.apply(client_pod("neighbour", label))
        self.cluster.wait_ready("friend", "stranger")
        other.wait_ready("neighbour")
        self.assertTrue(connects(self.cluster, "friend", address, 27017), "a client cannot connect, so the test would prove nothing")
        self.assertFalse(connects(self.cluster, "stranger", address, 27017))
        self.assertFalse(connects(other, "neighbour", address, 27017))
        if not target.is_foreign():
            with self.assertRaises(OSError):
                socket.create_connection((address, 27017), timeout=3).close()
        types = {service["spec"]["type"] for service in json.loads(self.cluster.kubectl("get", "services", "--selector=app.kubernetes.io/name=mongodb", "--output=json").stdout)["items"]}
        self.assertEqual(types, {"ClusterIP"})

    def test_03_metrics_are_read_by_the_prometheus_of_the_release_only(self):
        other = self.new_namespace()
        agents = Kubernetes(self.product.node_namespace)
        agent = json.loads(agents.kubectl("get", "pods", "--output=json").stdout)["items"][0]["status"]["podIP"]
        doors = [(self.cluster.get("pod", f"{DATABASE}-0")["status"]["podIP"], 9717), (agent, 9719)]
        # Whoever makes a pod chooses its labels, and nobody chooses the name of its namespace.
        label = {"app.kubernetes.io/name": "prometheus"}
        self.cluster.apply(client_pod("watcher", label, restricted=True), client_pod("stranger", restricted=True))
        self.addCleanup(self.cluster.kubectl, "delete", "pod", "watcher", "stranger", "--wait=false")
        other.apply(client_pod("pretender", label))
        self.cluster.wait_ready("watcher", "stranger")
        other.wait_ready("pretender")
        for address, port in doors:
            self.assertTrue(connects(self.cluster, "watcher", address, port), f"Prometheus cannot connect to {port}, so the test would prove nothing")
            self.assertFalse(connects(self.cluster, "stranger", address, port), port)
            self.assertFalse(connects(other, "pretender", address, port), port)

    def test_04_status_tells_what_can_be_restored(self):
        status = self.eventually(self.restorable, 300, "a snapshot with its oplog")
        self.assertEqual(status["lineages"][0]["gaps"], [])

    def restorable(self) -> dict:
        result = self.product.dr("status", "--json", check=False)
        if result.returncode != 0:
            return {}
        status = json.loads(result.stdout)
        return status if any(lineage.get("windows") for lineage in status.get("lineages", [])) else {}

    def whole(self, ledger: Ledger) -> None:
        """Nothing that was acknowledged is missing, and the archive goes on without a gap."""
        self.assertEqual(ledger.missing(), [], f"of {len(ledger.acknowledged)}")
        written = time.time()
        # While nothing is written an archive is content to be a minute old.
        self.assertEqual(self.product.edge().order(ledger.customer, f"k-{written}")[0], 201)

        def archived() -> bool:
            status = self.restorable()
            lineage = (status.get("lineages") or [{}])[0]
            through = lineage.get("archived_through") or status.get("archived_through") or "0:0"
            return int(through.split(":")[0]) >= written - 1 and lineage.get("gaps") == []

        self.eventually(archived, 120, "the archive, up to what was written last and without a gap")

    def test_05_a_deleted_member_loses_no_acknowledged_write(self):
        self.outside()
        with Ledger(self.product.edge()) as ledger:
            ledger.wait_for(10)
            self.cluster.kubectl("delete", "pod", self.eventually(self.product.primary, 60, "a primary"), "--wait=false")
            ledger.wait_for(30, 120)
        self.wait_for_members()
        self.whole(ledger)

    def test_06_a_primary_that_is_killed_loses_no_acknowledged_write(self):
        self.outside()
        killer = self.new_namespace()
        primary = self.eventually(self.product.primary, 60, "a primary")
        # Pods of the same name run in other namespaces. A cgroup driver may write the identifier with underscores.
        uid = self.cluster.get("pod", primary)["metadata"]["uid"]
        script = ("for p in /proc/[0-9]*; do [ \"$(readlink $p/exe 2>/dev/null | sed 's/.*[/]//')\" = mongod ] && "
                  f"tr _ - < $p/cgroup | grep -q pod{uid} && kill -9 ${{p#/proc/}} && echo killed; done; true")
        root = {"securityContext": {"privileged": True, "runAsUser": 0}}
        with Ledger(self.product.edge()) as ledger:
            ledger.wait_for(10)
            killer.apply({**client_pod("killer", container=root, hostPID=True, restartPolicy="Never")})
            killer.wait_ready("killer")
            self.assertEqual(killer.execute("killer", "sh", "-c", script).stdout.strip(), "killed")
            ledger.wait_for(30, 120)
        self.wait_for_members()
        self.whole(ledger)

    def test_07_a_member_without_its_volume_comes_back(self):
        self.outside()
        victim = sorted(pod for pod, state in self.product.states().items() if state == "SECONDARY")[0]
        before = self.cluster.get("persistentvolumeclaim", f"data-{victim}")["metadata"]["uid"]
        with Ledger(self.product.edge()) as ledger:
            ledger.wait_for(10)
            self.cluster.kubectl("delete", "persistentvolumeclaim", f"data-{victim}", "--wait=false")
            self.cluster.kubectl("delete", "pod", victim, "--wait=true", timeout=120)
            self.eventually(lambda: self.claim(victim) not in ("", before), 120, "a new volume")
            ledger.wait_for(20, 120)
        self.wait_for_members(300)
        self.whole(ledger)

    def claim(self, pod: str) -> str:
        found = self.cluster.kubectl("get", "persistentvolumeclaim", f"data-{pod}", "--output=json", check=False).stdout
        return json.loads(found)["metadata"]["uid"] if found else ""

    def test_08_an_upgrade_goes_by_without_a_failed_request(self):
        self.outside()
        with Ledger(self.product.edge(), clients=2, pause=0.2) as ledger:
            ledger.wait_for(10)
            # Another threshold restarts every member; another level every API pod.
            self.product.upgrade("--set=mongodb.mongod.slowOpThresholdMs=0", "--set=orders-api.config.LOG_LEVEL=debug")
            self.wait_for_members()
            ledger.wait_for(10)
        self.figure(f"an upgrade that restarts every member and every API pod: {len(ledger.acknowledged)} requests, {len(ledger.failures)} failed (limit 0)")
        self.no_request_failed(ledger)
        self.whole(ledger)

    def test_09_a_slow_query_is_a_metric_with_its_pod(self):
        # Everything is slow; nothing changes when it was upgraded to that before.
        self.product.upgrade("--set=mongodb.mongod.slowOpThresholdMs=0")
        self.wait_for_members()
        agent = Kubernetes(self.product.node_namespace)
        name = agent.kubectl("get", "pods", "--output=name").stdout.split()[0]

        def counted() -> bool:
            with agent.port_forward(name, 9719) as port, urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
                text = answer.read().decode()
            wanted = rf'tidemark_slow_ops_total\{{namespace="{self.cluster.namespace}",pod="{DATABASE}-\d",db="orders",coll="orders",.*\}} [1-9]'
            return bool(re.search(wanted, text))

        self.product.edge().order("ada", f"k-{time.time()}")
        self.eventually(counted, 60, "the metric of the API's collection")

    def test_10_the_api_is_scaled(self):
        self.outside()
        self.product.upgrade("--set=mongodb.mongod.slowOpThresholdMs=0")
        self.cluster.kubectl("scale", f"deployment/{API}", "--replicas=3")
        self.cluster.kubectl("rollout", "status", f"deployment/{API}", "--timeout=90s", timeout=100)
        with self.cluster.watch("deployment", API, ".spec.replicas") as wanted, Ledger(self.product.edge(), pause=0.2) as ledger:
            ledger.wait_for(10)
            self.product.upgrade("--set=mongodb.mongod.slowOpThresholdMs=0", "--set=orders-api.autoscaling.enabled=true", "--set=orders-api.autoscaling.minReplicas=2")
            ledger.wait_for(10)
        # One pod alone serves well until it does not.
        self.assertGreaterEqual(min(int(number) for number in wanted), 2, wanted)
        self.no_request_failed(ledger)

        def measured() -> bool:
            metrics = self.cluster.get("horizontalpodautoscaler", API)["status"].get("currentMetrics") or []
            return any("averageUtilization" in (metric.get("resource", {}).get("current") or {}) for metric in metrics)

        self.eventually(measured, 180, "the autoscaler's own measurement")
        self.product.upgrade("--set=mongodb.mongod.slowOpThresholdMs=0")

    def test_11_evictions_are_held_back_while_a_member_is_away(self):
        evict = lambda pod: self.cluster.kubectl(  # noqa: E731
            "create", "--raw", f"/api/v1/namespaces/{self.cluster.namespace}/pods/{pod}/eviction", "--filename=-", check=False,
            stdin=json.dumps({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.cluster.namespace}}))
        self.wait_for_members()
        first, second = evict(f"{DATABASE}-1"), evict(f"{DATABASE}-2")
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn("disruption budget", second.stderr)
        self.wait_for_members()

    def test_12_a_password_is_rotated(self):
        self.outside()
        old = self.product.password("orders")
        self.product.upgrade("--set=mongodb.mongod.slowOpThresholdMs=0", "--set-string=mongodb.auth.passwords.orders=rotated-once", "--set-string=orders-api.database.revision=2")
        self.assertNotEqual(old, self.product.password("orders"))
        url = base64.b64decode(self.cluster.get("secret", f"{DATABASE}-orders")["data"]["MONGODB_URL"]).decode()
        self.assertIn("rotated-once", urllib.parse.unquote(url))
        status, order = self.product.edge().order("ada", f"k-{time.time()}")
        self.assertEqual(status, 201, order)
        # The old one is refused.
        script = ("const {MongoClient} = require('mongodb'); const c = new MongoClient(process.env.MONGODB_URL.replace('rotated-once', process.argv[1]));"
                  "c.db().command({ping: 1}).then(() => console.log('let in'), (e) => console.log(e.codeName || e.message)).finally(() => c.close())")
        said = self.cluster.execute(f"deployment/{API}", "node", "--eval", script, old).stdout.strip()
        self.assertEqual(said, "AuthenticationFailed")

    def test_13_a_stopped_archive_raises_the_alarm_in_the_cluster(self):
        store.set_up(self.store, False)
        try:
            self.product.edge().order("ada", f"k-{time.time()}")

            def fires() -> bool:
                with self.cluster.port_forward(f"service/{RELEASE}-monitoring-prometheus", 9090) as port, \
                        urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=10) as answer:
                    alerts = json.loads(answer.read())["data"]["alerts"]
                return any(alert["labels"]["alertname"] == "ArchiveStalled" and alert["state"] == "firing" for alert in alerts)

            self.eventually(fires, 420, "ArchiveStalled")
        finally:
            store.set_up(self.store, True)
        self.eventually(self.restorable, 120, "the archive again")

    def test_14_it_costs_little_when_idle(self):
        def usage() -> list[tuple[int, int]]:
            lines = self.cluster.kubectl("top", "pods", "--containers", "--no-headers", check=False).stdout.splitlines()
            found = [line.split() for line in lines if line.split()[1:2] == ["sidecar"]]
            return [(int(cpu.removesuffix("m")), int(memory.removesuffix("Mi"))) for _, _, cpu, memory in found]

        time.sleep(30)
        measured = self.eventually(usage, 60, "metrics of containers")
        agent = Kubernetes(self.product.node_namespace).kubectl("top", "pods", "--no-headers").stdout.split()
        of_agent = (int(agent[1].removesuffix("m")), int(agent[2].removesuffix("Mi")))
        cpu, memory = max(cpu for cpu, _ in measured) + of_agent[0] / 3, max(memory for _, memory in measured) + of_agent[1] / 3
        self.figure(f"idle overhead of a member, sidecar and its third of the node agent: {cpu:.0f} millicores (limit 20), {memory:.0f} MiB (limit 60); "
                    f"sidecars {measured}, node agent {of_agent}")
        self.assertLessEqual(memory, 60)
        self.assertLessEqual(cpu, 20)
