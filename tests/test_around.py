"""What is around a handler: its order, its forms, and which of them fit."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from pipeline.around import enclose
from pipeline.errors import StartError
from pipeline.job import Job
from tests.worker.shop import shop

TRACE: list[str] = []


def plain(job: Any) -> str:
    TRACE.append(f"handler {job}")
    return "done"


async def on_loop(job: Any) -> str:
    return plain(job)


def outer(job: Any, call_next: Any) -> str:
    TRACE.append("outer")
    try:
        return f"<{call_next(job)}>"
    finally:
        TRACE.append("outer ends")


async def async_outer(job: Any, call_next: Any) -> str:
    TRACE.append("outer")
    try:
        return f"<{await call_next(job)}>"
    finally:
        TRACE.append("outer ends")


@contextmanager
def within(job: Any) -> Iterator[None]:
    TRACE.append("within")
    yield
    TRACE.append("within ends")


@asynccontextmanager
async def async_within(job: Any) -> AsyncIterator[None]:
    TRACE.append("within")
    yield
    TRACE.append("within ends")


@pytest.fixture(autouse=True)
def trace() -> list[str]:
    TRACE.clear()
    return TRACE


def stack(handler: Any, *around: Any) -> Any:
    call, is_async = handler, inspect.iscoroutinefunction(handler)
    for one in reversed(around):
        call = enclose(call, one, f"shop:{one.__name__}", is_async=is_async)
    found = call("job")
    return asyncio.run(found) if is_async else found


@pytest.mark.parametrize(
    ("handler", "around"),
    [
        (plain, (outer, within)),
        (on_loop, (async_outer, within)),
        (on_loop, (async_outer, async_within)),
    ],
)
def test_the_first_is_the_outermost(handler: Any, around: Any) -> None:
    assert stack(handler, *around) == "<done>"
    assert TRACE == ["outer", "within", "handler job", "within ends", "outer ends"]


def test_it_may_answer_in_the_place_of_the_handler() -> None:
    def closed(job: Any, call_next: Any) -> str:
        return "closed"

    assert stack(plain, closed) == "closed"
    assert TRACE == []


def bare(job: Any) -> Iterator[None]:
    yield


def one_argument(job: Any) -> None: ...


@contextmanager
def no_argument() -> Iterator[None]:
    yield


@pytest.mark.parametrize(
    ("handler", "around", "message"),
    [
        (plain, async_outer, r"shop:async_outer is `async def`, and the handler is plain"),
        (on_loop, outer, r"shop:outer is plain, and the handler is `async def`"),
        (plain, async_within, r"shop:async_within is an async context manager, and the handler is plain"),
        (plain, bare, r"shop:bare is a generator: put @contextmanager above it"),
        (
            plain,
            one_argument,
            r"shop:one_argument must take two arguments, the job and what calls the handler",
        ),
        (plain, no_argument, r"shop:no_argument must take one argument, the job"),
    ],
)
def test_what_does_not_fit_is_refused_with_advice(handler: Any, around: Any, message: str) -> None:
    with pytest.raises(StartError, match=message):
        stack(handler, around)


async def test_a_worker_runs_it_and_its_exception_is_the_attempts(broker: str) -> None:
    async def work(job: Job[Any]) -> str:
        return f"{job.data} at work"

    async def loud(job: Job[Any], call_next: Any) -> str:
        if job.data == "refused":
            raise PermissionError("not today")
        return str(await call_next(job)).upper()

    async with shop(broker, work, around=(loud,)) as it:
        it.worker()
        assert (await it.ends_as(await it.enqueue("work", "bees"), "completed")).result == "BEES AT WORK"
        dead = await it.ends_as(await it.enqueue("work", "refused"), "dead")
        assert dead.error is not None
        assert (dead.error.type, dead.error.message) == ("PermissionError", "not today")
