"""What every cluster has and Kubernetes does not bring: DNS, volumes, metrics."""

import string
import subprocess
from pathlib import Path

from . import parts
from .problem import Problem
from .settings import HERE, Settings

MANIFESTS = HERE / "manifests"
DEPLOYMENTS = {"kube-system": ["coredns", "metrics-server"], "local-path-storage": ["local-path-provisioner"]}


def text(settings: Settings) -> str:
    values = {"dns_ip": settings.dns_ip, "volumes": str(settings.run / "volumes"), "base_image": parts.BASE_IMAGE}
    return "\n---\n".join(string.Template(path.read_text()).substitute(values) for path in sorted(MANIFESTS.glob("*.yaml")))


def mark(settings: Settings) -> Path:
    return settings.run / "addons-installed"


def installed(settings: Settings) -> bool:
    return mark(settings).exists() and mark(settings).read_text() == parts.fingerprint(text(settings))


def kubectl(settings: Settings, *arguments: str, stdin: str | None = None) -> None:
    result = subprocess.run(["kubectl", f"--kubeconfig={settings.kubeconfig}", *arguments], input=stdin, capture_output=True, text=True)
    if result.returncode != 0:
        raise Problem(f"kubectl {' '.join(arguments)}: {result.stderr.strip()}", "the API server refused a manifest or does not answer",
                      f"KUBECONFIG={settings.kubeconfig} kubectl get pods,events --all-namespaces")


def wait_for(settings: Settings, namespace: str, deployment: str) -> None:
    base = ["kubectl", f"--kubeconfig={settings.kubeconfig}", "--namespace", namespace]
    result = subprocess.run([*base, "rollout", "status", deployment, "--timeout=90s"], capture_output=True, text=True)
    if result.returncode != 0:
        logs = subprocess.run([*base, "logs", deployment, "--tail=4"], capture_output=True, text=True)
        raise Problem(f"the add-on {deployment} did not become ready: {result.stderr.strip()}", f"its last words: {(logs.stdout + logs.stderr).strip()}",
                      f"KUBECONFIG={settings.kubeconfig} kubectl --namespace {namespace} describe {deployment}")


def install(settings: Settings) -> None:
    mark(settings).unlink(missing_ok=True)
    kubectl(settings, "apply", "--server-side", "--force-conflicts", "--filename=-", stdin=text(settings))
    for namespace, names in DEPLOYMENTS.items():
        for name in names:
            wait_for(settings, namespace, f"deployment/{name}")
    mark(settings).write_text(parts.fingerprint(text(settings)))
