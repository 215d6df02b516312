"""What `.ci/run` decides: whether the tests on the cluster run, and what it says when they do not."""

import contextlib
import io
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from e2e import __main__ as e2e
from harness import cluster, parts
from harness.problem import Problem
from harness.settings import HERE, REPOSITORY, Settings


class Decision(unittest.TestCase):
    def setUp(self) -> None:
        folder = self.enterContext(TemporaryDirectory())
        self.settings = Settings.from_environment({"TIDEMARK_CACHE": folder})
        # What this machine has makes no difference to the rest of the decision.
        self.enterContext(mock.patch.object(cluster.preflight, "programs"))
        self.enterContext(mock.patch.object(cluster.preflight, "check"))

    def build_all(self) -> None:
        for part in parts.GO_PARTS:
            self.make(parts.go_part_directory(self.settings, part) / part.name)
        self.make(self.settings.home.parent / f"metrics-server-{parts.METRICS_SERVER}" / "metrics-server")
        self.make(parts.pause_directory(self.settings) / "pause")
        self.make(parts.base_root_directory(self.settings) / "root.tar")

    def make(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    def test_only_root_can_start_a_cluster(self):
        self.build_all()
        self.assertEqual(cluster.obstacle(self.settings, 0), "")
        self.assertIn("by root only", cluster.obstacle(self.settings, 1000))

    def test_a_part_that_is_not_built_is_named_and_nothing_is_made(self):
        self.assertIn("kube, coredns, local-path-provisioner, metrics-server, pause, debian", cluster.obstacle(self.settings, 0))
        self.assertFalse(self.settings.home.exists())
        self.build_all()
        (parts.pause_directory(self.settings) / "pause").unlink()
        self.assertEqual(cluster.obstacle(self.settings, 0), "parts of the cluster are not built: pause (make cluster-up builds them, once)")

    def test_a_part_of_other_sources_does_not_count(self):
        self.build_all()
        with mock.patch.object(parts, "KUBERNETES", "v1.99.0"), mock.patch.object(parts, "GO_PARTS", [parts.GoPart("kube", "kube", ".", "another")]):
            self.assertIn("kube", cluster.obstacle(self.settings, 0))

    def test_missing_packages_are_a_reason_with_the_command(self):
        self.build_all()
        cluster.preflight.programs.side_effect = Problem("programs are missing: runc", "they come with packages", "install.sh")
        self.assertEqual(cluster.obstacle(self.settings, 0), "programs are missing: runc (install.sh)")

    def test_a_cluster_that_is_up_needs_nothing_built(self):
        with mock.patch.object(cluster, "is_up", return_value=True):
            self.assertEqual(cluster.obstacle(self.settings, 0), "")

    def test_where_parts_are_kept_is_where_they_are_built(self):
        """Else they would be built and never found."""
        names = iter(["kube", "coredns", "local-path-provisioner"])

        @contextlib.contextmanager
        def built_once(directory, name):
            self.make(directory / name)
            yield None

        with mock.patch.object(parts, "built_once", built_once):
            for part in parts.GO_PARTS:
                self.assertEqual(parts.go_part(self.settings, part).name, next(names))
            parts.pause(self.settings)
            parts.base_root(self.settings)
        self.assertEqual(parts.missing(self.settings), ["metrics-server"])
        script = (REPOSITORY / "scripts/fetch-go-tool.sh").read_text()
        self.assertIn('/$name-$version"', script)


class Small(unittest.TestCase):
    """How it goes on from there."""

    def run_small(self, obstacle="", found=False, passed=True) -> tuple[bool, str, list[str]]:
        called: list[str] = []
        note = lambda name, value=None: lambda *_, **__: (called.append(name), value)[1]  # noqa: E731
        said = io.StringIO()
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(TemporaryDirectory())
            stack.enter_context(mock.patch.dict(e2e.os.environ, {"TIDEMARK_CACHE": folder, "KUBECONFIG": "/somebody/elses"}))
            stack.enter_context(mock.patch.object(e2e.signal, "signal"))
            stack.enter_context(mock.patch.object(cluster, "weighing_as_it", contextlib.nullcontext))
            for name, value in (("obstacle", obstacle), ("is_up", found)):
                stack.enter_context(mock.patch.object(cluster, name, return_value=value))
            for name in ("up", "down", "import_image"):
                stack.enter_context(mock.patch.object(cluster, name, note(name)))
            stack.enter_context(mock.patch.object(e2e, "need_answer"))
            stack.enter_context(mock.patch.object(e2e, "succeeds", note("tests", passed)))
            stack.enter_context(contextlib.redirect_stdout(said))
            return e2e.run_small(), said.getvalue(), called

    def test_where_they_cannot_run_a_line_says_so_and_nothing_fails(self):
        self.assertEqual(self.run_small(obstacle="this is no machine for it"), (True, "cluster tests: not run, because this is no machine for it\n", []))

    def test_a_cluster_that_was_started_is_put_down_whatever_the_tests_say(self):
        for passed in (True, False):
            succeeded, said, called = self.run_small(passed=passed)
            self.assertEqual((succeeded, called), (passed, ["up", "tests", "down"]))
            self.assertEqual(said, "cluster tests: run: e2e.test_node, e2e.test_network_policy\n")

    def test_a_cluster_that_was_found_stays(self):
        self.assertEqual(self.run_small(found=True)[2], ["up", "tests"])

    def test_a_cluster_that_others_use_stays(self):
        with TemporaryDirectory() as folder:
            settings = Settings.from_environment({"TIDEMARK_CACHE": folder})
            with mock.patch.object(cluster, "down") as down, contextlib.redirect_stdout(io.StringIO()) as said:
                with cluster.used(settings):
                    self.assertFalse(cluster.down_unless_used(settings))
                self.assertIn("stays up", said.getvalue())
                down.assert_not_called()
                self.assertTrue(cluster.down_unless_used(settings))
                down.assert_called_once()

    def test_the_small_tests_are_there_and_need_no_product(self):
        for name in e2e.SMALL:
            text = (HERE / f"{name.replace('.', '/')}.py").read_text()
            self.assertNotIn("product", text)
            self.assertNotIn("store", text.replace("restore", ""))


if __name__ == "__main__":
    unittest.main()
