"""A receiver of alerts: a real HTTP server on this host."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver(ThreadingHTTPServer):
    """Keeps what it gets in `bodies`, and answers with `status`, `delay` seconds later."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.status = 200
        self.delay = 0.0
        self.trickle = False
        self.location = ""
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def texts(self) -> list[str]:
        return [body["text"] for body in self.bodies]

    def got(self, count: int, seconds: float = 10.0) -> list[Any]:
        """Wait until so many have come."""
        until = time.monotonic() + seconds
        while len(self.bodies) < count:
            assert time.monotonic() < until, f"{len(self.bodies)} of {count} came"
            time.sleep(0.005)
        return self.bodies

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up is not missed."""


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server.paths.append(self.path)
        server.headers.append(dict(self.headers.items()))
        server.bodies.append(json.loads(body))
        if server.over.wait(server.delay):
            return
        if server.trickle:
            for letter in "HTTP/1.1 200 OK\r\nX: " + "x" * 1000:
                self.wfile.write(letter.encode())
                if server.over.wait(0.05):
                    return
        self.send_response(server.status)
        if server.location:
            self.send_header("Location", server.location)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secret")

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver that listens for as long as the block lasts."""
    receiver = Receiver()
    if tls is not None:
        receiver.socket = tls.wrap_socket(receiver.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=receiver.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        receiver.shutdown()
        receiver.server_close()
        thread.join()
