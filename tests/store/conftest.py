"""A queue whose jobs are put into each state by the store's own moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pipeline.broker import parse
from pipeline.client import Client
from pipeline.job import KeptError, Options, Outcome, Runs, State, decode_job, encode
from pipeline.policy import JobPolicy, QueuePolicy, RetryPolicy
from pipeline.producer import Wanted
from pipeline.store import keys
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.listing import ALL, Filter
from pipeline.store.operator import Operator
from pipeline.store.reader import Counts, JobView
from pipeline.store.store import Move, Store

POLICY = QueuePolicy("emails", others=JobPolicy(retry=RetryPolicy(attempts=3)))
ERROR = KeptError(1, 1_000, "TimeoutError", "too slow", "Traceback ...")


class Bench:
    """A queue and one worker, moved by hand."""

    policy = POLICY

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = connect_blocking(parse(url))
        self.store = Store("shop", "emails")
        self.operator = Operator(self.connection, "shop", "emails")
        self.reader = self.operator.reader
        self.turns = 0
        self.publish(POLICY)
        run_blocking(self.connection, self.store.join("w1", 60_000))
        self.client = Client(url, "shop")

    def publish(self, policy: QueuePolicy) -> None:
        """Make this the policy that runs."""
        run_blocking(self.connection, self.store.publish(1, msgspec.json.encode(policy), ""))

    def enqueue(self, name: str = "send", *, count: int = 1, level: int = 0) -> list[str]:
        """Jobs of ours that wait."""
        jobs = [Wanted(name, {"n": n}, priority=level) for n in range(count)]
        return [accepted.id for accepted in self.client.enqueue_many("emails", jobs)]

    def enqueue_own(self, id: str, **options: Any) -> str:
        """A job with an id and other things of its own."""
        return self.client.enqueue("emails", "send", {"to": id}, id=id, **options).id

    def take(self, want: int) -> dict[str, int]:
        """Lease jobs to the worker: id -> lease number."""
        reply = self.turn(want=want)
        return {id.decode(): reply[3] for id in reply[4]}

    def turn(self, want: int = 0, moves: list[Move] | None = None) -> list[Any]:
        """One turn of the worker, which settles `moves`."""
        self.turns += 1
        command = self.store.turn(
            "w1", self.turns, want=want, park=False, source="", keep=-1,
            ids=[], leases=[], outcomes=[], moves=moves or [], counters=[],
        )  # fmt: skip
        return list(self.connection.call(command))

    def end(self, move: Any, *, runs: Runs | None = None, outcome: Outcome, key: str = "") -> str:
        """Take the next job and end it as `move` says."""
        ((id, lease),) = self.take(1).items()
        told = encode(runs) if runs else b""
        self.turn(moves=[Move(move, id.encode(), lease, runs=told, outcome=encode(outcome), key=key)])
        return id

    def die(self, error: KeptError = ERROR, at: int = 20) -> str:
        """Take the next job and let it die."""
        return self.end("dead", runs=Runs(1, 0, (error,)), outcome=Outcome(1, 10, at, None, error))

    def show(self, id: str) -> JobView:
        """What the reader says of one job that is kept."""
        (job,) = run_blocking(self.connection, self.reader.show([id], POLICY))
        assert job is not None
        return job

    def options(self, id: str) -> Options:
        """What a job has of its own."""
        return decode_job(self.connection.call(("HGET", keys.jobs(self.store.queue), id))).options

    def ids(self, *states: State, only: Filter = ALL, after: str | None = None) -> list[str]:
        """The ids that a list shows."""
        return [job.id for job in self.operator.jobs(states, only, after)]

    def counts(self) -> Counts:
        """The queue's figures."""
        return run_blocking(self.connection, self.reader.counts())


@pytest.fixture
def bench(broker: str) -> Iterator[Bench]:
    bench = Bench(broker)
    yield bench
    bench.client.close()
    bench.connection.close()
