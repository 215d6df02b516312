"""Brings the node up and down. What is outside the node's own namespaces, and therefore has to be undone, is this and nothing else:
the process of the node (recorded with its start time), one veth pair, the cgroup folders, and the folders below `Settings.home`.
"""

import fcntl
import os
import shutil
import subprocess
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

from . import addons, certificates, components, node, parts, preflight, processes
from .problem import Problem
from .settings import CGROUP, HERE, LINK, Settings

TIME_TO_READY = 120.0


@contextmanager
def alone(settings: Settings):
    """One `up` or `down` at a time; the lock goes with the process, also when it is killed."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with open(settings.home / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("another up or down is at work; waiting for it", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def used(settings: Settings):
    """While tests run, so that other tests do not end the cluster below them."""
    settings.home.mkdir(parents=True, exist_ok=True)
    with open(settings.home / ".used", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def weighing_as_it(settings: Settings):
    """This process and what it starts get CPU as the node does: else each kubectl of a test waits for what runs beside it."""
    with ExitStack() as left:
        for mount, _ in node.cgroup_hierarchies(Path("/proc/mounts").read_text()):
            if (mount / CGROUP / "cpu.shares").exists():
                left.enter_context(in_group(mount, mount / CGROUP / "tests"))
        yield


@contextmanager
def in_group(mount: Path, group: Path):
    before = group_of_process(mount, Path("/proc/self/cgroup").read_text())
    group.mkdir(exist_ok=True)
    (group / "cpu.shares").write_text(node.SHARES_OF_PART)
    (group / "cgroup.procs").write_text("0")
    try:
        yield
    finally:
        (before / "cgroup.procs").write_text("0")
        try:
            group.rmdir()
        except OSError:
            # Others test beside this one.
            pass


def group_of_process(mount: Path, text: str) -> Path:
    """Where a process is in the hierarchy for CPU, of what its /proc/PID/cgroup says."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            return mount / path.lstrip("/")
    return mount


def down_unless_used(settings: Settings) -> bool:
    with open(settings.home / ".used", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print("the cluster stays up: other tests use it", flush=True)
            return False
        down(settings, wipe=False)
        return True


def node_pid(settings: Settings) -> int | None:
    return processes.recorded(settings.run / "node.json")


def kubectl(settings: Settings, *arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(["kubectl", f"--kubeconfig={settings.kubeconfig}", *arguments], text=True, **options)


def is_up(settings: Settings) -> bool:
    """Up is: the node runs and the add-ons of this version are in place."""
    return node_pid(settings) is not None and addons.installed(settings)


def in_node(settings: Settings, *command: str) -> list[str]:
    """A command line that runs in the node's namespaces, for tests that look at the node from inside."""
    return ["nsenter", f"--target={node_pid(settings)}", "--mount", "--net", "--pid", "--", *command]


def tail(path: Path, lines: int = 12) -> str:
    try:
        return "\n    ".join(path.read_text(errors="replace").strip().splitlines()[-lines:])
    except FileNotFoundError:
        return f"{path} is not there"


def node_problem(settings: Settings, what: str) -> Problem:
    log = settings.run / "log"
    newest = max(log.glob("*.log"), key=lambda path: path.stat().st_mtime, default=log / "node.log")
    return Problem(f"{what}\n    {tail(log / 'node.log')}", f"the last words of {newest.stem}:\n    {tail(newest)}", f"read {log}/*.log, then make cluster-down cluster-up")


def start_node(settings: Settings, kube: Path) -> None:
    settings.run.mkdir(parents=True, exist_ok=True)
    (settings.run / "log").mkdir(exist_ok=True)
    # libcni keeps its results here, whatever one tells it; in the node a tmpfs lies over it.
    made = settings.run / "made-folders"
    if not Path("/var/lib/cni").exists():
        made.write_text("/var/lib/cni\n")
        Path("/var/lib/cni").mkdir(parents=True)
    with open(settings.run / "log/node.log", "ab") as output:
        unshare = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private",
             "python3", "-B", "-u", "-m", "harness.node", str(kube)],
            stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=HERE, start_new_session=True)
    processes.record(settings.run / "unshare.json", unshare.pid)
    wait_for(lambda: node_pid(settings) is not None or unshare.poll() is not None, 20)
    pid = node_pid(settings)
    if pid is None:
        raise node_problem(settings, "the node did not start")
    connect_node(settings, pid)


def connect_node(settings: Settings, pid: int) -> None:
    commands = [
        f"link add {LINK} type veth peer name {node.PEER} netns {pid}",
        f"address add {settings.host_ip}/{settings.link_network.prefixlen} dev {LINK}",
        f"link set {LINK} up",
        # So that somebody outside can try to reach a pod: that policies stop him shall not be for want of a way.
        f"route add {settings.pods} via {settings.node_ip}",
    ]
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


def wait_for(condition, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def node_ready(settings: Settings) -> bool:
    path = '{.items[*].status.conditions[?(@.type=="Ready")].status}'
    return kubectl(settings, "get", "nodes", "--output", f"jsonpath={path}", "--request-timeout=5s", capture_output=True).stdout.strip() == "True"


def wait_until_ready(settings: Settings) -> None:
    def settled() -> bool:
        return node_pid(settings) is None or node_ready(settings)

    if not wait_for(settled, TIME_TO_READY) or node_pid(settings) is None:
        raise node_problem(settings, "the node did not become ready")


def up(settings: Settings) -> None:
    preflight.root(os.geteuid())
    with alone(settings):
        if is_up(settings):
            wait_until_ready(settings)
            print(f"the cluster is up: export KUBECONFIG={settings.kubeconfig}")
            return
        began = time.monotonic()
        if node_pid(settings) is None:
            # What a killed `up` or a restarted machine left.
            remove_traces(settings)
            preflight.check(settings, cold=not any(settings.parts.glob("kube-*/kube")))
        kube = parts.kube(settings)
        images = parts.node_images(settings)
        built = time.monotonic()
        if node_pid(settings) is None:
            certificates.make(settings)
            components.write_files(settings)
            start_node(settings, kube)
        wait_until_ready(settings)
        ready = time.monotonic()
        for image in images:
            import_image(settings, image)
        addons.install(settings)
        print(f"cluster ready: parts {built - began:.1f} s, node {ready - built:.1f} s, add-ons {time.monotonic() - ready:.1f} s")
        print(f"export KUBECONFIG={settings.kubeconfig}")


def obstacle(settings: Settings, user: int) -> str:
    """Why `up` would fail here, or build for minutes; empty when the cluster is up or would be within seconds. Changes nothing."""
    try:
        preflight.root(user)
        if is_up(settings):
            return ""
        preflight.programs()
        if missing := parts.missing(settings):
            return f"parts of the cluster are not built: {', '.join(missing)} (make cluster-up builds them, once)"
        preflight.check(settings, cold=False)
    except Problem as problem:
        return f"{problem.what} ({problem.next_step})"
    return ""


def import_image(settings: Settings, image: Path) -> None:
    """Imports an archive unless this very file was imported before."""
    marks = settings.run / "imported"
    marks.mkdir(exist_ok=True)
    identity = f"{image} {image.stat().st_mtime_ns} {image.stat().st_size}"
    mark = marks / parts.fingerprint(identity)
    if mark.exists():
        return
    parts.call(["ctr", f"--address={settings.containerd_socket}", "--namespace=k8s.io", "images", "import", str(image)],
               "containerd does not answer, the archive is damaged or the disk is full")
    mark.write_text(identity)


def remove_traces(settings: Settings) -> None:
    """Everything outside the namespaces, but for the files; with the node's processes gone the rest is gone too."""
    processes.stop(settings.run / "node.json", patience=8)
    processes.stop(settings.run / "unshare.json", patience=2)
    owned = settings.run / "made-folders"
    if settings.run.exists() and Path("/sys/class/net", LINK).exists():
        subprocess.run(["ip", "link", "delete", LINK], capture_output=True)
    for mount, _ in node.cgroup_hierarchies(Path("/proc/mounts").read_text()):
        remove_cgroup(mount / CGROUP)
    if owned.exists():
        for line in owned.read_text().splitlines():
            try:
                os.rmdir(line)
            except OSError:
                # Somebody else uses it by now.
                pass
        owned.unlink()
    for name in ("containerd.sock", "containerd.sock.ttrpc"):
        (settings.run / name).unlink(missing_ok=True)


def remove_cgroup(group: Path) -> None:
    if not group.is_dir():
        return
    for folder, _, _ in os.walk(group, topdown=False):
        # A killed process leaves its cgroup a moment after it has gone from /proc.
        wait_for(lambda: removed(Path(folder)), 5)


def removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def down(settings: Settings, wipe: bool) -> None:
    preflight.root(os.geteuid())
    with alone(settings):
        remove_traces(settings)
        below = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[1].startswith(f"{settings.run}/")]
        if below:
            raise Problem(f"there are mounts below {settings.run}: {' '.join(below)}", "they were made by hand: the node's own are gone with it", f"umount {below[0]}")
        if wipe:
            shutil.rmtree(settings.run, ignore_errors=False) if settings.run.exists() else None
    print(f"the cluster is down; {'nothing of it is left' if wipe else f'its state is kept in {settings.run} (WIPE=1 removes it)'}")
