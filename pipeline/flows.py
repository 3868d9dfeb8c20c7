"""How flows go on: what is said to a flow, which steps that makes ready, and how their jobs are made.

Each way is a generator of calls, so that the same ways serve code with and without a loop: whoever walks it runs
each call and hands in its result. Every call may be repeated: ids keep a second job off, and a flow hears the end of a job
once. What one who dies leaves open, the next one who looks closes (supervisor/flows.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from pipeline.errors import EnqueueError, FlowNotFound, InvalidOption, InvalidPayload, PayloadTooLarge, WrongState
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
from pipeline.job import KeptError, decode_outcome, encode, has_nan
from pipeline.policies import Policies
from pipeline.store.confirm import Confirm
from pipeline.store.flows import OVER, Answer, Claim, Ended, FlowStore, Look, StepError, decode_flow, ended_error, trace
from pipeline.store.operator import cancelling
from pipeline.store.reader import Reader, server_time
from pipeline.store.store import Call, StalePolicy, Store

CHUNK = 1_000
SHOWN = 100
"""So many jobs are read whole at once."""
LOOKED_AT = 500
Result = TypeVar("Result")


class Sure(NamedTuple):
    """A call that is answered when it is confirmed, as durability asks."""

    call: Call[Any]
    confirm: Confirm | None


Way = Generator[Call[Any] | Sure, Any, Result]


def walk(way: Way[Result], run: Callable[[Call[Any] | Sure], Any]) -> Result:
    """Walk a way without a loop: `run` runs a step of it. What it raises ends the way, but for a policy that is not the
    newest any more."""
    told: Any = None
    stale: StalePolicy | None = None
    try:
        while True:
            step = way.send(told) if stale is None else way.throw(stale)
            try:
                told, stale = run(step), None
            except StalePolicy as error:
                stale = error
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


async def walk_async(
    way: Way[Result], run: Callable[[Call[Any] | Sure], Awaitable[Any]]
) -> Result:
    """As `walk`, with a loop."""
    told: Any = None
    stale: StalePolicy | None = None
    while True:
        try:
            step = way.send(told) if stale is None else way.throw(stale)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        try:
            told, stale = await run(step), None
        except StalePolicy as error:
            stale = error


class StartedFlow(Struct, frozen=True):
    """The answer to a start: the id of the flow, and whether it began now."""

    id: str
    status: Literal["created", "duplicate"]


class Failed(Struct, frozen=True):
    """What failed in a flow: a step, or with None its time limit."""

    step: str | None
    type: str
    message: str


class StepView(Struct, frozen=True, kw_only=True):
    """A step of a flow. `state` is blocked, ready (its jobs are being made), running, done, failed, cancelled or skipped;
    `total`, `done` and `failed` count its jobs; `ids` are those of its job, or of the first and last one."""

    name: str
    queue: str
    job: str
    needs: tuple[str, ...]
    kind: str
    state: str
    total: int | None
    done: int
    failed: int
    round: int
    error: StepError | None
    ids: tuple[str, ...]


class FlowView(Struct, frozen=True, kw_only=True):
    """What is kept of a flow. Times are ms since 1970. `error` is the flow's own: its time limit. State: running; failing
    (what runs ends); handling (its on_failure steps run); cancelling; completed, failed, cancelled."""

    id: str
    flow: str
    state: str
    data: Any
    started_at: int
    finished_at: int | None
    error: StepError | None
    steps: list[StepView]


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
        return _view(id, own)

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
        store = self.store(id)
        answer = yield store.tell(id, by, ends)
        if answer is not None:
            yield from self._open(store, id, by, answer)

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
            if told:
                answer = yield store.tell(id, by, told)
                if answer is not None:
                    yield from self._open(store, id, by, answer)
            if lost and not look.stopped:
                yield from self._again(store, id, by, look.answer, lost)
            heard += len(told)
            if not (look.stopped and len(look.members) == LOOKED_AT and told):
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
        for chunk in _chunks(members, SHOWN):
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
            roots = yield from self._roots(store, id, policy, step, told.data)
            jobs = payloads(step, roots)
            answer, first = None, claim.opened
            while answer is None or (first < len(jobs) and answer.state not in ("stopped", "made")):
                members = [
                    Member(id, claim.step, index if each else None, claim.round)
                    for index in range(first, min(first + CHUNK, len(jobs)))
                ]
                yield from self._make(store, step, members, jobs[first : first + CHUNK])
                answer = yield store.opened(
                    id, by, claim, first=first, count=len(members), total=len(jobs), each=each
                )
                if answer.state == "stopped":
                    yield from self._cancel(step.queue, members)
                first += len(members)
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
                jobs = payloads(step, (yield from self._roots(store, id, policy, step, data)))
                yield from self._make(store, step, ours, [jobs[member.index or 0] for member in ours])
            except (EnqueueError, LookupError) as error:
                told_error = ended_error(type(error).__name__, str(error))
                yield store.tell(id, by, [Ended(member, "f", told_error) for member in ours])

    def _make(
        self, flow: FlowStore, step: StepPolicy, members: list[Member], data: list[Any]
    ) -> Way[None]:
        """Put jobs in their queue. Those that ended in a round before are not made again."""
        if members and members[0].round > 1:
            ended = yield flow.ends(members[0].flow, [member.field for member in members])
            kept = [one for one, end in zip(zip(members, data, strict=True), ended, strict=True) if end is None]
            members, data = [member for member, _ in kept], [one for _, one in kept]
        if not members:
            return
        ids = job_ids(members)
        known, store = self._policies.get(step.queue), Store(self._project, step.queue)
        while True:
            if known is None:
                known = self._policies.learn(step.queue, (yield store.policy()))
            level, records = self._policies.flow_records(step.queue, known, step.job, members[0].flow, data)
            call = store.enqueue_own(known.generation, level, ids, records)
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

    # --- what a step can read -------------------------------------------------------------------------

    def _roots(
        self, store: FlowStore, id: str, policy: FlowPolicy, step: StepPolicy, data: bytes
    ) -> Way[dict[str, Any]]:
        """What the templates of a step may name; results only of the steps that they do name."""
        results = yield from self.results(id, [name for name in step.read if name in policy.steps])
        roots = {
            "data": msgspec.json.decode(data),
            "steps": {name: {"result": result} for name, result in results.items()},
        }
        if step.on_failure:
            roots["failed"] = msgspec.to_builtins((yield from self.failures(id))[0])
        return roots

    def results(self, id: str, names: Iterable[str]) -> Way[dict[str, Any]]:
        """The results of steps that have ended; see Job.needs. A step that did not run has none."""
        store, results = self.store(id), {}
        for name in names:
            state, total, each = yield store.values(id, [f"{name}.state", f"{name}.total", f"{name}.each"])
            if each is None:
                (end,) = yield store.ends(id, [name])
                if end is not None or state == b"failed":
                    results[name] = _result(end)
            elif state in (b"done", b"failed"):
                several = []
                for chunk in _chunks(range(int(total or 0)), CHUNK):
                    several += yield store.ends(id, [f"{name}:{index}" for index in chunk])
                results[name] = [_result(end) for end in several]
        return results

    def needs(self, member: Member) -> Way[dict[str, Any]]:
        """What Job.needs says."""
        policy = decode_flow((yield self.store(member.flow).values(member.flow, ["definition"]))[0] or b"")
        step = policy.steps[member.step]
        others = [name for name, other in policy.steps.items() if not other.on_failure]
        return (yield from self.results(member.flow, others if step.on_failure else step.needs))

    def failures(self, id: str) -> Way[list[Failed]]:
        """What Job.failures says."""
        own = yield self.store(id).show(id)
        failed = []
        if "error" in own:
            failed.append(_failed(None, own["error"]))
        for name in own["steps"].decode().split() if own else ():
            if own[f"{name}.state"] == b"failed" and not own[f"{name}.kind"]:
                failed.append(_failed(name, own[f"{name}.error"][1:]))
        return failed


def _view(id: str, own: dict[str, bytes]) -> FlowView:
    policy = decode_flow(own["definition"])
    finished = own.get("finished_at")
    return FlowView(
        id=id,
        flow=policy.name,
        state=own["state"].decode(),
        data=msgspec.json.decode(own["data"]),
        started_at=int(own["started_at"]),
        finished_at=int(finished) if finished else None,
        error=msgspec.json.decode(own["error"], type=StepError) if "error" in own else None,
        steps=[_step_view(id, name, step, own) for name, step in policy.steps.items()],
    )


def _step_view(id: str, name: str, step: StepPolicy, own: dict[str, bytes]) -> StepView:
    state, round, opened = (own[f"{name}.{field}"].decode() for field in ("state", "round", "opened"))
    ended, bad, total = int(own[f"{name}.done"]), int(own[f"{name}.bad"]), own.get(f"{name}.total")
    error = own.get(f"{name}.error")
    indexes = [None] if step.for_each is None else sorted({0, int(opened) - 1})
    made = [Member(id, name, index, int(round)).job for index in indexes if int(opened)]
    return StepView(
        name=name,
        queue=step.queue,
        job=step.job,
        needs=step.needs,
        kind=step.kind,
        state=state,
        total=int(total) if total is not None else None,
        done=max(ended - bad, 0),
        failed=bad,
        round=int(round),
        error=msgspec.json.decode(error[1:], type=StepError) if error else None,
        ids=tuple(made),
    )


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
            return Ended(member, "c", b"" if kept is None or kept.result is None else encode(kept.result))
        case "dead":
            return Ended(member, "f", told_error(member, kept.error if kept else None))
        case "cancelled":
            return Ended(member, "x", ended_error("Cancelled", "the job was cancelled", member))
    return Ended(member, "x", ended_error("Removed", "the job was removed or purged", member))


def told_error(member: Member, error: KeptError | None) -> bytes:
    """The error of a dead job, as the flow keeps it."""
    type, message = (error.type, error.message) if error else ("unknown", "the job is dead")
    return ended_error(type, message, member)


def _failed(step: str | None, text: bytes) -> Failed:
    error = msgspec.json.decode(text, type=StepError)
    return Failed(step, error.type, error.message)


def _result(end: bytes | None) -> Any:
    return msgspec.json.decode(end[1:]) if end is not None and end[:1] == b"c" and len(end) > 1 else None


def _not_found(id: str) -> FlowNotFound:
    return FlowNotFound(f"no flow {id!r} is kept", "`pipeline flows list` shows those that are")


def _by_queue(
    members: list[Member], steps: dict[str, StepPolicy]
) -> Iterator[tuple[str, list[Member]]]:
    queues: dict[str, list[Member]] = {}
    for member in members:
        queues.setdefault(steps[member.step].queue, []).append(member)
    yield from queues.items()


Item = TypeVar("Item")


def _chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    return (items[first : first + size] for first in range(0, len(items), size))
