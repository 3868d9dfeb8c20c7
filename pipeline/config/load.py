"""A file -> a Plan and every finding: read, parse, fill in, check the keys, merge, check the whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from pipeline.config import checks
from pipeline.config.contracts import read_schemas
from pipeline.config.find import root_of
from pipeline.config.findings import Finding
from pipeline.config.layers import Layers, block
from pipeline.config.model import Block, Config, QueueBlock, RetryBlock, SupervisorBlock
from pipeline.config.parse import parse
from pipeline.config.report import Report
from pipeline.config.resolve import build
from pipeline.config.source import read_source
from pipeline.config.translate import translate
from pipeline.config.tree import Entry, Node, Span, child, dotted, is_null, leaves, without
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Path as Steps
from pipeline.config.values import NULL_SAYS_SO, interpolate, plain
from pipeline.errors import ConfigError
from pipeline.plan import Plan

_B = TypeVar("_B", bound=Block)
Queues = dict[str, tuple[QueueBlock, Tree, Span]]


@dataclass(frozen=True)
class Loaded:
    """What a file says. `plan` and `config` are None when there is an error among the findings.

    `config` has every default merged and every reference resolved; `origins` holds where each value of
    it was written ("queues.emails.timeout" -> its place), and lacks the built-in ones. `file` is the path as
    given, `text` what stands in the file.
    """

    plan: Plan | None
    config: Config | None
    findings: tuple[Finding, ...]
    origins: Mapping[str, Span]
    file: str
    text: str


def load(path: Path, *, profile: str | None = None, env: Mapping[str, str] | None = None) -> Loaded:
    """Read and check the file; mistakes in it are findings, never exceptions.

    `env` is the environment for ${...}, by default this process's. A `profile` is an error as long as
    files cannot have any.
    """
    report = Report(str(path))
    text = read_source(path, report)
    tree = parse(text, report) if text is not None else None
    if tree is None:
        return Loaded(None, None, report.findings, {}, str(path), text or "")
    if profile is not None:
        report.error("P205", f"the file has no profile '{profile}'", help="leave the profile out")
    return _check(tree, path, text or "", os.environ if env is None else env, report)


def require(path: Path, *, profile: str | None = None, env: Mapping[str, str] | None = None) -> Plan:
    """The plan of the file. Raises ConfigError, which holds the findings, when the file has mistakes."""
    loaded = load(path, profile=profile, env=env)
    if loaded.plan is None:
        errors = sum(finding.severity == "error" for finding in loaded.findings)
        mistakes = "a mistake" if errors == 1 else f"{errors} mistakes"
        raise ConfigError(f"{path} has {mistakes}", loaded.findings, f"see `pipeline validate {path}`")
    return loaded.plan


def _check(written: Tree, path: Path, text: str, env: Mapping[str, str], report: Report) -> Loaded:
    filled = interpolate(written, env, report)
    config, broken = _read(filled, written, report)
    tree = block(_prune(filled, broken))
    # What a variable could not fill is broken as well.
    broken += [steps for steps, _ in leaves(written) if report.failed and _is_lost(steps, filled)]
    layers = Layers(tree, written, report)
    retries, queues = layers.retries(), dict(_queues(layers.queues(), tree))
    scopes = list(checks.scopes(queues, broken))
    _check_whole(tree, written, retries, scopes, report)
    root = root_of(path)
    schemas = read_schemas(scopes, root, report)
    if report.failed or config is None:
        return Loaded(None, None, report.findings, {}, str(path), text)
    blocks = {name: queue for name, (queue, _, _) in queues.items()}
    resolved = config.model_copy(update={"queues": blocks})
    plan = build(resolved, schemas, root, path.absolute())
    return Loaded(plan, resolved, report.findings, _origins(tree, queues), str(path), text)


def _read(filled: Tree, written: Tree, report: Report) -> tuple[Config | None, list[Steps]]:
    try:
        return Config.model_validate(plain(filled)), []
    except ValidationError as error:
        return None, translate(error, filled, written, report)


def _prune(tree: Node, broken: list[Steps]) -> Node:
    for steps in broken:
        tree = without(tree, steps)
    return tree


def _is_lost(steps: Steps, filled: Tree) -> bool:
    node: Node | None = filled
    for step in steps:
        node = child(node, step)
        if node is None:
            return not any(str(name).startswith("x-") for name in steps)
    return False


def _queues(nodes: dict[str, Tree], tree: Tree) -> Iterator[tuple[str, tuple[QueueBlock, Tree, Span]]]:
    """Each merged queue that can be read, with the place of its key."""
    for name, node in nodes.items():
        if (queue := _piece(QueueBlock, node)) is not None:
            yield name, (queue, node, block(child(tree, "queues")).entries[name].key)


def _piece(model: type[_B], node: Node | None) -> _B | None:
    """A part of the config by itself, or None when it cannot be read, which is a finding already."""
    try:
        return model.model_validate(plain(block(node)))
    except ValidationError:
        return None


def _check_whole(
    tree: Tree, written: Tree, retries: dict[str, Node], scopes: list[checks.Scope], report: Report
) -> None:
    checks.check_top(tree, written, report)
    for name, node in retries.items():
        if (policy := _piece(RetryBlock, node)) is not None:
            checks.check_policy(policy, node, ("retries", name), report)
    supervisor = _piece(SupervisorBlock, child(tree, "supervisor"))
    if supervisor is not None:
        checks.check_supervisor(supervisor, tree, report)
    for scope in scopes:
        checks.check_scope(scope, report)
        checks.check_threads(scope, report)
        if supervisor is not None:
            checks.check_stop(scope, supervisor, report)


def _origins(tree: Tree, queues: Queues) -> dict[str, Span]:
    whole = {
        name: entry for name, entry in tree.entries.items() if name not in ("defaults", "retries", "queues")
    }
    merged = {name: Entry(place, node) for name, (_, node, place) in queues.items()}
    queues_entry = Entry(tree.entries["queues"].key, Tree(merged, tree.span))
    return {
        dotted(steps): node.span
        for steps, node in leaves(Tree({**whole, "queues": queues_entry}, tree.span))
        if not is_null(node) or steps[-1] in NULL_SAYS_SO
    }
