"""What systemd hears of us (sd_notify): that jobs are worked, what stands in the way, that we stop, that we live.

Off unless `NOTIFY_SOCKET` names a unix socket. Workers and brokers never see it: `spawn` takes it away.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from pipeline.supervisor.logs import Logs

EXTEND_SECONDS = 2.0
EXTENSION_US = 15_000_000
LONGEST_STATUS = 500


class Notify:
    """Of one supervisor. Never raises: a service manager that does not listen stops no job."""

    def __init__(self, logs: Logs, environment: Mapping[str, str] = os.environ) -> None:
        self._logs = logs
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._watched = _watched(environment)
        self._phase: Literal["starting", "ready", "stopping"] = "starting"
        self._status = ""
        self._failed = False
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def open(self) -> None:
        """From now on the loop of this thread proves that it goes round, where the unit has a watchdog."""
        if self._address is not None and self._watched is not None:
            self._again(self._watched / 2, "WATCHDOG=1")

    def tend(self, reason: str | None, status: Callable[[], str]) -> None:
        """Once a second: why jobs are not worked, or None, and how to get one line for people."""
        if self._address is None:
            return
        if self._phase == "starting" and reason is None and self._send("READY=1"):
            self._phase = "ready"
        line = _one_line(self._logs.clean(status()))
        if line != self._status and self._send(f"STATUS={line}"):
            self._status = line

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Around a change of what runs. Before jobs are worked, or in a stop, it is nothing of its own."""
        if self._phase == "ready":
            # The time lets systemd tell this reload from one that it asked for before (Type=notify-reload).
            self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        try:
            yield
        finally:
            if self._phase == "ready":
                self._send("READY=1")

    def stopping(self) -> None:
        """A stop has begun. As long as the loop goes round it gets the time that it needs."""
        if self._phase != "stopping":
            self._phase = "stopping"
            self._send("STOPPING=1")
            self._again(EXTEND_SECONDS, f"EXTEND_TIMEOUT_USEC={EXTENSION_US}")

    def close(self) -> None:
        """Say no more."""
        for timer in self._timers.values():
            timer.cancel()
        self._address = None

    def _again(self, seconds: float, text: str) -> None:
        """Send it now, and then every so many seconds."""
        if self._address is None:
            return
        self._send(text)
        loop = asyncio.get_running_loop()
        self._timers[text] = loop.call_later(seconds, self._again, seconds, text)

    def _send(self, text: str) -> bool:
        """Whether it went out; also when nobody wants to know."""
        if self._address is None:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as end:
                end.sendto(text.encode(), self._address)
        except OSError as error:
            if not self._failed:
                self._logs.say(f"systemd is not told how we stand: NOTIFY_SOCKET: {error.strerror or error}")
            self._failed = True
            return False
        self._failed = False
        return True


def _address(named: str) -> str | None:
    """The socket's address; an `@` stands for the zero byte of one that lies in no folder."""
    if named.startswith("@"):
        return f"\0{named[1:]}"
    return named if named.startswith("/") else None


def _watched(environment: Mapping[str, str]) -> float | None:
    """After how many seconds without a word we would be killed; None when the unit has no watchdog, or another's."""
    micros = environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID") in (None, str(os.getpid()))
    return (
        int(micros) / 1_000_000 if meant and micros.isascii() and micros.isdigit() and int(micros) else None
    )


def _one_line(text: str) -> str:
    """A line break would begin another assignment."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST_STATUS]
