"""What producers know: the policies of the queues, the server's time, and where the broker is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Struct

from pipeline.broker import Address, parse
from pipeline.errors import JobNotFound, NoPolicy, QueueRemoved, UnknownFlow, UnknownJob, UnknownQueue
from pipeline.flow import FlowPolicy
from pipeline.plan import Plan
from pipeline.policy import QueuePolicy
from pipeline.producer import Batch, Wanted, batches, flow_records, new_job, plain_batches
from pipeline.store import layout
from pipeline.store.confirm import Confirm, of_file
from pipeline.store.reader import JobView
from pipeline.store.store import NewJob
from pipeline.telemetry.switch import producers_trace

if TYPE_CHECKING:
    from pipeline.telemetry.send import Sender

Checked = TypeVar("Checked")
decode_policy = msgspec.json.Decoder(QueuePolicy).decode
FRESH_SECONDS = 60.0
LONGEST_CALL = 50.0
NOTHING_SAID = (None,) * 6
NOTHING_OF_ITS_OWN = (*(None,) * 8, False, None)
"""The options of an enqueue call that only has a payload."""


class Known(Struct, frozen=True):
    """What a producer knows of a queue. `offset` turns this host's monotonic ms into the server's time;
    `confirm` is what a call waits for beside its answer."""

    generation: str
    policy: QueuePolicy
    offset: float
    asked: float
    confirm: Confirm | None = None

    def server_ms(self) -> int:
        return int(time.monotonic() * 1000 + self.offset)


class Policies:
    """The policy of each queue with the generation that it belongs to, as far as it is known here."""

    def __init__(self, plan: Plan | None) -> None:
        self.file = dict(plan.queues) if plan else {}
        self._flows = dict(plan.flows) if plan else {}
        self.root = plan.root if plan else ""
        self._confirm = of_file(plan.broker) if plan else None
        self._known: dict[str, Known] = {}

    def get(self, queue: str) -> Known | None:
        """What is known; None when the broker must be asked first. A clock's drift ends with a minute."""
        known = self._known.get(queue)
        return known if known is not None and time.monotonic() - known.asked < FRESH_SECONDS else None

    def policy(self, queue: str) -> QueuePolicy | None:
        """The policy as far as it is known without asking."""
        known = self._known.get(queue)
        return known.policy if known else self.file.get(queue)

    def learn(self, queue: str, answer: list[Any]) -> Known:
        """Take in the broker's answer. Raises UnknownQueue, QueueRemoved, or NoPolicy when nothing says what
        queues exist."""
        now = time.monotonic()
        at, generation, policy, removed, waiting, confirm, written = (*answer, *NOTHING_SAID)[:7]
        layout.check(layout.Layout.read(written), queue)
        offset = at - now * 1000
        self._known.pop(queue, None)
        if generation is not None and policy is not None:
            condition = Confirm.read(confirm.decode()) if confirm else None
            known = Known(generation.decode(), decode_policy(policy), offset, now, condition)
        elif removed is not None:
            raise queue_removed(queue, int(removed), waiting)
        elif queue in self.file:
            known = Known("", self.file[queue], offset, now, self._confirm)
        elif self.file:
            raise unknown_queue(queue, self.file)
        else:
            raise NoPolicy(
                f"nothing says what queue {queue!r} is: no supervisor has run, and this client has no file",
                "give the client the config file, or start `pipeline run` first",
            )
        self._known[queue] = known
        return known

    def flow(self, name: str, generation: str | None, published: FlowPolicy | None) -> FlowPolicy:
        """The definition of a flow that counts: the published one, and before a supervisor ran that of the file.

        Raises UnknownFlow.
        """
        if published is not None:
            return published
        if generation is None and name in self._flows:
            return self._flows[name]
        if generation is not None:
            raise UnknownFlow(f"flow {name!r} was removed from the file", "put it back into the file")
        raise unknown_flow(name, self._flows)

    def batches(self, queue: str, known: Known, jobs: Sequence[tuple[str, Any] | Wanted]) -> list[Batch]:
        """The jobs, checked, in batches. Raises EnqueueError."""
        at = known.server_ms()
        return plain_batches(known.policy, at, jobs) or self._checked(
            queue, known, lambda policy: batches(policy, at, [Wanted(*job) for job in jobs])
        )

    def new_job(self, queue: str, known: Known, wanted: Wanted) -> NewJob:
        """One job, checked. Raises EnqueueError."""
        return self._checked(queue, known, lambda policy: new_job(policy, known.server_ms(), wanted))

    def flow_records(
        self, queue: str, known: Known, name: str, flow: str, payloads: Sequence[Any]
    ) -> tuple[int, list[bytes], list[str]]:
        """The level, the records and the lanes of jobs of one step of a flow, checked. A flow's ids keep a second job off, and
        not the deduplication of its queues. Raises EnqueueError."""
        at = known.server_ms()
        return self._checked(queue, known, lambda policy: flow_records(policy, at, name, flow, payloads))

    def _checked(self, queue: str, known: Known, check: Callable[[QueuePolicy], Checked]) -> Checked:
        # A job that only the producer's own file knows is taken, and waits.
        try:
            return check(known.policy)
        except UnknownJob:
            if queue not in self.file or known.policy is self.file[queue]:
                raise
            return check(self.file[queue])


def sender(address: Address) -> Sender | None:
    """What traces the enqueues of a client; None where nobody wants it."""
    if not producers_trace():
        return None
    from pipeline import __version__
    from pipeline.telemetry.send import Sender

    return Sender(address, __version__)


def traced(job: tuple[str, Any] | Wanted, carrier: dict[str, str]) -> Wanted:
    """The job with the context that it carries."""
    return Wanted(*job)._replace(trace=carrier or None)


def unknown_queue(queue: str, known: Iterable[str]) -> UnknownQueue:
    """The refusal, with the near name or all of them."""
    from pipeline.config.suggest import did_you_mean

    names = sorted(known)
    return UnknownQueue(
        f"there is no queue {queue!r}", did_you_mean(queue, names) or f"there are {', '.join(names)}"
    )


def unknown_flow(name: str, known: Iterable[str]) -> UnknownFlow:
    """The refusal, with the near name or all of them."""
    from pipeline.config.suggest import did_you_mean

    names = sorted(known)
    otherwise = f"there are {', '.join(names)}" if names else "`flows:` in the file declares them"
    return UnknownFlow(f"there is no flow {name!r}", did_you_mean(name, names) or otherwise)


def queue_removed(queue: str, generation: int, waiting: int) -> QueueRemoved:
    """The refusal of a queue that was in the file once."""
    jobs = "1 job waits" if waiting == 1 else f"{waiting:,} jobs wait"
    return QueueRemoved(
        f"queue {queue!r} was removed from the file in generation {generation}; {jobs} there",
        f"put it back into the file, or delete what waits: pipeline purge {queue}",
    )


def job_not_found(queue: str, id: str) -> JobNotFound:
    """The refusal of a job that is not kept."""
    return JobNotFound(f"queue {queue!r} keeps no job {id!r}", "it may have been trimmed; see retention")


def found(queue: str, id: str, jobs: list[JobView | None]) -> JobView:
    """The one job asked for."""
    if jobs[0] is None:
        raise job_not_found(queue, id)
    return jobs[0]


def time_limit(seconds: float) -> float:
    """The time limit of a client's calls. Raises ValueError for one that is too long: the broker remembers a call for
    a minute, and repeated after that it would make a second job."""
    if not 0 < seconds <= LONGEST_CALL:
        raise ValueError(f"timeout is {seconds:g} s: it must be above 0 and at most {LONGEST_CALL:g}")
    return seconds


def locate(
    target: str | Path | Plan, name: str | None, profile: str | None = None
) -> tuple[str, Address, Plan | None]:
    """Project, address and plan of a config file, or of a broker's URL and a project's name.

    `profile` is laid over the file, by default $PIPELINE_PROFILE.
    """
    if isinstance(target, str) and "://" in target:
        if name is None:
            raise TypeError("a client with a URL needs name=, the `name` in the project's file")
        return name, parse(target), None
    from pipeline.state import broker_url

    plan = plan_of(target, profile)
    return plan.name, parse(broker_url(plan)), plan


def plan_of(target: str | Path | Plan, profile: str | None) -> Plan:
    """The plan of a config file, or the plan that was given. Raises ConfigError."""
    if isinstance(target, Plan):
        return target
    # Its imports take longer than an enqueue: a client with an address or a plan goes without them.
    from pipeline.config.load import require

    named = os.environ.get("PIPELINE_PROFILE") if profile is None else profile
    return require(Path(target), profile=named or None)
