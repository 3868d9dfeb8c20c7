"""F24: the slot of a loaded queue moves to another node of the cluster; then the node that has it dies."""

from pathlib import Path

from faults.case import Case
from faults.rollback import account
from faults.shop import NAME
from faults.topology.cluster import Cluster
from faults.trial import Trial
from pipeline.store import keys
from pipeline.store.slots import slot

RATE = 60
TIMEOUT, SHORT_TIMEOUT = 5000, 2000
WITHIN = 5.0
LATEST = 1.0
"""Seconds before the death of a node of which its replica may know nothing."""
SLOT = slot(keys.base(NAME, "work"))


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
    for _ in trial.rounds(0.5, 1.0, first=2):
        _move(trial)
    trial.expect(supervisor.workers() == workers, "a worker died of a move")
    deaths = [_death(trial) for _ in range(max(round(trial.seconds / 15), 1))]
    trial.stop_producing()
    trial.drain()
    gone = sum(account(trial, at - LATEST, back, back) for at, back in deaths)
    trial.figures["lost by dead nodes"] = f"{gone} jobs in {len(deaths)} deaths at {RATE}/s"


def _move(trial: Trial) -> None:
    """Move the slot of the loaded queue, at once and key by key in turns."""
    cluster = trial.at(Cluster)
    to = trial.random.choice([node for node in cluster.primaries if node is not cluster.holder(SLOT)])
    ways = [*cluster.moves().items()]
    name, move = ways[trial.bites["moves"] % len(ways)]
    at = trial.now()
    move(SLOT, to)
    trial.bit("moves")
    trial.recovers(at, RATE * 0.8, WITHIN, "work")
    trial.gap(f"gap, moved {name}", at, WITHIN, "work")


def _death(trial: Trial) -> tuple[float, float]:
    """SIGKILL to the node of the loaded queue, and its return; when it died and when there was another one."""
    cluster = trial.at(Cluster)
    old, at = cluster.holder(SLOT), trial.now()
    old.kill()
    cluster.await_successor(old, SLOT, 30.0)
    back = trial.now()
    trial.bit("nodes killed")
    trial.recovers(back, RATE * 0.8, WITHIN, "work")
    old.start()
    cluster.settle()
    return at, back


CASE = Case(
    "F24",
    "cluster: a slot moves, a node dies",
    "the slot of a loaded queue moves, as a whole and key by key; SIGKILL to the node that has it",
    inject,
    short=4,
    long=60,
    bites=("moves", "nodes killed"),
    place=place,
)
