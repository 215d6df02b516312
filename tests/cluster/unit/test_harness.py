"""The parts of the harness that need no root and start nothing."""

import io
import json
import os
import signal
import subprocess
import tarfile
import threading
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import addons, components, node, oci, parts, preflight, processes
from harness.problem import Problem
from harness.settings import Settings


def settings(home="/cache", network="10.213.0.0/16"):
    return Settings.from_environment({"TIDEMARK_CACHE": home, "TIDEMARK_CLUSTER_NETWORK": network})


class Addresses(unittest.TestCase):
    def test_the_networks_lie_in_the_given_one_and_apart(self):
        given = settings(network="10.77.0.0/16")
        networks = [given.link_network, given.pods, given.services]
        for one in networks:
            self.assertTrue(one.subnet_of(given.network))
            self.assertFalse(any(one.overlaps(other) for other in networks if other is not one))
        self.assertEqual((given.host_ip, given.node_ip, given.dns_ip), ("10.77.0.1", "10.77.0.2", "10.77.128.10"))

    def test_another_size_is_refused_with_the_way_out(self):
        for network in ("10.0.0.0/8", "nonsense"):
            with self.subTest(network=network), self.assertRaises(Problem) as raised:
                settings(network=network)
            self.assertIn("unset it", str(raised.exception))


class Preflight(unittest.TestCase):
    FILE_SYSTEMS = "nodev\ttmpfs\nnodev\tproc\nnodev\toverlay\n"
    MOUNTS = "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
    CGROUPS = "#subsys_name\thierarchy\tnum_cgroups\tenabled\n" + "".join(f"{name}\t1\t1\t1\n" for name in preflight.CONTROLLERS)

    def problem(self, call, *arguments):
        with self.assertRaises(Problem) as raised:
            call(*arguments)
        text = str(raised.exception)
        self.assertIn("cause:", text)
        self.assertIn("next:", text)
        return text

    def test_everybody_but_root_is_refused(self):
        preflight.root(0)
        self.assertIn("user 1000", self.problem(preflight.root, 1000))

    def test_a_kernel_with_all_is_good(self):
        preflight.kernel(self.FILE_SYSTEMS, self.MOUNTS, self.CGROUPS)

    def test_what_a_kernel_lacks_is_named(self):
        self.assertIn("overlay", self.problem(preflight.kernel, "nodev\ttmpfs\nnodev\tproc\n", self.MOUNTS, self.CGROUPS))
        self.assertIn("no cgroup hierarchy", self.problem(preflight.kernel, self.FILE_SYSTEMS, "", self.CGROUPS))
        self.assertIn("memory", self.problem(preflight.kernel, self.FILE_SYSTEMS, self.MOUNTS, self.CGROUPS.replace("memory\t1\t1\t1", "memory\t1\t1\t0")))

    def test_a_full_disk_is_told_in_figures(self):
        preflight.space(6 << 30, 5 << 30, Path("/cache"))
        self.assertIn("/cache has 1.0 GB free and 5 GB are needed", self.problem(preflight.space, 1 << 30, 5 << 30, Path("/cache")))

    def test_addresses_in_use_are_named_and_our_own_are_not_counted(self):
        preflight.addresses(settings(), [{"dst": "default", "dev": "eth0"}, {"dst": "192.0.2.0/24", "dev": "eth0"}, {"dst": "10.213.0.0/30", "dev": "tidemark0"}])
        self.assertIn("10.0.0.0/8 dev vpn", self.problem(preflight.addresses, settings(), [{"dst": "10.0.0.0/8", "dev": "vpn"}]))


class Processes(unittest.TestCase):
    def setUp(self):
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "process.json")
        self.process = subprocess.Popen(["sleep", "100"])
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)

    def test_a_recorded_process_is_stopped(self):
        processes.record(self.path, self.process.pid)
        self.assertEqual(processes.recorded(self.path), self.process.pid)
        processes.stop(self.path, patience=5)
        self.assertEqual(self.process.wait(5), -signal.SIGTERM)
        self.assertFalse(self.path.exists())

    def test_another_process_with_the_recorded_number_is_left_alone(self):
        self.path.write_text(json.dumps({"pid": self.process.pid, "start_time": "1"}))
        self.assertIsNone(processes.recorded(self.path))
        processes.stop(self.path, patience=1)
        self.assertIsNone(self.process.poll())

    def test_a_damaged_record_names_nobody(self):
        self.path.write_text("{")
        self.assertIsNone(processes.recorded(self.path))
        processes.stop(self.path, patience=1)


class Parts(unittest.TestCase):
    def test_other_sources_are_another_part(self):
        with TemporaryDirectory() as folder:
            Path(folder, "go.mod").write_text("module a")
            first = parts.go_fingerprint(parts.GO_PARTS[0], Path(folder))
            self.assertEqual(first, parts.go_fingerprint(parts.GO_PARTS[0], Path(folder)))
            self.assertNotEqual(first, parts.go_fingerprint(parts.GO_PARTS[1], Path(folder)))
            Path(folder, "go.mod").write_text("module b")
            self.assertNotEqual(first, parts.go_fingerprint(parts.GO_PARTS[0], Path(folder)))

    def test_two_that_want_the_same_part_build_it_once(self):
        built = []

        def want(folder):
            with parts.built_once(Path(folder), "part") as work:
                if work:
                    built.append(work)
                    (work / "part").write_text("content")

        with TemporaryDirectory() as folder:
            threads = [threading.Thread(target=want, args=(folder,)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual((len(built), Path(folder, "part").read_text()), (1, "content"))

    def test_a_build_that_fails_leaves_nothing(self):
        with TemporaryDirectory() as folder:
            with self.assertRaises(RuntimeError), parts.built_once(Path(folder), "part"):
                raise RuntimeError
            self.assertEqual([path.name for path in Path(folder).iterdir()], [".lock"])


class Images(unittest.TestCase):
    def test_an_archive_has_its_files_and_is_the_same_each_time(self):
        with TemporaryDirectory() as folder:
            program = Path(folder, "program")
            program.write_bytes(b"#!/bin/true\n")
            archives = [Path(folder, f"{number}.tar") for number in (1, 2)]
            for target in archives:
                os.utime(program, (len(target.name), 1e9))
                oci.write(target, "localhost/x:1", files={"usr/bin/program": program}, entrypoint=["/usr/bin/program"])
            self.assertEqual(archives[0].read_bytes(), archives[1].read_bytes())
            with tarfile.open(archives[0]) as archive:
                manifest = json.load(archive.extractfile("manifest.json"))[0]
                configuration = json.load(archive.extractfile(manifest["Config"]))
                layer = archive.extractfile(manifest["Layers"][0]).read()
            self.assertEqual(manifest["RepoTags"], ["localhost/x:1"])
            self.assertEqual(configuration["config"]["Entrypoint"], ["/usr/bin/program"])
            with tarfile.open(fileobj=io.BytesIO(layer)) as inner:
                self.assertEqual(inner.getnames(), ["usr", "usr/bin", "usr/bin/program"])
                self.assertEqual(inner.getmember("usr/bin/program").mode, 0o755)


class Configuration(unittest.TestCase):
    def test_each_file_of_the_components_is_read_as_what_it_is(self):
        for text in (components.network_configuration(settings()), components.kubelet_configuration(settings()), components.proxy_configuration(settings())):
            json.loads(text)
        self.assertIn('root = "/cache/cluster/run/containerd"', components.containerd_configuration(settings()))

    def test_the_last_plugin_of_a_pod_waits_for_its_policies(self):
        self.assertEqual(json.loads(components.network_configuration(settings()))["plugins"][-1]["type"], "tidemark-policy")

    def test_manifests_have_all_their_values(self):
        text = addons.text(settings())
        self.assertIn("clusterIP: 10.213.128.10", text)
        self.assertIn('"$VOL_DIR"', text)
        self.assertIn("/cache/cluster/run/volumes", text)

    def test_cgroup_hierarchies_of_both_kinds_are_found(self):
        mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
        self.assertEqual(node.cgroup_hierarchies(mounts), [(Path("/sys/fs/cgroup/cpu"), "cgroup"), (Path("/sys/fs/cgroup/unified"), "cgroup2")])


if __name__ == "__main__":
    unittest.main()
