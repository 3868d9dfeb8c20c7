"""F24: the slot of a loaded queue moves to another node of the cluster; then the node that has it dies."""

from functools import partial
from pathlib import Path

from faults.broker import Broker
from faults.case import Case
from faults.rollback import account
from faults.shop import NAME
from faults.topology.cluster import Cluster, Move
from faults.trial import Trial
from pipeline.store import keys
from pipeline.store.slots import slot

RATE = 60
TIMEOUT, SHORT_TIMEOUT = 5000, 2000
WITHIN = 5.0
LATEST = 1.0
"""Seconds before the death of a node of which its replica may know nothing."""
SLOT = slot(keys.base(NAME, "work"))
SHARED = slot(keys.supervisors(NAME))
"""That of what belongs to no queue: supervisors, generations, flows."""


def place(folder: Path, binary: str, long: bool) -> Cluster:
    return Cluster(folder, binary, node_timeout=TIMEOUT if long else SHORT_TIMEOUT)


def inject(trial: Trial) -> None:
    cluster = trial.at(Cluster)
    aside = next(
        name for name in cluster.names(3) if cluster.owner(keys.base(NAME, name)) is not cluster.holder(SLOT)
    )
    queue = "{handler: 'hands:work', processes: 2, concurrency: 10}"
    trial.shop.write(f"queues:\n  work: {queue}\n  {aside}: {queue}\n")
    supervisor = trial.shop.up()
    workers = supervisor.workers()
    for name in ("work", aside):
        trial.produce(RATE, queue=name, payload=lambda number: {"seconds": number % 20 / 100})
    for _ in trial.rounds(0.5, 1.0, first=3):
        _move(trial)
    trial.expect(supervisor.workers() == workers, "a worker died of a move")
    slots = [SLOT, SHARED] * max(round(trial.seconds / 30), 1)
    deaths = [_death(trial, number, aside) for number in slots]
    trial.stop_producing()
    trial.drain()
    gone = sum(account(trial, at - LATEST, back, back) for at, back in deaths)
    trial.figures["lost by dead nodes"] = f"{gone} jobs in {len(deaths)} deaths at {RATE}/s"


def _move(trial: Trial) -> None:
    """Move the slot of the loaded queue, at once and key by key in turns."""
    cluster = trial.at(Cluster)
    to = trial.random.choice([node for node in cluster.primaries if node is not cluster.holder(SLOT)])
    ways: dict[str, Move] = {**cluster.moves(), "slowly": partial(_move_slowly, trial)}
    name = [*ways][trial.bites["moves"] % len(ways)]
    at = trial.now()
    ways[name](SLOT, to)
    took = trial.now() - at
    trial.bit("moves")
    trial.recovers(at, RATE * 0.8, took + WITHIN, "work")
    trial.gap(f"gap, moved {name}", at, took + WITHIN, "work")


def _move_slowly(trial: Trial, number: int, to: Broker) -> None:
    """Key by key, as where there is much to move: the queue lies on two nodes meanwhile."""
    cluster = trial.at(Cluster)
    cluster.begin_move(number, to)
    while cluster.move_keys(number, to, 1):
        trial.pause(0.1)
    cluster.end_move(number, to)


def _death(trial: Trial, number: int, aside: str) -> tuple[float, float]:
    """SIGKILL to the node that has a slot, and its return; when it died and when there was another one."""
    cluster = trial.at(Cluster)
    old, at = cluster.holder(number), trial.now()
    others = [queue for queue in ("work", aside) if cluster.owner(keys.base(NAME, queue)) is not old]
    old.kill()
    cluster.await_successor(old, number, 30.0)
    back = trial.now()
    trial.bit("nodes killed")
    for queue in ("work", aside):
        trial.recovers(back, RATE * 0.8, WITHIN, queue)
        kind = "of another node" if queue in others else "of the dead node"
        trial.gap(f"gap, queue {kind}", at, back - at + WITHIN, queue)
    old.start()
    cluster.settle()
    return at, back


CASE = Case(
    "F24",
    "cluster: a slot moves, a node dies",
    "the slot of a loaded queue moves, as a whole and key by key; SIGKILL to the node that has it, and to the one that has "
    "what all queues share",
    inject,
    short=4,
    long=60,
    bites=("moves", "nodes killed"),
    place=place,
)
