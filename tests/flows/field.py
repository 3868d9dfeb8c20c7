"""Flows without processes: jobs are done by hand, and whoever makes them may die between any two calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from pipeline.broker import parse
from pipeline.flow import FlowPolicy, Member, StepPolicy
from pipeline.flows import Flows
from pipeline.flowview import FlowView
from pipeline.job import encode
from pipeline.policies import Policies
from pipeline.policy import JobPolicy, QueuePolicy
from pipeline.store import keys
from pipeline.store.call import Call, run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.flows import Ended, FlowStore, ended_error
from pipeline.store.store import Store
from pipeline.ways import Sure, Way, walk

Result = TypeVar("Result")
QUEUES = ("stock", "money", "mail")
CHECKOUT = {
    "reserve": StepPolicy("stock", "reserve"),
    "charge": StepPolicy("money", "capture", ("reserve",), data={"stock": "{steps.reserve.result.id}"}),
    "pack": StepPolicy("stock", "pack", ("reserve",), for_each="{data.items}"),
    "mail": StepPolicy("mail", "receipt", ("charge", "pack"), data={"packed": "{steps.pack.result}"}),
    "sorry": StepPolicy("mail", "sorry", on_failure=True, data={"why": "{failed.message}"}),
}


class Died(Exception):
    """The process that walked a way is gone."""


class Field:
    """A project with three queues, in slots of their own. `dies_before` is the call (from 0) at which a walker dies."""

    def __init__(self, url: str) -> None:
        self.connection = connect_blocking(parse(url))
        self.calls: list[str] = []
        self.dies_before: int | None = None
        self.flows = Flows("shop", Policies(None))
        self._by = itertools.count()
        for name in QUEUES:
            policy = msgspec.json.encode(QueuePolicy(name, others=JobPolicy()))
            run_blocking(self.connection, Store("shop", name).publish(1, policy, ""))

    def declare(self, steps: dict[str, StepPolicy], name: str = "checkout", **own: Any) -> None:
        """Make this flow the one that counts."""
        run_blocking(self.connection, FlowStore("shop", name).publish(1, FlowPolicy(name, steps, **own)))

    def walk(self, way: Way[Result]) -> Result:
        """Walk a way as a new process would."""
        return walk(way, self.step)

    def step(self, step: Call[Any] | Sure) -> Any:
        """Run one step of a way."""
        call = step.call if isinstance(step, Sure) else step
        if self.dies_before == len(self.calls):
            self.dies_before = None
            raise Died
        self.calls.append(str(call.command[0]))
        return run_blocking(self.connection, call)

    def who(self) -> str:
        """The name of a new process."""
        return f"p{next(self._by)}"

    # --- what happens to flows ---------------------------------------------------------------------------

    def start(self, data: Any, own: str = "1", name: str = "checkout") -> str:
        return self.walk(self.flows.start(name, data, own + "x", self.who())).id

    def show(self, id: str) -> FlowView:
        return self.walk(self.flows.show(id))

    def states(self, id: str) -> dict[str, str]:
        return {step.name: step.state for step in self.show(id).steps}

    def done(self, id: str, *fields: str, result: Any = None, round: int = 1) -> None:
        """Jobs of a flow completed, as a worker says it."""
        self.tell(id, fields, b"c" + (b"" if result is None else encode(result)), round)

    def dead(self, id: str, *fields: str, round: int = 1) -> None:
        """Jobs of a flow died."""
        self.tell(id, fields, b"f" + ended_error("ValueError", "no"), round)

    def tell(self, id: str, fields: Iterable[str], end: bytes, round: int = 1) -> None:
        ends = [Ended(Member.of_field(id, field, round), end) for field in fields]
        self.walk(self.flows.tell(id, self.who(), ends))

    def look(self, id: str) -> int:
        return self.walk(self.flows.look(id, self.who()))

    def forget_claims(self, id: str) -> None:
        """Whoever claimed a step is silent for longer than it may be."""
        state = keys.flow_state(keys.flow("shop", id.partition(":")[0]), id)
        for name in self.show(id).steps:
            self.connection.call(("HDEL", state, f"{name.name}.claim"))

    # --- what stands in the queues ------------------------------------------------------------------------

    def jobs(self) -> dict[str, Any]:
        """The payload of every job that was made, by its id."""
        found = {}
        for queue in QUEUES:
            reply = self.connection.call(("HGETALL", keys.jobs(keys.base("shop", queue))))
            for id, record in zip(reply[::2], reply[1::2], strict=True):
                found[id.decode()] = msgspec.json.decode(record)[2]
        return found

    def cancelled(self) -> set[str]:
        """The ids of the jobs that were cancelled."""
        replies = [
            self.connection.call(("ZRANGE", keys.cancelled(keys.base("shop", q)), 0, -1)) for q in QUEUES
        ]
        return {id.decode() for reply in replies for id in reply}

    def times_made(self) -> int:
        """How many jobs were ever made."""
        stats = [self.connection.call(("HGET", keys.stats(keys.base("shop", q)), "own")) for q in QUEUES]
        return sum(int(count or 0) for count in stats)

    def end_in_queue(self, queue: str, id: str, move: Callable[[Store], Call[Any]]) -> None:
        """What a person does to one job, without a word to its flow."""
        assert id in self.jobs()
        run_blocking(self.connection, move(Store("shop", queue)))
