"""A TCP proxy before the broker that can lose a reply, hold replies back or hang up: the network's bad days."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pipeline.store.wire import parse


class Proxy:
    """Listens at `url` and passes everything on to the broker at `target`, until it is told otherwise."""

    def __init__(self, target: str) -> None:
        self._target = parse(target)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        self.writes = 0
        """How many pieces came from clients so far; what is written at once comes as one."""
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._flows = threading.Event()
        self._flows.set()
        self._lock = threading.Lock()
        self._losing = 0
        self._then: Callable[[], object] = object
        self._start(self._accept)

    def lose_replies(self, count: int = 1, then: Callable[[], object] = object) -> None:
        """Each of the next `count` replies is lost, and its connection with it: the command was carried out.

        `then` is called, in a thread, between the loss and the end of the connection.
        """
        with self._lock:
            self._losing, self._then = count, then

    def hold(self) -> None:
        """Keep replies back until `flow`."""
        self._flows.clear()

    def flow(self) -> None:
        """Let replies through."""
        self._flows.set()

    def hang_up(self) -> None:
        """Break every connection that was spoken on; new ones are taken."""
        for end in list(self._sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up, and listen no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.flow()
        self.hang_up()
        for thread in list(self._threads):
            thread.join()
        for end in self._sockets:
            end.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, target: object, *given: object) -> None:
        thread = threading.Thread(target=target, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = self._dial()
            self._sockets += [client, server]
            self._start(self._ask, client, server)
            self._start(self._answer, server, client)

    def _dial(self) -> socket.socket:
        if not self._target.path:
            return socket.create_connection((self._target.host, self._target.port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target.path)
        return server

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                self.writes += 1
                server.sendall(data)
        _break(client, server)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 20):
                self._flows.wait()
                if self._loses():
                    self._then()
                    break
                client.sendall(data)
        _break(client, server)

    def _loses(self) -> bool:
        with self._lock:
            losing = self._losing > 0
            self._losing -= losing
            return losing


def _break(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
