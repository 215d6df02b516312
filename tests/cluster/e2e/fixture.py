"""What every end-to-end test stands on: a namespace of its own, kubectl and helm, waiting, and the events when it fails."""

import functools
import json
import re
import secrets
import subprocess
import time
import unittest
from contextlib import contextmanager
from pathlib import Path

from harness.settings import REPOSITORY

from . import target


@functools.cache
def helm_program() -> str:
    script = REPOSITORY / "scripts/fetch-helm.sh"
    return subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()[-1]


class Kubernetes:
    """kubectl and helm in one namespace."""

    def __init__(self, namespace: str):
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess:
        result = subprocess.run(["kubectl", "--namespace", self.namespace, *arguments], input=stdin, capture_output=True, text=True, timeout=timeout)
        if check and result.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)} exited {result.returncode}: {result.stderr.strip()}\n{result.stdout.strip()}")
        return result

    def apply(self, *things: dict) -> None:
        self.kubectl("apply", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(things)}))

    def get(self, kind: str, name: str) -> dict:
        return json.loads(self.kubectl("get", kind, name, "--output=json").stdout)

    def wait_ready(self, *names: str, seconds: int = 60) -> None:
        self.kubectl("wait", "--for=condition=Ready", *(f"pod/{name}" for name in names), f"--timeout={seconds}s", timeout=seconds + 10)

    def execute(self, pod: str, *command: str, container: str = "", check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess:
        chosen = ["--container", container] if container else []
        return self.kubectl("exec", pod, *chosen, "--", *command, check=check, timeout=timeout)

    def helm(self, *arguments: str, timeout: float = 400) -> str:
        result = subprocess.run([helm_program(), "--namespace", self.namespace, *arguments], capture_output=True, text=True, timeout=timeout)
        if result.returncode != 0:
            raise AssertionError(f"helm {' '.join(arguments)} exited {result.returncode}: {result.stderr.strip()}")
        return result.stdout

    def install(self, release: str, chart: str, *arguments: str, wait: str = "5m") -> str:
        return self.helm("install", release, str(REPOSITORY / "charts" / chart), "--wait", "--timeout", wait, *arguments)

    @contextmanager
    def port_forward(self, resource: str, port: int):
        """The local port that leads to `port`; kubectl chooses it, so that tests never meet."""
        process = subprocess.Popen(["kubectl", "--namespace", self.namespace, "port-forward", "--address=127.0.0.1", resource, f":{port}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            line = process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+) ->", line)
            if not found:
                raise AssertionError(f"kubectl port-forward {resource} {port}: {line}{process.stdout.read()}")
            yield int(found[1])
        finally:
            process.terminate()
            process.wait(10)
            process.stdout.close()

    @contextmanager
    def watch(self, kind: str, name: str, path: str):
        """What is at this JSON path, at each change of the object; filled when the block ends."""
        seen: list[str] = []
        process = subprocess.Popen(["kubectl", "--namespace", self.namespace, "get", kind, name, "--watch", f'--output=jsonpath={{{path}}}{{"\\n"}}'],
                                   stdout=subprocess.PIPE, text=True)
        try:
            seen.append(process.stdout.readline().strip())
            yield seen
        finally:
            process.terminate()
            seen += process.stdout.read().split()
            process.wait(10)
            process.stdout.close()

    def report(self) -> str:
        """What explains a failure: pods, events, and the last words of containers that are not ready."""
        texts = [self.kubectl(*command.split(), check=False).stdout for command in (
            "get pods,persistentvolumeclaims,services,jobs --output=wide", "get events --sort-by=.lastTimestamp")]
        pods = json.loads(self.kubectl("get", "pods", "--output=json", check=False).stdout or '{"items": []}')
        for pod in pods["items"]:
            status = pod.get("status", {})
            for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
                if not container["ready"]:
                    name = pod["metadata"]["name"]
                    last = self.kubectl("logs", name, "--container", container["name"], "--tail=15", check=False)
                    texts.append(f"--- {name}/{container['name']}\n{last.stdout}{last.stderr}")
        return "\n".join(texts)


def namespace(prefix: str, pod_security: str = "") -> Kubernetes:
    """A new one, in which pods can be made."""
    made = Kubernetes(f"{prefix}-{secrets.token_hex(4)}")
    make_namespace(made, pod_security)
    return made


def make_namespace(made: Kubernetes, pod_security: str = "") -> None:
    labels = {"tidemark/e2e": "true", **({"pod-security.kubernetes.io/enforce": pod_security} if pod_security else {})}
    made.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made.namespace, "labels": labels}})
    # Pods before it exists would be refused.
    deadline = time.monotonic() + 20
    while made.kubectl("get", "serviceaccount", "default", check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise AssertionError(f"namespace {made.namespace} has no default service account after 20 s")
        time.sleep(0.2)


class ClusterTest(unittest.TestCase):
    """A namespace for each test, removed afterwards."""

    pod_security = ""
    # How long the class takes, roughly: the longest begin first.
    minutes = 0.0
    # What its `setUpClass` takes is measured: others begin afterwards.
    quiet_start = False
    figures: tuple[str, ...] = ()

    def figure(self, text: str) -> None:
        """What was measured: said now, and once more when all tests are done."""
        type(self).figures += (text,)
        print(text, flush=True)

    def setUp(self) -> None:
        self.cluster = self.new_namespace(self.pod_security)

    def new_namespace(self, pod_security: str = "") -> Kubernetes:
        made = namespace("e2e", pod_security)
        self.addCleanup(made.kubectl, "delete", "namespace", made.namespace, "--wait=false", "--ignore-not-found")
        return made

    def _callTestMethod(self, method) -> None:
        try:
            method()
        except unittest.SkipTest:
            raise
        except BaseException:
            print(f"\n=== {self.id()}: the namespace when it failed\n{self.cluster.report()}\n===", flush=True)
            raise

    def eventually(self, condition, seconds: float, what: str):
        """The first true value of `condition`."""
        deadline, pause = time.monotonic() + seconds, 0.2
        while not (value := condition()):
            if time.monotonic() > deadline:
                self.fail(f"{what}: not within {seconds:.0f} s")
            # Each question costs a kubectl, and others wait beside this one.
            time.sleep(pause)
            pause = min(pause * 1.5, 2.0)
        return value

    def outside(self) -> None:
        if target.is_foreign():
            self.skipTest("needs a way to the pods from this machine: only our own node has one")


def pod(name: str, command: list[str], labels: dict | None = None, restricted: bool = False, **more) -> dict:
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    container = {"name": "main", "image": target.image(), "imagePullPolicy": "IfNotPresent", "command": command, **({"securityContext": security} if restricted else {})}
    container.update(more.pop("container", {}))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **more}}


def web_pod(name: str, labels: dict | None = None, **more) -> dict:
    """Serves its own name on 8080 and is ready once it does."""
    script = "mkdir /tmp/www && hostname > /tmp/www/index.html && exec busybox httpd -f -p 8080 -h /tmp/www"
    probe = {"ports": [{"name": "http", "containerPort": 8080}], "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}}
    return pod(name, ["sh", "-c", script], labels, container=probe, **more)


def client_pod(name: str, labels: dict | None = None, **more) -> dict:
    return pod(name, ["sh", "-c", "exec sleep 100000"], labels, **more)


def network_policy(name: str, spec: dict) -> dict:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec}


def service(name: str, selector: dict, port: int, target_port: int, **more) -> dict:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": selector, "ports": [{"port": port, "targetPort": target_port}], **more}}
