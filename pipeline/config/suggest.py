"""The near name for a mistyped one, in rustc's order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

LONGEST = 100
MOST = 500


def near(word: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `word` was most likely meant to be, or None.

    Same letters in another case first, then few edits, then the same words in another order, or of one and of many. Nothing is looked
    for in very long words, and among very many.
    """
    candidates = sorted(names)
    if len(word) > LONGEST or len(candidates) > MOST:
        return None
    for name in candidates:
        if name.lower() == word.lower():
            return name
    limit = max(len(word), 3) // 3
    close = [(distance, name) for name in candidates if (distance := edits(word, name, limit)) <= limit]
    if close:
        return min(close)[1]
    words, one = _words(word), _singular(word)
    alike = (name for name in candidates if _words(name) == words or _singular(name) == one)
    return next(alike, None)


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """A question, "did you mean .x.?", or the possible names when there are few, or nothing."""
    candidates = sorted(names)
    found = near(word, candidates)
    if found is not None:
        return f"did you mean '{found}'?"
    return f"possible here: {', '.join(candidates)}" if 0 < len(candidates) <= 24 else ""


# A file that has one mistake thousands of times asks thousands of times for the same two.
@lru_cache(4096)
def edits(a: str, b: str, limit: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours from `a` to `b`; `limit + 1` if more."""
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        if min(row) > limit:
            return limit + 1
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y)))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                row[j] = min(row[j], last[j - 2] + 1)
    return min(row[-1], limit + 1)


def _words(name: str) -> list[str]:
    return sorted(word.lower() for word in re.findall(r"[A-Z]?[^A-Z_.-]+|[A-Z]+", name))


def _singular(name: str) -> str:
    return re.sub(r"(?:ies|y|s)$", "", name.lower())
