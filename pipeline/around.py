"""What runs around a handler: `async def around(job, call_next)`, its plain form, or a context manager of the job."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pipeline.errors import CANNOT_START, StartError

Call = Callable[[Any], Any]


def enclose(call: Call, around: Any, path: str, *, is_async: bool) -> Call:
    """`call`, a handler or what is around it already, with `around` about it; `path` names that.

    `is_async` tells what `call` is. Raises StartError when the two do not fit.
    """
    if not callable(around):
        raise StartError(f"{path} is not callable", CANNOT_START)
    inner = inspect.unwrap(around)
    if inspect.isgeneratorfunction(inner) or inspect.isasyncgenfunction(inner):
        return _within(call, around, path, is_async=is_async)
    _check_arguments(around, path, 2, "two arguments, the job and what calls the handler")
    if inspect.iscoroutinefunction(around) is not is_async:
        here, there = ("`async def`", "plain") if not is_async else ("plain", "`async def`")
        raise StartError(
            f"{path} is {here}, and the handler is {there}",
            CANNOT_START,
            "write it as the handler is, or as a @contextmanager, which fits both",
        )
    return lambda job: around(job, call)


def _within(call: Call, manager: Any, path: str, *, is_async: bool) -> Call:
    """`call` inside of a context manager that is given the job."""
    if inspect.isgeneratorfunction(manager) or inspect.isasyncgenfunction(manager):
        raise StartError(f"{path} is a generator: put @contextmanager above it", CANNOT_START)
    _check_arguments(manager, path, 1, "one argument, the job")
    if inspect.isasyncgenfunction(inspect.unwrap(manager)):
        if not is_async:
            raise StartError(
                f"{path} is an async context manager, and the handler is plain",
                CANNOT_START,
                "a @contextmanager fits both",
            )
        return _in_async(call, manager)
    return _in_async_plainly(call, manager) if is_async else _in_plain(call, manager)


def _in_plain(call: Call, manager: Any) -> Call:
    def run(job: Any) -> Any:
        with manager(job):
            return call(job)

    return run


def _in_async(call: Call, manager: Any) -> Call:
    async def run(job: Any) -> Any:
        async with manager(job):
            return await call(job)

    return run


def _in_async_plainly(call: Call, manager: Any) -> Call:
    async def run(job: Any) -> Any:
        with manager(job):
            return await call(job)

    return run


def _check_arguments(around: Any, path: str, count: int, words: str) -> None:
    try:
        inspect.signature(around).bind(*[None] * count)
    except (TypeError, ValueError):
        raise StartError(f"{path} must take {words}", CANNOT_START) from None
