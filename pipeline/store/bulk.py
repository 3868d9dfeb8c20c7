"""One move of many jobs, a chunk at a time: each chunk is looked at again before it is moved, and the count is true
whenever it stops. Every job is moved by a script of its own, so that the broker serves others between them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from msgspec import Struct

from pipeline.job import Outcome, Runs, State, encode
from pipeline.policy import QueuePolicy
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import Call, run_many
from pipeline.store.listing import ALL, PAGE, Filter
from pipeline.store.reader import JobView
from pipeline.store.store import Store

Progress = Callable[[int], None]
Kind = Literal["retry", "cancel", "remove", "promote"]


def silent(_: int) -> None:
    """Nobody watches."""


def never() -> bool:
    """Nobody stops it."""
    return False


class Hands(Protocol):
    """What is needed of an operator."""

    connection: BlockingConnection
    store: Store

    def look(self, ids: Sequence[str]) -> list[JobView]: ...
    def policy(self) -> QueuePolicy: ...
    def time(self) -> int: ...


class Moved(Struct):
    """What became of many jobs. `told` of them ran, and were told to stop; `kept` says why others stay (id -> reason);
    `elsewhere` had moved on before their turn came; `left` were not come to."""

    moved: int = 0
    told: int = 0
    elsewhere: int = 0
    left: int = 0
    kept: dict[str, str] = {}


class Terms(NamedTuple):
    """What the calls of a chunk need: what holds for the queue, and the server's time."""

    policy: QueuePolicy
    now: int

    def kept(self, job: JobView) -> int | str:
        """How long its id stays taken."""
        return kept(job, self.policy)


def kept(job: JobView, policy: QueuePolicy | None) -> int | str:
    """How long a job's id stays taken after its end, in ms; nothing for ids of ours."""
    if job.id.isdigit():
        return ""
    return (policy or QueuePolicy("")).ids_keep if job.keep is None else job.keep


class Deed(NamedTuple):
    """A move: the states that it takes jobs from, and its call for one job."""

    states: tuple[State, ...]
    call: Callable[[Store, JobView, Terms], Call[str | None]]


def _first(call: Call[list[str | None]]) -> Call[str | None]:
    return Call(call.command, lambda reply: call.read(reply)[0])


def cancelling(store: Store, job: JobView, policy: QueuePolicy | None, at: int) -> Call[str | None]:
    """The call that cancels a job; its result is the state that it was in. `at` is the server's time."""
    return store.cancel(job.id, *cancelled(job, policy, at))


def cancelled(job: JobView, policy: QueuePolicy | None, at: int) -> tuple[int, str, int | str, bytes]:
    """What a job is cancelled with: its level, key and keep, and how it ends."""
    return job.priority, job.key, kept(job, policy), encode(Outcome(job.attempt, None, at))


def _cancel(store: Store, job: JobView, terms: Terms) -> Call[str | None]:
    return cancelling(store, job, terms.policy, terms.now)


def _remove(store: Store, job: JobView, terms: Terms) -> Call[str | None]:
    return _first(store.remove([(job.id, job.priority, job.key, terms.kept(job))]))


def again(job: JobView, policy: QueuePolicy | None) -> tuple[str, int, str, bytes]:
    """What `Store.redrive` is told of a job. Only where deaths have letters it matters how many there were."""
    counted = job.redriven > 0 or (policy is not None and policy.dead_letter.queue is not None)
    return job.id, job.priority, job.key, encode(Runs(redriven=job.redriven + 1)) if counted else b""


def _retry(store: Store, job: JobView, terms: Terms) -> Call[str | None]:
    return _first(store.redrive([again(job, terms.policy)]))


def _promote(store: Store, job: JobView, _: Terms) -> Call[str | None]:
    return store.hasten(job.id, job.priority)


DEEDS: dict[Kind, Deed] = {
    "retry": Deed(("dead", "cancelled"), _retry),
    "cancel": Deed(("waiting", "delayed", "active"), _cancel),
    "remove": Deed(("waiting", "delayed", "completed", "dead", "cancelled"), _remove),
    "promote": Deed(("delayed",), _promote),
}


def move_many(
    hands: Hands,
    kind: Kind,
    ids: Sequence[str],
    *,
    states: Sequence[State] = (),
    only: Filter = ALL,
    progress: Progress = silent,
    stop: Callable[[], bool] = never,
) -> Moved:
    """Move those of the jobs that are still in one of `states` (all that the move takes) and still meant by `only`.

    `stop` is asked before each chunk. Raises BrokerError; what was moved by then stays moved.
    """
    deed, answer = DEEDS[kind], Moved()
    terms = Terms(hands.policy(), hands.time())
    for first in range(0, len(ids), PAGE):
        if stop():
            answer.left = len(ids) - first
            break
        chunk = ids[first : first + PAGE]
        found = [job for job in hands.look(chunk) if job.state in (states or deed.states) and only.holds(job)]
        calls = [deed.call(hands.store, job, terms) for job in found]
        for job, state in zip(found, run_many(hands.connection, calls), strict=True):
            _count(answer, job, deed, state)
        answer.elsewhere += len(chunk) - len(found)
        progress(len(chunk))
    return answer


def _count(answer: Moved, job: JobView, deed: Deed, state: str | None) -> None:
    if state is not None and state.startswith("duplicate"):
        answer.kept[job.id] = f"is a {state}"
    elif state is None or state not in deed.states:
        answer.elsewhere += 1
    elif state == "active":
        answer.told += 1
    else:
        answer.moved += 1
