"""Where the time of one worker process of ours goes: a drain under cProfile, without a supervisor."""

import pstats
import signal

from bench.ours import alone
from bench.peer import Load
from bench.places import WORK
from bench.server import Server
from bench.workers import Workers, produce

STATISTICS = WORK / "worker.profile"


def run(jobs: int, concurrency: int, lines: int) -> None:
    """Prints the functions that took most. cProfile itself about halves the rate."""
    WORK.mkdir(parents=True, exist_ok=True)
    peer = alone(STATISTICS)
    with Server() as server:
        produce(peer, "fill", "noop", jobs)
        with Workers(peer, Load(concurrency)) as workers:
            count, first, last = workers.wait(jobs, 120)
            for root in workers.roots:
                root.send_signal(signal.SIGTERM)
                root.wait(30)
        print(f"{count} of {jobs} jobs, {count / max(last - first, 1) * 1e9:,.0f}/s on {server.version()}")
    pstats.Stats(str(STATISTICS)).sort_stats("tottime").print_stats(lines)
