"""Where everything is and which addresses it has. Nothing outside `Settings.home` is written, but for what `cluster` records."""

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from .problem import Problem

HERE = Path(__file__).resolve().parent.parent
REPOSITORY = HERE.parent.parent
NODE_NAME = "node1"
LINK = "tidemark0"
CGROUP = "tidemark-cluster"
DEFAULT_NETWORK = "10.213.0.0/16"


@dataclass(frozen=True)
class Settings:
    home: Path
    network: ipaddress.IPv4Network

    @classmethod
    def from_environment(cls, environment=os.environ) -> "Settings":
        cache = environment.get("TIDEMARK_CACHE") or os.path.join(
            environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tidemark"
        )
        text = environment.get("TIDEMARK_CLUSTER_NETWORK", DEFAULT_NETWORK)
        try:
            network = ipaddress.IPv4Network(text)
            if network.prefixlen != 16:
                raise ValueError("not a /16")
        except ValueError as error:
            raise Problem(
                f"TIDEMARK_CLUSTER_NETWORK={text} cannot be used",
                f"it must be an IPv4 network of 16 bits: {error}",
                f"unset it (then {DEFAULT_NETWORK} is used) or give another like 10.77.0.0/16",
            ) from error
        return cls(Path(cache) / "cluster", network)

    def _part(self, third: int, prefix: int) -> ipaddress.IPv4Network:
        return ipaddress.IPv4Network((int(self.network.network_address) + third * 256, prefix))

    @property
    def parts(self) -> Path:
        """Built parts: kept by `down`, shared by all worktrees."""
        return self.home / "parts"

    @property
    def run(self) -> Path:
        """All state of the cluster: gone after `down` with WIPE=1."""
        return self.home / "run"

    @property
    def kubeconfig(self) -> Path:
        return self.run / "admin.conf"

    @property
    def link_network(self) -> ipaddress.IPv4Network:
        return self._part(0, 30)

    @property
    def host_ip(self) -> str:
        return str(self.link_network[1])

    @property
    def node_ip(self) -> str:
        return str(self.link_network[2])

    @property
    def pods(self) -> ipaddress.IPv4Network:
        return self._part(64, 24)

    @property
    def services(self) -> ipaddress.IPv4Network:
        return self._part(128, 20)

    @property
    def api_service_ip(self) -> str:
        return str(self.services[1])

    @property
    def dns_ip(self) -> str:
        return str(self.services[10])

    @property
    def server(self) -> str:
        return f"https://{self.node_ip}:6443"

    @property
    def containerd_socket(self) -> Path:
        return self.run / "containerd.sock"
