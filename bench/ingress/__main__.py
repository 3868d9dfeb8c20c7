"""python -m bench.ingress: measures, writes bench/INGRESS.md, and draws the picture for the README. See README.md."""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.ingress import picture, report, shop
from bench.places import HERE
from bench.proc import cpu

WORKERS, CONNECTIONS, TIMES = 4, 64, 3
PICTURE = HERE.parent / "docs" / "ingress.svg"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.ingress", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long each load lasts (default: 60)")
    parser.add_argument("--runs", type=int, default=3, help="runs of the ingress alone; the median counts")
    parser.add_argument("--report", type=Path, default=HERE / "INGRESS.md")
    parser.add_argument("--picture", type=Path, default=PICTURE)
    args = parser.parse_args()
    results = measure(args.seconds, args.runs)
    args.report.write_text(report.text(results))
    picture.draw(results, args.picture)
    print(report.text(results))


def measure(seconds: float, runs: int) -> dict[str, Any]:
    """Everything, in real processes. Seconds a load lasts; the ingress alone takes a quarter of that in each run."""
    with shop.outside() as environment:
        with shop.inline(WORKERS, environment) as address:
            bears = float(saturate(address, "/hooks/stripe", WORKERS, seconds / 4, close=True)["rate"])
        rate = TIMES * bears
        print(f"inline: {bears:.1f} a second; the load is {rate:.1f} a second", flush=True)
        with shop.inline(WORKERS, environment) as address:
            inline = load(address, rate, seconds)
        print(f"inline: {inline}", flush=True)
        with shop.queued(environment) as ours:
            queued = load(ours.address, rate, seconds)
            drained = ours.drained()
            print(f"queued: {queued}, drained in {drained:.1f} s", flush=True)
            alone = [measure_alone(ours, seconds / 4) for _ in range(runs)]
    best = sorted(alone, key=lambda one: one["rate"])[len(alone) // 2]
    rates = ", ".join(f"{one['rate']:,.0f}" for one in alone)
    return {
        "load": {"rate": rate, "seconds": seconds, "bears": bears, "workers": WORKERS},
        "inline": inline,
        "queued": queued,
        "drained": drained,
        "alone": {**best, "runs": rates, "cpu": statistics.median(one["cpu"] for one in alone)},
    }


def measure_alone(ours: shop.Queued, seconds: float) -> dict[str, Any]:
    """The web process on the first core, whoever sends on the others."""
    cores = sorted(os.sched_getaffinity(0))
    others = set(cores[1:]) or set(cores)
    everything = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    ours_too = {ours.pid, *(pid for pid in everything if _is_child_of(pid, _parent(ours.pid)))}
    for pid in ours_too:
        os.sched_setaffinity(pid, {cores[0]} if pid == ours.pid else others)
    before = cpu(ours.pid)
    found = saturate(ours.address, "/hooks/alone", CONNECTIONS, seconds, cores=others)
    found["cpu"] = (cpu(ours.pid) - before) / max(sum(found["ends"].values()), 1)
    found["connections"] = CONNECTIONS
    print(f"alone: {found}", flush=True)
    return found


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def _is_child_of(pid: int, parent: int) -> bool:
    try:
        return _parent(pid) == parent
    except (FileNotFoundError, ProcessLookupError):
        return False


def load(address: str, rate: float, seconds: float) -> dict[str, Any]:
    return _last_line("load", address, "/hooks/stripe", str(rate), str(seconds))


def saturate(
    address: str,
    path: str,
    connections: int,
    seconds: float,
    *,
    close: bool = False,
    cores: set[int] | None = None,
) -> dict[str, Any]:
    words = [address, path, str(connections), str(seconds), "1", *(["close"] if close else [])]
    return _last_line("saturate", *words, cores=cores)


def _last_line(module: str, *words: str, cores: set[int] | None = None) -> dict[str, Any]:
    """What a part of this benchmark prints last, in a process of its own on these cores."""
    command = [sys.executable, "-m", f"bench.ingress.{module}", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        if cores:
            os.sched_setaffinity(running.pid, cores)
        out, _ = running.communicate()
    if running.returncode:
        raise RuntimeError(f"{module} ended with {running.returncode}")
    return dict(json.loads(out.splitlines()[-1]))


main()
