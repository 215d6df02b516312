"""Keeps the node's nft table equal to what the cluster's NetworkPolicies say (`policy_rules` says what that is).

`policy_plugin` announces each new pod's address here and waits for the answer, so that no container starts before its policies hold.
"""

import base64
import http.client
import json
import os
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from .policy_rules import State, render

RESOURCES = {"pods": "/api/v1/pods", "namespaces": "/api/v1/namespaces", "policies": "/apis/networking.k8s.io/v1/networkpolicies"}
# Changes often come in groups; one transaction for all of them.
GATHER = 0.02
TIME_TO_LEARN = 10.0


def key(thing: dict) -> str:
    metadata = thing["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if "namespace" in metadata else metadata["name"]


def connect(kubeconfig: Path):
    """A function that opens connections with the certificate of a kubeconfig."""
    configuration = json.loads(kubeconfig.read_text())
    cluster, user = configuration["clusters"][0]["cluster"], configuration["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
        pem.flush()
        context.load_cert_chain(pem.name)
    server = urlsplit(cluster["server"])
    return lambda: http.client.HTTPSConnection(server.hostname, server.port, context=context, timeout=330)


class Agent:
    def __init__(self, open_connection, network: str):
        self.open_connection, self.network = open_connection, network
        self.state, self.synced = State(), set()
        self.changed = threading.Condition()
        self.version = self.applied = 0

    def touch(self) -> None:
        self.version += 1
        self.changed.notify_all()

    def follow(self, kind: str) -> None:
        while True:
            try:
                self.list_and_watch(kind)
            except (OSError, http.client.HTTPException, ValueError) as error:
                print(f"watch of {kind}: {error}", flush=True)
                time.sleep(1)

    def list_and_watch(self, kind: str) -> None:
        connection = self.open_connection()
        connection.request("GET", RESOURCES[kind])
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise ValueError(f"HTTP {response.status}")
        listing = json.loads(body)
        things = {key(thing): thing for thing in listing["items"]}
        with self.changed:
            setattr(self.state, kind, things)
            self.synced.add(kind)
            self.touch()
        connection.request("GET", f"{RESOURCES[kind]}?watch=1&timeoutSeconds=300&resourceVersion={listing['metadata']['resourceVersion']}")
        for line in connection.getresponse():
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            with self.changed:
                if event["type"] == "DELETED":
                    things.pop(key(event["object"]), None)
                else:
                    things[key(event["object"])] = event["object"]
                self.touch()

    def apply_forever(self) -> None:
        last = None
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.version > self.applied and len(self.synced) == len(RESOURCES))
            time.sleep(GATHER)
            with self.changed:
                version, text = self.version, render(self.state, self.network)
            if text != last:
                result = subprocess.run(["nft", "-f", "-"], input=text, text=True, capture_output=True)
                if result.returncode != 0:
                    print(f"nft refused the rules: {result.stderr}\n{text}", flush=True)
                    time.sleep(1)
                    continue
                last = text
            with self.changed:
                self.applied = version
                self.changed.notify_all()

    def announce(self, message: dict) -> str:
        """Learns or forgets an address; returns "" once the rules that follow from it hold, else why they do not."""
        address, name = message["address"], message["pod"]
        deadline = time.monotonic() + TIME_TO_LEARN
        with self.changed:
            if message["command"] == "DEL":
                if self.state.announced.get(address) == name:
                    del self.state.announced[address]
                    self.touch()
                return ""
            self.state.announced[address] = name
            self.touch()
            if not self.changed.wait_for(lambda: name in self.state.pods, deadline - time.monotonic()):
                return f"the API server showed no pod {name} within {TIME_TO_LEARN:.0f} s"
            wanted = self.version
            if not self.changed.wait_for(lambda: self.applied >= wanted, max(0.0, deadline - time.monotonic())):
                return f"no rules for {name} within {TIME_TO_LEARN:.0f} s"
        return ""


def serve(agent: Agent, path: str) -> None:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            line = self.rfile.readline()
            if line:
                self.wfile.write(json.dumps({"error": agent.announce(json.loads(line))}).encode() + b"\n")

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True

    Path(path).unlink(missing_ok=True)
    server = Server(path, Handler)
    os.chmod(path, 0o600)
    server.serve_forever()


def main() -> None:
    kubeconfig, network, path = sys.argv[1:]
    agent = Agent(connect(Path(kubeconfig)), network)
    for kind in RESOURCES:
        threading.Thread(target=agent.follow, args=(kind,), daemon=True).start()
    threading.Thread(target=agent.apply_forever, daemon=True).start()
    serve(agent, path)


if __name__ == "__main__":
    main()
