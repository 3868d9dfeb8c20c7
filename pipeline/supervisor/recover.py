"""What happens to the jobs of a worker that is gone or stands still.

Decided here, for records are opaque to the broker, and carried out by fenced scripts: it can be repeated, and
two supervisors may do it at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from pipeline.job import (
    NO_RUNS,
    AttemptError,
    Job,
    KeptError,
    Outcome,
    Runs,
    decode_job,
    decode_outcome,
    decode_runs,
    encode,
)
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.retry import Verdict, decide, way_back
from pipeline.store import names
from pipeline.store.call import run
from pipeline.store.letters import Death, copy_of
from pipeline.store.store import Held, Move, Store
from pipeline.store.wire import Connection
from pipeline.worker.attempt import retry_policy, timed_out
from pipeline.worker.board import Board

LETTERS = 100
Mode = Literal["dead", "lapsed", "still"]
CRASHED = AttemptError("WorkerCrashed", "its process died while this job ran")


class Scene(Struct, frozen=True):
    """What is known of a worker's end, by (id, lease). `crashed` jobs had begun and may be to blame; None means
    all that can have begun. `timed_out` ones passed their limit; `rerun` ones had begun and must run again through no
    fault of theirs. Every other job had not begun."""

    crashed: frozenset[tuple[str, int]] | None = frozenset()
    timed_out: frozenset[tuple[str, int]] = frozenset()
    rerun: frozenset[tuple[str, int]] = frozenset()


class Recovered(Struct, frozen=True):
    """How many jobs were moved, how many of them are to run alone, and the ids of those that died."""

    moved: int = 0
    alone: int = 0
    dead: tuple[str, ...] = ()


NOTHING = Recovered()
HOST_DIED = Scene(crashed=None)


async def reclaim(
    store: Store, connection: Connection, worker: str, mode: Mode, policy: QueuePolicy, scene: Scene, now: int
) -> Recovered:
    """Take back what `worker` holds. `now` is the server's time in ms. Raises BrokerError.

    With "dead" and "lapsed" the worker's name goes too; with "still" only what it has not begun is taken.
    """
    held = await run(connection, store.expel(worker, mode))
    if held is None:
        return NOTHING
    jobs = by_lease(held)
    if scene.crashed is None:
        # Jobs are begun in the order in which they came: more than there were slots cannot run.
        scene = Scene(crashed=frozenset(map(_key, jobs[: policy.at_once])))
    # The first to wait runs first again, so the newest goes to the front first.
    moves = [move(job, policy, scene, now) for job in reversed(jobs)]
    moved = 0
    if moves:
        await _send_letters(store.project, connection, policy, held, moves)
        known = set(map(_key, held))
        reruns, failed = len(known & scene.rerun), len(known & scene.timed_out)
        moved = await run(connection, store.reclaim(worker, moves, reruns, failed))
        ends = _ends(list(reversed(jobs)), moves, scene)
        if ends and moved == len(moves):
            await run(connection, names.count(store.project, policy.name, ends))
    await run(connection, store.leave(worker))
    alone = sum(step.move == "alone" for step in moves)
    return Recovered(moved, alone, tuple(_id(step) for step in moves if step.move == "dead"))


def _ends(jobs: Sequence[Held], moves: Sequence[Move], scene: Scene) -> Counter[str]:
    """How the attempts that these moves follow ended, by the names of their jobs."""
    found: Counter[str] = Counter()
    for job, step in zip(jobs, moves, strict=True):
        outcome = _outcome(job, step, scene)
        if outcome is not None and job.record is not None:
            found[names.field(outcome, decode_job(job.record).name)] += 1
    return found


def _outcome(job: Held, step: Move, scene: Scene) -> str | None:
    """What an attempt is counted as; None for a job that had not begun, or runs again through no fault of its own."""
    if step.move == "dead":
        return "dead"
    if _key(job) in scene.timed_out:
        return "failed"
    return "crashed" if _key(job) in (scene.crashed or ()) else None


async def _send_letters(
    project: str, connection: Connection, policy: QueuePolicy, held: list[Held], moves: list[Move]
) -> None:
    """What dies here has its copy in the dead-letter queue before it is settled. Raises BrokerError."""
    home = policy.dead_letter.queue
    dying = {step.id: step for step in moves if step.move == "dead"}
    if home is None or not dying:
        return
    copies = []
    for job in held:
        step = dying.get(job.id)
        error = decode_outcome(step.outcome).error if step is not None else None
        if error is not None and job.record is not None:
            copies.append(
                copy_of(policy.name, job.record, Death(job.id.decode(), _runs(job).redriven, error))
            )
    for first in range(0, len(copies), LETTERS):
        await run(connection, Store(project, home).letter(copies[first : first + LETTERS]))


async def relieve(
    store: Store, connection: Connection, worker: str, policy: QueuePolicy, board: Board
) -> int:
    """Give back what a worker that stands still has not begun; how many jobs that was. Raises BrokerError."""
    held = await run(connection, store.expel(worker, "still"))
    begun = {(job.id, job.lease) for job in board.running()}
    rest = [job for job in by_lease(held or []) if _key(job) not in begun]
    # Jobs are begun in the order in which they came: the first of these have ended, and are not told yet.
    waiting = rest[board.untold :]
    moves = [
        _unused(job, decode_job(job.record), policy) for job in reversed(waiting) if job.record is not None
    ]
    return await run(connection, store.reclaim(worker, moves)) if moves else 0


def by_lease(held: list[Held]) -> list[Held]:
    """In the order in which they were reserved: a batch shares a lease, and our ids count up."""
    return sorted(held, key=lambda job: (int(job.lease), len(job.id), job.id))


def move(held: Held, policy: QueuePolicy, scene: Scene, now: int) -> Move:
    """Where one job of a worker that is gone goes."""
    key = _key(held)
    if held.record is None:
        return Move("front", held.id, int(held.lease))
    job = decode_job(held.record)
    if key in scene.timed_out:
        return _after_timeout(held, job, policy, now)
    if scene.crashed is None or key in scene.crashed:
        return _after_crash(held, job, policy, now)
    return _unused(held, job, policy)


def _unused(held: Held, job: Job[object], policy: QueuePolicy) -> Move:
    back = way_back(_runs(held), policy.max_crashes)
    return Move("unused" if back == "front" else back, held.id, int(held.lease), job.options.priority)


def _after_crash(held: Held, job: Job[object], policy: QueuePolicy, now: int) -> Move:
    runs = _runs(held).crashed()
    if runs.crashes >= policy.max_crashes:
        message = f"{CRASHED.message}, {runs.crashes} times"
        kept = KeptError(runs.attempts + 1, now, CRASHED.type, message)
        return _dead(held, job, policy, runs, kept, now)
    back = way_back(runs, policy.max_crashes)
    return Move(back, held.id, int(held.lease), job.options.priority, runs=encode(runs))


def _after_timeout(held: Held, job: Job[object], policy: QueuePolicy, now: int) -> Move:
    rules = policy.job(job.name) or JobPolicy()
    failure = timed_out(job.options.timeout or rules.timeout)
    before = _runs(held)
    verdict: Verdict = decide(retry_policy(job, rules), before.attempts + 1, failure)
    runs = before.failed(failure.error, now, spent=verdict.spent)
    if verdict.move == "dead":
        return _dead(held, job, policy, runs, runs.errors[-1], now)
    return Move(verdict.move, held.id, int(held.lease), job.options.priority, verdict.delay, encode(runs))


def _dead(held: Held, job: Job[object], policy: QueuePolicy, runs: Runs, error: KeptError, now: int) -> Move:
    outcome = Outcome(error.attempt, None, now, None, error)
    return Move(
        "dead",
        held.id,
        int(held.lease),
        runs=encode(runs),
        outcome=encode(outcome),
        key=job.options.key,
        keep="" if held.id.isdigit() else job.options.kept(policy.ids_keep),
    )


def _runs(held: Held) -> Runs:
    return decode_runs(held.runs) if held.runs else NO_RUNS


def _key(held: Held) -> tuple[str, int]:
    return held.id.decode(), int(held.lease)


def _id(step: Move) -> str:
    return step.id.decode() if isinstance(step.id, bytes) else str(step.id)
