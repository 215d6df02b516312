"""Practice with all that a disaster needs: Terraform makes a place in the cluster, the chart fills it, its Job proves what came back, and nothing of it stays."""

import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from harness.settings import REPOSITORY

from . import store
from .fixture import ClusterTest, helm_program
from .ledger import Ledger
from .product import DATABASE, Product, prepared_charts

TERRAFORM = REPOSITORY / "scripts/fetch-terraform.sh"
# No reference can be restored yet.
NOT_FOUND = 3


def settings(archive: str) -> dict:
    """What charts/values/local says of the database, for one member."""
    return {
        "mode": "recovery", "replicaCount": 1, "image": {"pullPolicy": "Never"}, "persistence": {"size": "4Gi"},
        "sidecar": {"enabled": False, "image": {"tag": "dev", "pullPolicy": "Never"}},
        "mongod": {"oplogSizeMB": 990, "oplogMinRetentionHours": 1}, "resources": {"requests": {"cpu": "20m", "memory": "512Mi"}, "limits": {"memory": "512Mi"}},
        "archive": {"url": archive, "credentials": {"existingSecret": "archive"}},
        "networkPolicy": {"objectStore": [{"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app.kubernetes.io/component": "object-store"}}}]}]},
    }


class DrillInCluster(ClusterTest):
    minutes = 4.0

    @classmethod
    def prepare(cls) -> None:
        prepared_charts()

    def test_a_drill_in_a_place_that_terraform_made_passes_and_leaves_nothing(self):
        self.outside()
        if subprocess.run([TERRAFORM], capture_output=True).returncode != 0:
            self.skipTest("there is no terraform 1.11 or newer on PATH")
        place = self.new_namespace()
        store.install(place)
        store.make_bucket(place, "backups")
        # Who drills is outside, and reads the archive as well.
        labels, port = {"app.kubernetes.io/component": "object-store"}, {"port": store.PORT, "targetPort": "s3"}
        place.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "store-outside"}, "spec": {"type": "NodePort", "selector": labels, "ports": [port]}})
        source = Product(self.cluster, store.url(place, "backups", "shop"))
        source.install("--set=mongodb.replicaCount=1", "--set=tidemark-node.enabled=false", "--set=monitoring.enabled=false", "--set=mongodb.sidecar.sliceIdle=3s")
        with Ledger(source.edge()) as ledger:
            ledger.wait_for(20)
        kept = ledger.stored()
        self.eventually(lambda: source.dr("plan", "--to", "latest", check=False).returncode == 0, 180, "something that can be restored")
        self.cluster.execute(f"{DATABASE}-0", "sidecar", "reference", container="sidecar", timeout=120)

        with self.pods_that_come() as seen:
            drilled = self.eventually(lambda: self.drill(source, place, len(kept)), 120, "the reference in a restore window")
        report = drilled["report"]
        self.assertEqual(drilled["verdict"], "PASS", json.dumps(drilled))
        self.assertGreaterEqual(report["integrity"]["comparison"]["documents"], len(kept))
        self.assertEqual([query["outcome"] for query in report["queries"]], ["passed"])
        self.assertTrue(report["negative_control"]["was_detected"])
        self.assertEqual(report["clean_up"]["outcome"], "passed", report["clean_up"])
        self.assertEqual(drilled["terraform"]["phase"], "destroyed")
        namespaces = json.loads(self.cluster.kubectl("get", "namespaces", "--output=json").stdout)["items"]
        self.assertEqual([one["metadata"]["name"] for one in namespaces if one["metadata"]["name"] == f"restore-{drilled['terraform']['suffix']}"], [])
        # Practice lets nobody in: the chart makes no API, whose default is to be there.
        made = [name for namespace, name in seen if namespace == f"restore-{drilled['terraform']['suffix']}"]
        self.assertTrue([name for name in made if name.endswith("mongodb-0")], made)
        self.assertEqual([name for name in made if "orders-api" in name], [])
        # One report, by who drilled.
        self.assertEqual(source.status()["lineages"][0]["last_drill"]["id"], drilled["drill_id"])
        phases = {phase["name"]: phase["milliseconds"] / 1000 for phase in report["phases"]}
        shown = ", ".join(f"{name} {phases[name]:.0f} s" for name in ("terraform apply", "install chart", "job around the drill", "restore", "terraform destroy"))
        self.figure(f"drill in a cluster that Terraform made: recovery {report['recovery_time_objective']['actual_seconds']} s; {shown}")

    @contextmanager
    def pods_that_come(self):
        """Gives a list, which has (namespace, name) of all pods afterwards, those that are gone included."""
        seen = []
        with tempfile.TemporaryFile("w+") as told:
            columns = "custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name"
            watch = subprocess.Popen(["kubectl", "get", "pods", "--all-namespaces", "--watch", "--no-headers", "--output", columns], stdout=told)
            try:
                yield seen
            finally:
                watch.terminate()
                watch.wait(10)
                told.seek(0)
                seen += sorted({tuple(line.split()) for line in told})

    def drill(self, source: Product, place, orders: int) -> dict:
        """Nothing while the reference cannot be restored."""
        node = self.cluster.get("pod", f"{DATABASE}-0")["status"]["hostIP"]
        port = place.get("service", "store-outside")["spec"]["ports"][0]["nodePort"]
        outside = source.archive.replace(f"store.{place.namespace}.svc.cluster.local:{store.PORT}", f"{node}:{port}")
        values = {"mongodb": settings(source.archive)}
        variables = {
            "flavour": "kubernetes", "kubeconfig": os.environ["KUBECONFIG"], "archive_url": source.archive, "members": "1",
            "secrets": json.dumps([f"{self.cluster.namespace}/archive"]), "chart_values": json.dumps(values),
        }
        access, secret = source.credentials
        with tempfile.TemporaryDirectory() as folder:
            queries = Path(folder) / "queries.toml"
            queries.write_text(f'[[query]]\nnamespace = "orders.orders"\ncount = {orders}\n')
            environment = os.environ | {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "XDG_STATE_HOME": folder, "TIDEMARK_ARCHIVE": outside}
            command = [self.program(), "drill", "--json", "--yes", "--to", "reference", "--queries", str(queries), "--terraform", "terraform/environments/local",
                       "--terraform-bin", subprocess.run([TERRAFORM], check=True, capture_output=True, text=True).stdout.splitlines()[-1], "--helm", helm_program()]
            command += [part for name, value in variables.items() for part in ("--var", f"{name}={value}")]
            done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=600)
        if done.returncode == NOT_FOUND:
            print(json.loads(done.stdout)["error"], flush=True)
            return {}
        self.assertEqual(done.returncode, 0, f"{done.stdout}\n{done.stderr}")
        return json.loads(done.stdout)

    def program(self) -> str:
        return str(Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target").resolve() / "release/dr-cli")
