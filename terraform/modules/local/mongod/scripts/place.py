#!/usr/bin/env python3
"""Makes a fresh replica set in a folder of its own, and removes both. Terraform calls it; what it shall do stands in the environment.

place.py up     TIDEMARK_PLACE, TIDEMARK_RUN, TIDEMARK_ASKED_AT, TIDEMARK_MONGOD, TIDEMARK_MEMBERS, TIDEMARK_REPLICA_SET, TIDEMARK_TRIGGER
place.py down   TIDEMARK_PLACE, TIDEMARK_RUN

A run is known by an id that its state alone holds. It is in the mark in the folder, and in the environment of every process: what does not carry it is
nobody's business here, whatever its name, port or process id. Needs Linux: processes are looked at through /proc and ended through a pidfd.
"""

import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import wire

# Below the range from which Linux takes ports of outgoing connections: nobody takes one of these by chance while a member is down.
PORTS = range(20000, 32000)
ANSWERS_SECONDS, PRIMARY_SECONDS = 60, 90
ATTEMPTS = 3
MARK = "tidemark-restore.json"
# In the environment of each mongod. main.tf looks for it, too.
RUN_OF_PROCESS = "TIDEMARK_RESTORE_RUN"


class Refusal(Exception):
    def __init__(self, what, where, cause, then):
        super().__init__(f"{what}\n  where: {where}\n  cause: {cause}\n  next: {then}")


class PortTaken(Exception):
    """Somebody else took a port between its choice and its use."""


class Place:
    def __init__(self, path, run):
        self.path, self.run = pathlib.Path(path), run

    # The folder

    def exists(self):
        return os.path.lexists(self.path)

    def is_ours(self):
        if self.path.is_symlink():
            return False
        try:
            return json.loads((self.path / MARK).read_text())["run"] == self.run
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def make(self, asked_at):
        """The folder comes into being with its mark, in one step."""
        if not self.path.parent.is_dir():
            raise Refusal("there is no folder for the data", self.path.parent, "it is made by nobody here, so that none is left behind", f"mkdir -p {self.path.parent}")
        self.unfinished.mkdir(mode=0o700, exist_ok=True)
        (self.unfinished / MARK).write_text(json.dumps({"run": self.run, "asked_at": asked_at}) + "\n")
        os.rename(self.unfinished, self.path)

    @property
    def unfinished(self):
        return self.path.parent / f".{self.path.name}.{self.run}"

    def remove(self):
        """The mark goes last: what is interrupted is still ours."""
        shutil.rmtree(self.unfinished, ignore_errors=True)
        if self.is_ours():
            self.empty()
            (self.path / MARK).unlink()
            self.path.rmdir()

    def empty(self):
        for entry in list(self.path.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != MARK:
                entry.unlink()

    # The processes

    def processes(self):
        """Those that this run started, by folder of the member: they carry its id, and their command line names a folder in here."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit() and (member := self.member_of(entry)):
                found[int(entry.name)] = member
        return found

    def member_of(self, process):
        try:
            environment, arguments = (process / "environ").read_bytes().split(b"\0"), (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            # It ended, or is somebody else's.
            return None
        if f"{RUN_OF_PROCESS}={self.run}".encode() not in environment or b"--dbpath" not in arguments[:-1]:
            return None
        data = pathlib.Path(os.fsdecode(arguments[arguments.index(b"--dbpath") + 1]))
        return data.name if data.parent == self.path else None

    def end_processes(self):
        """Kills: what they hold is removed next."""
        ended = 0
        for pid in self.processes():
            try:
                # From here on the number stands for this process, even when it ends and another gets its number.
                handle = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            try:
                if self.member_of(pathlib.Path("/proc", str(pid))):
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    if not select.select([handle], [], [], 30)[0]:
                        raise Refusal("a mongod does not end", f"process {pid}", "it waits for its disk, most likely", f"see that it ends (ps -p {pid}), then run terraform destroy again")
                    ended += 1
            except ProcessLookupError:
                pass
            finally:
                os.close(handle)
        return ended

    # What is known between two runs

    def read(self, name):
        try:
            return json.loads((self.path / name).read_text())
        except (OSError, ValueError):
            return None

    def write(self, name, value):
        new = self.path / f"{name}.new"
        new.write_text(json.dumps(value) + "\n")
        os.replace(new, self.path / name)


class ReplicaSet:
    """The members below a place, by name of their folder: {"member-0": port}."""

    def __init__(self, place, mongod, name, ports):
        self.place, self.mongod, self.name, self.ports = place, mongod, name, ports

    def start(self, member):
        data = self.place.path / member
        data.mkdir(mode=0o700, exist_ok=True)
        command = [self.mongod, "--dbpath", str(data), "--logpath", str(data / "mongod.log"), "--logappend", "--replSet", self.name]
        command += ["--bind_ip", "127.0.0.1", "--port", str(self.ports[member]), "--nounixsocket"]
        # Everything that is restored goes through the oplog, and nobody reads it there.
        command += ["--oplogSize", "990", "--wiredTigerCacheSizeGB", "1"]
        environment = {"PATH": os.environ.get("PATH", os.defpath), RUN_OF_PROCESS: self.place.run}
        try:
            with open(data / "output", "ab") as output:
                return subprocess.Popen(command, env=environment, cwd=data, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        except OSError as error:
            raise Refusal("mongod cannot be started", self.mongod, error.strerror, "give the path of a mongod for this machine: -var mongod=PATH (scripts/fetch-mongod.sh prints one)") from error

    def wait_until_it_answers(self, member, process):
        deadline = time.monotonic() + ANSWERS_SECONDS
        while True:
            if process.poll() is not None:
                raise self.did_not_come_up(member, f"it ended with exit code {process.returncode}")
            # The process is asked first and again: who answers on the port could be another.
            if (hello := self.hello(member)) and process.poll() is None:
                return hello
            if time.monotonic() > deadline:
                raise self.did_not_come_up(member, f"it does not answer within {ANSWERS_SECONDS} s")
            time.sleep(0.1)

    def did_not_come_up(self, member, cause):
        data = self.place.path / member
        said = [line for name in ("mongod.log", "output") if (data / name).exists() for line in (data / name).read_text(errors="replace").splitlines()]
        if any("Address already in use" in line for line in said[-40:]):
            return PortTaken(f"127.0.0.1:{self.ports[member]}")
        told = f"{cause}; it says last:\n    " + "\n    ".join(line[:300] for line in said[-3:]) if said else cause
        return Refusal(f"{member} of {self.name} does not come up", f"{self.mongod}, 127.0.0.1:{self.ports[member]}, {data}", told, "mend that and run terraform apply again, or terraform destroy")

    def hello(self, member):
        try:
            return wire.command(self.ports[member], {"hello": 1})
        except (wire.Unreachable, wire.Refused):
            return None

    def initiate(self):
        members = [{"_id": index, "host": f"127.0.0.1:{port}"} for index, port in enumerate(self.ports.values())]
        wire.command(self.ports["member-0"], {"replSetInitiate": {"_id": self.name, "members": members}}, seconds=30)

    def wait_for_primary(self):
        """Until there is one, and everybody else follows it: writes for a majority need them."""
        deadline = time.monotonic() + PRIMARY_SECONDS
        while True:
            states = {member: self.hello(member) or {} for member in self.ports}
            primaries = [member for member, hello in states.items() if hello.get("isWritablePrimary") and hello.get("setName") == self.name]
            if len(primaries) == 1 and all(hello.get("isWritablePrimary") or hello.get("secondary") for hello in states.values()):
                return
            if time.monotonic() > deadline:
                seen = ", ".join(f"{member} {'primary' if hello.get('isWritablePrimary') else 'secondary' if hello.get('secondary') else 'neither'}" for member, hello in states.items())
                raise Refusal(f"{self.name} has no primary after {PRIMARY_SECONDS} s", self.place.path, f"{seen}; the machine may be too busy", "run terraform apply again, or terraform destroy")
            if not primaries and all(hello.get("secondary") for hello in states.values()):
                self.elect()
            time.sleep(0.1)

    def elect(self):
        """Else a fresh set of several members waits for ten seconds."""
        try:
            wire.command(self.ports["member-0"], {"replSetStepUp": 1})
        except (wire.Unreachable, wire.Refused):
            # Not yet, or somebody else was faster; the set elects by itself.
            pass


def free_ports(count):
    chosen, held = [], []
    try:
        for port in random.sample(PORTS, len(PORTS)):
            listener = socket.socket()
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                listener.close()
                continue
            held.append(listener)
            chosen.append(port)
            if len(chosen) == count:
                return chosen
    finally:
        for listener in held:
            listener.close()
    raise Refusal(f"no {count} free ports", f"127.0.0.1:{PORTS.start}-{PORTS.stop - 1}", "others listen on all of them", "end some of them")


def up(place, asked_at, mongod, name, count, trigger):
    if place.exists() and not place.is_ours():
        raise Refusal("the folder is there already, and this run has not made it", place.path, "another restore has the same suffix, or its state is lost", "take another suffix; or see what it is, and remove it yourself")
    if not place.exists():
        place.make(asked_at)
    known = place.read("members.json")
    replica_set = again(place, mongod, known) if known else fresh(place, mongod, name, count)
    running = {member: pid for pid, member in place.processes().items()}
    place.write("processes.json", {"trigger": trigger, "pids": [running[member] for member in replica_set.ports]})
    print(f"{replica_set.name}: {', '.join(f'127.0.0.1:{port}' for port in replica_set.ports.values())} in {place.path}")


def fresh(place, mongod, name, count):
    for attempt in range(1, ATTEMPTS + 1):
        # Of an attempt that failed nothing is kept, and nothing is known to be in it.
        place.end_processes()
        place.empty()
        replica_set = ReplicaSet(place, mongod, name, {f"member-{index}": port for index, port in enumerate(free_ports(count))})
        try:
            started = {member: replica_set.start(member) for member in replica_set.ports}
            for member, process in started.items():
                replica_set.wait_until_it_answers(member, process)
            replica_set.initiate()
            replica_set.wait_for_primary()
        except PortTaken as taken:
            if attempt == ATTEMPTS:
                raise Refusal("ports are taken as soon as they are chosen", taken, "something on this machine listens on many ports in turn", "run terraform apply again") from taken
            continue
        place.write("members.json", {"replica_set": name, "ports": replica_set.ports})
        return replica_set
    raise AssertionError("the last attempt returns or raises")


def again(place, mongod, known):
    """Starts those members that do not run, where they were and with what they have."""
    replica_set = ReplicaSet(place, mongod, known["replica_set"], known["ports"])
    running = set(place.processes().values())
    started = {member: replica_set.start(member) for member in replica_set.ports if member not in running}
    for member, process in started.items():
        try:
            replica_set.wait_until_it_answers(member, process)
        except PortTaken as taken:
            raise Refusal(f"{member} cannot be started again", taken, "another process listens there, and the set knows the member by this port", "end that process and run terraform apply again, or terraform destroy") from taken
        print(f"{member} did not run and was started again")
    replica_set.wait_for_primary()
    return replica_set


def down(place):
    ended = place.end_processes()
    foreign = place.exists() and not place.is_ours()
    place.remove()
    print(f"{ended} mongod ended, {place.path} " + ("left alone: this run has not made it" if foreign else "is gone"))


def main(verb):
    settings = {name.removeprefix("TIDEMARK_").lower(): value for name, value in os.environ.items() if name.startswith("TIDEMARK_")}
    if not pathlib.Path("/proc/self/environ").exists() or not hasattr(os, "pidfd_open"):
        raise Refusal("this needs Linux and Python 3.9", sys.platform, "processes are looked at through /proc", "take flavour kubernetes, or run it on Linux")
    place = Place(settings["place"], settings["run"])
    if verb == "up":
        up(place, settings["asked_at"], settings["mongod"], settings["replica_set"], int(settings["members"]), settings["trigger"])
    else:
        down(place)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Refusal as refusal:
        sys.exit(str(refusal))
    except (wire.Refused, wire.Unreachable, OSError) as error:
        sys.exit(f"{error}\n  where: {os.environ['TIDEMARK_PLACE']}\n  cause: disk, rights or a mongod that ended; its log is in there\n  next: mend that and run terraform apply again, or terraform destroy")
    except KeyboardInterrupt:
        sys.exit("interrupted\n  next: run terraform apply again, or terraform destroy")
