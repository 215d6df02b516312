"""What the images promise. Reads the archives that `dockerfiles/build.py` wrote and starts their programs in a plain chroot:
no engine is needed, and nothing of the machine can help them."""

import gzip
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tarfile
import time
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "tests/cluster"))

from harness.settings import Settings  # noqa: E402

MEGABYTE = 1 << 20
SHELLS = {"sh", "bash", "dash", "busybox", "ash", "zsh"}
LABELS = ("title", "description", "version", "revision", "licenses")


class Image:
    def __init__(self, name: str):
        self.path = Settings.from_environment().home / "images" / f"{name}.tar"
        with tarfile.open(self.path) as archive:
            manifest = json.load(archive.extractfile("manifest.json"))[0]
            self.tags = manifest["RepoTags"]
            self.configuration = json.load(archive.extractfile(manifest["Config"]))
            self.layers = manifest["Layers"]

    def entries(self) -> list[tarfile.TarInfo]:
        with tarfile.open(self.path) as archive:
            return [entry for layer in self.layers for entry in tarfile.open(fileobj=archive.extractfile(layer))]

    def compressed(self) -> int:
        """As a registry stores it: each layer with gzip."""
        class Count:
            total = 0

            def write(self, data):
                self.total += len(data)

        count = Count()
        with tarfile.open(self.path) as archive:
            for layer in self.layers:
                with gzip.GzipFile(fileobj=count, mode="wb", compresslevel=6) as packed:
                    shutil.copyfileobj(archive.extractfile(layer), packed, MEGABYTE)
        return count.total

    def unpack(self, folder: str) -> None:
        with tarfile.open(self.path) as archive:
            for layer in self.layers:
                with tarfile.open(fileobj=archive.extractfile(layer)) as content:
                    content.extractall(folder, numeric_owner=True)


class Promises:
    """Holds for each image; a class for each says which."""

    name = tag = ""
    largest = 0
    shell = False
    # Paths of its programs; each says its version and ends well, with nothing but the image's own libraries.
    programs: tuple[str, ...] = ()
    version = "--version"
    # What they say then; their name when empty.
    says = ""

    @classmethod
    def setUpClass(cls):
        cls.image = Image(cls.name)
        cls.folder = TemporaryDirectory(prefix="tidemark-image-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.image.unpack(cls.folder.name)
        # As the root of a container is, whoever made the folder.
        os.chmod(cls.folder.name, 0o755)

    def run_in_image(self, *command: str) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*command), capture_output=True, text=True, timeout=60, env=self.environment())

    def environment(self) -> dict:
        return dict(pair.split("=", 1) for pair in self.image.configuration["config"]["Env"])

    def command(self, *command: str) -> list[str]:
        # The kernel's own folders are not laid under it, so a program that needs more than its image fails here.
        return ["/usr/sbin/chroot", "--userspec=10001:10001", self.folder.name, *command]

    def test_its_name_and_user(self):
        self.assertEqual(self.image.tags, [f"tidemark/{self.name}:{self.tag}"])
        self.assertEqual(self.image.configuration["config"]["User"], "10001:10001")

    def test_it_says_what_it_is(self):
        labels = self.image.configuration["config"]["Labels"]
        for label in LABELS:
            self.assertTrue(labels.get(f"org.opencontainers.image.{label}"), label)
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout.strip()
        self.assertRegex(labels["org.opencontainers.image.revision"], "^[0-9a-f]{40}$", head)

    def test_no_program_gives_more_rights_than_its_user_has(self):
        # Only the last layer's word counts, so it is asked of the files and not of the layers.
        found = [str(path) for path in Path(self.folder.name).rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)]
        self.assertEqual(found, [])

    def test_its_programs_start(self):
        self.assertTrue(self.programs)
        for program in self.programs:
            result = self.run_in_image(program, self.version)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertIn(self.says or Path(program).name.removeprefix("prometheus-"), result.stdout + result.stderr)

    def test_a_shell_is_there_only_where_it_is_said(self):
        names = {Path(entry.name).name for entry in self.image.entries()}
        self.assertEqual(bool(names & SHELLS), self.shell)

    def test_it_is_small_enough(self):
        size = self.image.compressed()
        print(f"\ntidemark/{self.name}: {size / MEGABYTE:.1f} MiB compressed", flush=True)
        self.assertLessEqual(size, self.largest)


class Sidecar(Promises, unittest.TestCase):
    name, tag = "sidecar", "dev"
    largest = 40_000_000
    programs = ("/usr/local/bin/sidecar", "/usr/local/bin/dr-cli")

    def test_its_programs_have_nothing_to_complain_of(self):
        for program in self.programs:
            result = self.run_in_image(program, "--version")
            self.assertEqual((result.stderr, result.stdout.split()[0]), ("", Path(program).name))

    def test_it_has_its_programs_libraries_certificates_and_nothing_else(self):
        allowed = ("usr/local/bin/", "lib/x86_64-linux-gnu/", "usr/lib/x86_64-linux-gnu/", "lib64/", "etc/")
        files = [entry.name for entry in self.image.entries() if entry.isfile()]
        self.assertEqual([name for name in files if not name.startswith(allowed)], [])
        self.assertEqual(sorted(name for name in files if name.startswith("usr/local/bin/")), ["usr/local/bin/dr-cli", "usr/local/bin/sidecar"])
        self.assertIn("etc/ssl/certs/ca-certificates.crt", files)

    def test_all_its_files_have_one_time(self):
        self.assertEqual({entry.mtime for entry in self.image.entries() if entry.isfile()}, {0})

    def test_its_entry_is_the_sidecar(self):
        self.assertEqual(self.image.configuration["config"]["Entrypoint"], ["/usr/local/bin/sidecar"])


class Mongod(Promises, unittest.TestCase):
    name, tag = "mongod", "6.0.5"
    largest = 80_000_000
    programs = ("/usr/local/bin/mongod",)
    says = "db version"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The one thing of the kernel's that it cannot do without.
        urandom = Path(cls.folder.name, "dev/urandom")
        urandom.parent.mkdir(exist_ok=True)
        os.mknod(urandom, 0o666 | stat.S_IFCHR, os.makedev(1, 9))

    def test_it_has_what_the_sidecar_s_binary_loads(self):
        # Probes and preStop run the sidecar's binary in this image.
        binary = Path(self.folder.name, "usr/local/bin/sidecar")
        source = Image("sidecar")
        with TemporaryDirectory() as folder:
            source.unpack(folder)
            shutil.copy2(Path(folder, "usr/local/bin/sidecar"), binary)
        self.addCleanup(binary.unlink)
        result = self.run_in_image("/usr/local/bin/sidecar", "--version")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_mongod_starts_and_takes_connections(self):
        data = Path(self.folder.name, "data/db")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            self.command("/usr/local/bin/mongod", "--dbpath=/data/db", f"--port={port}", "--bind_ip=127.0.0.1", "--wiredTigerCacheSizeGB=0.25", "--nounixsocket"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment())
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        process.kill()
                        self.fail(f"mongod did not start: {process.communicate()[0][-2000:]}")
                    time.sleep(0.1)
            self.assertTrue((data / "WiredTiger").exists())
        finally:
            process.terminate()
            process.communicate(timeout=30)


class Edge(Promises, unittest.TestCase):
    name, tag = "edge", "dev"
    largest = 80_000_000
    shell = True
    programs = ("/usr/sbin/nginx",)
    version = "-v"


class Prometheus(Promises, unittest.TestCase):
    name, tag = "prometheus", "dev"
    largest = 130_000_000
    shell = True
    programs = ("/usr/bin/prometheus", "/usr/bin/promtool")


class Alertmanager(Promises, unittest.TestCase):
    name, tag = "alertmanager", "dev"
    largest = 90_000_000
    shell = True
    programs = ("/usr/bin/prometheus-alertmanager", "/usr/bin/amtool")


class ObjectStore(Promises, unittest.TestCase):
    name, tag = "object-store", "dev"
    largest = 90_000_000
    shell = True
    programs = ("/usr/local/bin/versitygw",)
    says = "Version"


class LogCollector(Promises, unittest.TestCase):
    name, tag = "log-collector", "dev"
    largest = 60_000_000
    programs = ("/usr/local/bin/log-collector",)


class Dockerfiles(unittest.TestCase):
    def test_hadolint_has_nothing_to_say(self):
        script = REPOSITORY / "scripts/fetch-hadolint.sh"
        hadolint = subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout.strip().splitlines()[-1]
        files = [str(path.relative_to(REPOSITORY)) for path in sorted((REPOSITORY / "dockerfiles").glob("*/Dockerfile"))]
        result = subprocess.run([hadolint, *files], cwd=REPOSITORY, capture_output=True, text=True)
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_each_has_the_arguments_of_a_pipeline(self):
        for path in (REPOSITORY / "dockerfiles").glob("*/Dockerfile"):
            with self.subTest(path=path):
                self.assertRegex(path.read_text(), r"(?m)^ARG BASE_IMAGE=\S+$")


if __name__ == "__main__":
    unittest.main()
