"""Characters that steer a terminal or turn the text around: what is shown of foreign text has none of them."""

from __future__ import annotations

import re

_ALL = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"


def steering(but: str = "") -> re.Pattern[str]:
    """What matches one of these characters, `but` not these."""
    return re.compile(f"(?![{but}])[{_ALL}]" if but else f"[{_ALL}]")


def written_out(pattern: re.Pattern[str], text: str) -> str:
    """The text with what matches written as its escape, which does nothing."""
    return pattern.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
