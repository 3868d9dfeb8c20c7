"""What must be confirmed before a job counts as accepted, and how the broker is asked.

The questions do nothing inside a script: each follows the enqueue on its own connection, and covers all that
was written there before it. A call that is repeated must write, or its confirmation would mean nothing.
"""

from __future__ import annotations

import asyncio
from typing import Self, TypeVar

from msgspec import Struct

from pipeline.errors import BrokerRefused, BrokerUnavailable, Unconfirmed
from pipeline.plan import BrokerPlan
from pipeline.store.blocking import BlockingConnection
from pipeline.store.call import Call, translate
from pipeline.store.slots import Beside
from pipeline.store.wire import Command, Connection, Reply

LONGEST_SECONDS = 1.0
IN_FILE = "file"
AGAIN = "a call with an id= can be repeated without making a second job; pipeline doctor looks at the broker"
Result = TypeVar("Result")


class Confirm(Struct, frozen=True):
    """So many `replicas` must have a job; 0: it must be in the broker's own file."""

    replicas: int = 0

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The reverse of `str`; None for ''."""
        return cls(0 if text == IN_FILE else int(text)) if text else None

    def __str__(self) -> str:
        return str(self.replicas) if self.replicas else IN_FILE

    def question(self, seconds: float) -> Command:
        """The command that waits for it: for half of what is left of a call, and a second at most."""
        ms = max(int(min(seconds / 2, LONGEST_SECONDS) * 1000), 1)
        return ("WAIT", self.replicas, ms) if self.replicas else ("WAITAOF", 1, 0, ms)

    def trouble(self, reply: Reply) -> BrokerUnavailable | None:
        """What the answer lacks, or None when it confirms the job."""
        if isinstance(reply, BrokerUnavailable):
            return reply
        if isinstance(reply, Exception):
            told = f"the job may be there, but the broker does not confirm it: {reply}"
            return None if is_unknown(reply) else Unconfirmed(told, AGAIN)
        count = reply if self.replicas else reply[0]
        if count >= max(self.replicas, 1):
            return None
        if self.replicas:
            told = f"only {count} of {self.replicas} replicas confirmed it"
        else:
            told = "the broker did not write it to its file in time"
        return Unconfirmed(f"the job may be there, but {told}", AGAIN)


def is_unknown(error: Exception) -> bool:
    """Whether the server is too old for the question: then its settings are all there is, as is said at boot."""
    return str(error).lower().startswith("err unknown command")


def of_file(broker: BrokerPlan) -> Confirm | None:
    """What the file alone asks for, before a supervisor has looked at the broker."""
    if broker.url == "embedded":
        return None  # it is started with the setting that is needed
    return Confirm(broker.replicas) if broker.replicas or broker.durability == "fsync" else None


def run_confirmed(
    connection: BlockingConnection, call: Call[Result], confirm: Confirm, seconds: float
) -> Result:
    """As `run_blocking`; raises Unconfirmed when the call is not confirmed within these seconds."""
    try:
        reply, confirmed = connection.call_both(call.command, confirm.question(seconds))
    except BrokerRefused as error:
        raise translate(error) from None
    if (trouble := confirm.trouble(confirmed)) is not None:
        raise trouble
    return call.read(reply)


class Confirming:
    """Calls for one key on one connection, each answered when it is confirmed. One question at a time is under way: it
    covers all that was posted before it, and what is posted meanwhile shares the next one."""

    def __init__(
        self, connection: Connection, confirm: Confirm, seconds: float, key: str | bytes | None
    ) -> None:
        self.connection = connection
        self.confirm = confirm
        self._question = Beside(key, confirm.question(seconds))
        self._asked: list[tuple[asyncio.Future[Reply], asyncio.Future[Reply]]] = []
        self._unasked: list[tuple[asyncio.Future[Reply], asyncio.Future[Reply]]] = []

    def post(self, command: Command) -> asyncio.Future[Reply]:
        """As Connection.post; the result is Unconfirmed when the call is not confirmed."""
        posted = self.connection.post(command)
        confirmed: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._unasked.append((posted, confirmed))
        if not self._asked:
            self._ask()
        return confirmed

    def _ask(self) -> None:
        self._asked, self._unasked = self._unasked, []
        self.connection.send(self._answered, self._question)

    def _answered(self, reply: Reply) -> None:
        asked, self._asked = self._asked, []
        trouble = self.confirm.trouble(reply)
        for posted, confirmed in asked:
            if not posted.done():
                # The server did not know the script: it was sent again, behind the question.
                self._unasked.append((posted, confirmed))
            elif not confirmed.done():
                own = posted.result()
                confirmed.set_result(own if isinstance(own, Exception) else trouble or own)
        if self._unasked:
            self._ask()
