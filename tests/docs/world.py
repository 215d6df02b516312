"""Where the commands of the documents are run: a copy of the repository, a replica set with documents, its archive with a snapshot and a mistake in it,
and a fresh replica set for each page that restores. MONGOD names the server, TIDEMARK_BIN_DIR the folder of our programs."""

import base64
import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from mongo import Client
from pages import REPOSITORY, SKIPPED
from shell import BINARIES, HELM, TERRAFORM

MONGOD = os.environ.get("MONGOD", "mongod")
# Ports that documents name, where something listens on this machine.
PORTS = ["27017", "27018", "9717", "9718", "3000", "9464"]
BLOCK_SECONDS = 120


def free_port():
    for _ in range(1000):
        port = random.randrange(21000, 31000)
        with socket.socket() as one:
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                return port
    raise RuntimeError("no free port")


def wait_for(what, seconds, condition):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if found := condition():
                return found
        time.sleep(0.1)
    raise TimeoutError(f"{what} did not come about within {seconds} s")


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(port)), timeout=1):
        return True
    return False


class Process:
    """A process of its own group, so that what it starts ends with it."""

    def __init__(self, command, log, **options):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, **options)

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(30)


class Set:
    """A replica set of one member, initiated and ready for writes."""

    def __init__(self, folder, name):
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        command = [MONGOD, "--replSet", name, "--dbpath", folder, "--port", str(self.port), "--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.25",
                   "--nounixsocket", "--oplogSize", "200"]
        self.server = Process(command, folder / "mongod.log")
        self.uri = f"mongodb://127.0.0.1:{self.port}/?replicaSet={name}"
        wait_for("mongod", 60, lambda: listens(self.port))
        self.client = Client(self.port)
        self.client.run("admin", {"replSetInitiate": {"_id": name, "members": [{"_id": 0, "host": f"127.0.0.1:{self.port}"}]}})
        wait_for("a primary", 60, lambda: self.client.run("admin", {"hello": 1})["isWritablePrimary"])

    def stop(self):
        self.client.close()
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def minisign_key():
    """A secret key without a password, as `minisign -G -W` writes it."""
    made = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-outform", "DER"], capture_output=True, check=True).stdout
    public = subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"], input=made, capture_output=True, check=True).stdout
    number, secret = random.randbytes(8), made[-32:] + public[-32:]
    check = hashlib.blake2b(b"Ed" + number + secret, digest_size=32).digest()
    return "untrusted comment: for a test\n" + base64.b64encode(b"Ed\0\0B2" + bytes(48) + number + secret + check).decode() + "\n"


class World:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tidemark-docs-"))
        self.parts, self.made = [], 0
        try:
            self._begin()
        except BaseException:
            self.end()
            raise

    def _begin(self):
        self.copy = self.folder / "tidemark"
        shutil.copytree(REPOSITORY, self.copy, symlinks=True, ignore=lambda _, names: SKIPPED & set(names))
        (self.folder / "queries").mkdir()
        self.archive = f"file://{self.folder}/backups/rs0"
        (self.folder / "backups/rs0").mkdir(parents=True)
        (self.copy / "drill.key").write_text(minisign_key())
        self.source = self.set("rs0")
        self._documents()
        path = os.pathsep.join([str(BINARIES), str(pathlib.Path(MONGOD).parent), str(pathlib.Path(HELM).parent), str(pathlib.Path(TERRAFORM).parent), os.environ["PATH"]])
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMARK_") or name == "TIDEMARK_CACHE"}
        self.environment |= {"PATH": path, "MONGOD": str(MONGOD), "TIDEMARK_ARCHIVE": self.archive, "TIDEMARK_URI": self.source.uri, "NO_COLOR": "1",
                             "TIDEMARK_KEEP_LAST": "7", "TIDEMARK_SCRATCH_DIR": str(self.folder)}
        sidecar = Process([BINARIES / "sidecar", "run", "--slice-span", "1s", "--slice-idle", "2s", "--listen", f"127.0.0.1:{free_port()}"], self.folder / "sidecar.log", env=self.environment)
        self.parts.append(sidecar)
        wait_for("a snapshot", 60, lambda: self.lineage()["last_snapshot"])
        orders = {"q": {}, "u": {"$set": {"amount": 0}}, "multi": True}
        self.source.client.run("shop", {"update": "orders", "updates": [orders]})
        mistake = wait_for("the mistake in the archive", 60, lambda: self.answer("find", "--namespace", "shop.orders", "--op", "update").get("matches"))
        self.before = mistake[0]["before"]
        self.snapshot = self.lineage()["last_snapshot"]["id"]

    def _documents(self):
        at = datetime.datetime(2025, 12, 1, tzinfo=datetime.timezone.utc)
        orders = [{"_id": number, "status": "open" if number < 17 else "paid", "at": at, "amount": 100 + number} for number in range(21)]
        self.source.client.run("shop", {"insert": "orders", "documents": orders, "writeConcern": {"w": "majority"}})
        self.source.client.run("shop", {"insert": "customers", "documents": [{"_id": number, "name": f"customer {number}"} for number in range(500)]})

    def set(self, name):
        self.made += 1
        made = Set(self.folder / f"set-{self.made}", name)
        self.parts.append(made)
        return made

    def answer(self, *words):
        done = subprocess.run([BINARIES / "dr-cli", *words, "--json"], env=self.environment, capture_output=True, text=True, check=False)
        return json.loads(done.stdout)

    def lineage(self):
        return (self.answer("status").get("lineages") or [{"last_snapshot": None}])[0]

    def end(self):
        for part in reversed(self.parts):
            part.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Run:
    """The blocks of one page, one after the other in one shell, in the copy of the repository."""

    def __init__(self, world, page):
        self.world, self.page = world, page
        self.services, self.fresh = [], None
        self.ports = {name: str(free_port()) for name in PORTS}
        self.log = world.folder / (page.name.replace("/", "-") + ".log")
        self.log.touch()
        self.reader, writer = os.pipe()
        # Whatever is found by a default listens where nothing else of this machine does.
        environment = world.environment | {"TIDEMARK_LISTEN": f"127.0.0.1:{self.ports['9717']}", "DOCS_DONE": str(writer)}
        with open(self.log, "ab") as out:
            self.shell = subprocess.Popen(["bash", "--noprofile", "--norc"], stdin=subprocess.PIPE, stdout=out, stderr=out, text=True, cwd=world.copy,
                                          env=environment, pass_fds=[writer], start_new_session=True)
        os.close(writer)
        self.environment = environment
        for block in page.blocks:
            if block.file:
                (world.copy / block.file).write_text(block.text)

    def substituted(self, text):
        """What stands for something in the documents (docs/README.md lists it) is what is there."""
        world = self.world
        if "mongodb://fresh" in text and not self.fresh:
            self.fresh = world.set("rs1")
        text = re.sub(r"mongodb://fresh(-0)?:27017/\?replicaSet=rs1", lambda _: self.fresh.uri, text)
        text = text.replace("mongodb://user@host:27017/?replicaSet=rs0", world.source.uri)
        text = text.replace("file:///backups/rs0", world.archive).replace("--archive …", f"--archive {world.archive}")
        text = text.replace("before:1767225600:42", world.before).replace("20261128T010000Z-f07079", world.snapshot)
        # A person is asked before a restore, and before Terraform makes something.
        text = text.replace("dr-cli restore ", "dr-cli restore --yes ").replace("dr-cli drill --terraform ", "dr-cli drill --yes --terraform ")
        text = text.replace("/restore/dump", f"{world.folder}/dump-{os.path.basename(self.page.name)}").replace("/var/log/pods", f"{world.folder}")
        return re.sub(r"(?<![\d-])(" + "|".join(PORTS) + r")(?!\d)", lambda found: self.ports[found[1]], text)

    def block(self, block):
        """Runs it; None, or what went wrong."""
        text = self.substituted(block.text)
        if block.until_stopped:
            return self._serve(text)
        begun = self.log.stat().st_size
        if block.ends_with:
            wrapped = f"set +e\n( {text}\n) </dev/null\n[ $? = {block.ends_with} ] || exit 1\n"
        else:
            wrapped = f"set -e -o pipefail\n{{\n{text}\n}} </dev/null\nset +e +o pipefail\n"
        try:
            self.shell.stdin.write(wrapped + 'echo done >&"$DOCS_DONE"\n')
            self.shell.stdin.flush()
            ready, _, _ = select.select([self.reader], [], [], BLOCK_SECONDS)
            if ready and os.read(self.reader, 100):
                return None
        except BrokenPipeError:
            ready = True
        output = self.log.read_bytes()[begun:].decode(errors="replace")
        return f"{'failed' if ready else f'did not end within {BLOCK_SECONDS} s'}:\n{text}\n{output[-3000:]}"

    def _serve(self, text):
        """Starts what runs until it is stopped, and waits until it listens."""
        service = Process(["bash", "--noprofile", "--norc", "-c", text], self.log, cwd=self.world.copy, env=self.environment)
        self.services.append(service)
        port = self.ports["9717" if text.startswith("sidecar") else "3000" if "node " in text else "27017"]
        try:
            wait_for("its port", 60, lambda: service.process.poll() is not None or listens(port))
        except TimeoutError as error:
            return f"{text}\n{error}\n{self.log.read_text()[-2000:]}"
        return None if service.process.poll() is None else f"ended at once:\n{text}\n{self.log.read_text()[-2000:]}"

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.shell.pid, signal.SIGTERM)
        with contextlib.suppress(BrokenPipeError):
            self.shell.stdin.close()
        self.shell.wait(30)
        os.close(self.reader)
        for service in reversed(self.services):
            service.stop()
        if self.fresh:
            self.fresh.stop()
            self.world.parts.remove(self.fresh)
