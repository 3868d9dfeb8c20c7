"""A shop's backend with the work inline: `python -m bench.ingress.inline PORT WORKERS`.

Sync workers as gunicorn's: processes that share a listening socket, each of which answers one request at a time. They verify
the signature by the very code of the ingress, do the work, and then answer.
"""

import json
import os
import signal
import socket
import sys
import time

from bench.ingress.events import KEY
from bench.ingress.work import capture
from pipeline.web.verify import Headers, Refused, verifier
from pipeline.webhook import VerifyPlan

BACKLOG = 2048
verify = verifier(VerifyPlan("stripe"), [KEY.encode()])


def serve(listening: socket.socket) -> None:
    """One worker, until it is killed."""
    while True:
        stream, _ = listening.accept()
        with stream:
            try:
                status = answer(stream)
            except OSError:
                continue
            stream.sendall(f"HTTP/1.1 {status} OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())


def answer(stream: socket.socket) -> int:
    """Read one request, and do what it asks for."""
    stream.settimeout(10)
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := stream.recv(65536)):
            raise OSError
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    pairs = [line.partition(b": ")[::2] for line in head.split(b"\r\n")[1:]]
    length = next(int(value) for name, value in pairs if name.lower() == b"content-length")
    while len(body) < length:
        body += stream.recv(65536)
    try:
        verify(Headers(pairs), body, time.time())
    except Refused:
        return 401
    capture(json.loads(body))
    return 200


def main(port: int, workers: int) -> None:
    listening = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    children = []
    for _ in range(workers):
        if (pid := os.fork()) == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            serve(listening)
        children.append(pid)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    print("serving", flush=True)
    try:
        os.wait()
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
