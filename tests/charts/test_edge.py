"""The edge's configuration in a real nginx: what passes, what is limited, what is not for outside."""

import collections
import http.client
import http.server
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import helm

NGINX = os.environ.get("NGINX", "nginx")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"path": self.path, "from": self.headers["X-Forwarded-For"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Edge(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.api = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=cls.api.serve_forever, daemon=True).start()
        cls.folder = tempfile.TemporaryDirectory()
        cls.port = free_port()
        text = helm.look(helm.render("orders-api", {"edge": {"enabled": True, "rate": 5, "burst": 10}}), "ConfigMap/r-orders-api-edge data/nginx.conf")
        text = (
            text.replace("r-orders-api.ns.svc:80", f"127.0.0.1:{cls.api.server_port}")
            .replace("listen 8080;", f"listen 127.0.0.1:{cls.port};")
            .replace("/tmp/", f"{cls.folder.name}/")
        )
        config = pathlib.Path(cls.folder.name, "nginx.conf")
        config.write_text(text)
        cls.nginx = subprocess.Popen([NGINX, "-e", "stderr", "-c", config], stderr=subprocess.PIPE, text=True)
        for _ in range(100):
            try:
                cls.get("/edge/livez")
                return
            except OSError:
                assert cls.nginx.poll() is None, cls.nginx.stderr.read()
                time.sleep(0.05)
        raise AssertionError("nginx does not answer")

    @classmethod
    def tearDownClass(cls):
        cls.nginx.terminate()
        cls.nginx.wait(10)
        cls.nginx.stderr.close()
        cls.api.shutdown()
        cls.api.server_close()
        cls.folder.cleanup()

    @classmethod
    def get(cls, path):
        connection = http.client.HTTPConnection("127.0.0.1", cls.port, timeout=5)
        try:
            connection.request("GET", path, headers={"X-Forwarded-For": "203.0.113.1"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), dict(answer.getheaders())
        finally:
            connection.close()

    def test_a_burst_passes_and_what_comes_beyond_is_told_to_wait(self):
        time.sleep(2.5)
        answers = [self.get("/orders") for _ in range(40)]
        counts = collections.Counter(status for status, _, _ in answers)
        self.assertEqual(set(counts), {200, 429})
        # The burst, and what the rate gave back while the forty were sent.
        self.assertGreaterEqual(counts[200], 10)
        self.assertLess(counts[200], 25)
        _, body, headers = next(answer for answer in answers if answer[0] == 429)
        self.assertEqual(json.loads(body)["error"]["code"], "rate_limited")
        self.assertEqual((headers["Retry-After"], headers["Content-Type"]), ("1", "application/json"))
        # Waiting helps, and probes of the edge itself are never limited.
        self.assertEqual(self.get("/edge/livez")[0], 200)
        time.sleep(1.2)
        self.assertEqual(self.get("/orders")[0], 200)

    def test_what_is_for_the_cluster_is_not_found(self):
        for path in ("/metrics", "/readyz"):
            self.assertEqual(self.get(path)[0], 404)

    def test_nobody_chooses_the_address_that_the_api_limits_by(self):
        time.sleep(1.2)
        status, body, _ = self.get("/orders?page=2")
        self.assertEqual((status, json.loads(body)), (200, {"path": "/orders?page=2", "from": "127.0.0.1"}))


if __name__ == "__main__":
    unittest.main()
