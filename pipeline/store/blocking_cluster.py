"""A cluster as one connection, for code without a loop. See `cluster` for what is followed and what is not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import hiredis

from pipeline.broker import Address, Node
from pipeline.store.blocking import BlockingConnection, BlockingWire
from pipeline.store.cluster import FOLLOWS
from pipeline.store.slots import SlotMap
from pipeline.store.wire import Command, Reply, checked


class BlockingCluster(BlockingConnection):
    """A connection to each node that was needed so far."""

    def __init__(self, address: Address, slots: SlotMap, timeout: float) -> None:
        self._address = address
        self._slots = slots
        self._timeout = timeout
        self._wires: dict[Node, BlockingWire] = {}

    def call(self, command: Command) -> Reply:
        return checked(self.call_many([command])[0])

    def call_many(self, commands: Sequence[Command]) -> list[Reply]:
        places = defaultdict(list)
        for place, command in enumerate(commands):
            places[self._slots.find(command)].append(place)
        replies: list[Reply] = [None] * len(commands)
        for node, found in places.items():
            answers = self._wire(node).call_many([commands[place] for place in found])
            for place, reply in zip(found, answers, strict=True):
                replies[place] = self._followed(node, commands[place], reply)
        return replies

    def call_both(self, command: Command, second: Command) -> tuple[Reply, Reply]:
        node, follows = self._slots.find(command), FOLLOWS
        reply, after = self._wire(node).both(command, second)
        while follows and (elsewhere := self._elsewhere(node, reply)):
            node, follows = elsewhere, follows - 1
            reply, after = self._wire(node).both(command, second)
        return checked(reply), after

    def close(self) -> None:
        for wire in self._wires.values():
            wire.close()

    def _wire(self, node: Node) -> BlockingWire:
        if node not in self._wires:
            self._wires[node] = BlockingWire(self._address.at(node), self._timeout)
        return self._wires[node]

    def _followed(self, node: Node, command: Command, reply: Reply) -> Reply:
        for _ in range(FOLLOWS):
            elsewhere = self._elsewhere(node, reply)
            if elsewhere is None:
                break
            node = elsewhere
            reply = self._wire(node).call_many([command])[0]
        return reply

    def _elsewhere(self, node: Node, reply: Reply) -> Node | None:
        return self._slots.follow(reply, node) if isinstance(reply, hiredis.ReplyError) else None
