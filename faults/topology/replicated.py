"""A primary and its replicas, whose changes of place are made by hand."""

from __future__ import annotations

from pathlib import Path

from faults.broker import Broker
from faults.processes import eventually
from faults.topology.servers import Servers, follows, role

OPTIONS = {"repl-diskless-sync-delay": "0", "repl-backlog-size": "16mb"}


class Replicated(Servers):
    """The first node is the primary to begin with; the URL has all of them in their order."""

    def __init__(self, folder: Path, binary: str = "", replicas: int = 1, **options: str) -> None:
        super().__init__(folder, binary, 1 + replicas, **{**OPTIONS, **options})
        self.url = "redis://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    @property
    def primary(self) -> Broker:
        """The first node that says so, as the product takes it."""
        return next(node for node in self.nodes if role(node) == "master")

    def owner(self, _: str) -> Broker:
        return self.primary

    def start(self) -> None:
        super().start()
        for node in self.nodes[1:]:
            self.follow(node, self.nodes[0])

    def follow(self, node: Broker, primary: Broker) -> None:
        """Make it a replica of `primary`; what it has beside that is gone."""
        node.call("REPLICAOF", "127.0.0.1", primary.port)
        eventually(lambda: follows(node, primary), "the replica has what its primary has")

    def all_follow(self, primary: Broker) -> bool:
        """Whether all others are replicas of this node and have what it has."""
        return all(follows(node, primary) for node in self.nodes if node is not primary)

    def failover(self, to: int = 0) -> Broker:
        """A planned one, to the node with this number, or to the first replica: the new primary."""
        old = self.primary
        new = self.nodes[to] if to else next(node for node in self.nodes if node is not old)
        old.call("FAILOVER", "TO", "127.0.0.1", new.port)
        eventually(lambda: role(new) == "master" and follows(old, new), "they have changed places")
        return new

    def promote(self, number: int) -> Broker:
        """An unplanned one: this replica takes writes from now on, whatever its primary does."""
        node = self.nodes[number]
        node.call("REPLICAOF", "NO", "ONE")
        return node
