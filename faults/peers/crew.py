"""The processes of a round: the workers of a queue on one host, and its producer."""

import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Self

from bench import proc
from bench.places import PEERS_DIR
from faults.peers.subject import ADAPTERS, Place, Subject
from faults.processes import send

ROOT = Path(__file__).resolve().parents[2]
PAUSE = 1.0
"""Seconds before a process that ended is started again."""


def environment(place: Place) -> dict[str, str]:
    return {
        **os.environ,
        "JOURNAL": str(place.journal),
        "REDIS_URL": place.url,
        "PYTHONPATH": f"{ADAPTERS}:{ROOT}",
        "NODE_PATH": str(PEERS_DIR / "node" / "node_modules"),
        "NODE_ENV": "production",
    }


def _start(command: list[str], place: Place, log: str) -> "subprocess.Popen[bytes]":
    with (place.folder / log).open("ab") as file:
        return subprocess.Popen(
            command,
            env=environment(place),
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )


def produce(subject: Subject, place: Place, *numbers: float) -> "subprocess.Popen[bytes]":
    """Start the producer: how many jobs, how many a second (0: as it goes), how many seconds each runs."""
    return _start([*subject.producer(), *map(str, numbers)], place, "producer.log")


def on_host(name: str, command: list[str]) -> list[str]:
    """The command on a host of another name, as far as processes can tell."""
    rights = () if os.geteuid() == 0 else ("--map-root-user",)
    return ["unshare", *rights, "--uts", "sh", "-c", f'hostname {name} && exec "$@"', "sh", *command]


class Crew:
    """Workers; starts at once. A process that ends is started again after a second, as an init system would do
    it; `restarts` counts that. The name of its folder is the name of its host."""

    def __init__(self, subject: Subject, place: Place) -> None:
        self.restarts = 0
        self._place = place
        place.folder.mkdir(parents=True, exist_ok=True)
        self._commands = [on_host(place.folder.name, command) for command in subject.commands(place)]
        self._roots = [self._spawn(command) for command in self._commands]
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def _spawn(self, command: list[str]) -> "subprocess.Popen[bytes]":
        return _start(command, self._place, "worker.log")

    def _keep(self) -> None:
        while not self._over.wait(0.1):
            for index, root in enumerate(self._roots):
                if root.poll() is not None and not self._over.wait(PAUSE):
                    self.restarts += 1
                    self._roots[index] = self._spawn(self._commands[index])

    def kill(self) -> None:
        """Kill the whole tree, for good; may be repeated."""
        self._over.set()
        self._keeper.join()
        for pid in [pid for root in self._roots for pid in proc.tree(root.pid)]:
            send(pid, signal.SIGKILL)
        for root in self._roots:
            root.wait()
