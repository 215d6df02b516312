"""Commands to a mongod in its wire protocol: OP_MSG, and as much BSON as commands and their replies need. There is no driver where Terraform runs."""

import socket
import struct

OP_MSG = 2013
# What a reply may have and nobody here reads, by the length of its bytes: ObjectId, UTC date, timestamp, decimal.
SKIPPED = {0x07: 12, 0x09: 8, 0x11: 8, 0x13: 16, 0xFF: 0, 0x7F: 0}


class Unreachable(Exception):
    """Nobody answers there, or not in this protocol."""


class Refused(Exception):
    """The server answered with an error; `code` is its number."""

    def __init__(self, reply):
        super().__init__(reply.get("errmsg", "no reason given"))
        self.code = reply.get("code")


def encoded(document):
    body = b"".join(_element(name, value) for name, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _element(name, value):
    key = name.encode() + b"\0"
    # Before int: True is one, too.
    if isinstance(value, bool):
        return b"\x08" + key + (b"\1" if value else b"\0")
    if isinstance(value, int):
        return b"\x10" + key + struct.pack("<i", value)
    if isinstance(value, str):
        text = value.encode() + b"\0"
        return b"\x02" + key + struct.pack("<i", len(text)) + text
    if isinstance(value, list):
        return b"\x04" + key + encoded({str(index): one for index, one in enumerate(value)})
    if isinstance(value, dict):
        return b"\x03" + key + encoded(value)
    raise TypeError(f"{name}: {type(value).__name__} has no BSON here")


def decoded(data):
    """A document as a dict; arrays are lists, what SKIPPED names is None."""
    found, at = {}, 4
    while data[at]:
        kind, end = data[at], data.index(b"\0", at + 1)
        name, at = data[at + 1 : end].decode(), end + 1
        if kind == 0x01:
            value, at = struct.unpack_from("<d", data, at)[0], at + 8
        elif kind in (0x02, 0x0D, 0x0E):
            length = struct.unpack_from("<i", data, at)[0]
            value, at = data[at + 4 : at + 3 + length].decode("utf-8", "replace"), at + 4 + length
        elif kind in (0x03, 0x04):
            length = struct.unpack_from("<i", data, at)[0]
            value, at = decoded(data[at : at + length]), at + length
            value = list(value.values()) if kind == 0x04 else value
        elif kind == 0x05:
            value, at = None, at + 5 + struct.unpack_from("<i", data, at)[0]
        elif kind == 0x08:
            value, at = data[at] == 1, at + 1
        elif kind == 0x0A:
            value = None
        elif kind == 0x10:
            value, at = struct.unpack_from("<i", data, at)[0], at + 4
        elif kind == 0x12:
            value, at = struct.unpack_from("<q", data, at)[0], at + 8
        elif kind in SKIPPED:
            value, at = None, at + SKIPPED[kind]
        else:
            raise Unreachable(f"BSON type {kind:#x} in a reply")
        found[name] = value
    return found


def command(port, document, seconds=5):
    """The reply of the mongod at 127.0.0.1 to a command in `admin`, over a connection of its own."""
    message = struct.pack("<I", 0) + b"\0" + encoded(document | {"$db": "admin"})
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
            connection.sendall(struct.pack("<iiii", len(message) + 16, 1, 0, OP_MSG) + message)
            length = struct.unpack("<i", _exactly(connection, 4))[0]
            # Behind the rest of the header: flags, and the kind of the one section.
            reply = decoded(_exactly(connection, length - 4)[12 + 5 :])
    except (OSError, struct.error, IndexError, ValueError) as error:
        raise Unreachable(str(error)) from error
    if reply.get("ok") != 1:
        raise Refused(reply)
    return reply


def _exactly(connection, count):
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            raise OSError("the connection was closed")
        data += part
    return data
