"""python -m faults.bars NAME [--rounds N] [--seed N] [--json FILE]: measure one of the bars, exit 1 if it is missed."""

from __future__ import annotations

import argparse
import importlib
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from faults.bars.verdict import Given, Verdict, say
from faults.conduct import memory

NAMES = ("soak", "kills", "zombies", "hosts", "restart", "backlog", "herd", "drain", "features", "flows")


def main() -> int:
    """Run one program; 0 when every bar is met."""
    parser = argparse.ArgumentParser(prog="python -m faults.bars", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--rounds", type=int, help="how often; each program has its own default")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--minutes", type=float, help="soak: how long")
    parser.add_argument("--every", type=float, help="soak: seconds between two faults")
    parser.add_argument("--samples", type=Path, help="soak: write a sample each 5 s there, as JSON lines")
    args = parser.parse_args()
    # A short path: that of a unix socket may have 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="bar-", dir=memory()))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what runs is ended, too
    given = Given(args.seed, folder, args.rounds, args.minutes, args.every, args.samples)
    say(f"{args.name}, seed {args.seed}, in {folder}")
    verdict: Verdict = importlib.import_module(f"faults.bars.{args.name}").measure(given)
    sys.stdout.write(f"\n{verdict.table()}\n")
    if args.json:
        verdict.save(args.json, args.name, given)
    if verdict.met:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        say(f"a bar is missed; {folder} is kept")
    return 0 if verdict.met else 1


if __name__ == "__main__":
    sys.exit(main())
