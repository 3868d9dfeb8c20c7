"""Apps test with `pipeline.testing`: no broker, the checks of a producer, the attempts of a worker."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline import AsyncClient, Client, Discard, Job, RetryLater
from pipeline.errors import (
    EnqueueError,
    InvalidOption,
    InvalidPayload,
    JobNotFound,
    NoPolicy,
    PayloadTooLarge,
    UnknownJob,
    UnknownQueue,
    WrongState,
)
from pipeline.policy import Backoff
from pipeline.pytest_plugin import file_fixture, inline_fixture, recorded_fixture  # noqa: F401
from pipeline.testing import Trial, inline, recorded

FILE = """
name: shop
broker: {url: "redis://localhost:1"}
retries:
  standard: {attempts: 3, backoff: {type: exponential, delay: 2s}, discard_on: [KeyError]}
queues:
  payments:
    retry: standard
    max_payload: 1KiB
    jobs:
      capture: {handler: "trialled:capture", schema: capture.json}
      refund: {handler: "trialled:refund"}
      unique: {handler: "trialled:refund", deduplication: {key: "{data.order}"}}
      hourly: {handler: "trialled:refund", deduplication: {key: "{data.order}", mode: throttle, ttl: 1h}}
      last: {handler: "trialled:refund", deduplication: {key: "{data.order}", mode: debounce, ttl: 5s}}
"""
SCHEMA = '{"type": "object", "required": ["order"]}'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "capture.json").write_text(SCHEMA)
    file = tmp_path / "shop.yaml"
    file.write_text(FILE)
    return file


@pytest.fixture
def hands() -> Iterator[ModuleType]:
    """The handlers; a test writes its own."""
    module = ModuleType("trialled")
    module.ran = []  # type: ignore[attr-defined]

    async def capture(job: Job[Any]) -> dict[str, Any]:
        module.ran.append(job.data)
        await job.progress(50)
        await job.log("charged")
        return {"attempt": job.attempt}

    def refund(job: Job[Any]) -> None:
        module.ran.append(job.data)

    module.capture, module.refund = capture, refund  # type: ignore[attr-defined]
    sys.modules["trialled"] = module
    yield module
    del sys.modules["trialled"]


def test_a_client_that_was_there_before_runs_its_jobs_at_once(file: Path, hands: Any) -> None:
    client = Client(file)
    with inline() as jobs:
        answer = client.enqueue("payments", "capture", {"order": 1})
        assert (answer.id, answer.status) == ("1", "created")
        assert hands.ran == [{"order": 1}]
        [job] = jobs
        assert (job.state, job.result, job.progress, job.logs) == (
            "completed",
            {"attempt": 1},
            50,
            ["charged"],
        )
        assert client.wait("payments", "1").result == {"attempt": 1}
    with pytest.raises(JobNotFound, match="no job '7' was put into queue 'payments'"):
        jobs.find("payments", "7")


async def test_an_async_client_awaits_its_jobs_on_its_own_loop(file: Path, hands: Any) -> None:
    loops = []

    async def capture(job: Job[Any]) -> None:
        loops.append(asyncio.get_running_loop())

    hands.capture = capture
    client = AsyncClient(file)
    with inline() as jobs:
        await asyncio.gather(*(client.enqueue("payments", "capture", {"order": n}) for n in range(3)))
        await client.enqueue_many("payments", [("refund", {"order": 3}), ("refund", {"order": 4})])
        assert loops == [asyncio.get_running_loop()] * 3
        assert [job.data["order"] for job in jobs] == [0, 1, 2, 3, 4]
        assert (await client.job("payments", "5")).state == "completed"


async def test_a_plain_client_in_a_coroutine_runs_async_handlers_too(file: Path, hands: Any) -> None:
    with inline():
        Client(file).enqueue("payments", "capture", {"order": 1})
    assert hands.ran == [{"order": 1}]


def test_one_loop_serves_all_async_handlers_of_a_plain_test(file: Path, hands: Any) -> None:
    loops = set()

    async def capture(job: Job[Any]) -> None:
        loops.add(asyncio.get_running_loop())

    hands.capture = capture
    with inline():
        for order in range(3):
            Client(file).enqueue("payments", "capture", {"order": order})
    assert len(loops) == 1


def test_plain_handlers_run_in_the_thread_and_context_of_the_test(file: Path, hands: Any) -> None:
    """So they see what a test has begun there: a transaction, for instance."""
    import threading

    threads = []
    hands.refund = lambda job: threads.append(threading.current_thread())
    with inline():
        Client(file).enqueue("payments", "refund")
    assert threads == [threading.current_thread()]


# --- what a producer checks ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [inline, recorded])
@pytest.mark.parametrize(
    ("queue", "job", "data", "options", "error"),
    [
        ("payment", "capture", {"order": 1}, {}, UnknownQueue),
        ("payments", "captur", {"order": 1}, {}, UnknownJob),
        ("payments", "capture", {"odrer": 1}, {}, InvalidPayload),
        ("payments", "capture", {"order": 1}, {"id": "17"}, InvalidOption),
        ("payments", "refund", {"order": object()}, {}, InvalidPayload),
        ("payments", "refund", {"order": "x" * 2000}, {}, PayloadTooLarge),
        ("payments", "refund", None, {"at": datetime(2030, 1, 1)}, InvalidOption),  # noqa: DTZ001
        ("payments", "unique", {}, {}, InvalidPayload),
    ],
)
def test_what_a_producer_refuses_is_refused(
    file: Path, hands: Any, mode: Any, queue: str, job: str, data: Any, options: Any, error: Any
) -> None:
    with mode() as jobs, pytest.raises(error) as caught:
        Client(file).enqueue(queue, job, data, **options)
    assert isinstance(caught.value, EnqueueError)
    assert (list(jobs), hands.ran) == ([], [])


def test_a_client_without_a_file_goes_by_the_one_of_the_test(file: Path, hands: Any) -> None:
    client = Client("redis://localhost:1", name="shop")
    with inline(), pytest.raises(NoPolicy) as caught:
        client.enqueue("payments", "refund")
    assert "give the file to the test" in caught.value.help
    with inline(file) as jobs:
        client.enqueue("payments", "refund")
    assert [job.state for job in jobs] == ["completed"]


def test_after_the_test_a_client_speaks_to_its_broker_again(file: Path, broker: str) -> None:
    file.write_text(FILE.replace("redis://localhost:1", broker))
    with Client(file) as client:
        with recorded() as jobs:
            client.enqueue("payments", "refund", {"order": "kept"})
        assert client.enqueue("payments", "refund", {"order": "sent"}).id == "1"
        assert client.job("payments", "1").data == {"order": "sent"}
    assert [job.data["order"] for job in jobs] == ["kept"]


# --- what a broker answers -----------------------------------------------------------------------------


def test_ids_and_keys_are_duplicates_as_a_broker_has_it(file: Path, hands: Any) -> None:
    client = Client(file)

    def put(job: str, order: int, **options: Any) -> tuple[str, str]:
        answer = client.enqueue("payments", job, {"order": order}, **options)
        return answer.id, answer.status

    with recorded() as jobs:
        assert put("refund", 1, id="a") == ("a", "created")
        assert put("refund", 1, id="a") == ("a", "duplicate")
        assert put("unique", 1) == ("1", "created")
        assert put("unique", 1) == ("1", "duplicate")
        assert put("hourly", 2) == ("2", "created")
        assert put("last", 3) == ("3", "created")
        assert put("last", 3) == ("3", "replaced")
        assert jobs.find("payments", "3").delay == 5_000
        jobs.run()
        assert len(hands.ran) == 4
        # Until it is done; within an hour; while it has not run; for good.
        assert put("unique", 1) == ("4", "created")
        assert put("hourly", 2) == ("2", "duplicate")
        assert put("last", 3) == ("5", "created")
        assert put("refund", 1, id="a") == ("a", "duplicate")


def test_delays_are_told_and_not_waited_for(file: Path, hands: Any) -> None:
    with recorded() as jobs:
        client = Client(file)
        client.enqueue("payments", "refund", delay="1h", priority=5)
        client.enqueue("payments", "refund", at=datetime.now(UTC) + timedelta(hours=2))
        assert [(job.state, job.priority) for job in jobs] == [("delayed", 5), ("delayed", 0)]
        assert [round(job.delay / 3_600_000) for job in jobs] == [1, 2]
        assert client.cancel("payments", "2") == "delayed"
        jobs.run()
        assert [job.state for job in jobs] == ["completed", "cancelled"]


def test_what_a_handler_puts_in_runs_too(file: Path, hands: Any) -> None:
    client = Client(file)

    def refund(job: Job[Any]) -> None:
        hands.ran.append(job.data)
        if job.data < 3:
            client.enqueue("payments", "refund", job.data + 1)

    hands.refund = refund
    for mode in (inline, recorded):
        with mode() as jobs:
            client.enqueue("payments", "refund", 1)
            jobs.run()
            assert [job.state for job in jobs] == ["completed"] * 3
    assert hands.ran == [1, 2, 3, 1, 2, 3]


# --- how attempts end ----------------------------------------------------------------------------------


def test_failed_attempts_follow_the_policy_without_its_pauses(file: Path, hands: Any) -> None:
    def refund(job: Job[Any]) -> int:
        hands.ran.append((job.attempt, job.attempts))
        if job.attempt < job.data:
            raise OSError("busy")
        return job.attempt

    hands.refund = refund
    with inline() as jobs:
        client = Client(file)
        client.enqueue("payments", "refund", 2)
        client.enqueue("payments", "refund", 9)
        client.enqueue("payments", "refund", 9, attempts=2, backoff=Backoff("fixed", 7))
    assert hands.ran == [(1, 3), (2, 3), (1, 3), (2, 3), (3, 3), (1, 2), (2, 2)]
    assert [(job.state, job.attempt, job.delays) for job in jobs] == [
        ("completed", 2, [2_000]),
        ("dead", 3, [2_000, 4_000]),
        ("dead", 2, [7]),
    ]
    assert jobs.dead == jobs.of("payments", "refund")[1:]
    dead = jobs[1]
    assert isinstance(dead.exception, OSError)
    assert (dead.error.type, dead.error.message, len(dead.errors)) == ("OSError", "busy", 3)


@pytest.mark.parametrize("error", [Discard("no"), KeyError("no")])
def test_what_is_not_worth_another_attempt_dies_at_once(file: Path, hands: Any, error: Exception) -> None:
    def refund(job: Job[Any]) -> None:
        raise error

    hands.refund = refund
    with inline() as jobs:
        Client(file).enqueue("payments", "refund")
    assert [(job.state, job.attempt, job.exception) for job in jobs] == [("dead", 1, error)]


async def test_a_job_that_wants_to_come_back_waits_for_the_next_run(file: Path, hands: Any) -> None:
    def refund(job: Job[Any]) -> None:
        hands.ran.append(job.attempt)
        if len(hands.ran) < 3:
            raise RetryLater("30s")

    hands.refund = refund
    with inline() as jobs:
        await AsyncClient(file).enqueue("payments", "refund")
        assert [(job.state, job.delays) for job in jobs] == [("delayed", [30_000])]
        await jobs.run_async()
        assert jobs[0].state == "delayed"
        await jobs.run_async()
        assert (jobs[0].state, hands.ran) == ("completed", [1, 1, 1])


def test_a_payload_that_does_not_fit_the_handlers_type_is_dead(file: Path, hands: Any) -> None:
    from msgspec import Struct

    class Order(Struct):
        order: int

    def refund(job: Job[Any]) -> None: ...

    refund.__annotations__["job"] = Job[Order]
    hands.refund = refund
    with inline() as jobs:
        Client(file).enqueue("payments", "refund", {"order": "seven"})
        Client(file).enqueue("payments", "refund", {"order": 7})
    assert [job.state for job in jobs] == ["dead", "completed"]
    assert jobs[0].error is not None
    assert jobs[0].error.type == "ValidationError"


def test_a_handler_of_batches_gets_a_list_of_one(file: Path, hands: Any) -> None:
    def refund(jobs: list[Job[Any]]) -> list[Any]:
        return [job.data if job.data != "bad" else Discard("bad") for job in jobs]

    hands.refund = refund
    file.write_text(FILE.replace("    retry:", "    batch: {size: 10}\n    retry:"))
    with inline() as jobs:
        Client(file).enqueue_many("payments", [("refund", 1), ("refund", "bad")])
    assert [(job.state, job.result) for job in jobs] == [("completed", 1), ("dead", None)]


def test_what_ends_a_test_goes_through_a_handler(file: Path, hands: Any) -> None:
    def refund(job: Job[Any]) -> None:
        pytest.fail("from within")

    hands.refund = refund
    with inline(), pytest.raises(pytest.fail.Exception, match="from within"):
        Client(file).enqueue("payments", "refund")


def test_the_root_of_the_project_is_on_the_path_while_the_test_lasts(file: Path) -> None:
    (file.parent / "trialled.py").write_text(
        "def refund(job): return 'from the root'\nasync def capture(job): ...\n"
    )
    before = list(sys.path)
    with inline() as jobs:
        Client(file).enqueue("payments", "refund")
    assert jobs[0].result == "from the root"
    assert sys.path == before
    del sys.modules["trialled"]


# --- fixtures ------------------------------------------------------------------------------------------


class TestFixtures:
    @pytest.fixture
    def pipeline_file(self, file: Path) -> Path:
        return file

    def test_the_fixture_runs_jobs_by_the_file_that_a_test_names(
        self, pipeline_inline: Trial, hands: Any
    ) -> None:
        Client("redis://localhost:1", name="shop").enqueue("payments", "refund", {"order": 1})
        assert [job.state for job in pipeline_inline] == ["completed"]

    def test_the_other_fixture_keeps_them(self, pipeline_recorded: Trial, hands: Any) -> None:
        Client("redis://localhost:1", name="shop").enqueue("payments", "refund", {"order": 1})
        assert [job.state for job in pipeline_recorded] == ["waiting"]


def test_pytest_finds_the_fixtures_once_the_package_is_installed() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"pipeline": "pipeline.pytest_plugin"}


@pytest.mark.parametrize("change", ["update", "promote", "retry", "duplicate"])
def test_what_needs_a_broker_is_refused(file: Path, change: str) -> None:
    with recorded(file), Client(file) as client:
        accepted = client.enqueue("payments", "refund", {})
        with pytest.raises(WrongState, match="jobs are not changed"):
            getattr(client, change)("payments", accepted.id)

        async def main() -> None:
            async with AsyncClient(file) as client:
                await getattr(client, change)("payments", accepted.id)

        with pytest.raises(WrongState, match="jobs are not changed"):
            asyncio.run(main())
