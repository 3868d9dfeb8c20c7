"""`setup` may be a function or a context manager, async or not; what it opens is closed once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import ModuleType
from typing import Any

import pytest

from pipeline.errors import StartError
from pipeline.lifespan import Lifespan

SEEN: list[Any] = []


def function() -> object:
    SEEN.append("called")
    return open(__file__)  # noqa: PTH123 - a value that could be entered, and is not


async def coroutine() -> None:
    await asyncio.sleep(0)
    SEEN.append(asyncio.get_running_loop())


@contextmanager
def manager() -> Iterator[None]:
    SEEN.append("open")
    yield
    SEEN.append("close")


@asynccontextmanager
async def async_manager() -> AsyncIterator[None]:
    SEEN.append(asyncio.get_running_loop())
    yield
    SEEN.append(asyncio.get_running_loop())


class Opened:
    def __enter__(self) -> None:
        SEEN.append("open")

    def __exit__(self, *_: object) -> None:
        SEEN.append("close")


@contextmanager
def fails_late() -> Iterator[None]:
    yield
    raise OSError("the pool does not close")


def bare() -> Iterator[None]:
    yield


def argument(app: object) -> None: ...


@pytest.fixture(autouse=True)
def boot() -> Iterator[None]:
    module = ModuleType("booted")
    vars(module).update(globals())
    sys.modules["booted"] = module
    SEEN.clear()
    yield
    del sys.modules["booted"]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def lived(loop: asyncio.AbstractEventLoop, name: str) -> list[Any]:
    lifespan = Lifespan(loop, f"booted:{name}")
    lifespan.begin()
    lifespan.end(5_000, 0)
    lifespan.end(5_000, 0)
    return SEEN


@pytest.mark.filterwarnings("ignore:unclosed file")
def test_a_function_is_called_and_what_it_returns_is_its_own_matter(loop: asyncio.AbstractEventLoop) -> None:
    assert lived(loop, "function") == ["called"]


@pytest.mark.parametrize("name", ["manager", "Opened"])
def test_a_context_manager_is_entered_and_left_once(loop: asyncio.AbstractEventLoop, name: str) -> None:
    assert lived(loop, name) == ["open", "close"]


def test_async_ones_run_on_the_loop_of_the_worker(loop: asyncio.AbstractEventLoop) -> None:
    assert lived(loop, "coroutine") == [loop]
    assert lived(loop, "async_manager") == [loop, loop, loop]


def test_an_error_at_the_end_is_told_and_ends_nothing_else(
    loop: asyncio.AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    lived(loop, "fails_late")
    assert "the end of setup (booted:fails_late) failed" in caplog.text
    assert "the pool does not close" in caplog.text


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bare", r"booted:bare is a generator: put @contextmanager above it"),
        ("argument", r"booted:argument must take no argument"),
        ("SEEN", r"booted:SEEN is not callable"),
    ],
)
def test_what_cannot_be_set_up_is_refused_with_advice(
    loop: asyncio.AbstractEventLoop, name: str, message: str
) -> None:
    with pytest.raises(StartError, match=message):
        Lifespan(loop, f"booted:{name}").begin()
    assert SEEN == []


def test_without_setup_nothing_happens(loop: asyncio.AbstractEventLoop) -> None:
    lifespan = Lifespan(loop, None)
    lifespan.begin()
    lifespan.end(0, 0)
