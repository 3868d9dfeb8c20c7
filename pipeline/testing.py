"""For the tests of an app: its clients put jobs in without a broker.

`inline` runs each job at once, with the code that a worker runs it with; `recorded` keeps what was put in, and
runs it when told to. Both check as a producer does, and count for every client of the process, also for those
that were made before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from pipeline.async_client import AsyncClient
from pipeline.client import Client
from pipeline.clock import now_ms
from pipeline.errors import NoPolicy, UnknownFlow, WrongState
from pipeline.plan import Plan
from pipeline.policies import Known, Policies, plan_of, unknown_queue
from pipeline.producer import Batch, Plain
from pipeline.store.reader import JobView
from pipeline.store.store import Accepted, NewJob
from pipeline.trial import Project, Trial, TrialJob

__all__ = ["Trial", "TrialJob", "inline", "recorded"]
File = str | Path | Plan | None
CHANGES = ("update", "promote", "retry", "duplicate")


@contextmanager
def inline(file: File = None, *, profile: str | None = None) -> Iterator[Trial]:
    """Run each job when it is put in, in the place of a worker; the value holds all of them.

    An attempt that fails follows the retry policy, without its pauses. An exception of a handler ends its attempt
    only; see `dead`, and a job's `exception`. `file` is what all clients go by; without it each goes by its own.
    Time limits are not kept, `setup` is not called, and every handler runs in this process.
    """
    with _instead_of_a_broker(Trial(runs=True), file, profile) as trial:
        yield trial


@contextmanager
def recorded(file: File = None, *, profile: str | None = None) -> Iterator[Trial]:
    """Keep each job that is put in; `run` or `run_async` of the value run them. Otherwise as `inline`."""
    with _instead_of_a_broker(Trial(runs=False), file, profile) as trial:
        yield trial


@contextmanager
def _instead_of_a_broker(trial: Trial, file: File, profile: str | None) -> Iterator[Trial]:
    plan = None if file is None else plan_of(file, profile)
    given = None if plan is None else Project(plan.root, plan.queues)
    with ExitStack() as stack:
        stack.callback(trial.close)
        stack.enter_context(patch.object(Policies, "get", _get(trial, given)))
        for client, stand_ins in ((Client, _plain(trial)), (AsyncClient, _async(trial))):
            stack.enter_context(patch.multiple(client, **stand_ins))
        yield trial


def _get(trial: Trial, given: Project | None) -> Any:
    def get(policies: Policies, queue: str) -> Known:
        project = given or Project(policies.root, policies.file)
        if queue not in project.queues:
            if project.queues:
                raise unknown_queue(queue, project.queues)
            raise NoPolicy(
                f"nothing says what queue {queue!r} is: this client has no file",
                "give the file to the test: inline('configs/dev.yaml')",
            )
        trial.knows(project, queue)
        now = time.monotonic()
        return Known("", project.queues[queue], now_ms() - now * 1000, now)

    return get


def _plain(trial: Trial) -> dict[str, Any]:
    """What a Client does in a test."""

    def send_one(_: Client, queue: str, __: Known, level: int, record: bytes) -> Accepted:
        return trial.accept(queue, [_job(level, record)])[0]

    def send(_: Client, queue: str, __: Known, batch: Batch) -> list[Accepted]:
        return trial.accept(queue, _jobs(batch))

    def job(_: Client, queue: str, id: str) -> JobView:
        return trial.find(queue, id).view()

    def cancel(_: Client, queue: str, id: str) -> str:
        return trial.cancel(queue, id)

    refused = dict.fromkeys(CHANGES, _no_change)
    return {"_send_one": send_one, "_send": send, "_step": _no_flow, "job": job, "cancel": cancel, **refused}


def _async(trial: Trial) -> dict[str, Any]:
    """What an AsyncClient does in a test."""

    async def along(_: AsyncClient, queue: str, __: Known, job: bytes | NewJob, ___: object) -> Accepted:
        new = _job(0, job) if isinstance(job, bytes) else job
        return (await trial.accept_async(queue, [new]))[0]

    async def send(_: AsyncClient, queue: str, __: Known, batch: Batch) -> list[Accepted]:
        return await trial.accept_async(queue, _jobs(batch))

    async def job(_: AsyncClient, queue: str, id: str) -> JobView:
        return trial.find(queue, id).view()

    async def cancel(_: AsyncClient, queue: str, id: str) -> str:
        return trial.cancel(queue, id)

    async def step(_: AsyncClient, __: object) -> Any:
        return _no_flow()

    async def change(*_: object, **__: object) -> Any:
        return _no_change()

    refused = dict.fromkeys(CHANGES, change)
    return {"_along": along, "_send": send, "_step": step, "job": job, "cancel": cancel, **refused}


def _no_flow(*_: object) -> Any:
    """Flows are kept by a broker, and moved on by workers."""
    raise UnknownFlow(
        "flows do not run in pipeline.testing", "start one against `pipeline run`, or test its handlers"
    )


def _no_change(*_: object, **__: object) -> Any:
    """A job of a test is put in, run and cancelled; its place and its record are not a broker's to change."""
    raise WrongState(
        "jobs are not changed in pipeline.testing", "put in another, or try it against `pipeline run`"
    )


def _jobs(batch: Batch) -> Sequence[NewJob]:
    return [_job(batch.level, record) for record in batch.records] if isinstance(batch, Plain) else batch.jobs


def _job(level: int, record: bytes) -> NewJob:
    return NewJob("", level, "", "", "", "", "", record)
