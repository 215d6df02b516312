"""What the tests weigh against what runs beside them, in hierarchies that are folders."""

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from harness import cluster, node
from harness.settings import CGROUP, Settings


class Weight(unittest.TestCase):
    def test_a_process_is_found_in_the_hierarchy_for_cpu(self):
        mount = Path("/sys/fs/cgroup/cpu")
        for text, group in (("4:memory:/a\n2:cpuacct:/b\n1:cpu:/\n0::/c", "/sys/fs/cgroup/cpu"), ("5:cpu,cpuacct:/user.slice\n", "/sys/fs/cgroup/cpu/user.slice"), ("0::/x\n", "/sys/fs/cgroup/cpu")):
            self.assertEqual(cluster.group_of_process(mount, text), Path(group))

    def test_whoever_tests_is_in_a_group_of_the_cluster_and_leaves_it(self):
        with TemporaryDirectory() as folder:
            mount = Path(folder)
            (mount / CGROUP).mkdir()
            (mount / CGROUP / "cpu.shares").write_text("8192")
            before = cluster.group_of_process(mount, Path("/proc/self/cgroup").read_text())
            before.mkdir(parents=True, exist_ok=True)
            with mock.patch.object(node, "cgroup_hierarchies", return_value=[(mount, "cgroup")]), self.assertRaises(ZeroDivisionError):
                with cluster.weighing_as_it(Settings.from_environment({})):
                    self.assertEqual((mount / CGROUP / "tests/cgroup.procs").read_text(), "0")
                    self.assertFalse((before / "cgroup.procs").exists())
                    raise ZeroDivisionError
            # A process that is named leaves the group it was in.
            self.assertEqual((before / "cgroup.procs").read_text(), "0")

    def test_without_such_a_hierarchy_nothing_is_done(self):
        with TemporaryDirectory() as folder, mock.patch.object(node, "cgroup_hierarchies", return_value=[(Path(folder), "cgroup2")]):
            with cluster.weighing_as_it(Settings.from_environment({})):
                self.assertEqual(list(Path(folder).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
