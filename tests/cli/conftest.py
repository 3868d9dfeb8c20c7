"""A project on the test's own broker, and the command as a person calls it, in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from pipeline.broker import parse
from pipeline.cli import main
from pipeline.config.load import require
from pipeline.job import KeptError, Outcome, Runs, encode
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import run_blocking
from pipeline.store.connect import connect_blocking
from pipeline.store.store import Move, Store

CONFIG = """\
version: 1
name: shop
broker:
  url: {url}
  allow_eviction: true
queues:
  emails:
    handler: handlers:send
    timeout: 20s
    retry: {{attempts: 3, backoff: {{type: fixed, delay: 10s}}}}
  payments:
    jobs:
      capture:
        handler: handlers:send
        timeout: 20s
"""
HANDLERS = """\
async def send(job):
    if job.data == "fail":
        raise ValueError("no such\\x1b[31m address")
    return {"sent": job.data}
"""


class Shop:
    """A project in a folder of its own. `call` is the command line."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url
        (root / "configs").mkdir()
        self.file = root / "configs" / "shop.yaml"
        self.file.write_text(CONFIG.format(url=url))
        (root / "handlers.py").write_text(HANDLERS)
        self.turns = 0

    def call(self, *words: str | Path, input: str | None = None) -> Result:
        """`pipeline WORDS`, off a terminal."""
        env = {"PIPELINE_CONFIG": str(self.file), "NO_COLOR": "1"}
        result = CliRunner().invoke(main, list(map(str, words)), input=input, env=env)
        assert "Traceback (most recent call last)" not in result.output
        return result

    def ok(self, *words: str | Path, input: str | None = None) -> str:
        """What a command that must succeed prints."""
        result = self.call(*words, input=input)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *words: str | Path) -> Any:
        """What a command that must succeed prints with --json."""
        return json.loads(self.ok(*words, "--json"))

    def publish(self) -> None:
        """What a supervisor does first: the file's policies are the ones that run."""
        plan = require(self.file)
        with self.connection() as connection:
            for name, policy in plan.queues.items():
                call = Store("shop", name).publish(1, msgspec.json.encode(policy), "")
                run_blocking(connection, call)
            connection.call(("SADD", "{shop}:queues", *plan.queues))

    def connection(self) -> Closing:
        return Closing(self.url)

    def end(self, move: str = "dead", *, error: str = "ValueError", queue: str = "emails") -> str:
        """Run the next waiting job of a queue by hand, and end it so. Its id."""
        store = Store("shop", queue)
        self.turns += 1
        worker = f"w{self.turns}"
        kept = KeptError(1, 10, error, "went wrong", "Traceback: here")
        dead = move == "dead"
        outcome = Outcome(1, 5, 10, None if dead else {"sent": True}, kept if dead else None)
        with self.connection() as connection:
            run_blocking(connection, store.join(worker, 60_000))
            taken = connection.call(turn(store, worker, 1, want=1))
            (id,), lease = taken[4], taken[3]
            runs = encode(Runs(1, 0, (kept,))) if dead else b""
            settled = Move(move, id, lease, runs=runs, outcome=encode(outcome))  # type: ignore[arg-type]
            connection.call(turn(store, worker, 2, moves=[settled]))
            run_blocking(connection, store.leave(worker))
        return str(id.decode())


class Closing:
    """A connection that a `with` block closes."""

    def __init__(self, url: str) -> None:
        self._connection = connect_blocking(parse(url))

    def __enter__(self) -> BlockingConnection:
        return self._connection

    def __exit__(self, *error: object) -> None:
        self._connection.close()


def turn(
    store: Store, worker: str, number: int, *, want: int = 0, moves: list[Move] | None = None
) -> tuple[Any, ...]:
    """A turn that settles moves and takes `want` jobs."""
    return store.turn(
        worker, number, want=want, park=False, source="", keep=-1,
        ids=[], leases=[], outcomes=[], moves=moves or [], counters=[],
    )  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, broker: str) -> Iterator[Shop]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield Shop(tmp_path, broker)
    os.chdir(before)
