"""F28: `pipeline run` is told to stop, at any moment and in every way."""

import signal
from signal import SIGINT, SIGQUIT, SIGTERM

from faults.case import Case
from faults.events import in_hand
from faults.shop import Supervisor
from faults.trial import Trial

RATE = 30
QUEUES = "queues:\n  work: {handler: 'hands:work', processes: 1, concurrency: 20}\n"
STOP_TIMEOUT = 1.0
SPARE = 5.0
"""Seconds beyond `stop_timeout` within which all must be over."""
LONG = 30
"""Every so many jobs one runs for longer than it may when a stop is asked for."""
AWAY = "TERM, broker away"
STOPS: dict[str, list[signal.Signals]] = {
    "TERM": [SIGTERM],
    "TERM TERM": [SIGTERM, SIGTERM],
    "INT INT": [SIGINT, SIGINT],
    "INT INT INT": [SIGINT, SIGINT, SIGINT],
    "QUIT": [SIGQUIT],
    AWAY: [SIGTERM],
}
UNDER_LOAD = [way for way in STOPS if way != "TERM"]
HURRIED = 130
"""The exit code of a second INT that came before the first had its way."""


def inject(trial: Trial) -> None:
    trial.shop.write(QUEUES, stop_timeout=f"{STOP_TIMEOUT:g}s")
    # From then on producers know what the queue is.
    took = [_round(trial, "TERM")]
    trial.produce(RATE, payload=lambda number: {"seconds": number % 20 / 50 if number % LONG else 3})
    until = trial.now() + trial.seconds
    while len(took) == 1 or trial.now() < until:
        took += [_round(trial, way) for way in trial.random.sample(UNDER_LOAD, len(UNDER_LOAD))]
    trial.spread("until all was over", took)
    trial.shop.up()


def _round(trial: Trial, way: str) -> float:
    """Start, and stop in this way at a random moment; the seconds that the stop took."""
    supervisor = trial.shop.start()
    # Until then it has no say in what a signal does.
    trial.eventually(supervisor.workers, "a worker is there")
    trial.pause(trial.random.uniform(0, 1))
    if way.startswith("INT"):
        trial.eventually(lambda: _has_long(trial, supervisor), "a long job is in hand")
    workers, since = supervisor.workers(), trial.now()
    if way == AWAY:
        trial.broker.kill()
    for number in STOPS[way]:
        supervisor.signal(number)
        trial.pause(trial.random.uniform(0.02, 0.2))
    code = supervisor.ends()
    took = trial.now() - since
    for pid in workers:
        trial.loses(pid, since, trial.now(), "stopped")
    if way == AWAY:
        trial.broker.start()
    else:
        _given_back(trial, supervisor, way)
    trial.bit(way)
    trial.bit("jobs cut short", sum(event.pid in workers for event in in_hand(trial.shop.events())))
    hurried = "released: these jobs" in supervisor.output
    trial.bit("hurried stops", int(hurried))
    wanted = HURRIED if hurried else 0
    trial.expect(code == wanted, f"{way}: it ended with {code}, not {wanted}:\n{supervisor.output[-800:]}")
    trial.expect(took <= STOP_TIMEOUT + SPARE, f"{way}: it took {took:.1f} s")
    return took


def _has_long(trial: Trial, supervisor: Supervisor) -> bool:
    """Whether a job is in hand that a drain has to wait for."""
    workers = supervisor.workers()
    return any(one.number % LONG == 0 and one.pid in workers for one in in_hand(trial.shop.events()))


def _given_back(trial: Trial, supervisor: Supervisor, way: str) -> None:
    """Nothing is leased to anybody any more: whoever comes next need not wait."""
    active = [audit.states for audit in trial.audit()]
    held = [id for states in active for id, places in states.items() if "active" in places]
    trial.expect(not held, f"{way}: {len(held)} jobs were not given back:\n{supervisor.output[-800:]}")


CASE = Case(
    "F28",
    "told to stop",
    f"{', '.join(STOPS)}; each at a random moment after the start",
    inject,
    short=1,
    long=60,
    bites=(*STOPS, "jobs cut short", "hurried stops"),
    server={"appendfsync": "always"},
)
