"""Producers: a steady one on a thread of its own, and bursts. What they were told is in the ledger."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from faults.bars.ledger import Ledger
from faults.shop import NAME
from pipeline import Client
from pipeline.errors import PipelineError
from pipeline.producer import Wanted

QUEUE = "work"
CHUNK = 500
TICK_SECONDS = 0.02

Make = Callable[[int], Wanted]


def plain(n: int, **data: Any) -> Wanted:
    """A job by its number."""
    return Wanted("job", {"n": n, **data})


class Producer:
    """Puts numbered jobs in; `refusals` counts the calls that failed, by the type of the error."""

    def __init__(self, url: str, ledger: Ledger, make: Make = plain) -> None:
        self.ledger = ledger
        self.make = make
        self.refusals: Counter[str] = Counter()
        self._client = Client(url, NAME)

    def put(self, count: int) -> None:
        """Put so many in. A call that fails leaves its jobs attempted: nobody knows."""
        while count > 0:
            numbers = self.ledger.take(min(count, CHUNK))
            count -= len(numbers)
            try:
                self._client.enqueue_many(QUEUE, [self.make(n) for n in numbers])
            except PipelineError as error:
                self.refusals[type(error).__name__] += 1
            else:
                self.ledger.acknowledge(numbers)

    def close(self) -> None:
        self._client.close()


class Load(threading.Thread):
    """A producer that puts `rate` jobs a second in, until `finish`. It makes up for what an outage held up."""

    def __init__(self, producer: Producer, rate: float) -> None:
        super().__init__(daemon=True)
        self.producer, self.rate = producer, rate
        self._over = threading.Event()

    def run(self) -> None:
        begun, sent = time.monotonic(), 0
        while not self._over.wait(TICK_SECONDS):
            due = int((time.monotonic() - begun) * self.rate) - sent
            self.producer.put(due)
            sent += due

    def finish(self) -> None:
        self._over.set()
        self.join()
