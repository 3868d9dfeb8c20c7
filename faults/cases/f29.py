"""F29: one of two hosts is cut off from the broker, its work moves to the other one, and it comes back."""

from pathlib import Path

from faults.case import Case
from faults.shop import Shop, Supervisor
from faults.topology.hosts import Hosts
from faults.trial import Trial

RATE = 80
LEASE = 3.0
WITHIN = LEASE + 2
CUT, SHORT_CUT = 30.0, 8.0


def place(folder: Path, binary: str, _: bool) -> Hosts:
    return Hosts(folder, binary)


def inject(trial: Trial) -> None:
    hosts = trial.at(Hosts)
    trial.shop.before = hosts.on("a")
    other = trial.another_host("b")
    other.host, other.before = "", hosts.on("b")
    cut_off, _ = [_up(shop) for shop in (trial.shop, other)]
    names = {one["host"] for one in trial.shop.status()["supervisors"]}
    trial.expect(names == {*hosts.names}, f"the supervisors take themselves for those of {names}")
    trial.produce(RATE, hosts.socket_url, payload=lambda number: {"seconds": number % 40 / 50})
    for _ in trial.rounds(1.5, 2.5):
        _cut(trial, cut_off)
    trial.bit("writes of zombies refused", trial.stat("lost_leases"))


def _up(shop: Shop) -> Supervisor:
    shop.write(lease=f"{LEASE:g}s")
    return shop.up()


def _cut(trial: Trial, supervisor: Supervisor) -> None:
    """Cut host `a` off, see its work move, and let it back."""
    hosts, workers = trial.at(Hosts), supervisor.workers()
    trial.busy(supervisor)
    hosts.cut("a")
    at = trial.now()
    trial.pause(CUT if trial.long else SHORT_CUT)
    healed = trial.now()
    hosts.heal("a")
    trial.bit("cuts")
    moved = [
        runs[1].begin - at
        for runs in trial.runs().values()
        if len(runs) > 1 and runs[0].pid in workers and runs[0].begin < at < runs[1].begin
    ]
    trial.bit("jobs that moved", len(moved))
    trial.spread("until the work of a host moves", moved)
    late = [seconds for seconds in moved if seconds > WITHIN]
    trial.expect(not late, f"{len(late)} jobs moved only after more than {WITHIN:g} s")
    trial.eventually(lambda: _works(trial, supervisor, healed), "the host works again")
    trial.figures["the host works again"] = f"after {trial.now() - healed:.1f} s"
    for pid in workers:
        trial.loses(pid, at, trial.now(), "without a lease")


def _works(trial: Trial, supervisor: Supervisor, since: float) -> bool:
    workers = supervisor.workers()
    return any(run.pid in workers and run.begin > since for runs in trial.runs().values() for run in runs)


CASE = Case(
    "F29",
    "host cut off",
    f"the cable of one of two hosts is pulled for {CUT:g} s (short form: {SHORT_CUT:g} s), lease {LEASE:g} s",
    inject,
    short=1,
    long=60,
    bites=("cuts", "jobs that moved", "writes of zombies refused"),
    place=place,
    needs="root, and ip of iproute2",
)
