"""The moves of a flow: one method a script, as in store.py. The flows of one name have a slot of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from pipeline.flow import FlowPolicy, Member, StepPolicy
from pipeline.store import keys
from pipeline.store.call import Call
from pipeline.store.scripts import script
from pipeline.store.wire import Reply

FlowState = Literal["running", "failing", "handling", "cancelling", "completed", "failed", "cancelled"]
decode_flow = msgspec.json.Decoder(FlowPolicy).decode
OVER = ("completed", "failed", "cancelled")


class StepError(Struct, frozen=True):
    """Why a step, or the whole flow, failed. `member` is the index of the job within a `for_each` step."""

    type: str
    message: str
    member: int | None = None


class Ended(NamedTuple):
    """How a job of a flow ended: `end` is 'c' and the result, or 'f' (failed) or 'x' (cancelled) and the error, as JSON."""

    member: Member
    end: bytes


class Claim(NamedTuple):
    """A step that whoever holds this is to make the jobs of, from number `opened` on."""

    step: str
    opened: int
    round: int


class Answer(NamedTuple):
    """What whoever moved a flow is told. `state` is 'stopped' when nobody wants more jobs, 'made' when others made
    them all. With claims come the definition and the data (JSON)."""

    state: str
    claims: list[Claim]
    definition: bytes = b""
    data: bytes = b""


class Look(NamedTuple):
    """What is seen of a flow that does not move; `members` are jobs that it has not heard of. `more`: not all was seen."""

    answer: Answer
    stopped: bool
    more: bool
    members: list[Member]


class Trace(NamedTuple):
    """Where a job is: a state, 'gone' (not kept), or 'unknown': not even its id is remembered."""

    state: str
    outcome: bytes | None


def ended_error(type: str, message: str, member: Member | None = None) -> bytes:
    """An error as the flow keeps it."""
    return msgspec.json.encode(StepError(type, message, member.at if member else None))


class FlowStore:
    """The moves of the flows of one name. `id` is always the whole id."""

    def __init__(self, project: str, name: str) -> None:
        self.flow = keys.flow(project, name)

    def definition(self) -> Call[tuple[str | None, FlowPolicy | None]]:
        """The generation and definition that run; the definition is None when it was removed from the file."""
        return Call(("HMGET", keys.flow_meta(self.flow), "generation", "definition"), _definition)

    def publish(self, generation: int, policy: FlowPolicy | None) -> Call[int]:
        """Make a definition the one that counts; None closes the flow. The result is the generation that runs."""
        definition = b"" if policy is None else msgspec.json.encode(policy)
        command = script("flow_publish").command(flow=self.flow, generation=generation, definition=definition)
        return Call(command, int)

    def start(
        self, id: str, call: str, generation: str, policy: FlowPolicy, data: bytes
    ) -> Call[tuple[Literal["created", "duplicate"], Answer]]:
        """Begin a flow, unless there is one of that id. `call` marks a caller's call, which may be repeated."""
        command = script("flow_start").command(
            flow=self.flow,
            id=id,
            call=call,
            generation=generation,
            limit="" if policy.timeout is None else policy.timeout,
            definition=msgspec.json.encode(policy),
            data=data,
            rest=[value for name, step in policy.steps.items() for value in _row(policy, name, step)],
        )
        return Call(command, lambda reply: (reply[0].decode(), _answer(reply[1:])))

    def tell(
        self, id: str, by: str, step: str, round: int, ends: Sequence[str | bytes]
    ) -> Call[Answer | None]:
        """Jobs of one step have ended, 1,000 at most: member, end, member, end ...; see Ended. None when the flow is not
        kept."""
        command = script("flow_tell").command(flow=self.flow, id=id, by=by, step=step, round=round, rest=ends)
        return Call(command, _maybe)

    def opened(
        self,
        id: str,
        by: str,
        claim: Claim,
        *,
        made: int = 0,
        total: int = 0,
        error: bytes = b"",
    ) -> Call[Answer]:
        """The first `made` jobs of a step are there, of `total`; with an error no more can be made."""
        command = script("flow_opened").command(
            flow=self.flow,
            id=id,
            by=by,
            step=claim.step,
            round=claim.round,
            made=made,
            total=total,
            error=b"f" + error if error else b"",
        )
        return Call(command, _answer)

    def stop(self, id: str, how: Literal["cancelling", "failing"], error: bytes = b"") -> Call[str | None]:
        """Begin nothing more; the result is the state that the flow was in, None when it is not kept."""
        command = script("flow_stop").command(flow=self.flow, id=id, how=how, error=error)
        return Call(command, lambda reply: None if reply is None else reply.decode())

    def look(self, id: str, by: str, most: int) -> Call[Look | None]:
        """Look at a flow that does not move."""
        command = script("flow_look").command(flow=self.flow, id=id, by=by, most=most)

        def read(reply: Reply) -> Look | None:
            if reply is None:
                return None
            state, claims, definition, data, stopped, more, members = reply
            pairs = zip(members[::2], members[1::2], strict=True)
            found = [Member.of_field(id, field.decode(), int(round)) for field, round in pairs]
            return Look(_answer([state, claims, definition, data]), bool(stopped), bool(more), found)

        return Call(command, read)

    def retry(self, id: str, by: str) -> Call[tuple[str, bool, Answer] | None]:
        """Resume a flow: the state that it was in, and whether it must be asked again before it does."""
        command = script("flow_retry").command(flow=self.flow, id=id, by=by)

        def read(reply: Reply) -> tuple[str, bool, Answer] | None:
            return (
                None
                if reply is None
                else (reply[0].decode(), bool(reply[1]), _answer([reply[0], *reply[2:]]))
            )

        return Call(command, read)

    def watch(self, quiet: int, count: int | None, age: int | None) -> Call[tuple[list[str], list[str], int]]:
        """The flows whose time is over, those that stand still, and how many ended ones were forgotten."""
        command = script("flow_watch").command(
            flow=self.flow,
            quiet=quiet,
            count="" if count is None else count,
            age="" if age is None else age,
        )
        return Call(command, lambda reply: (_texts(reply[0]), _texts(reply[1]), int(reply[2])))

    def ends(self, id: str, fields: Sequence[str]) -> Call[list[bytes | None]]:
        """How these members ended: None for one that has not."""
        return Call(("HMGET", keys.flow_ends(self.flow, id), *fields), list)

    def values(self, id: str, fields: Sequence[str]) -> Call[list[bytes | None]]:
        """Fields of the flow's own hash."""
        return Call(("HMGET", keys.flow_state(self.flow, id), *fields), list)

    def show(self, id: str) -> Call[dict[str, bytes]]:
        """Everything of the flow's own hash; empty when it is not kept."""
        command = ("HGETALL", keys.flow_state(self.flow, id))
        return Call(command, lambda reply: dict(zip(_texts(reply[::2]), reply[1::2], strict=True)))

    def newest(self, first: int, last: int, *, ended: bool) -> Call[list[str]]:
        """Ids of open or ended flows, the newest move first."""
        key = keys.flow_ended(self.flow) if ended else keys.flow_open(self.flow)
        return Call(("ZRANGE", key, first, last, "REV"), _texts)

    def open_count(self) -> Call[int]:
        """How many flows have not ended."""
        return Call(("ZCARD", keys.flow_open(self.flow)), int)

    def totals(self) -> Call[dict[str, int]]:
        """started, completed, failed, cancelled, retried: they only rise."""
        command = ("HGETALL", keys.flow_stats(self.flow))
        return Call(command, lambda reply: dict(zip(_texts(reply[::2]), map(int, reply[1::2]), strict=True)))


def trace(project: str, queue: str, ids: Sequence[str]) -> Call[list[Trace]]:
    """Where these jobs are."""
    command = script("trace").command(queue=keys.base(project, queue), rest=ids)
    return Call(command, lambda reply: [Trace(state.decode(), outcome) for state, outcome in reply])


def flow_names(project: str) -> Call[list[str]]:
    """The flows that were ever published."""
    return Call(("SMEMBERS", keys.flows(project)), lambda reply: sorted(_texts(reply)))


def _row(policy: FlowPolicy, name: str, step: StepPolicy) -> Iterator[str]:
    """A step as flow_start.lua takes it."""
    yield from (name, step.kind, "1" if step.for_each is not None else "")
    yield from (" ".join(step.needs), " ".join(policy.dependants(name)))


def _definition(reply: Reply) -> tuple[str | None, FlowPolicy | None]:
    generation, definition = reply
    return generation and generation.decode(), decode_flow(definition) if definition else None


def _answer(reply: Reply) -> Answer:
    state, flat, *rest = reply
    rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return Answer(
        state.decode(), [Claim(step.decode(), int(opened), int(round)) for step, opened, round in rows], *rest
    )


def _maybe(reply: Reply) -> Answer | None:
    return None if reply is None else _answer(reply)


def _texts(reply: Iterable[bytes]) -> list[str]:
    return [item.decode() for item in reply]
