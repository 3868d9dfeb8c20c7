"""The files that a config is made of: how they are read and found, and one name for all of their content.

An input is a path, or `glob:FOLDER//PATTERN` for an include pattern with wildcards: a file that comes to match it
later belongs to the config too.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

GLOB = "glob:"
MAX_LOOKED_AT = 10_000
MAX_BYTES = 4 * 1024 * 1024
MAX_TOTAL = 16 * MAX_BYTES
_WILDCARDS = frozenset("*?[")


class TooManyFiles(Exception):
    """A pattern looks through more of the disk than a config has any use for."""


def read_regular(path: str | Path, limit: int) -> bytes:
    """The file's bytes, `limit` + 1 at most. Raises OSError, also for what is no regular file; never waits."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError:
        raise OSError(errno.EINVAL, "this is no path") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise OSError(
                errno.EINVAL, "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file"
            )
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(descriptor)


def is_pattern(text: str) -> bool:
    """Whether `text` has wildcards, and so may name any number of files."""
    return not _WILDCARDS.isdisjoint(text)


def matches(folder: Path, pattern: str) -> list[Path]:
    """The files that `pattern` names, from `folder`, sorted. `**` is any number of folders.

    Hidden files match only a pattern that begins with a dot. Raises TooManyFiles.
    """
    start = Path("/") if pattern.startswith("/") else folder
    steps = [step for step in pattern.split("/") if step]
    return sorted(set(_walk(start, steps, _Looking())))


class _Looking:
    """Lists folders, as long as there are not too many files in them."""

    def __init__(self) -> None:
        self._left = MAX_LOOKED_AT

    def names(self, folder: Path) -> list[str]:
        try:
            with os.scandir(folder) as entries:
                found = [entry.name for entry in islice(entries, self._left + 1)]
        except (OSError, ValueError):
            found = []
        self._left -= len(found) + 1
        if self._left < 0:
            raise TooManyFiles
        return found


def _walk(folder: Path, steps: list[str], looking: _Looking) -> Iterator[Path]:
    step, *rest = steps
    if step == "**":
        yield from _walk(folder, rest or ["*"], looking)
    elif not is_pattern(step):
        yield from _step(folder, step, rest, looking)
        return
    for name in looking.names(folder):
        if name.startswith(".") and not step.startswith("."):
            continue
        if step == "**":
            below = folder / name
            if _is_folder(below):
                yield from _walk(below, steps, looking)
        elif fnmatchcase(name, step):
            yield from _step(folder, name, rest, looking)


def _step(folder: Path, name: str, rest: list[str], looking: _Looking) -> Iterator[Path]:
    if rest:
        yield from _walk(folder / name, rest, looking)
    elif _is_file(folder / name):
        yield folder / name


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _is_file(path: Path) -> bool:
    """Whether something is there that is no folder, whatever it is."""
    try:
        return not stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def fingerprint(inputs: Sequence[str]) -> str:
    """Names the content of all inputs: it changes when one is edited, added, removed or replaced. Never raises."""
    digest = hashlib.sha256()
    files: set[str] = set()
    for one in inputs:
        if one.startswith(GLOB):
            files.update(_matches(one))
        else:
            files.add(one)
    left = MAX_TOTAL
    for file in sorted(files):
        content = _content(file)
        left -= len(content)
        digest.update(_text(f"\n{file}\n{len(content)}\n") + content)
        if left < 0:
            break  # a config of this size is refused, whatever else it holds
    return digest.hexdigest()


def _matches(pattern: str) -> list[str]:
    folder, _, steps = pattern.removeprefix(GLOB).partition("//")
    try:
        return [str(file) for file in matches(Path(folder), steps)]
    except TooManyFiles:
        return []


def _content(file: str) -> bytes:
    try:
        return b"=" + read_regular(file, MAX_BYTES)
    except OSError as error:
        return f"!{error.errno}".encode()


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
