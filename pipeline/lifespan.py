"""What `setup` opens once a worker and closes when that leaves: a function, or a context manager, async or not."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import threading
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

from pipeline.errors import CANNOT_START, StartError
from pipeline.handler import resolve

log = logging.getLogger("pipeline.worker")
Opened = AbstractContextManager[Any] | AbstractAsyncContextManager[Any]


class Lifespan:
    """`begin` calls what `path` names, `end` leaves it if it is a context manager; both on `loop`, which stands still."""

    def __init__(self, loop: asyncio.AbstractEventLoop, path: str | None) -> None:
        self._loop = loop
        self._path = path
        self._opened: Opened | None = None

    def begin(self) -> None:
        """Raises StartError when it cannot be called, else whatever it raises."""
        if self._path is None:
            return
        setup = resolve(self._path)
        kind = kind_of(setup, self._path)
        found = setup()
        if kind == "async manager":
            self._loop.run_until_complete(found.__aenter__())
        elif kind == "manager":
            found.__enter__()
        elif inspect.isawaitable(found):
            self._loop.run_until_complete(_finished(found))
        self._opened = found if kind != "function" else None

    def end(self, timeout: int, code: int) -> None:
        """Leave it. What it raises is logged; after `timeout` ms the process ends with `code`, whatever it does."""
        opened, self._opened = self._opened, None
        if opened is None:
            return
        limit = threading.Timer(timeout / 1000, self._overdue, (timeout, code))
        limit.daemon = True
        limit.start()
        try:
            if isinstance(opened, AbstractAsyncContextManager):
                self._loop.run_until_complete(opened.__aexit__(None, None, None))
            else:
                opened.__exit__(None, None, None)
        except BaseException:
            log.exception("the end of setup (%s) failed", self._path)
        finally:
            limit.cancel()

    def _overdue(self, timeout: int, code: int) -> None:
        log.error("the end of setup (%s) takes longer than %g s: it is cut off", self._path, timeout / 1000)
        os._exit(code)


async def _finished(found: Any) -> Any:
    return await found


def kind_of(setup: Any, path: str) -> str:
    """`function`, `manager` or `async manager`: decided by what it is, not by what it returns.

    Raises StartError when it cannot be called without arguments, or is a bare generator.
    """
    if not callable(setup):
        raise StartError(f"{path} is not callable", CANNOT_START)
    try:
        inspect.signature(setup).bind()
    except (TypeError, ValueError):
        raise StartError(f"{path} must take no argument", CANNOT_START) from None
    if inspect.isgeneratorfunction(setup) or inspect.isasyncgenfunction(setup):
        word = "@asynccontextmanager" if inspect.isasyncgenfunction(setup) else "@contextmanager"
        raise StartError(f"{path} is a generator: put {word} above it", CANNOT_START)
    inner = inspect.unwrap(setup)
    if inspect.isasyncgenfunction(inner) or _is_class_with(setup, "__aenter__"):
        return "async manager"
    if inspect.isgeneratorfunction(inner) or _is_class_with(setup, "__enter__"):
        return "manager"
    return "function"


def _is_class_with(setup: Any, method: str) -> bool:
    return isinstance(setup, type) and hasattr(setup, method)
