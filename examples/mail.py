"""A small mail server: SMTP, on a port of its own, into an mbox file.

    python examples/mail.py MBOX [PORT]

It puts some recipients off the first time (451), and knows no mailbox of anybody called `nobody` (550).
"""

from __future__ import annotations

import mailbox
import re
import socketserver
import sys
import threading
from collections.abc import Callable


class Post:
    """The mailboxes: which recipients are taken, and what was delivered."""

    def __init__(self, path: str) -> None:
        self._box = mailbox.mbox(path)
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def accept(self, recipient: str) -> str:
        """The answer to RCPT TO."""
        name = recipient.partition("@")[0]
        number = re.search(r"\d+$", name)
        with self._lock:
            first = recipient not in self._seen
            self._seen.add(recipient)
        if name == "nobody":
            return "550 no such mailbox"
        if first and number and int(number[0]) % 12 == 5:
            return "451 try again later"
        return "250 fine"

    def deliver(self, message: bytes) -> None:
        """Keep a message. It is on disk when this returns."""
        with self._lock:
            self._box.add(message)
            self._box.flush()


class Session(socketserver.StreamRequestHandler):
    """One connection of a mail client."""

    server: MailServer

    def handle(self) -> None:
        verbs: dict[str, Callable[[str], str]] = {
            "EHLO": lambda _: "250 ready",
            "HELO": lambda _: "250 ready",
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._mail,
            "NOOP": lambda _: "250 fine",
        }
        self.recipients: list[str] = []
        self._say("220 mail.example.com")
        while line := self.rfile.readline().decode("utf-8", "replace").strip():
            verb, _, rest = line.partition(" ")
            if verb.upper() == "QUIT":
                self._say("221 bye")
                return
            answer = verbs.get(verb.upper())
            self._say(answer(rest) if answer else "502 not known here")

    def _mail(self, _: str) -> str:
        self.recipients = []
        return "250 fine"

    def _rcpt(self, rest: str) -> str:
        recipient = rest.partition("<")[2].partition(">")[0]
        answer = self.server.post.accept(recipient)
        if answer.startswith("250"):
            self.recipients.append(recipient)
        return answer

    def _data(self, _: str) -> str:
        if not self.recipients:
            return "503 to whom?"
        self._say("354 end with a line that holds only a dot")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        self.server.post.deliver(b"".join(lines).replace(b"\r\n", b"\n"))
        return "250 delivered"

    def _say(self, answer: str) -> None:
        self.wfile.write(f"{answer}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    """The server, with its post."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: str, port: int) -> None:
        super().__init__(("127.0.0.1", port), Session)
        self.post = Post(path)


if __name__ == "__main__":
    server = MailServer(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8025)
    print(server.server_address[1], flush=True)
    server.serve_forever()
