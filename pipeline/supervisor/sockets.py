"""The two sockets of the web process. The supervisor holds them, so that a web process that is replaced misses nobody."""

from __future__ import annotations

import socket

from pipeline.errors import StartError
from pipeline.listen import listener, written
from pipeline.plan import HttpPlan

REFUSED = 1
BACKLOG = 1_024


class Sockets:
    """Both, or neither: `listen` and `ingress` are their addresses, with the ports that they really have."""

    def __init__(self, http: HttpPlan) -> None:
        """Raises StartError when one of them cannot be had."""
        self.both: tuple[socket.socket, ...] = ()
        for address in (http.listen, http.ingress):
            try:
                self.both += (_bind(address),)
            except OSError as error:
                self.close()
                reason = (error.strerror or str(error)).lower()
                raise StartError(f"cannot listen on {address}: {reason}", REFUSED) from None
        self.listen, self.ingress = (written(*sock.getsockname()[:2]) for sock in self.both)

    def close(self) -> None:
        """Let go of them here; a web process that has them goes on."""
        for sock in self.both:
            sock.close()


def _bind(address: str) -> socket.socket:
    host, port = listener(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port that was ours a moment ago is free at once; one that another process listens on is not.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock
