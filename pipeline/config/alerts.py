"""What must hold of alerts and dead-letter queues: names that are there, addresses that may be used, no circles."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import ValidationError

from pipeline.address import names_this_host, needs_tls, split
from pipeline.config.checks import Scope
from pipeline.config.layers import block
from pipeline.config.model import QueueBlock
from pipeline.config.receivers import AlertBlock
from pipeline.config.references import References, Use
from pipeline.config.report import Report
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Path, child, find, key_span, value_span
from pipeline.config.values import plain

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")
_OF_ADDRESSES = ("format", "allow_private")


def check_alerts(
    tree: Tree, written: Tree, scopes: Sequence[Scope], references: References, report: Report
) -> None:
    """Findings about `alerts`, and about the queues that name them or each other."""
    for name, entry in block(child(tree, "alerts")).entries.items():
        try:
            alert = AlertBlock.model_validate(plain(block(entry.value)))
        except ValidationError:
            continue
        whole = len(block(entry.value).entries) == len(block(find(written, ("alerts", name))).entries)
        if whole:
            _check_alert(alert, tree, ("alerts", name), report)
    queues = {str(scope.path[1]): scope for scope in scopes if isinstance(scope.settings, QueueBlock)}
    for scope in queues.values():
        _check_limit(scope, written, references, report)
        _check_letters(scope, queues, written, references, report)
    _check_circles(queues, report)


def _check_alert(alert: AlertBlock, tree: Tree, path: Path, report: Report) -> None:
    if (alert.url is None) == (not alert.command):
        help = "url: https://..., or command: [program, argument]"
        report.error("P341", "an alert has either `url` or `command`", key_span(tree, path), path, help)
        return
    if alert.command:
        for key in (key for key in _OF_ADDRESSES if find(tree, (*path, key)) is not None):
            place = key_span(tree, (*path, key))
            report.error("P341", f"a command takes no `{key}`", place, (*path, key), "remove it")
    if not isinstance(alert.url, str):
        return
    parts, place = split(alert.url), value_span(tree, (*path, "url"))
    if needs_tls(parts, allow_private=alert.allow_private):
        help = "write https://, or allow_private: true for a receiver in a private network"
        report.error("P342", "http is spoken to this host only", place, (*path, "url"), help)
    elif _TOKEN.search(parts.path + "?" + parts.query) and not names_this_host(parts.hostname or ""):
        help = "declare it under `secrets`, and write url: {secret: NAME}"
        report.warning("P430", "this address looks like a secret", place, (*path, "url"), help)


def _check_limit(scope: Scope, written: Tree, references: References, report: Report) -> None:
    limit = scope.settings.wait_limit if isinstance(scope.settings, QueueBlock) else None
    if limit is None or "wait_limit" in scope.touched:
        return
    for missing in (key for key in ("max", "alert") if getattr(limit, key) is None):
        path: Path = (*scope.path, "wait_limit")
        place = scope.at("wait_limit", key=True)
        help = "for instance {max: 10m, alert: oncall}"
        report.error("P343", f"a wait limit needs `{missing}`", place, path, help)
    if limit.alert is not None:
        _known(limit.alert, ("wait_limit", "alert"), scope, written, references)


def _check_letters(
    scope: Scope, queues: dict[str, Scope], written: Tree, references: References, report: Report
) -> None:
    letter = scope.settings.dead_letter if isinstance(scope.settings, QueueBlock) else None
    if letter is None or "dead_letter" in scope.touched:
        return
    if letter.queue is None and letter.alert is None:
        place, path = scope.at("dead_letter", key=True), (*scope.path, "dead_letter")
        help = "for instance {alert: oncall}"
        report.error("P343", "`dead_letter` needs `queue` or `alert`", place, path, help)
    if letter.alert is not None:
        _known(letter.alert, ("dead_letter", "alert"), scope, written, references)
    if letter.queue is None:
        return
    steps: Path = ("dead_letter", "queue")
    if find(written, ("queues", letter.queue)) is None:
        message = f"the file has no queue '{letter.queue}'"
        use = Use("P231", message, scope.at(*map(str, steps)), (*scope.path, *steps))
        references.miss(("queues",), letter.queue, use)
        return
    references.use(("queues",), letter.queue)
    if (home := queues.get(letter.queue)) is not None and letter.queue != scope.path[1]:
        _check_names(scope, home, report)


def _check_names(scope: Scope, home: Scope, report: Report) -> None:
    """Whether the dead-letter queue knows the jobs that it gets."""
    if home.has("handler") or not {"jobs", "handler"}.isdisjoint(home.touched):
        return
    names = {str(name) for name in block(find(scope.node, ("jobs",))).entries}
    lost = sorted(names - {str(name) for name in block(find(home.node, ("jobs",))).entries})
    if lost or scope.has("handler"):
        what = f"no job '{lost[0]}'" if lost else "no handler for every name"
        place = scope.at("dead_letter", "queue")
        path: Path = (*scope.path, "dead_letter", "queue")
        help = f"write handler: null in queues.{home.path[1]}, to keep them for a person"
        report.warning("P433", f"the queue '{home.path[1]}' has {what}", place, path, help)


def _check_circles(queues: dict[str, Scope], report: Report) -> None:
    """Each circle is told once, at the first of its queues."""
    next_of = {
        name: scope.settings.dead_letter.queue
        for name, scope in queues.items()
        if isinstance(scope.settings, QueueBlock) and scope.settings.dead_letter is not None
    }
    seen: set[str] = set()
    for start in next_of:
        way: list[str] = []
        name: str | None = start
        while name is not None and name not in seen:
            seen.add(name)
            way.append(name)
            name = next_of.get(name)
        if name in way:
            _tell_circle(way[way.index(name) :], queues, report)


def _tell_circle(circle: list[str], queues: dict[str, Scope], report: Report) -> None:
    scope = queues[circle[0]]
    way = " -> ".join([*circle, circle[0]])
    message = "a queue cannot be its own dead-letter queue"
    if len(circle) > 1:
        message = f"dead letters would go in a circle: {way}"
    help = f"write dead_letter: null in queues.{circle[-1]}, or another queue"
    place, path = scope.at("dead_letter", "queue"), (*scope.path, "dead_letter", "queue")
    report.error("P340", message, place, path, help)


def _known(name: str, steps: Path, scope: Scope, written: Tree, references: References) -> None:
    """Whether `name` is one of `alerts`."""
    home: Path = ("alerts",)
    if find(written, (*home, name)) is not None:
        references.use(home, name)
        return
    use = Use("P230", f"no alert is named '{name}'", scope.at(*map(str, steps)), (*scope.path, *steps))
    references.miss(home, name, use)
