"""A handler: the user's callable, found by its import path, and what it expects."""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from pipeline.around import enclose
from pipeline.errors import CANNOT_START, StartError
from pipeline.job import Job


class Handler(Struct, frozen=True):
    """`convert` makes the payload the type that the handler asks for; it raises when it does not fit."""

    path: str
    call: Callable[[Job[Any]], Any]
    is_async: bool
    convert: Callable[[Any], Any] | None = None


def resolve(path: str) -> Any:
    """What `package.module:name` names. Raises StartError with the reason, or what the import raises."""
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise StartError(f"{path}: no module named {error.name!r}", CANNOT_START) from None
        raise
    try:
        return getattr(module, name)
    except AttributeError:
        raise StartError(f"{path}: module {module_name!r} has no {name!r}", CANNOT_START) from None


def load(path: str, around: Sequence[str] = ()) -> Handler:
    """The handler that `path` names, with what is `around` it, outermost first.

    Raises StartError when it is not a callable with one argument, or what is around it does not fit.
    """
    call = resolve(path)
    if not callable(call):
        raise StartError(f"{path} is not callable", CANNOT_START)
    try:
        inspect.signature(call).bind(None)
    except (TypeError, ValueError):
        raise StartError(f"{path} must take one argument, the job", CANNOT_START) from None
    is_async = inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(
        getattr(call, "__call__", None)  # noqa: B004 - an object whose __call__ is `async def`
    )
    enclosed = call
    for outer in reversed(around):
        enclosed = enclose(enclosed, resolve(outer), outer, is_async=is_async)
    return Handler(path, enclosed, is_async, converter(payload_type(call)))


def payload_type(call: Callable[..., Any]) -> Any:
    """The `X` of a first argument annotated `Job[X]`, or `list[Job[X]]`; None when it says nothing."""
    target = call if inspect.isroutine(call) else type(call).__call__
    try:
        hints = typing.get_type_hints(target)
    except (NameError, TypeError):
        return None
    first = next(iter(inspect.signature(call).parameters), None)
    hint = hints.get(first) if first else None
    if typing.get_origin(hint) is list:
        # Of a batch: each job has the type.
        hint = typing.get_args(hint)[0]
    wanted = typing.get_args(hint) if typing.get_origin(hint) is Job else ()
    return None if not wanted or wanted[0] is Any or isinstance(wanted[0], TypeVar) else wanted[0]


def converter(wanted: Any) -> Callable[[Any], Any] | None:
    """A function that makes a payload a pydantic model, dataclass, TypedDict or Struct."""
    if wanted is None:
        return None
    # A pydantic model is known by its method: the worker itself must not import pydantic.
    if hasattr(wanted, "model_validate"):
        return typing.cast("Callable[[Any], Any]", wanted.model_validate)
    return lambda data: msgspec.convert(data, wanted)
