"""Whose value wins: built-in, `defaults`, queue, job, each laid over the one before, with its places kept."""

from __future__ import annotations

from pipeline.config.model import JobSettings, PoolSettings
from pipeline.config.references import References, Use
from pipeline.config.report import Report
from pipeline.config.tree import TOP, Entry, Mapping, Node, Path, Scalar, child, find

MAX_CHAIN = 32
EMPTY = Mapping({}, TOP)
# What a job takes over from its queue.
_INHERITED = (*JobSettings.model_fields, "handler")


def merge(under: Node, over: Node) -> Node:
    """`over` laid over `under`: maps merge, all else replaces. Another `type` drops the fields of the old."""
    if not isinstance(under, Mapping) or not isinstance(over, Mapping) or _types_differ(under, over):
        return over
    entries = dict(under.entries)
    for name, entry in over.entries.items():
        before = entries.get(name)
        entries[name] = Entry(entry.key, merge(before.value, entry.value)) if before else entry
    return Mapping(entries, over.span)


def lay_over(under: Node, over: Node) -> Node:
    """As `merge`, but a map that both have stays where `under` has it: a finding about it is about that one."""
    merged = merge(under, over)
    if merged is over or not isinstance(under, Mapping) or not isinstance(merged, Mapping):
        return merged
    for name, entry in block(over).entries.items():
        if (before := under.entries.get(name)) is not None:
            laid = lay_over(before.value, entry.value)
            merged.entries[name] = Entry(entry.key if laid is entry.value else before.key, laid)
    return Mapping(merged.entries, under.span)


def _types_differ(under: Mapping, over: Mapping) -> bool:
    old, new = child(under, "type"), child(over, "type")
    return isinstance(old, Scalar) and isinstance(new, Scalar) and old.value != new.value


def block(node: Node | None) -> Mapping:
    return node if isinstance(node, Mapping) else EMPTY


class Layers:
    """Resolves a config's tree. References to policies that are not there are noted, and left out.

    `tree` lacks what another finding is about already; `written` is all that stands in the file.
    """

    def __init__(self, tree: Mapping, written: Mapping, references: References, report: Report) -> None:
        self._tree = tree
        self._written = child(written, "retries")
        self._references = references
        self._report = report
        self._retries = block(child(tree, "retries"))
        self._policies: dict[str, Node] = {}
        self._open: list[str] = []

    def retries(self) -> dict[str, Node]:
        """Each named policy, without `extends`."""
        for name in self._retries.entries:
            self._policy(name)
        return self._policies

    def queues(self) -> dict[str, Mapping]:
        """Each queue as one block in which nothing is inherited any more; its jobs likewise."""
        defaults = block(child(self._tree, "defaults"))
        if "retry" in defaults.entries:
            self._retry(defaults.entries["retry"].value, ("defaults", "retry"))
        return {
            name: self._queue(name, defaults, entry.value)
            for name, entry in block(child(self._tree, "queues")).entries.items()
            if isinstance(entry.value, Mapping)
        }

    def pools(self) -> dict[str, Mapping]:
        """What `pools` says of each shared pool, over what `defaults` says of all."""
        defaults = block(child(self._tree, "defaults"))
        of_pools = Mapping(
            {k: entry for k, entry in defaults.entries.items() if k in PoolSettings.model_fields},
            defaults.span,
        )
        written = block(child(self._tree, "pools")).entries
        return {name: block(merge(of_pools, block(entry.value))) for name, entry in written.items()}

    def _queue(self, name: str, defaults: Mapping, written: Mapping) -> Mapping:
        queue = block(merge(defaults, written))
        path: Path = ("queues", name)
        inherited = {key: entry for key, entry in queue.entries.items() if key in _INHERITED}
        jobs = block(child(queue, "jobs"))
        done = {
            job: Entry(entry.key, self._settings(block(merge(Mapping(inherited, queue.span), entry.value)),
                                                 (*path, "jobs", job)))
            for job, entry in jobs.entries.items() if isinstance(entry.value, Mapping)
        }  # fmt: skip
        settled = self._settings(queue, path)
        if "jobs" in settled.entries:
            settled.entries["jobs"] = Entry(settled.entries["jobs"].key, Mapping(done, jobs.span))
        return settled

    def _settings(self, settings: Mapping, path: Path) -> Mapping:
        entries = dict(settings.entries)
        if "retry" in entries:
            policy = self._retry(entries["retry"].value, (*path, "retry"))
            if policy is None:
                del entries["retry"]
            else:
                entries["retry"] = Entry(entries["retry"].key, policy)
        return Mapping(entries, settings.span)

    def _retry(self, node: Node, path: Path) -> Node | None:
        """The policy that a `retry` value means, without names and `extends`."""
        if isinstance(node, Mapping):
            return self._extended(node, path)
        if not isinstance(node, Scalar) or node.value is None:
            return node
        return self._policy(str(node.value), node, path)

    def _extended(self, policy: Mapping, path: Path) -> Node:
        base = child(policy, "extends")
        own = Mapping({k: entry for k, entry in policy.entries.items() if k != "extends"}, policy.span)
        if not isinstance(base, Scalar) or base.value is None:
            return own
        below = self._policy(str(base.value), base, (*path, "extends"))
        if below is None and find(own, ("backoff", "type")) is None:
            # The policy that is missing may have had the rest of it.
            own.entries.pop("backoff", None)
        return own if below is None else merge(below, own)

    def _policy(self, name: str, reference: Scalar | None = None, path: Path = ()) -> Node | None:
        """The resolved policy `name`; a circle is reported at the reference that closes it."""
        place, shown = (reference.span, reference.text) if reference else (TOP, name)
        if name in self._open or len(self._open) >= MAX_CHAIN:
            message = f"'{shown}' extends itself in the end" if name in self._open else "too long a chain"
            self._report.error("P202", message, place, path, "let one of them stand on its own")
            return None
        policy = child(self._retries, name)
        if policy is None:
            if not self._is_written(name):
                use = Use("P201", f"no retry policy is named '{shown}'", place, path)
                self._references.miss(("retries",), shown, use)
            return None
        if reference is not None:
            self._references.use(("retries",), name)
        if name not in self._policies:
            self._open.append(name)
            self._policies[name] = self._extended(block(policy), ("retries", name))
            self._open.pop()
        return self._policies[name]

    def _is_written(self, name: str) -> bool:
        """Whether the file has such a policy, whose mistakes are findings already."""
        if isinstance(self._written, Mapping):
            return name in self._written.entries
        return self._written is not None
