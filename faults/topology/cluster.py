"""A cluster of primaries, each with a replica; its slots can be moved, in both ways that there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

from faults.broker import Broker, free_port
from faults.processes import eventually
from faults.topology.servers import Servers, follows, role
from pipeline.store.slots import SLOTS, slot

Move = Callable[[int, Broker], None]
OPTIONS = {
    "cluster-enabled": "yes",
    "cluster-replica-validity-factor": "0",
    "repl-diskless-sync-delay": "0",
    "save": "",
}
NAMED_SOURCES = 2
"""How many of the nodes the URL names: the others are learned."""


class Cluster(Servers):
    """`primaries` are the nodes that begin as such. `node_timeout` is the ms of silence after which one is dead."""

    def __init__(
        self, folder: Path, binary: str = "", primaries: int = 3, node_timeout: int = 2000, **options: str
    ) -> None:
        timeout = {"cluster-node-timeout": str(node_timeout)}
        super().__init__(folder, binary, 2 * primaries, **{**OPTIONS, **timeout, **options})
        self.primaries = self.nodes[:primaries]
        self._buses = {node.port: free_port() for node in self.nodes}
        for node in self.nodes:
            node.options["cluster-port"] = str(self._buses[node.port])
        names = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[:NAMED_SOURCES])
        self.url = f"redis+cluster://{names}"

    # --- what it is --------------------------------------------------------------------------------------

    def start(self) -> None:
        super().start()
        share = SLOTS // len(self.primaries) + 1
        for number, node in enumerate(self.primaries):
            last = min((number + 1) * share, SLOTS) - 1
            node.call("CLUSTER", "ADDSLOTSRANGE", number * share, last)
        for number, node in enumerate(self.nodes):
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for one, other in combinations(self.nodes, 2):
            one.call("CLUSTER", "MEET", "127.0.0.1", other.port, self._buses[other.port])
        eventually(lambda: all(map(self._knows_all, self.nodes)), "all nodes know each other")
        replicas = self.nodes[len(self.primaries) :]
        for primary, replica in zip(self.primaries, replicas, strict=True):
            replica.call("CLUSTER", "REPLICATE", _id(primary))
        self.settle()

    def settle(self, seconds: float = 30.0) -> None:
        """Wait until every node that answers says the same of every slot and serves its own, and every replica has what
        its primary has. Raises TooLate."""
        eventually(self._agree, "every node says the same of every slot", seconds)
        eventually(
            lambda: all(map(self._keeps_up, self.nodes)), "every replica has what its primary has", seconds
        )

    def owner(self, key: str) -> Broker:
        """The primary of this key's slot, as most nodes say."""
        return self.holder(slot(key))

    def holder(self, number: int) -> Broker:
        """The primary of a slot, by the first node that answers."""
        for first, last, primary in _slots(next(self.running())):
            if first <= number <= last:
                return next(node for node in self.nodes if node.port == primary)
        raise LookupError(f"no node has slot {number}")

    def await_successor(self, dead: Broker, number: int, seconds: float) -> Broker:
        """The node that has a slot now that `dead` is none any more. Raises TooLate."""
        others = [node for node in self.nodes if node is not dead]

        def look() -> Broker | None:
            new = self.holder(number)
            return new if new in others and role(new) == "master" else None

        found = eventually(look, "a replica has taken over", seconds)
        assert found is not None
        return found

    def names(self, count: int, project: str = "shop") -> list[str]:
        """Names of queues, each on another node than the ones before, as long as there are nodes."""
        found: dict[int, list[str]] = {node.port: [] for node in self.primaries}
        for number in range(1000):
            name = f"q{number}"
            found[self.owner(f"{{{project}:{name}}}").port].append(name)
            if min(map(len, found.values())) * len(found) >= count:
                break
        return [name for several in zip(*found.values(), strict=False) for name in several][:count]

    # --- moves -------------------------------------------------------------------------------------------

    def moves(self) -> dict[str, Move]:
        """The ways to move a slot that this server has: Redis has no CLUSTER MIGRATESLOTS."""
        told = b" ".join(next(self.running()).call("CLUSTER", "HELP")).upper()
        at_once = {"at once": self.move_at_once} if b"MIGRATESLOTS" in told else {}
        return {**at_once, "by keys": self.move_by_keys}

    def move_at_once(self, number: int, to: Broker) -> None:
        """Move a slot as a whole."""
        source = self.holder(number)
        source.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", number, number, "NODE", _id(to))
        self._await_move(number, to)

    def move_by_keys(self, number: int, to: Broker) -> None:
        """Move a slot key by key, as redis-cli --cluster reshard does."""
        self.begin_move(number, to)
        while self.move_keys(number, to, 100):
            pass
        self.end_move(number, to)

    def begin_move(self, number: int, to: Broker) -> None:
        """From now on the holder of a slot sends on whoever asks for a key that it does not have."""
        source = self.holder(number)
        to.call("CLUSTER", "SETSLOT", number, "IMPORTING", _id(source))
        source.call("CLUSTER", "SETSLOT", number, "MIGRATING", _id(to))

    def move_keys(self, number: int, to: Broker, most: int) -> Sequence[bytes]:
        """Move some keys of a slot whose move was begun; which ones that were."""
        source = self.holder(number)
        found: Sequence[bytes] = source.call("CLUSTER", "GETKEYSINSLOT", number, most)
        if found:
            source.call("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *found)
        return found

    def end_move(self, number: int, to: Broker) -> None:
        """All keys are moved: the slot is the new node's."""
        source = self.holder(number)
        others = [node for node in self.running() if role(node) == "master" and node not in (source, to)]
        for node in (to, source, *others):
            node.call("CLUSTER", "SETSLOT", number, "NODE", _id(to))
        self._await_move(number, to)

    def _await_move(self, number: int, to: Broker) -> None:
        eventually(lambda: self.holder(number) is to, f"slot {number} has moved", 30.0)
        self.settle()

    # --- what nodes say ----------------------------------------------------------------------------------

    def _knows_all(self, node: Broker) -> bool:
        lines = node.call("CLUSTER", "NODES").decode().splitlines()
        settled = [line for line in lines if "handshake" not in line and " connected" in line]
        return len(lines) == len(settled) == len(self.nodes)

    def _agree(self) -> bool:
        running = [*self.running()]
        if not all(b"cluster_state:ok" in node.call("CLUSTER", "INFO") for node in running):
            return False
        return all(_slots(node) == _slots(running[0]) for node in running)

    def _keeps_up(self, node: Broker) -> bool:
        if role(node) != "slave":
            return True
        port = int(node.call("ROLE")[2])
        return follows(node, next(one for one in self.nodes if one.port == port))


def _id(node: Broker) -> str:
    return str(node.call("CLUSTER", "MYID").decode())


def _slots(node: Broker) -> list[tuple[int, int, int]]:
    """Ranges of slots, and the port of the primary of each, as a node says."""
    return sorted((first, last, primary[1]) for first, last, primary, *_ in node.call("CLUSTER", "SLOTS"))
