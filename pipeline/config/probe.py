"""The child that imports handlers for a check: a list of import paths in, a line of JSON for each out.

User code runs here: it may print, hang, or end the process. So the answers go out on a descriptor of their
own, and each import is announced before it begins.
"""

from __future__ import annotations

import asyncio
import builtins
import inspect
import json
import os
import sys
from typing import Any

from pipeline.errors import StartError
from pipeline.handler import load, resolve
from pipeline.lifespan import Lifespan

CLOSING_MS = 2_000
_LIFESPANS: list[Lifespan] = []


def main() -> None:
    """Check what standard input names: {"root", "setup", "handlers", "classes"}."""
    answers = os.dup(1)
    os.dup2(2, 1)
    order = json.loads(sys.stdin.buffer.read())
    sys.path.insert(0, order["root"])
    for kind, path in order["checks"]:
        _tell(answers, {"path": path, "kind": kind, "begun": True})
        problem = _CHECKS[kind](path)
        chain = _chain(path) if kind == "class" and problem is None else None
        _tell(answers, {"path": path, "kind": kind, "begun": False, "problem": problem, "chain": chain})
        if kind == "setup" and problem:
            break
    for lifespan in _LIFESPANS:
        lifespan.end(CLOSING_MS, 0)
    # Without the handlers' own clean-up, and without waiting for threads that an import started.
    os._exit(0)


def _tell(answers: int, what: dict[str, Any]) -> None:
    os.write(answers, json.dumps(what).encode() + b"\n")


def _import(path: str) -> tuple[Any, list[str] | None]:
    """What the worker would find under `path`, or the code and message of why there is no such thing."""
    module_name, _, name = path.partition(":")
    try:
        return resolve(path), None
    except StartError:
        module = sys.modules.get(module_name)
        if module is None:
            file = f"{module_name.replace('.', '/')}.py"
            return None, ["P501", f"there is no module {module_name}", file]
        return None, ["P502", f"{module_name} has no {name}", ",".join(_public(module))]
    except Exception as error:  # noqa: BLE001 - whatever the user's module raises is the finding
        return None, ["P507", f"{module_name} cannot be imported: {_line(error)}", ""]


def _public(module: Any) -> list[str]:
    return [name for name, what in vars(module).items() if callable(what) and not name.startswith("_")][:200]


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}" if text else type(error).__name__


def _handler(path: str) -> list[str] | None:
    target, problem = _import(path)
    if problem:
        return problem
    if not callable(target):
        return ["P503", f"{path} is {type(target).__name__}, which cannot be called", ""]
    try:
        load(path)
    except StartError:
        return ["P504", f"{path}{inspect.signature(target)} must take one argument, the job", ""]
    except Exception as error:  # noqa: BLE001 - the type of the payload is the user's code too
        return ["P507", f"{path} cannot be used: {_line(error)}", ""]
    return None


def _setup(path: str) -> list[str] | None:
    target, problem = _import(path)
    problem = problem or (None if callable(target) else ["P503", f"{path} cannot be called", ""])
    if problem:
        return problem
    lifespan = Lifespan(asyncio.new_event_loop(), path)
    try:
        lifespan.begin()
    except StartError as error:
        return ["P504", str(error), ""]
    except Exception as error:  # noqa: BLE001 - whatever setup raises is the finding
        return ["P507", f"{path} raised {_line(error)}", ""]
    _LIFESPANS.append(lifespan)
    return None


def _around(pair: str) -> list[str] | None:
    """What is around a handler must fit it. The handler itself is checked by itself."""
    path, _, handler = pair.partition(" ")
    _, problem = _import(path)
    if problem:
        return problem
    try:
        load(handler)
    except Exception:  # noqa: BLE001 - another finding
        return None
    try:
        load(handler, [path])
    except StartError as error:
        return ["P509", str(error), error.help]
    return None


def _class(path: str) -> list[str] | None:
    target, problem = _import(path) if ":" in path else (getattr(builtins, path), None)
    if problem or (isinstance(target, type) and issubclass(target, BaseException)):
        return problem
    return ["P508", f"{path} is not a class of exceptions", ""]


def _chain(path: str) -> list[str]:
    """The names of the classes of a class of exceptions, as a worker reports them."""
    target = resolve(path) if ":" in path else getattr(builtins, path)
    return [
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}:{cls.__qualname__}"
        for cls in target.__mro__
    ]


_CHECKS = {"handler": _handler, "setup": _setup, "around": _around, "class": _class}
