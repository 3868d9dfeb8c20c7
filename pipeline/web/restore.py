"""An edited payload back into what it was made from: what the person did not touch stays as it was, also what they did not see."""

from __future__ import annotations

from typing import Any

from pipeline.web.redact import HIDDEN
from pipeline.web.response import Refused


def restore(new: Any, shown: Any, old: Any) -> Any:
    """The payload that is meant by `new`, when `shown` is what the person saw of `old`.

    A value that is as it was shown is the old one: so hidden values stay, and long integers that were shown as text. Raises
    Refused (409) for one that is hidden, or partly so, and stands elsewhere.
    """
    if isinstance(new, dict) and isinstance(shown, dict) and isinstance(old, dict):
        before = {name: (shown[name], own) for name, own in zip(shown, old.values(), strict=True)}
        names = dict(zip(shown, old, strict=True))
        return {
            _name(key, names): restore(value, *before[key]) if key in before else _checked(value)
            for key, value in new.items()
        }
    if isinstance(new, list) and isinstance(shown, list) and isinstance(old, list) and len(new) == len(shown):
        return [restore(*each) for each in zip(new, shown, old, strict=True)]
    if type(new) is type(shown) and not isinstance(new, dict | list) and new == shown:
        return old
    return _checked(new)


def _name(key: str, names: dict[str, str]) -> str:
    return names[key] if key in names else str(_checked(key))


def _checked(value: Any) -> Any:
    """A value that is new. Raises Refused."""
    rest = [value]
    while rest:
        one = rest.pop()
        if isinstance(one, str) and HIDDEN in one:
            raise Refused(
                409,
                "redacted",
                f"{HIDDEN} stands for a value that is hidden, and cannot be moved or changed in part",
                "leave it where it was, or put the whole value in its place",
            )
        if isinstance(one, dict):
            rest += [*one, *one.values()]
        elif isinstance(one, list):
            rest += one
    return value
