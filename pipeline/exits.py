"""The end of a child process: noticed, reaped, or brought about."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads its session, with all that it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class Exit:
    """Reaps a process with its group and calls `on_exit` in the loop. Without pidfd it looks every 50 ms."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        process: subprocess.Popen[bytes],
        on_exit: Callable[[int], None],
    ) -> None:
        self._loop = loop
        self._process = process
        self._on_exit = on_exit
        self._fd = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else -1
        if self._fd >= 0:
            loop.add_reader(self._fd, self._ended)
        else:
            loop.call_later(0.05, self._look)

    def _ended(self) -> None:
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
        # What it left behind must not go on with its jobs; until it is reaped nobody else has its pid.
        kill_group(self._process)
        self._on_exit(self._process.wait())

    def _look(self) -> None:
        code = self._process.poll()
        if code is None:
            self._loop.call_later(0.05, self._look)
        else:
            kill_group(self._process)
            self._on_exit(code)
