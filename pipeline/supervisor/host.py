"""Who we are on this host, and which workers were started by a supervisor of this host that is gone.

A worker's name is `<host>:<label>:<supervisor's pid>:<start>.<n>`; it is never reused. The label stands for the
boot and the pid namespace, so that a pid in a name can be looked up only where it means something.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import socket
from pathlib import Path

from pipeline.clock import now_ms

_COUNTER = itertools.count(1)
_START = f"{now_ms():x}"


def host_name() -> str:
    """The host's name, in characters that keys and logs can hold."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", socket.gethostname()) or "host"


def host_label() -> str:
    """A short hash of the boot and the pid namespace; equal labels see each other's pids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        space = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        boot, space = f"{os.getuid()}", "whole host"
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:8]


def supervisor_name() -> str:
    """The name of this supervisor, and how the names of its workers begin."""
    return f"{host_name()}:{host_label()}:{os.getpid()}:{_START}"


def new_worker_name() -> str:
    """A name that no worker had before."""
    return f"{supervisor_name()}.{next(_COUNTER)}"


def is_alive(pid: int) -> bool:
    """Whether a process with this pid runs here; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "XZ"
    except ProcessLookupError:
        return False
    except (OSError, IndexError):
        return True


def is_orphan(worker: str) -> bool:
    """Whether the supervisor that started `worker` is known to be gone: it ran here and does so no more."""
    host, label, pid, start = (*worker.split(":"), "", "", "", "")[:4]
    if (host, label) != (host_name(), host_label()) or not pid.isdigit():
        return False
    if int(pid) == os.getpid():
        return not start.startswith(f"{_START}.")
    return not is_alive(int(pid))
