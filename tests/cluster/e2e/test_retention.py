"""Who archives may not delete, and who deletes is the CronJob alone: the two users of the store have the rights that docs/policies give."""

import json

from . import store
from .fixture import ClusterTest
from .product import DATABASE, Product, prepared_charts

EXPIRE = f"{DATABASE}-expire"


class Retention(ClusterTest):
    minutes = 2.0

    @classmethod
    def prepare(cls) -> None:
        prepared_charts()

    def snapshots(self) -> list[str]:
        return sorted(found["id"] for found in json.loads(self.product.dr("list", "--json").stdout)["snapshots"])

    def moments(self) -> set[str]:
        return {found["end"] for found in json.loads(self.product.dr("list", "--json").stdout)["snapshots"]}

    def test_the_job_deletes_what_its_rules_let_go_as_nobody_but_the_expirer(self):
        place = self.new_namespace()
        store.install(place)
        store.make_bucket(place, "backups")
        for role in ("writer", "expirer"):
            store.make_user(place, role)
        store.allow(place, "backups", "shop", "writer")
        self.product = Product(self.cluster, store.url(place, "backups", "shop"))
        self.product.credentials = store.credentials("writer")
        access, secret = store.credentials("expirer")
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "expirer"},
                            "stringData": {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}})
        without = [f"--set={part}.enabled=false" for part in ("orders-api", "tidemark-node", "monitoring")]
        self.product.install(*without, "--set=mongodb.replicaCount=1", "--set=mongodb.sidecar.snapshotSchedule=none", "--set=mongodb.sidecar.sliceIdle=3s",
                             "--set-string=mongodb.retention.schedule=0 5 1 1 *", "--set=mongodb.retention.keepLast=1", "--set=mongodb.retention.existingSecret=expirer")
        take = lambda: self.cluster.execute(f"{DATABASE}-0", "sidecar", "snapshot", container="sidecar", check=False, timeout=120).returncode == 0  # noqa: E731
        # Of two at the same moment none would be let go; a server that nobody writes to has another one every ten seconds.
        self.eventually(lambda: take() and len(self.moments()) == 2, 120, "snapshots of two moments")
        *older, newer = self.snapshots()
        self.assertTrue(older, newer)

        refused = self.product.dr("expire", "--keep-last=1", "--apply", "--yes", check=False)
        self.assertNotEqual(refused.returncode, 0, refused.stdout)
        self.assertIn("permission", refused.stdout + refused.stderr)
        # Nor may the expirer yet: a job that may not says so, and deletes nothing.
        self.assertIn("permission", self.run_job("too-early", "failed"))
        self.assertEqual(self.snapshots(), [*older, newer])

        store.allow(place, "backups", "shop", "writer", "expirer")
        said = self.run_job("by-hand", "complete")
        for expired in older:
            self.assertIn(expired, said)
        self.assertEqual(self.snapshots(), [newer])

    def run_job(self, name: str, condition: str) -> str:
        """What it said, when it ended so."""
        self.cluster.kubectl("create", "job", name, f"--from=cronjob/{EXPIRE}")
        self.cluster.kubectl("wait", f"--for=condition={condition}", f"job/{name}", "--timeout=90s", timeout=100)
        pods = json.loads(self.cluster.kubectl("get", "pods", f"--selector=job-name={name}", "--output=json").stdout)["items"]
        self.assertEqual({pod["spec"]["serviceAccountName"] for pod in pods}, {f"{DATABASE}-expirer"})
        self.assertEqual({source["secretRef"]["name"] for pod in pods for source in pod["spec"]["containers"][0]["envFrom"]}, {"expirer"})
        return self.cluster.kubectl("logs", f"job/{name}").stdout
