"""Which servers a broker consists of now: what is asked, and what the answers mean. `connect` does the asking."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeVar

from pipeline.broker import Address, Node
from pipeline.errors import BrokerDenied, BrokerError, BrokerUnavailable
from pipeline.store.slots import SlotMap
from pipeline.store.wire import Command, Reply

Result = TypeVar("Result")
Search = Generator[tuple[Address, Command], Reply | BrokerError, Result]
"""Yields whom to ask and what; is sent the reply, or why there is none. Raises BrokerUnavailable, BrokerDenied."""


def primary(address: Address) -> Search[Address]:
    """The server that takes writes. One that the Sentinels name may not know yet that it is none any more."""
    nodes: Sequence[Node] = address.nodes
    if address.way == "sentinel":
        nodes = [(yield from _named(address))]
    troubles = []
    for node in nodes:
        reply = yield address.at(node), ("ROLE",)
        if isinstance(reply, BrokerError):
            troubles.append(_told(node, reply))
        elif reply[0] == b"master":
            return address.at(node)
        else:
            troubles.append(f"{node} is a replica")
    raise BrokerUnavailable(f"no primary at {address}: {'; '.join(troubles)}", "is one being made primary?")


def slot_map(address: Address, known: Sequence[Node] = ()) -> Search[SlotMap]:
    """Which node of a cluster has which slots. `known` nodes are asked when none of the address tells."""
    troubles = []
    for node in dict.fromkeys((*address.nodes, *known)):
        reply = yield address.at(node), ("CLUSTER", "SLOTS")
        if not isinstance(reply, BrokerError):
            return SlotMap(reply, node)
        troubles.append(_told(node, reply))
    raise BrokerUnavailable(f"no cluster at {address}: {'; '.join(troubles)}", "is broker.url right?")


def _named(address: Address) -> Search[Node]:
    """The primary, by the first Sentinel that knows it."""
    troubles = []
    for node in address.nodes:
        reply = yield address.sentinel(node), ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.service)
        if isinstance(reply, BrokerError):
            troubles.append(_told(node, reply))
        elif reply is None:
            troubles.append(f"{node} does not know {address.service}")
        else:
            return Node(reply[0].decode(), int(reply[1]))
    raise BrokerUnavailable(
        f"no Sentinel tells where {address.service} is: {'; '.join(troubles)}", "see broker.url"
    )


def _told(node: Node, error: BrokerError) -> str:
    """Why a server did not tell. Raises BrokerDenied: the others would not let us in either."""
    if isinstance(error, BrokerDenied):
        raise error
    return error.message if str(node) in error.message else f"{node}: {error.message}"
