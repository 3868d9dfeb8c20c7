"""The work of commands, done for the web: it blocks, so it has threads of its own, each with a connection of its own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pipeline.broker import parse
from pipeline.errors import BrokerUnavailable
from pipeline.store.blocking import BlockingConnection
from pipeline.store.connect import connect_blocking

Result = TypeVar("Result")
THREADS = 4
SECONDS = 10.0
IDLE_SECONDS = 1.0


class Hands:
    """So many pieces of work at once; others wait their turn."""

    def __init__(self, url: str, threads: int = THREADS, seconds: float = SECONDS) -> None:
        self._address = parse(url)
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="hands")
        self._free: deque[tuple[float, BlockingConnection]] = deque()
        self._closed = False

    async def run(self, work: Callable[[BlockingConnection], Result]) -> Result:
        """What comes of `work`. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._with_connection, work)

    def close(self) -> None:
        """Hang up; what is under way is ended."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._hang_up()

    def _with_connection(self, work: Callable[[BlockingConnection], Result]) -> Result:
        with self.connection() as connection:
            return work(connection)

    @contextlib.contextmanager
    def connection(self) -> Iterator[BlockingConnection]:
        """A connection for one piece of work. Raises BrokerUnavailable."""
        connection = self._take()
        try:
            yield connection
        except BrokerUnavailable:
            connection.close()
            raise
        except BaseException:
            # Other refusals leave a connection as good as it was.
            self._give_back(connection)
            raise
        self._give_back(connection)

    def _give_back(self, connection: BlockingConnection) -> None:
        self._free.append((time.monotonic(), connection))
        if self._closed:
            self._hang_up()

    def _hang_up(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._free.pop()[1].close()

    def _take(self) -> BlockingConnection:
        """One that answers: the broker may have gone and come while it lay idle."""
        while self._free:
            since, connection = self._free.pop()
            if time.monotonic() - since < IDLE_SECONDS:
                return connection
            with contextlib.suppress(BrokerUnavailable):
                connection.call(("PING",))
                return connection
        return connect_blocking(self._address, self._seconds)
