"""A primary and its replica, as real servers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.broker import parse
from pipeline.store.blocking import BlockingConnection
from pipeline.store.connect import connect_blocking
from pipeline.supervisor.binary import find_server

SECONDS = 10.0


class Server:
    """A server on a port of this machine, with its own folder."""

    def __init__(self, *settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pq-"))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        binary = os.environ.get("PIPELINE_TEST_SERVER") or find_server()
        own = ("--port", str(self.port), "--save", "", "--dir", str(self.folder), "--appendonly", "yes")
        quick = ("--repl-diskless-sync-delay", "0", "--repl-timeout", "60")
        command = [binary, *own, *quick, *settings, "--logfile", str(self.folder / "log")]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def connect(self) -> BlockingConnection:
        return connect_blocking(parse(self.url))

    def call(self, *command: object) -> Any:
        """The reply to one command."""
        connection = self.connect()
        try:
            return connection.call(command)
        finally:
            connection.close()

    def about(self, name: str) -> str | None:
        """One line of INFO."""
        lines = self.call("INFO", "everything").decode().splitlines()
        return next((line.partition(":")[2] for line in lines if line.startswith(f"{name}:")), None)

    def answers(self) -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", self.port)) == 0

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


class Pair:
    """A primary whose replica keeps up."""

    def __init__(self) -> None:
        self.primary = Server()
        self.replica = Server("--replicaof", f"127.0.0.1 {self.primary.port}")
        eventually(lambda: self.primary.answers() and self.is_joined(), "the replica keeps up")

    def is_joined(self) -> bool:
        """Whether the replica has all that was written."""
        connection = self.primary.connect()
        try:
            connection.call(("SET", "written", "last"))
            return bool(connection.call(("WAIT", 1, 100)) == 1)
        finally:
            connection.close()

    def end(self) -> None:
        self.replica.end()
        self.primary.end()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def eventually(holds: Callable[[], object], what: str) -> None:
    """Wait until it holds."""
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, f"not within {SECONDS:g} s: {what}"
        time.sleep(0.01)
