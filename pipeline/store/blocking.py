"""Our own connection to the broker, for code without a loop."""

from __future__ import annotations

import contextlib
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Sequence

import hiredis

from pipeline.broker import Address
from pipeline.errors import BrokerRefused, BrokerUnavailable
from pipeline.store.refusals import refusal
from pipeline.store.scripts import whole
from pipeline.store.wire import CLOSED, Command, Reply, checked, is_missing_script, tls_context, unavailable


class BlockingConnection(ABC):
    """The broker, as its callers know it: a `BlockingWire` to a server, or a `BlockingCluster` of them.
    `connect_blocking` opens one. Calls are not to be mixed by threads."""

    @abstractmethod
    def call(self, command: Command) -> Reply:
        """The reply. Raises BrokerRefused; BrokerUnavailable when the outcome is unknown, and hangs up."""

    @abstractmethod
    def call_both(self, command: Command, second: Command) -> tuple[Reply, Reply]:
        """Two commands in one write, the second to where the first one goes. As `call` for the first; the second one's
        reply may be an error."""

    @abstractmethod
    def call_many(self, commands: Sequence[Command]) -> list[Reply]:
        """Several commands in one write, for `checked`: an error is a reply. Raises BrokerUnavailable."""

    @abstractmethod
    def close(self) -> None:
        """Hang up."""


class BlockingWire(BlockingConnection):
    """The connection to the one server at an address: each command within `timeout` seconds. Raises BrokerUnavailable,
    or BrokerRefused for a bad login."""

    def __init__(self, address: Address, timeout: float) -> None:
        self._reader = hiredis.Reader()
        try:
            self._socket = self._open(address, timeout)
            for command in address.greeting():
                self.call(command)
        except OSError as error:
            raise unavailable(address, error) from error
        except BrokerRefused:
            self.close()
            raise

    @staticmethod
    def _open(address: Address, timeout: float) -> socket.socket:
        if address.path:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.settimeout(timeout)
                sock.connect(address.path)
            except OSError:
                sock.close()
                raise
        else:
            [node] = address.nodes
            sock = socket.create_connection(node, timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if address.tls:
            return tls_context().wrap_socket(sock, server_hostname=node.host)
        # The kernel keeps the time limit: Python's own costs a poll before every read and write.
        sock.settimeout(None)
        limit = struct.pack("@ll", int(timeout), int(timeout % 1 * 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        return sock

    def call(self, command: Command) -> Reply:
        reply = self._exchange(hiredis.pack_command(command), 1)[0]
        if isinstance(reply, hiredis.ReplyError):
            if is_missing_script(reply) and command[0] == b"EVALSHA":
                return self.call(whole(command))
            raise refusal(reply)
        return reply

    def call_both(self, command: Command, second: Command) -> tuple[Reply, Reply]:
        reply, after = self.both(command, second)
        return checked(reply), after

    def both(self, command: Command, second: Command) -> tuple[Reply, Reply]:
        """As `call_both`; the first one's reply may be an error, too."""
        reply, after = self._exchange(hiredis.pack_command(command) + hiredis.pack_command(second), 2)
        if is_missing_script(reply) and command[0] == b"EVALSHA":
            return self.both(whole(command), second)
        return reply, after

    def call_many(self, commands: Sequence[Command]) -> list[Reply]:
        if not commands:
            return []
        replies = self._exchange(b"".join(map(hiredis.pack_command, commands)), len(commands))
        missing = [n for n, reply in enumerate(replies) if is_missing_script(reply)]
        for n in missing:
            replies[n] = self.call(whole(commands[n]))
        return replies

    def _exchange(self, data: bytes, count: int) -> list[Reply]:
        """Send commands, and read so many replies."""
        replies: list[Reply] = []
        try:
            self._socket.sendall(data)
            while len(replies) < count:
                while (reply := self._reader.gets()) is False:
                    received = self._socket.recv(65536)
                    if not received:
                        raise ConnectionResetError(CLOSED)  # noqa: TRY301 - as when the system says so
                    self._reader.feed(received)
                replies.append(reply)
        except OSError as error:
            self.close()
            reason = "it is silent" if isinstance(error, BlockingIOError) else str(error)
            raise BrokerUnavailable(f"no answer from the broker: {reason}") from error
        except BaseException:
            # The reply to a call that was interrupted must not be taken for the next one's.
            self.close()
            raise
        return replies

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
