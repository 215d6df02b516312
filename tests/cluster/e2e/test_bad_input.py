"""Values that are wrong, on an installation that is in use: what Kubernetes and the containers say, who goes on serving, and what heals it."""

import json
import secrets
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

from harness.settings import REPOSITORY

from . import store
from .fixture import pod
from .ledger import Ledger
from .product import DATABASE, RELEASE, ProductTest, prepared_charts

# Kubernetes restarts the last member first, and goes on when it is ready.
FIRST, OTHERS = f"{DATABASE}-2", (f"{DATABASE}-0", f"{DATABASE}-1")
CREDENTIALS = "mongodb.archive.credentials.existingSecret"


class BadInput(ProductTest):
    minutes = 8.0
    more_values = ("--set=monitoring.enabled=false", "--set=tidemark-node.enabled=false")

    def setUp(self) -> None:
        super().setUp()
        self.outside()
        # So that a test that fails leaves nothing wrong to the next.
        self.addCleanup(self.change)
        self.wait_for_members()

    def change(self, *values: str) -> str:
        """An upgrade that waits for nothing, as values stand in a file and nobody looks; without `values` the right ones."""
        return self.cluster.helm("upgrade", RELEASE, str(REPOSITORY / "charts/tidemark"), *self.product.values(), *self.more_values, *values, timeout=120)

    @contextmanager
    def serving(self):
        """Within the block orders are written and read, and none of them fails or is lost."""
        with Ledger(self.product.edge(), clients=1) as ledger:
            ledger.wait_for(5)
            yield ledger
            ledger.wait_for(10)
            self.assertTrue(ledger.stored())
        self.no_request_failed(ledger)
        self.assertEqual(ledger.missing(), [])

    def heal(self) -> None:
        """The right values again, and a few seconds later all is as before: the archive, too."""
        self.change()
        self.wait_for_members()
        written = time.time()
        self.product.edge().order("healed", secrets.token_hex(8))
        self.eventually(lambda: self.archived_through() >= written - 1, 120, "the archive, up to what was written after the correction")

    def archived_through(self) -> int:
        result = self.product.dr("status", "--json", check=False)
        lineages = json.loads(result.stdout).get("lineages") or [{}] if result.stdout else [{}]
        return int((lineages[0].get("archived_through") or "0:0").split(":")[0])

    def state(self, name: str, container: str) -> dict:
        """Of a container: its `state` as Kubernetes has it, with the restarts."""
        status = self.status(name)
        for one in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
            if one["name"] == container:
                return {**one["state"], "last": one.get("lastState", {}), "restarts": one["restartCount"]}
        return {}

    def waiting(self, name: str, container: str) -> dict:
        return self.state(name, container).get("waiting", {})

    def status(self, name: str) -> dict:
        """Of a pod; empty while it is away, as it is for a moment whenever it is made anew."""
        found = self.cluster.kubectl("get", "pod", name, "--output=json", check=False)
        return json.loads(found.stdout).get("status", {}) if found.returncode == 0 else {}

    def is_ready(self, name: str) -> bool:
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in self.status(name).get("conditions", []))

    def events(self, kind: str, name: str) -> str:
        return self.cluster.kubectl("get", "events", f"--field-selector=involvedObject.kind={kind},involvedObject.name={name}",
                                    "--output=jsonpath={range .items[*]}{.reason}{\": \"}{.message}{\"\\n\"}{end}").stdout

    def uids(self) -> dict[str, str]:
        return {name: self.cluster.get("pod", name)["metadata"]["uid"] for name in OTHERS}

    def words(self, name: str, container: str = "sidecar") -> str:
        """The log of this start of the container and of the one before."""
        return "".join(self.cluster.kubectl("logs", name, f"--container={container}", *more, check=False).stdout for more in (("--previous",), ()))

    def explained(self, text: str, *words: str) -> None:
        """The four parts: what, where, cause, next."""
        for word in ("where:", "cause:", "next:", *words):
            self.assertIn(word, text)

    def readiness_of_sidecar(self, name: str) -> tuple[int, str]:
        try:
            with self.cluster.port_forward(f"pod/{name}", 9717) as port, urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (OSError, AssertionError):
            return 0, ""

    def ask(self, *command: str, secret: str, archive: str) -> tuple[int, str]:
        """Exit code and words of dr-cli in a pod of its own, with credentials and archive as the values have them."""
        name = f"dr-{secrets.token_hex(3)}"
        container = {"image": "tidemark/sidecar:dev", "env": [{"name": "TIDEMARK_ARCHIVE", "value": archive}], "envFrom": [{"secretRef": {"name": secret}}]}
        self.cluster.apply(pod(name, ["/usr/local/bin/dr-cli", *command], restricted=True, restartPolicy="Never", container=container))
        self.addCleanup(self.cluster.kubectl, "delete", "pod", name, "--wait=false")

        def ended() -> dict:
            return self.state(name, "main").get("terminated", {})

        code = self.eventually(ended, 60, f"the end of dr-cli {' '.join(command)}")["exitCode"]
        return code, self.cluster.kubectl("logs", name).stdout

    def test_1_a_secret_that_is_not_there_stops_the_first_member_and_is_named(self):
        with self.serving():
            others = self.uids()
            said = self.change(f"--set-string={CREDENTIALS}=nowhere")
            self.assertIn("nowhere", said)
            self.assertIn("create secret generic nowhere", said)
            reason = self.eventually(lambda: self.waiting(FIRST, "sidecar").get("reason") == "CreateContainerConfigError" and self.waiting(FIRST, "sidecar"),
                                     120, "the state of the pod")
            self.assertIn('secret "nowhere" not found', reason["message"])
            self.assertIn('secret "nowhere" not found', self.events("Pod", FIRST))
            # The others are not touched before it is ready.
            self.assertEqual(self.uids(), others)
            self.assertTrue(all(self.is_ready(name) for name in OTHERS))
            self.heal()

    def test_2_a_secret_of_the_database_that_is_not_there_is_named_too(self):
        with self.serving():
            others = self.uids()
            given = "orders-api.database.existingSecret"
            said = self.change("--set-string=mongodb.auth.existingSecret=elsewhere", f"--set-string={given}={DATABASE}-keep")
            self.assertIn("create secret generic elsewhere", said)
            self.eventually(lambda: 'secret "elsewhere" not found' in self.events("Pod", FIRST), 120, "the event")
            self.assertEqual(self.uids(), others)
            self.heal()

    def test_3_wrong_credentials_are_told_by_the_sidecar_and_cost_backups_only(self):
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wrong"},
                            "stringData": {"AWS_ACCESS_KEY_ID": store.ACCESS, "AWS_SECRET_ACCESS_KEY": "not-the-secret"}})
        with self.serving():
            self.change(f"--set-string={CREDENTIALS}=wrong")
            # Its first words may be about a mongod that is not up yet.
            words = ("start_retried", "s3://backups/shop", "permission denied", "the secret key is wrong", '"next":')
            self.eventually(lambda: all(word in self.words(FIRST) for word in words), 120, f"the sidecar's words {words}")
            # Neither restarts nor holds anything back.
            self.eventually(lambda: self.is_ready(FIRST), 120, "the member beside it")
            self.assertEqual(self.state(FIRST, "sidecar")["restarts"], 0)
            code, said = self.ask("status", secret="wrong", archive=self.product.archive)
            self.assertEqual(code, 8, said)
            self.explained(said, "s3://backups/shop", "permission")
            code, said = self.ask("doctor", "--read-only", secret="wrong", archive=self.product.archive)
            self.assertEqual(code, 8, said)
            self.assertIn("permission", said)
            self.assertIn("next:", said)
            self.heal()

    def test_4_a_store_that_cannot_be_reached_is_told_by_the_sidecar_and_costs_backups_only(self):
        away = f"s3://backups/shop?region=us-east-1&endpoint=http://nobody.{self.store.namespace}.svc.cluster.local:{store.PORT}&path_style=true&deadline=5"
        with self.serving():
            self.change(f"--set-string=mongodb.archive.url={away}")
            self.eventually(lambda: "start_retried" in self.words(FIRST), 120, "the sidecar's words")
            self.assertIn("s3://backups/shop", self.words(FIRST))
            def refusing() -> bool:
                status, said = self.readiness_of_sidecar(FIRST)
                # Before its first try ended it says that nothing was opened yet.
                return status == 503 and "s3://backups/shop" in said

            self.eventually(refusing, 60, "the sidecar's readiness with the place that does not answer")
            # Neither restarts nor holds anything back.
            self.assertEqual(self.state(FIRST, "sidecar")["restarts"], 0)
            self.eventually(lambda: self.is_ready(FIRST), 120, "the member")
            for command in (["status"], ["doctor"]):
                refused = self.product.dr(*command, member=2, check=False)
                self.assertEqual(refused.returncode, 8, refused.stdout + refused.stderr)
                self.explained(refused.stdout + refused.stderr) if command == ["status"] else self.assertIn("next:", refused.stdout + refused.stderr)
            self.heal()

    def test_5_another_storage_class_is_refused_before_anything_is_done(self):
        before = {name: self.cluster.get("pod", name)["metadata"]["uid"] for name in (*OTHERS, FIRST)}
        with self.serving():
            for value, sentence in (
                ("mongodb.persistence.storageClass=nowhere", "Kubernetes lets nobody change that: set persistence.storageClass back"),
                ("mongodb.persistence.size=5Gi", "Kubernetes lets nobody change that: set persistence.size back"),
                ("mongodb.replicaSetName=other", "set replicaSetName=rs0"),
            ):
                with self.subTest(value), self.assertRaises(AssertionError) as refused:
                    self.change(f"--set-string={value}")
                self.assertIn(sentence, str(refused.exception))
            certificates = ("--set=mongodb.tls.enabled=true", "--set=mongodb.tls.existingSecret=tls", "--set=orders-api.database.caSecret=tls")
            with self.assertRaises(AssertionError) as refused:
                self.change(*certificates)
            self.assertIn("upgrade to allowTLS first", str(refused.exception))
        self.assertEqual(before, {name: self.cluster.get("pod", name)["metadata"]["uid"] for name in (*OTHERS, FIRST)})

    def test_6_a_storage_class_that_is_not_there_is_named_by_the_claim(self):
        prepared_charts()
        parts = ("orders-api", "tidemark-node", "monitoring")
        values = ["--values", str(REPOSITORY / "charts/values/local/tidemark.yaml"), "--set=mongodb.replicaCount=1", "--set=mongodb.sidecar.enabled=false",
                  *(f"--set={part}.enabled=false" for part in parts)]
        chart = str(REPOSITORY / "charts/tidemark")
        claim, member = "data-second-mongodb-0", "second-mongodb-0"
        with self.serving():
            self.cluster.helm("install", "second", chart, *values, "--set=mongodb.persistence.storageClass=nowhere")
            self.addCleanup(self.cluster.kubectl, "delete", "persistentvolumeclaim", claim, "--wait=false", "--ignore-not-found")
            self.addCleanup(self.cluster.helm, "uninstall", "second", "--ignore-not-found", "--wait")
            self.eventually(lambda: 'storageclass.storage.k8s.io "nowhere" not found' in self.events("PersistentVolumeClaim", claim), 60, "the claim's event")
            self.assertEqual(self.cluster.get("persistentvolumeclaim", claim)["status"]["phase"], "Pending")
            self.eventually(lambda: "unbound immediate PersistentVolumeClaims" in self.events("Pod", member), 60, "the pod's event")
            # As docs/install.md says.
            self.cluster.helm("uninstall", "second", "--wait")
            self.cluster.kubectl("delete", "persistentvolumeclaim", claim, "--wait=true")
            self.cluster.helm("install", "second", chart, *values, "--wait", "--timeout", "2m")
