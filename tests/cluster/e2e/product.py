"""The whole product, installed by one `helm install`, shared by the tests of a class."""

import base64
import functools
import json
import re
import subprocess
import time
import urllib.request

from harness.settings import REPOSITORY

from . import store, target
from .fixture import ClusterTest, Kubernetes, namespace
from .ledger import Api, Ledger

RELEASE = "shop"
DATABASE = f"{RELEASE}-mongodb"
API = f"{RELEASE}-orders-api"


@functools.cache
def prepared_charts() -> None:
    """The umbrella with the others in it."""
    subprocess.run(["make", "--no-print-directory", "charts"], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)


class Product:
    """One release in one namespace, with an archive that is elsewhere."""

    def __init__(self, cluster: Kubernetes, archive: str):
        self.cluster, self.archive = cluster, archive
        self.credentials = (store.ACCESS, store.SECRET)
        self.node_namespace = f"{cluster.namespace}-node"

    def values(self) -> list[str]:
        # Node ports are the cluster's, and the agent's namespace is outside of the release's.
        settings = {
            "mongodb.archive.url": self.archive.replace(",", "\\,"),
            "mongodb.archive.credentials.existingSecret": "archive",
            "tidemark-node.namespace.name": self.node_namespace,
            "monitoring.nodeNamespace": self.node_namespace,
        }
        arguments = ["--values", str(REPOSITORY / "charts/values/local/tidemark.yaml"), "--values", str(target.HERE / "values.yaml")]
        return arguments + [f"--set-string={name}={value}" for name, value in settings.items()] + ["--set=orders-api.edge.service.nodePort=null"]

    def secret(self) -> None:
        access, secret = self.credentials
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "archive"},
                            "stringData": {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}})

    def install(self, *more: str, wait: str = "8m") -> float:
        """Seconds until all is ready."""
        prepared_charts()
        self.secret()
        began = time.monotonic()
        self.cluster.helm("install", RELEASE, str(REPOSITORY / "charts/tidemark"), "--wait", "--timeout", wait, *self.values(), *more, timeout=600)
        return time.monotonic() - began

    def upgrade(self, *more: str, wait: str = "8m") -> None:
        self.cluster.helm("upgrade", RELEASE, str(REPOSITORY / "charts/tidemark"), "--wait", "--timeout", wait, *self.values(), *more, timeout=600)

    def edge(self) -> Api:
        port = self.cluster.get("service", f"{API}-edge")["spec"]["ports"][0]["nodePort"]
        address = self.cluster.get("pod", f"{DATABASE}-0")["status"]["hostIP"]
        return Api(f"http://{address}:{port}")

    def dr(self, *arguments: str, member: int = 0, check: bool = True, timeout: float = 120):
        return self.cluster.execute(f"{DATABASE}-{member}", "dr-cli", *arguments, container="sidecar", check=check, timeout=timeout)

    def status(self) -> dict:
        return json.loads(self.dr("status", "--json").stdout)

    def primary(self) -> str:
        """The pod that is primary, as a member's sidecar has it; empty while none is known."""
        for pod in self.members():
            answer = self.sidecar(pod, "/status")
            for member in answer.get("members") or []:
                if member["state"] == "PRIMARY":
                    return member["name"].split(".")[0]
        return ""

    def members(self) -> list[str]:
        names = self.cluster.kubectl("get", "pods", "--selector=app.kubernetes.io/name=mongodb", "--output=name").stdout.split()
        return sorted(name.removeprefix("pod/") for name in names if name.startswith(f"pod/{DATABASE}-"))

    def sidecar(self, pod: str, path: str) -> dict:
        """An answer of the sidecar of a pod, by the way a developer has: a forwarded port."""
        try:
            with self.cluster.port_forward(f"pod/{pod}", 9717) as port, urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return json.loads(answer.read())
        except (OSError, AssertionError):
            return {}

    def states(self) -> dict[str, str]:
        """Member to state, as the primary's sidecar (or the first that answers) has it."""
        for pod in self.members():
            members = self.sidecar(pod, "/status").get("members")
            if members:
                return {member["name"].split(".")[0]: member["state"] for member in members}
        return {}

    def password(self, user: str) -> str:
        data = self.cluster.get("secret", f"{DATABASE}-auth")["data"]
        return base64.b64decode(data[f"password-{user}"]).decode()


class ProductTest(ClusterTest):
    """Tests that share one installed product; each leaves it as it found it."""

    product: Product
    store: Kubernetes
    more_values: tuple[str, ...] = ()
    seconds_to_install = 0.0

    def no_request_failed(self, ledger: Ledger) -> None:
        """With what the API says of each that did."""
        if ledger.failures:
            logs = self.cluster.kubectl("logs", "--selector=app.kubernetes.io/name=orders-api", "--prefix", "--tail=-1", "--max-log-requests=20", check=False).stdout
            failed = set(re.findall(r'"requestId": "([0-9a-f-]+)"', "\n".join(ledger.failures)))
            said = [line for line in logs.splitlines() if any(request in line for request in failed)]
            self.fail("\n".join([*ledger.failures, *said]))

    @classmethod
    def prepare(cls) -> None:
        """Once, before classes begin side by side."""
        prepared_charts()

    @classmethod
    def setUpClass(cls) -> None:
        cls.store = namespace("e2e-store")
        cls.addClassCleanup(cls.store.kubectl, "delete", "namespace", cls.store.namespace, "--wait=false", "--ignore-not-found")
        store.install(cls.store)
        store.make_bucket(cls.store, "backups")
        cls.shared = namespace("e2e-shop", "restricted")
        cls.addClassCleanup(cls.shared.kubectl, "delete", "namespace", cls.shared.namespace, "--wait=false", "--ignore-not-found")
        cls.product = Product(cls.shared, store.url(cls.store, "backups", "shop"))
        cls.addClassCleanup(cls.remove_release)
        try:
            cls.seconds_to_install = cls.product.install(*cls.more_values)
        except BaseException:
            print(f"\n=== the namespace when the installation failed\n{cls.shared.report()}\n===", flush=True)
            raise

    @classmethod
    def remove_release(cls) -> None:
        try:
            cls.shared.helm("uninstall", RELEASE, "--wait", "--timeout", "2m")
        except AssertionError as error:
            print(f"uninstall: {error}", flush=True)
        cls.shared.kubectl("delete", "namespace", cls.product.node_namespace, "--wait=false", "--ignore-not-found", check=False)

    def setUp(self) -> None:
        self.cluster = self.shared

    def wait_for_members(self, seconds: float = 180) -> None:
        healthy = lambda: sorted(self.product.states().values()) == ["PRIMARY", "SECONDARY", "SECONDARY"]  # noqa: E731
        self.eventually(healthy, seconds, "one primary and two secondaries")
        self.cluster.kubectl("rollout", "status", f"statefulset/{DATABASE}", f"--timeout={int(seconds)}s", timeout=seconds + 10)
        self.eventually(self.is_rolled_out, seconds, "every member of the revision that is wanted, and ready")

    def is_rolled_out(self) -> bool:
        """To go back to the revision before counts as done for `rollout status` while members are still of the one between."""
        wanted = self.cluster.get("statefulset", DATABASE)["status"]["updateRevision"]
        pods = json.loads(self.cluster.kubectl("get", "pods", "--selector=app.kubernetes.io/name=mongodb", "--output=json").stdout)["items"]
        ready = [any((one["type"], one["status"]) == ("Ready", "True") for one in pod["status"].get("conditions", [])) for pod in pods]
        return all(ready) and {pod["metadata"]["labels"]["controller-revision-hash"] for pod in pods} == {wanted}

