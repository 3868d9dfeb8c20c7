"""What a person should know of a project, as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from pipeline.status.notices import notices
from pipeline.status.snapshot import Snapshot
from pipeline.status.text import clean


def line(*parts: str | tuple[str, str]) -> Text:
    """One line that is cut, not wrapped, where the terminal ends."""
    safe = [clean(part) if isinstance(part, str) else (clean(part[0]), part[1]) for part in parts]
    return Text.assemble(*safe, no_wrap=True, overflow="ellipsis")


def troubles(snapshot: Snapshot) -> Iterator[Text]:
    """Every line there is; none for a project that is well, and as its file says."""
    return (line(*parts) for parts in notices(snapshot))
