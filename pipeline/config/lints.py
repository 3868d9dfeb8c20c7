"""What must hold between the parts of a file: pools and their queues, secrets, policy tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline import units
from pipeline.config.cases import CaseBlock
from pipeline.config.checks import Scope, written_limit
from pipeline.config.layers import block
from pipeline.config.model import PoolBlock, PoolSettings, QueueBlock
from pipeline.config.references import References, Use
from pipeline.config.report import Report
from pipeline.config.suggest import did_you_mean
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Node, Path, Scalar, child, find, is_null, key_span, value_span
from pipeline.config.tree import Sequence as Items
from pipeline.config.values import plain

LEAST_MEMORY = 64 * 2**20


def check_pools(pools: Mapping[str, Tree], scopes: Sequence[Scope], tree: Tree, report: Report) -> None:
    """Queues and the pools that they share. `pools` are those of the file, each with its defaults merged."""
    queues = [scope for scope in scopes if isinstance(scope.settings, QueueBlock)]
    of_queue: dict[Path, list[Scope]] = {}
    for scope in scopes:
        of_queue.setdefault(scope.path[:2], []).append(scope)
    shared: dict[str, list[Scope]] = {}
    for scope in queues:
        if (pool := _pool_of(scope)) is not None:
            shared.setdefault(pool, []).extend(of_queue[scope.path])
        _check_member(scope, pools, tree, report)
        _check_recycle(block(child(scope.node, "recycle")), scope.path, of_queue[scope.path], report)
    for name, node in pools.items():
        _check_recycle(block(child(node, "recycle")), ("pools", name), shared.get(name, []), report)
        if name not in shared:
            _unused(name, tree, report)


def _pool_of(scope: Scope) -> str | None:
    return scope.settings.pool if isinstance(scope.settings, QueueBlock) else None


def _check_member(scope: Scope, pools: Mapping[str, Tree], tree: Tree, report: Report) -> None:
    """A queue that shares a pool leaves its size to the pool, and a pool has no name of another's queue."""
    pool = _pool_of(scope)
    if pool is None:
        return
    for key in PoolSettings.model_fields:
        written = find(tree, (*scope.path, key))
        if written is not None and not is_null(written):
            message = f"`{key}` of a queue that shares a pool is the pool's"
            help = f"move it to pools.{pool}"
            report.error("P310", message, key_span(tree, (*scope.path, key)), (*scope.path, key), help)
    namesake = find(tree, ("queues", pool))
    if isinstance(namesake, Tree) and _text(child(namesake, "pool")) != pool:
        message = f"the queue '{pool}' has a pool of this name for itself"
        help = f"write pool: {pool} there too, or choose another name"
        report.error("P311", message, scope.at("pool"), (*scope.path, "pool"), help)
    elif pools and pool not in pools and (near := did_you_mean(pool, pools)).startswith("did"):
        report.warning(
            "P409", f"`pools` does not have '{pool}'", scope.at("pool"), (*scope.path, "pool"), near
        )


def _unused(name: str, tree: Tree, report: Report) -> None:
    path: Path = ("pools", name)
    if find(tree, ("queues", name)) is not None:
        message = f"the queue '{name}' does not share a pool"
        help = f"write `processes` and `recycle` in queues.{name}, or pool: {name} there"
        report.error("P311", message, key_span(tree, path), path, help)
    else:
        help = f"write pool: {name} in the queues that share it"
        report.warning("P409", f"no queue is in the pool '{name}'", key_span(tree, path), path, help)


def _check_recycle(node: Tree, path: Path, members: Iterable[Scope], report: Report) -> None:
    """Warnings about limits that a process passes as soon as it works."""
    try:
        recycle = PoolBlock.model_validate({"recycle": plain(node)}).recycle
    except ValidationError:
        return
    path = (*path, "recycle")
    if recycle.max_memory is not None and recycle.max_memory < LEAST_MEMORY:
        place = value_span(node, ("max_memory",))
        message = "a worker needs about 30 MiB for itself, so this one would be replaced all the time"
        report.warning("P406", message, place, (*path, "max_memory"), "64MiB is the least that makes sense")
    limit = max((limit for scope in members if (limit := written_limit(scope)) is not None), default=None)
    if recycle.max_age is not None and limit is not None and recycle.max_age < limit:
        place = value_span(node, ("max_age",))
        message = f"a process is replaced more often than a job may take, {units.words(limit)}"
        report.warning("P406", message, place, (*path, "max_age"), "make `max_age` many times the timeout")


def check_secrets(tree: Tree, written: Tree, report: Report) -> None:
    """A secret has one source. `tree` lacks what another finding is about already."""
    for name, entry in block(child(tree, "secrets")).entries.items():
        path: Path = ("secrets", name)
        whole = len(block(entry.value).entries) == len(block(find(written, path)).entries)
        if whole and len(plain(block(entry.value))) != 1:
            help = "{file: secrets/name} or {env: NAME}"
            report.error("P312", "a secret has either `file` or `env`", entry.key, path, help)


def check_cases(tree: Tree, written: Tree, references: References, report: Report) -> None:
    """Whether each policy test says what it tests, and that is in the file."""
    for number, node in enumerate(_items(child(tree, "tests"))):
        try:
            case = CaseBlock.model_validate(plain(node))
        except ValidationError:
            continue
        _check_case(case, node, ("tests", number), _File(written, references, report))


def _items(node: Node | None) -> Iterator[Tree]:
    for item in node.items if isinstance(node, Items) else ():
        yield block(item)


@dataclass(frozen=True)
class _File:
    """What the checks of a policy test need of the file."""

    written: Tree
    references: References
    report: Report


def _check_case(case: CaseBlock, node: Tree, path: Path, file: _File) -> None:
    report = file.report
    if (case.retry is None) == (case.queue is None):
        report.error(
            "P313", "a test has either `retry` or `queue`", node.span, path, "queue: NAME or retry: NAME"
        )
    elif case.retry is not None:
        _known(case.retry, ("retry",), node, path, ("retries",), file)
        if case.job is not None:
            help = "remove it, or write `queue` instead of `retry`"
            report.error("P313", "`job` needs a `queue`", key_span(node, ("job",)), (*path, "job"), help)
    elif case.queue is not None and _known(case.queue, ("queue",), node, path, ("queues",), file):
        _check_job(case, node, path, file)
    if not case.expect.model_fields_set:
        help = "one or more of state, attempt, delays, total"
        report.error("P313", "the test expects nothing", key_span(node, ("expect",)), (*path, "expect"), help)


def _check_job(case: CaseBlock, node: Tree, path: Path, file: _File) -> None:
    queue = find(file.written, ("queues", case.queue or ""))
    defined = child(queue, "handler") is not None
    if case.job is not None and not defined:
        home: Path = ("queues", case.queue or "", "jobs")
        _known(case.job, ("job",), node, path, home, file)
    elif case.job is None and not defined and isinstance(queue, Tree):
        jobs = block(child(queue, "jobs")).entries
        help = f"write job: {next(iter(jobs), 'NAME')}"
        message = f"the test lacks a `job`: the queue '{case.queue}' has a handler for each"
        file.report.error("P313", message, node.span, (*path, "job"), help)


def _known(name: str, steps: Path, node: Tree, path: Path, home: Path, file: _File) -> bool:
    """Whether `name` is a key of the map at `home`."""
    names = find(file.written, home)
    if not isinstance(names, Tree) or name in names.entries:
        file.references.use(home, name)
        return True
    message = {
        "queues": f"the file has no queue '{name}'",
        "retries": f"no retry policy is named '{name}'",
        "jobs": f"the queue has no job '{name}'",
    }[str(home[-1])]
    file.references.miss(home, name, Use("P209", message, value_span(node, steps), (*path, *steps)))
    return False


def _text(node: Node | None) -> str | None:
    return str(node.value) if isinstance(node, Scalar) else None
