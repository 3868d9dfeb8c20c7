"""The plain drain of today beside that of an earlier commit: the benchmark's own, of both, by turns.

Each commit gets a worktree, and an environment in which `pipeline` is that tree's and all else is this one's.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import sysconfig
import venv
from collections import defaultdict
from pathlib import Path

from faults.bars.verdict import Given, Verdict, say
from faults.broker import free_port

ROUNDS = 7
BEFORE = "488cac2"
MEASURES = {
    "drain_low": "1 process x 10",
    "drain_high": "1 process x 100",
    "drain_2p": "2 processes x 100",
}
LEAST = 0.95
ROOT = Path(__file__).parents[2]


class Tree:
    """A commit, checked out, with what it drained so far: jobs/s by measure."""

    def __init__(self, folder: Path, commit: str) -> None:
        self.folder, self.commit = folder, commit
        self.rates: defaultdict[str, list[float]] = defaultdict(list)
        _git("worktree", "add", "--detach", "--quiet", str(folder / "tree"), commit)
        venv.create(folder / "env", with_pip=False)
        [packages] = (folder / "env" / "lib").glob("python*/site-packages")
        (packages / "tree.pth").write_text(f"{folder / 'tree'}\n{sysconfig.get_path('purelib')}\n")

    def run(self) -> None:
        """One run of the benchmark's drains."""
        out = self.folder / "results.jsonl"
        python = self.folder / "env" / "bin" / "python"
        command = [str(python), "-m", "bench", "run", "--peers", "ours", "--groups", "drain", "--runs", "1"]
        subprocess.run(
            [*command, "--server", "valkey", "--out", str(out), "--report", str(self.folder / "report.md")],
            cwd=self.folder / "tree",
            env={**os.environ, "BENCH_WORK": str(self.folder / "work"), "BENCH_PORT": str(free_port())},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        for line in map(json.loads, out.read_text().splitlines()):
            if line["measure"] in MEASURES:
                self.rates[line["measure"]].append(line["value"])

    def remove(self) -> None:
        _git("worktree", "remove", "--force", str(self.folder / "tree"))


def measure(given: Given) -> Verdict:
    """`rounds` runs of both, in an order that changes."""
    verdict = Verdict()
    before, today = (
        Tree(given.folder / name, commit) for name, commit in (("before", BEFORE), ("today", "HEAD"))
    )
    try:
        for number in range(given.rounds or ROUNDS):
            say(f"round {number + 1}")
            for tree in (before, today) if number % 2 else (today, before):
                tree.run()
    finally:
        before.remove()
        today.remove()
    for name, title in MEASURES.items():
        old, new = before.rates[name], today.rates[name]
        ratio = statistics.median(new) / statistics.median(old)
        verdict.tell(
            f"{title}: before, today", f"{statistics.median(old):,.0f}, {statistics.median(new):,.0f} jobs/s"
        )
        verdict.at_least(f"{title}: today to before", round(ratio, 3), LEAST, " x")
        verdict.figures[title] = {"before": old, "today": new}
    return verdict


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, stdout=sys.stderr)
