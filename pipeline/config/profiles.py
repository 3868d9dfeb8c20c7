"""Profiles: blocks of a file that are laid over the rest of it, one at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.config.fields import shown
from pipeline.config.layers import EMPTY, block, lay_over
from pipeline.config.report import Report
from pipeline.config.suggest import did_you_mean
from pipeline.config.tree import TOP, Entry, Span, in_profile, is_null
from pipeline.config.tree import Mapping as Tree
from pipeline.config.values import plain
from pipeline.policy import NAME_PATTERN

MAX_PROFILES = 50
_FIXED = ("version", "include", "profiles")


@dataclass(frozen=True)
class Profiles:
    """Each with its key and its block, by name, and the place of the key that they stand under."""

    blocks: Mapping[str, Entry] = field(default_factory=dict)
    place: Span = TOP


def split(tree: Tree, report: Report) -> tuple[Tree, Profiles]:
    """The tree without its profiles, and these; one that cannot be used is reported, and empty."""
    entry = tree.entries.get("profiles")
    if entry is None:
        return tree, Profiles()
    rest = Tree({name: own for name, own in tree.entries.items() if name != "profiles"}, tree.span)
    if not isinstance(entry.value, Tree):
        if not is_null(entry.value):
            message = f"this must be a map of names, not {shown(plain(entry.value))}"
            report.error("P103", message, entry.value.span, ("profiles",))
        return rest, Profiles(place=entry.key)
    found = {name: own for name, own in entry.value.entries.items() if not name.startswith("x-")}
    if len(found) > MAX_PROFILES:
        report.error("P107", f"more than {MAX_PROFILES} profiles", entry.key, ("profiles",))
        return rest, Profiles(place=entry.key)
    return rest, Profiles({name: _profile(name, own, report) for name, own in found.items()}, entry.key)


def _profile(name: str, entry: Entry, report: Report) -> Entry:
    path, key = ("profiles", name), entry.key._replace(profile=name)
    if not re.fullmatch(NAME_PATTERN, name):
        message = f"{shown(name)} cannot be a name: a-z, 0-9, '_', '.', '-', 64 characters"
        report.error("P108", message, key, path)
    if not isinstance(entry.value, Tree):
        if not is_null(entry.value):
            message = f"this must be a map of keys, not {shown(plain(entry.value))}"
            report.error("P103", message, entry.value.span, path)
        return Entry(key, EMPTY)
    marked = block(in_profile(entry.value, name))
    for fixed in _FIXED:
        if (own := marked.entries.pop(fixed, None)) is not None:
            report.error("P207", f"a profile cannot change `{fixed}`", own.key, (*path, fixed), "remove it")
    return Entry(key, marked)


def choose(tree: Tree, profiles: Profiles, name: str, report: Report) -> Tree:
    """The tree with the profile of that name laid over it."""
    blocks = profiles.blocks
    if name in blocks:
        return block(lay_over(tree, blocks[name].value))
    known = f"there are {', '.join(blocks)}" if blocks else "leave the profile out"
    message = f"the file has no profile {shown(name)}"
    report.error("P205", message, profiles.place, ("profiles",), did_you_mean(name, blocks) or known)
    return tree
