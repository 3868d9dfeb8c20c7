"""Puts jobs in at a rate, and writes down what became of each: stored, refused, or unknown."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from pipeline import Client
from pipeline.errors import BrokerRefused, BrokerUnavailable, EnqueueError

Payload = Callable[[int], dict[str, Any]]


@dataclass
class Sent:
    """By number: when it was attempted, and which id was acknowledged; the others by what is known of them.

    `rolled_back` were acknowledged by a broker whose state then went back to before.
    """

    attempted: dict[int, float] = field(default_factory=dict)
    acknowledged: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    unknown: dict[int, str] = field(default_factory=dict)
    rolled_back: dict[int, str] = field(default_factory=dict)

    def add(self, other: Sent) -> None:
        """Take what another producer wrote down, too."""
        for name in ("attempted", "acknowledged", "refused", "unknown", "rolled_back"):
            getattr(self, name).update(getattr(other, name))

    def errors(self) -> Counter[str]:
        """How often callers saw which error."""
        return Counter([*self.refused.values(), *self.unknown.values()])


class Producer:
    """Enqueues `rate` jobs a second from `threads` threads, until `stop`.

    Every other job has an id of its caller's, so that both ways into a queue are used. `payload` makes the data of
    a number, beside the number itself. What could not be sent in time is not made up for.
    """

    def __init__(
        self,
        url: str,
        rate: float,
        *,
        numbers: itertools.count[int],
        queue: str = "work",
        threads: int = 2,
        timeout: float = 5.0,
        payload: Payload = lambda _: {"seconds": 0.02},
    ) -> None:
        self.sent = Sent()
        self._client = Client(url, "shop", timeout)
        self._pause = threads / rate
        self._numbers, self._queue, self._payload = numbers, queue, payload
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._produce, daemon=True) for _ in range(threads)]

    def start(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> Sent:
        """Stop, once every call has its answer."""
        self._ended.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._client.close()
        return self.sent

    def _produce(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(due - time.monotonic(), 0)):
            self.send(next(self._numbers))
            due = max(due + self._pause, time.monotonic() - self._pause)

    def send(self, number: int) -> None:
        """Put one job in."""
        data = {"n": number, **self._payload(number)}
        id = f"n{number}" if number % 2 else None
        self.sent.attempted[number] = time.monotonic()
        try:
            accepted = self._client.enqueue(self._queue, "job", data, id=id)
        except BrokerUnavailable as error:
            self.sent.unknown[number] = error.code
        except (BrokerRefused, EnqueueError) as error:
            self.sent.refused[number] = error.code
        else:
            self.sent.acknowledged[number] = accepted.id
