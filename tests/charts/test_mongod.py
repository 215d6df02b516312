"""The configuration that the chart writes, in a real mongod: accepted, in effect, and without warnings that are not explained."""

import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import yaml

import helm
from test_edge import free_port

MONGOD = os.environ.get("MONGOD", "mongod")
OPTIONS, LISTENING = 21951, 23016
MESSAGE, UNAUTHORIZED = 2013, 13
# Of the machine of the test, never in a pod of the chart.
ONLY_HERE = re.compile("running this process as the root user")


def bson(document):
    """Texts, numbers, documents and lists."""
    parts = b""
    for key, value in document.items() if isinstance(document, dict) else ((str(index), each) for index, each in enumerate(document)):
        kind, data = {
            str: lambda: (2, struct.pack("<i", len(value.encode()) + 1) + value.encode() + b"\0"),
            int: lambda: (16, struct.pack("<i", value)),
            dict: lambda: (3, bson(value)),
            list: lambda: (4, bson(value)),
        }[type(value)]()
        parts += bytes([kind]) + key.encode() + b"\0" + data
    return struct.pack("<i", len(parts) + 5) + parts + b"\0"


def ask(port, command):
    """The reply, as BSON, to somebody on the same machine who has not signed in."""
    body = struct.pack("<iB", 0, 0) + bson(command | {"$db": "admin"})
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, connection.makefile("rb") as replies:
        connection.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, MESSAGE) + body)
        (length,) = struct.unpack("<i", replies.read(4))
        return replies.read(length - 4)


def start(values, while_it_runs=lambda port: None):
    """What mongod logs until it listens, as a list."""
    with tempfile.TemporaryDirectory() as folder:
        config = helm.look(helm.render("mongodb", values), "ConfigMap/r-mongodb data/mongod.conf/|yaml")
        keyfile = pathlib.Path(folder, "keyfile")
        keyfile.write_text("a2V5ZmlsZQ==")
        keyfile.chmod(0o400)
        data = pathlib.Path(folder, "data")
        data.mkdir()
        config["security"]["keyFile"] = str(keyfile)
        config["storage"]["dbPath"] = str(data)
        # The only addresses of this machine that anybody may reach.
        config["net"] |= {"port": free_port(), "bindIp": "127.0.0.1", "unixDomainSocket": {"pathPrefix": folder}}
        del config["net"]["bindIpAll"]
        file = pathlib.Path(folder, "mongod.conf")
        file.write_text(yaml.safe_dump(config))
        process = subprocess.Popen([MONGOD, "--config", file], stdout=subprocess.PIPE, text=True)
        limit = threading.Timer(60, process.kill)
        limit.start()
        try:
            lines = []
            for line in process.stdout:
                lines.append(json.loads(line))
                if lines[-1]["id"] == LISTENING:
                    while_it_runs(config["net"]["port"])
                    return config, lines
            raise AssertionError(f"mongod did not start: {lines[-3:]}")
        finally:
            limit.cancel()
            process.terminate()
            process.stdout.close()
            process.wait(60)


class Mongod(unittest.TestCase):
    def test_what_values_say_is_in_effect(self):
        values = {
            "resources": {"limits": {"memory": "1Gi"}},
            "mongod": {
                "oplogSizeMB": 1000,
                "transactionLifetimeLimitSeconds": 45,
                "extraConfig": "net: {compression: {compressors: zstd}}",
            },
        }
        config, lines = start(values)
        (options,) = [line["attr"]["options"] for line in lines if line["id"] == OPTIONS]
        for section in ("storage", "replication", "security", "operationProfiling"):
            self.assertEqual(options[section], config[section])
        self.assertEqual(options["setParameter"], {"enableLocalhostAuthBypass": "false", "transactionLifetimeLimitSeconds": "45"})
        self.assertEqual(options["net"]["compression"], {"compressors": "zstd"})
        self.assertEqual(options["net"]["maxIncomingConnections"], 2000)
        opened = next(line["attr"]["config"] for line in lines if line["msg"] == "Opening WiredTiger")
        self.assertIn("cache_size=256M", opened)

    def test_who_forwards_a_port_to_a_member_without_users_may_do_nothing(self):
        def look(port):
            for command in ({"replSetInitiate": {}}, {"createUser": "root", "pwd": "password-1", "roles": ["root"]}):
                with self.subTest(command):
                    self.assertIn(b"\x10code\0" + struct.pack("<i", UNAUTHORIZED), ask(port, command))

        start({}, look)

    def test_warnings_of_the_start_are_explained(self):
        template = (helm.CHARTS / "mongodb/templates/tests/startup-warnings.yaml").read_text()
        known = [re.compile(pattern) for pattern in re.findall(r"\[/(.+?)/, ", template)]
        self.assertGreater(len(known), 3)
        _, lines = start({})
        for line in lines:
            if "startupWarnings" in line.get("tags", []):
                text = json.dumps(line)
                with self.subTest(text):
                    self.assertTrue(ONLY_HERE.search(text) or any(pattern.search(text) for pattern in known))


if __name__ == "__main__":
    unittest.main()
