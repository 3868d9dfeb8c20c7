"""The file against what runs: what differs, and what that does to the jobs that are there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from msgspec import MsgspecError, Struct
from msgspec.structs import replace

from pipeline.broker import parse
from pipeline.control import running_plan
from pipeline.diff import Change, diff
from pipeline.errors import BrokerUnavailable
from pipeline.plan import Plan
from pipeline.policy import QueuePolicy
from pipeline.state import broker_url
from pipeline.status import supervisors
from pipeline.status.effects import LOOKED_AT, Facts, asks_for_names, asks_for_runs, effect, touched
from pipeline.status.histogram import buckets_of
from pipeline.status.supervisors import SupervisorState
from pipeline.store import history, reader
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.listing import list_jobs
from pipeline.store.reader import Reader

SECONDS = 30.0


class Judged(Struct, frozen=True):
    """A change, and what it does for people. `waiting` is how many jobs wait in a queue that comes or goes."""

    change: Change
    effect: str | None = None
    waiting: int | None = None


class Comparison(Struct, frozen=True):
    """`running` is the plan that was compared with, None when there is none: then everything is new.

    `here`: a supervisor of this root runs it. `live`: some supervisor does, and not only the broker remembers it.
    `other` names the project that runs here instead.
    """

    wanted: Plan
    running: Plan | None
    changes: tuple[Judged, ...]
    generation: int | None = None
    here: bool = False
    live: bool = False
    other: str | None = None


def compare(wanted: Plan) -> Comparison:
    """Compare a file's plan with what runs: here, else by the broker's newest generation.

    Raises BrokerUnavailable; an embedded broker that does not run is no error: then nothing runs.
    """
    here = runs_here(wanted)
    same = None if here is None or _is_another(here, wanted) else here
    other = here.name if here is not None and same is None else None
    try:
        connection = connect_blocking(parse(broker_url(same or wanted)), timeout=SECONDS)
    except BrokerUnavailable:
        if wanted.broker.url != "embedded" or same is not None:
            raise
        return Comparison(wanted, None, tuple(map(Judged, diff(_nothing(wanted), wanted))), other=other)
    with closing(connection):
        return replace(_compare(connection, wanted, same), other=other)


def runs_here(wanted: Plan) -> Plan | None:
    """What a supervisor of this root runs, at best one that has this file. None when none runs or answers."""
    # One of another version is as good as none: the broker tells what it applied.
    with suppress(MsgspecError):
        return running_plan(wanted.root, Path(wanted.file)) or running_plan(wanted.root)
    return None


def live_supervisors(connection: BlockingConnection, project: str) -> list[SupervisorState]:
    """The supervisors of a project that run now, on all hosts. Raises BrokerError."""
    time = run_blocking(connection, reader.server_time())
    records = run_blocking(connection, reader.supervisors(project))
    return [one for one in supervisors.read(records, time) if one.until >= time]


def _is_another(running: Plan, wanted: Plan) -> bool:
    """A file of another project. In the same file a new name is a change."""
    return running.name != wanted.name and not _has_same_file(running, wanted)


def _has_same_file(one: Plan, other: Plan) -> bool:
    return os.path.normpath(one.file) == os.path.normpath(other.file)


def _nothing(wanted: Plan) -> Plan:
    return replace(wanted, queues={}, pools={}, schedules={}, webhooks={})


def _compare(connection: BlockingConnection, wanted: Plan, here: Plan | None) -> Comparison:
    name = here.name if here is not None else wanted.name
    live = live_supervisors(connection, name)
    kept = run_blocking(connection, history.read(name))
    alive = {one.hash: one.generation for one in live}
    applied = next((one for one in kept if one.hash in alive), kept[0] if kept else None)
    running = here
    if running is None and applied is not None:
        # What is kept names no broker.
        running = replace(applied.plan, root=wanted.root, broker=wanted.broker, http=wanted.http)
    before = running or _nothing(wanted)
    generations = {one.hash: one.generation for one in reversed(kept)} | alive
    return Comparison(
        wanted,
        running,
        tuple(_judge(connection, before, wanted, live)),
        generations.get(before.hash) if running is not None else None,
        here is not None,
        here is not None or before.hash in alive,
    )


# --- what it does to the jobs -----------------------------------------------------------------------------


def _judge(
    connection: BlockingConnection, old: Plan, new: Plan, live: Sequence[SupervisorState]
) -> Iterator[Judged]:
    changes, told = diff(old, new), set()
    facts = {
        queue: _facts(
            connection, old, queue, [one for one in changes if queue in touched(one, old, new)], live
        )
        for queue in dict.fromkeys(queue for change in changes for queue in touched(change, old, new))
    }
    for change in changes:
        text = effect(change, old, new, facts)
        # Concurrency and processes together drain a queue sooner: that is said once.
        fresh = text if (change.queue, text) not in told or change.change_class == "restart" else None
        told.add((change.queue, text))
        comes_or_goes = change.queue is not None and not change.leaf and change.job is None
        yield Judged(change, fresh, facts[change.queue].waiting if comes_or_goes and change.queue else None)


def _facts(
    connection: BlockingConnection,
    old: Plan,
    queue: str,
    changes: Sequence[Change],
    live: Sequence[SupervisorState],
) -> Facts:
    found = Reader(old.name, queue)
    counts = run_blocking(connection, found.counts())
    policy = old.queues.get(queue, QueuePolicy(queue))
    return Facts(
        waiting=counts.waiting,
        delayed=counts.delayed,
        completed=counts.completed,
        dead=counts.dead,
        run=buckets_of(counts.stats, "run:"),
        hosts=max(sum(any(pool.queue == queue for pool in one.pools) for one in live), 1),
        paused=counts.paused is not None,
        names=list(_names(connection, found, policy)) if any(map(asks_for_names, changes)) else (),
        runs=list(_runs(connection, found, policy)) if any(map(asks_for_runs, changes)) else (),
    )


def _names(connection: BlockingConnection, queue: Reader, policy: QueuePolicy) -> Iterator[str]:
    for job in islice(list_jobs(connection, queue, policy, ("waiting", "delayed")), LOOKED_AT):
        yield job.name


def _runs(connection: BlockingConnection, queue: Reader, policy: QueuePolicy) -> Iterator[tuple[str, int]]:
    for job in islice(list_jobs(connection, queue, policy, ("completed",)), LOOKED_AT):
        if job.started_at is not None and job.finished_at is not None:
            yield job.name, job.finished_at - job.started_at
