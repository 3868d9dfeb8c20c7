"""Libraries that are put before the C library of a server: C sources of `shims/`, compiled when they are needed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

SHIMS = Path(__file__).parent / "shims"
COMPILERS = ("cc", "gcc", "clang")


def build(name: str, folder: Path) -> str:
    """Compile `shims/<name>.c` into `folder`; what LD_PRELOAD must be. Raises RuntimeError."""
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        raise RuntimeError(f"this case needs a C compiler: there is none of {', '.join(COMPILERS)}")
    library = folder / f"{name}.so"
    command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-o", str(library), str(SHIMS / f"{name}.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}.c cannot be compiled: {done.stderr}")
    return str(library)
