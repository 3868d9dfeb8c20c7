"""A file -> a Plan and every finding: read, parse, fill in, check the keys, merge, check the whole."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import msgspec
from pydantic import ValidationError

from pipeline.config import checks
from pipeline.config.alerts import check_alerts
from pipeline.config.block import Block
from pipeline.config.contracts import read_schemas
from pipeline.config.find import root_of
from pipeline.config.findings import Finding
from pipeline.config.flow_checks import check_flows
from pipeline.config.include import Files
from pipeline.config.layers import Layers, block
from pipeline.config.lints import check_cases, check_pools, check_secrets
from pipeline.config.model import Config, PoolBlock, QueueBlock, SupervisorBlock
from pipeline.config.policy_blocks import RetryBlock
from pipeline.config.profiles import choose, split
from pipeline.config.references import References
from pipeline.config.report import Report, TooManyErrors
from pipeline.config.resolve import build
from pipeline.config.schedules import check_schedules
from pipeline.config.secrets import Need, resolve
from pipeline.config.translate import translate
from pipeline.config.tree import Entry, Node, Span, child, dotted, filled, is_null, leaves, without
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Path as Steps
from pipeline.config.values import NULL_SAYS_SO, interpolate, plain
from pipeline.config.webchecks import check_http
from pipeline.config.webhooks import check_webhooks
from pipeline.errors import ConfigError
from pipeline.plan import Plan

MAX_ERRORS = 2_000
MAX_TRIED = 250_000
"""How many values are looked at for the sake of profiles that were not chosen."""
_B = TypeVar("_B", bound=Block)
Place = tuple[str, int, int, str]
Queues = dict[str, tuple[QueueBlock, Tree, Span]]


@dataclass(frozen=True)
class Loaded:
    """What a file says. `plan` and `config` are None when there is an error among the findings.

    `config` has every default merged and every reference resolved, but no value of a secret. `origins` holds
    where each value of it was written ("queues.emails.timeout" -> its place), and lacks the built-in ones;
    `variables` what filled it in, for those that a ${...} did. `file` is the path as given, `texts` what stands
    in it and in the files that it includes, by path. `inputs` is all that was read (inputs.py), also when there
    are errors.
    """

    plan: Plan | None
    config: Config | None
    findings: tuple[Finding, ...]
    file: str
    texts: Mapping[str, str]
    inputs: tuple[str, ...]
    origins: Mapping[str, Span] = field(default_factory=dict)
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def report(self) -> Report:
        """A report for what is found later about the same files."""
        return Report(self.file, self.texts)


def load(
    path: Path,
    *,
    profile: str | None = None,
    env: Mapping[str, str] | None = None,
    secrets: Need = "noted",
    every_profile: bool = False,
) -> Loaded:
    """Read and check the file and what it includes; mistakes are findings, never exceptions.

    `profile` is laid over the file. `env` is the environment for ${...}, by default this process's. `secrets`
    says what it means that one is used and not set: an error ("required"), or a note, and then the plan has an
    empty text in its place. With `every_profile` the profiles that were not chosen are checked too.
    """
    project = _Project(path, os.environ if env is None else env, secrets)
    with _without_collector():
        try:
            return project.load(profile, every_profile=every_profile)
        except TooManyErrors:
            return project.refused()


@contextmanager
def _without_collector() -> Iterator[None]:
    """What is read stays alive to the end, and the collector would go through all of it again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def require(path: Path, *, profile: str | None = None, env: Mapping[str, str] | None = None) -> Plan:
    """The plan of the file. Raises ConfigError, which holds the findings, when the file has mistakes.

    A secret that leads to the broker and is not set is a mistake.
    """
    loaded = load(path, profile=profile, env=env, secrets="broker")
    if loaded.plan is None:
        raise refusal(loaded)
    return loaded.plan


def refusal(loaded: Loaded) -> ConfigError:
    """What to raise for a file with errors."""
    errors = sum(finding.severity == "error" for finding in loaded.findings)
    mistakes = "a mistake" if errors == 1 else f"{errors} mistakes"
    help = f"see `pipeline validate {loaded.file}`"
    return ConfigError(f"{loaded.file} has {mistakes}", loaded.findings, help)


class _Project:
    """One reading of a project's files."""

    def __init__(self, path: Path, env: Mapping[str, str], need: Need) -> None:
        self._path = path
        self._root = root_of(path)
        self._env = env
        self._need = need
        self._report = Report(str(path), most=MAX_ERRORS)
        self._files = Files(path, env, self._report)

    def load(self, profile: str | None, *, every_profile: bool) -> Loaded:
        written = self._files.read()
        if written is None:
            return self.refused()
        tree, profiles = split(written, self._report)
        chosen = tree if profile is None else choose(tree, profiles, profile, self._report)
        loaded = self._check(chosen, profile, self._report)
        if not every_profile:
            return loaded
        others = [name for name in profiles.blocks if name != profile]
        most = MAX_TRIED // self._files.size
        known = set(map(_place, self._report.findings))
        for name in others[:most]:
            self._try(choose(tree, profiles, name, self._report), name, profiles.blocks[name].key, known)
        if others[most:]:
            message = f"the file is so large that these were not checked: {', '.join(others[most:])}"
            self._report.note("P025", message, profiles.place, ("profiles",), "check them with --profile")
        return replace(loaded, findings=self._report.findings) if not self._report.failed else self.refused()

    def refused(self) -> Loaded:
        """What is known of a file with errors."""
        report = self._report
        return Loaded(None, None, report.findings, report.file, report.texts, tuple(self._files.inputs))

    def _try(self, tree: Tree, profile: str, key: Span, known: set[Place]) -> None:
        """Report what is wrong with a profile that was not chosen, at a place inside of it.

        `known` is what is wrong without it. The variables of a profile may be set elsewhere.
        """
        trial = self._report.trial()
        with suppress(TooManyErrors):
            self._check(tree, profile, trial)
        for one in trial.findings:
            if one.code == "P018" or _place(one) in known:
                continue
            if one.profile == profile:
                self._report.adopt(one)
            elif one.severity == "error":
                help = f"it is about {one.file}:{one.line}:{one.column}"
                self._report.error(one.code, f"with this profile: {one.message}", key, (), help)

    def _check(self, written: Tree, profile: str | None, report: Report) -> Loaded:
        filled_in = interpolate(written, self._env, report)
        config, broken = _read(filled_in, written, report)
        tree = block(_prune(filled_in, broken))
        # What a variable could not fill is broken as well.
        broken += [steps for steps, _ in leaves(written) if report.failed and _is_lost(steps, filled_in)]
        references = References(report)
        layers = Layers(tree, written, references, report)
        retries, queues = layers.retries(), dict(_queues(layers.queues(), tree))
        scopes = list(checks.scopes(queues, broken))
        _check_whole(tree, written, retries, scopes, report)
        check_pools(layers.pools(), scopes, tree, report)
        check_secrets(tree, written, report)
        check_alerts(tree, written, scopes, references, report)
        check_cases(filled_in, written, references, report)
        check_flows(filled_in, written, report)
        check_webhooks(tree, written, scopes, references, report)
        references.tell(written)
        schemas = read_schemas(scopes, tree, self._root, report)
        check_schedules(tree, written, scopes, schemas, references, report)
        references.tell(written)
        check_http(tree, self._root, self._need, report)
        secrets = resolve(tree, written, self._root, self._env, self._need, report)
        for name in (*schemas, *secrets.files):
            self._files.inputs[str(self._root / name)] = None
        if report.failed or config is None:
            return self.refused()
        blocks = {name: queue for name, (queue, _, _) in queues.items()}
        pools = {name: _piece(PoolBlock, node) for name, node in layers.pools().items()}
        policies = {name: _piece(RetryBlock, node) for name, node in retries.items()}
        update = {"queues": blocks, "pools": pools, "retries": policies}
        resolved = config.model_copy(update=update)
        plan = build(secrets.fill(resolved), schemas, self._root, self._path.absolute())
        inputs = tuple(self._files.inputs)
        plan = msgspec.structs.replace(plan, profile=profile, inputs=inputs, secrets=secrets.hidden)
        origins, variables = _origins(tree, queues, retries, layers.pools())
        findings = report.findings
        return Loaded(plan, resolved, findings, report.file, report.texts, inputs, origins, variables)


def _place(finding: Finding) -> Place:
    return finding.file, finding.line, finding.column, finding.code


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
    checks.check_broker(tree, written, report)
    for name, node in retries.items():
        if (policy := _piece(RetryBlock, node)) is not None:
            checks.check_policy(policy, node, ("retries", name), report)
    supervisor = _piece(SupervisorBlock, child(tree, "supervisor"))
    if supervisor is not None:
        checks.check_supervisor(supervisor, tree, report)
    for scope in scopes:
        checks.check_scope(scope, report)
        checks.check_threads(scope, report)
        checks.check_processes(scope, report)
        checks.check_batch(scope, report)
        checks.check_active(scope, report)
        if supervisor is not None:
            checks.check_stop(scope, supervisor, report)


def _origins(
    tree: Tree, queues: Queues, retries: Mapping[str, Node], pools: Mapping[str, Node]
) -> tuple[dict[str, Span], dict[str, tuple[str, ...]]]:
    """Where each value was written, and which variables filled it in."""
    whole = {name: entry for name, entry in tree.entries.items() if name != "defaults"}
    merged = {
        "queues": {name: node for name, (_, node, _) in queues.items()},
        "retries": retries,
        "pools": pools,
    }
    for name, nodes in merged.items():
        resolved = {own: Entry(node.span, node) for own, node in nodes.items()}
        whole[name] = Entry(tree.span, Tree(resolved, tree.span))
    written = {
        dotted(steps): node
        for steps, node in leaves(Tree(whole, tree.span))
        if not is_null(node) or steps[-1] in NULL_SAYS_SO
    }
    places = {steps: node.span for steps, node in written.items()}
    return places, {steps: names for steps, node in written.items() if (names := filled(node))}
