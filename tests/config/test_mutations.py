"""A single slip in a real config is found, at the token that slipped."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from pipeline.config.load import load

PROD = Path(__file__).parents[2] / "configs" / "prod.yaml"
ENV = {"PIPELINE_BROKER": "redis://queue.example.com:6379/0"}
COUNT = 500
RETYPED = ("many", "[1]", "{a: 1}", "-1", "yes", "1.5x", "0", '"5 s"', "007")


@dataclass(frozen=True)
class Token:
    """A key or a value: where it stands (from 0), where the value of a key ends, and where the keys above begin."""

    start: int
    end: int
    whole: int
    is_key: bool
    above: tuple[int, ...]


@dataclass(frozen=True)
class Mutation:
    """A changed text, and where a finding about it may stand: on a line from one column to another."""

    what: str
    text: str
    places: tuple[tuple[int, int, int], ...]

    def is_at(self, line: int, column: int) -> bool:
        return any(line == own and first <= column <= last for own, first, last in self.places)


def tokens(text: str) -> list[Token]:
    """Every key and every scalar value of the file, read by YAML itself."""
    found: list[Token] = []

    def walk(node: yaml.Node, above: tuple[int, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                # A block ends where the next thing begins.
                whole = len(text[: value.end_mark.index].rstrip())
                start = key.start_mark.index
                found.append(Token(start, key.end_mark.index, whole, is_key=True, above=above))
                walk(value, (start, *above))
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                is_map = isinstance(item, yaml.MappingNode)
                walk(item, (item.start_mark.index, *above) if is_map else above)
        else:
            end = node.end_mark.index
            found.append(Token(node.start_mark.index, end, end, is_key=False, above=above))

    top = yaml.compose(text)
    assert top is not None
    walk(top, ())
    return found


def at(text: str, index: int, width: int = 0) -> tuple[int, int, int]:
    """The line of what begins at an index, or after it, and its columns, from 1."""
    if width == 0:
        index += len(text[index:]) - len(text[index:].lstrip())
    before = text[:index]
    column = index - before.rfind("\n")
    return before.count("\n") + 1, column, column + width


def drop(text: str, token: Token, _: random.Random) -> Mutation:
    """A value is gone, or a key with all that it holds."""
    if not token.is_key:
        return replaced("dropped value", text, token, "")
    made = text[: token.start].rstrip(" ") + text[token.whole :].lstrip(" ,")
    return Mutation("dropped key", made, tuple(at(made, index) for index in token.above[:1]) or ((1, 1, 1),))


def swap(text: str, token: Token, chance: random.Random) -> Mutation:
    """Two neighbouring letters changed places."""
    word = text[token.start : token.end]
    pairs = [n for n in range(len(word) - 1) if word[n] != word[n + 1]]
    if not pairs:
        return misspell(text, token, chance)
    n = chance.choice(pairs)
    return replaced("swapped letters", text, token, word[:n] + word[n + 1] + word[n] + word[n + 2 :])


def misspell(text: str, token: Token, chance: random.Random) -> Mutation:
    """A letter too few, too many, or another one."""
    word = text[token.start : token.end]
    n = chance.randrange(len(word))
    letter = chance.choice("abcdefghijklmnopqrstuvwxyz")
    made = chance.choice(
        (word[:n] + word[n + 1 :], word[:n] + letter + word[n:], word[:n] + letter + word[n + 1 :])
    )
    return replaced("misspelled", text, token, made)


def retype(text: str, token: Token, chance: random.Random) -> Mutation:
    """A value of another kind."""
    return replaced("retyped", text, token, chance.choice(RETYPED))


def replaced(what: str, text: str, token: Token, word: str) -> Mutation:
    """`word` in the place of a token. A key that is lost is missing above; so is one without a value."""
    made = text[: token.start] + word + text[token.end :]
    places = [at(made, token.start, max(len(word) - 1, 0))]
    above = token.above[:1] if token.is_key else token.above[:2] if not word else ()
    places += [at(made, index) for index in above]
    return Mutation(f"{what} {'key' if token.is_key else 'value'}", made, tuple(places))


def mutations(text: str, seed: int) -> list[Mutation]:
    """The same mutations for the same text and seed."""
    chance = random.Random(seed)
    every = tokens(text)
    made: list[Mutation] = []
    while len(made) < COUNT:
        token = chance.choice(every)
        kinds = (drop, swap, misspell) if token.is_key else (drop, swap, misspell, retype)
        one = chance.choice(kinds)(text, token, chance)
        if one.text != text:
            made.append(one)
    return made


DANGLING = ("P201", "P206", "P209", "P221", "P230", "P231", "P240", "P375")
"""A name is used and not declared: told where it is used."""


def test_at_least_95_of_100_findings_stand_at_the_token_that_slipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "configs" / "prod.yaml"
    file.parent.mkdir()
    (tmp_path / "schemas").symlink_to(PROD.parents[1] / "schemas")
    valid, hits, misses = 0, 0, []
    for one in mutations(PROD.read_text("utf-8"), seed=4):
        file.write_text(one.text, "utf-8")
        errors = [found for found in load(file, env=ENV).findings if found.severity == "error"]
        if not errors:
            valid += 1
        elif any(one.is_at(found.line, found.column) for found in errors):
            hits += 1
        elif one.what == "dropped key" and any(error.code in DANGLING for error in errors):
            hits += 1  # nothing is left but the uses of the names that went
        else:
            told = [f"{error.code} {error.line}:{error.column} {error.message}" for error in errors]
            misses.append((one.what, sorted(one.places), one.text.splitlines()[min(one.places)[0] - 1], told))
    with capsys.disabled():
        sys.stdout.write(
            f"\n{COUNT} mutations: {hits} found in place, {len(misses)} elsewhere, {valid} still valid\n"
        )
    assert hits >= 0.95 * (hits + len(misses)), "\n".join(map(str, misses))
    assert valid <= 0.4 * COUNT
