"""As much of MongoDB's wire protocol as is needed to make a set and to write documents that are then lost. No driver is at hand."""

import datetime
import itertools
import socket
import struct


def encode(document):
    body = b""
    for name, value in document.items():
        key = name.encode() + b"\0"
        if isinstance(value, bool):
            body += b"\x08" + key + bytes([value])
        elif isinstance(value, int):
            body += b"\x12" + key + struct.pack("<q", value)
        elif isinstance(value, str):
            text = value.encode() + b"\0"
            body += b"\x02" + key + struct.pack("<i", len(text)) + text
        elif isinstance(value, datetime.datetime):
            body += b"\x09" + key + struct.pack("<q", int(value.timestamp() * 1000))
        elif isinstance(value, dict):
            body += b"\x03" + key + encode(value)
        elif isinstance(value, list):
            body += b"\x04" + key + encode({str(number): one for number, one in enumerate(value)})
        else:
            raise TypeError(type(value))
    return struct.pack("<i", len(body) + 5) + body + b"\0"


FIXED = {0x01: "<d", 0x09: "<q", 0x10: "<i", 0x11: "<Q", 0x12: "<q"}


def decode(data):
    document, at = {}, 4
    while data[at]:
        kind, end = data[at], data.index(0, at + 1)
        name, at = data[at + 1 : end].decode(), end + 1
        (size,) = struct.unpack_from("<i", data, at) if len(data) >= at + 4 else (0,)
        if kind in FIXED:
            (value,) = struct.unpack_from(FIXED[kind], data, at)
            at += struct.calcsize(FIXED[kind])
        elif kind == 0x02:
            value, at = data[at + 4 : at + 3 + size].decode(), at + 4 + size
        elif kind in (0x03, 0x04):
            value, at = decode(data[at : at + size]), at + size
        elif kind == 0x05:
            value, at = data[at + 5 : at + 5 + size], at + 5 + size
        elif kind == 0x07:
            value, at = data[at : at + 12], at + 12
        elif kind == 0x08:
            value, at = bool(data[at]), at + 1
        elif kind == 0x0A:
            value = None
        else:
            raise ValueError(f"BSON type {kind} in {name}")
        document[name] = value
    return document


class Client:
    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.numbers = itertools.count(1)

    def run(self, database, command):
        body = struct.pack("<i", 0) + b"\0" + encode({**command, "$db": database})
        self.connection.sendall(struct.pack("<iiii", len(body) + 16, next(self.numbers), 0, 2013) + body)
        (size,) = struct.unpack("<i", self._read(4))
        answer = decode(self._read(size - 4)[12 + 5 :])
        if answer.get("ok") != 1.0:
            raise RuntimeError(f"{next(iter(command))}: {answer.get('errmsg')}")
        return answer

    def _read(self, size):
        data = b""
        while len(data) < size:
            got = self.connection.recv(size - len(data))
            if not got:
                raise ConnectionError("the server closed the connection")
            data += got
        return data

    def close(self):
        self.connection.close()
