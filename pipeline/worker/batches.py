"""Jobs of one name that a handler gets together, as a list; each has its own lease, attempt and outcome.

To the slots a batch is one job. To the pool its members are jobs like any others, with a number each on the board.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any

import msgspec
from msgspec.structs import replace

from pipeline.errors import JobCancelled
from pipeline.job import decode_job
from pipeline.policy import Batching
from pipeline.worker.attempt import Attempt, Buffered
from pipeline.worker.slots import Desk, LoopSlots, ThreadSlots, store_result

WRONG_RESULT = "a handler of batches returns None, or a list with the result of each job, in their order"


class Together(Buffered, frozen=True, gc=True):
    """Jobs that go to the handler in one call."""

    jobs: Sequence[Buffered] = ()


class Call:
    """One call of a handler: the attempts at its jobs by their numbers, and what became of each."""

    def __init__(self, slot: int, members: dict[int, Attempt]) -> None:
        self.slot = slot
        self.members = members
        self.errors: list[BaseException | None] = [None] * len(members)
        first, *_ = attempts = list(members.values())
        jobs: Any = [attempt.job for attempt in attempts]
        run = self._awaited if first.handler.is_async else self._called
        handler = replace(first.handler, call=partial(run, first.handler.call))
        soft, hard = (min(getattr(one, limit) for one in attempts) for limit in ("soft", "hard"))
        self.leader = Attempt(
            first.id, first.lease, jobs, first.runs, first.policy, handler, first.begun, soft, hard
        )

    def _called(self, call: Callable[[Any], Any], jobs: Any) -> None:
        self.errors = keep_results(list(self.members.values()), call(jobs))

    async def _awaited(self, call: Callable[[Any], Any], jobs: Any) -> None:
        self.errors = keep_results(list(self.members.values()), await call(jobs))

    def ends(self, error: BaseException | None) -> list[tuple[int, Attempt, BaseException | None]]:
        """How each of its jobs ended, when the call ended with `error`."""
        if isinstance(error, JobCancelled) and not self.leader.stopped:
            # A job was cancelled, and the handler left the others undone: they go back, at no cost.
            for attempt in self.members.values():
                attempt.stopped = attempt.stopped or "release"
        ends = zip(self.members.items(), self.errors, strict=True)
        return [(number, attempt, error or own) for (number, attempt), own in ends]


def keep_results(attempts: list[Attempt], returned: Any) -> list[BaseException | None]:
    """Keep the result of each job; what fails one of them is an exception in its place. Raises TypeError for any
    other return value than a list of as many results, or None."""
    if returned is None:
        return [None] * len(attempts)
    if not isinstance(returned, list) or len(returned) != len(attempts):
        raise TypeError(WRONG_RESULT)
    return list(map(_keep, attempts, returned))


def _keep(attempt: Attempt, value: Any) -> BaseException | None:
    if isinstance(value, BaseException):
        return value
    try:
        store_result(attempt, value)
    except TypeError as error:
        return error
    return None


class BatchSlots:
    """Collects jobs by their names for the slots that `make` makes, and is their desk. `first` and `step` are of the
    numbers that members get."""

    def __init__(
        self,
        desk: Desk,
        make: Callable[[Desk], LoopSlots | ThreadSlots],
        batching: Batching,
        first: int,
        step: int,
    ) -> None:
        self._desk = desk
        self._batching = batching
        self._loop = asyncio.get_running_loop()
        self._groups: dict[str, list[Buffered]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._calls: dict[int, Call] = {}
        self._numbers = count(first, step)
        self._unused: deque[int] = deque()
        self.slots = make(self)

    def __len__(self) -> int:
        # What is being collected waits for company, not for a slot.
        return len(self.slots)

    @property
    def padding(self) -> int:
        """How many more jobs the batches that run could have had: room that nothing can use before they end."""
        return sum(self._batching.size - len(call.members) for call in list(self._calls.values()))

    def add(self, jobs: list[Buffered]) -> None:
        """Jobs to begin once their batch is full, or the first of it has waited long enough."""
        for job in jobs:
            name = _name_of(job)
            group = self._groups.setdefault(name, [])
            group.append(job)
            if len(group) == self._batching.size:
                self._flush(name)
            elif len(group) == 1 and self._batching.wait:
                self._timers[name] = self._loop.call_later(self._batching.wait / 1000, self._flush, name)
        if not self._batching.wait:
            for name in list(self._groups):
                self._flush(name)

    def _flush(self, name: str) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()
        self.slots.add([Together(b"", 0, b"", jobs=self._groups.pop(name))])

    def drain(self) -> list[Buffered]:
        """Take back what has not begun."""
        for timer in self._timers.values():
            timer.cancel()
        groups, self._groups, self._timers = self._groups, {}, {}
        jobs = [job for batch in self.slots.drain() if isinstance(batch, Together) for job in batch.jobs]
        return jobs + [job for group in groups.values() for job in group]

    def resize(self, size: int) -> None:
        """Serve with so many slots."""
        self.slots.resize(size)

    def stop(self, slot: int, attempt: Attempt, why: str) -> None:
        """A limit and a release stop the whole call. That one job is cancelled or lost stops it when it is the last:
        the others are in the same call."""
        call = next((call for call in list(self._calls.values()) if call.members.get(slot) is attempt), None)
        if call is None:
            return
        members = call.members.values()
        if why == "soft":
            for member in members:
                member.soft = float("inf")
        elif why in ("hard", "release"):
            for member in members:
                member.stopped = why
        else:
            attempt.stopped = why
            if not all(member.stopped for member in members):
                return
        if call.leader.stopped != why:
            self.slots.stop(call.slot, call.leader, why)

    # --- what the slots ask --------------------------------------------------------------------------------

    def begin(self, slot: int, held: Buffered) -> Attempt | None:
        """The call to make in this slot; None when none of its jobs is to be run. From any thread."""
        members: dict[int, Attempt] = {}
        for job in held.jobs if isinstance(held, Together) else ():
            number = self._number()
            attempt = self._desk.begin(number, job)
            if attempt is None:
                self._unused.append(number)
            else:
                members[number] = attempt
        if not members:
            return None
        call = self._calls[slot] = Call(slot, members)
        return call.leader

    def ended(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:  # noqa: ARG002
        """A call ended, on the loop."""
        self._end(slot, error, self._desk.ended)

    def ended_in_thread(self, slot: int, attempt: Attempt, error: BaseException | None) -> None:  # noqa: ARG002
        """A call ended, in its thread."""
        self._end(slot, error, self._desk.ended_in_thread)

    def idle(self, slot: int) -> None:
        """The slot waits for a batch."""

    def _end(
        self,
        slot: int,
        error: BaseException | None,
        tell: Callable[[int, Attempt, BaseException | None], None],
    ) -> None:
        for number, attempt, own in self._calls.pop(slot).ends(error):
            tell(number, attempt, own)
            self._desk.idle(number)
            self._unused.append(number)

    def _number(self) -> int:
        # Threads share the numbers without a lock.
        try:
            return self._unused.popleft()
        except IndexError:
            return next(self._numbers)


def _name_of(job: Buffered) -> str:
    try:
        return decode_job(job.record).name
    except msgspec.MsgspecError:
        return ""  # it is refused where it begins
