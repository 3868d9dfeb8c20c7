"""What an alert says, and how it is written for its receiver. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from pipeline.steering import steering
from pipeline.store.groups import Group
from pipeline.units import words

Event = Literal["dead", "full", "waiting", "fatal", "rejected", "test"]
SHOWN = 3
LONGEST = 3_000
HIDDEN = "***"
_STEERING = steering(but="\n")


class Message(Struct, frozen=True):
    """One alert. `text` is for people, the rest for programs. `count` is how many jobs, or times, it is about, since
    the last one of its kind; `subject` the queue or pool; `at` ms since 1970."""

    project: str
    event: Event
    text: str
    at: int
    host: str
    subject: str | None = None
    count: int = 1
    groups: tuple[Group, ...] = ()
    alert: str = ""


class Origin(Struct, frozen=True):
    """Who sends: the project, this host, and the time in ms since 1970."""

    project: str
    host: str
    at: int

    def says(self, event: Event, text: str, subject: str | None = None, **more: Any) -> Message:
        return Message(self.project, event, f"{self.project}: {text}", self.at, self.host, subject, **more)


def died(origin: Origin, queue: str, count: int, groups: Sequence[Group]) -> Message:
    """`count` jobs of a queue died; `groups` are those of the newest, the largest first."""
    lines = [f"{_jobs(count)} of {queue} died"]
    lines += [f"{group.count:,} x {_error(group)}" for group in groups[:SHOWN]]
    if groups[SHOWN:]:
        lines.append(f"and {len(groups) - SHOWN} more kinds")
    if groups:
        lines.append(f"one of them: pipeline dead show {queue} {groups[0].sample}")
    return origin.says("dead", "\n".join(lines), queue, count=count, groups=tuple(groups[:SHOWN]))


def full(origin: Origin, queue: str, kept: int, most: int) -> Message:
    """The dead jobs of a queue reach what its retention keeps."""
    then = "the oldest are deleted now" if kept >= most else "beyond that the oldest are deleted"
    text = (
        f"{queue} keeps {kept:,} dead jobs of at most {most:,}: {then}\n"
        f"what they died of: pipeline dead groups {queue}"
    )
    return origin.says("full", text, queue, count=kept)


def waits(origin: Origin, queue: str, waited: int, limit: int) -> Message:
    """A job of a queue has waited for so many ms, which is longer than it should."""
    text = f"a job of {queue} has waited for {words(waited // 1000 * 1000)}, longer than {words(limit)}"
    return origin.says("waiting", f"{text}\nhow it stands: pipeline status", queue)


def fatal(origin: Origin, pool: str, reason: str) -> Message:
    """A pool has given up."""
    return origin.says("fatal", f"pool {pool} on {origin.host} is FATAL: {_first(reason)}", pool)


def rejected(origin: Origin, generation: int, reason: str) -> Message:
    """A file cannot be applied."""
    text = f"the file on {origin.host} cannot be applied, generation {generation} goes on: {_first(reason)}"
    return origin.says("rejected", text)


def again(message: Message, count: int) -> Message:
    """The message, and that it was so `count` times since the last one."""
    if count <= 1:
        return message
    return msgspec.structs.replace(
        message, text=f"{message.text}\n{count:,} times since the last alert", count=count
    )


def body(message: Message, format: Literal["json", "slack"], secrets: Sequence[str] = ()) -> bytes:
    """What is sent, without control characters and secrets."""
    text = _STEERING.sub("?", message.text)[:LONGEST]
    if format == "slack":
        for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(sign, entity)
        told: Any = {"text": text}
    else:
        told = msgspec.structs.replace(message, text=text)
    written = msgspec.json.encode(told)
    for secret in secrets:
        # As JSON writes it: between its quotes nothing else can be cut by this.
        written = written.replace(msgspec.json.encode(secret)[1:-1], HIDDEN.encode())
    return written


def _error(group: Group) -> str:
    said = f"{group.type}: {group.message}" if group.message else group.type
    return f"{said} ({group.where})" if group.where else said


def _first(reason: str) -> str:
    return reason.strip().partition("\n")[0]


def _jobs(count: int) -> str:
    return "a job" if count == 1 else f"{count:,} jobs"
