"""What no page shows of a job: the values at the paths of `redact:`, and the same values where they occur as text.

A value is recognised in text when it is a string of SHORTEST characters or a number of SHORTEST digits, and stands there as it
is, as JSON or Python write it, or cut off at an end of the text; of a longer string any GRAM characters are. One that was
changed on its way is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pipeline.job import KeptError, Letter, LetterError
from pipeline.store.reader import JobView, ShownError

HIDDEN = "[redacted]"
SHORTEST = 4
GRAM = 24
END = 4_096
"""Of a value that is longer than two of them, these many characters at either end are looked for."""
MOST_FORMS = 2_000
MOST_GRAMS = 100_000
"""With more of either no text is shown at all."""
ROOTS = ("data", "result", "progress")
_MARK = "\ue000"
Path = tuple[str, ...]


class Rules(Struct, frozen=True):
    """The paths of `redact:`, as steps below `data`, `result` and `progress`; `whole` are `error` and `logs`."""

    below: dict[str, tuple[Path, ...]] = {}
    whole: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.below or self.whole)


NONE = Rules()


@cache
def rules(paths: tuple[str, ...]) -> Rules:
    """The rules that a file's paths mean."""
    below: dict[str, tuple[Path, ...]] = {}
    for root, *steps in (path.split(".") for path in paths):
        if root not in ("error", "logs"):
            below[root] = (*below.get(root, ()), tuple(steps))
    return Rules(below, frozenset(paths) & {"error", "logs"})


class Veiled(Struct, frozen=True):
    """A job as it may be shown, and the paths that are hidden in it, by their root."""

    job: JobView
    hidden: dict[str, list[str]] = {}


class Found:
    """What is hidden: where it stood, and the values."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.values: set[str] = set()
        self.numbers: set[str] = set()

    def add(self, path: str, value: Any) -> None:
        """Hide a value, with all that is in it."""
        self.paths.append(path)
        rest = [value]
        while rest:
            one = rest.pop()
            if isinstance(one, dict):
                rest += one.values()
            elif isinstance(one, list):
                rest += one
            elif isinstance(one, str):
                self.values.add(one)
            elif isinstance(one, int | float) and not isinstance(one, bool):
                self.numbers.add(str(abs(one)))

    def mask(self) -> Mask:
        """What hides these values in text."""
        return Mask(self.values, self.numbers)


class Mask:
    """Hides values in text."""

    def __init__(self, values: Iterable[str], numbers: Iterable[str] = ()) -> None:
        known = [part for value in values if len(value) >= SHORTEST for part in _ends(value)]
        forms = {form for part in known for form in _forms(part)}
        self._forms = sorted(forms, key=len, reverse=True)
        self._short = [form for form in self._forms if len(form) <= GRAM]
        long = [form for form in self._forms if len(form) > GRAM]
        self._blind = len(forms) > MOST_FORMS or sum(map(len, long)) > MOST_GRAMS
        self._grams = (
            frozenset() if self._blind else frozenset(gram for form in long for gram in _grams(form))
        )
        digits = sorted(number for number in numbers if sum(map(str.isdigit, number)) >= SHORTEST)
        self._blind = self._blind or len(digits) > MOST_FORMS
        pattern = "|".join(map(re.escape, digits[:MOST_FORMS]))
        self._numbers = re.compile(rf"(?<!\d)(?:{pattern})(?!\d)") if digits else None

    def __bool__(self) -> bool:
        return bool(self._forms or self._numbers)

    def text(self, text: str) -> str:
        """The text without the values."""
        if self._blind:
            return HIDDEN
        if self._grams:
            text = self._without_grams(text)
        for form in self._short:
            if form in text:
                text = text.replace(form, _MARK)
        for form in self._forms:
            text = _cut(text, form)
        if self._numbers is not None:
            text = self._numbers.sub(_MARK, text)
        return re.sub(f"{_MARK}+", HIDDEN, text) if _MARK in text else text

    def _without_grams(self, text: str) -> str:
        kept, end = [], 0
        for at in range(len(text) - GRAM + 1):
            if text[at : at + GRAM] in self._grams:
                kept += [text[end:at], _MARK] if at >= end else []
                end = max(end, at + GRAM)
        return "".join([*kept, text[end:]]) if kept else text

    def value(self, value: Any) -> Any:
        """The value with every text in it masked, keys and numbers too."""
        try:
            return self._value(value)
        except RecursionError:
            return HIDDEN

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            shown: dict[str, Any] = {}
            for key, one in value.items():
                shown[_free(self.text(key), shown)] = self._value(one)
            return shown
        if isinstance(value, list):
            return [self._value(one) for one in value]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return HIDDEN if is_number and self.text(str(value)) != str(value) else value


def veil(job: JobView, rules: Rules) -> Veiled:
    """The job as it may be shown."""
    if not rules:
        return Veiled(job)
    found, hidden, shown = Found(), dict[str, list[str]](), dict[str, Any]()
    for root in ROOTS:
        before = len(found.paths)
        shown[root] = hide(getattr(job, root), rules.below.get(root, ()), root, found)
        hidden[root] = found.paths[before:]
    mask = found.mask()
    if mask:
        shown = {root: mask.value(value) for root, value in shown.items()}
    return Veiled(_texts(replace(job, **shown), mask, rules.whole), hidden)


def veil_line(job: JobView, rules: Rules) -> JobView:
    """The job as a list may show it: without payload, result and progress."""
    error = job.error and ShownError(job.error.type, job.error.message)
    bare = replace(job, data=None, result=None, progress=None, error=error, errors=(), logs=[])
    return _texts(bare, mask_of(job, rules), rules.whole) if rules else bare


def mask_of(job: JobView, rules: Rules) -> Mask:
    """What hides the job's hidden values in text about it."""
    found = Found()
    for root in ROOTS:
        hide(getattr(job, root), rules.below.get(root, ()), root, found)
    return found.mask()


def hide(value: Any, rules: Sequence[Path], path: str, found: Found) -> Any:
    """The value with HIDDEN at the paths of the rules; `found` is told what stood there."""
    if not rules:
        return value
    if () in rules:
        if value is not None:
            found.add(path, value)
        return None if value is None else HIDDEN
    if isinstance(value, dict):
        return {key: hide(one, _below(rules, key), f"{path}.{key}", found) for key, one in value.items()}
    if isinstance(value, list):
        return [hide(one, _below(rules, str(n)), f"{path}.{n}", found) for n, one in enumerate(value)]
    return value


def _below(rules: Sequence[Path], key: str) -> list[Path]:
    return [rule[1:] for rule in rules if rule[0] in ("*", key)]


def _texts(job: JobView, mask: Mask, whole: frozenset[str]) -> JobView:
    """The job with its texts masked."""

    def text(value: str) -> str:
        return HIDDEN if "error" in whole and value else mask.text(value)

    def short(value: str | None) -> str | None:
        return None if value is None else mask.text(value)

    error, letter = job.error, job.dead_letter
    errors = tuple(_kept(one, text(one.message), text(one.traceback)) for one in job.errors)
    return replace(
        job,
        error=error
        and ShownError(error.type, text(error.message), error.traceback and text(error.traceback)),
        errors=errors,
        logs=[HIDDEN] * bool(job.logs) if "logs" in whole else [mask.text(line) for line in job.logs],
        lane=short(job.lane),
        key=mask.text(job.key),
        dead_letter=letter and _letter(letter, text(letter.error.message)),
    )


def _kept(error: KeptError, message: str, traceback: str) -> KeptError:
    return replace(error, message=message, traceback=traceback)


def _letter(letter: Letter, message: str) -> Letter:
    return replace(letter, error=LetterError(letter.error.type, message))


def _ends(value: str) -> tuple[str, ...]:
    return (value,) if len(value) <= 2 * END else (value[:END], value[-END:])


def _forms(value: str) -> Iterator[str]:
    """How a value may stand in text."""
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield repr(value)[1:-1]


def _grams(form: str) -> Iterator[str]:
    return (form[at : at + GRAM] for at in range(len(form) - GRAM + 1))


def _cut(text: str, form: str) -> str:
    """The text without a beginning of the value at its end, or an end of the value at its beginning."""
    longest = min(len(form) - 1, len(text), GRAM)
    for size in range(longest, SHORTEST - 1, -1):
        if text.endswith(form[:size]):
            text = text[:-size] + _MARK
            break
    for size in range(longest, SHORTEST - 1, -1):
        if text.startswith(form[-size:]):
            return _MARK + text[size:]
    return text


def _free(key: str, taken: dict[str, Any]) -> str:
    """The key, or one beside it: two that are masked must not become one."""
    name, number = key, 2
    while name in taken:
        name, number = f"{key} ({number})", number + 1
    return name
