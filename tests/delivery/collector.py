"""Runs the real log collector with the configuration of the chart over files as the kubelet writes them."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import yaml

from repository import HELM, ROOT, documents, run

COLLECTOR = os.environ.get("LOG_COLLECTOR", "log-collector")
# What `validate` and a start need of the environment.
ENVIRONMENT = {"NODE_NAME": "node-1", "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=00000000-0000-0000-0000-000000000000", "OTLP_TOKEN": "t"}
# The signing of requests looks for credentials before anything is sent.
ENVIRONMENT.update(AWS_ACCESS_KEY_ID="of-nobody", AWS_SECRET_ACCESS_KEY="of-nobody")
LOKI = {"sinks": {"loki": {"endpoint": "http://127.0.0.1:1"}}}


def recorded(name):
    return (ROOT / f"tests/delivery/logs/{name}.jsonl").read_text().splitlines()


def merged(*layers):
    result = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def configuration(values):
    done = run(HELM, "template", "r", ROOT / "charts/log-collector", "--values", "-", input=json.dumps(values))
    assert done.returncode == 0, done.stderr
    (found,) = [each for each in documents(done.stdout) if each["kind"] == "ConfigMap"]
    return found["data"]["config.yaml"]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Pods:
    """A folder like /var/log/pods."""

    def __init__(self, folder):
        self.folder = folder

    def file(self, container, pod="shop-mongodb-0", namespace="tenant-shop", name="0.log"):
        path = self.folder / f"{namespace}_{pod}_8a1e3c1e-0000-4000-8000-000000000001" / container / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, container, lines, stream="stdout", pieces=1, **place):
        """With the frame of the CRI; a line in pieces has the tag P on all but the last."""
        with open(self.file(container, **place), "a") as out:
            for number, line in enumerate(lines):
                size = -(-len(line) // pieces) or 1
                parts = [line[start : start + size] for start in range(0, len(line), size)] or [""]
                for part in parts:
                    tag = "F" if part is parts[-1] else "P"
                    out.write(f"2026-11-29T16:27:{number % 60:02}.000000{number % 1000:03}Z {stream} {tag} {part}\n")


class Collector:
    """One place with its files, its state and its output; the process may be started and killed many times."""

    def __init__(self, case, values=None, override=None):
        folder = tempfile.mkdtemp(prefix="log-collector-")
        (case.addCleanup if not isinstance(case, type) else case.addClassCleanup)(shutil.rmtree, folder, True)
        self.folder = pathlib.Path(folder)
        self.pods = Pods(self.folder / "pods")
        self.pods.folder.mkdir()
        self.output, self.metrics, self.process = self.folder / "records.json", free_port(), None
        text = configuration(merged(LOKI, {"logsPath": str(self.pods.folder)}, values or {}))
        whole = yaml.safe_load(text)
        # Only places: what is read, done and stored is the chart's.
        own = {
            "receivers": {"file_log": {"poll_interval": "50ms"}},
            "exporters": {"file": {"path": str(self.output), "flush_interval": "100ms"}},
            "extensions": {
                "file_storage": {"directory": str(self.folder / "state"), "compaction": {"directory": str(self.folder / "state")}},
                "health_check": {"endpoint": f"127.0.0.1:{free_port()}"},
            },
            "service": {
                "telemetry": {"metrics": {"readers": [{"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": self.metrics}}}}]}},
                "pipelines": {"logs": {"exporters": ["file"]}},
            },
        }
        self.config = self.folder / "config.yaml"
        self.config.write_text(yaml.safe_dump(merged(whole, own, override or {})))

    def start(self):
        self.log = open(self.folder / "log", "ab")
        self.process = subprocess.Popen([COLLECTOR, "--config", self.config], stdout=self.log, stderr=self.log, env={**os.environ, **ENVIRONMENT})

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    @contextlib.contextmanager
    def running(self):
        self.start()
        try:
            yield self
        finally:
            self.stop()

    def said(self):
        return (self.folder / "log").read_text()

    def records(self):
        return list(flat(self.output.read_text().splitlines())) if self.output.exists() else []

    def wait(self, count, seconds=30):
        """Until that many records are there; then a moment longer, for those that should not be."""
        wait_until(lambda: len(self.records()) >= count or self.process.poll() is not None, seconds)
        time.sleep(0.5)
        found = self.records()
        assert len(found) >= count, f"{len(found)} of {count} records came:\n{self.said()[-3000:]}"
        return found


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def flat(requests):
    """Records of OTLP/JSON, with the attributes of their resource."""
    for request in requests:
        for resource in json.loads(request)["resourceLogs"]:
            of_resource = plain({"kvlistValue": {"values": resource["resource"].get("attributes", [])}})
            for scope in resource["scopeLogs"]:
                for record in scope["logRecords"]:
                    yield {
                        "resource": of_resource,
                        "body": plain(record.get("body", {})),
                        "severity": record.get("severityNumber", 0),
                        "attributes": plain({"kvlistValue": {"values": record.get("attributes", [])}}),
                        "time": record.get("timeUnixNano"),
                    }


def plain(value):
    for kind, content in value.items():
        if kind == "kvlistValue":
            return {each["key"]: plain(each["value"]) for each in content.get("values", [])}
        if kind == "arrayValue":
            return [plain(each) for each in content.get("values", [])]
        return int(content) if kind == "intValue" else content
    return None


class Sink:
    """An OTLP/HTTP endpoint that can be away."""

    def __init__(self):
        self.port, self.requests, self.server = free_port(), [], None

    def start(self):
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                sink.requests.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def bodies(self):
        return [record["body"] for record in flat(self.requests)]
