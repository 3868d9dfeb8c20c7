"""What worker processes print, as one stream of lines.

Every pipe is always drained, for a full one would block the worker's jobs. Lines are capped, and what could
steer a terminal is made visible instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import TextIO

import msgspec
from msgspec import Struct

from pipeline.clock import now_ms
from pipeline.steering import steering, written_out

LINE_BYTES = 8 * 1024
CHUNK = 65_536
LAST_CHUNKS = 64
_STEERING = steering(but="\t\n")


class Line(Struct, frozen=True):
    """One line. `worker` is `payments.1`, or `supervisor`; `at` is ms since 1970. The supervisor has no queue, nor has
    a worker of several. The rest is known of what was logged, with `--json`: by which logger, and for which job, or `ids`
    of a batch."""

    at: int
    queue: str | None
    worker: str
    line: str
    level: str | None = None
    logger: str | None = None
    job: str | None = None
    id: str | None = None
    attempt: int | None = None
    ids: list[str] | None = None
    traceback: str | None = None


class Logged(Struct, frozen=True):
    """A line as a worker logs it with `--json`: see log.JsonFormatter."""

    at: int
    level: str
    logger: str
    message: str
    traceback: str | None
    queue: str | None
    job: str | None
    id: str | None
    attempt: int | None
    ids: list[str] | None


def harmless(text: str) -> str:
    """The text with control characters and changes of direction written out."""
    return written_out(_STEERING, text)


def logged_in(text: str) -> Logged | None:
    """What was logged as JSON; None for whatever else a worker prints."""
    if not text.startswith('{"at":'):
        return None
    try:
        return msgspec.json.decode(text, type=Logged)
    except msgspec.MsgspecError:
        return None


class Printer:
    """Writes lines to a stream: padded for people, or as JSON. A reader that left is not missed."""

    def __init__(self, out: TextIO, *, json: bool = False, width: int = len("supervisor")) -> None:
        self._out = out
        self._json = json
        self._width = width

    def __call__(self, line: Line) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._out.write(self._text(line) + "\n")
            self._out.flush()

    def _text(self, line: Line) -> str:
        if self._json:
            return msgspec.json.encode(line).decode()
        clock = time.strftime("%H:%M:%S", time.localtime(line.at / 1000))
        return f"{clock} {line.worker:<{self._width}} | {line.line}"


class Logs:
    """Collects the pipes of all workers. `show` gets each line, without `secrets`; `json` asks workers for JSON lines
    too."""

    def __init__(
        self, show: Callable[[Line], None], *, json: bool = False, secrets: Sequence[str] = ()
    ) -> None:
        self._show = show
        self.json = json
        self.secrets = tuple(secrets)

    def hide(self, secrets: Sequence[str]) -> None:
        """Show these values no more, nor the earlier ones."""
        self.secrets = tuple(dict.fromkeys((*self.secrets, *secrets)))

    def say(self, text: str) -> None:
        """A line of the supervisor's own."""
        for line in text.splitlines():
            self._tell(None, "supervisor", line)

    def say_for(self, queue: str | None, worker: str, text: str) -> None:
        """A line of a worker."""
        logged = logged_in(text) if self.json else None
        if logged is None:
            self._tell(queue, worker, text)
        else:
            self._show(self._line(queue, worker, logged))

    def _tell(self, queue: str | None, worker: str, text: str) -> None:
        self._show(Line(now_ms(), queue, worker, self.clean(text)))

    def _line(self, queue: str | None, worker: str, logged: Logged) -> Line:
        return Line(
            logged.at,
            logged.queue or queue,
            worker,
            self.clean(logged.message),
            logged.level,
            logged.logger,
            logged.job,
            logged.id,
            logged.attempt,
            logged.ids,
            None if logged.traceback is None else self.clean(logged.traceback),
        )

    def clean(self, text: str) -> str:
        """The text without secrets, and without what could move a terminal."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return harmless(text)

    def follow(self, fd: int, queue: str | None, worker: str) -> Tap:
        """Show what comes out of a pipe until it ends or the tap is closed."""
        return Tap(fd, lambda text: self.say_for(queue, worker, text))


class Tap:
    """The reading end of one worker's pipe."""

    def __init__(self, fd: int, show: Callable[[str], None]) -> None:
        self._fd = fd
        self._show = show
        self._rest = b""
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self._loop.add_reader(fd, self._read)

    def _read(self) -> bool:
        try:
            data = os.read(self._fd, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._fd)
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)
        if len(self._rest) > LINE_BYTES:
            self._tell(self._rest)
            self._rest = b""
        return True

    def _tell(self, line: bytes) -> None:
        text = line[:LINE_BYTES].decode(errors="replace").rstrip("\r")
        self._show(text + (" …" if len(line) > LINE_BYTES else ""))

    def close(self) -> None:
        """Show what is left in the pipe and close it; a grandchild may still hold its other end."""
        for _ in range(LAST_CHUNKS):
            if not self._read():
                break
        if self._rest:
            self._tell(self._rest)
        self._loop.remove_reader(self._fd)
        os.close(self._fd)
