"""How flows go on: what is said to a flow, which steps that makes ready, and how their jobs are made.

Each way is a generator of calls, so that the same ways serve code with and without a loop: whoever walks it runs
each call and hands in its result. Every call may be repeated: ids keep a second job off, and a flow hears the end of a job
once. What one who dies leaves open, the next one who looks closes (supervisor/flows.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

from msgspec import Struct

from pipeline.errors import (
    EnqueueError,
    FlowNotFound,
    InvalidOption,
    InvalidPayload,
    PayloadTooLarge,
    WrongState,
)
from pipeline.flow import (
    MOST_DATA,
    OWN_ID,
    WAY_OUT,
    FlowPolicy,
    Member,
    StepPolicy,
    job_ids,
    payloads,
    split_id,
)
from pipeline.flowread import CHUNK, chunks, roots_of
from pipeline.flowview import FlowView, view_of
from pipeline.job import KeptError, decode_outcome, encode, has_nan
from pipeline.policies import Policies
from pipeline.store.bulk import cancelling
from pipeline.store.call import StalePolicy
from pipeline.store.confirm import Confirm
from pipeline.store.flows import (
    OVER,
    Answer,
    Claim,
    Ended,
    FlowStore,
    Look,
    decode_flow,
    ended_error,
    trace,
)
from pipeline.store.reader import Reader, server_time
from pipeline.store.store import Store
from pipeline.ways import Sure, Way

SHOWN = 100
"""So many jobs are read whole at once."""
LOOKED_AT = 500
MADE_MS = 3_600_000
"""For so long whoever makes the jobs of a step may stand still, and makes none twice."""
Result = TypeVar("Result")


ByStep = dict[tuple[str, int], list[str | bytes]]
"""The ends of each step and round, flat, as FlowStore.tell takes them."""


class StartedFlow(Struct, frozen=True):
    """The answer to a start: the id of the flow, and whether it began now."""

    id: str
    status: Literal["created", "duplicate"]


class Flows:
    """The ways of a project's flows."""

    def __init__(self, project: str, policies: Policies) -> None:
        self._project = project
        self._policies = policies

    def store(self, id: str) -> FlowStore:
        """The moves of the flow with this id. Raises FlowNotFound."""
        parts = split_id(id)
        if parts is None:
            raise FlowNotFound(f"{id!r} is no id of a flow", "they look like checkout:order-17")
        return FlowStore(self._project, parts[0])

    # --- what people and programs ask -----------------------------------------------------------------

    def start(self, name: str, data: Any, own: str | None, call: str) -> Way[StartedFlow]:
        """Begin a flow. `own` is its id behind the name, `call` marks this call. Its first jobs are checked before
        anything is stored. Raises EnqueueError."""
        if own is not None and (not OWN_ID.fullmatch(own) or own.isdigit()):
            raise InvalidOption(f"{own!r} cannot be a flow's id", WAY_OUT + ", and not digits alone")
        store, text = FlowStore(self._project, name), _data(data)
        id = f"{name}:{own or call}"
        while True:
            generation, policy = yield store.definition()
            policy = self._policies.flow(name, generation, policy)
            confirm = yield from self._check(policy, id, data)
            try:
                status, answer = yield Sure(store.start(id, call, generation or "", policy, text), confirm)
            except StalePolicy:
                continue
            yield from self._open(store, id, call, answer)
            return StartedFlow(id, status)

    def show(self, id: str) -> Way[FlowView]:
        """What is kept of a flow. Raises FlowNotFound."""
        own = yield self.store(id).show(id)
        if not own:
            raise _not_found(id)
        return view_of(id, own)

    def cancel(self, id: str, by: str) -> Way[str]:
        """Stop a flow and all of its jobs; the result is the state it was in. Raises FlowNotFound, WrongState."""
        store = self.store(id)
        was = yield store.stop(id, "cancelling")
        if was is None:
            raise _not_found(id)
        if was in OVER:
            raise WrongState(f"flow {id} is {was} already", "there is nothing to cancel")
        yield from self.look(id, by)
        return str(was)

    def retry(self, id: str, by: str) -> Way[None]:
        """Resume a flow at what did not end well. Raises FlowNotFound, WrongState."""
        store, more = self.store(id), True
        while more:
            told = yield store.retry(id, by)
            if told is None:
                raise _not_found(id)
            was, more, answer = told
            if was not in ("failed", "cancelled"):
                raise WrongState(f"flow {id} is {was}", "only failed and cancelled flows can be retried")
        yield from self._open(store, id, by, answer)

    # --- what moves a flow ----------------------------------------------------------------------------

    def tell(self, id: str, by: str, ends: Sequence[Ended]) -> Way[None]:
        """Jobs have ended: 1,000 at most. The jobs of the steps that this makes ready are made."""
        answers = yield from self.say(id, by, _by_step(ends))
        yield from self.make(id, by, answers)

    def say(self, id: str, by: str, told: ByStep) -> Way[list[Answer]]:
        """As `tell`, for what is in order already; what is to be made is left to `make`."""
        store, answers = self.store(id), []
        for (step, round), ends in told.items():
            answer = yield store.tell(id, by, step, round, ends)
            if answer is not None:
                answers.append(answer)
        return answers

    def make(self, id: str, by: str, answers: Sequence[Answer]) -> Way[None]:
        """Make the jobs of the steps that these answers make ready."""
        for answer in answers:
            yield from self._open(self.store(id), id, by, answer)

    def expire(self, id: str, by: str, limit: str) -> Way[None]:
        """The time of a flow is over."""
        error = ended_error("TimeoutError", f"the flow takes longer than {limit}")
        yield self.store(id).stop(id, "failing", error)
        yield from self.look(id, by)

    def look(self, id: str, by: str) -> Way[int]:
        """Look at a flow that stands still: make jobs that somebody left unmade, and ask what became of those that it has
        not heard of. Those of a stopped flow are cancelled. The result counts the jobs that it now knows the end of."""
        store, heard = self.store(id), 0
        while True:
            look: Look | None = yield store.look(id, by, LOOKED_AT)
            if look is None:
                return heard
            yield from self._open(store, id, by, look.answer)
            steps = decode_flow(look.answer.definition).steps
            told, lost = yield from self._ends(look.members, steps, stopped=look.stopped)
            yield from self.tell(id, by, told)
            if lost:
                yield from self._again(store, id, by, look.answer, lost)
            heard += len(told)
            if not (look.stopped and look.more):
                return heard

    def _ends(
        self, members: list[Member], steps: dict[str, StepPolicy], *, stopped: bool
    ) -> Way[tuple[list[Ended], list[Member]]]:
        """What the queues say of these jobs: those that ended, and those that were never made."""
        ends, lost = list[Ended](), list[Member]()
        for queue, ours in _by_queue(members, steps):
            traces = yield trace(self._project, queue, [member.job for member in ours])
            alive = []
            for member, (state, outcome) in zip(ours, traces, strict=True):
                if state == "unknown" and not stopped:
                    lost.append(member)
                elif state in ("waiting", "delayed", "active"):
                    alive.append(member)
                else:
                    ends.append(_ended(member, state, outcome))
            if stopped:
                ends += yield from self._cancel(queue, alive)
        return ends, lost

    def _cancel(self, queue: str, members: list[Member]) -> Way[list[Ended]]:
        """Cancel jobs; the result are those that are cancelled already, for those that run are only told."""
        reader, store, ends = Reader(self._project, queue), Store(self._project, queue), []
        at = yield server_time()
        for chunk in chunks(members, SHOWN):
            for member, job in zip(chunk, (yield reader.show([one.job for one in chunk])), strict=True):
                if job is None:
                    continue
                state = yield cancelling(store, job, self._policies.policy(queue), at)
                if state in ("waiting", "delayed"):
                    ends.append(_ended(member, "cancelled", None))
        return ends

    # --- how the jobs of a step are made --------------------------------------------------------------

    def _open(self, store: FlowStore, id: str, by: str, answer: Answer) -> Way[None]:
        """Make the jobs of all steps that we are to."""
        todo = [(claim, answer) for claim in answer.claims]
        while todo:
            claim, told = todo.pop()
            answer = yield from self._open_step(store, id, by, told, claim)
            todo += [(one, answer) for one in answer.claims]

    def _open_step(self, store: FlowStore, id: str, by: str, told: Answer, claim: Claim) -> Way[Answer]:
        policy = decode_flow(told.definition)
        step = policy.steps[claim.step]
        each = step.for_each is not None
        try:
            roots = yield from roots_of(store, id, policy, step, told.data)
            jobs = payloads(step, roots)
            answer: Answer | None = None
            made = claim.opened
            while answer is None or (made < len(jobs) and answer.state not in ("stopped", "made")):
                members = [
                    Member(id, claim.step, index if each else None, claim.round)
                    for index in range(made, min(made + CHUNK, len(jobs)))
                ]
                yield from self._make(store, step, members, jobs[made : made + CHUNK])
                made += len(members)
                answer = yield store.opened(id, by, claim, made=made, total=len(jobs))
                if answer.state == "stopped":
                    yield from self._cancel(step.queue, members)
        except (EnqueueError, LookupError) as error:
            why = error.message if isinstance(error, EnqueueError) else str(error.args[0])
            answer = yield store.opened(id, by, claim, error=ended_error(type(error).__name__, why))
        return answer

    def _again(self, store: FlowStore, id: str, by: str, told: Answer, lost: list[Member]) -> Way[None]:
        """Make jobs anew of which nobody knows anything: a server that came back with an older state lost them."""
        policy = decode_flow(told.definition)
        data = told.data or (yield store.values(id, ["data"]))[0]
        for name in {member.step for member in lost}:
            step, ours = policy.steps[name], [member for member in lost if member.step == name]
            try:
                jobs = payloads(step, (yield from roots_of(store, id, policy, step, data)))
                data_of = [jobs[member.at or 0] for member in ours]
                yield from self._make(store, step, ours, data_of, again=True)
            except (EnqueueError, LookupError) as error:
                told_error = ended_error(type(error).__name__, str(error))
                yield from self.tell(id, by, [Ended(member, b"f" + told_error) for member in ours])

    def _make(
        self,
        flow: FlowStore,
        step: StepPolicy,
        members: list[Member],
        data: list[Any],
        *,
        again: bool = False,
    ) -> Way[None]:
        """Put jobs in their queue. Those that ended in a round before are not made again. `again`: the queue may have
        forgotten some of them, so each is looked at."""
        mark = "" if again else f"{members[0].job}:made" if members else ""
        if members and members[0].round > 1:
            ended = yield flow.ends(members[0].flow, [member.field for member in members])
            kept = [
                one for one, end in zip(zip(members, data, strict=True), ended, strict=True) if end is None
            ]
            members, data = [member for member, _ in kept], [one for _, one in kept]
        if not members:
            return
        ids = job_ids(members)
        known, store = self._policies.get(step.queue), Store(self._project, step.queue)
        while True:
            if known is None:
                known = self._policies.learn(step.queue, (yield store.policy()))
            level, records, lanes = self._policies.flow_records(
                step.queue, known, step.job, members[0].flow, data
            )
            call = store.enqueue_own(known.generation, level, ids, records, lanes, mark, MADE_MS)
            try:
                yield Sure(call, known.confirm)
            except StalePolicy:
                known = None
            else:
                return

    def _check(self, policy: FlowPolicy, id: str, data: Any) -> Way[Confirm | None]:
        """Check the first jobs of a flow; the result is what its start waits for. Raises EnqueueError."""
        confirm = None
        for name in policy.roots:
            step = policy.steps[name]
            known = self._policies.get(step.queue)
            if known is None:
                known = self._policies.learn(step.queue, (yield Store(self._project, step.queue).policy()))
            try:
                jobs = payloads(step, {"data": data})
            except LookupError as error:
                raise InvalidPayload(f"step {name!r} of {policy.name!r}: {error.args[0]}") from None
            self._policies.flow_records(step.queue, known, step.job, id, jobs)
            confirm = known.confirm
        return confirm


def _data(data: Any) -> bytes:
    """A flow's data as JSON. Raises InvalidPayload, PayloadTooLarge."""
    try:
        text = encode(data)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidPayload(f"the data of the flow is not JSON: {error}") from None
    if b"null" in text and has_nan(data):
        raise InvalidPayload("the data of the flow is not JSON: it holds NaN or Infinity")
    if len(text) > MOST_DATA:
        message = f"the data of the flow has {len(text):,} bytes, more than {MOST_DATA:,}"
        raise PayloadTooLarge(message, "store it elsewhere and send a reference")
    return text


def _ended(member: Member, state: str, outcome: bytes | None) -> Ended:
    """How a job ended, by what its queue keeps of it."""
    kept = decode_outcome(outcome) if outcome else None
    match state:
        case "completed":
            return Ended(member, b"c" + (b"" if kept is None or kept.result is None else encode(kept.result)))
        case "dead":
            return Ended(member, b"f" + told_error(member, kept.error if kept else None))
        case "cancelled":
            return Ended(member, b"x" + ended_error("Cancelled", "the job was cancelled", member))
    return Ended(member, b"x" + ended_error("Removed", "the job was removed or purged", member))


def told_error(member: Member, error: KeptError | None) -> bytes:
    """The error of a dead job, as the flow keeps it."""
    type, message = (error.type, error.message) if error else ("unknown", "the job is dead")
    return ended_error(type, message, member)


def _not_found(id: str) -> FlowNotFound:
    return FlowNotFound(f"no flow {id!r} is kept", "`pipeline flows list` shows those that are")


def _by_step(ends: Sequence[Ended]) -> ByStep:
    steps: ByStep = {}
    for (_, step, index, round), end in ends:
        told = steps.setdefault((step, round), [])
        told.append(step if index is None else f"{step}:{index}")
        told.append(end)
    return steps


def _by_queue(members: list[Member], steps: dict[str, StepPolicy]) -> Iterator[tuple[str, list[Member]]]:
    queues: dict[str, list[Member]] = {}
    for member in members:
        queues.setdefault(steps[member.step].queue, []).append(member)
    yield from queues.items()
