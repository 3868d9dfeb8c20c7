"""Hosts on one machine: network and host names of their own, each with a cable to the broker that can be pulled."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from faults.broker import Broker

NET = "10.77.0"
AS_HOST = ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"')


class Hosts(Broker):
    """The broker stands in a network of its own, which leaves this machine's alone. Needs root."""

    def __init__(
        self, folder: Path, binary: str = "", names: Sequence[str] = ("a", "b"), **options: str
    ) -> None:
        super().__init__(folder, binary, **{"bind": f"{NET}.1", "protected-mode": "no", **options})
        self.url = f"redis://{NET}.1:{self.port}"
        self.names = names

    def start(self, seconds: float = 30.0) -> None:
        ip("netns", "add", self._space())
        self._in_hub("link", "add", "name", "hub", "type", "bridge")
        self._in_hub("address", "add", f"{NET}.1/24", "dev", "hub")
        self._in_hub("link", "set", "dev", "hub", "up")
        for number, name in enumerate(self.names):
            self._add(name, f"{NET}.{number + 2}/24")
        super().start(seconds)

    def kill(self) -> None:
        super().kill()
        for name in (*self.names, "hub"):
            ip("netns", "delete", self._space(name), check=False)

    def command(self) -> list[str]:
        return ["ip", "netns", "exec", self._space(), *super().command()]

    def on(self, name: str) -> list[str]:
        """What is put before a command so that it runs on this host."""
        return ["ip", "netns", "exec", self._space(name), *AS_HOST, name]

    def cut(self, name: str) -> None:
        """Pull the host's cable."""
        self._in_hub("link", "set", "dev", name, "down")

    def heal(self, name: str) -> None:
        """Plug it in again."""
        self._in_hub("link", "set", "dev", name, "up")

    def _add(self, name: str, address: str) -> None:
        space = self._space(name)
        ip("netns", "add", space)
        self._in_hub("link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", space)
        self._in_hub("link", "set", "dev", name, "master", "hub", "up")
        ip("-n", space, "address", "add", address, "dev", "eth0")
        for device in ("lo", "eth0"):
            ip("-n", space, "link", "set", "dev", device, "up")

    def _in_hub(self, *arguments: str) -> None:
        ip("-n", self._space(), *arguments)

    def _space(self, name: str = "hub") -> str:
        return f"pf-{os.getpid()}-{name}"


def ip(*arguments: str, check: bool = True) -> None:
    """Change networks. Raises RuntimeError with what `ip` says."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
