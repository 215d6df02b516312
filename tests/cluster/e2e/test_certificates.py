"""From passwords in the clear to members that sign in by certificate, on a set that is in use: what the README of charts/mongodb tells under "Certificates"."""

import json
import ssl
import subprocess
import tempfile
from pathlib import Path

from .ledger import Ledger
from .product import API, DATABASE, ProductTest

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
TLS = ("allowTLS", "preferTLS", "requireTLS")
AUTH = ("sendKeyFile", "sendX509", "x509")


def authority(folder: str) -> None:
    openssl(folder, "req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority", "-days", "2")


def openssl(folder: str, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificate(folder: str, namespace: str) -> dict[str, str]:
    """The contents of `tls.existingSecret`, of the authority of that folder."""
    service, members = f"{DATABASE}.{namespace}.svc", f"*.{DATABASE}-headless.{namespace}.svc.cluster.local"
    names = ["DNS:localhost", f"DNS:{DATABASE}", f"DNS:{service}", f"DNS:{service}.cluster.local", f"DNS:{members}", "IP:127.0.0.1"]
    Path(folder, "extensions").write_text(f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth,clientAuth\n")
    openssl(folder, "req", *KEY, "-keyout", "tls.key", "-out", "tls.csr", "-subj", f"/O=tidemark/OU={namespace}/OU={DATABASE}/CN={DATABASE}")
    openssl(folder, "x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tls.crt", "-days", "2", "-extfile", "extensions")
    text = {name: Path(folder, name).read_text() for name in ("ca.crt", "tls.crt", "tls.key")}
    return {"ca.crt": text["ca.crt"], "tls-combined.pem": text["tls.crt"] + text["tls.key"]}


class Certificates(ProductTest):
    minutes = 8.0
    more_values = ("--set=monitoring.enabled=false", "--set=tidemark-node.enabled=false")

    def is_let_in(self, scheme: str) -> bool:
        """Whether a member answers who comes so from another member's pod."""
        address = f"mongodb://{DATABASE}-1.{DATABASE}-headless.{self.cluster.namespace}.svc.cluster.local:27017/?directConnection=true{scheme}"
        probe = ["sidecar", "member", "probe", "readiness", "--member-uri", address]
        return self.cluster.execute(f"{DATABASE}-0", *probe, container="sidecar", check=False).returncode == 0

    def mechanisms(self) -> set[str]:
        """By which members signed in to a member since it was started."""
        lines = self.cluster.kubectl("logs", f"{DATABASE}-0", "--container=mongod").stdout.splitlines()
        said = [(entry["msg"], entry["attr"]) for entry in map(json.loads, lines) if "attr" in entry]
        by_keyfile = {attr["mechanism"] for msg, attr in said if msg == "Authentication succeeded" and attr["principalName"] == "__system"}
        # The server has other words for certificates (6.0.5).
        return by_keyfile | {attr["mechanism"] for msg, attr in said if msg == "Successfully authenticated" and attr["db"] == "$external"}

    def step(self, *values: str) -> None:
        self.values = [*self.values, *values]
        self.product.upgrade(*self.values)
        self.wait_for_members()

    def test_a_set_in_use_goes_to_tls_and_to_certificates_step_by_step(self):
        self.outside()
        self.values = list(self.more_values)
        keys = tempfile.TemporaryDirectory()
        self.addCleanup(keys.cleanup)
        authority(keys.name)
        self.renew(keys.name)
        tls = "&tls=true&tlsCAFile=/etc/tidemark/tls/ca.crt"
        with Ledger(self.product.edge(), clients=1, pause=0.3) as ledger:
            ledger.wait_for(5)
            # Clients have the authority's certificate before, and are restarted after, the first step.
            self.step("--set=orders-api.database.caSecret=tls")
            self.assertTrue(self.is_let_in(""))
            for number, mode in enumerate(TLS):
                self.step("--set=mongodb.tls.enabled=true", "--set=mongodb.tls.existingSecret=tls", f"--set=mongodb.tls.mode={mode}")
                if number == 0:
                    self.step("--set-string=orders-api.database.revision=tls")
            self.assertTrue(self.is_let_in(tls))
            self.assertFalse(self.is_let_in(""))
            for mode in AUTH:
                self.step(f"--set=mongodb.auth.clusterAuthMode={mode}")
            ledger.wait_for(10)
        self.figure(f"seven upgrades from no TLS to x509: {len(ledger.acknowledged)} orders, {len(ledger.failures)} failed")
        self.no_request_failed(ledger)
        self.assertEqual(ledger.missing(), [])
        # It was the last one to be started.
        self.eventually(self.mechanisms, 60, "another member that signs in")
        self.assertEqual(self.mechanisms(), {"MONGODB-X509"})
        self.cluster.kubectl("rollout", "restart", f"deployment/{API}")
        self.cluster.kubectl("rollout", "status", f"deployment/{API}", "--timeout=120s", timeout=130)
        self.assertEqual(self.product.edge().order("ada", "after")[0], 201)
        lineage = self.product.status()["lineages"][0]
        self.assertEqual(lineage["gaps"], [])

        started, before = self.started(), self.served()
        self.renew(keys.name)
        # The kubelet brings a changed Secret into its pods within two minutes.
        self.eventually(lambda: not set(before) & set(self.served()), 180, "the renewed certificate of every member")
        self.assertEqual(self.started(), started, "no member was restarted for it")
        self.wait_for_members()
        self.assertEqual(self.product.edge().order("ada", "renewed")[0], 201)

    def renew(self, keys: str) -> None:
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tls"}, "stringData": certificate(keys, self.cluster.namespace)})

    def served(self) -> list[str]:
        """What each member shows to who connects now."""
        found = []
        for pod in self.product.members():
            with self.cluster.port_forward(f"pod/{pod}", 27017) as port:
                found.append(ssl.get_server_certificate(("127.0.0.1", port), timeout=10))
        return found

    def started(self) -> list[str]:
        pods = [self.cluster.get("pod", pod)["status"]["containerStatuses"] for pod in self.product.members()]
        return [next(one for one in containers if one["name"] == "mongod")["state"]["running"]["startedAt"] for containers in pods]
