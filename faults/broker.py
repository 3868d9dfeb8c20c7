"""A server of a case's own, that may be killed, frozen and started again; it keeps its data."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from faults.processes import eventually, send
from pipeline.broker import parse
from pipeline.errors import BrokerError
from pipeline.store.blocking import BlockingConnection
from pipeline.store.connect import connect_blocking
from pipeline.supervisor.binary import find_server

OPTIONS = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}


FIRST, LAST = 10_000, 32_000
"""Ports below those that outgoing connections are given."""
PORTS = itertools.cycle(range(FIRST, LAST))
next(itertools.islice(PORTS, random.randrange(LAST - FIRST), None))


def free_port() -> int:
    """A TCP port of this host that nobody listens on, another one each time."""
    return next(filter(_is_free, PORTS))


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


class Broker:
    """Its files and its unix socket lie in `folder`, and it listens on a TCP port. Started by `start`.

    `binary` is the server program, the bundled one unless told; `options` are its settings, over OPTIONS.
    """

    def __init__(self, folder: Path, binary: str = "", **options: str) -> None:
        self.folder = folder
        self.binary = binary or os.environ.get("PIPELINE_TEST_SERVER") or find_server()
        self.port = free_port()
        self.path = folder / "s"
        self.url = f"redis://127.0.0.1:{self.port}"
        self.socket_url = f"unix://{self.path}"
        self.environment: dict[str, str] = {}
        """What the server is started with, beside our own environment."""
        self.options = {**OPTIONS, **{name.replace("_", "-"): value for name, value in options.items()}}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process; 0 when none was started."""
        return self._process.pid if self._process else 0

    def start(self, seconds: float = 30.0) -> None:
        """Start it and wait until it answers. Raises TooLate."""
        self._process = subprocess.Popen(
            self.command(), stdin=subprocess.DEVNULL, env={**os.environ, **self.environment}
        )
        process = self._process
        eventually(lambda: process.poll() is not None or self.answers(), "the server answers", seconds)
        if process.poll() is not None:
            raise RuntimeError(f"{self.binary} did not start: {(self.folder / 'log').read_text()[-2000:]}")

    def command(self) -> list[str]:
        """How its program is called."""
        where = {"bind": "127.0.0.1", "port": str(self.port), "unixsocket": str(self.path)}
        settings = {**where, "dir": str(self.folder), "logfile": str(self.folder / "log"), **self.options}
        return [self.binary, *(part for name, value in settings.items() for part in (f"--{name}", value))]

    def kill(self) -> None:
        """SIGKILL; nothing is flushed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End it as a person does."""
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            self._process.wait()

    def freeze(self) -> None:
        """It stands still, with its sockets open."""
        send(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        send(self.pid, signal.SIGCONT)

    def answers(self) -> bool:
        """Whether it takes commands already; one that still loads its data does not."""
        with contextlib.suppress(BrokerError):
            return bool(self.call("PING") == b"PONG")
        return False

    def call(self, *command: str | int | bytes) -> Any:
        """The reply to one command, on the unix socket. Raises BrokerError."""
        connection = self.connect()
        try:
            return connection.call(command)
        finally:
            connection.close()

    def connect(self) -> BlockingConnection:
        """A connection on the unix socket, past every proxy. Raises BrokerUnavailable."""
        return connect_blocking(parse(self.socket_url), 10.0)

    def beside(self, _: str) -> BlockingConnection:
        """A connection to the server that has this key."""
        return self.connect()

    def info(self, section: str) -> dict[str, str]:
        """A section of INFO."""
        lines = self.call("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def version(self) -> str:
        """What it is, for a report."""
        info = self.info("server")
        kind = "Valkey" if "valkey_version" in info else "Redis"
        return f"{kind} {info.get('valkey_version') or info['redis_version']}"
