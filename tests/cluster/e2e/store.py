"""An S3 server in the cluster, in a namespace of its own: what is archived outlives the namespace of the database."""

import hashlib
import json
import time

from harness.settings import REPOSITORY

from . import target
from .fixture import Kubernetes

ACCESS, SECRET = "e2e-archive", "e2e-archive-secret"
PORT = 7070


def install(cluster: Kubernetes) -> None:
    script = f"mkdir -p /data/objects /data/versions /data/iam && exec versitygw --port :{PORT} --health /healthz --quiet --iam-dir /data/iam posix --versioning-dir /data/versions /data/objects"
    container = {
        "name": "store", "image": "tidemark/object-store:dev", "imagePullPolicy": target.pull_policy(), "command": ["sh", "-c", script],
        "env": [{"name": "ROOT_ACCESS_KEY", "value": ACCESS}, {"name": "ROOT_SECRET_KEY", "value": SECRET}],
        "ports": [{"name": "s3", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "s3"}, "periodSeconds": 1},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    labels = {"app.kubernetes.io/component": "object-store"}
    cluster.apply(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "store"}, "spec": {
            "replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {
                "containers": [container], "terminationGracePeriodSeconds": 1, "securityContext": {"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001},
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "store"}}]}}}},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "store"},
         "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "store"}, "spec": {"selector": labels, "ports": [{"name": "s3", "port": PORT, "targetPort": "s3"}]}})
    cluster.kubectl("rollout", "status", "deployment/store", "--timeout=90s", timeout=100)


def make_bucket(cluster: Kubernetes, name: str) -> None:
    """A folder is a bucket for this server."""
    cluster.execute("deployment/store", "mkdir", "-p", f"/data/objects/{name}")


def credentials(tenant: str) -> tuple[str, str]:
    return f"{tenant}-access", f"{tenant}-secret-key"


def administer(cluster: Kubernetes, *words: str) -> None:
    cluster.execute("deployment/store", "versitygw", "admin", "--access", ACCESS, "--secret", SECRET, "--endpoint-url", f"http://127.0.0.1:{PORT}", *words)


def make_user(cluster: Kubernetes, name: str) -> None:
    """Somebody who may nothing yet."""
    access, secret = credentials(name)
    administer(cluster, "create-user", "--access", access, "--secret", secret, "--role", "user")


def make_tenant(cluster: Kubernetes, tenant: str) -> None:
    """A user, and a bucket that is this user's."""
    make_user(cluster, tenant)
    make_bucket(cluster, tenant)
    administer(cluster, "change-bucket-owner", "--bucket", tenant, "--owner", credentials(tenant)[0])


def allow(cluster: Kubernetes, bucket: str, prefix: str, *roles: str) -> None:
    """Gives users of these names what docs/policies allow roles of these names; this server knows no conditions, which all denials there have."""
    statements = []
    for role in roles:
        text = (REPOSITORY / f"docs/policies/s3-{role}.json").read_text().replace("BUCKET", bucket).replace("PREFIX", prefix)
        statements += [{**statement, "Sid": f"{statement['Sid']}{role}", "Principal": {"AWS": credentials(role)[0]}}
                       for statement in json.loads(text)["Statement"] if statement["Effect"] == "Allow"]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    cluster.kubectl("exec", "--stdin", "deployment/store", "--", "curl", "--silent", "--show-error", "--fail-with-body", "--request", "PUT",
                    "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{ACCESS}:{SECRET}", "--header", f"x-amz-content-sha256: {hashlib.sha256(policy.encode()).hexdigest()}",
                    "--data-binary", "@-", f"http://127.0.0.1:{PORT}/{bucket}?policy=", stdin=policy)


def url(cluster: Kubernetes, bucket: str, prefix: str) -> str:
    return f"s3://{bucket}/{prefix}?region=us-east-1&endpoint=http://store.{cluster.namespace}.svc.cluster.local:{PORT}&path_style=true"


def set_up(cluster: Kubernetes, is_up: bool) -> None:
    cluster.kubectl("scale", "deployment/store", f"--replicas={int(is_up)}")
    if is_up:
        cluster.kubectl("rollout", "status", "deployment/store", "--timeout=90s", timeout=100)
    else:
        deadline = time.monotonic() + 60
        while cluster.kubectl("get", "pods", "--selector=app.kubernetes.io/component=object-store", "--output=name").stdout and time.monotonic() < deadline:
            time.sleep(0.3)
