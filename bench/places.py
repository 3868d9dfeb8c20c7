"""Where things lie. The peers, the data and the logs stay out of the repository."""

import os
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ADAPTERS = HERE / "adapters"
REPORT = HERE / "RESULTS.md"

PEERS_DIR = Path(os.environ.get("PEERS_DIR") or Path(tempfile.gettempdir()) / "pipeline-bench")
WORK = Path(os.environ.get("BENCH_WORK") or PEERS_DIR / "run")
PORT = int(os.environ.get("BENCH_PORT", "63790"))
URL = f"redis://127.0.0.1:{PORT}/0"
TALLY = WORK / "tally"


def program(venv: str, name: str) -> str:
    """The path of a program in the environment of a peer."""
    return str(PEERS_DIR / "venvs" / venv / "bin" / name)
