"""Which node of a cluster has a key: hash slots, as in the cluster specification of Redis."""

from __future__ import annotations

from binascii import crc_hqx
from bisect import bisect_right
from collections.abc import Sequence
from typing import Self

from pipeline.broker import Node
from pipeline.errors import BrokerUnavailable
from pipeline.store.wire import Command, Reply

SLOTS = 16_384
KEYLESS = {"PING", "TIME", "INFO", "CONFIG", "ACL", "COMMAND", "CLIENT", "SCRIPT", "ROLE", "ECHO"}
ELSEWHERE = {"EVALSHA": 3, "EVAL": 3, "BLMPOP": 3}
"""Where the key stands in the commands whose key is not the first word."""


def slot(key: str | bytes) -> int:
    """The slot of a key: the CRC of what stands between its first `{` and the next `}`, or of all of it."""
    data = key.encode() if isinstance(key, str) else key
    _, _, rest = data.partition(b"{")
    tag, end, _ = rest.partition(b"}")
    return crc_hqx(tag if tag and end else data, 0) % SLOTS


def key_of(command: Command) -> str | bytes | None:
    """The key by which a command finds its node; None for one that any node can answer."""
    word = command[0].decode() if isinstance(command[0], bytes) else command[0]
    if isinstance(command, Beside):
        return command.key
    if word in KEYLESS:
        return None
    if word == "XREAD":
        return command[command.index("STREAMS") + 1]  # type: ignore[no-any-return]
    return command[ELSEWHERE.get(word, 1)]  # type: ignore[no-any-return]


class Beside(tuple[object, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """A command without a key that must go where the commands of a key go."""

    key: str | bytes | None

    def __new__(cls, key: str | bytes | None, command: Command) -> Self:
        beside = super().__new__(cls, command)
        beside.key = key
        return beside


class SlotMap:
    """Which node has which slots, as a node told it, and as we learned since."""

    def __init__(self, reply: Reply, asked: Node) -> None:
        """`reply` is that of CLUSTER SLOTS. Raises BrokerUnavailable when it leads nowhere."""
        ranges = sorted((first, last, primary) for first, last, primary, *_ in reply)
        if not ranges:
            raise BrokerUnavailable(f"{asked} knows of no node that has a slot", "see CLUSTER INFO there")
        self._firsts = [first for first, _, _ in ranges]
        self._ranges = [(last, _node(primary, asked)) for _, last, primary in ranges]
        self._moved: dict[int, Node] = {}
        self.nodes: Sequence[Node] = tuple(dict.fromkeys(node for _, node in self._ranges))

    def node(self, slot: int) -> Node:
        """Raises BrokerUnavailable when no node has the slot."""
        if slot in self._moved:
            return self._moved[slot]
        place = bisect_right(self._firsts, slot) - 1
        if place < 0 or self._ranges[place][0] < slot:
            raise BrokerUnavailable(f"no node of the cluster has slot {slot}", "see CLUSTER INFO")
        return self._ranges[place][1]

    def find(self, command: Command) -> Node:
        """The node for a command. Raises BrokerUnavailable."""
        key = key_of(command)
        return self.nodes[0] if key is None else self.node(slot(key))

    def follow(self, error: Exception, asked: Node) -> Node | None:
        """Where a MOVED reply leads; None when the reply is none. A node may leave its own host away."""
        word, *where = str(error).split(" ")
        if word != "MOVED":
            return None
        host, _, port = where[1].rpartition(":")
        node = Node(host or asked.host, int(port))
        self._moved[int(where[0])] = node
        return node


def _node(told: Sequence[bytes | int], asked: Node) -> Node:
    host = told[0].decode() if isinstance(told[0], bytes) else ""
    return Node(host if host not in ("", "?") else asked.host, int(told[1]))
