"""start FOLDER MONGOD fresh|used · remove FOLDER: a mongod of one member below FOLDER, initiated, and gone again with the folder."""

import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time


def element(name, value):
    key = name.encode() + b"\0"
    if isinstance(value, dict):
        return b"\x03" + key + document(value)
    if isinstance(value, list):
        return b"\x04" + key + document({str(at): each for at, each in enumerate(value)})
    if isinstance(value, int):
        return b"\x10" + key + struct.pack("<i", value)
    text = value.encode() + b"\0"
    return b"\x02" + key + struct.pack("<i", len(text)) + text


def document(fields):
    body = b"".join(element(name, value) for name, value in fields.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def command(port, fields):
    """The reply as bytes; what is looked for in it is found by its encoding."""
    body = struct.pack("<i", 0) + b"\0" + document(fields)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(struct.pack("<iiii", len(body) + 16, 1, 0, 2013) + body)
        size = struct.unpack("<i", connection.recv(4, socket.MSG_WAITALL))[0]
        return connection.recv(size - 4, socket.MSG_WAITALL)


def start(folder, mongod, state):
    data = folder / "data"
    data.mkdir(parents=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run([mongod, "--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket", "--replSet", "fresh",
                    "--oplogSize", "990", "--wiredTigerCacheSizeGB", "0.5", "--setParameter", "ttlMonitorEnabled=false",
                    "--logpath", folder / "log", "--fork"], check=True, stdout=subprocess.DEVNULL)
    command(port, {"replSetInitiate": {"_id": "fresh", "members": [{"_id": 0, "host": f"127.0.0.1:{port}"}]}, "$db": "admin"})
    limit = time.monotonic() + 60
    while b"\x08isWritablePrimary\0\x01" not in command(port, {"hello": 1, "$db": "admin"}):
        if time.monotonic() > limit:
            sys.exit("no primary")
        time.sleep(0.1)
    if state == "used":
        command(port, {"insert": "orders", "documents": [{"_id": 1}], "$db": "shop"})
    uri = {"value": f"mongodb://127.0.0.1:{port}/?replicaSet=fresh", "type": "string"}
    outputs = {"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "port", "outputs": {"uri": uri}, "resources": []}
    (folder / "port.tfstate").write_text(json.dumps(outputs))


def servers(folder):
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(folder / "data").encode() in arguments:
            yield int(process.name)


def remove(folder):
    while found := list(servers(folder)):
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    what, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if what == "start":
        start(folder, sys.argv[3], sys.argv[4])
    else:
        remove(folder)
