"""Play histories by hand: `python -m tests.simulator --seed 17` shows one whole, `--count 100000` plays many."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.conftest import start_server
from tests.simulator.defects import DEFECTS
from tests.simulator.history import play, schedule
from tests.simulator.model import Visit
from tests.simulator.places import Violation
from tests.simulator.server import Server
from tests.simulator.visits import POSSIBLE, grouped

REPORT_EVERY = 5_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--count", type=int, default=1, help="how many seeds from there on")
    parser.add_argument("--defect", choices=DEFECTS, help="break this rule on purpose")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pq-") as folder:
        running = start_server(Path(folder))
        try:
            with Server(running.url, DEFECTS.get(given.defect)) as server:
                return one(server, given.seed) if given.count == 1 else many(server, given.seed, given.count)
        finally:
            running.process.kill()
            running.process.wait()


def one(server: Server, seed: int) -> int:
    """Show a whole history."""
    try:
        print(schedule(play(server, seed, remember=None)))
    except Violation as violation:
        print(violation)
        return 1
    return 0


def many(server: Server, first: int, count: int) -> int:
    """Play many, and say what they held and which broke a promise."""
    begun, violations = time.monotonic(), 0
    faults: Counter[str] = Counter()
    visited: Counter[Visit] = Counter()
    for seed in range(first, first + count):
        try:
            world = play(server, seed)
        except Violation as violation:
            violations += 1
            print(violation, flush=True)
            continue
        faults += world.faults
        visited += grouped(world.model.visited)
        if (seed - first) % REPORT_EVERY == REPORT_EVERY - 1:
            rate = (seed - first + 1) / (time.monotonic() - begun)
            print(f"{seed - first + 1} histories, {rate:.0f}/s, {violations} violations", flush=True)
    print(
        f"{count} histories, {violations} violations; {len(visited.keys() & POSSIBLE)} of {len(POSSIBLE)} pairs"
    )
    print(f"faults: {dict(faults.most_common())}")
    print(f"never met: {sorted(POSSIBLE - visited.keys())}; unknown: {sorted(visited.keys() - POSSIBLE)}")
    return int(violations > 0)


if __name__ == "__main__":
    raise SystemExit(main())
