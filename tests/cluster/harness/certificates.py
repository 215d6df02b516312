"""The cluster's certificates and kubeconfigs, made by openssl."""

import base64
import json
import subprocess
from pathlib import Path

from .settings import NODE_NAME, Settings

ADMINS = "/O=system:masters"


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def authority(directory: Path, name: str) -> None:
    openssl(directory, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3650",
            "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")


def certificate(directory: Path, name: str, signer: str, subject: str, usage: str, names: str = "") -> None:
    openssl(directory, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", subject, "-keyout", f"{name}.key", "-out", f"{name}.csr")
    extensions = directory / f"{name}.ext"
    extensions.write_text(f"keyUsage=digitalSignature\nextendedKeyUsage={usage}\n" + (f"subjectAltName={names}\n" if names else ""))
    openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{signer}.crt", "-CAkey", f"{signer}.key", "-CAcreateserial",
            "-days", "3650", "-extfile", extensions.name, "-out", f"{name}.crt")
    extensions.unlink()
    (directory / f"{name}.csr").unlink()


def kubeconfig(directory: Path, user: str, server: str) -> str:
    def data(name: str) -> str:
        return base64.b64encode((directory / name).read_bytes()).decode()

    # JSON is YAML, so kubectl and the components read it.
    return json.dumps({
        "apiVersion": "v1", "kind": "Config", "current-context": "tidemark",
        "clusters": [{"name": "tidemark", "cluster": {"server": server, "certificate-authority-data": data("ca.crt")}}],
        "users": [{"name": user, "user": {"client-certificate-data": data(f"{user}.crt"), "client-key-data": data(f"{user}.key")}}],
        "contexts": [{"name": "tidemark", "context": {"cluster": "tidemark", "user": user}}],
    }, indent=1)


def server_names(settings: Settings) -> str:
    service = "kubernetes.default.svc.cluster.local"
    names = [".".join(service.split(".")[:count]) for count in (1, 2, 3, 5)] + ["localhost"]
    addresses = ["127.0.0.1", settings.api_service_ip, settings.node_ip]
    return ",".join([f"DNS:{name}" for name in names] + [f"IP:{address}" for address in addresses])


def make(settings: Settings) -> None:
    """Makes all of it once; the last file written says that it is complete."""
    directory = settings.run / "pki"
    complete = directory / "complete"
    if complete.exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    authority(directory, "ca")
    authority(directory, "front-proxy-ca")
    openssl(directory, "genrsa", "-out", "sa.key", "2048")
    openssl(directory, "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub")
    certificate(directory, "apiserver", "ca", "/CN=kube-apiserver", "serverAuth", server_names(settings))
    certificate(directory, "kubelet-server", "ca", f"/CN={NODE_NAME}", "serverAuth", f"DNS:{NODE_NAME},IP:{settings.node_ip}")
    certificate(directory, "apiserver-kubelet-client", "ca", f"{ADMINS}/CN=kube-apiserver-kubelet-client", "clientAuth")
    certificate(directory, "front-proxy-client", "front-proxy-ca", "/CN=front-proxy-client", "clientAuth")
    users = {
        "admin": f"{ADMINS}/CN=admin",
        "policy-agent": f"{ADMINS}/CN=policy-agent",
        "kube-controller-manager": "/CN=system:kube-controller-manager",
        "kube-scheduler": "/CN=system:kube-scheduler",
        "kube-proxy": "/CN=system:kube-proxy",
        "kubelet": f"/O=system:nodes/CN=system:node:{NODE_NAME}",
    }
    for user, subject in users.items():
        certificate(directory, user, "ca", subject, "clientAuth")
        path = settings.run / f"{user}.conf"
        path.write_text(kubeconfig(directory, user, settings.server))
        path.chmod(0o600)
    complete.touch()
