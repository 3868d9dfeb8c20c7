"""A cluster as one connection: each command goes to the node that has its key.

MOVED is followed. ASK is not: a queue that is moved key by key lies on two nodes meanwhile, and a script must see
all of it. It is told as "away", and passes when the move is done; the source begins no script once a move has begun,
because the key that ours are given, the queue's base, never exists.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import hiredis

from pipeline.broker import Address, Node
from pipeline.errors import BrokerError, BrokerUnavailable
from pipeline.store.slots import SlotMap, slot
from pipeline.store.wire import CLOSED, Command, Connection, Done, Reply, Wire, awaited, checked, open_wire

FOLLOWS = 5
OPEN_SECONDS = 5.0
log = logging.getLogger(__name__)


class Cluster(Connection):
    """It is lost as a whole when the connection to one of its nodes breaks; a node that cannot be reached only costs
    the calls that need it, unless it is the one that was to be reached. `look` finds the slots anew."""

    def __init__(
        self, address: Address, slots: SlotMap, look: Callable[[Sequence[Node]], Awaitable[SlotMap]]
    ) -> None:
        super().__init__()
        self._address = address
        self._slots = slots
        self._look = look
        self._wires: dict[Node, Wire] = {}
        self._opening: dict[Node, list[tuple[Done, Command, int]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking = False
        self._home: int | None = None

    @property
    def owes(self) -> bool:
        return bool(self._opening) or any(wire.owes for wire in self._wires.values())

    @property
    def heard(self) -> int:
        return sum(wire.heard for wire in self._wires.values())

    async def reach(self, key: str, timeout: float) -> None:
        """Open the connection to the node that has the key. Raises BrokerUnavailable, BrokerRefused."""
        self._home = slot(key)
        node = self._slots.node(self._home)
        self._keep(node, await open_wire(self._address.at(node), timeout))

    async def servers(self) -> dict[str, Connection]:
        nodes = self._slots.nodes
        for reply in await asyncio.gather(*(self._posted(node, ("PING",)) for node in nodes)):
            checked(reply)
        return {str(node): self._wires[node] for node in nodes}

    def send(self, done: Done, command: Command) -> None:
        try:
            node = self._slots.find(command)
        except BrokerUnavailable as error:
            self._loop.call_soon(done, error)
            self._stray(lost=self._home is not None)
        else:
            self._send(node, done, command, FOLLOWS)

    def close(self) -> None:
        self._lose()

    def flush(self) -> None:
        for wire in self._wires.values():
            wire.flush()

    def doubt(self, command: Command) -> None:
        try:
            wire = self._wires.pop(self._slots.find(command), None)
        except BrokerUnavailable:
            wire = None
        if wire is not None:
            wire.close()
        self._refresh()

    # --- nodes -------------------------------------------------------------------------------------------

    def _send(self, node: Node, done: Done, command: Command, follows: int) -> None:
        if self.lost.done():
            self._loop.call_soon(done, BrokerUnavailable(CLOSED))
        elif (wire := self._wires.get(node)) is not None:
            wire.send(partial(self._replied, node, done, command, follows), command)
        elif node in self._opening:
            self._opening[node].append((done, command, follows))
        else:
            self._opening[node] = [(done, command, follows)]
            self._begin(self._open(node))

    def _replied(self, node: Node, done: Done, command: Command, follows: int, reply: Reply) -> None:
        if follows and isinstance(reply, hiredis.ReplyError):
            elsewhere = self._slots.follow(reply, node)
            if elsewhere is not None:
                self._send(elsewhere, done, command, follows - 1)
                return
        done(reply)

    def _posted(self, node: Node, command: Command) -> asyncio.Future[Reply]:
        future, done = awaited(self._loop)
        self._send(node, done, command, 0)
        return future

    async def _open(self, node: Node) -> None:
        try:
            wire = await open_wire(self._address.at(node), OPEN_SECONDS)
        except BrokerError as error:
            self._unreachable(node, error)
            return
        self._keep(node, wire)
        for done, command, follows in self._opening.pop(node):
            self._send(node, done, command, follows)

    def _keep(self, node: Node, wire: Wire) -> None:
        self._wires[node] = wire
        wire.lost.add_done_callback(lambda _: self._broke(node, wire))

    def _broke(self, node: Node, wire: Wire) -> None:
        # One that was doubted is none of ours any more.
        if self._wires.get(node) is wire:
            self._lose()

    def _unreachable(self, node: Node, error: BrokerError) -> None:
        for done, _, _ in self._opening.pop(node):
            done(error)
        self._stray(lost=self._home is not None and self._slots.node(self._home) == node)

    def _stray(self, *, lost: bool) -> None:
        """A node could not be found, or not be reached: it may be another one by now."""
        if lost:
            self._lose()
        else:
            self._refresh()

    def _lose(self) -> None:
        if self.lost.done():
            return
        self.lost.set_result(None)
        for task in self._tasks:
            task.cancel()
        for wire in self._wires.values():
            wire.close()
        for waiting in self._opening.values():
            for done, _, _ in waiting:
                done(BrokerUnavailable(CLOSED))
        self._opening.clear()

    # --- slots -------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        """Look where the slots are, unless that is under way."""
        if not self._looking and not self.lost.done():
            self._looking = True
            self._begin(self._look_anew())

    async def _look_anew(self) -> None:
        try:
            self._slots = await self._look(self._slots.nodes)
        except BrokerError as error:
            log.debug("%s", error)
        finally:
            self._looking = False

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
