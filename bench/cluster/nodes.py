"""The servers: one by itself, or the nodes of a cluster without replicas, of the bundled Valkey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from faults.broker import Broker, free_port
from faults.processes import eventually
from pipeline.store.slots import SLOTS, slot

OPTIONS = {"auto-aof-rewrite-percentage": "0"}
"""A rewrite of the append-only file would fall into one run and not into another."""


@contextmanager
def started(nodes: int) -> Iterator[str]:
    """The URL of a cluster of so many nodes with equal shares of the slots; of a server that is none, when it is 0."""
    with TemporaryDirectory(prefix="pq-") as folder:
        brokers = [_node(Path(folder) / str(number), cluster=nodes > 0) for number in range(max(nodes, 1))]
        try:
            for broker in brokers:
                broker.start()
            if nodes:
                _join(brokers)
            yield f"redis+cluster://127.0.0.1:{brokers[0].port}" if nodes else brokers[0].url
        finally:
            for broker in brokers:
                broker.kill()


def spread(project: str, count: int) -> tuple[str, ...]:
    """Names of so many queues, one in each of as many equal parts of the slots."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < count:
        name = f"q{number}"
        found.setdefault(slot(f"{{{project}:{name}}}") * count // SLOTS, name)
        number += 1
    return tuple(name for _, name in sorted(found.items()))


def _node(folder: Path, *, cluster: bool) -> Broker:
    folder.mkdir()
    if not cluster:
        return Broker(folder, **OPTIONS)
    return Broker(folder, **OPTIONS, **{"cluster-enabled": "yes", "cluster-port": str(free_port())})


def _join(brokers: list[Broker]) -> None:
    first, bounds = brokers[0], [-(-SLOTS * number // len(brokers)) for number in range(len(brokers) + 1)]
    for number, broker in enumerate(brokers):
        broker.call("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
        broker.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for broker in brokers[1:]:
        broker.call("CLUSTER", "MEET", "127.0.0.1", first.port, int(first.options["cluster-port"]))
    eventually(lambda: all(map(_is_whole, brokers)), "every node knows who has each slot")
    eventually(
        lambda: len({len(broker.call("CLUSTER", "SLOTS")) for broker in brokers}) == 1, "all nodes agree"
    )


def _is_whole(broker: Broker) -> bool:
    return b"cluster_state:ok" in broker.call("CLUSTER", "INFO")
