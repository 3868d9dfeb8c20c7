"""Plans that were made before, in the state folder: reading a file anew costs a third of a second.

A plan counts only for exactly what it was made from: the content of every file that was read, the variables that
these name, the profile, and this program. One that holds a password or a secret is not kept.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from pipeline import __file__ as package
from pipeline.config.find import root_of
from pipeline.config.findings import has_password
from pipeline.config.inputs import fingerprint
from pipeline.errors import StartError
from pipeline.plan import Plan
from pipeline.state import check_private, open_private

if TYPE_CHECKING:
    from pipeline.config.load import Loaded

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


class Kept(Struct, frozen=True):
    """A plan, and a name for what it was made from; `variables` are those that its files name."""

    key: str
    variables: tuple[str, ...]
    plan: Plan


def plan_of_file(file: Path, profile: str | None = None) -> Plan:
    """The plan of a config file with a profile laid over it. Raises ConfigError with every finding."""
    place = _place(file, profile)
    kept = _kept(place) if place is not None else None
    if kept is not None and kept.key == _key(kept.plan.inputs, kept.variables):
        return kept.plan
    return _fresh(file, profile, place)


def _fresh(file: Path, profile: str | None, place: Path | None) -> Plan:
    from pipeline.config.load import load, refusal

    loaded = load(file, profile=profile, secrets="broker")
    plan = loaded.plan
    if plan is None:
        raise refusal(loaded)
    if place is not None and not plan.secrets and not has_password(plan.broker.url):
        names = {name for text in loaded.texts.values() for name in _VARIABLE.findall(text)}
        variables = tuple(sorted(names))
        kept = Kept(_key(plan.inputs, variables), variables, plan)
        if _is_still_so(loaded):
            _keep(place, kept)
    return plan


def _is_still_so(loaded: Loaded) -> bool:
    """Whether the files hold what was loaded: an edit meanwhile would be named by the key, and not be in the plan."""
    try:
        return all(Path(file).read_bytes().decode("utf-8-sig") == text for file, text in loaded.texts.items())
    except (OSError, UnicodeDecodeError):
        return False


def _place(file: Path, profile: str | None) -> Path | None:
    """Where the plan is kept; None when there is no state folder, or none that is ours alone."""
    state = root_of(file) / ".pipeline"
    try:
        check_private(state)
    except (OSError, StartError):
        return None
    return state / f"plan-{_digest(str(file.absolute()), profile)[:16]}.json"


def _key(inputs: Iterable[str], variables: Iterable[str]) -> str:
    """Names the content of the files, the variables and this program."""
    code = [path.stat().st_mtime_ns for path in sorted(Path(package).parent.glob("config/*.py"))]
    return _digest(code, fingerprint(tuple(inputs)), [(name, os.environ.get(name)) for name in variables])


def _digest(*content: object) -> str:
    return hashlib.sha256(repr(content).encode("utf-8", "surrogatepass")).hexdigest()


def _kept(place: Path) -> Kept | None:
    try:
        return msgspec.json.decode(place.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        return None


def _keep(place: Path, kept: Kept) -> None:
    draft = place.with_suffix(f".{os.getpid()}")
    try:
        with os.fdopen(open_private(draft), "wb") as target:
            target.write(msgspec.json.encode(kept))
        draft.replace(place)
    except (OSError, StartError):
        return  # it is a matter of speed only
