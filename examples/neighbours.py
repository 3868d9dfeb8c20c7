"""The programs around the shop: a payment gateway and a mail server, as processes of their own."""

from __future__ import annotations

import json
import mailbox
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Neighbours:
    """Where they are, and what they say about a run."""

    gateway: str
    mail: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the handlers find them, and nobody's own broker."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("PIPELINE_")}
        stock = str(self.folder / "stock.sqlite")
        return {**own, "SHOP_GATEWAY": self.gateway, "SHOP_MAIL": self.mail, "SHOP_STOCK": stock}

    def books(self) -> dict[str, int]:
        """The gateway's report."""
        with urlopen(f"{self.gateway}/report") as answer:  # noqa: S310 - our own address
            report: dict[str, int] = json.load(answer)
            return report

    def delivered(self) -> int:
        """How many mails arrived."""
        return len(mailbox.mbox(self.folder / "mbox"))

    def sold(self) -> int:
        """How many pieces were taken out of stock."""
        connection = sqlite3.connect(self.folder / "stock.sqlite")
        try:
            [sold] = connection.execute("SELECT coalesce(-sum(change), 0) FROM moves").fetchone()
            return int(sold)
        finally:
            connection.close()


@contextmanager
def neighbours() -> Iterator[Neighbours]:
    """Start them; they end with the block."""
    with tempfile.TemporaryDirectory(prefix="shop-") as name, ExitStack() as stack:
        folder = Path(name)
        gateway = stack.enter_context(listening("gateway.py", "0"))
        mail = stack.enter_context(listening("mail.py", str(folder / "mbox"), "0"))
        yield Neighbours(f"http://127.0.0.1:{gateway}", f"127.0.0.1:{mail}", folder)


@contextmanager
def listening(script: str, *arguments: str) -> Iterator[int]:
    """Run a server that prints its port first; yields the port."""
    command = [sys.executable, str(HERE / script), *arguments]
    # A session of its own: Ctrl-C is for the supervisor, whose last jobs still need their neighbours.
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()
