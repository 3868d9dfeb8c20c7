"""The moves of a job, in the order of its life: one method a script.

A method sends nothing: it returns a `Call`, which a connection runs (call.py), so that the
same moves serve code with and without a loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.scripts import Argument, script
from pipeline.store.wire import Command, Reply


class Move(NamedTuple):
    """How one job leaves its lease, in the order of settle.lua. `level` is its priority, `delay` ms.

    `unused` did not start; `hold` stops its lane, or the whole queue, for `delay`.
    """

    move: Literal["completed", "dead", "cancelled", "delayed", "front", "unused", "hold", "back", "alone"]
    id: bytes
    lease: int
    level: int = 0
    delay: int = 0
    runs: bytes = b""
    outcome: bytes = b""
    key: str = ""
    keep: int | str = ""


class Held(NamedTuple):
    """A job that a worker holds."""

    id: bytes
    lease: bytes
    record: bytes | None
    runs: bytes | None


class NewJob(NamedTuple):
    """A job with something of its own, in the order of enqueue_each.lua."""

    id: str
    level: int
    due: str
    key: str
    window: int | str
    mode: Literal["", "debounce", "keep_last"]
    lane: str
    record: bytes


class Brought(NamedTuple):
    """A job from another broker, in the order of bring.lua. `due` of a dead job is when it died."""

    id: str
    level: int | Literal["alone"]
    due: int | Literal[""]
    lane: str
    record: bytes
    runs: bytes
    outcome: bytes
    key: str
    window: int | Literal[""]


class Mark(NamedTuple):
    """What stands for a job's content for `keep` ms, in the order of receive.lua."""

    mark: str
    keep: int


class Copy(NamedTuple):
    """A job's copy for a dead-letter queue, in the order of letter.lua."""

    id: str
    level: int
    record: bytes


class Accepted(Struct, frozen=True):
    """The answer to one enqueued job: the id that stands."""

    id: str
    status: Literal["created", "duplicate", "replaced"]


def _plain(reply: Reply) -> Any:
    return reply


def _text(reply: Reply) -> str | None:
    return None if reply is None else reply.decode()


def _texts(reply: Reply) -> list[str | None]:
    return [_text(item) for item in reply]


def _both(reply: Reply) -> tuple[str | None, str | None]:
    before, after = [*_texts(reply), None, None][:2]
    return before, after


def _accepted(reply: Reply) -> list[Accepted]:
    words = [word.decode() for word in reply]
    return [Accepted(id, status) for id, status in zip(words[::2], words[1::2], strict=True)]


def _held(columns: Sequence[Sequence[Any]]) -> list[Held]:
    return [Held(*row) for row in zip(*columns, strict=True)]


def _flat(rows: Iterable[Iterable[Argument]]) -> list[Argument]:
    return [value for row in rows for value in row]


def write(command: str, key: str, *values: Argument) -> Call[Any]:
    """One write of a supervisor's own, also when the broker's memory is full; the result is the command's."""
    return Call(script("write").command(key=key, command=command, rest=values), _plain)


class Store:
    """The moves of one queue of a project."""

    def __init__(self, project: str, queue: str) -> None:
        self.project = project
        self.queue = keys.base(project, queue)
        self._enqueue = script("enqueue")

    def enqueue(
        self, producer: str, call: int, generation: str, level: int, records: list[bytes]
    ) -> Call[int]:
        """Store jobs that are alike; the result is the first one's id. `call` numbers a producer's calls."""
        command = self._enqueue.in_order(self.queue, producer, call, generation, level, *records)
        return Call(command, _plain)

    def enqueue_each(
        self, producer: str, call: int, generation: str, jobs: list[NewJob]
    ) -> Call[list[Accepted]]:
        """Store jobs that have an id, a time or a deduplication key of their own."""
        command = script("enqueue_each").command(
            queue=self.queue, producer=producer, call=call, generation=generation, rest=_flat(jobs)
        )
        return Call(command, _accepted)

    def receive(self, generation: str, jobs: Sequence[NewJob], marks: Sequence[Mark]) -> Call[list[Accepted]]:
        """Store jobs each of which has an id and a mark of its content. A call that is repeated finds them there."""
        command = script("receive").command(
            queue=self.queue, generation=generation, count=len(jobs), rest=[*_flat(marks), *_flat(jobs)]
        )
        return Call(command, _accepted)

    def bring(self, generation: str, keep: int, jobs: list[Brought]) -> Call[list[str]]:
        """Store jobs that come from another broker: for each `created`, `duplicate`, or `taken` by another one."""
        command = script("bring").command(
            queue=self.queue, generation=generation, keep=keep, rest=_flat(jobs)
        )
        return Call(command, lambda reply: [status.decode() for status in reply])

    def letter(self, copies: list[Copy]) -> Call[int]:
        """Store copies of jobs that died elsewhere; one that came before is not stored again. How many are new."""
        return Call(script("letter").command(queue=self.queue, rest=_flat(copies)), _plain)

    def enqueue_own(
        self,
        generation: str,
        level: int,
        ids: Sequence[str],
        records: Sequence[bytes],
        lanes: Sequence[str] = (),
        mark: str = "",
        keep: int = 0,
    ) -> Call[int]:
        """Store jobs that are alike but for the ids that they bring; the result is how many are new. `mark` stands for
        all of them, and is remembered for `keep` ms. `lanes` are theirs, if any has one."""
        command = script("enqueue_own").command(
            queue=self.queue,
            generation=generation,
            level=level,
            mark=mark,
            keep=keep,
            laned="1" if lanes else "",
            rest=[*ids, *records, *lanes],
        )
        return Call(command, _plain)

    def policy(self) -> Call[list[Any]]:
        """What a producer must know: the server's time, and the generation and policy that run, as bytes; see
        policy.lua for a queue that was removed."""
        return Call(script("policy").command(queue=self.queue), list)

    def join(self, worker: str, lease: int) -> Call[int]:
        """A worker begins; its lease holds for `lease` ms. The result is the server's time."""
        return Call(script("join").command(queue=self.queue, worker=worker, lease=lease), _plain)

    def turn(
        self,
        worker: str,
        number: int,
        *,
        want: int,
        park: bool,
        holds: int | str = "",
        source: str,
        keep: int,
        ids: list[bytes],
        leases: list[int],
        outcomes: list[bytes],
        unlocks: Sequence[Argument] = (),
        moves: list[Move],
        counters: list[Argument],
    ) -> Command:
        """Settle and reserve. The last len(outcomes) / 2 of `ids` are kept; `outcomes` is id, outcome, ...; `unlocks` is id, key,
        keep (ms, or '') of those `ids` that hold a deduplication key or their own id."""
        runs = [value for lease, same in groupby(leases) for value in (lease, len(list(same)))]
        return script("turn").command(
            queue=self.queue,
            worker=worker,
            number=number,
            want=want,
            park="1" if park else "0",
            holds=holds,
            source=source,
            keep=keep,
            done=len(ids),
            runs=len(runs) // 2,
            kept=len(outcomes) // 2,
            unlocks=len(unlocks) // 3,
            moves=len(moves),
            rest=[*ids, *runs, *outcomes, *unlocks, *_flat(moves), *counters],
        )

    def hold(self, worker: str, number: int) -> Call[tuple[int, list[Held]]]:
        """The server's time and what a worker holds; turns before `number` are refused from now on."""
        command = script("hold").command(queue=self.queue, worker=worker, number=number)
        return Call(command, lambda reply: (reply[0], _held(reply[1:])))

    def note(self, worker: str, id: str, lease: int, progress: bytes, line: str) -> Call[int]:
        """Keep a running job's progress (JSON), or one line of its log. 0: the lease is lost."""
        command = script("note").command(
            queue=self.queue, worker=worker, id=id, lease=lease, progress=progress, line=line
        )
        return Call(command, _plain)

    def late(self, id: bytes, lease: int) -> Call[int]:
        """A job reserved under this number starts only now, and counts from now on in the windows of the rates."""
        return Call(script("late").command(queue=self.queue, lease=lease, id=id), _plain)

    def renew(self, lease: int, workers: list[str]) -> Call[list[str | None]]:
        """These workers live. The result names those that were reclaimed meanwhile."""
        return Call(script("renew").command(queue=self.queue, lease=lease, rest=workers), _texts)

    def amend(self, lease: int) -> Call[int]:
        """Cut leases that end more than `lease` ms from now, which none would but for a clock that went back."""
        return Call(script("amend").command(queue=self.queue, lease=lease), _plain)

    def expel(self, worker: str, mode: Literal["dead", "lapsed", "still"]) -> Call[list[Held] | None]:
        """What a worker holds, so that it can be reclaimed; see expel.lua."""
        command = script("expel").command(queue=self.queue, worker=worker, mode=mode)
        return Call(command, lambda reply: None if reply is None else _held(reply))

    def reclaim(self, worker: str, moves: list[Move], reruns: int = 0, failed: int = 0) -> Call[int]:
        """Carry out the moves of a worker that is gone; the result counts those that were still its own.

        `reruns` of them had begun and run again through no fault of theirs; `failed` passed their time limit.
        """
        command = script("reclaim").command(
            queue=self.queue, worker=worker, reruns=reruns, failed=failed, rest=_flat(moves)
        )
        return Call(command, _plain)

    def leave(self, worker: str) -> Call[int]:
        """A worker is no more. 0: it still holds jobs."""
        return Call(script("leave").command(queue=self.queue, worker=worker), _plain)

    def cancel(self, id: str, level: int, key: str, keep: int | str, outcome: bytes) -> Call[str | None]:
        """Withdraw a job; the result is the state that it was in."""
        command = script("cancel").command(
            queue=self.queue, id=id, level=level, key=key, keep=keep, outcome=outcome
        )
        return Call(command, _text)

    def change(
        self, id: str, seen: bytes, record: bytes, was: int, level: int, due: str
    ) -> Call[tuple[str | None, str | None]]:
        """Change a job's record, priority or time; the result is the state it was in, and the state it is in now:
        see change.lua."""
        command = script("change").command(
            queue=self.queue, id=id, seen=seen, record=record, was=was, level=level, due=due
        )
        return Call(command, _both)

    def redrive(self, jobs: list[tuple[str, int, str, bytes]]) -> Call[list[str | None]]:
        """Dead or cancelled jobs (id, level, key, runs) wait again; the result is as redrive.lua says."""
        return Call(script("redrive").command(queue=self.queue, rest=_flat(jobs)), _texts)

    def remove(self, jobs: list[tuple[str, int, str, int | str]]) -> Call[list[str | None]]:
        """Delete jobs (id, level, key, keep); the result is the states that they were in."""
        return Call(script("remove").command(queue=self.queue, rest=_flat(jobs)), _texts)

    def hasten(self, id: str, level: int) -> Call[str | None]:
        """A delayed job is due now; the result is the state that it was in."""
        return Call(script("hasten").command(queue=self.queue, id=id, level=level), _text)

    def minute(self, oldest: int = 0) -> Call[bool]:
        """Keep what was counted until the first look in each minute; `oldest`: for how many ms a job has waited, 0 when
        none waits. Whether there was anything to keep."""
        return Call(script("minute").command(queue=self.queue, oldest=oldest), bool)

    def watch(self, ms: int) -> Call[str]:
        """Have what happens written to the queue's stream for so long; the result is the last event's id so far."""
        return Call(script("watch").command(queue=self.queue, ms=ms), lambda reply: str(reply.decode()))

    def pause(self, by: str | bytes) -> Call[bool]:
        """Stop the queue for everyone; `by` is an overrides.Pause, as JSON. Whether it ran until now."""
        return Call(script("pause").command(queue=self.queue, paused="1", by=by), bool)

    def resume(self) -> Call[bool]:
        """Let the queue go on. Whether it was paused."""
        return Call(script("pause").command(queue=self.queue, paused="", by=""), bool)

    def publish(
        self, generation: int, policy: bytes, limited: int | str, rate: str = "", lanes: str = ""
    ) -> Call[int]:
        """Make a policy the one that counts; the result is the generation that runs."""
        command = script("publish").command(
            queue=self.queue, generation=generation, policy=policy, limited=limited, rate=rate, lanes=lanes
        )
        return Call(command, _plain)

    def open_lanes(self, cursor: bytes) -> Call[tuple[bytes, int]]:
        """Let in what may come now of a page of lanes; the result is the next page's cursor, and how many were."""
        return Call(script("open_lanes").command(queue=self.queue, cursor=cursor), tuple)

    def retract(self, generation: int) -> Call[bool]:
        """Close the queue that a generation does not have any more. Whether it was open until now."""
        return Call(script("retract").command(queue=self.queue, generation=generation), bool)

    def scale(self, scale: bytes) -> Call[bool]:
        """Let a person's number of processes (overrides.Scale, as JSON) count. Whether one counted before."""
        return Call(script("scale").command(queue=self.queue, scale=scale), bool)

    def unscale(self) -> Call[bool]:
        """Let the file's number of processes count again. Whether a person's counted before."""
        return Call(script("scale").command(queue=self.queue, scale=""), bool)

    def sweep(
        self,
        *,
        completed_count: int | str,
        expired: int,
        oldest: bytes | str,
        dead_count: int | str,
        dead_age: int | str,
        cancelled_age: int | str,
    ) -> Call[int]:
        """Trim what is kept too long or too many; the result counts what went."""
        command = script("sweep").command(
            queue=self.queue,
            completed_count=completed_count,
            expired=expired,
            oldest=oldest,
            dead_count=dead_count,
            dead_age=dead_age,
            cancelled_age=cancelled_age,
        )
        return Call(command, _plain)

    def purge(self, count: int) -> Call[tuple[list[tuple[bytes, bytes]], bool]]:
        """Delete up to `count` waiting jobs; the result is their ids and records, and whether more may wait."""
        command = script("purge").command(queue=self.queue, count=count)
        return Call(command, lambda reply: (list(zip(reply[0], reply[1], strict=True)), bool(reply[2])))

    def free(self, ended: list[tuple[str, str, int | str]]) -> Call[None]:
        """Free what jobs (id, key, keep) held that were purged: deduplication keys, and ids in time."""
        return Call(script("free").command(queue=self.queue, rest=_flat(ended)), _plain)
