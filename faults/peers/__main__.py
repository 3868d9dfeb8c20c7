"""Puts ours and other queues, which bench/setup.sh installs, through the same faults.

Results go to a file of lines of JSON, which grows; the report is of all that is in it.
"""

import argparse
import json
import os
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.places import WORK
from faults.peers import report
from faults.peers.rounds import FAULTS, Round
from faults.peers.subject import Subject
from faults.peers.subjects import choose

_lock = threading.Lock()


def one(subject: Subject, fault: str, run: int, results: Path, folder: Path) -> None:
    """One round; its line is added to the results."""
    name = "".join(letter for letter in subject.name if letter.isalnum())
    try:
        with Round(subject, folder / f"{name}-{fault}-{run}") as played:
            row = {**FAULTS[fault](played), "server": played.broker.version()}
    except Exception:  # noqa: BLE001 - one round that breaks ends no other
        traceback.print_exc()
        return
    line = {"peer": subject.name, "version": subject.version(), "fault": fault, "run": run, **row}
    with _lock, results.open("a") as file:
        file.write(json.dumps({**line, "load1": round(os.getloadavg()[0], 2)}) + "\n")
    shown = ", ".join(f"{key} {value}" for key, value in row.items() if value is not None)
    print(f"{time.strftime('%H:%M:%S')} {run} {fault:4} {subject.name:16} {shown}", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m faults.peers", description=__doc__)
    parser.add_argument("--peers", default="all", help="names with commas")
    parser.add_argument("--faults", default=",".join(FAULTS))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--first", type=int, default=1, help="the number of the first run")
    parser.add_argument("--at-once", type=int, default=3, help="how many rounds at a time")
    parser.add_argument("--results", type=Path, default=WORK / "faults.jsonl")
    parser.add_argument("--report", type=Path)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    subjects, faults = choose(given.peers), given.faults.split(",")
    if unknown := set(faults) - set(FAULTS):
        raise SystemExit(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULTS)}")
    given.results.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(given.at_once) as pool:
        for run in range(given.first, given.first + given.runs):
            for fault in faults:
                for subject in subjects:
                    if fault in subject.faults:
                        pool.submit(one, subject, fault, run, given.results, WORK / "faults")
    if given.report:
        given.report.write_text(report.render(given.results))


main()
