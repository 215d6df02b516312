"""The first process of the node. `cluster.up` starts it as PID 1 of new mount, network and process namespaces; when it ends, the
kernel ends every process of the node and drops its mounts, interfaces and nft tables: nothing has to be found and removed.

Started as `python3 -m harness.node KUBE`, it prepares the namespaces, starts the components in order and restarts those that end.
"""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

from . import components, processes
from .settings import CGROUP, HERE, Settings

PEER = "uplink"
TIME_TO_READY = 90.0
PAUSE_BEFORE_RESTART = 1.0


def log(message: str) -> None:
    print(time.strftime("%H:%M:%S"), message, flush=True)


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def prepare_mounts(settings: Settings) -> None:
    """Folders that a node's programs take for their own are laid over; the machine's stay as they are."""
    # Volumes mounted by kubelet must reach containers that run already.
    run("mount", "--make-rshared", "/")
    run("mount", "-t", "proc", "proc", "/proc")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/lib/cni")
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/var/log")
    Path("/run/netns").mkdir()
    Path("/run/lock").mkdir()
    for name in ("pods", "containers"):
        Path("/var/log", name).mkdir()
        run("mount", "--bind", str(settings.run / "log" / name), f"/var/log/{name}")


def cgroup_hierarchies(mounts: str) -> list[tuple[Path, str]]:
    """The mounted hierarchies as (mount point, type), read from the text of /proc/mounts."""
    entries = [line.split() for line in mounts.splitlines()]
    return [(Path(entry[1]), entry[2]) for entry in entries if entry[2] in ("cgroup", "cgroup2")]


# Of the machine's CPUs, beside each process outside. By default all pods together weigh as much as one such process, and beside a build they starve.
CPU_WEIGHT = {"cpu.shares": "8192", "cpu.weight": "800"}
# Of that, beside all pods, which kubelet gives 1024 for each CPU.
SHARES_OF_PART = "2048"


def prepare_cgroups() -> None:
    """kubelet wants its root cgroup to be there in each hierarchy, and a cpuset that is empty takes no process."""
    for mount, kind in cgroup_hierarchies(Path("/proc/mounts").read_text()):
        group = mount / CGROUP
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if kind == "cgroup" and (group / name).exists():
                (group / name).write_text((mount / name).read_text())
        for name, weight in CPU_WEIGHT.items():
            if (group / name).exists():
                (group / name).write_text(weight)
        if (group / "cpu.shares").exists():
            # This process and what it starts: a kubelet without CPU keeps pods waiting as well.
            own = group / "node"
            own.mkdir(exist_ok=True)
            (own / "cpu.shares").write_text(SHARES_OF_PART)
            (own / "cgroup.procs").write_text("0")


def prepare_network(settings: Settings) -> None:
    run("ip", "link", "set", "lo", "up")
    deadline = time.monotonic() + 20
    while not Path(f"/proc/sys/net/ipv4/conf/{PEER}").exists():
        if time.monotonic() > deadline:
            raise SystemExit(f"no interface {PEER} came within 20 s")
        time.sleep(0.02)
    run("ip", "address", "add", f"{settings.node_ip}/{settings.link_network.prefixlen}", "dev", PEER)
    run("ip", "link", "set", PEER, "up")
    run("ip", "route", "add", "default", "via", settings.host_ip)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def answers(address: str) -> bool:
    kind, _, where = address.partition(":")
    try:
        if kind == "unix":
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(1)
                client.connect(where)
            return True
        authority, _, path = where.partition("/")
        host, port = authority.split(":")
        with socket.create_connection((host, int(port)), timeout=1) as client:
            if kind == "tcp":
                return True
            # Whether it is ready is asked here, not who it is: clients verify it.
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(client) as secured:
                secured.settimeout(5)
                secured.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
                return b" 200 " in secured.recv(100)
    except OSError:
        return False


class Supervisor:
    def __init__(self, directory: Path):
        self.directory, self.running, self.stopping = directory, {}, False

    def start(self, component: components.Component) -> None:
        # Append: what a component said before it ended explains why it was started again.
        with open(self.directory / f"{component.name}.log", "ab") as output:
            process = subprocess.Popen(component.command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                       cwd=HERE, start_new_session=True)
        self.running[process.pid] = component
        log(f"started {component.name} as {process.pid}")

    def start_in_order(self, wanted: list[components.Component]) -> None:
        for component in wanted:
            self.start(component)
            deadline = time.monotonic() + TIME_TO_READY
            while component.ready and not answers(component.ready):
                if time.monotonic() > deadline:
                    raise SystemExit(f"{component.name} was not ready after {TIME_TO_READY:.0f} s; see {component.name}.log")
                self.reap(os.WNOHANG)
                time.sleep(0.05)

    def reap(self, options: int) -> bool:
        """Takes one ended process, a component's or an orphan of a container; a component is started again."""
        try:
            pid, status = os.waitpid(-1, options)
        except ChildProcessError:
            return False
        component = self.running.pop(pid, None)
        if component and not self.stopping:
            log(f"{component.name} ended with {os.waitstatus_to_exitcode(status)}; starting it again")
            time.sleep(PAUSE_BEFORE_RESTART)
            self.start(component)
        return pid != 0

    def stop(self, *_: object) -> None:
        """Ends like a machine that is switched off in order: kubelet and control plane stop, then the kernel ends the rest."""
        self.stopping = True
        log("stopping")
        for pid in self.running:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 4
        while self.running and time.monotonic() < deadline:
            self.reap(os.WNOHANG)
            time.sleep(0.05)
        os._exit(0)


def main() -> None:
    settings = Settings.from_environment()
    # This /proc is still the machine's, so the link names this process as the machine sees it.
    processes.record(settings.run / "node.json", int(os.readlink("/proc/self")))
    supervisor = Supervisor(settings.run / "log")
    signal.signal(signal.SIGTERM, supervisor.stop)
    prepare_mounts(settings)
    prepare_cgroups()
    prepare_network(settings)
    if shutil.which("containerd") is None:
        raise SystemExit("containerd is not installed")
    supervisor.start_in_order(components.all_components(settings, sys.argv[1]))
    log("all components started")
    while True:
        supervisor.reap(0)


if __name__ == "__main__":
    main()
