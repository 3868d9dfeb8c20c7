"""How far each schedule of a queue has come. It lies beside the queue's jobs, so that one script fires a tick."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from pipeline.plan import SchedulePlan
from pipeline.schedule import bounds, rhythm
from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.overrides import Pause, decode
from pipeline.store.scripts import Argument, script
from pipeline.store.store import NewJob
from pipeline.store.wire import Reply


class Standing(Struct, frozen=True):
    """A schedule in the broker. Its next tick is later than `after`; `ran` is the last one that made a job, and `job` the
    id of that. Times are ms since 1970. The counts rise until its rhythm changes."""

    rhythm: str
    after: int
    fired: int = 0
    skipped: int = 0
    missed: int = 0
    ran: int | None = None
    job: str = ""
    pause: Pause | None = None


class Cancel(NamedTuple):
    """What the last job of a schedule is cancelled with, in the order of fire.lua."""

    level: int | str = ""
    key: str = ""
    keep: int | str = ""
    outcome: bytes = b""


NOTHING = Cancel()


class Schedules:
    """The schedules of one queue of a project."""

    def __init__(self, project: str, queue: str) -> None:
        self.queue = keys.base(project, queue)

    def standing(self) -> Call[dict[str, Standing]]:
        """How far each has come, by its name."""
        return Call(("HGETALL", keys.schedules(self.queue)), _standing)

    def arrange(self, generation: int, schedules: Mapping[str, SchedulePlan]) -> Call[bool]:
        """The queue has these schedules and no others, says this generation. False: a newer one runs."""
        rest = [part for name, one in schedules.items() for part in (name, rhythm(one), bounds(one))]
        command = script("arrange").command(queue=self.queue, generation=generation, rest=rest)
        return Call(command, bool)

    def fire(
        self,
        generation: int,
        name: str,
        seen: Standing,
        tick: int,
        *,
        missed: int = 0,
        overlap: str = "allow",
        cancel: Cancel = NOTHING,
        job: NewJob | None = None,
    ) -> Call[tuple[str, str]]:
        """Go on from where the schedule was `seen` to `tick`, with its job if there is one; the result is what came of
        it, and the id that stands; see fire.lua."""
        command = script("fire").command(
            queue=self.queue,
            generation=generation,
            name=name,
            after=seen.after,
            before=seen.job,
            tick=tick,
            missed=missed,
            overlap=overlap,
            level=cancel.level,
            key=cancel.key,
            keep=cancel.keep,
            outcome=cancel.outcome,
            rest=_values(job),
        )
        return Call(command, _outcome)

    def pause(self, name: str, by: bytes) -> Call[bool | None]:
        """Let a schedule stand still; `by` is an overrides.Pause, as JSON. Whether it ran; None when there is none."""
        return Call(script("halt").command(queue=self.queue, name=name, by=by), _whether)

    def resume(self, name: str) -> Call[bool | None]:
        """Let it go on from now. Whether it was paused; None when there is none."""
        return Call(script("halt").command(queue=self.queue, name=name, by=""), _whether)


def _values(job: NewJob | None) -> Iterable[Argument]:
    return job or ()


def _whether(reply: Reply) -> bool | None:
    return None if reply is None else bool(reply)


def _outcome(reply: Reply) -> tuple[str, str]:
    word, id = (*(part.decode() for part in reply), "")[:2]
    return word, id


def _standing(reply: Reply) -> dict[str, Standing]:
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for field, value in zip(reply[::2], reply[1::2], strict=True):
        name, _, part = field.decode().rpartition(":")
        found[name][part] = value.decode()
    return {name: _one(parts) for name, parts in found.items() if "after" in parts}


def _one(parts: Mapping[str, str]) -> Standing:
    return Standing(
        rhythm=parts.get("rhythm", ""),
        after=int(parts["after"]),
        fired=int(parts.get("fired", 0)),
        skipped=int(parts.get("skipped", 0)),
        missed=int(parts.get("missed", 0)),
        ran=int(parts["ran"]) if "ran" in parts else None,
        job=parts.get("job", ""),
        pause=(decode(text, Pause) or Pause(text, 0)) if (text := parts.get("paused")) else None,
    )
