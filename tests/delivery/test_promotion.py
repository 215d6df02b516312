"""Promotion: what goes on is what was tested, one environment after the other, and only files change."""

import json
import pathlib
import shutil
import tempfile
import unittest

from repository import ROOT, load, run

import promote

RELEASE = {"release": "0.2.0", "revision": "a" * 40, "images": {name: f"sha256:{number:064x}" for number, name in enumerate(promote.IMAGES, 1)}}


class Promotion(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "environments"
        shutil.copytree(ROOT / "gitops/environments", self.root)
        self.file = pathlib.Path(folder.name) / "release.json"
        self.write(RELEASE)

    def write(self, release):
        self.file.write_text(json.dumps(release))

    def promote(self, *arguments):
        return run(ROOT / "scripts/promote.py", "--environments", self.root, *arguments)

    def refused(self, *arguments):
        before = self.everything()
        done = self.promote(*arguments)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(self.everything(), before, "a refusal changed something")
        return done.stderr

    def everything(self):
        return {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    def state(self, name):
        return json.loads((self.root / name / "environment.json").read_text())

    def images(self, name, chart="tidemark"):
        return (self.root / name / "images" / f"{chart}.yaml").read_text()

    def test_a_release_goes_through_all_environments_unchanged(self):
        for arguments in (("--release", self.file, "--to", "dev"), ("--from", "dev", "--to", "staging"), ("--from", "staging", "--to", "prod")):
            done = self.promote(*arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
        for name in promote.ORDER:
            state = self.state(name)
            self.assertEqual((state["deployed"], state["release"], state["revision"]), ("true", "0.2.0", "a" * 40))
            for chart in promote.CHARTS:
                self.assertEqual(self.images(name, chart), self.images("dev", chart))
        values = load(self.images("prod"))
        self.assertEqual(values["mongodb"]["image"]["digest"], RELEASE["images"]["mongod"])
        self.assertEqual(values["mongodb"]["sidecar"]["image"]["digest"], RELEASE["images"]["sidecar"])
        self.assertEqual(values["orders-api"]["image"]["digest"], RELEASE["images"]["orders-api"])

    def test_only_the_target_changes_and_its_own_facts_stay(self):
        before = self.everything()
        self.promote("--release", self.file, "--to", "dev")
        changed = {path.relative_to(self.root) for path, content in self.everything().items() if before.get(path) != content}
        self.assertEqual({str(path) for path in changed}, {"dev/environment.json", "dev/images/tidemark.yaml", "dev/images/log-collector.yaml"})
        old = json.loads(before[self.root / "dev/environment.json"])
        kept = ("environment", "provider", "cluster", "archive", "archiveOptions")
        self.assertEqual([self.state("dev")[key] for key in kept], [old[key] for key in kept])

    def test_a_second_time_changes_nothing(self):
        self.promote("--release", self.file, "--to", "dev")
        before = self.everything()
        done = self.promote("--release", self.file, "--to", "dev")
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.assertIn("nothing to do", done.stderr)
        self.assertEqual(self.everything(), before)

    def test_no_environment_is_left_out(self):
        self.assertIn("a new release begins in dev", self.refused("--release", self.file, "--to", "prod"))
        self.promote("--release", self.file, "--to", "dev")
        self.assertIn("does not come right before prod: the way is dev -> staging -> prod", self.refused("--from", "dev", "--to", "prod"))
        self.assertIn("does not come right before dev", self.refused("--from", "staging", "--to", "dev"))
        self.assertIn("staging runs no release yet", self.refused("--from", "staging", "--to", "prod"))

    def test_a_release_is_whole_or_it_is_none(self):
        for broken, words in (
            ({**RELEASE, "images": {**RELEASE["images"], "sidecar": "latest"}}, "no digest of sidecar"),
            ({**RELEASE, "images": {}}, "no digest of alertmanager, edge"),
            ({**RELEASE, "revision": "main"}, "`revision` is 'main'"),
            ({"images": RELEASE["images"]}, "`release` is None"),
        ):
            with self.subTest(words):
                self.write(broken)
                self.assertIn(words, self.refused("--release", self.file, "--to", "dev"))
        self.file.write_text("{")
        self.assertIn("cannot be read", self.refused("--release", self.file, "--to", "dev"))
        self.assertIn("cannot be read", self.refused("--release", "/no/such/file", "--to", "dev"))

    def test_an_older_one_needs_a_word_more(self):
        self.promote("--release", self.file, "--to", "dev")
        self.write({**RELEASE, "release": "0.1.9"})
        self.assertIn("0.1.9 is older: add ROLLBACK=1", self.refused("--release", self.file, "--to", "dev"))
        self.assertEqual(self.promote("--release", self.file, "--to", "dev", "--rollback").returncode, 0)
        self.assertEqual(self.state("dev")["release"], "0.1.9")
        # By number, not by letter.
        self.write({**RELEASE, "release": "0.1.10"})
        self.assertEqual(self.promote("--release", self.file, "--to", "dev").returncode, 0)

    def test_what_was_changed_by_hand_does_not_go_on(self):
        self.promote("--release", self.file, "--to", "dev")
        path = self.root / "dev/images/tidemark.yaml"
        whole = path.read_text()
        sidecar = RELEASE["images"]["sidecar"]
        for broken in (whole.replace(RELEASE["images"]["mongod"], ""), whole + "extra: true\n", whole.replace(sidecar, "sha256:" + "f" * 64, 1)):
            path.write_text(broken)
            self.assertRegex(self.refused("--from", "dev", "--to", "staging"), "by digest|changed by hand")

    def test_unknown_places_are_named(self):
        self.assertIn("there is no environment `qa`: known are dev, staging, prod", self.refused("--release", self.file, "--to", "qa"))
        self.assertIn("name either", self.refused("--to", "staging"))

    def test_make_passes_it_on(self):
        done = run("make", "--no-print-directory", "promote", "FROM=dev", "TO=prod", cwd=ROOT)
        self.assertIn("dev does not come right before prod", done.stderr)

    def test_it_knows_every_image_of_the_charts(self):
        """A new image that nobody pins would be deployed by its tag."""
        for chart, places in promote.CHARTS.items():
            wanted = set()
            for folder in [chart] if chart != "tidemark" else ["mongodb", "orders-api", "tidemark-node", "monitoring"]:
                values = load((ROOT / f"charts/{folder}/values.yaml").read_text())
                wanted |= {(f"{folder}." if chart == "tidemark" else "") + path for path in images_of(values)}
            self.assertEqual(set(places), wanted)


def images_of(values, path=""):
    for key, value in values.items():
        if isinstance(value, dict):
            here = f"{path}.{key}" if path else key
            if "digest" in value and "repository" in value:
                yield here
            yield from images_of(value, here)


if __name__ == "__main__":
    unittest.main()
