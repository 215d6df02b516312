#!/usr/bin/env python3
"""Builds the images from dockerfiles/ and writes each as an archive: `dockerfiles/build.py [NAME…]`.

BASE_IMAGE, when set, is the base; else Debian's minimal system is made by debootstrap, so no registry is needed. The engine is that of
DOCKER_HOST or the machine's, when there is one; else one of our own runs for as long as the build, and only for it.
The programs are those of `cargo build --release` and the pinned mongod; a pipeline lets the Dockerfiles build or pull them instead.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests/cluster"))

from harness import parts, processes  # noqa: E402
from harness.problem import Problem  # noqa: E402
from harness.settings import Settings  # noqa: E402

# Debian's client has BuildKit in it; a newer one needs a plugin for it.
DEBIANS_CLIENT = "/usr/bin/docker"
TAGS = {"mongod": "6.0.5"}


def output_of(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY).stdout.strip()


def target_folder() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")


def given_programs(image: str) -> dict[str, Path]:
    """Path in the build context to file, for the programs that are not built by the Dockerfile."""
    if image == "sidecar":
        programs = {f"target/release/{name}": target_folder() / "release" / name for name in ("sidecar", "dr-cli")}
    elif image == "mongod":
        programs = {"target/mongod": Path(output_of("scripts/fetch-mongod.sh").splitlines()[-1])}
    elif image == "log-collector":
        programs = {"target/log-collector": Path(output_of("scripts/fetch-log-collector.sh").splitlines()[-1])}
    elif image == "object-store":
        programs = {"target/versitygw": Path(output_of("scripts/fetch-versitygw.sh").splitlines()[-1])}
    else:
        programs = {}
    for path in programs.values():
        if not path.exists():
            raise Problem(f"{path} is not there", "the programs were not built, or CARGO_TARGET_DIR is another folder",
                          "cargo build --release -p sidecar -p dr-cli, or make images")
    return programs


def context_files(image: str) -> dict[str, Path]:
    files = {f"dockerfiles/{image}/{path.name}": path for path in (REPOSITORY / "dockerfiles" / image).iterdir()}
    files.update(given_programs(image))
    package = REPOSITORY / "packages" / image
    if package.is_dir():
        names = output_of("git", "ls-files", "--cached", "--others", "--exclude-standard", str(package.relative_to(REPOSITORY))).splitlines()
        files.update({name: REPOSITORY / name for name in [*names, "package.json", "package-lock.json"] if (REPOSITORY / name).is_file()})
    return files


def send_context(files: dict[str, Path], stream) -> None:
    """The context is sent, not a folder named: programs may lie outside the repository, and nothing else can get in."""
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for name, path in sorted(files.items()):
            entry = archive.gettarinfo(path, name)
            entry.uid = entry.gid = entry.mtime = 0
            entry.uname = entry.gname = ""
            with open(path, "rb") as content:
                archive.addfile(entry, content)


class Engine:
    """An engine that is there, or one of our own for as long as the `with` block."""

    def __init__(self, settings: Settings):
        self.folder = settings.home / "docker"
        self.client = DEBIANS_CLIENT if Path(DEBIANS_CLIENT).exists() else "docker"
        self.environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        self.own = False

    def run(self, *command: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run([self.client, *command], env=self.environment, **options)

    def answers(self) -> bool:
        try:
            return self.run("info", capture_output=True).returncode == 0
        except FileNotFoundError:
            return False

    def __enter__(self) -> "Engine":
        if not self.answers():
            self.start()
        return self

    def start(self) -> None:
        if os.geteuid() != 0:
            raise Problem("no container engine answers", "none runs, and only root can start one", "start Docker, or name one by DOCKER_HOST")
        self.folder.mkdir(parents=True, exist_ok=True)
        socket = f"unix://{self.folder}/docker.sock"
        self.environment["DOCKER_HOST"] = socket
        # No bridge and no rules: steps use the machine's network, and its tables stay as they are.
        command = ["dockerd", f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec", f"--host={socket}", f"--pidfile={self.folder}/pid",
                   "--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=overlay2"]
        try:
            with open(self.folder / "log", "wb") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        except FileNotFoundError as error:
            raise Problem("dockerd is missing", "it comes with Debian's package docker.io", "scripts/install-cluster-packages.sh") from error
        self.own = True
        processes.record(self.folder / "process.json", process.pid)
        deadline = time.monotonic() + 30
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                last = "\n    ".join((self.folder / "log").read_text().strip().splitlines()[-5:])
                self.__exit__()
                raise Problem(f"dockerd did not start:\n    {last}", "see its last words", f"read {self.folder}/log and repeat")
            time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        if self.own:
            processes.stop(self.folder / "process.json", patience=20)


def base_image(engine: Engine, settings: Settings) -> str:
    if os.environ.get("BASE_IMAGE"):
        return os.environ["BASE_IMAGE"]
    archive = parts.archive(settings, "debian", parts.BASE_IMAGE, base=parts.base_root(settings))
    engine.run("load", "--quiet", "--input", str(archive), check=True, stdout=subprocess.DEVNULL)
    return parts.BASE_IMAGE


def build(engine: Engine, image: str, tag: str, base: str, fresh: bool) -> None:
    arguments = {"BASE_IMAGE": base, "REVISION": output_of("git", "rev-parse", "HEAD"), "BINARIES": "given", "MONGOD": "given", "COLLECTOR": "given"}
    declared = (REPOSITORY / "dockerfiles" / image / "Dockerfile").read_text()
    command = [engine.client, "build", "--network=host", f"--file=dockerfiles/{image}/Dockerfile", f"--tag=tidemark/{image}:{tag}", "--progress=plain"]
    command += [f"--build-arg={name}={value}" for name, value in arguments.items() if f"ARG {name}" in declared]
    command += ["--no-cache"] if fresh else []
    # What this machine trusts, the build may trust while it fetches; nothing of it stays in the image.
    trusted = os.environ.get("NODE_EXTRA_CA_CERTS") or os.environ.get("SSL_CERT_FILE")
    command += [f"--secret=id=ca,src={trusted}"] if trusted and "id=ca" in declared else []
    process = subprocess.Popen([*command, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=engine.environment)
    try:
        send_context(context_files(image), process.stdin)
    except BrokenPipeError:
        # The build ended already; what it said is the better message.
        pass
    output = process.communicate()[0].decode(errors="replace")
    if process.returncode != 0:
        tail = "\n    ".join(output.strip().splitlines()[-20:])
        raise Problem(f"the image {image} was not built:\n    {tail}", "see the last step above", f"dockerfiles/build.py {image}")


def main() -> None:
    known = sorted(path.parent.name for path in (REPOSITORY / "dockerfiles").glob("*/Dockerfile"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all when none is named")
    parser.add_argument("--tag", default="dev")
    parser.add_argument("--no-cache", action="store_true", help="run each step again")
    given = parser.parse_args()
    unknown = set(given.images) - set(known)
    if unknown:
        raise Problem(f"there is no image {' '.join(sorted(unknown))}", f"the images are {', '.join(known)}", "dockerfiles/build.py --help")
    settings = Settings.from_environment()
    output = settings.home / "images"
    output.mkdir(parents=True, exist_ok=True)
    with Engine(settings) as engine:
        base = base_image(engine, settings)
        for image in given.images or known:
            tag = TAGS.get(image, given.tag)
            build(engine, image, tag, base, given.no_cache)
            work = output / f"{image}.tar.new"
            engine.run("save", "--output", str(work), f"tidemark/{image}:{tag}", check=True)
            work.replace(output / f"{image}.tar")
            print(f"tidemark/{image}:{tag}: {output}/{image}.tar", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"images: {problem}")
