"""Dead letters on their way: a job is settled as dead only when its copy is in the other queue.

Whoever dies in between, the job ends again elsewhere, and its copy has the same id: it arrives once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pipeline.errors import BrokerError, BrokerUnavailable
from pipeline.store import keys
from pipeline.store.letters import copy_of
from pipeline.store.refusals import refusal
from pipeline.store.store import Store
from pipeline.store.wire import Connection, Reply
from pipeline.worker.ledger import Dying, Ledger
from pipeline.worker.link import Link

BATCH = 100
PAUSE = 0.5


class Letters:
    """The dying jobs of one queue of a worker. `on_settled` is called when the ledger has got some back."""

    def __init__(
        self, project: str, queue: str, link: Link, ledger: Ledger, on_settled: Callable[[], None]
    ) -> None:
        self._project = project
        self._queue = queue
        self._jobs = keys.jobs(keys.base(project, queue))
        self._link = link
        self._ledger = ledger
        self._on_settled = on_settled
        self._batch: list[Dying] = []
        self._via: Connection | None = None

    def send(self) -> None:
        """Send the copies of what the ledger holds, unless some are on their way: the rest follows then."""
        turns = self._link.turns
        if self._via is not None or turns is None:
            return
        if not self._batch:
            self._batch = self._next()
        if not self._batch:
            return
        self._via = turns
        command = ("HMGET", self._jobs, *(dying.move.id for dying in self._batch))
        turns.send(lambda reply: self._read(turns, reply), command)

    def send_again(self) -> None:
        """There is a new connection: what was on its way over the old one may not have arrived."""
        self._via = None
        self.send()

    def _next(self) -> list[Dying]:
        """The next of the ledger's that go to one queue."""
        deaths = self._ledger.deaths
        home = deaths[0].home if deaths else ""
        batch = [dying for dying in deaths if dying.home == home][:BATCH]
        self._ledger.deaths = [dying for dying in deaths if dying not in batch]
        return batch

    def _read(self, turns: Connection, reply: Reply) -> None:
        """The records as they came in: a handler may have changed the payload that it was given."""
        if not self._stands(turns, reply):
            return
        copies = [
            copy_of(self._queue, record, dying.death)
            for dying, record in zip(self._batch, reply, strict=True)
            if record is not None
        ]
        if not copies:
            self._arrived(turns, 0)
            return
        command = Store(self._project, self._batch[0].home).letter(copies).command
        turns.send(lambda answer: self._arrived(turns, answer), command)

    def _arrived(self, turns: Connection, reply: Reply) -> None:
        if not self._stands(turns, reply):
            return
        batch, self._batch, self._via = self._batch, [], None
        for dying in batch:
            self._ledger.end(dying.move, dying.attempt)
        self._on_settled()

    def _stands(self, turns: Connection, reply: Reply) -> bool:
        """Whether this is an answer to go on with. One that was lost is asked for again, on the next connection or after
        a pause: in a cluster the other queue may be away alone."""
        if turns is not self._via:
            return False
        if not isinstance(reply, Exception):
            return True
        why = reply if isinstance(reply, BrokerError) else refusal(reply)
        if isinstance(why, BrokerUnavailable):
            asyncio.get_running_loop().call_later(PAUSE, self._resume, turns)
        else:
            self._link.refused(reply)
        return False

    def _resume(self, turns: Connection) -> None:
        if turns is self._via:
            self.send_again()
