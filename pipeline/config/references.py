"""Names that are declared in one place and used in others: which of the two slipped, when they do not meet.

A name that is used once and declared nowhere is told where it is used. One that is used again and again is rather a
declaration that is missing, or misspelled: that is told once, where it should stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.config.report import Report
from pipeline.config.suggest import did_you_mean, near
from pipeline.config.tree import Entry, Node, Path, Span, find, key_span
from pipeline.config.tree import Mapping as Tree

SHOWN = 3
MOST = 500
"""Beyond so many nobody reads them all: they are told one by one, where they are used."""


@dataclass(frozen=True)
class Use:
    """One use of a name that is not declared: what a finding about it would say."""

    code: str
    message: str
    place: Span
    path: Path


class References:
    """Collects uses of the names that are declared in the map at `home`, for instance ("retries",)."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._count = 0
        self._used: dict[Path, set[str]] = {}
        self._lost: dict[tuple[Path, str], list[Use]] = {}

    def use(self, home: Path, name: str) -> None:
        """A declared name is used."""
        self._used.setdefault(home, set()).add(name)

    def miss(self, home: Path, name: str, use: Use) -> None:
        """A name is used, and not declared."""
        self._count += 1
        if self._count > MOST:
            self._report.error(use.code, use.message, use.place, use.path)
            return
        self._lost.setdefault((home, name), []).append(use)

    def has(self, written: Tree, home: Path, name: str, use: Use) -> bool:
        """Whether `name` is declared at `home`; then it is used, and otherwise missed, as `use` says."""
        names = find(written, home)
        if not isinstance(names, Tree) or name in names.entries:
            self.use(home, name)
            return True
        self.miss(home, name, use)
        return False

    def tell(self, written: Tree) -> None:
        """Report every name that is used and not declared."""
        report = self._report
        for (home, name), uses in self._lost.items():
            node = find(written, home)
            names = node.entries if isinstance(node, Tree) else {}
            if len({use.place for use in uses}) > 1 and names:
                self._tell_once(home, name, uses, names, written)
                continue
            help = did_you_mean(name, names) if report.few else ""
            for use in uses:
                report.error(use.code, use.message, use.place, use.path, help or _declare(home))

    def _tell_once(
        self,
        home: Path,
        name: str,
        uses: list[Use],
        names: Mapping[str, Entry],
        written: Node,
    ) -> None:
        report = self._report
        first, where = uses[0], _places([use.place for use in uses], report.file)
        idle = set(names).difference(self._used.get(home, ()))
        slipped = near(name, idle) if report.few else None
        if slipped is not None:
            message = f"'{slipped}' is used nowhere, and '{name}', which is used on {where}, is not declared"
            place, help = names[slipped].key, f"did you mean '{name}'?"
            report.error(first.code, message, place, (*home, slipped), help)
        else:
            message = f"'{name}' is not declared here, and is used on {where}"
            meant = near(name, names) if report.few else None
            help = f"did you mean '{meant}'?" if meant else _declare(home)
            report.error(first.code, message, key_span(written, home), home, help)


def _declare(home: Path) -> str:
    return f"declare it under `{home[-1]}`"


def _places(places: list[Span], file: str) -> str:
    """`lines 12, 15, 17 and 2 more`."""
    lines = [
        str(place.line) if place.file in ("", file) else f"{place.file}:{place.line}"
        for place in sorted(set(places))
    ]
    more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
    return f"line{'s' * (len(lines) > 1)} {', '.join(lines[:SHOWN])}{more}"
