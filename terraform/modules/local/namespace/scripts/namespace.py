#!/usr/bin/env python3
"""Makes a fresh namespace, and deletes it with its volumes. Terraform calls it; what it shall do stands in the environment.

namespace.py up     TIDEMARK_NAMESPACE, TIDEMARK_RUN, TIDEMARK_KUBECONFIG, TIDEMARK_CONTEXT, TIDEMARK_KUBECTL, TIDEMARK_SUFFIX, TIDEMARK_POD_SECURITY, TIDEMARK_SECRETS
namespace.py down   the first five

A run is known by an id that its state alone holds and that stands in a label of its namespace. One without that label is somebody else's, whatever its name;
and what is deleted is the object that was looked at, by its UID.
"""

import json
import os
import subprocess
import sys
import time

RUN, SUFFIX = "tidemark/restore-run", "tidemark/restore"
GONE_SECONDS = 300


class Refusal(Exception):
    def __init__(self, what, where, cause, then):
        super().__init__(f"{what}\n  where: {where}\n  cause: {cause}\n  next: {then}")


class Cluster:
    def __init__(self, kubectl, kubeconfig, context):
        self.command = [kubectl, f"--kubeconfig={kubeconfig}", f"--context={context}", "--request-timeout=30s"]
        self.shown = f"{kubectl} --kubeconfig {kubeconfig} --context {context}"

    def kubectl(self, *arguments, given=None):
        """(output, error text); the error is None when it went well."""
        try:
            done = subprocess.run([*self.command, *arguments], input=given, capture_output=True, text=True)
        except OSError as error:
            raise Refusal("kubectl cannot be started", self.command[0], error.strerror, "give its path with -var kubectl=PATH") from error
        return done.stdout, None if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"

    def get(self, *arguments):
        """The object or list; None when it is not there."""
        output, error = self.kubectl("get", *arguments, "--ignore-not-found", "--output=json")
        if error:
            raise Refusal(
                "the cluster does not answer as it should", self.shown, error.splitlines()[-1],
                f"{self.shown} get namespaces; when the cluster itself is gone, and everything in it: terraform state list, and terraform state rm of each",
            )  # fmt: skip
        return json.loads(output) if output.strip() else None

    def create(self, path, manifest):
        """The error text, None when it went well."""
        return self.kubectl("create", f"--raw={path}", "--filename=-", given=json.dumps(manifest))[1]

    def namespace(self, name):
        return self.get("namespace", name)

    def volumes(self, name):
        """Names of the volumes that belong, or did belong, to claims in the namespace."""
        # An empty list is not found, for kubectl.
        there = self.get("persistentvolumes") or {"items": []}
        return {one["metadata"]["name"]: one["spec"] for one in there["items"] if one["spec"].get("claimRef", {}).get("namespace") == name}


def up(cluster, name, run, suffix, pod_security, secrets):
    there = cluster.namespace(name)
    if not there:
        labels = {"app.kubernetes.io/managed-by": "terraform", SUFFIX: suffix, RUN: run}
        labels |= {f"pod-security.kubernetes.io/{mode}": pod_security for mode in ("enforce", "warn", "audit")}
        # Create and not apply: one that came up meanwhile is not taken over.
        error = cluster.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        if error and "AlreadyExists" not in error:
            raise Refusal(f"namespace {name} cannot be made", cluster.shown, error.splitlines()[-1], f"{cluster.shown} auth can-i create namespaces")
        there = cluster.namespace(name)
    if not there or there["metadata"].get("labels", {}).get(RUN) != run:
        raise Refusal(
            f"namespace {name} is there already, and this run has not made it", cluster.shown, "another restore has the same suffix, or its state is lost",
            f"take another suffix; or see what it is ({cluster.shown} --namespace {name} get all), and remove it yourself",
        )  # fmt: skip
    for secret in secrets:
        copy(cluster, name, *secret.split("/"))
    print(f"namespace {name} is there" + (f", with copies of {', '.join(secrets)}" if secrets else ""))


def copy(cluster, name, source, secret):
    """What it holds goes through here and nowhere else: neither into the state nor to a command line."""
    found = cluster.get("secret", secret, f"--namespace={source}")
    if not found:
        raise Refusal(f"there is no Secret {source}/{secret} to copy", cluster.shown, "its name is another, or it is not made yet", f"{cluster.shown} --namespace {source} get secrets; then terraform apply again, or terraform destroy")
    copied = {"apiVersion": "v1", "kind": "Secret", "type": found["type"], "data": found.get("data", {}), "metadata": {"name": secret}}
    error = cluster.create(f"/api/v1/namespaces/{name}/secrets", copied)
    if error and "AlreadyExists" not in error:
        raise Refusal(f"Secret {secret} cannot be copied to {name}", cluster.shown, error.splitlines()[-1], f"{cluster.shown} auth can-i create secrets --namespace {name}")


def down(cluster, name, run):
    there = cluster.namespace(name)
    if there and there["metadata"].get("labels", {}).get(RUN) != run:
        return print(f"namespace {name} left alone: this run has not made it")
    if there:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground", "preconditions": {"uid": there["metadata"]["uid"]}}
        _, error = cluster.kubectl("delete", f"--raw=/api/v1/namespaces/{name}", "--filename=-", given=json.dumps(options))
        if error and "NotFound" not in error and "not found" not in error:
            raise Refusal(f"namespace {name} cannot be deleted", cluster.shown, error.splitlines()[-1], f"{cluster.shown} auth can-i delete namespaces; then terraform destroy again")
    wait_until_gone(cluster, name, there and there["metadata"]["uid"])
    print(f"namespace {name} and its volumes are gone")


def wait_until_gone(cluster, name, uid):
    deadline = time.monotonic() + GONE_SECONDS
    while True:
        there = cluster.namespace(name)
        there = there if there and there["metadata"]["uid"] == uid else None
        volumes = {} if there else cluster.volumes(name)
        if not there and not volumes:
            return
        kept = [volume for volume, spec in volumes.items() if spec.get("persistentVolumeReclaimPolicy") == "Retain"]
        if kept:
            raise Refusal(
                f"volumes of namespace {name} stay", ", ".join(kept), "their StorageClass has reclaimPolicy Retain: nobody deletes them, nor what is on the disks behind them",
                f"{cluster.shown} delete persistentvolume {' '.join(kept)}, delete the disks, then terraform destroy again",
            )  # fmt: skip
        if time.monotonic() > deadline:
            if there:
                told = "; ".join(one["message"] for one in there["status"].get("conditions", []) if one["status"] == "True") or "it says nothing"
                raise Refusal(f"namespace {name} is not gone after {GONE_SECONDS} s", cluster.shown, told, f"{cluster.shown} describe namespace {name}; then terraform destroy again")
            raise Refusal(
                f"volumes of namespace {name} are not gone after {GONE_SECONDS} s", ", ".join(volumes), "what provisions volumes does not run, or cannot delete them",
                f"{cluster.shown} describe persistentvolume {' '.join(volumes)}; then terraform destroy again",
            )  # fmt: skip
        time.sleep(1)


def main(verb):
    settings = {name.removeprefix("TIDEMARK_").lower(): value for name, value in os.environ.items() if name.startswith("TIDEMARK_")}
    cluster = Cluster(settings["kubectl"], settings["kubeconfig"], settings["context"])
    if verb == "up":
        up(cluster, settings["namespace"], settings["run"], settings["suffix"], settings["pod_security"], settings["secrets"].split())
    else:
        down(cluster, settings["namespace"], settings["run"])


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Refusal as refusal:
        sys.exit(str(refusal))
    except KeyboardInterrupt:
        sys.exit("interrupted\n  next: run terraform apply again, or terraform destroy")
