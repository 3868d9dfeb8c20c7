"""A config that lies in several files: each is read alone, and what it declares joins the names of all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.config.fields import shown
from pipeline.config.inputs import GLOB, TooManyFiles, is_pattern, matches
from pipeline.config.parse import MAX_VALUES, Allowance, parse
from pipeline.config.report import Report
from pipeline.config.source import read_source
from pipeline.config.translate import belongs_in_main
from pipeline.config.tree import Entry, Node, Scalar, Sequence, Span, is_null
from pipeline.config.tree import Mapping as Tree
from pipeline.config.values import interpolate, plain

MAX_FILES = 1_000
MAX_TOTAL = 16 * 1024 * 1024
MAX_DEPTH = 16
MAX_PATTERNS = 1_000
SHARED = ("queues", "retries", "pools", "schedules", "webhooks", "flows")
"""What an included file may declare, beside `include` and x-* keys."""
_SMALLEST = "an included file holds `queues`, `retries`, `pools`, `schedules`, `webhooks` or `flows`"


class Files:
    """Reads a config and what it includes. `inputs` are the files and patterns it was read from, absolute."""

    def __init__(self, path: Path, env: Mapping[str, str], report: Report) -> None:
        self.inputs: dict[str, None] = {}
        self._path = path
        self._env = env
        self._report = report
        self._allowance = Allowance()
        self._left = MAX_TOTAL
        self._known: set[str] = set()
        self._open: list[tuple[str, Path]] = []
        self._names: dict[str, dict[str, Entry]] = {section: {} for section in SHARED}
        self._full = self._lost = False

    @property
    def size(self) -> int:
        """How many values all files hold, as written."""
        return MAX_VALUES - self._allowance.values

    def read(self) -> Tree | None:
        """The tree of all files, without `include`.

        None when one of them cannot be understood: what it may declare would seem to be missing everywhere.
        """
        self.inputs[str(self._path.absolute())] = None
        text = read_source(self._path, self._report)
        tree = parse(text, self._report, self._allowance) if text is not None else None
        if tree is None:
            return None
        own = {section: entry.value for section in SHARED if (entry := tree.entries.get(section))}
        for section, node in own.items():
            if isinstance(node, Tree):
                self._names[section].update(node.entries)
        self._enter(tree, self._path, self._report)
        return None if self._lost else self._joined(tree, own)

    def _joined(self, tree: Tree, own: dict[str, Node]) -> Tree:
        entries = {name: entry for name, entry in tree.entries.items() if name != "include"}
        for section, names in self._names.items():
            node = own.get(section)
            if names and (node is None or is_null(node) or isinstance(node, Tree)):
                place = entries[section].key if section in entries else next(iter(names.values())).key
                entries[section] = Entry(place, Tree(names, node.span if node else place))
        return Tree(entries, tree.span)

    def _enter(self, tree: Tree, path: Path, report: Report) -> None:
        """Read what the file at `path` includes."""
        self._open.append((_identity(path), path))
        for at, pattern, place in _patterns(tree, self._env, report):
            for file in self._find(pattern, path.parent, place, at, report):
                self._take(file, place, report)
        self._open.pop()

    def _find(self, pattern: str, folder: Path, place: Span, at: int, report: Report) -> list[Path]:
        if not is_pattern(pattern):
            return [folder / pattern]
        self.inputs[f"{GLOB}{folder.absolute()}//{pattern}"] = None
        if not self._has_room(place, report):
            return []
        try:
            found = matches(folder, pattern)
        except TooManyFiles:
            help = "begin it with a folder that holds little else"
            report.error("P022", "the pattern looks through too many files", place, ("include", at), help)
            return []
        if not found:
            help = f"it is looked for in {folder}/"
            report.warning("P023", f"no file matches '{_cut(pattern)}'", place, ("include", at), help)
        return found

    def _take(self, path: Path, place: Span, report: Report) -> None:
        """Read one included file, once, however many others include it."""
        self.inputs[str(path.absolute())] = None
        identity = _identity(path)
        names = [name for name, _ in self._open]
        if identity in names:
            way = [str(file) for _, file in self._open[names.index(identity) :]]
            message = f"{path} includes itself" + (f": {' -> '.join([*way, way[0]])}" if way[1:] else "")
            report.error(
                "P021", message, place, ("include",), "take it out of the list, or narrow the pattern"
            )
        elif identity not in self._known and self._has_room(place, report):
            self._known.add(identity)
            self._read(path, place, report.included(str(path)))

    def _has_room(self, place: Span, report: Report) -> bool:
        if self._full:
            return False
        message = ""
        if len(self._open) > MAX_DEPTH:
            message = f"more than {MAX_DEPTH} files include each other in a row"
        elif len(self._known) >= MAX_FILES:
            message = f"more than {MAX_FILES:,} files are included"
        elif len(self.inputs) > MAX_FILES + MAX_PATTERNS:
            message = f"more than {MAX_PATTERNS:,} patterns are included"
        elif self._left < 0:
            message = "the files are larger than 16 MiB together"
        if message:
            self._full = self._lost = True
            report.error("P022", message, place, ("include",), "is this the right pattern?")
        return not message

    def _read(self, path: Path, place: Span, report: Report) -> None:
        text = read_source(
            path, report, place, "its path counts from the folder of the file that includes it"
        )
        self._left -= len(text.encode()) if text else 0
        tree = parse(text, report, self._allowance, _SMALLEST) if text is not None else None
        if tree is None:
            self._lost = True
            return
        for name, entry in tree.entries.items():
            if name in SHARED:
                self._join(name, entry, report)
            elif name != "include" and not name.startswith("x-"):
                belongs_in_main(name, entry.key, self._path, report)
        self._enter(tree, path, report)

    def _join(self, section: str, entry: Entry, report: Report) -> None:
        if not isinstance(entry.value, Tree):
            if not is_null(entry.value):
                message = f"this must be a map of names, not {shown(plain(entry.value))}"
                report.error("P103", message, entry.value.span, (section,))
            return
        names = self._names[section]
        for name, own in entry.value.entries.items():
            if name in names:
                first = names[name].key
                message = (
                    f"'{_cut(name)}' stands in two files, first in {first.file}:{first.line}:{first.column}"
                )
                report.error("P020", message, own.key, (section, name), "rename one of them, or remove it")
            else:
                names[name] = own


def _patterns(tree: Tree, env: Mapping[str, str], report: Report) -> Iterator[tuple[int, str, Span]]:
    """The patterns of a file's `include`, with their places in the list and in the file."""
    entry = tree.entries.get("include")
    if entry is None or is_null(entry.value):
        return
    if not isinstance(entry.value, Sequence):
        given = shown(plain(entry.value))
        help = f"write [{given}]" if isinstance(entry.value, Scalar) else ""
        report.error(
            "P103", f"this must be a list of files, not {given}", entry.value.span, ("include",), help
        )
        return
    done = interpolate(Tree({"include": entry}, tree.span), env, report).entries.get("include")
    for at, item in enumerate(done.value.items if done and isinstance(done.value, Sequence) else ()):
        if isinstance(item, Scalar) and isinstance(item.value, str):
            yield at, str(item.value), item.span
        else:
            message = f"this must be the path of a file, not {shown(plain(item))}"
            report.error("P103", message, item.span, ("include", at))


def _identity(path: Path) -> str:
    """The same for every way to one file."""
    try:
        return os.path.realpath(path)
    except ValueError:  # a NUL in the path
        return str(path)


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
