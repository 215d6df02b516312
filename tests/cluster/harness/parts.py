"""Builds what the cluster runs, once for each version of its sources, into a cache that all worktrees share."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import oci
from .problem import Problem
from .settings import HERE, REPOSITORY, Settings

KUBERNETES = "v1.33.13"
METRICS_SERVER = "v0.8.0"
DEBIAN = "bookworm"
BASE_IMAGE = f"localhost/tidemark/debian:{DEBIAN}"
BASE_PACKAGES = "ca-certificates,busybox,curl"
# Without these, helm's kubeVersion and kubectl's skew check see v0.0.0.
KUBE_FLAGS = " ".join(
    [f"-X k8s.io/{package}.gitVersion={KUBERNETES}" for package in ("component-base/version", "client-go/pkg/version")]
    + [f"-X k8s.io/component-base/version.{name}={value}" for name, value in (("gitMajor", 1), ("gitMinor", 33), ("gitTreeState", "clean"))]
)
PAUSE_SOURCE = """#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void quit(int number) { _exit(0); }
static void reap(int number) { while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) {
  signal(SIGINT, quit); signal(SIGTERM, quit); signal(SIGCHLD, reap);
  for (;;) pause();
}
"""


@dataclass(frozen=True)
class GoPart:
    name: str
    module: str
    package: str
    tags: str = ""
    link_flags: str = ""
    cost: str = ""


GO_PARTS = [
    GoPart("kube", "kube", ".", "providerless", KUBE_FLAGS, "10 to 20 minutes on two cores"),
    GoPart("coredns", "addons", "./coredns", cost="3 minutes"),
    GoPart("local-path-provisioner", "addons", "github.com/rancher/local-path-provisioner", cost="2 minutes"),
]


def fingerprint(*texts: str | bytes) -> str:
    value = hashlib.sha256()
    for text in texts:
        data = text.encode() if isinstance(text, str) else text
        value.update(len(data).to_bytes(8, "big") + data)
    return value.hexdigest()[:12]


def go_fingerprint(part: GoPart, module: Path) -> str:
    sources = sorted(path for path in module.rglob("*") if path.suffix in (".go", ".mod", ".sum"))
    return fingerprint(repr(part), *(path.read_bytes() for path in sources))


@contextmanager
def built_once(directory: Path, name: str):
    """Yields a folder to build in, or None when it is built; side by side, the second waits for the first."""
    target = directory / name
    if not target.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with open(directory / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not target.exists():
                work = Path(tempfile.mkdtemp(prefix=".build-", dir=directory))
                try:
                    yield work
                    (work / name).replace(target)
                finally:
                    shutil.rmtree(work, ignore_errors=True)
                return
    yield None


def call(command: list[str], cause: str, **options) -> None:
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        tail = "\n    ".join(result.stdout.strip().splitlines()[-15:])
        raise Problem(f"{' '.join(command[:4])} … exited {result.returncode}:\n    {tail}", cause, "repeat the command when the cause is gone; finished parts are kept")


def go_command() -> str:
    script = REPOSITORY / "scripts/fetch-go.sh"
    return subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()[-1]


def go_part_directory(settings: Settings, part: GoPart) -> Path:
    return settings.parts / f"{part.name}-{go_fingerprint(part, HERE / 'go' / part.module)}"


def go_part(settings: Settings, part: GoPart) -> Path:
    module = HERE / "go" / part.module
    directory = go_part_directory(settings, part)
    with built_once(directory, part.name) as work:
        if work:
            print(f"building {part.name}; this takes {part.cost} from nothing, once", flush=True)
            environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false -mod=readonly"}
            call(["nice", "-n", "10", go_command(), "build", "-trimpath", "-tags", part.tags, "-ldflags", f"-s -w {part.link_flags}".strip(),
                  "-o", str(work / part.name), part.package], "a module could not be fetched, the disk is full, or memory ran out at the link (3 GB)",
                 cwd=module, env=environment)
    return directory / part.name


def metrics_server(settings: Settings) -> Path:
    script = REPOSITORY / "scripts/fetch-go-tool.sh"
    output = subprocess.run([script, "metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server", METRICS_SERVER],
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    return Path(output.strip().splitlines()[-1])


def pause_directory(settings: Settings) -> Path:
    return settings.parts / f"pause-{fingerprint(PAUSE_SOURCE)}"


def pause(settings: Settings) -> Path:
    directory = pause_directory(settings)
    with built_once(directory, "pause") as work:
        if work:
            (work / "pause.c").write_text(PAUSE_SOURCE)
            call(["gcc", "-static", "-Os", "-s", "-o", str(work / "pause"), str(work / "pause.c")], "gcc or the static C library is missing")
    return directory / "pause"


def base_root_directory(settings: Settings) -> Path:
    return settings.parts / f"debian-{DEBIAN}-{fingerprint(BASE_PACKAGES)}"


def base_root(settings: Settings) -> Path:
    """A tar of Debian's minimal system with CA certificates, curl and busybox: base of images where no registry can be reached."""
    directory = base_root_directory(settings)
    with built_once(directory, "root.tar") as work:
        if work:
            print("making a base system with debootstrap; this takes a minute, once", flush=True)
            root = work / "root"
            call(["debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", DEBIAN, str(root)], "Debian's mirror does not answer or the disk is full")
            for folder in ("var/cache/apt/archives", "var/lib/apt/lists", "var/log", "var/cache/ldconfig"):
                shutil.rmtree(root / folder, ignore_errors=True)
                (root / folder).mkdir(parents=True)
            call(["tar", "--sort=name", "--mtime=@0", "--numeric-owner", "--exclude=./dev/*", "-C", str(root), "-cf", str(work / "root.tar"), "."], "the disk is full")
    return directory / "root.tar"


def archive(settings: Settings, name: str, image: str, **content) -> Path:
    """An image archive of parts, made again when one of them is another."""
    files = content.get("files") or {}
    inputs = [str(path) for path in files.values()] + [str(content.get("base"))]
    directory = settings.parts / f"image-{name}-{fingerprint(image, repr(content.get('entrypoint')), *inputs)}"
    with built_once(directory, "image.tar") as work:
        if work:
            oci.write(work / "image.tar", image, **content)
    return directory / "image.tar"


def node_images(settings: Settings) -> list[Path]:
    """The images that the node itself needs."""
    from .components import PAUSE_IMAGE

    base = base_root(settings)
    images = [
        archive(settings, "pause", PAUSE_IMAGE, files={"pause": pause(settings)}, entrypoint=["/pause"]),
        archive(settings, "debian", BASE_IMAGE, base=base),
    ]
    programs = {part.name: go_part(settings, part) for part in GO_PARTS if part.name != "kube"}
    programs["metrics-server"] = metrics_server(settings)
    for name, program in programs.items():
        images.append(archive(settings, name, f"localhost/tidemark/{name}:1", files={name: program}, entrypoint=[f"/{name}"]))
    return images


def kube(settings: Settings) -> Path:
    return go_part(settings, next(part for part in GO_PARTS if part.name == "kube"))


def missing(settings: Settings) -> list[str]:
    """Names of what `kube` and `node_images` would have to build, which takes minutes; what takes a second is not asked for."""
    built = {part.name: go_part_directory(settings, part) / part.name for part in GO_PARTS}
    # As scripts/fetch-go-tool.sh keeps it, beside the cluster's own parts.
    built["metrics-server"] = settings.home.parent / f"metrics-server-{METRICS_SERVER}" / "metrics-server"
    built["pause"] = pause_directory(settings) / "pause"
    built["debian"] = base_root_directory(settings) / "root.tar"
    return [name for name, path in built.items() if not path.exists()]
