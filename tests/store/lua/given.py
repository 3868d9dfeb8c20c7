"""A queue of a real server: brought into a state by the store's own moves, looked at key by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple

from pipeline.broker import parse
from pipeline.job import encode
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.overrides import Overrides, Scale, read
from pipeline.store.reader import server_time
from pipeline.store.store import Accepted, Held, Move, NewJob, Store
from tests.acl import by_admin

HOUR = 3_600_000
State = dict[str, Any]


class Turn(NamedTuple):
    """The answer to a turn, as text."""

    time: int
    refused: list[str]
    due: int | None
    lease: int
    ids: list[str]
    records: list[str]
    runs: list[str | None]
    inbox: list[str]

    @property
    def parked(self) -> bool:
        return self.due is not None


def text(value: Any) -> Any:
    """A reply with every bytes in it as text."""
    if isinstance(value, list):
        return [text(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


class Queue:
    """The queue `emails` of the project `shop`. Records are opaque to the scripts, so any text will do."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = connect_blocking(parse(url))
        self.store = Store("shop", "emails")
        self.name = self.store.queue
        self.calls, self.turns = count(1), count(1)

    # --- what is there ---------------------------------------------------------------------------------

    def send(self, *command: Any) -> Any:
        """The reply to any command."""
        return text(by_admin(self.url, *command))

    def state(self) -> State:
        """Every key of the server, by its name in the queue. Sorted sets as their members in order; the fields
        that only pad a hash are left out."""
        names = sorted(self.send("KEYS", "*"))
        found = {name.removeprefix(f"{self.name}:"): self._value(name) for name in names}
        return {name: value for name, value in found.items() if value}

    def _value(self, name: str) -> Any:
        match self.send("TYPE", name):
            case "hash":
                flat = self.send("HGETALL", name)
                return {key: value for key, value in zip(flat[::2], flat[1::2], strict=True) if key}
            case "list":
                return self.send("LRANGE", name, 0, -1)
            case "set":
                return sorted(self.send("SMEMBERS", name))
            case "zset":
                return self.send("ZRANGE", name, 0, -1)
        return self.send("GET", name)

    @contextmanager
    def changes(self) -> Iterator[State]:
        """What the block makes of the whole state: each key that differs, None when it is gone."""
        before, changed = self.state(), State()
        yield changed
        after = self.state()
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                changed[name] = after.get(name)

    def age(self, key: str, ms: int) -> None:
        """Let `ms` pass for the times that a sorted set holds."""
        for member in self.send("ZRANGE", f"{self.name}:{key}", 0, -1):
            self.send("ZINCRBY", f"{self.name}:{key}", -ms, member)

    @property
    def lease(self) -> int:
        """The last lease number."""
        return int(self.send("GET", f"{self.name}:last_lease"))

    def until(self, time: int) -> None:
        """Wait until the server's clock shows `time`."""
        while run_blocking(self.connection, server_time()) < time:
            pass

    def stat(self, name: str) -> int:
        """A total of the queue."""
        return int(self.send("HGET", f"{self.name}:stats", name) or 0)

    # --- producers -------------------------------------------------------------------------------------

    def enqueue(self, *records: str, level: int = 0, call: int | None = None, generation: str = "") -> int:
        """Jobs that are alike; the first one's id."""
        number = next(self.calls) if call is None else call
        written = [record.encode() for record in records]
        return run_blocking(self.connection, self.store.enqueue("p", number, generation, level, written))

    def each(self, *jobs: NewJob, call: int | None = None, generation: str = "") -> list[Accepted]:
        """Jobs that have something of their own."""
        number = next(self.calls) if call is None else call
        return run_blocking(self.connection, self.store.enqueue_each("p", number, generation, list(jobs)))

    # --- workers ---------------------------------------------------------------------------------------

    def join(self, *workers: str, lease: int = HOUR) -> None:
        """Workers begin."""
        for worker in workers:
            run_blocking(self.connection, self.store.join(worker, lease))

    def turn(
        self,
        worker: str = "w1",
        want: int = 0,
        *,
        park: bool = False,
        number: int | None = None,
        source: str = "",
        keep: int = -1,
        done: dict[str, int] | None = None,
        kept: dict[str, str] | None = None,
        unlocks: Sequence[str | int] = (),
        moves: Sequence[Move] = (),
        counters: Sequence[str | int] = (),
    ) -> Turn:
        """One turn: `done` jobs are forgotten, `kept` ones need a lease in `done` too and keep an outcome."""
        done, kept = done or {}, kept or {}
        ids = [*(id for id in done if id not in kept), *kept]
        command = self.store.turn(
            worker,
            next(self.turns) if number is None else number,
            want=want,
            park=park,
            source=source,
            keep=keep,
            ids=[id.encode() for id in ids],
            leases=[done[id] for id in ids],
            outcomes=[part.encode() for pair in kept.items() for part in pair],
            unlocks=unlocks,
            moves=list(moves),
            counters=list(counters),
        )
        return Turn(*text(self.connection.call(command)))

    def take(self, worker: str = "w1", want: int = 1, *, source: str = "") -> dict[str, int]:
        """Lease jobs to a worker: id -> lease number."""
        turn = self.turn(worker, want, source=source)
        return dict.fromkeys(turn.ids, turn.lease)

    def park(self, *workers: str) -> None:
        """Workers join, find nothing, and wait."""
        for worker in workers:
            self.join(worker)
            assert self.turn(worker, 1, park=True).parked

    def held(self, worker: str = "w1") -> list[Held]:
        """What a worker holds, as it would ask itself."""
        return run_blocking(self.connection, self.store.hold(worker, next(self.turns)))[1]

    def expel(self, worker: str, mode: Any = "dead") -> list[Held] | None:
        """What a worker that is gone holds."""
        return run_blocking(self.connection, self.store.expel(worker, mode))

    def reclaim(self, worker: str, *moves: Move, reruns: int = 0, failed: int = 0) -> int:
        """Carry out the moves of a worker that is gone."""
        return run_blocking(self.connection, self.store.reclaim(worker, list(moves), reruns, failed))

    def leave(self, worker: str) -> int:
        """A worker is no more."""
        return run_blocking(self.connection, self.store.leave(worker))

    # --- people ----------------------------------------------------------------------------------------

    def cancel(self, id: str, level: int = 0, key: str = "", keep: int | str = "") -> str | None:
        return run_blocking(self.connection, self.store.cancel(id, level, key, keep, b"cancelled by ann"))

    def remove(self, id: str, level: int = 0, key: str = "", keep: int | str = "") -> str | None:
        return run_blocking(self.connection, self.store.remove([(id, level, key, keep)]))[0]

    def redrive(self, id: str, level: int = 0, key: str = "") -> str | None:
        return run_blocking(self.connection, self.store.redrive([(id, level, key, b"")]))[0]

    def hasten(self, id: str, level: int = 0) -> str | None:
        return run_blocking(self.connection, self.store.hasten(id, level))

    def change(
        self,
        id: str,
        seen: str,
        record: str | None = None,
        was: int = 0,
        level: int | None = None,
        due: str = "",
    ) -> tuple[str | None, str | None]:
        """From the record `seen` at level `was` to another; what is not given stays."""
        new, to = (seen if record is None else record).encode(), was if level is None else level
        return run_blocking(self.connection, self.store.change(id, seen.encode(), new, was, to, due))

    def purge(self, count: int) -> list[tuple[bytes, bytes]]:
        return run_blocking(self.connection, self.store.purge(count))[0]

    def publish(
        self, generation: int, policy: str = "{}", limited: int | str = "", rate: str = "", lanes: str = ""
    ) -> int:
        return run_blocking(
            self.connection, self.store.publish(generation, policy.encode(), limited, rate, lanes)
        )

    def retract(self, generation: int) -> bool:
        return run_blocking(self.connection, self.store.retract(generation))

    def pause(self, by: str | bytes = "ann") -> bool:
        return run_blocking(self.connection, self.store.pause(by))

    def scale(self, scale: Scale) -> bool:
        return run_blocking(self.connection, self.store.scale(encode(scale)))

    def unscale(self) -> bool:
        return run_blocking(self.connection, self.store.unscale())

    def overrides(self) -> Overrides:
        return run_blocking(self.connection, read("shop", "emails"))

    def resume(self) -> bool:
        return run_blocking(self.connection, self.store.resume())


def new(
    record: str,
    *,
    id: str = "",
    level: int = 0,
    due: str = "",
    key: str = "",
    window: int | str = "",
    mode: Any = "",
    lane: str = "",
) -> NewJob:
    """A job with something of its own."""
    return NewJob(id, level, due, key, window, mode, lane, record.encode())


def move(kind: Any, id: str, lease: int, **more: Any) -> Move:
    """How one job leaves its lease."""
    return Move(kind, id.encode(), lease, **more)
