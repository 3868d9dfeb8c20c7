"""Values of a config that no page shows: addresses of receivers, hashes of passwords, what secrets hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from pipeline.job import encode
from pipeline.plan import Plan
from pipeline.web.redact import Found, Rules, hide

HIDDEN_VALUE = "[hidden]"
_NEVER = (("alerts", "*", "url"), ("http", "users", "*", "password"))
_BROKER = "broker.url"


def shows(steps: Sequence[str]) -> bool:
    """Whether the value at this path of a config may be shown."""
    return not any(
        len(steps) == len(never) and all(own in ("*", step) for own, step in zip(never, steps, strict=True))
        for never in _NEVER
    )


def shown(path: str, value: Any, plan: Plan, rules: Callable[[str], Rules]) -> Any:
    """A value of the plan, as it may be shown. `rules` tells what a queue hides."""
    if value is None:
        return None
    if path.startswith(("alerts.", "http.")) and path.endswith((".url", ".password")):
        # What names a secret says so, and holds nothing of it.
        return value if isinstance(value, str) and value.startswith("the secret ") else HIDDEN_VALUE
    if path == _BROKER:
        return _address(str(value))
    if path.startswith("schedules.") and path.endswith(".data"):
        return _payload(value, plan, path[len("schedules.") : -len(".data")], rules)
    return without(value, plan.secrets)


def without(value: Any, secrets: Sequence[str]) -> Any:
    """The value without what secrets hold."""
    if isinstance(value, str):
        for secret in secrets:
            if secret:
                value = value.replace(secret, HIDDEN_VALUE)
        return value
    return [without(one, secrets) for one in value] if isinstance(value, list | tuple) else value


def _address(url: str) -> str:
    """A broker's address without login and password."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2].partition("?")[0]


def _payload(text: Any, plan: Plan, schedule: str, rules: Callable[[str], Rules]) -> Any:
    own = plan.schedules.get(schedule)
    if own is None:
        return HIDDEN_VALUE
    paths = rules(own.queue).below.get("data", ())
    return encode(hide(msgspec.json.decode(text), paths, "data", Found())).decode() if paths else text
