"""The payload schemas that a config names: read once each, and checked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.config.checks import Scope
from pipeline.config.inputs import read_regular
from pipeline.config.model import JobBlock
from pipeline.config.report import Report
from pipeline.config.schema import schema_problem
from pipeline.config.tree import Path as Steps

MAX_BYTES = 1024 * 1024


def read_schemas(scopes: Iterable[Scope], root: Path, report: Report) -> dict[str, dict[str, Any]]:
    """The content of every schema file by its path as written; files that cannot be used are reported."""
    found: dict[str, dict[str, Any]] = {}
    problems: dict[str, tuple[str, str]] = {}
    for scope in scopes:
        name = scope.settings.schema_ if isinstance(scope.settings, JobBlock) else None
        if name is None:
            continue
        if name not in found and name not in problems:
            content = _read(root / name)
            if isinstance(content, dict):
                found[name] = content
            else:
                problems[name] = content
        if name in problems:
            code, message = problems[name]
            steps: Steps = (*scope.path, "schema")
            help = f"its path counts from the project's root, {root.name}/"
            report.error(code, message, scope.at("schema"), steps, help)
    return found


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
