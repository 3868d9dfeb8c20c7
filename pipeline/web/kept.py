"""Answers that are kept for a moment, so that many who ask at once cost as much as one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
SECONDS = 1.0


class Kept:
    """One for the process. What is under way is waited for; what failed is asked for anew by the next."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, asyncio.Future[Any]]] = {}

    async def get(self, name: str, make: Callable[[], Awaitable[T]], seconds: float = SECONDS) -> T:
        """What `make` made within the last `seconds`, or makes now. Raises what that raises."""
        made_at, future = self._kept.get(name, (0.0, None))
        if future is None or (future.done() and (failed(future) or self._clock() - made_at >= seconds)):
            future = asyncio.ensure_future(make())
            self._kept[name] = self._clock(), future
        # Whoever hangs up must not take it from the others.
        result: T = await asyncio.shield(future)
        return result


def failed(future: asyncio.Future[Any]) -> bool:
    """Whether what is done gave nothing."""
    return future.cancelled() or future.exception() is not None
