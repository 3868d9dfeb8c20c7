"""What should have become of every job: a second, much simpler account of the scripts, kept beside the server.

After each command the two must agree; whatever changed without a move that explains it is a violation.
`visited` counts every (state, move, whether it was carried out) that was met.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pipeline.store.scripts import script
from pipeline.store.wire import Reply
from tests.simulator.places import ENDED, Lease, Place, Places, View, Violation

Visit = tuple[str, str, bool]
SETTLED: dict[str, Place] = {
    "completed": "completed",
    "dead": "dead",
    "delayed": "delayed",
    "front": "waiting",
    "unused": "waiting",
    "hold": "waiting",
    "back": "waiting",
    "alone": "alone",
    "cancelled": "cancelled",
}
ANSWERED_BY_ERRORS = {"enqueue", "enqueue_each", "fire", "turn", "hold"}


def plain(value: Any) -> bytes:
    """An argument as the server has it."""
    return value if isinstance(value, bytes) else str(value).encode()


class Model:
    """The places of all jobs, and what was counted."""

    def __init__(self) -> None:
        self.places: Places = {}
        self.born: set[bytes] = set()
        self.counts: Counter[str] = Counter()
        self.visited: Counter[Visit] = Counter()
        self._calls: dict[bytes, int] = {}
        self._starts: list[tuple[int, bytes]] = []
        self._rate: tuple[int, int] | None = None
        self._stops: set[bytes] = set()
        self.fired: dict[bytes, bytes] = {}
        """The job of each tick that was fired."""
        self._steps: dict[str, Callable[[tuple[bytes, ...], Any], None]] = {
            "enqueue": self._enqueue,
            "enqueue_each": self._enqueue_each,
            "fire": self._fire,
            "turn": self._turn,
            "reclaim": self._reclaim,
            "relieve": self._relieve,
            "note": self._note,
            "cancel": self._cancel,
            "hasten": self._hasten,
            "change": self._change,
            "redrive": self._redrive,
            "remove": self._remove,
            "purge": self._purge,
            "sweep": self._sweep,
        }

    def kept(self) -> Any:
        """The account as it is now, for `restore`."""
        kept = (self.places, self.born, self.counts, self._calls, self._starts, self._stops, self.fired)
        return copy.deepcopy(kept)

    def restore(self, kept: Any) -> None:
        kept = copy.deepcopy(kept)
        self.places, self.born, self.counts, self._calls, self._starts, self._stops, self.fired = kept

    def under(self, rate: tuple[int, int] | None, time: int) -> None:
        """Starts count from when a rate is set, or changed, on, and for its time: a clock that goes back behind its end
        brings none back."""
        if rate != self._rate:
            self._rate, self._starts = rate, []
        if rate is not None:
            self._starts = [start for start in self._starts if start[0] + rate[1] > time]

    def follow(
        self,
        name: str,
        args: tuple[Any, ...],
        reply: Reply,
        after: Places,
        before: View,
        time: int,
    ) -> None:
        """A script was run and answered (an error: an exception). `after` is where the server has all jobs now,
        `before` what was seen before, `time` its clock."""
        self._after, self._time = after, time
        self._records, self._listed = before.records, before.listed
        if isinstance(reply, Exception) and name not in ANSWERED_BY_ERRORS:
            raise Violation(f"{name}: {reply}")
        step = self._steps.get(name)
        if step is not None:
            self.places = dict(self.places)
            step(tuple(map(plain, args)), reply)
        if self.places != after:
            odd = {*self.places.items()} ^ {*after.items()}
            raise Violation(f"{name} changed more or less than it should: {sorted(odd, key=repr)}")

    def _visit(self, id: bytes, move: str, carried: bool, worker: bytes = b"", lease: bytes = b"") -> None:
        place = self.places.get(id, "none")
        if isinstance(place, Lease):
            place = "active" if not worker or place == (worker, lease) else "elsewhere"
        self.visited[place, move, carried] += 1

    def _expect(self, what: str, told: Any, expected: Any) -> None:
        if told != expected:
            raise Violation(f"{what}: {told!r}, and should be {expected!r}")

    # --- producers -------------------------------------------------------------------------------------

    def _enqueue(self, args: tuple[bytes, ...], reply: Reply) -> None:
        _, producer, call, _, _, *records = args
        if isinstance(reply, Exception):
            return
        ids = [b"%d" % (reply + place) for place in range(len(records))]
        self._born(producer, call, [(id, True) for id in ids])

    def _enqueue_each(self, args: tuple[bytes, ...], reply: Reply) -> None:
        _, producer, call, _, own, _, _, key, window, *_ = args
        if isinstance(reply, Exception):
            return
        id, created = reply[0], reply[1] == b"created"
        fresh = int(call) > self._calls.get(producer, 0)
        if fresh and not created and key and not window and id != own and id not in self.places:
            raise Violation(f"job {id!r} holds a key until it is done, and is not kept")
        self._born(producer, call, [(id, created)])

    def _born(self, producer: bytes, call: bytes, answers: list[tuple[bytes, bool]]) -> None:
        repeated = int(call) <= self._calls.get(producer, 0)
        self._calls[producer] = max(int(call), self._calls.get(producer, 0))
        for id, created in answers:
            if repeated or not created:
                self._expect(f"job {id!r} stands but never came, answer", id in self.born, True)
                self._visit(id, "enqueue", carried=False)
                continue
            self._created(id)

    def _created(self, id: bytes) -> None:
        self._expect(f"a job was there when {id!r} was created", self.places.get(id), None)
        place = self._after.get(id, "waiting")
        if isinstance(place, Lease) and self._listed:
            raise Violation(f"job {id!r} was handed over past others that wait")
        self._visit(id, "hand over" if isinstance(place, Lease) else "enqueue", carried=True)
        self.places[id] = place
        self.born.add(id)
        self.counts["enqueued"] += 1

    def _fire(self, args: tuple[bytes, ...], reply: Reply) -> None:
        _, _, _, _, before, tick, _, overlap, level, *_ = args
        if isinstance(reply, Exception) or reply[0] in (b"early", b"passed"):
            return
        unended = self.places.get(before, "dead") not in ENDED
        self._expect(f"tick {tick!r}", reply[0], b"skipped" if overlap == b"skip" and unended else b"fired")
        if reply[0] == b"skipped":
            return
        self._expect(f"tick {tick!r} was fired before", self.fired.get(tick), None)
        if level:
            place = self.places.get(before)
            told = "active" if isinstance(place, Lease) else "waiting" if place == "alone" else place
            self._cancel((b"", before), told.encode() if told else None)
        self._created(reply[1])
        self.fired[tick] = reply[1]

    # --- workers and those who take their jobs back ------------------------------------------------------

    def _turn(self, args: tuple[bytes, ...], reply: Reply) -> None:
        names = script("turn").arguments
        given = dict(zip(names, args, strict=False))
        worker, source, keep = given["worker"], given["source"], int(given["keep"])
        done, runs, kept, unlocks, count = (
            int(given[name]) for name in ("done", "runs", "kept", "unlocks", "moves")
        )
        ids, rest = args[len(names) : len(names) + done], args[len(names) + done :]
        leases = [lease for at in range(0, 2 * runs, 2) for lease in [rest[at]] * int(rest[at + 1])]
        moves = list(chunks(rest[2 * (runs + kept) + 3 * unlocks :][: 9 * count], 9))
        if isinstance(reply, Exception):
            for id, lease in zip(ids, leases, strict=True):
                self._visit(id, "completed", carried=False, worker=worker, lease=lease)
            for move, id, lease, *_ in moves:
                self._visit(id, move.decode(), carried=False, worker=worker, lease=lease)
            self.counts["lost"] += (done + count) * ("GONE" in str(reply))
            return
        refused = self._complete(worker, ids, leases, kept) + self._settle(worker, moves, "")
        self._expect("refused", reply[1], refused)
        self.counts["lost"] += len(refused)
        if keep >= 0:
            self._trim(("completed",))
        self._promote()
        for id in reply[4]:
            self._take(id, "alone" if source == b"alone" else "waiting", Lease(worker, plain(reply[3])))
            if self._rate is not None:
                self._starts.append((reply[0], plain(reply[3])))

    def _complete(self, worker: bytes, ids: tuple[bytes, ...], leases: list[bytes], kept: int) -> list[bytes]:
        refused = []
        for place, (id, lease) in enumerate(zip(ids, leases, strict=True)):
            held = self.places.get(id) == (worker, lease)
            self._visit(id, "completed", held, worker, lease)
            if not held:
                refused.append(id)
                continue
            self.counts["completed"] += 1
            self._stops.discard(id)
            if place < len(ids) - kept:
                del self.places[id]
            else:
                self.places[id] = "completed"
        return refused

    def _settle(self, worker: bytes, moves: list[tuple[bytes, ...]], by: str) -> list[bytes]:
        refused = []
        for kind, id, lease, _, _, runs, *_ in moves:
            move = kind.decode()
            held = self.places.get(id) == (worker, lease)
            label = (
                f"{by} {move}" if by and move == "dead" else (f"{by} crashed" if runs else by) if by else move
            )
            self._visit(id, label, held, worker, lease)
            if not held:
                refused.append(id)
                continue
            if move == "unused" and id not in self._stops:
                self._starts = forget(self._starts, lease)
            if id in self._stops and move not in ENDED:
                move = "cancelled"
            self._stops.discard(id)
            self.places[id] = SETTLED[move]
            self.counts[move] += move in ENDED
        return refused

    def started(self, since: int, until: int) -> int:
        """How many jobs started after `since`. Starts of the future are those of a clock that went back."""
        if any(time > until for time, _ in self._starts):
            self._starts = []
        return sum(since < time for time, _ in self._starts)

    def _promote(self) -> None:
        for id in [id for id, place in self.places.items() if place == "delayed"]:
            if self._after.get(id) != "delayed":
                self._visit(id, "promote", carried=True)
                self.places[id] = "waiting"

    def _take(self, id: bytes, source: Place, lease: Lease) -> None:
        self._expect(f"job {id!r} was taken and was", self.places.get(id), source)
        self._visit(id, "take", carried=True)
        self.places[id] = lease

    def _reclaim(self, args: tuple[bytes, ...], reply: Reply) -> None:
        self._taken_back(args, reply, "reclaim")

    def _relieve(self, args: tuple[bytes, ...], reply: Reply) -> None:
        self._taken_back(args, reply, "relieve")

    def _taken_back(self, args: tuple[bytes, ...], reply: Reply, by: str) -> None:
        worker, moves = args[1], list(chunks(args[4:], 9))
        refused = self._settle(worker, moves, by)
        self._expect("taken back", reply, len(moves) - len(refused))

    def _note(self, args: tuple[bytes, ...], reply: Reply) -> None:
        _, worker, id, lease, *_ = args
        held = self.places.get(id) == (worker, lease)
        self._visit(id, "note", held, worker, lease)
        self._expect("noted", reply, int(held))
        self.counts["lost"] += not held

    # --- people and upkeep -------------------------------------------------------------------------------

    def _cancel(self, args: tuple[bytes, ...], reply: Reply) -> None:
        allowed = ("waiting", "alone", "delayed")
        if isinstance(self.places.get(args[1]), Lease):
            self._stops.add(args[1])
        self.counts["cancelled"] += self._answer("cancel", args[1], reply, allowed, "cancelled")

    def _hasten(self, args: tuple[bytes, ...], reply: Reply) -> None:
        self._answer("hasten", args[1], reply, ("delayed",), "waiting")

    def _change(self, args: tuple[bytes, ...], reply: Reply) -> None:
        _, id, seen, _, _, _, due = args
        place, answer = self.places.get(id), [*reply, None, None][:2]
        told = b"active" if isinstance(place, Lease) else place.encode() if place else None
        if self._records.get(id, seen) != seen:
            told = b"changed"
        timed = place in ("waiting", "delayed")
        carried = told != b"changed" and (timed or (place in ("alone", "dead", "cancelled") and not due))
        self._visit(id, "change", carried)
        self._expect(f"change of {id!r}", answer[0], told)
        if not carried:
            self._expect(f"a change of {id!r} that was refused", answer[1], None)
            return
        if timed and due:
            later = due != b"front" and self._time < (self._time + int(due) if due[:1] == b"+" else int(due))
            self.places[id] = place = "delayed" if later else "waiting"
        self._expect(
            f"{id!r} after a change", answer[1], b"waiting" if place == "alone" else str(place).encode()
        )

    def _redrive(self, args: tuple[bytes, ...], reply: Reply) -> None:
        for (id, *_), answer in zip(chunks(args[1:], 4), reply, strict=True):
            if answer and answer.startswith(b"duplicate"):
                self._visit(id, "redrive", carried=False)
                continue
            self.counts["redriven"] += self._answer("redrive", id, answer, ("dead", "cancelled"), "waiting")

    def _remove(self, args: tuple[bytes, ...], reply: Reply) -> None:
        for (id, _, _, _), answer in zip(chunks(args[1:], 4), reply, strict=True):
            ended = self.places.get(id) in ENDED
            gone = self._answer("remove", id, answer, ("waiting", "alone", "delayed", *ENDED), None)
            self.counts["purged"] += gone and not ended

    def _answer(
        self, move: str, id: bytes, answer: bytes | None, allowed: tuple[str, ...], to: Place | None
    ) -> bool:
        """A person's move: the answer is the state that the job was in; only from some it is carried out."""
        place = self.places.get(id)
        told = "active" if isinstance(place, Lease) else "waiting" if place == "alone" else place
        self._expect(f"{move} of {id!r}", answer, told.encode() if told else None)
        carried = place in allowed
        self._visit(id, move, carried)
        if carried and to is None:
            del self.places[id]
        elif carried and to is not None:
            self.places[id] = to
        return carried

    def _purge(self, _: tuple[bytes, ...], reply: Reply) -> None:
        for id in reply[0]:
            self._expect(f"job {id!r} was purged and was", self.places.get(id) in ("waiting", "alone"), True)
            self._visit(id, "purge", carried=True)
            del self.places[id]
            self.counts["purged"] += 1

    def _sweep(self, _: tuple[bytes, ...], __: Reply) -> None:
        self._trim(ENDED)

    def _trim(self, states: tuple[str, ...]) -> None:
        for id in [id for id, place in self.places.items() if place in states and id not in self._after]:
            self._visit(id, "trim", carried=True)
            del self.places[id]


def forget(starts: list[tuple[int, bytes]], lease: bytes) -> list[tuple[int, bytes]]:
    """The starts without one of that lease."""
    place = next((n for n, (_, number) in enumerate(starts) if number == lease), len(starts))
    return starts[:place] + starts[place + 1 :]


def chunks(values: tuple[bytes, ...], size: int) -> Iterator[tuple[bytes, ...]]:
    return (values[at : at + size] for at in range(0, len(values), size))
