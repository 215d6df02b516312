"""A release: archives that are the same each time, lists of components that are whole, and a real registry that has what release.json says."""

import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile
import time
import tomllib
import unittest
import urllib.request

from repository import ROOT, run

import promote
import release
import sbom
from collector import free_port


def step(*arguments, **variables):
    return run(ROOT / "scripts/release.py", *arguments, env={**os.environ, **variables})


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.output = self.folder / "release-files"

    def digest(self, path):
        return hashlib.sha256(path.read_bytes()).hexdigest()


class Archives(Folder):
    def programs(self, mode=0o644):
        place = self.folder / "programs"
        place.mkdir(exist_ok=True)
        for name in release.PROGRAMS:
            (place / name).write_text(f"#!/bin/sh\necho {name}\n")
            (place / name).chmod(mode)
        return place

    def test_the_same_programs_make_the_same_archive(self):
        digests = []
        for mode in (0o644, 0o755):
            done = step("dist", "--version", "0.2.0", "--programs", self.programs(mode), "--output", self.output)
            self.assertEqual(done.returncode, 0, done.stderr)
            (archive,) = self.output.glob("*.tar.gz")
            digests.append(self.digest(archive))
        self.assertEqual(digests[0], digests[1])

    def test_sums_are_those_of_the_archives_and_programs_start(self):
        step("dist", "--version", "0.2.0", "--programs", self.programs(), "--output", self.output)
        done = run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=self.output)
        self.assertEqual(done.returncode, 0, done.stdout)
        (archive,) = self.output.glob("*.tar.gz")
        with tarfile.open(archive) as files:
            files.extractall(self.folder / "unpacked")
        for name in release.PROGRAMS:
            self.assertEqual(run(self.folder / "unpacked/tidemark-0.2.0" / name).stdout, f"{name}\n")

    def test_what_is_missing_is_named_with_the_next_command(self):
        done = step("dist", "--version", "0.2.0", "--programs", self.folder, "--output", self.output)
        self.assertEqual(done.returncode, 1)
        self.assertIn("run `cargo build --release", done.stderr)
        self.assertIn("write three numbers", step("dist", "--version", "v1", "--programs", self.folder).stderr)
        self.assertIn("nothing to sign", step("sign", "--output", self.folder / "none").stderr)
        self.assertIn("--registry is missing", step("images", "--version", "0.2.0", "--archives", self.folder).stderr)


class Components(unittest.TestCase):
    documents = {product: json.loads(text) for product, text in sbom.documents("0.2.0").items()}

    def purls(self, product):
        return {each["purl"] for each in self.documents[product]["components"]}

    def test_programs_have_all_that_their_manifests_ask_for(self):
        locked = {package["name"]: package for package in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"] if "source" in package}
        for crate in ("sidecar", "dr-cli"):
            manifest = tomllib.loads((ROOT / crate / "Cargo.toml").read_text())
            for name in manifest["dependencies"]:
                if name in locked:
                    self.assertTrue(any(purl.startswith(f"pkg:cargo/{name}@") for purl in self.purls("programs")), name)
        # By way of others, and none of the workspace itself.
        self.assertIn("pkg:cargo/mongodb@" + locked["mongodb"]["version"], self.purls("programs"))
        self.assertFalse([purl for purl in self.purls("programs") if "/archive@" in purl or "/e2e@" in purl])

    def test_digests_are_those_of_the_lock_file(self):
        locked = {(each["name"], each["version"]): each.get("checksum") for each in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
        for each in self.documents["programs"]["components"]:
            self.assertEqual(each["hashes"], [{"alg": "SHA-256", "content": locked[each["name"], each["version"]]}])

    def test_the_api_has_what_it_runs_with_and_nothing_of_its_tests(self):
        package = json.loads((ROOT / "packages/orders-api/package.json").read_text())
        names = {each["name"] for each in self.documents["orders-api"]["components"]}
        self.assertLessEqual(set(package["dependencies"]), names)
        self.assertFalse(set(package.get("devDependencies", {})) & names)

    def test_the_collector_has_its_parts(self):
        for path in re.findall(r'^\t"(\S+)"$', (ROOT / "dockerfiles/log-collector/main.go").read_text(), re.M):
            if "." in path:
                self.assertTrue(any(path.startswith(each["name"]) for each in self.documents["log-collector"]["components"]), path)

    def test_they_are_reproducible_and_every_component_is_named_once(self):
        self.assertEqual(sbom.documents("0.2.0"), sbom.documents("0.2.0"))
        self.assertNotEqual(sbom.documents("0.2.0")["programs"], sbom.documents("0.2.1")["programs"])
        for document in self.documents.values():
            self.assertEqual((document["bomFormat"], document["specVersion"]), ("CycloneDX", "1.6"))
            references = [each["bom-ref"] for each in document["components"]]
            self.assertEqual(len(references), len(set(references)))
            self.assertRegex(document["serialNumber"], r"^urn:uuid:[0-9a-f-]{36}$")


def image_archive(path, text):
    """As `docker save` writes it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        entry = tarfile.TarInfo("what")
        entry.size = len(text)
        files.addfile(entry, io.BytesIO(text.encode()))
    blob = layer.getvalue()
    configuration = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {"User": "10001"}, "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(blob).hexdigest()]}}
    ).encode()
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [f"tidemark/{path.stem}:dev"], "Layers": ["layer.tar"]}]).encode()
    with tarfile.open(path, "w") as files:
        for name, content in (("config.json", configuration), ("layer.tar", blob), ("manifest.json", manifest)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            files.addfile(entry, io.BytesIO(content))


class Registry(Folder):
    """A real registry on this machine, that of crane."""

    @classmethod
    def setUpClass(cls):
        port = free_port()
        cls.host = f"127.0.0.1:{port}"
        cls.process = subprocess.Popen([os.environ["CRANE"], "registry", "serve", "--address", cls.host], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.process.wait)
        cls.addClassCleanup(cls.process.terminate)
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://{cls.host}/v2/", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)

    def stored(self, repository, digest):
        """The manifest that the registry has by that digest; its sum is checked here."""
        accept = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
        with urllib.request.urlopen(urllib.request.Request(f"http://{self.host}/v2/tidemark/{repository}/manifests/{digest}", headers={"Accept": accept})) as answer:
            content = answer.read()
        self.assertEqual("sha256:" + hashlib.sha256(content).hexdigest(), digest)
        return json.loads(content)

    def publish_images(self, names, version="0.2.0"):
        archives = self.folder / "archives"
        archives.mkdir(exist_ok=True)
        for name in names:
            image_archive(archives / f"{name}.tar", name)
        done = step("images", "--version", version, "--registry", self.host, "--archives", archives, "--output", self.output, "--insecure")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads((self.output / "release.json").read_text())

    def test_the_registry_has_what_the_release_says(self):
        written = self.publish_images(promote.IMAGES)
        self.assertEqual(set(written["images"]), set(promote.IMAGES))
        for name, digest in written["images"].items():
            self.assertEqual(len(self.stored(name, digest)["layers"]), 1)
        head = run("git", "rev-parse", "HEAD", cwd=ROOT).stdout.strip()
        self.assertEqual((written["release"], written["revision"]), ("0.2.0", head))
        # And promotion takes it as it is.
        self.assertEqual(promote.checked(written), written)

    def test_the_same_archive_has_the_same_digest_everywhere(self):
        first = self.publish_images(["sidecar"], "0.2.0")["images"]
        self.assertEqual(self.publish_images(["sidecar"], "0.2.1")["images"], first)

    def test_charts_are_there_by_digest_with_the_version_of_the_release(self):
        version = re.search(r"^version: (\S+)", (ROOT / "charts/tidemark/Chart.yaml").read_text(), re.M)[1]
        done = step("charts", "--version", version, "--registry", self.host, "--output", self.output, "--insecure")
        self.assertEqual(done.returncode, 0, done.stderr)
        written = json.loads((self.output / "charts.json").read_text())["charts"]
        self.assertEqual(set(written), set(release.CHARTS))
        for name, digest in written.items():
            stored = self.stored(f"charts/{name}", digest)
            self.assertEqual(stored["config"]["mediaType"], "application/vnd.cncf.helm.config.v1+json")
            self.assertEqual(stored["annotations"]["org.opencontainers.image.version"], version)
        # The umbrella carries the others, and they are of the same day.
        with tarfile.open(self.output / f"charts/tidemark-{version}.tgz") as files:
            self.assertIn("tidemark/charts/mongodb/Chart.yaml", files.getnames())

    def test_charts_of_another_version_are_not_published(self):
        done = step("charts", "--version", "99.0.0", "--registry", self.host, "--output", self.output, "--insecure")
        self.assertEqual(done.returncode, 1)
        self.assertIn("set version and appVersion in its Chart.yaml first", done.stderr)

    def test_everything_that_was_published_is_signed_by_digest(self):
        written = self.publish_images(["sidecar", "mongod"])
        for product, text in sbom.documents("0.2.0").items():
            (self.output / f"{product}.cdx.json").write_text(text)
        (self.output / "tidemark-0.2.0-linux-x86_64.tar.gz").write_text("x")
        done = step("sign", "--dry-run", "--output", self.output)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = done.stdout.splitlines()
        for name, digest in written["images"].items():
            self.assertIn(f"cosign sign --yes {self.host}/tidemark/{name}@{digest}", said)
        self.assertEqual([line.split()[-1].split("/")[-1].split("@")[0] for line in said if " attest " in line], ["sidecar"])
        self.assertTrue(any("sign-blob" in line and line.endswith("linux-x86_64.tar.gz") for line in said))
        self.assertFalse([line for line in said if "--key" in line])


if __name__ == "__main__":
    unittest.main()
