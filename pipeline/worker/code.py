"""Which of the project's code a worker runs."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

INSTALLED = {"site-packages", "dist-packages"}


def code_version(root: str) -> str:
    """8 hex digits that name the sources below `root` which this process has loaded. Equal for equal sources."""
    digest = hashlib.sha256()
    for path in sorted(set(_loaded_below(root.rstrip(os.sep) + os.sep))):
        try:
            source = Path(root, path).read_bytes()
        except OSError:
            continue
        digest.update(os.fsencode(f"{path}\0{len(source)}\0") + source)
    return digest.hexdigest()[:8]


def _loaded_below(folder: str) -> Iterator[str]:
    # The interpreter and what is installed may lie in the project, too.
    prefixes = (sys.prefix, sys.base_prefix)
    skipped = tuple(prefix + os.sep for prefix in prefixes if prefix.startswith(folder))
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(folder) and not file.startswith(skipped):
            path = file.removeprefix(folder)
            if not INSTALLED.intersection(Path(path).parts):
                yield path
