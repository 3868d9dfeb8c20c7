"""Child processes that never outlive us, in sessions of their own so that Ctrl-C reaches only the supervisor."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_OURS_ALONE = frozenset(("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"))
# Bound before any fork: between fork and exec nothing may be imported or looked up.
_PRCTL = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def _die_with_parent() -> None:
    if _PRCTL is not None:
        _PRCTL(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def spawn(
    command: Sequence[str],
    *,
    output: int,
    pass_fds: Sequence[int] = (),
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process that is killed when this one dies. `output` gets what it prints."""
    # The kernel's signal goes out when the *thread* that forked ends, so only the main thread may fork.
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("processes are started from the main thread only")
    env = {name: value for name, value in os.environ.items() if name not in _OURS_ALONE}
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=pass_fds,
        env={**env, **(environment or {})},
        start_new_session=True,
        preexec_fn=_die_with_parent,  # noqa: PLW1509 - it makes one system call
    )


def reap_strangers(ours: set[int]) -> None:
    """As process 1 of a container we inherit every orphan: reap those that are not `ours`."""
    while os.getpid() == 1:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid in ours:
            return
        os.waitpid(found.si_pid, 0)
