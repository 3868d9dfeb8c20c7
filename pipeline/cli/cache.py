"""Plans that were made before, in the state folder: reading a file anew costs a third of a second.

A plan counts only for exactly what it was made from: the file's text, the variables and schemas that it names,
and this program. One that holds a password is not kept.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct

from pipeline import __file__ as package
from pipeline.config.find import root_of
from pipeline.config.findings import has_password
from pipeline.errors import StartError
from pipeline.plan import Plan
from pipeline.state import check_private, open_private

_VARIABLE = re.compile(rb"\$\{([A-Za-z_][A-Za-z0-9_]*)")


class Kept(Struct, frozen=True):
    """A plan, and what it was made from: `key` names text, variables and program, `schemas` each schema's content."""

    key: str
    schemas: dict[str, str]
    plan: Plan


def plan_of_file(file: Path) -> Plan:
    """The plan of a config file. Raises ConfigError with every finding."""
    place = _place(file)
    key = _key(file) if place is not None else None
    if place is None or key is None:
        return _load(file, "").plan
    kept = _kept(place)
    if kept is not None and kept.key == key and kept.schemas == _contents(file, kept.schemas):
        return kept.plan
    fresh = _load(file, key)
    if not has_password(fresh.plan.broker.url):
        _keep(place, fresh)
    return fresh.plan


def _load(file: Path, key: str) -> Kept:
    from pipeline.config.load import load, require

    loaded = load(file)
    if loaded.plan is None or loaded.config is None:
        return Kept(key, {}, require(file))  # which raises, with every finding
    jobs = [job for queue in loaded.config.queues.values() for job in (queue.jobs or {}).values()]
    schemas = {job.schema_ for job in jobs if job.schema_ is not None}
    return Kept(key, _contents(file, schemas), loaded.plan)


def _place(file: Path) -> Path | None:
    """Where the plan is kept; None when there is no state folder, or none that is ours alone."""
    state = root_of(file) / ".pipeline"
    try:
        check_private(state)
    except (OSError, StartError):
        return None
    return state / f"plan-{_digest(os.fsencode(file.absolute()))[:16]}.json"


def _key(file: Path) -> str | None:
    """Names the text, the variables in it and this program; None when the file cannot be read."""
    try:
        text = file.read_bytes()
        code = [path.stat().st_mtime_ns for path in sorted(Path(package).parent.glob("config/*.py"))]
    except OSError:
        return None
    variables = {name.decode(): os.environ.get(name.decode()) for name in _VARIABLE.findall(text)}
    return _digest(repr((code, text, sorted(variables.items()))).encode())


def _contents(file: Path, schemas: Iterable[str]) -> dict[str, str]:
    root = root_of(file)
    return {name: _digest((root / name).read_bytes() if (root / name).is_file() else b"") for name in schemas}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
