"""The night for which all this is made: what docs/install.md tells under "Break it" and "Recover"."""

import json
import time

from harness.settings import REPOSITORY

from . import store
from .fixture import ClusterTest, make_namespace
from .ledger import Ledger
from .product import API, DATABASE, Product, ProductTest, prepared_charts

DELETE_ALL = ("const {MongoClient} = require('mongodb'); const client = new MongoClient(process.env.MONGODB_URL);"
              "client.db().collection('orders').deleteMany({}).then((done) => console.log(done.deletedCount)).finally(() => client.close())")


class Disaster(ProductTest):
    minutes = 6.0
    more_values = ("--set-string=mongodb.sidecar.snapshotSchedule=* * * * *",)

    def test_a_destroyed_database_comes_back_as_it_was_just_before_the_mistake(self):
        self.outside()
        with Ledger(self.product.edge()) as ledger:
            ledger.wait_for(50)
            self.eventually(self.has_snapshot, 400, "the first snapshot")
            ledger.wait_for(50)
        kept = ledger.stored()
        self.assertEqual(sorted(set(ledger.acknowledged) - kept), [])

        deleted = int(self.cluster.execute(f"deployment/{API}", "node", "--eval", DELETE_ALL).stdout)
        self.assertGreaterEqual(deleted, len(kept))
        self.assertEqual(ledger.stored(), set())
        # A slice may end in the middle of it.
        found = self.eventually(lambda: (found := self.deletion()).get("count") == deleted and found, 120, f"the deletion of {deleted} in the archive")

        name = self.cluster.namespace
        self.cluster.kubectl("delete", "namespace", name, "--wait=true", timeout=300)
        self.eventually(lambda: name not in self.namespaces_of_volumes(), 60, "the end of its volumes")

        began = time.monotonic()
        make_namespace(self.cluster, "restricted")
        self.product.install(*self.more_values, "--set=mongodb.mode=recovery", f"--set-string=mongodb.recovery.to={found['before']}")
        self.cluster.kubectl("wait", "--for=condition=complete", "--timeout=10m", "job", "--selector=app.kubernetes.io/component=restore", timeout=620)
        self.cluster.kubectl("rollout", "status", f"deployment/{API}", "--timeout=3m", timeout=200)
        ledger.api = self.product.edge()
        self.eventually(lambda: ledger.api.call("GET", "/v1/orders?limit=1")[0] == 200, 60, "the API")
        self.figure(f"from an empty namespace to an API that answers with the restored orders: {time.monotonic() - began:.0f} s")
        self.assertEqual(ledger.stored(), kept)

        self.product.upgrade(*self.more_values)
        with Ledger(self.product.edge()) as after:
            after.wait_for(10)
        self.assertEqual(after.missing(), [])
        # Nothing was archived while the set was being filled; from then on it is, as a lineage of its own.
        self.eventually(lambda: self.windows() == 2, 180, "an archive of the restored set")

    def namespaces_of_volumes(self) -> list[str]:
        return self.cluster.kubectl("get", "persistentvolumes", "--output=jsonpath={..claimRef.namespace}").stdout.split()

    def has_snapshot(self) -> bool:
        return self.windows() > 0

    def windows(self) -> int:
        """Lineages of which something can be restored."""
        result = self.product.dr("status", "--json", check=False)
        # 10: with findings, which a set that was just restored may have.
        return sum(bool(lineage["windows"]) for lineage in json.loads(result.stdout)["lineages"]) if result.returncode in (0, 10) else 0

    def deletion(self) -> dict:
        result = self.product.dr("find", "--namespace", "orders.orders", "--op", "delete", "--since", "-15m", "--json", check=False)
        matches = json.loads(result.stdout).get("matches", []) if result.stdout else []
        return max(matches, key=lambda match: match["count"], default={})


class Tenants(ClusterTest):
    """Each has a user of the store of its own."""

    minutes = 3.0

    @classmethod
    def prepare(cls) -> None:
        prepared_charts()

    def setUp(self) -> None:
        super().setUp()
        self.store = self.cluster
        store.install(self.store)

    def test_two_tenants_reach_neither_data_nor_archive_of_each_other(self):
        for tenant in ("red", "blue"):
            store.make_tenant(self.store, tenant)
        red, blue = self.new_namespace(), self.new_namespace()
        for made in (red, blue):
            made.helm("install", f"{made.namespace}-tenant", str(REPOSITORY / "charts/tenant"), "--set", f"name={made.namespace}", "--take-ownership")
        single = ["--set=mongodb.replicaCount=1", "--set=orders-api.enabled=false", "--set=tidemark-node.enabled=false", "--set=monitoring.enabled=false"]
        products = {}
        for made, tenant in ((red, "red"), (blue, "blue")):
            products[tenant] = Product(made, store.url(self.store, tenant, "db"))
            products[tenant].credentials = store.credentials(tenant)
            products[tenant].install(*single)
        for one, other in (("red", "blue"), ("blue", "red")):
            mine, theirs = products[one], products[other]
            def reaches(product: Product, mine: Product = mine) -> bool:
                address = product.cluster.get("pod", f"{DATABASE}-0")["status"]["podIP"]
                probe = ["sidecar", "member", "probe", "readiness", "--member-uri", f"mongodb://{address}:27017/?directConnection=true"]
                return mine.cluster.execute(f"{DATABASE}-0", *probe, container="sidecar", check=False).returncode == 0

            self.assertTrue(reaches(mine))
            self.assertFalse(reaches(theirs))
            self.eventually(lambda mine=mine: mine.dr("status", check=False).returncode in (0, 10), 120, f"the archive of {one}")
            refused = mine.dr("--archive", theirs.archive, "status", check=False)
            self.assertEqual(refused.returncode, 8, refused.stdout + refused.stderr)

