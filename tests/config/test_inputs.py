"""What a config was read from is known to the last file, and one name changes whenever any of it does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.inputs import TooManyFiles, fingerprint, matches
from pipeline.config.load import Loaded

Project = Callable[..., Loaded]
MAIN = "configs/shop.yaml"
SHOP = {
    MAIN: "name: shop\ninclude: ['q/*.yaml', more.yaml]\nsecrets: {b: {file: broker}}\nbroker: {url: {secret: b}}\n",
    "configs/q/a.yaml": "queues: {a: {jobs: {x: {handler: 'm:f', schema: x.json}}}}\n",
    "configs/more.yaml": "retries: {slow: {attempts: 4}}\n",
    "x.json": "{}",
    "broker": "redis://localhost\n",
}


def test_the_inputs_are_all_files_that_were_read_and_the_patterns(project: Project, tmp_path: Path) -> None:
    loaded = project(SHOP)
    assert loaded.plan is not None
    configs = tmp_path / "configs"
    assert set(loaded.plan.inputs) == {str(tmp_path / name) for name in SHOP} | {f"glob:{configs}//q/*.yaml"}
    assert loaded.inputs == loaded.plan.inputs


def test_a_file_with_mistakes_has_inputs_too_so_that_mending_any_of_them_is_noticed(project: Project) -> None:
    broken = {**SHOP, "configs/q/a.yaml": "queues: {\n"}
    loaded = project(broken)
    assert loaded.plan is None
    before = fingerprint(loaded.inputs)
    project(SHOP)
    assert fingerprint(loaded.inputs) != before


def test_a_missing_file_is_an_input_so_that_its_coming_is_noticed(project: Project, tmp_path: Path) -> None:
    files = {name: text for name, text in SHOP.items() if name != "configs/more.yaml"}
    assert str(tmp_path / "configs" / "more.yaml") in project(files).inputs


def by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def replace(file: Path) -> None:
    """As editors and configuration tools do: another file under the same name."""
    draft = file.with_suffix(".draft")
    draft.write_text(file.read_text() + "# new\n")
    draft.replace(file)


CHANGES: dict[str, Callable[[Path], object]] = {
    "an edit": lambda root: (root / MAIN).write_text("name: other\n"),
    "an edit of an included file": lambda root: (root / "configs/q/a.yaml").write_text("x-a: 1\n"),
    "a replacement": lambda root: replace(root / "configs/more.yaml"),
    "a secret": lambda root: (root / "broker").write_text("redis://other\n"),
    "a schema": lambda root: (root / "x.json").write_text("true"),
    "a file that is added": lambda root: (root / "configs/q/b.yaml").write_text(""),
    "a file that is removed": lambda root: (root / "configs/q/a.yaml").unlink(),
    "a file in the place of another": lambda root: (root / "configs/q/a.yaml").rename(
        root / "configs/q/b.yaml"
    ),
    "a file that became a folder": lambda root: by_folder(root / "broker"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_changes_with(project: Project, tmp_path: Path, change: str) -> None:
    inputs = project(SHOP).inputs
    before = fingerprint(inputs)
    CHANGES[change](tmp_path)
    assert fingerprint(inputs) != before


def test_it_stays_when_nothing_is_written_anew(project: Project, tmp_path: Path) -> None:
    inputs = project(SHOP).inputs
    before = fingerprint(inputs)
    (tmp_path / MAIN).touch()
    (tmp_path / "configs" / "q" / "note.txt").write_text("")
    assert fingerprint(tuple(reversed(inputs))) == before


def test_a_folder_that_looks_like_a_pattern_is_no_pattern(project: Project) -> None:
    inside = {f"[a]*/{name}": text for name, text in SHOP.items()}
    loaded = project(inside)
    assert loaded.plan is not None, loaded.findings
    before = fingerprint(loaded.inputs)
    project({**inside, "[a]*/configs/q/b.yaml": "x-a: 1\n"})
    assert fingerprint(loaded.inputs) != before


def test_an_absolute_pattern_counts_from_the_root_of_the_disk(project: Project, tmp_path: Path) -> None:
    loaded = project(
        {MAIN: f"name: shop\ninclude: ['{tmp_path}//away/*.yaml']\nqueues: {{a: {{handler: 'm:f'}}}}\n"}
    )
    before = fingerprint(loaded.inputs)
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "b.yaml").touch()
    assert fingerprint(loaded.inputs) != before


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "/dev/zero", "glob:/\0//*", "glob:///**/*", "x" * 5_000])
def test_it_never_raises_and_never_waits(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    started = time.monotonic()
    assert fingerprint([name, str(tmp_path / "fifo"), "/proc/self/mem"])
    assert time.monotonic() - started < 1


def test_it_is_cheap_enough_for_every_two_seconds(project: Project) -> None:
    files = {f"configs/q/{number}.yaml": "# x\n" * 1_000 for number in range(900)}
    inputs = project({**SHOP, **files}).inputs
    started = time.process_time()
    fingerprint(inputs)
    assert time.process_time() - started < 0.3


TREE = ("a/1.yaml", "a/b/2.yaml", "a/b/c/3.yaml", ".h/4.yaml", "a/.5.yaml", "a/6.yml")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a/*.yaml", ["a/1.yaml"]),
        ("*/*.y?ml", ["a/1.yaml"]),
        ("a/[16].*", ["a/1.yaml", "a/6.yml"]),
        ("**/*.yaml", ["a/1.yaml", "a/b/2.yaml", "a/b/c/3.yaml"]),
        ("a/**/c/*", ["a/b/c/3.yaml"]),
        ("a/**", ["a/1.yaml", "a/6.yml", "a/b/2.yaml", "a/b/c/3.yaml"]),
        (".h/*", [".h/4.yaml"]),
        ("a/.*.yaml", ["a/.5.yaml"]),
        ("nowhere/*", []),
    ],
)
def test_patterns_are_read_as_a_shell_reads_them(tmp_path: Path, pattern: str, found: list[str]) -> None:
    for name in TREE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [str(file.relative_to(tmp_path)) for file in matches(tmp_path, pattern)] == found


def test_a_pattern_does_not_look_through_the_whole_disk() -> None:
    with pytest.raises(TooManyFiles):
        matches(Path("/"), "**/*.nothing")
