"""Reloads in a row under a steady load: python -m bench.reloads [--reloads 200] [--out FILE].

A supervisor of its own runs at half of its capacity while its file is edited again and again: hot and rolling
changes, queues that come and go, and every tenth file invalid. No job may be lost, none may run twice, none may
spend an attempt; and the second after a hot reload should get as much done as the second before it. Then it takes
the time from a saved edit to the last worker that goes by it: with `pipeline reload`, and left to the watcher.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from pipeline import Client
from pipeline.control import Outcome, Request, ask_all, running_plan
from pipeline.errors import NotRunning

HANDLERS = """
import asyncio, os, time
from pathlib import Path

RUNS = os.open(Path(__file__).parent / "runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

async def work(job):
    await asyncio.sleep(0.02)
    os.write(RUNS, f"{job.queue}:{job.id} {job.attempt} {time.time():.4f}\\n".encode())

work_b = work
"""
RATE, SLOTS = 400, 16
KINDS = ("hot", "rolling", "hot", "added", "hot", "removed", "hot", "rolling", "hot", "invalid")
GAP_SECONDS = 1.1


class Storm:
    """One supervisor, one load, and edits."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "p.yaml"
        self.rolled = self.number = 0
        self.extra = False
        self.enqueued: list[str] = []
        self.over = threading.Event()
        (root / "hands.py").write_text(HANDLERS)

    def write(self, kind: str) -> None:
        """The next file of this kind."""
        self.number += 1
        self.rolled += kind == "rolling"
        self.extra = {"added": True, "removed": False}.get(kind, self.extra)
        handler = ("work", "work_b")[self.rolled % 2]
        queues = f"  a: {{handler: 'hands:{handler}', concurrency: {SLOTS + self.number % 2}}}\n"
        queues += "  b: {handler: 'hands:work'}\n" if self.extra else ""
        broken = "  c: {handlr: 'hands:work'}\n" if kind == "invalid" else ""
        retention = f"retention: {{completed: {{count: {1_000_000 + self.number}}}}}"
        draft = self.root / "draft"
        draft.write_text(f"name: storm\ndefaults: {{{retention}}}\nqueues:\n{queues}{broken}")
        draft.replace(self.file)

    def load(self) -> None:
        """RATE jobs a second, from a thread of its own."""
        begun = time.monotonic()
        with Client(self.file) as client:
            while not self.over.is_set():
                due = int((time.monotonic() - begun) * RATE) - len(self.enqueued)
                self.enqueued += [client.enqueue("a", "job", {}).id for _ in range(due)]
                self.over.wait(0.01)

    def reload(self) -> Outcome:
        """Apply the file; the outcome."""
        (answer,) = ask_all(self.root, Request("reload", "bench"), lambda _: None).values()
        return msgspec.convert(answer, Outcome)

    def runs(self) -> list[tuple[str, int, float]]:
        """What ran: the job, its attempt, when it ended."""
        lines = (self.root / "runs").read_text().splitlines()
        return [(id, int(attempt), float(at)) for id, attempt, at in map(str.split, lines)]


def storm(reloads: int) -> dict[str, Any]:
    """The figures of so many reloads."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Storm(Path(folder))
        shop.write("hot")
        command = [sys.executable, "-m", "pipeline", "run", str(shop.file), "--plain"]
        with (shop.root / "log").open("wb") as log:
            supervisor = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            edits = edit(shop, reloads)
            found = figures(shop, edits)
            return {**found, "saved_to_used_ms": {"reload": by_command(shop), "watch": by_watcher(shop)}}
        finally:
            supervisor.terminate()
            supervisor.wait()


def edit(shop: Storm, reloads: int) -> list[tuple[str, float, Outcome]]:
    """Each edit: its kind, when it was applied, and the outcome."""
    until = time.monotonic() + 20
    while not is_up(shop):
        if time.monotonic() > until:
            raise RuntimeError((shop.root / "log").read_text())
        time.sleep(0.05)
    load = threading.Thread(target=shop.load)
    load.start()
    time.sleep(2.0)
    edits = []
    for number in range(reloads):
        kind = KINDS[number % len(KINDS)]
        shop.write(kind)
        at = time.time()
        edits.append((kind, at, shop.reload()))
        time.sleep(GAP_SECONDS)
    shop.over.set()
    load.join()
    return edits


def by_command(shop: Storm) -> dict[str, int]:
    """From a saved edit to the end of `pipeline reload`, which waits for the last worker, in ms."""
    took = []
    for _ in range(15):
        shop.write("hot")
        begun = time.monotonic()
        command = [sys.executable, "-m", "pipeline", "--config", str(shop.file), "reload", "--json"]
        subprocess.run(command, check=True, capture_output=True, cwd=shop.root)
        took.append(round((time.monotonic() - begun) * 1000))
    return {"median": round(statistics.median(took)), "highest": max(took)}


def by_watcher(shop: Storm) -> dict[str, int]:
    """From a saved edit, at any moment, to the moment when it is applied, in ms."""
    took = []
    for number in range(8):
        time.sleep(0.3 * number % 2)
        before = running_plan(shop.root)
        shop.write("hot")
        begun = time.monotonic()
        while (now := running_plan(shop.root)) and before and now.hash == before.hash:
            time.sleep(0.005)
        took.append(round((time.monotonic() - begun) * 1000))
    return {"median": round(statistics.median(took)), "highest": max(took)}


def is_up(shop: Storm) -> bool:
    try:
        ask_all(shop.root, Request("plan", "bench"), lambda _: None)
    except NotRunning:
        return False
    return True


def figures(shop: Storm, edits: list[tuple[str, float, Outcome]]) -> dict[str, Any]:
    """What came of it, once every job has ended."""
    until = time.monotonic() + 60
    while len({id for id, _, _ in shop.runs()}) < len(shop.enqueued) and time.monotonic() < until:
        time.sleep(0.1)
    runs = shop.runs()
    ran = Counter(id for id, _, _ in runs)
    ends = [at for _, _, at in runs]
    shares = [share for kind, at, _ in edits if kind == "hot" and (share := after_to_before(ends, at))]
    took = {kind: [outcome.took_ms for one, _, outcome in edits if one == kind] for kind in set(KINDS)}
    return {
        "reloads": len(edits),
        "outcomes": {
            kind: dict(Counter(outcome.status for one, _, outcome in edits if one == kind))
            for kind in sorted(set(KINDS))
        },
        "took_ms_median": {kind: statistics.median(times) for kind, times in sorted(took.items()) if times},
        "jobs": len(shop.enqueued),
        "lost": len([id for id in shop.enqueued if f"a:{id}" not in ran]),
        "run_twice": sum(count > 1 for count in ran.values()),
        "attempts_spent": sum(attempt > 1 for _, attempt, _ in runs),
        "after_to_before_median": round(statistics.median(shares), 3) if shares else None,
        "after_to_before_lowest": round(min(shares), 3) if shares else None,
    }


def after_to_before(ends: list[float], at: float) -> float | None:
    """Jobs that ended in the second after, by those in the second before."""
    before = sum(at - 1 <= end < at for end in ends)
    return sum(at <= end < at + 1 for end in ends) / before if before else None


def main() -> None:
    """Run it, print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reloads", type=int, default=200)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = json.dumps(storm(given.reloads), indent=2)
    sys.stdout.write(found + "\n")
    if given.out:
        given.out.write_text(found + "\n")


if __name__ == "__main__":
    main()
