"""What must be there before anything is started; all faults are found before the first change."""

import ipaddress
import json
import os
import shutil
import subprocess
from pathlib import Path

from . import node
from .problem import Problem
from .settings import LINK, REPOSITORY, Settings

PROGRAMS = {
    "containerd": "containerd", "runc": "runc", "ctr": "containerd", "nft": "nftables", "ip": "iproute2", "conntrack": "conntrack",
    "iptables": "iptables", "debootstrap": "debootstrap", "openssl": "openssl", "gcc": "gcc", "unshare": "util-linux", "nsenter": "util-linux",
}
INSTALL = REPOSITORY / "scripts/install-cluster-packages.sh"
GIGABYTE = 1 << 30
FREE_TO_START, FREE_TO_BUILD = 5 * GIGABYTE, 15 * GIGABYTE
FILE_SYSTEMS = ("overlay", "tmpfs", "proc")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "devices")


def root(user: int) -> None:
    if user != 0:
        raise Problem("a cluster can be started by root only", f"namespaces, mounts and network interfaces are made; this is user {user}",
                      "sudo make cluster-up, or let KUBECONFIG name another cluster and run make e2e")


def programs() -> None:
    missing = sorted({package for program, package in PROGRAMS.items() if shutil.which(program) is None})
    if not Path("/usr/lib/cni/ptp").exists():
        missing.append("containernetworking-plugins")
    if missing:
        raise Problem(f"programs are missing: {' '.join(missing)}", "they come with Debian's packages of these names", str(INSTALL))
    if shutil.which("kubectl") is None:
        raise Problem("kubectl is missing", "it is not a Debian 12 package", "install kubectl 1.32 to 1.34 and repeat")


def kernel(file_systems: str, mounts: str, cgroups: str) -> None:
    """Arguments: the texts of /proc/filesystems, /proc/mounts and /proc/cgroups."""
    known = {line.split()[-1] for line in file_systems.splitlines() if line.strip()}
    for name in FILE_SYSTEMS:
        if name not in known:
            raise Problem(f"this kernel has no file system {name}", "it was built without it, or its module is not loaded", f"modprobe {name}, or use another machine")
    hierarchies = node.cgroup_hierarchies(mounts)
    if not hierarchies:
        raise Problem("no cgroup hierarchy is mounted", "containers need cgroups; this may be a container without them", "run it on a machine or in a VM of its own")
    on = {line.split()[0] for line in cgroups.splitlines() if line and not line.startswith("#") and line.split()[3] == "1"}
    missing = [name for name in CONTROLLERS if name not in on and not (name == "devices" and hierarchies[0][1] == "cgroup2")]
    if missing:
        raise Problem(f"cgroup controllers are missing: {' '.join(missing)}", "the kernel was built or started without them (cgroup_disable=)", "use another machine")


def nft() -> None:
    result = subprocess.run(["unshare", "--net", "nft", "add table inet tidemark_probe"], capture_output=True, text=True)
    if result.returncode != 0:
        raise Problem(f"nft cannot make a table in a network namespace of its own: {result.stderr.strip()}",
                      "the kernel has no nf_tables, or this is a container without the right to use it", "use another machine, or a VM")


def space(free: int, needed: int, directory: Path) -> None:
    if free < needed:
        raise Problem(f"{directory} has {free / GIGABYTE:.1f} GB free and {needed / GIGABYTE:.0f} GB are needed",
                      "images, volumes and, when cold, the Go build fill the disk", f"free some, or set TIDEMARK_CACHE to a folder on another disk")


def addresses(settings: Settings, routes: list[dict]) -> None:
    """`routes`: what `ip --json route show` says."""
    for route in routes:
        if route["dst"] == "default" or route.get("dev") == LINK:
            continue
        if ipaddress.IPv4Network(route["dst"], strict=False).overlaps(settings.network):
            raise Problem(f"{settings.network} is in use: {route['dst']} dev {route.get('dev')}", "another network of this machine has these addresses",
                          "set TIDEMARK_CLUSTER_NETWORK to a free /16 like 10.77.0.0/16")


def link(mine: bool) -> None:
    if Path("/sys/class/net", LINK).exists() and not mine:
        raise Problem(f"there is a network interface {LINK} already", "another cluster of this kind runs here with another TIDEMARK_CACHE",
                      f"make cluster-down there; when nothing is left of it: ip link delete {LINK}")


def check(settings: Settings, cold: bool) -> None:
    root(os.geteuid())
    programs()
    kernel(*(Path("/proc", name).read_text() for name in ("filesystems", "mounts", "cgroups")))
    nft()
    settings.home.mkdir(parents=True, exist_ok=True)
    space(shutil.disk_usage(settings.home).free, FREE_TO_BUILD if cold else FREE_TO_START, settings.home)
    routes = subprocess.run(["ip", "--json", "-4", "route", "show"], check=True, capture_output=True, text=True).stdout
    addresses(settings, json.loads(routes or "[]"))
    link(mine=False)
