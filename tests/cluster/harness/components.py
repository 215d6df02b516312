"""What runs on the node: command lines and configuration files, in the order of their start."""

import json
from dataclasses import dataclass
from pathlib import Path

from .settings import CGROUP, HERE, NODE_NAME, Settings

PAUSE_IMAGE = "localhost/tidemark/pause:1"
CNI_PLUGINS = Path("/usr/lib/cni")


@dataclass(frozen=True)
class Component:
    name: str
    command: list[str]
    # The next component starts when this address takes connections (and, for the API server, says that it is ready).
    ready: str = ""


def containerd_configuration(settings: Settings) -> str:
    run = settings.run
    # restrict_oom_score_adj: a machine without CAP_SYS_RESOURCE cannot give a container a lower score than its own.
    return f"""version = 2
root = "{run}/containerd"
state = "/run/containerd-state"
[grpc]
  address = "{settings.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{run}/cni/bin"
    conf_dir = "{run}/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""


def network_configuration(settings: Settings) -> str:
    # `ptp` and not `bridge`: each packet of a pod is routed by the node, so it crosses the forward hook where policies are enforced.
    # The last plugin holds a pod back until its policies are in place.
    return json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [
        {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": {
            "type": "host-local", "dataDir": "/run/cni-addresses",
            "ranges": [[{"subnet": str(settings.pods)}]], "routes": [{"dst": "0.0.0.0/0"}]}},
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": "tidemark-policy", "socket": "/run/tidemark-policy.sock"},
    ]}, indent=1)


def kubelet_configuration(settings: Settings) -> str:
    pki = settings.run / "pki"
    return json.dumps({
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{settings.containerd_socket}",
        "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{CGROUP}", "failCgroupV1": False, "failSwapOn": False, "oomScoreAdj": 0,
        "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}, "x509": {"clientCAFile": f"{pki}/ca.crt"}},
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet-server.crt", "tlsPrivateKeyFile": f"{pki}/kubelet-server.key",
        "clusterDNS": [settings.dns_ip], "clusterDomain": "cluster.local", "resolvConf": str(settings.run / "resolv.conf"),
        "volumePluginDir": str(settings.run / "volume-plugins"), "podLogsDir": "/var/log/pods",
        # The disk is shared with whatever else this machine does: pods are evicted only when it is all but full. Images are imported, so none is collected.
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
        "imageGCHighThresholdPercent": 100, "imageMinimumGCAge": "24h", "syncFrequency": "10s", "maxPods": 110,
    }, indent=1)


def proxy_configuration(settings: Settings) -> str:
    return json.dumps({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(settings.run / "kube-proxy.conf")},
        "mode": "nftables", "clusterCIDR": str(settings.pods), "hostnameOverride": NODE_NAME,
        "conntrack": {"maxPerCore": 0}, "healthzBindAddress": "127.0.0.1:10256", "metricsBindAddress": "127.0.0.1:10249",
    }, indent=1)


def policy_plugin(settings: Settings) -> str:
    return f"#!/bin/sh\nPYTHONPATH='{HERE}' exec python3 -B -S -m harness.policy_plugin\n"


def write_files(settings: Settings) -> None:
    run = settings.run
    for name in ("etcd", "kubelet", "log/pods", "log/containers", "volume-plugins", "volumes", "cni/conf", "cni/bin"):
        (run / name).mkdir(parents=True, exist_ok=True)
    files = {
        "containerd.toml": containerd_configuration(settings), "cni/conf/10-pods.conflist": network_configuration(settings),
        "kubelet.json": kubelet_configuration(settings), "kube-proxy.json": proxy_configuration(settings), "resolv.conf": "",
    }
    for name, text in files.items():
        (run / name).write_text(text)
    for plugin in ("ptp", "portmap", "host-local", "loopback"):
        link = run / "cni/bin" / plugin
        if not link.is_symlink():
            link.symlink_to(CNI_PLUGINS / plugin)
    plugin = run / "cni/bin/tidemark-policy"
    plugin.write_text(policy_plugin(settings))
    plugin.chmod(0o755)


def api_server(settings: Settings, kube: str) -> list[str]:
    pki = settings.run / "pki"
    return [
        kube, "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--secure-port=6443", f"--advertise-address={settings.node_ip}",
        f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key", f"--client-ca-file={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet-client.crt", f"--kubelet-client-key={pki}/apiserver-kubelet-client.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        # The node's name is in no DNS: without this, logs and exec fail.
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        f"--service-account-key-file={pki}/sa.pub", f"--service-account-signing-key-file={pki}/sa.key",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt", "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/front-proxy-client.crt", f"--proxy-client-key-file={pki}/front-proxy-client.key",
        "--enable-aggregator-routing=true", "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={settings.services}", "--allow-privileged=true", "--endpoint-reconciler-type=lease",
    ]


def all_components(settings: Settings, kube: str) -> list[Component]:
    run, pki = settings.run, settings.run / "pki"

    def with_kubeconfig(name: str) -> list[str]:
        conf = run / f"{name}.conf"
        return [kube, name, f"--kubeconfig={conf}", f"--authentication-kubeconfig={conf}", f"--authorization-kubeconfig={conf}",
                "--leader-elect=false", "--bind-address=127.0.0.1"]

    return [
        Component("containerd", ["/usr/bin/containerd", "--config", f"{run}/containerd.toml"], ready=f"unix:{settings.containerd_socket}"),
        Component("etcd", [
            kube, "etcd", "--name=default", f"--data-dir={run}/etcd", "--listen-client-urls=http://127.0.0.1:2379",
            "--advertise-client-urls=http://127.0.0.1:2379", "--listen-peer-urls=http://127.0.0.1:2380",
            "--initial-advertise-peer-urls=http://127.0.0.1:2380", "--initial-cluster=default=http://127.0.0.1:2380",
            # What a test cluster stores must outlive its processes, not the machine.
            "--unsafe-no-fsync=true", "--log-level=warn"], ready="tcp:127.0.0.1:2379"),
        Component("kube-apiserver", api_server(settings, kube), ready=f"https:{settings.node_ip}:6443/readyz"),
        Component("kube-controller-manager", [
            *with_kubeconfig("kube-controller-manager"), f"--root-ca-file={pki}/ca.crt", f"--service-account-private-key-file={pki}/sa.key",
            "--use-service-account-credentials=true", f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key",
            f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt"]),
        Component("kube-scheduler", with_kubeconfig("kube-scheduler")),
        Component("policy-agent", ["python3", "-B", "-u", "-m", "harness.policy_agent", f"{run}/policy-agent.conf", str(settings.pods),
                                   "/run/tidemark-policy.sock"], ready="unix:/run/tidemark-policy.sock"),
        Component("kubelet", [
            kube, "kubelet", f"--config={run}/kubelet.json", f"--kubeconfig={run}/kubelet.conf", f"--hostname-override={NODE_NAME}",
            f"--node-ip={settings.node_ip}", f"--root-dir={run}/kubelet", f"--cert-dir={run}/kubelet/pki"]),
        Component("kube-proxy", [kube, "kube-proxy", f"--config={run}/kube-proxy.json"]),
    ]
