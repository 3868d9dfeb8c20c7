"""What a person does to jobs: cancel, remove, redrive, promote, pause, scale, purge. Blocking, for commands and clients.

Each move first reads the records that it needs: a job's level and deduplication key stand in its options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from msgspec import Struct

from pipeline.errors import JobNotFound, WrongState
from pipeline.job import Options, State, decode_job, encode
from pipeline.policy import QueuePolicy
from pipeline.store import listing, overrides
from pipeline.store.blocking import BlockingConnection
from pipeline.store.bulk import Progress, again, cancelling, kept, move_many, never, silent
from pipeline.store.call import run_blocking
from pipeline.store.listing import Filter
from pipeline.store.overrides import Overrides, Pause, Scale
from pipeline.store.reader import JobView, Reader, server_time
from pipeline.store.store import Store

PURGE_CHUNK = 1_000


class Redriven(Struct, frozen=True):
    """The answer to a redrive of many: how many wait again, and why others do not (id -> reason)."""

    moved: int
    kept: dict[str, str]


class Operator:
    """The moves of a person on one queue. `progress` callbacks get the jobs done since the last call.

    `policy` is what the file says, for as long as no supervisor has published any.
    """

    def __init__(
        self, connection: BlockingConnection, project: str, queue: str, policy: QueuePolicy | None = None
    ) -> None:
        self.connection = connection
        self._policy = policy or QueuePolicy(queue)
        self.project = project
        self.queue = queue
        self.reader = Reader(project, queue)
        self.store = Store(project, queue)

    def job(self, id: str) -> JobView:
        """Everything kept of one job. Raises JobNotFound."""
        return self._find(id)

    def jobs(
        self,
        states: Sequence[State] = listing.LISTED,
        only: Filter = listing.ALL,
        after: str | None = None,
        deepest: int | None = None,
    ) -> Iterator[JobView]:
        """The jobs in these states, newest first; see `listing.list_jobs`."""
        policy = self.policy()
        return listing.list_jobs(
            self.connection, self.reader, policy, states, only=only, after=after, deepest=deepest
        )

    def look(self, ids: Sequence[str]) -> list[JobView]:
        """Those of these jobs that are kept."""
        found = listing.look_at(self.connection, self.reader, ids, self._known_policy)
        return [job for job in found if job is not None]

    @cached_property
    def _known_policy(self) -> QueuePolicy:
        return self.policy()

    def policy(self) -> QueuePolicy:
        """What holds for the queue."""
        return run_blocking(self.connection, self.reader.policy()) or self._policy

    def time(self) -> int:
        """The server's clock, in ms since 1970."""
        return run_blocking(self.connection, server_time())

    def cancel(self, id: str) -> str:
        """Withdraw a job that waits or is delayed, or have one that runs stopped; the result is the state it was in.
        Raises JobNotFound or WrongState."""
        job = self._find(id)
        call = cancelling(self.store, job, self.policy(), self.time())
        state = self._known(id, run_blocking(self.connection, call))
        if state not in ("waiting", "delayed", "active"):
            raise WrongState(f"job {id} of {self.queue!r} is {state} already", "there is nothing to cancel")
        return state

    def remove(self, id: str) -> str:
        """Delete a job that does not run; the result is the state it was in. Raises JobNotFound or WrongState."""
        job = self._find(id)
        entry = (id, job.priority, job.key, kept(job, self.policy()))
        (answer,) = run_blocking(self.connection, self.store.remove([entry]))
        state = self._known(id, answer)
        if state == "active":
            raise WrongState(f"job {id} of {self.queue!r} runs", "wait until it has ended")
        return state

    def promote(self, id: str) -> None:
        """A delayed job is due now. Raises JobNotFound or WrongState."""
        job = self._find(id)
        state = self._known(id, run_blocking(self.connection, self.store.hasten(id, job.priority)))
        if state != "delayed":
            raise WrongState(f"job {id} of {self.queue!r} is {state}", "only a delayed job can be promoted")

    def redrive(self, id: str) -> None:
        """A dead or cancelled job waits again, from attempt 1. Raises JobNotFound or WrongState."""
        job = self._find(id)
        (answer,) = run_blocking(self.connection, self.store.redrive([again(job, self.policy())]))
        state = self._known(id, answer)
        if state not in ("dead", "cancelled"):
            raise WrongState(f"job {id} of {self.queue!r} {_why_not(state)}", _instead(state))

    def redrive_many(self, jobs: Iterable[JobView], progress: Progress = silent) -> Redriven:
        """Redrive dead or cancelled jobs, in chunks."""
        # All are read before the first moves: a list that shrinks under its reader skips jobs.
        answer = move_many(self, "retry", [job.id for job in jobs], progress=progress)
        return Redriven(answer.moved, answer.kept)

    def remove_many(self, jobs: Iterable[JobView], progress: Progress = silent) -> int:
        """Delete jobs that do not run, in chunks; the result counts them."""
        return move_many(self, "remove", [job.id for job in jobs], progress=progress).moved

    def pause(self, by: str, until: int | None = None) -> bool:
        """Stop the queue for everyone, until `resume` or that time; `by` says who. Whether it ran until now."""
        return run_blocking(self.connection, self.store.pause(encode(Pause(by, self.time(), until))))

    def resume(self) -> bool:
        """Let the queue go on. Whether it was paused."""
        return run_blocking(self.connection, self.store.resume())

    def scale(self, scale: Scale) -> bool:
        """Let this number of processes count instead of the file's. Whether another person's did before."""
        return run_blocking(self.connection, self.store.scale(encode(scale)))

    def unscale(self) -> bool:
        """Let the file's number of processes count again. Whether a person's did."""
        return run_blocking(self.connection, self.store.unscale())

    def overrides(self) -> Overrides:
        """What people changed by hand, and holds now."""
        return run_blocking(self.connection, overrides.read(self.project, self.queue))

    def purge(self, progress: Progress = silent, stop: Callable[[], bool] = never) -> int:
        """Delete all waiting jobs, in chunks, before each of which `stop` is asked; the result counts them."""
        purged, more = 0, True
        while more and not stop():
            jobs, more = run_blocking(self.connection, self.store.purge(PURGE_CHUNK))
            ended = [(id.decode(), decode_job(record).options) for id, record in jobs]
            held = [(id, own.key, self._keep(id, own)) for id, own in ended if own.key or not id.isdigit()]
            if held:
                run_blocking(self.connection, self.store.free(held))
            purged += len(jobs)
            progress(len(jobs))
        return purged

    def _find(self, id: str) -> JobView:
        (job,) = run_blocking(self.connection, self.reader.show([id], self.policy()))
        if job is None:
            raise self._missing(id)
        return job

    def _known(self, id: str, state: str | None) -> str:
        if state is None:
            raise self._missing(id)
        return state

    def _missing(self, id: str) -> JobNotFound:
        help = "it may have ended and been trimmed; `pipeline jobs list` shows what is kept"
        return JobNotFound(f"queue {self.queue!r} keeps no job {id!r}", help)

    def _keep(self, id: str, own: Options) -> int | str:
        """How long a caller's id stays taken after its job, in ms; nothing for ids of ours."""
        return "" if id.isdigit() else own.kept(self.policy().ids_keep)


def _why_not(state: str) -> str:
    return f"is a {state}" if state.startswith("duplicate") else f"is {state}"


def _instead(state: str) -> str:
    if state.startswith("duplicate"):
        return "another job holds its deduplication key: when that has ended it can be redriven"
    if state == "delayed":
        return "`pipeline jobs promote` makes a delayed job run now"
    return "only dead and cancelled jobs can run again"
