"""A real server for the tests: one for each test process, emptied before each test that asks for it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.supervisor.binary import find_server
from tests.acl import LOGIN, users_of_tests

START_SECONDS = 10.0
# The projects of tests run side by side: none of them has a port of its own.
os.environ.update(PIPELINE_HTTP="127.0.0.1:0", PIPELINE_INGRESS="127.0.0.1:0")

# What a shell starts in the background ignores Ctrl-C, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Server:
    """A running valkey-server (or redis-server) on a unix socket, with users when there is a file of them."""

    socket: Path
    process: subprocess.Popen[bytes]
    users: Path | None = None

    @property
    def url(self) -> str:
        """What a config's `broker.url` would say."""
        return f"unix://{self.socket}"

    def ask(self, command: str) -> bytes:
        """Send one command without quoting, return the raw start of its answer."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(START_SECONDS)
            connection.connect(str(self.socket))
            if self.users:
                connection.sendall(LOGIN)
                connection.recv(65536)
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(65536)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this test process; PIPELINE_TEST_SERVER names another binary than the bundled one."""
    # Not pytest's own folder: the path of a unix socket may have 107 bytes at most.
    folder = Path(tempfile.mkdtemp(prefix="pq-"))
    running = start_server(folder)
    yield running
    running.process.kill()
    running.process.wait()
    shutil.rmtree(folder)


@pytest.fixture
def broker(server: Server) -> str:
    """The address of an empty broker."""
    assert server.ask("FLUSHALL") == b"+OK\r\n"
    return server.url


@pytest.fixture
def root() -> Iterator[Path]:
    """A project's folder; not pytest's own, whose path is too long for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="pq-"))
    yield folder
    shutil.rmtree(folder)


def start_server(folder: Path, users: Path | None = None) -> Server:
    """Start a server whose files and socket lie in `folder`, and wait until it answers. `users`: a file of them."""
    path = folder / "s"
    binary = os.environ.get("PIPELINE_TEST_SERVER") or find_server()
    users = users or users_of_tests(folder)
    command = [binary, "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    command += ["--aclfile", str(users)] if users else []
    process = subprocess.Popen([*command, "--logfile", str(folder / "log")], stdin=subprocess.DEVNULL)
    running = Server(path, process, users)
    until = time.monotonic() + START_SECONDS
    while not answers(running):
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{binary} did not start: {(folder / 'log').read_text()}")
        time.sleep(0.002)
    return running


def answers(running: Server) -> bool:
    """Whether the server takes commands already."""
    try:
        return running.ask("PING") == b"+PONG\r\n"
    except (FileNotFoundError, ConnectionRefusedError):
        return False
