"""One POST to an alert's receiver, by strict rules.

The name is looked up once, every address that it means must be allowed (address.py), and the connection goes to one of
these: another answer of the name's owner a moment later changes nothing. No redirect is followed, no proxy asked, and
nothing of the answer is shown but its number.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from urllib.parse import SplitResult

from pipeline import address
from pipeline.errors import NotSent

SECONDS = 10.0
AGENT = "pipeline-queues"
PORTS = {"https": 443, "http": 80}


def post(url: str, body: bytes, *, allow_private: bool = False, seconds: float = SECONDS) -> None:
    """Send JSON. Raises NotSent unless the answer is a 2xx within `seconds`. Blocks: call it in a thread."""
    try:
        parts = address.split(url)
        if address.needs_tls(parts, allow_private=allow_private):
            raise NotSent("http is spoken to this host only")
        stream = _connect(parts, allow_private=allow_private, seconds=seconds)
    except address.Forbidden as error:
        raise NotSent(f"its address is not allowed: {error}") from None
    # What trickles in would renew the time limit of a socket over and over.
    line, late = [stream], threading.Event()
    end = threading.Timer(seconds, _hang_up, [line, late])
    end.daemon = True
    end.start()
    try:
        status = _exchange(parts, line, body)
    except TimeoutError:
        raise NotSent(_late(seconds)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSent(_late(seconds) if late.is_set() else _reason(error)) from None
    finally:
        end.cancel()
        line[0].close()
    if 300 <= status < 400:
        raise NotSent(f"it answered {status}: redirects are not followed")
    if not 200 <= status < 300:
        raise NotSent(f"it answered {status}")


def _connect(parts: SplitResult, *, allow_private: bool, seconds: float) -> socket.socket:
    """A connection to an address that was looked at. Raises Forbidden or NotSent."""
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotSent("its name cannot be looked up") from None
    for *_, place in found:
        address.check(parts, str(place[0]), allow_private=allow_private)
    failed = "its name means no address"
    for family, kind, protocol, _, place in found:
        stream = socket.socket(family, kind, protocol)
        stream.settimeout(seconds / len(found))
        try:
            stream.connect(place)
        except OSError as error:
            failed = _reason(error)
            stream.close()
        else:
            stream.settimeout(seconds)
            return stream
    raise NotSent(failed)


def _exchange(parts: SplitResult, line: list[socket.socket], body: bytes) -> int:
    """The number that the receiver answers with. `line` holds the connection, in its TLS once there is one."""
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    connection = http.client.HTTPConnection(host, port)
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, context=context)
        line[0] = stream = context.wrap_socket(line[0], server_hostname=host, do_handshake_on_connect=False)
        stream.do_handshake()
    connection.sock = line[0]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Content-Type": "application/json", "User-Agent": AGENT, "Connection": "close"}
    with contextlib.closing(connection):
        connection.request("POST", target, body, headers)
        return connection.getresponse().status


def _hang_up(line: list[socket.socket], late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError):
        # Not that of TLS, which would take the connection apart under the thread that reads.
        socket.socket.shutdown(line[0], socket.SHUT_RDWR)


def _late(seconds: float) -> str:
    return f"it did not answer within {seconds:g} s"


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate cannot be trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "it answered with something that is no HTTP"
