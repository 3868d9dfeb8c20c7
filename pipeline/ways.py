"""A way is a generator of calls: it yields each and is handed its result, so that one way serves code with and without a
loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, NamedTuple, TypeVar

from pipeline.store.call import Call, StalePolicy
from pipeline.store.confirm import Confirm

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


async def walk_async(way: Way[Result], run: Callable[[Call[Any] | Sure], Awaitable[Any]]) -> Result:
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
