"""Signals only ring a bell; the loop looks which one it was and acts."""

from __future__ import annotations

import asyncio
import faulthandler
import signal
import sys
import tempfile
from collections import deque


class Bell:
    """Wakes the supervisor's loop: for a signal, or because something happened."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._rung: deque[signal.Signals] = deque()
        self._taken: list[signal.Signals] = []
        # Asked now: a terminal that was closed is none any more.
        self.at_terminal = at_terminal()

    def install(self) -> None:
        """Take the signals over. TSTP stays the shell's own when a person sits at a terminal."""
        wanted = [
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGQUIT,
            signal.SIGHUP,
            signal.SIGUSR1,
            signal.SIGUSR2,
        ]
        if not self.at_terminal:
            wanted += [signal.SIGTSTP, signal.SIGCONT]
        loop, self._taken = asyncio.get_running_loop(), wanted
        for number in wanted:
            loop.add_signal_handler(number, self._ring, number)

    def close(self) -> None:
        """What signals ask for has been done: one more must not decide how this process ends."""
        loop = asyncio.get_running_loop()
        # Blocked in between: taking a handler away brings the default back first.
        signal.pthread_sigmask(signal.SIG_BLOCK, self._taken)
        for number in self._taken:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._taken)

    def _ring(self, number: signal.Signals) -> None:
        self._rung.append(number)
        self.ring()

    def ring(self) -> None:
        """Something happened: look again."""
        self._event.set()

    async def wait(self) -> list[signal.Signals]:
        """Until it rings; the signals that came since the last time."""
        await self._event.wait()
        self._event.clear()
        signals = list(self._rung)
        self._rung.clear()
        return signals


def at_terminal() -> bool:
    """Whether a person sits at our standard input."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def own_stacks() -> str:
    """What every thread of this process is doing."""
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file, all_threads=True)
        file.seek(0)
        return file.read()
