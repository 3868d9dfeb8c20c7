"""Text that came with jobs, made safe to print."""

from __future__ import annotations

from pipeline.steering import steering, written_out

_STEERING = steering()


def clean(text: str) -> str:
    """The text with control characters and changes of direction written out: it cannot steer a terminal."""
    return written_out(_STEERING, text)
