"""How commands speak to the supervisors of a project: one request, some lines of progress, one answer.

Each supervisor listens on a unix socket of its own, `<state>/control/<pid>.sock`. Request and replies are lines of
JSON: `{"say": ...}` while it works, `{"done": {...}}` at the end. The folder is ours alone, so whoever gets in may.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgspec
from msgspec import Struct

from pipeline.errors import NotRunning, PipelineError
from pipeline.plan import Plan
from pipeline.state import LONGEST_SOCKET, check_private, private_folder, short_folder

Do = Literal["plan", "reload", "rollback", "restart", "stop", "quiet", "resume"]
Status = Literal["applied", "unchanged", "rejected", "restart_required", "conflict"]
CONNECT_SECONDS = 2.0


class Request(Struct, frozen=True, omit_defaults=True):
    """What a person wants. `by` is who; `queues` of None means all of them."""

    do: Do
    by: str = "someone"
    if_generation: int | None = None
    to: int | None = None
    queues: list[str] | None = None


class Outcome(Struct, frozen=True):
    """What came of a reload, a rollback or a restart.

    `changes` are lines for people; `reason` says why it was not done, with the findings if there are any;
    `transient`: what stood in the way may pass by itself.
    """

    status: Status
    generation: int
    changes: list[str] = []
    reason: str | None = None
    took_ms: int = 0
    transient: bool = False


class Speaker:
    """The connection to one supervisor."""

    def __init__(self, path: Path) -> None:
        self.pid = int(path.stem)
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(CONNECT_SECONDS)
        try:
            self._connection.connect(str(path))
        except OSError:
            self._connection.close()
            raise

    def ask(self, request: Request, hear: Callable[[str], None], timeout: float | None = None) -> Any:
        """The answer; `hear` gets what it says meanwhile. Raises NotRunning when it ends before it answers, and
        TimeoutError when it says nothing for `timeout` seconds."""
        # A rolling change lasts as long as the jobs that run: the wait is the person's to end.
        self._connection.settimeout(timeout)
        with self._connection, self._connection.makefile("rb") as stream:
            for line in self._lines(request, stream):
                told = msgspec.json.decode(line)
                if "say" in told:
                    hear(told["say"])
                elif "error" in told:
                    raise PipelineError(told["error"], told.get("help", ""))
                else:
                    return told["done"]
        raise NotRunning(f"supervisor {self.pid} ended before it answered")

    def _lines(self, request: Request, stream: BinaryIO) -> Iterator[bytes]:
        """Whole lines, until the other side ends, whichever way."""
        with contextlib.suppress(ConnectionError):
            self._connection.sendall(msgspec.json.encode(request) + b"\n")
            while (line := stream.readline()).endswith(b"\n"):
                yield line


def control_folder(state: Path) -> Path:
    """Where the sockets are. A socket's path has a limit of about 100 bytes, a project's has none."""
    folder = state / "control"
    if len(os.fsencode(folder)) + len("/4194304.sock") <= LONGEST_SOCKET:
        return folder
    return short_folder(state, "-control")


def control_socket(state: Path) -> Path:
    """The path of our own socket, in a folder that only we can enter. Raises StartError."""
    return private_folder(control_folder(state)) / f"{os.getpid()}.sock"


def speakers(root: str | Path) -> Iterator[Speaker]:
    """A connection to each supervisor that runs in this root."""
    folder = control_folder(Path(root).absolute() / ".pipeline")
    if not folder.is_dir():
        return
    for path in sorted(check_private(folder).glob("*.sock")):
        # One that was killed left its socket behind.
        with contextlib.suppress(OSError, ValueError):
            yield Speaker(path)


def ask_all(root: str | Path, request: Request, hear: Callable[[str], None]) -> dict[int, Any]:
    """The answer of every supervisor of this root, by pid. Raises NotRunning when there is none."""
    answers = {speaker.pid: speaker.ask(request, hear) for speaker in speakers(root)}
    if not answers:
        raise NotRunning("no supervisor runs in this project", "start one: pipeline run")
    return answers


def running_plan(root: str | Path, file: Path | None = None) -> Plan | None:
    """The plan that the first supervisor of this root runs (the first that runs `file`), or None when none does."""
    for speaker in speakers(root):
        with contextlib.suppress(NotRunning, OSError):
            plan = msgspec.convert(speaker.ask(Request("plan"), lambda _: None, CONNECT_SECONDS), Plan)
            if file is None or os.path.normpath(plan.file) == os.path.normpath(file.absolute()):
                return plan
    return None
