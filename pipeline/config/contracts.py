"""The payload schemas that a config names: read once each, and checked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.config.checks import Scope
from pipeline.config.inputs import read_regular
from pipeline.config.layers import block
from pipeline.config.model import JobBlock
from pipeline.config.report import Report
from pipeline.config.schema import schema_problem
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Path as Steps
from pipeline.config.tree import Scalar, Span, child, find

MAX_BYTES = 1024 * 1024


def read_schemas(
    scopes: Iterable[Scope], tree: Tree, root: Path, report: Report
) -> dict[str, dict[str, Any]]:
    """The content of every schema file by its path as written; files that cannot be used are reported."""
    found: dict[str, dict[str, Any]] = {}
    problems: dict[str, tuple[str, str]] = {}
    for name, steps, place in (*_of_jobs(scopes), *_of_webhooks(tree)):
        if name not in found and name not in problems:
            content = _read(root / name)
            if isinstance(content, dict):
                found[name] = content
            else:
                problems[name] = content
        if name in problems:
            code, message = problems[name]
            help = f"its path counts from the project's root, {root.name}/"
            report.error(code, message, place, steps, help)
    return found


def _of_jobs(scopes: Iterable[Scope]) -> Iterator[tuple[str, Steps, Span]]:
    for scope in scopes:
        if isinstance(scope.settings, JobBlock) and scope.settings.schema_ is not None:
            yield scope.settings.schema_, (*scope.path, "schema"), scope.at("schema")


def _of_webhooks(tree: Tree) -> Iterator[tuple[str, Steps, Span]]:
    for name in block(child(tree, "webhooks")).entries:
        steps: Steps = ("webhooks", name, "schema")
        written = find(tree, steps)
        if isinstance(written, Scalar) and isinstance(written.value, str):
            yield written.value, steps, written.span


def _read(file: Path) -> dict[str, Any] | tuple[str, str]:
    """The schema, or the code and the message of what is wrong with its file."""
    try:
        raw = read_regular(file, MAX_BYTES)
        content = json.loads(raw) if len(raw) <= MAX_BYTES else None
    except OSError as error:
        return "P203", f"cannot read the schema: {(error.strerror or 'it cannot be opened').lower()}"
    except ValueError as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "not UTF-8 text"
        line = f" on line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        return "P204", f"the schema is not JSON: {reason}{line}"
    except RecursionError:
        return "P204", "the schema is nested too deeply"
    problem = "it is larger than 1 MiB" if len(raw) > MAX_BYTES else schema_problem(content)
    return ("P204", f"the schema cannot be used: {problem}") if problem else content  # type: ignore[return-value]
