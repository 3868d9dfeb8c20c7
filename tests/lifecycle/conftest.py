"""A project of its own for each test: handlers, a plan, and supervisors as real processes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import pytest

from faults.processes import children_of, is_gone
from pipeline import Client
from pipeline.broker import parse
from pipeline.errors import BrokerUnavailable
from pipeline.job import decode_outcome
from pipeline.plan import BrokerPlan, Plan, PoolPlan, ReloadPlan, RestartPlan, SupervisorPlan
from pipeline.policy import Backoff, JobPolicy, QueuePolicy, RetryPolicy, Timeout
from pipeline.status.supervisors import SupervisorState
from pipeline.store import keys
from pipeline.store.connect import connect, connect_blocking
from pipeline.supervisor.binary import find_server
from pipeline.supervisor.publish import Publisher

HERE = Path(__file__).parent
PATIENCE = 45.0
PIPELINE = [sys.executable, "-m", "pipeline"]


T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The first true answer of `look`."""
    until = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.005)
    return found


class Event:
    """A line that a handler wrote."""

    def __init__(self, line: str) -> None:
        self.what, self.queue, self.id, attempt, pid, at = line.split()
        self.attempt, self.pid, self.at = int(attempt), int(pid), float(at)


class Run:
    """A supervisor process and what it printed."""

    def __init__(self, command: list[str], root: Path) -> None:
        self._file = root / f"output-{time.monotonic_ns()}"
        with self._file.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self.process.pid

    @property
    def output(self) -> str:
        return self._file.read_text()

    def says(self, text: str, seconds: float = PATIENCE) -> None:
        """Wait until it has printed `text`."""
        eventually(lambda: text in self.output or self.process.poll() is not None, text, seconds)
        assert text in self.output, self.output

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ends(self, seconds: float = PATIENCE) -> int:
        """Wait for its exit code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds} s:\n{self.output}") from None

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.ends()

    def children(self) -> list[int]:
        """Its child processes, zombies too."""
        return children_of(self.pid)


class Project:
    """Queues made by `queue()`, supervisors started by `run()`, and looks at what came of it."""

    eventually = staticmethod(eventually)
    is_gone = staticmethod(is_gone)
    children_of = staticmethod(children_of)

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url
        self.durability: Literal["everysec", "fsync"] = "everysec"
        self.rules = SupervisorPlan(
            stop_timeout=10_000,
            lease=15_000,
            restart=RestartPlan(delay=20, max=100, give_up_after=3),
            reload=ReloadPlan(watch=False),
        )
        self.setup: str | None = None
        self.queues: dict[str, QueuePolicy] = {}
        self.pools: dict[str, PoolPlan] = {}
        self.runs: list[Run] = []
        shutil.copy(HERE / "hands.py", root / "hands.py")

    def queue(
        self,
        name: str,
        handler: str,
        *,
        processes: int = 1,
        hard: int | None = None,
        attempts: int = 1,
        backoff: Backoff | None = None,
        **policy: Any,
    ) -> None:
        job = JobPolicy(handler=handler, timeout=Timeout(hard=hard), retry=RetryPolicy(attempts, backoff))
        self.queues[name] = QueuePolicy(name, others=job, **policy)
        self.pools[name] = PoolPlan((name,), processes)

    def plan(self) -> Plan:
        hash = str(abs(hash_of(self.queues, self.pools)))
        return Plan(
            "test",
            str(self.root),
            str(self.root / "p.yaml"),
            hash,
            BrokerPlan(self.url, self.durability),
            self.rules,
            self.setup,
            self.queues,
            self.pools,
        )

    def run(self, *options: str) -> Run:
        """Start a supervisor."""
        path = self.root / "plan.json"
        path.write_bytes(msgspec.json.encode(self.plan()))
        self.runs.append(Run([sys.executable, str(HERE / "run_plan.py"), str(path), *options], self.root))
        return self.runs[-1]

    def address(self) -> str:
        return f"unix://{self.root}/.pipeline/broker.sock" if self.url == "embedded" else self.url

    def ask(self, *command: str | int) -> Any:
        connection = connect_blocking(parse(self.address()))
        try:
            return connection.call(command)
        finally:
            connection.close()

    def ask_as(self, password: str, *command: str | int) -> Any:
        """As `ask`, on a broker that has a password now."""
        connection = connect_blocking(msgspec.structs.replace(parse(self.address()), password=password))
        try:
            return connection.call(command)
        except BrokerUnavailable:
            return None  # it hung up on us, too
        finally:
            connection.close()

    def ping(self) -> bool:
        """Whether the broker answers; one that still loads its data does not."""
        with socket.socket(socket.AF_UNIX) as connection:
            if connection.connect_ex(self.address().removeprefix("unix://")):
                return False
            connection.sendall(b"PING\r\n")
            return connection.recv(64) == b"+PONG\r\n"

    def enqueue(self, queue: str, *payloads: dict[str, Any], **options: Any) -> list[str]:
        """Jobs, all alike; their ids. Before a supervisor ran, the policy is published for it."""
        if not self.ask("HEXISTS", keys.meta(keys.base("test", queue)), "policy"):
            asyncio.run(self.publish())
        with Client(self.address(), name="test") as client:
            if options:
                return [client.enqueue(queue, "job", payload, **options).id for payload in payloads]
            return [one.id for one in client.enqueue_many(queue, [("job", payload) for payload in payloads])]

    async def publish(self) -> None:
        connection = await connect(parse(self.address()))
        await Publisher("test").greet(connection, self.plan(), "test")
        connection.close()

    def events(self, what: str) -> list[Event]:
        path = self.root / "events"
        lines = path.read_text().splitlines() if path.exists() else []
        return [event for event in map(Event, lines) if event.what == what]

    def sees(self, what: str, count: int = 1, seconds: float = PATIENCE) -> list[Event]:
        """Wait until handlers noted `what` so many times."""
        eventually(lambda: len(self.events(what)) >= count, f"{count} x {what}", seconds)
        return self.events(what)

    def stats(self, queue: str) -> dict[str, int]:
        flat = self.ask("HGETALL", keys.stats(keys.base("test", queue)))
        return {name.decode(): int(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}

    def completed(self, queue: str) -> set[str]:
        return {id.decode() for id in self.ask("LRANGE", keys.completed(keys.base("test", queue)), 0, -1)}

    def dead(self, queue: str) -> dict[str, str]:
        """The dead jobs, by id, with the type of their error."""
        base = keys.base("test", queue)
        errors = {}
        for id in self.ask("ZRANGE", keys.dead(base), 0, -1):
            error = decode_outcome(self.ask("HGET", keys.outcomes(base), id.decode())).error
            errors[id.decode()] = error.type if error is not None else ""
        return errors


def hash_of(*content: Any) -> int:
    return int.from_bytes(hashlib.sha256(msgspec.json.encode(content)).digest()[:8])


P = TypeVar("P", bound=Project)


def make(url: str, kind: type[P] = Project) -> Iterator[P]:  # type: ignore[assignment]
    # Not pytest's own folder: the path of a unix socket may have 107 bytes at most.
    root = Path(tempfile.mkdtemp(prefix="pq-"))
    project = kind(root, url)
    yield project
    for run in project.runs:
        family = [*run.children(), run.pid]
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.process.wait()
    shutil.rmtree(root)


class Written(Project):
    """A project whose supervisor reads a file, as a user's does."""

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root, url)
        self.file = root / "p.yaml"
        self.head = f"name: test\nbroker: {{url: '{url}'}}\nsupervisor: {{stop_timeout: 10s}}\n"

    def write(self, text: str) -> None:
        """Replace what stands below the head, in one step."""
        draft = self.root / "draft"
        draft.write_text(self.head + text)
        draft.replace(self.file)

    def run(self, *options: str) -> Run:
        """Start `pipeline run`."""
        self.runs.append(Run([*PIPELINE, "run", str(self.file), "--plain", *options], self.root))
        return self.runs[-1]

    def up(self, text: str, *options: str) -> Run:
        """Start `pipeline run` on this file, and wait until every pool runs."""
        self.write(text)
        run = self.run(*options)
        eventually(lambda: self.pools_run() or run.process.poll() is not None, "every pool runs")
        assert run.process.poll() is None, run.output
        return run

    def pools_run(self) -> bool:
        records = [one for one in self.records() if one.until > time.time() * 1000]
        return bool(records) and all(pool.state == "running" for one in records for pool in one.pools)

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def records(self) -> list[SupervisorState]:
        flat = self.ask("HGETALL", keys.supervisors("test"))
        return [msgspec.json.decode(text, type=SupervisorState) for text in flat[1::2]]

    def pipeline(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """What a command prints and returns."""
        command = [*PIPELINE, "--config", str(self.file), *arguments]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, timeout=60, check=False)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """A command that goes on while the test does."""
        command = [*PIPELINE, "--config", str(self.file), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.root, stdout=pipe, stderr=pipe, text=True)

    def reload(self, text: str) -> subprocess.CompletedProcess[str]:
        """Write the file and have it applied."""
        self.write(text)
        return self.pipeline("reload")

    def policy(self, queue: str) -> QueuePolicy:
        """What is published of a queue."""
        text = self.ask("HGET", keys.meta(keys.base("test", queue)), "policy")
        return msgspec.json.decode(text, type=QueuePolicy)

    def generation(self) -> int:
        return int(self.ask("LLEN", keys.generations("test")))


@pytest.fixture
def written(broker: str) -> Iterator[Written]:
    """A project with a file, on the test's own broker."""
    yield from make(broker, Written)


@pytest.fixture
def project(broker: str) -> Iterator[Project]:
    """A project on the test's own broker."""
    yield from make(broker)


@pytest.fixture
def embedded() -> Iterator[Project]:
    """A project with an embedded broker."""
    yield from make("embedded")


class OwnServer:
    """A server that a test may kill and start again; it keeps its jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"unix://{folder}/s"
        self.start()

    def start(self, *more: str) -> None:
        """Start it, with what it kept; `more` are further options."""
        options = {
            "port": "0",
            "unixsocket": f"{self.folder}/s",
            "dir": str(self.folder),
            "appendonly": "yes",
        }
        command = [find_server(), *(part for name, value in options.items() for part in (f"--{name}", value))]
        self.process = subprocess.Popen([*command, *more, "--save", "", "--logfile", f"{self.folder}/log"])

    def kill(self) -> None:
        """Kill it, as a crash does."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    """A server of the test's own."""
    folder = Path(tempfile.mkdtemp(prefix="pq-"))
    server = OwnServer(folder)
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture
def outage(project: Project, own_server: OwnServer) -> Project:
    """The project on a server of its own."""
    project.url = own_server.url
    project.queue("a", "hands:work")
    project.eventually(project.ping, "the server")
    return project
