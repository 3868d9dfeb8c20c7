"""Processes as /proc tells of them (Linux): who came from whom, who is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 60.0


class TooLate(Exception):
    """What was waited for did not happen in time."""


def eventually(look: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The first true answer of `look`. Raises TooLate."""
    until = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > until:
            raise TooLate(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)
    return found


def stat_of(pid: int) -> list[str] | None:
    """State, parent, ... of a process; None when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_gone(pid: int) -> bool:
    """Whether a process runs no more; one that only waits to be reaped does not."""
    stat = stat_of(pid)
    return stat is None or stat[0] in "XZ"


def children_of(pid: int) -> list[int]:
    """The child processes of a process, those that wait to be reaped too."""
    processes = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [one for one in processes if (stat := stat_of(one)) and int(stat[1]) == pid]


def command_of(pid: int) -> str:
    """How a process was started; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that is gone gets none."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill(*pids: int) -> None:
    """SIGKILL to each."""
    for pid in pids:
        send(pid, signal.SIGKILL)
