"""CPU, memory and children of processes, as /proc tells them (Linux)."""

import os
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def tree(root: int) -> list[int]:
    """A process and all that came from it, parents first."""
    parent = {int(p): _stat(int(p)) for p in os.listdir("/proc") if p.isdigit()}
    found = [root] if parent.get(root) else []
    for pid in found:
        found += [child for child, stat in parent.items() if stat and int(stat[1]) == pid]
    return found


def cpu(pid: int) -> float:
    """Seconds of CPU, user and system, of a process and of its children that ended."""
    return sum(int(ticks) for ticks in _stat(pid)[11:15]) / TICK


def busy() -> float:
    """Seconds of CPU of everything on this machine since it was started: all but idle, and what a guest was not given."""
    user, nice, system, _, _, *interrupts = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]
    return sum(map(int, (user, nice, system, *interrupts))) / TICK


def resident(pid: int) -> int:
    """Resident memory, in bytes."""
    stat = _stat(pid)
    return int(stat[21]) * PAGE if stat else 0


def proportional(pid: int) -> int:
    """Resident memory in bytes, each shared page divided among those that share it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
