"""What failures have in common: the exception, the place in the user's code, and the message without its particulars.

Pure. Computed when dead jobs are read, so that a better rule counts for old ones too.
"""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

LONGEST = 300
_LAST = "Traceback (most recent call last):"
_FRAME = re.compile(r'^[ |]*File "([^"\n]+)", line [0-9]+, in (\S+)', re.MULTILINE)
_OTHERS = re.compile(
    r"/(?:site-packages|dist-packages|python3(?:\.[0-9]+)?|pipeline/(?:worker|job\.py))(?:/|$)|^<"
)
# In this order: what stands in quotes may look like any of the others.
_PARTICULARS = (
    (re.compile(r"(?<!\w)'[^'\n]*'(?!\w)|\"[^\"\n]*\""), "'…'"),
    (re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|\b(?=[a-fA-F]*[0-9])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{8,}\b"), "<hex>"),
    (re.compile(r"[0-9]+(?:[.,:][0-9]+)*"), "<n>"),
)


class Fingerprint(Struct, frozen=True):
    """`id` names it. `where` is `folder/file.py:function`, empty when nothing of the user's code was reached."""

    id: str
    type: str
    where: str
    message: str


def fingerprint(type: str, message: str, traceback: str) -> Fingerprint:
    """The fingerprint of a failed attempt, from what is kept of its error."""
    where, said = top_frame(traceback), normalised(message)
    raw = f"{type}\n{where}\n{said}".encode()
    return Fingerprint(hashlib.sha256(raw).hexdigest()[:8], type, where, said)


def top_frame(traceback: str) -> str:
    """Where the error was raised, or the last place of the user's code on the way there. Line numbers change with
    every edit, so they do not count."""
    frames = _FRAME.findall(traceback.rpartition(_LAST)[2])
    own = [frame for frame in frames if not _OTHERS.search(frame[0])]
    if not frames:
        return ""
    file, function = (own or frames)[-1]
    return f"{'/'.join(file.split('/')[-2:])}:{function}"


def normalised(message: str) -> str:
    """The first line of a message, with numbers, ids and quoted values left out."""
    text = message.strip().partition("\n")[0][:LONGEST]
    for pattern, instead in _PARTICULARS:
        text = pattern.sub(instead, text)
    return text
