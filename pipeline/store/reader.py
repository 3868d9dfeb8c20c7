"""The questions about a project's jobs: read-only, one method a question.

Like the moves, they send nothing: each is a `Call` that a connection runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pipeline.job import (
    NO_RUNS,
    KeptError,
    Letter,
    Outcome,
    Runs,
    State,
    decode_job,
    decode_outcome,
    decode_runs,
)
from pipeline.policy import Backoff, QueuePolicy, Timeout
from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.scripts import script
from pipeline.store.wire import Reply


class ShownError(Struct, frozen=True):
    """Why the last attempt failed."""

    type: str
    message: str
    traceback: str | None = None


class JobView(Struct, frozen=True, kw_only=True):
    """All that is kept of one job, as `jobs show --json` prints it. Times are ms since 1970.

    `attempt` is the one that runs or ran last, 0 before the first. `due_at` is set while it is delayed,
    `worker` while it is active, `key` as long as it holds a deduplication key until its end, `keep` when its id
    stays taken for another time after its end than its queue says, in ms. `dead_letter` tells
    whose copy a job of a dead-letter queue is; only where there is one redrives are counted in `redriven`. `flow` is the
    id of the flow whose step it is; at `expires_at` it is cancelled if it has not begun; `backoff` and `timeout` are its own.
    """

    id: str
    queue: str
    name: str
    state: State
    data: Any
    priority: int
    attempt: int
    attempts: int
    enqueued_at: int
    started_at: int | None = None
    finished_at: int | None = None
    result: Any = None
    error: ShownError | None = None
    progress: Any = None
    logs: list[str] = []
    errors: tuple[KeptError, ...] = ()
    crashes: int = 0
    worker: str | None = None
    due_at: int | None = None
    lane: str | None = None
    key: str = ""
    keep: int | None = None
    redriven: int = 0
    dead_letter: Letter | None = None
    flow: str | None = None
    expires_at: int | None = None
    backoff: Backoff | None = None
    timeout: Timeout | None = None


class Counts(Struct, frozen=True):
    """The figures of a queue at `time` (ms since 1970, the server's). `stats` are totals that only rise, as
    is `enqueued`; `oldest_at` is when the oldest waiting job came in. `paused` and `scale` are what people changed
    (overrides.py), `policy` what the file says, all as JSON; `removed` is the generation that lost the queue, and
    `held` until when a handler put it on hold, and `lanes` says how many jobs wait in the fullest."""

    time: int
    generation: int | None
    paused: str | None
    stats: dict[str, int]
    waiting: int
    delayed: int
    active: int
    completed: int
    dead: int
    cancelled: int
    workers: int
    parked: int
    oldest_at: int | None
    enqueued: int
    scale: str | None = None
    policy: bytes | None = None
    removed: int | None = None
    held: int | None = None
    lanes: dict[str, int] = {}


class Reader:
    """The questions about one queue of a project."""

    def __init__(self, project: str, queue: str) -> None:
        self.project = project
        self.name = queue
        self.queue = keys.base(project, queue)

    def counts(self) -> Call[Counts]:
        """How many jobs are in which state, and the totals."""
        return Call(script("counts").command(queue=self.queue), _counts)

    def policy(self) -> Call[QueuePolicy | None]:
        """The policy that a supervisor published; None when there was none yet."""
        return Call(("HGET", keys.meta(self.queue), "policy"), _policy)

    def show(self, ids: Sequence[str], policy: QueuePolicy | None = None) -> Call[list[JobView | None]]:
        """What is kept of these jobs, with its logs if it is one; None for one that is not kept.

        `policy` tells how many attempts the job has.
        """

        def read(reply: Reply) -> list[JobView | None]:
            found = zip(ids, reply, strict=True)
            return [None if kept is None else _view(self.name, id, policy, *kept) for id, kept in found]

        return Call(script("show").command(queue=self.queue, rest=ids), read)

    def kept(self, id: str) -> Call[tuple[JobView, bytes] | None]:
        """What is kept of one job, and its record as it is written; None when it is not kept."""
        command, read = self.show([id])

        def both(reply: Reply) -> tuple[JobView, bytes] | None:
            (job,) = read(reply)
            return None if job is None else (job, reply[0][1])

        return Call(command, both)


def queue_names(project: str) -> Call[list[str]]:
    """The queues that were ever published."""
    return Call(("SMEMBERS", keys.queues(project)), lambda reply: sorted(_texts(reply)))


def generation(project: str) -> Call[int]:
    """The number of the newest config that was applied; 0 when there was none."""
    return Call(("LLEN", keys.generations(project)), int)


def supervisors(project: str) -> Call[dict[str, dict[str, Any]]]:
    """What each supervisor last said of itself, by its name."""
    return Call(("HGETALL", keys.supervisors(project)), _records)


def server_time() -> Call[int]:
    """The server's clock, in ms since 1970."""
    return Call(("TIME",), lambda reply: int(reply[0]) * 1000 + int(reply[1]) // 1000)


def _texts(reply: Reply) -> list[str]:
    return [item.decode(errors="replace") for item in reply]


def _text(reply: Reply) -> str | None:
    return None if reply is None else str(reply.decode(errors="replace"))


def _integer(reply: Reply) -> int | None:
    return None if reply is None else int(float(reply))


def _policy(reply: Reply) -> QueuePolicy | None:
    return None if reply is None else msgspec.json.decode(reply, type=QueuePolicy)


def _records(reply: Reply) -> dict[str, dict[str, Any]]:
    return {name: msgspec.json.decode(text) for name, text in _pairs(reply).items()}


def _pairs(reply: Reply) -> dict[str, bytes]:
    return dict(zip(_texts(reply[::2]), reply[1::2], strict=True))


def _counts(reply: Reply) -> Counts:
    time, meta_reply, stats, *figures, oldest, enqueued, lanes = reply
    meta = _pairs(meta_reply)
    row: list[Any] = [
        time,
        _integer(meta.get("generation")),
        _text(meta.get("paused")),
        {name: int(value) for name, value in _pairs(stats).items()},
        *figures,
        None if oldest is None else decode_job(oldest).enqueued_at,
        enqueued,
        _text(meta.get("scale")),
        meta.get("policy"),
        _integer(meta.get("removed")),
        _integer(held[1] if (held := meta.get("held", b"").split())[1:] else None),
        {name: int(count) for name, count in _pairs(lanes).items()},
    ]
    return Counts(*row)


def _view(
    queue: str,
    id: str,
    policy: QueuePolicy | None,
    state_reply: bytes,
    record: bytes,
    runs_reply: bytes | None,
    outcome_reply: bytes | None,
    progress: bytes | None,
    worker: bytes | None,
    due: bytes | None,
    lane: bytes | None,
    logs: list[bytes],
) -> JobView:
    """A job from what show.lua answers, in its order."""
    job = decode_job(record)
    runs = NO_RUNS if runs_reply is None else decode_runs(runs_reply)
    outcome = None if outcome_reply is None else decode_outcome(outcome_reply)
    state: State = state_reply.decode()  # type: ignore[assignment]
    known = policy.job(job.name) if policy else None
    return JobView(
        id=id,
        queue=queue,
        name=job.name,
        state=state,
        data=job.data,
        priority=job.options.priority,
        attempt=_attempt(state, runs, outcome),
        attempts=job.options.attempts or (known.retry.attempts if known else 1),
        enqueued_at=job.enqueued_at,
        started_at=outcome.started_at if outcome else None,
        finished_at=outcome.finished_at if outcome else None,
        result=outcome.result if outcome else None,
        error=_error(state, runs, outcome),
        progress=msgspec.json.decode(progress) if progress else None,
        errors=runs.errors,
        crashes=runs.crashes,
        worker=worker.decode() if worker else None,
        due_at=None if due is None else int(due),
        lane=_text(lane),
        logs=_texts(logs),
        key=job.options.key,
        keep=job.options.keep,
        redriven=runs.redriven,
        dead_letter=job.options.dead_letter,
        flow=job.options.flow or None,
        expires_at=job.options.expires,
        backoff=job.options.backoff,
        timeout=job.options.timeout,
    )


def _attempt(state: State, runs: Runs, outcome: Outcome | None) -> int:
    if outcome is not None:
        return outcome.attempt
    return runs.attempts + 1 if state == "active" else runs.attempts


def _error(state: State, runs: Runs, outcome: Outcome | None) -> ShownError | None:
    kept = outcome.error if outcome else None
    if kept is None and state != "completed" and runs.errors:
        kept = runs.errors[-1]
    return ShownError(kept.type, kept.message, kept.traceback or None) if kept else None
