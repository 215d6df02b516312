"""environments/local, for real: replica sets come and go, and what a run has not made is not touched.

The flavour kubernetes is planned; with TIDEMARK_TEST_KUBECONFIG, a path, it is applied to that cluster, too.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

import jsonschema
from harness import resources
from harness.workspace import TERRAFORM, Failed, Workspace, binary, environment

sys.path.insert(0, str(TERRAFORM / "modules/local/mongod/scripts"))
import wire  # noqa: E402

SCHEMA = json.loads((TERRAFORM / "schemas" / "restore-contract.schema.json").read_text())
MONGOD = os.environ.get("MONGOD") or subprocess.run([TERRAFORM.parent / "scripts/fetch-mongod.sh"], capture_output=True, text=True, check=True).stdout.splitlines()[-1]
CLUSTER = os.environ.get("TIDEMARK_TEST_KUBECONFIG")
# A mongod that gives up, and something of it goes on: by itself it would not end.
HALF = f'{sys.executable} -c "import time; time.sleep(600)" "$@" & exit 1'
# A cluster that nobody answers for, and a token that must not be seen again.
NO_CLUSTER = """
apiVersion: v1
kind: Config
current-context: there
contexts:
  - {name: there, context: {cluster: somewhere, user: operator}}
  - {name: plain, context: {cluster: unencrypted, user: operator}}
clusters:
  - {name: somewhere, cluster: {server: "https://127.0.0.1:1", certificate-authority-data: Y2E=}}
  - {name: unencrypted, cluster: {server: "http://127.0.0.1:1"}}
users:
  - {name: operator, user: {token: c0ffee-token, client-key-data: c0ffee-key}}
"""


def processes(folder):
    """What runs with the folder in its command line, by process id. One that has ended has none."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.fsencode(folder) in (command := (entry / "cmdline").read_bytes()):
                found[int(entry.name)] = os.fsdecode(command).split("\0")
        except OSError:
            pass
    return found


class Place:
    """One state of environments/local, in a copy of its own."""

    def __init__(self, test, **variables):
        self.work, self.variables = Workspace("environments/local", providers=False), variables
        test.addCleanup(self.work.__exit__)
        self.work.init()

    def plan(self, **others):
        return self.work.plan(**self.variables | others)

    def refuses(self, **others):
        return self.work.refuses(**self.variables | others)

    def apply(self, **others):
        """Applies and returns the contract."""
        return resources.outputs(self.work.apply(**self.variables | others))["restore_contract"]

    def changes(self):
        """0: nothing to do, 2: something."""
        arguments = [f"-var={name}={value}" for name, value in self.variables.items()]
        return self.work.run("plan", "-no-color", "-detailed-exitcode", *arguments, check=False).returncode

    def destroy(self):
        return self.work.run("destroy", "-no-color", "-auto-approve", *(f"-var={name}={value}" for name, value in self.variables.items())).stdout

    def empty(self):
        """Nothing is in the state."""
        return not self.work.state.exists() or not json.loads(self.work.state.read_text())["resources"]


def ports(contract):
    return [int(host.rsplit(":", 1)[1]) for host in contract["destination_uri"].removeprefix("mongodb://").split("/")[0].split(",")]


def primaries(contract):
    return [port for port in ports(contract) if wire.command(port, {"hello": 1})["isWritablePrimary"]]


def write(contract, value):
    [port] = primaries(contract)
    wire.command(port, {"insert": "seen", "documents": [{"_id": value}], "writeConcern": {"w": "majority", "wtimeout": 10000}}, seconds=15)


def written(contract):
    [port] = primaries(contract)
    return [one["_id"] for one in wire.command(port, {"find": "seen"})["cursor"]["firstBatch"]]


class LocalCase(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-local-"))
        self.addCleanup(shutil.rmtree, self.folder)
        # When a test fails, what it was about may still run.
        self.addCleanup(lambda: [os.kill(pid, signal.SIGKILL) for pid in processes(self.folder)])

    def place(self, suffix="a1b2c3", **variables):
        place = Place(self, **{"suffix": suffix, "archive_url": "file:///srv/archive", "mongod": MONGOD, "folder": str(self.folder)} | variables)
        self.addCleanup(lambda: place.empty() or place.destroy())
        return place

    def data(self, suffix="a1b2c3"):
        return self.folder / f"tidemark-restore-{suffix}"

    def eventually(self, holds, what):
        deadline = time.monotonic() + 20
        while not holds():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def kill_members(self):
        found = processes(self.data())
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        self.eventually(lambda: not processes(self.data()), "killed members end")
        return found

    def script(self, name, text):
        """A program in place of mongod."""
        path = self.folder / name
        path.write_text("#!/bin/sh\n" + textwrap.dedent(text))
        path.chmod(0o755)
        return str(path)

    def bystander(self, *arguments):
        """A process that is nobody's business here."""
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", *arguments])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def assert_nothing_is_left(self, place, but=()):
        self.assertTrue(place.empty())
        self.assertEqual({entry.name for entry in self.folder.iterdir()}, set(but))
        self.assertEqual(processes(self.data()), {})


class ReplicaSets(LocalCase):
    def test_a_fresh_set_comes_answers_and_goes_without_a_trace(self):
        for members in (1, 3):
            with self.subTest(members=members):
                place = self.place(members=members)
                contract = place.apply()
                jsonschema.validate(contract, SCHEMA)
                self.assertEqual((contract["provider"], contract["cluster"], contract["chart"]["install"]), ("local", None, False))
                self.assertEqual((len(ports(contract)), len(processes(self.data()))), (members, members))
                hellos = [wire.command(port, {"hello": 1}) for port in ports(contract)]
                self.assertEqual([hello["setName"] for hello in hellos], ["restored"] * members)
                self.assertEqual(sorted(hello["isWritablePrimary"] for hello in hellos), [False] * (members - 1) + [True])
                # All of them take part: one that does not would keep a majority of three, but is not what was asked for.
                self.assertTrue(all(hello["isWritablePrimary"] or hello["secondary"] for hello in hellos))
                write(contract, 1)
                for port in ports(contract):
                    self.assertEqual(wire.command(port, {"getCmdLineOpts": 1})["parsed"]["net"]["bindIp"], "127.0.0.1")
                self.assertEqual(self.data().stat().st_mode & 0o777, 0o700)

                before = processes(self.data())
                self.assertEqual(place.changes(), 0)
                self.assertEqual(place.apply(), contract)
                self.assertEqual(processes(self.data()), before)

                place.destroy()
                self.assert_nothing_is_left(place)
                for port in ports(contract):
                    self.assertFalse(os.path.exists(f"/tmp/mongodb-{port}.sock"))
                    with self.assertRaises(ConnectionRefusedError):
                        socket.create_connection(("127.0.0.1", port)).close()

    def test_two_places_side_by_side_do_not_touch_each_other(self):
        first, second = self.place("aaaa11"), self.place("bbbb22")
        one, other = first.apply(), second.apply()
        self.assertEqual(set(ports(one)) & set(ports(other)), set())
        write(other, 7)
        running = processes(self.data("bbbb22"))
        first.destroy()
        self.assertEqual(processes(self.data("aaaa11")), {})
        self.assertFalse(self.data("aaaa11").exists())
        self.assertEqual((processes(self.data("bbbb22")), written(other), second.changes()), (running, [7], 0))

    def test_members_that_ended_are_started_again_with_their_data(self):
        place = self.place()
        contract = place.apply()
        write(contract, 1)
        self.kill_members()
        self.assertEqual(place.changes(), 2)
        self.assertEqual(place.apply(), contract)
        self.assertEqual((written(contract), place.changes()), ([1], 0))

    def test_a_failed_apply_leaves_nothing_when_it_is_destroyed(self):
        broken = self.script("broken", 'echo "no such thing" >&2; exit 1')
        place = self.place(mongod=broken)
        with self.assertRaises(Failed) as failed:
            place.apply()
        told = " ".join(str(failed.exception).split())
        for part in ("member-0 of restored does not come up", "where:", broken, "exit code 1", "no such thing", "next:"):
            self.assertIn(part, told)
        self.assertTrue(self.data().exists())
        place.destroy()
        self.assert_nothing_is_left(place, but={"broken"})

    def test_members_that_run_when_an_apply_fails_end_when_it_is_destroyed(self):
        place = self.place(mongod=self.script("half", HALF))
        with self.assertRaises(Failed):
            place.apply()
        self.assertEqual(len(processes(self.data())), 1)
        place.destroy()
        self.assert_nothing_is_left(place, but={"half"})

    def test_what_a_killed_terraform_leaves_is_gone_when_it_is_destroyed(self):
        hangs = self.script("hangs", f'exec {sys.executable} -c "import time; time.sleep(600)" "$@"')
        place = self.place(mongod=hangs)
        (place.work.folder / "terraform.tfvars.json").write_text(json.dumps(place.variables))
        terraform = subprocess.Popen([binary(), f"-chdir={place.work.folder}", "apply", "-auto-approve"], env=environment(TF_CLI_CONFIG_FILE=os.devnull), stdout=subprocess.DEVNULL)
        self.eventually(lambda: processes(self.data()), "a member is started")
        terraform.kill()
        terraform.wait()
        place.destroy()
        self.assert_nothing_is_left(place, but={"hangs"})
        # Nor does what Terraform had started go on.
        time.sleep(0.5)
        self.assert_nothing_is_left(place, but={"hangs"})

    def test_an_apply_that_failed_half_way_can_be_repeated(self):
        place = self.place(mongod=self.script("half", HALF))
        with self.assertRaises(Failed):
            place.apply()
        [before] = processes(self.data())
        write(place.apply(mongod=MONGOD), 1)
        [after] = processes(self.data())
        self.assertNotEqual(before, after)

    def test_a_port_that_is_taken_meanwhile_is_left_to_who_took_it(self):
        # Takes the first port before mongod does, and stays.
        taker = (
            "import socket, sys, time; port = sys.argv[sys.argv.index('--port') + 1]; taken = socket.create_server(('127.0.0.1', int(port)));"
            "print(port, flush=True); time.sleep(600)"
        )
        seen = self.folder / "taken"
        taken = self.script("taken-port", f"""\
            if [ ! -e {seen} ]; then
                env -i {sys.executable} -c "{taker}" "$@" > {seen} 2>/dev/null &
                echo $! > {seen}.pid
                while [ ! -s {seen} ]; do sleep 0.05; done
            fi
            exec {MONGOD} "$@"
            """)  # fmt: skip
        place = self.place(mongod=taken)
        self.addCleanup(lambda: os.kill(int((self.folder / "taken.pid").read_text()), signal.SIGKILL))
        contract = place.apply()
        pid, port = int((self.folder / "taken.pid").read_text()), int(seen.read_text())
        self.assertNotEqual(ports(contract), [port])
        place.destroy()
        socket.create_connection(("127.0.0.1", port)).close()
        self.assertEqual(list(processes(self.data())), [pid])


class WhatIsNotOurs(LocalCase):
    def test_a_folder_that_is_there_is_refused_in_the_plan(self):
        made = {
            "with files": lambda path: (path.mkdir(), (path / "precious").write_text("1")),
            "with another run's mark": lambda path: (path.mkdir(), (path / "tidemark-restore.json").write_text('{"run": "another"}')),
            "empty": lambda path: path.mkdir(),
            "a file": lambda path: path.write_text("1"),
            "a link": lambda path: path.symlink_to(self.folder),
        }
        place = self.place()
        for index, (what, make) in enumerate(made.items()):
            with self.subTest(what):
                make(self.data(f"f0{index:04}"))
                told = place.refuses(suffix=f"f0{index:04}")
                for part in ("The folder is there already", "where:", f"tidemark-restore-f0{index:04}", "cause:", "next: take another suffix"):
                    self.assertIn(part, told)

    def test_a_folder_that_comes_up_after_the_plan_is_refused_and_unharmed(self):
        marks = {"another": '{"run": "another"}', "none": None}
        for index, (what, mark) in enumerate(marks.items()):
            with self.subTest(what):
                suffix = f"c0{index:04}"
                place = self.place(suffix)
                place.plan()
                self.data(suffix).mkdir()
                (self.data(suffix) / "precious").write_text("1")
                if mark:
                    (self.data(suffix) / "tidemark-restore.json").write_text(mark)
                # The second attempt has the first in its state; in another second than that, the script is who refuses.
                for apply in (place.work.apply_planned, lambda: time.sleep(1) or place.apply()):
                    with self.assertRaises(Failed) as failed:
                        apply()
                    self.assertIn("the folder is there already, and this", " ".join(str(failed.exception).split()).lower())
                self.assertIn("this run has not made it", str(failed.exception))
                self.assertIn("left alone", place.destroy())
                self.assertTrue(place.empty())
                self.assertEqual(sorted(entry.name for entry in self.data(suffix).iterdir()), ["precious"] + ["tidemark-restore.json"] * bool(mark))

    def test_a_process_that_got_the_number_of_a_member_is_not_ended(self):
        place = self.place()
        place.apply()
        data = self.data() / "member-0"
        # One by number alone; one that even has the command line of a member, but was not started by this run.
        strangers = [self.bystander(), self.bystander("--dbpath", str(data))]
        self.kill_members_but([one.pid for one in strangers])
        record = json.loads((self.data() / "processes.json").read_text())
        for stranger in strangers:
            (self.data() / "processes.json").write_text(json.dumps(record | {"pids": [stranger.pid]}))
            (data / "mongod.lock").write_text(f"{stranger.pid}\n")
            self.assertEqual(place.changes(), 2)
        place.destroy()
        self.assertEqual([one.poll() for one in strangers], [None, None])
        self.assertFalse(self.data().exists())

    def kill_members_but(self, pids):
        for pid in set(processes(self.data())) - set(pids):
            os.kill(pid, signal.SIGKILL)
        self.eventually(lambda: set(processes(self.data())) <= set(pids), "killed members end")

    def test_members_are_ended_when_their_folder_is_lost(self):
        place = self.place()
        place.apply()
        self.assertEqual(len(processes(self.data())), 1)
        shutil.rmtree(self.data())
        self.assertEqual(place.changes(), 2)
        place.destroy()
        self.assert_nothing_is_left(place)

    def test_another_set_is_made_when_a_folder_is_lost(self):
        place = self.place()
        place.apply()
        [lost] = processes(self.data())
        shutil.rmtree(self.data())
        write(place.apply(), 1)
        self.assertEqual(place.changes(), 0)
        self.assertNotIn(lost, processes(self.data()))
        self.assertEqual(len(processes(self.data())), 1)

    def test_a_state_holds_one_restore(self):
        place = self.place()
        place.apply()
        running = processes(self.data())
        for others in ({"suffix": "another1"}, {"flavour": "kubernetes", "kubeconfig": "/none"}):
            self.assertIn("This state holds another restore", place.refuses(**others))
        for others in ({"members": 3}, {"folder": tempfile.gettempdir()}, {"replica_set": "other"}):
            self.assertIn("This state holds another place", place.refuses(**others))
        self.assertEqual(processes(self.data()), running)

    def test_bad_input_is_refused_before_anything_is_made(self):
        refused = {
            "Without one a restore would adopt": {"suffix": ""},
            "lower-case letters and digits": {"suffix": "../../x"},
            "flavour is mongod or kubernetes": {"flavour": "docker"},
            "members is 1 or 3": {"members": 2},
            "scripts/fetch-mongod.sh prints": {"mongod": "mongod"},
            "There is no mongod to start": {"mongod": "/no/such/mongod"},
            "needs folder, an absolute path": {"folder": "data"},
            "There is no folder for the data": {"folder": str(self.folder / "none")},
            "archive.url holds no credentials": {"archive_url": "azblob://account/container/shop?sig=abc"},
            "archive.url begins with": {"archive_url": "ftp://x"},
            "Flavour kubernetes needs kubeconfig": {"flavour": "kubernetes"},
            "The kubeconfig names no cluster": {"flavour": "kubernetes", "kubeconfig": "/none"},
        }
        place = self.place()
        for expected, variables in refused.items():
            with self.subTest(expected):
                self.assertIn(expected, place.refuses(**variables))
        self.assertEqual(list(self.folder.iterdir()), [])


class Kubernetes(LocalCase):
    def setUp(self):
        super().setUp()
        self.kubeconfig = self.folder / "kubeconfig"
        self.kubeconfig.write_text(NO_CLUSTER)

    def place(self, suffix="a1b2c3", **variables):
        return Place(self, **{"flavour": "kubernetes", "suffix": suffix, "archive_url": "s3://bucket/shop?region=x", "kubeconfig": str(self.kubeconfig)} | variables)

    def contract(self, place, **others):
        """As a second plan knows it, when the time of the first apply is in the state."""
        place.work.run("apply", "-no-color", "-auto-approve", "-target=terraform_data.created_at", *(f"-var={name}={value}" for name, value in place.variables.items()))
        return place.plan(**others)["planned_values"]["outputs"]["restore_contract"]["value"]

    def test_the_contract_names_cluster_namespace_and_chart(self):
        contract = self.contract(self.place(storage_class="fast", members=3), chart_values={"mongodb": {"sidecar": {"enabled": True}}, "orders-api": {"enabled": False}})
        jsonschema.validate(contract, SCHEMA)
        self.assertEqual(
            contract["cluster"],
            {"name": "somewhere", "endpoint": "https://127.0.0.1:1", "ca_data": "Y2E=", "auth": {"kind": "file", "command": None, "args": [str(self.kubeconfig)]}},
        )
        self.assertEqual((contract["kube_context"], contract["namespace"], contract["storage_class"], contract["destination_uri"]), ("there", "restore-a1b2c3", "fast", None))
        self.assertTrue(contract["chart"]["install"])
        values = contract["chart"]["values"]
        self.assertEqual((values["mongodb"]["mode"], values["mongodb"]["archive"]["url"], values["mongodb"]["replicaCount"]), ("recovery", "s3://bucket/shop?region=x", 3))
        self.assertEqual((values["mongodb"]["sidecar"], values["orders-api"], values["tidemark-node"]), ({"enabled": True}, {"enabled": False}, {"enabled": False}))
        self.assertEqual(values["mongodb"]["persistence"], {"storageClass": "fast"})

    def test_the_charts_values_are_those_of_the_charts(self):
        values = self.contract(self.place())["chart"]["values"]
        for part in values["mongodb"]:
            self.assertIn(f"\n{part}:", (TERRAFORM.parent / "charts/mongodb/values.yaml").read_text())
        for part in values:
            self.assertIn(f"\n{part}:", (TERRAFORM.parent / "charts/tidemark/values.yaml").read_text())
        self.assertEqual(values["mongodb"]["persistence"], {})

    def test_nothing_secret_of_the_kubeconfig_is_kept(self):
        place = self.place()
        self.contract(place)
        self.assertIn("c0ffee", self.kubeconfig.read_text())
        for shown in (place.work.run("show", "-json", "offline.plan").stdout, place.work.state.read_text()):
            self.assertIn("created_at", shown)
            self.assertNotIn("c0ffee", shown)

    def test_contexts_that_cannot_be_used_are_refused(self):
        for context in ("none", "plain"):
            told = self.place().refuses(context=context)
            self.assertIn("The kubeconfig names no cluster", told)
            self.assertIn(f"context {context}", told)

    def test_without_kubectl_nothing_is_made_and_the_message_says_so(self):
        with self.assertRaises(Failed) as failed:
            self.place(kubectl="/no/such/kubectl").apply()
        told = " ".join(str(failed.exception).split())
        for part in ("kubectl cannot be started", "where: /no/such/kubectl", "next: give its path"):
            self.assertIn(part, told)


class KubernetesForReal(LocalCase):
    """Against the cluster of TIDEMARK_TEST_KUBECONFIG."""

    def setUp(self):
        super().setUp()
        if not CLUSTER:
            self.skipTest("TIDEMARK_TEST_KUBECONFIG names no cluster: flavour kubernetes was planned only")
        self.suffix = f"t{os.getpid() % 100000:05}"
        self.name = f"restore-{self.suffix}"
        self.addCleanup(self.kubectl, "delete", "namespace", self.name, "--ignore-not-found")

    def kubectl(self, *arguments, given=None):
        return subprocess.run(["kubectl", f"--kubeconfig={CLUSTER}", *arguments], input=given, capture_output=True, text=True, check=True).stdout

    def place(self, **variables):
        return Place(self, **{"flavour": "kubernetes", "suffix": self.suffix, "archive_url": "file:///archive", "kubeconfig": CLUSTER} | variables)

    def uid(self):
        return self.kubectl("get", "namespace", self.name, "--ignore-not-found", "--output=jsonpath={.metadata.uid}")

    def volumes(self):
        return [one for one in json.loads(self.kubectl("get", "persistentvolumes", "--output=json"))["items"] if one["spec"]["claimRef"]["namespace"] == self.name]

    def test_a_fresh_namespace_comes_and_goes_with_its_volumes(self):
        place = self.place()
        contract = place.apply()
        jsonschema.validate(contract, SCHEMA)
        self.assertEqual(contract["namespace"], self.name)
        labels = json.loads(self.kubectl("get", "namespace", self.name, "--output=json"))["metadata"]["labels"]
        self.assertEqual((labels["app.kubernetes.io/managed-by"], labels["tidemark/restore"]), ("terraform", self.suffix))
        self.assertEqual(labels["pod-security.kubernetes.io/enforce"], "restricted")
        self.assertEqual(place.changes(), 0)
        self.claim_a_volume()
        self.eventually(lambda: self.volumes(), "a volume")
        place.destroy()
        self.assertEqual((self.uid(), self.volumes(), place.empty()), ("", [], True))

    def claim_a_volume(self):
        claim = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": {"name": "data"}}
        claim["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
        # A pod, because volumes of the test cluster come when one wants them.
        image = os.environ.get("TIDEMARK_E2E_IMAGE", "tidemark/e2e:1")
        restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
        container = {"name": "c", "image": image, "command": ["sleep", "600"], "securityContext": restricted, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
        pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "holder"}}
        pod["spec"] = {"containers": [container], "terminationGracePeriodSeconds": 0, "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
        for manifest in (claim, pod):
            self.kubectl("--namespace", self.name, "create", "--filename=-", given=json.dumps(manifest))

    def test_secrets_are_copied_and_not_kept(self):
        source = f"source-{self.suffix}"
        self.kubectl("create", "namespace", source)
        self.addCleanup(self.kubectl, "delete", "namespace", source)
        self.kubectl("--namespace", source, "create", "secret", "generic", "archive", "--from-literal=KEY=c0ffee")
        place = self.place(secrets=json.dumps([f"{source}/archive"]))
        place.apply()
        self.assertEqual(self.kubectl("--namespace", self.name, "get", "secret", "archive", "--output=jsonpath={.data.KEY}"), "YzBmZmVl")
        for form in ("c0ffee", "YzBmZmVl"):
            self.assertNotIn(form, place.work.state.read_text())
        place.destroy()
        missing = self.place(secrets=json.dumps([f"{source}/none"]))
        with self.assertRaises(Failed) as failed:
            missing.apply()
        self.assertIn(f"there is no Secret {source}/none to copy", " ".join(str(failed.exception).split()))
        missing.destroy()
        self.assertEqual((self.uid(), missing.empty()), ("", True))

    def test_a_namespace_that_is_there_is_refused_and_unharmed(self):
        self.kubectl("create", "namespace", self.name)
        before, place = self.uid(), self.place()
        with self.assertRaises(Failed) as failed:
            place.apply()
        self.assertIn("is there already, and this run has not made it", " ".join(str(failed.exception).split()))
        self.assertIn("left alone", place.destroy())
        self.assertEqual(self.uid(), before)

    def test_a_namespace_of_the_same_name_by_somebody_else_is_not_deleted(self):
        place = self.place()
        place.apply()
        self.kubectl("delete", "namespace", self.name)
        self.kubectl("create", "namespace", self.name)
        others = self.uid()
        self.assertIn("left alone", place.destroy())
        self.assertEqual(self.uid(), others)


if __name__ == "__main__":
    unittest.main()
