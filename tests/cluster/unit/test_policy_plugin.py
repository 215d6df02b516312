import json
import os
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.policy_agent import Agent, serve
from harness.policy_plugin import announcement

HERE = Path(__file__).resolve().parent.parent
ARGUMENTS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=db-0;K8S_POD_INFRA_CONTAINER_ID=abc"
RESULT = {"cniVersion": "0.4.0", "ips": [{"version": "4", "address": "10.213.64.7/24"}]}


class Announcement(unittest.TestCase):
    def test_says_who_has_which_address(self):
        self.assertEqual(announcement("ADD", ARGUMENTS, RESULT), {"command": "ADD", "pod": "shop/db-0", "address": "10.213.64.7"})

    def test_there_is_nothing_to_say_without_an_address_or_a_pod(self):
        self.assertIsNone(announcement("DEL", ARGUMENTS, None))
        self.assertIsNone(announcement("ADD", "", RESULT))


class Plugin(unittest.TestCase):
    def call(self, command, socket):
        configuration = {"cniVersion": "0.4.0", "socket": socket, "prevResult": RESULT}
        return subprocess.run([sys.executable, "-B", "-m", "harness.policy_plugin"], cwd=HERE, input=json.dumps(configuration), capture_output=True, text=True,
                              env={**os.environ, "CNI_COMMAND": command, "CNI_ARGS": ARGUMENTS})

    def test_a_pod_is_not_started_without_an_agent(self):
        result = self.call("ADD", "/nowhere/socket")
        self.assertEqual(result.returncode, 1)
        self.assertIn("does not answer", json.loads(result.stdout)["msg"])

    def test_a_pod_can_go_without_an_agent(self):
        self.assertEqual(self.call("DEL", "/nowhere/socket").returncode, 0)

    def test_the_result_is_handed_on_once_the_rules_hold(self):
        agent = Agent(None, "10.213.64.0/24")
        agent.state.pods["shop/db-0"] = {"metadata": {"namespace": "shop", "name": "db-0"}, "spec": {}}
        with TemporaryDirectory() as folder:
            socket = f"{folder}/socket"
            threading.Thread(target=serve, args=(agent, socket), daemon=True).start()
            while not Path(socket).exists():
                pass

            def applies():
                with agent.changed:
                    agent.changed.wait_for(lambda: agent.version > 0)
                    self.assertEqual(agent.state.announced, {"10.213.64.7": "shop/db-0"})
                    agent.applied = agent.version
                    agent.changed.notify_all()

            thread = threading.Thread(target=applies)
            thread.start()
            result = self.call("ADD", socket)
            thread.join()
            self.assertEqual((result.returncode, json.loads(result.stdout)), (0, RESULT))
            self.assertEqual(self.call("DEL", socket).returncode, 0)
        self.assertEqual(agent.state.announced, {})

    def test_it_says_which_versions_it_speaks(self):
        self.assertIn("0.4.0", json.loads(self.call("VERSION", "").stdout)["supportedVersions"])


if __name__ == "__main__":
    unittest.main()
