"""A process of ours and what runs between us: orders down a pipe, events up another, and what it prints, in the log."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipeline.exits import Exit, kill_group
from pipeline.supervisor.logs import Logs
from pipeline.supervisor.pipes import Down, Up
from pipeline.supervisor.spawn import spawn


class Piped:
    """`python -m MODULE IN OUT DESCRIPTORS...`, started. `on_event` gets what it says, `on_end` its exit code, below 0
    for a signal. Its lines are those of `label`, and of a `queue`. Raises OSError when it cannot be started."""

    def __init__(
        self,
        module: str,
        descriptors: Sequence[int],
        on_event: Callable[[dict[str, Any]], None],
        on_end: Callable[[int], None],
        *,
        logs: Logs,
        label: str,
        queue: str | None = None,
    ) -> None:
        orders, down = os.pipe()
        up, events = os.pipe()
        output, printed = os.pipe()
        inherited = (orders, events, *descriptors)
        command = [sys.executable, "-m", module, *map(str, inherited)]
        try:
            self._process = spawn(
                command, output=printed, pass_fds=inherited, environment={"PYTHONUNBUFFERED": "1"}
            )
        except OSError:
            for fd in (down, up, output):
                os.close(fd)
            raise
        finally:
            for fd in (orders, events, printed):
                os.close(fd)
        self.pid = self._process.pid
        self._down = Down(down)
        self._up = Up(up, on_event)
        self._tap = logs.follow(output, queue, label)
        self._on_end = on_end
        self._exit = Exit(asyncio.get_running_loop(), self._process, self._ended)

    def tell(self, order: Any) -> None:
        """Send an order down. One that is gone hears nothing; after its end nothing may be said."""
        self._down.tell(order)

    def kill(self) -> None:
        """End it now, with all that it started."""
        kill_group(self._process)

    def memory(self) -> int | None:
        """Its resident memory in bytes, where the system says."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return None
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def _ended(self, code: int) -> None:
        # Its last words count before its end does.
        self._up.close()
        self._tap.close()
        self._down.close()
        self._on_end(code)


def end_of(code: int | None) -> str:
    """An exit code for people."""
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
