"""Ours, as a user would run it: a project folder and `pipeline run configs/bench.yaml --plain`."""

import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from bench.peer import OURS, Load, Peer
from bench.places import ADAPTERS, HERE, URL, WORK

JOBS = ("noop", "sleep", "lat")
EMBEDDED = "embedded"


def pipeline(*args: str) -> list[str]:
    """The command line of a user, from the environment that this runs in."""
    command = Path(sys.executable).with_name("pipeline")
    return [str(command), *args] if command.exists() else [sys.executable, "-m", "pipeline", *args]


@dataclass(frozen=True)
class Project:
    """Queues that are alike. Whatever is on by default is on; `strict` adds a schema and deduplication."""

    name: str
    executor: str = "async"
    strict: bool = False
    broker: str = URL
    queues: tuple[str, ...] = ("bench",)
    project: str = "bench"

    @property
    def root(self) -> Path:
        return WORK / "projects" / self.name

    @property
    def config(self) -> Path:
        return self.root / "configs" / "bench.yaml"

    def write(self, load: Load) -> None:
        shutil.copytree(HERE / "project", self.root, dirs_exist_ok=True)
        shutil.copy(ADAPTERS / "tally.py", self.root)
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(self._yaml(load))

    def run(self, _: Load) -> list[list[str]]:
        return [pipeline("run", str(self.config), "--plain")]

    def _yaml(self, load: Load) -> str:
        lines = ["version: 1", f"name: {self.project}", f"broker: {{url: '{self.broker}'}}", "queues:"]
        for queue in self.queues:
            lines += self._queue(queue, load)
        return "\n".join(lines) + "\n"

    def _queue(self, name: str, load: Load) -> list[str]:
        lines = [
            f"  {name}:",
            f"    executor: {self.executor}",
            f"    concurrency: {load.concurrency}",
            f"    processes: {load.processes}",
            "    jobs:",
        ]
        for job in JOBS:
            lines += [
                f"      {job}:",
                f"        handler: orders:{job}{'_sync' * (self.executor == 'thread')}",
            ]
            if self.strict:
                lines += [
                    "        schema: schemas/jobs/order.schema.json",
                    '        deduplication: {key: "{data.orderId}", mode: until_done}',
                ]
        return lines


def peer(project: Project, jobs: int, note: str, only: frozenset[str] | None = None) -> Peer:
    env = {"BENCH_CONFIG": str(project.config), "BENCH_UNIQUE": "1" if project.strict else "0"}
    return Peer(
        OURS,
        "pipeline-queues",
        "p_pipeline",
        project.run,
        note,
        env=env,
        prepare=project.write,
        jobs=jobs,
        only=only,
        supervised=True,
    )


def alone(profile: Path | None = None) -> Peer:
    """One worker process without a supervisor, to look into; see adapters/alone.py."""
    project = Project("ours-alone")

    def command(load: Load) -> list[list[str]]:
        script, root = str(ADAPTERS / "alone.py"), str(project.root)
        path = [str(profile)] if profile else []
        return [[sys.executable, script, root, str(load.concurrency), *path]] * load.processes

    supervised = peer(project, 100_000, "one worker process, no supervisor")
    return replace(supervised, command=command, supervised=False)


def peers(jobs: int) -> dict[str, Peer]:
    """Ours by name, with the number of jobs that a drain has."""
    return {
        "ours": peer(Project("ours"), jobs, "`pipeline run`, async handlers, all defaults"),
        "ours-threads": peer(
            Project("ours-threads", executor="thread"),
            jobs,
            "`pipeline run`, plain functions on threads, all defaults",
            only=frozenset({"drain_low", "drain_high", "sleep_10ms"}),
        ),
        "ours+": peer(
            Project("ours-strict", strict=True), jobs, "as ours, with a payload schema and deduplication"
        ),
    }
