"""What all brokers of several servers have: nodes that are started and ended together."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from faults.broker import Broker
from pipeline.broker import parse
from pipeline.errors import BrokerError
from pipeline.store.blocking import BlockingConnection
from pipeline.store.connect import connect_blocking


class Servers(ABC):
    """Each of `nodes` has a folder of its own in `folder`. `url` is what a config says."""

    url: str

    def __init__(self, folder: Path, binary: str, count: int, **options: str) -> None:
        self.folder = folder
        self.nodes = [Broker(place, binary, **options) for place in places(folder, "n", count)]

    def start(self) -> None:
        """Start all nodes, and wait until they are what they are meant to be. Raises TooLate."""
        for node in self.nodes:
            node.start()

    def kill(self) -> None:
        """SIGKILL to whatever runs."""
        for node in self.nodes:
            node.kill()

    def version(self) -> str:
        """What the servers are, for a report."""
        return next(self.running()).version()

    def running(self) -> Iterator[Broker]:
        """The nodes that answer."""
        return (node for node in self.nodes if node.answers())

    def connect(self) -> BlockingConnection:
        """A connection as the product makes it. Raises BrokerUnavailable."""
        return connect_blocking(parse(self.url), 10.0)

    def beside(self, key: str) -> BlockingConnection:
        """A connection to the server that has this key, past all that finds it."""
        return self.owner(key).connect()

    def call(self, *command: str | int | bytes) -> Any:
        """The reply to one command, by a connection as the product makes it. Raises BrokerError."""
        with contextlib.closing(self.connect()) as connection:
            return connection.call(command)

    @abstractmethod
    def owner(self, key: str) -> Broker:
        """The node that takes writes of this key."""


def places(folder: Path, letter: str, count: int) -> Sequence[Path]:
    """So many new folders."""
    found = [folder / f"{letter}{number}" for number in range(count)]
    for place in found:
        place.mkdir(parents=True)
    return found


def role(node: Broker) -> str:
    """What a server says that it is: `master`, `slave`; nothing when it does not answer."""
    with contextlib.suppress(BrokerError):
        return str(node.call("ROLE")[0].decode())
    return ""


def follows(node: Broker, primary: Broker) -> bool:
    """Whether a replica has all of its primary, and both say so."""
    with contextlib.suppress(BrokerError):
        known = primary.info("replication").values()
        online = any(f"port={node.port},state=online" in one for one in known)
        return online and bool(node.call("ROLE")[3] == b"connected")
    return False
