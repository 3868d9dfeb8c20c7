"""What a task does: one move of many jobs, found in rounds, so that a queue of any size needs little memory here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from msgspec.structs import replace

from pipeline.errors import JobNotFound
from pipeline.job import State
from pipeline.plan import Plan
from pipeline.store.blocking import BlockingConnection
from pipeline.store.bulk import DEEDS, Kind, move_many
from pipeline.store.call import run_blocking
from pipeline.store.careful import Care, Careful
from pipeline.store.listing import ALL, Filter
from pipeline.store.operator import Operator
from pipeline.store.reader import JobView
from pipeline.web.tasks import Run, Work

ROUND = 20_000
CHUNK = 1_000
MOST_REDRIVEN = 100_000
Hold = Callable[[BlockingConnection], Operator]
Item = TypeVar("Item")


def holding(plan: Plan, queue: str) -> Hold:
    """Hands on the queue, by a connection."""
    return lambda connection: Operator(connection, plan.name, queue, plan.queues.get(queue))


def these(hold: Hold, kind: Kind, ids: Sequence[str], states: Sequence[State]) -> Work:
    """Move the jobs that are named."""

    def work(connection: BlockingConnection, run: Run) -> None:
        run.goes_on(len(ids))
        _move(hold(connection), run, kind, ids, states)

    return work


def meant(hold: Hold, kind: Kind, states: Sequence[State], only: Filter, *, everything: bool) -> Work:
    """Move the jobs in these states that a filter means, and that were there when it began. `everything`: it means all."""

    def work(connection: BlockingConnection, run: Run) -> None:
        hands = hold(connection)
        now = hands.time()
        mine = replace(only, until=now if only.until is None else min(only.until, now))
        total = count(hands, states) if everything else None
        for state in states:
            _rounds(hands, run, kind, state, mine, total)
        task = run.task
        if run.stopped():
            task.left = max((task.total or 0) - task.done, 0)
        else:
            run.goes_on(task.done)

    return work


def _rounds(hands: Operator, run: Run, kind: Kind, state: State, only: Filter, total: int | None) -> None:
    """Move the jobs of one state, a round at a time, until a round moves none."""
    seen: set[str] = set()
    last: str | None = None
    while not run.stopped():
        found = (job.id for job in _go_on(hands, state, only, last) if job.id not in seen)
        ids = list(islice(_until(found, run), ROUND))
        if not ids:
            return
        run.goes_on(total if total is not None else run.task.done + len(ids))
        before, last = run.task.moved, ids[-1]
        seen.update(_move(hands, run, kind, ids, (state,), only))
        # What is left of them now cannot be moved, or moves by itself.
        if run.task.moved == before:
            return


def _go_on(hands: Operator, state: State, only: Filter, last: str | None) -> Iterator[JobView]:
    """The jobs that are left. Those that waited leave their entries behind, and these are not looked through again."""
    if state == "waiting" and last is not None:
        with suppress(JobNotFound):
            return hands.jobs((state,), only, last, deepest=0)
    return hands.jobs((state,), only)


def with_care(hold: Hold, which: Filter | Sequence[str], care: Care) -> Work:
    """Redrive dead jobs, those that a filter means or that are named, and look at what becomes of them."""

    def work(connection: BlockingConnection, run: Run) -> None:
        hands = hold(connection)
        dead = hands.jobs(("dead",), which) if isinstance(which, Filter) else hands.look(which)
        found = (_bare(job) for job in dead if job.state == "dead")
        jobs = list(islice(_until(found, run), MOST_REDRIVEN))
        run.goes_on(len(jobs))
        report = Careful(hands, care, lambda more: _sent(run, more), run.stopped, run.pause).run(jobs)
        task = run.task
        task.moved, task.died, task.left = report.redriven, report.died, report.left
        task.reason = report.stopped
        run.keep(report.kept)

    return work


def purging(hold: Hold) -> Work:
    """Delete the jobs that wait."""

    def work(connection: BlockingConnection, run: Run) -> None:
        hands = hold(connection)
        run.goes_on(run_blocking(connection, hands.reader.counts()).waiting)
        hands.purge(lambda more: _sent(run, more), run.stopped)
        run.task.total = run.task.done

    return work


def count(hands: Operator, states: Sequence[State]) -> int:
    """How many jobs are in these states."""
    counts = run_blocking(hands.connection, hands.reader.counts())
    return sum(getattr(counts, state, 0) for state in states)


def _sent(run: Run, more: int) -> None:
    run.task.done += more
    run.task.moved += more


def _until(found: Iterator[Item], run: Run) -> Iterator[Item]:
    for one in found:
        if run.stopped():
            return
        yield one


def _bare(job: JobView) -> JobView:
    """A job without what weighs."""
    return replace(job, data=None, result=None, progress=None, error=None, errors=(), logs=[])


def _move(
    hands: Operator, run: Run, kind: Kind, ids: Sequence[str], states: Sequence[State], only: Filter = ALL
) -> list[str]:
    """Move jobs a chunk at a time; the ids of those that stay where they are."""
    task, stay = run.task, list[str]()
    for first in range(0, len(ids), CHUNK):
        if run.stopped():
            task.left += len(ids) - first
            break
        chunk = ids[first : first + CHUNK]
        answer = move_many(
            hands, kind, chunk, states=states or DEEDS[kind].states, only=only, stop=run.stopped
        )
        task.done += len(chunk) - answer.left
        task.moved += answer.moved
        task.told += answer.told
        task.elsewhere += answer.elsewhere
        task.left += answer.left
        run.keep(answer.kept)
        stay += answer.kept if not answer.told else chunk
    return stay
