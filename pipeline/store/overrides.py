"""What people changed by hand in a queue: it beats the file until it ends, or the file says something new."""

from __future__ import annotations

import contextlib
from typing import TypeVar

import msgspec
from msgspec import Struct

from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.scripts import script
from pipeline.store.wire import Reply

Kind = TypeVar("Kind")
BY_FILE = "file"
"""Who pauses a queue that the file pauses."""


class Pause(Struct, frozen=True):
    """The queue stands still. `until` is ms of the server's clock; None is until somebody resumes it."""

    by: str
    at: int
    until: int | None = None


class Scale(Struct, frozen=True):
    """So many processes on each host. `was` is what the file said then, if it was known."""

    processes: int
    by: str
    at: int
    until: int | None = None
    was: int | None = None


class Overrides(Struct, frozen=True):
    """What holds now; `time` is the server's."""

    time: int
    pause: Pause | None = None
    scale: Scale | None = None


def read(project: str, queue: str) -> Call[Overrides]:
    """What holds in a queue, once what has ended is removed."""
    return Call(script("overrides").command(queue=keys.base(project, queue)), _read)


def _read(reply: Reply) -> Overrides:
    time, pause, scale = (*reply, None, None)[:3]
    return Overrides(time, decode(pause, Pause), decode(scale, Scale))


def decode(text: bytes | str | None, kind: type[Kind]) -> Kind | None:
    """An override as it is kept; None when there is none, or another version of this program wrote it."""
    with contextlib.suppress(msgspec.MsgspecError):
        return None if text is None else msgspec.json.decode(text, type=kind)
    return None
