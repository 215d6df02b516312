"""Processes by recorded identity: a PID alone may have been given to somebody else since."""

import json
import os
import signal
import time
from pathlib import Path


def start_time(pid: int) -> str | None:
    """The kernel's start time of a process (field 22 of stat): with the PID it names one process of this boot."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold spaces and brackets, so count from the last bracket.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def record(path: Path, pid: int) -> None:
    work = path.with_suffix(".new")
    work.write_text(json.dumps({"pid": pid, "start_time": start_time(pid)}))
    work.replace(path)


def recorded(path: Path) -> int | None:
    """The recorded process, when that very process still runs."""
    try:
        entry = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    alive = start_time(entry["pid"])
    return entry["pid"] if alive is not None and alive == entry["start_time"] else None


def stop(path: Path, patience: float) -> None:
    """TERM, then KILL, to the recorded process alone; returns when it is gone."""
    pid = recorded(path)
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
        if pid is None:
            break
        os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while recorded(path) is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        pid = recorded(path)
    path.unlink(missing_ok=True)
