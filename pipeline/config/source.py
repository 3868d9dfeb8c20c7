"""A file's bytes -> its text: size, encoding, control characters."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from pipeline.config.inputs import MAX_BYTES, read_regular
from pipeline.config.report import Report
from pipeline.config.tree import TOP, Span

# What YAML 1.2 allows in a stream, turned round.
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_source(
    path: Path, report: Report, at: Span = TOP, help: str = "check the path of the config file"
) -> str | None:
    """The text of the report's file, or None after a finding.

    A file that cannot be read is a finding at `at`, where another file names it, with `help`.
    """
    try:
        raw = read_regular(path, MAX_BYTES)
    except OSError as error:
        reason = (error.strerror or "it cannot be opened").lower()
        report.error("P001", f"cannot read {path}: {reason}", at, help=help)
        return None
    if len(raw) > MAX_BYTES:
        report.error("P002", "the file is larger than 4 MiB", TOP, help="is this the right file?")
        return None
    if open_to_all := _open_to_all(path):
        message = f"everybody on this host can write {open_to_all}, and so choose the code that runs"
        report.warning("P026", message, TOP, help=f"chmod o-w {open_to_all}")
    return _decode(raw, report)


def _open_to_all(path: Path) -> Path | None:
    """The file, or its folder, if others can write it or put another one there."""
    real = path.resolve()
    try:
        file, folder = real.stat().st_mode, real.parent.stat().st_mode
    except OSError:
        return None  # it was replaced just now: the next look sees to it
    if file & stat.S_IWOTH:
        return path
    return real.parent if folder & stat.S_IWOTH and not folder & stat.S_ISVTX else None


def _decode(raw: bytes, report: Report) -> str | None:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = _place(raw[: error.start].decode("utf-8-sig"))
        report.error("P003", "this is not UTF-8 text", at, help="save the file as UTF-8")
        return None
    report.read(text)
    if junk := _CONTROL.search(text):
        message = f"the control character U+{ord(junk[0]):04X} is not allowed"
        report.error("P004", message, _place(text[: junk.start()]), help="is this a text file?")
        return None
    return text


def _place(before: str) -> Span:
    lines = before.splitlines() or [""]
    if before.endswith(("\n", "\r")):
        lines.append("")
    return Span(len(lines), len(lines[-1]) + 1, len(lines[-1]) + 2)
