"""The embedded broker: a server of the project's own, which one process owns and others join.

Whoever holds the lock on `broker.lock` owns the server and starts it; the server holds the lock too, so two
servers can never write one append-only file. The lock's file says whether the owner stays (`run`), lives for
one command (`command`), or is about to stop the server (`closing`). Commands that join hold a shared lock on
`broker.users`, for which the owner waits before it stops the server.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pipeline.broker import Address
from pipeline.errors import BrokerError, BrokerUnavailable
from pipeline.exits import kill_group
from pipeline.plan import Plan
from pipeline.state import broker_url, check_private, open_private, private_folder, socket_path, state_folder
from pipeline.store.connect import connect_blocking
from pipeline.supervisor.binary import find_server
from pipeline.supervisor.host import host_label, host_name, is_alive
from pipeline.supervisor.locks import FileLock, Holder
from pipeline.supervisor.spawn import spawn

Role = Literal["run", "command"]
PATIENCE = 30.0
LAST_WAIT = 5.0
STOP_SECONDS = 10.0


class Embedded:
    """Our hold on the project's server. `ensure` may be called again and again; `close` lets go.

    `role` is "run" for a supervisor, which takes the server over when its owner leaves, and "command" for
    what lasts only a moment.
    """

    def __init__(self, plan: Plan, role: Role) -> None:
        self._state = state_folder(plan.root)
        self._role = role
        self._fsync = "always" if plan.broker.durability == "fsync" else "everysec"
        self._socket = socket_path(self._state)
        self._url = broker_url(plan)
        self._lock = FileLock(self._state / "broker.lock")
        self._users = open_private(self._state / "broker.users")
        self._server: subprocess.Popen[bytes] | None = None
        self._joined = False
        private_folder(self._socket.parent)

    @property
    def url(self) -> str:
        """The server's address, for workers and clients."""
        return self._url

    @property
    def owned(self) -> bool:
        """Whether the server is our child."""
        return self._lock.held

    def describe(self) -> str:
        """What a person who waits for the server should know."""
        if self.owned:
            return f"the embedded broker reads its file: see {self._state / 'broker.log'}"
        return f"waiting for the embedded broker, which process {self._lock.holder().pid} uses"

    @property
    def pid(self) -> int:
        """The process of a server of our own; 0 for none."""
        return self._server.pid if self._server is not None else 0

    def open(self) -> None:
        """Wait until the server can be used. Raises BrokerUnavailable when that cannot be."""
        for pause in self.waits():
            time.sleep(pause)

    def waits(self) -> Iterator[float]:
        """The pauses, in seconds, to make until the server can be used. Raises BrokerUnavailable."""
        pause, until = 0.002, time.monotonic() + PATIENCE
        while not self.ensure():
            # A server of our own may read a long file; commands before us may take their time.
            if self.owned or self._lock.holder().role in ("command", "closing"):
                until = time.monotonic() + PATIENCE
            if time.monotonic() > until:
                raise BrokerUnavailable(
                    f"the embedded broker of process {self._lock.holder().pid} does not answer",
                    f"see {self._state / 'broker.log'}",
                )
            yield pause
            pause = min(pause * 1.2, 0.05)

    def ensure(self) -> bool:
        """One step towards a server that answers, and whether it does. Never waits.

        Raises BrokerUnavailable when a server of our own ended by itself; the next call starts it again.
        """
        if self._lock.held or self._lock.take():
            return self._keep()
        return self._join()

    def _keep(self) -> bool:
        if self._server is None:
            self._start()
        elif self._server.poll() is not None:
            code, self._server = self._server.returncode, None
            raise BrokerUnavailable(f"the embedded broker ended with {code}: {self._last_words()}")
        return answers(self._socket)

    def _start(self) -> None:
        self._socket.unlink(missing_ok=True)
        # Before the server is there: nobody may join it in another role than ours.
        self._lock.describe(Holder(os.getpid(), host_name(), role=self._role, label=host_label()))
        log = open_private(self._state / "broker.log")
        os.lseek(log, 0, os.SEEK_END)
        self._server = spawn(self._command(), output=log, pass_fds=(self._lock.fd,))
        os.close(log)

    def _command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "600",
            "dir": str(self._state),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
            "enable-protected-configs": "no",
            "enable-debug-command": "no",
            "enable-module-command": "no",
            "loglevel": "notice",
        }
        return [find_server(), *(part for name, value in settings.items() for part in (f"--{name}", value))]

    def _last_words(self) -> str:
        lines = (self._state / "broker.log").read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"

    def _join(self) -> bool:
        if self._joined:
            return answers(self._socket)
        try:
            fcntl.flock(self._users, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False  # the owner is stopping it
        holder = self._lock.holder()
        if holder.role == "run" or (holder.role == "command" and self._role == "command"):
            self._joined = answers(self._socket)
        if not self._joined or self._role == "run":
            fcntl.flock(self._users, fcntl.LOCK_UN)
        if holder.label == host_label() and not is_alive(holder.pid):
            self._end_orphan()
        return self._joined

    def _end_orphan(self) -> None:
        """Its owner was killed where the kernel does not tell children: the server still holds the lock."""
        with contextlib.suppress(BrokerError):
            connect_blocking(Address(path=str(self._socket)), timeout=1.0).call(("SHUTDOWN",))

    def close(self) -> None:
        """Let go. An owner waits for the commands that use its server, then stops it."""
        if self._server is not None:
            self._lock.describe(Holder(os.getpid(), host_name(), role="closing", label=host_label()))
            self._wait_for_users()
            self._stop(self._server)
            self._server = None
        os.close(self._users)
        self._lock.close()

    def _wait_for_users(self) -> None:
        until = time.monotonic() + LAST_WAIT
        while self._role == "command" or time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.02)

    def _stop(self, server: subprocess.Popen[bytes]) -> None:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            kill_group(server)
            server.wait()
        self._socket.unlink(missing_ok=True)


def answers(path: Path) -> bool:
    """Whether a server at this socket is ready; one that still reads its file is not."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64) == b"+PONG\r\n"
        except OSError:
            return False


def find_running(plan: Plan) -> str:
    """The address of the embedded broker that runs. Raises BrokerUnavailable when none does."""
    state = Path(plan.root) / ".pipeline"
    if os.path.lexists(state):
        path = socket_path(check_private(state))
        if path.parent.exists() and check_private(path.parent) and answers(path):
            return broker_url(plan)
    raise BrokerUnavailable(
        f"the embedded broker of {plan.name!r} does not run", f"start it with: pipeline run {plan.file}"
    )


@contextlib.contextmanager
def open_broker(plan: Plan, *, start: bool) -> Iterator[str]:
    """The address of the project's broker, as long as the block lasts.

    With `broker.url: embedded` the server is joined; when none runs it is started for that long, or with
    `start=False` BrokerUnavailable is raised.
    """
    if plan.broker.url != "embedded":
        yield plan.broker.url
    elif not start:
        yield find_running(plan)
    else:
        embedded = Embedded(plan, "command")
        try:
            embedded.open()
            yield embedded.url
        finally:
            embedded.close()
