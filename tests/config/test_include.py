"""A config in several files: each is read alone, names join and never merge, and every mistake tells its file."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.config.findings import render
from pipeline.config.load import Loaded
from pipeline.config.show import effective

Project = Callable[..., Loaded]
MAIN = "configs/shop.yaml"
HEAD = "name: shop\n"
EMAILS = "queues:\n  emails: {handler: 'm:f'}\n"
STOCK = "queues: {stock: {handler: 'm:f', retry: slow}}\nretries: {slow: {attempts: 4}}\n"


def told(result: Loaded) -> list[str]:
    """The findings as `CODE file:line:column`, the file without its folders."""
    return [f"{one.code} {Path(one.file).name}:{one.line}:{one.column}" for one in result.findings]


def names(result: Loaded) -> list[str]:
    """The queues of a file without mistakes."""
    assert result.plan is not None, told(result)
    return list(result.plan.queues)


def test_paths_and_patterns_count_from_the_file_that_includes_and_globs_are_sorted(project: Project) -> None:
    loaded = project(
        {
            MAIN: HEAD + "include: [a/*.yaml, b.yaml]\nqueues: {own: {handler: 'm:f', retry: slow}}\n",
            "configs/a/2.yaml": EMAILS.replace("emails", "second"),
            "configs/a/1.yaml": EMAILS.replace("emails", "first") + "include: [../deep/*]\n",
            "configs/a/.hidden.yaml": "queues: 5\n",
            "configs/deep/stock": STOCK,
            "configs/b.yaml": EMAILS,
        }
    )
    assert names(loaded) == ["own", "first", "stock", "second", "emails"]
    assert loaded.plan is not None
    assert loaded.plan.queues["own"].others == loaded.plan.queues["stock"].others


def test_variables_work_in_patterns(project: Project) -> None:
    files = {
        MAIN: HEAD + "include: ['${REGION:-eu}/*.yaml']\n",
        "configs/eu/a.yaml": EMAILS,
        "configs/us/a.yaml": STOCK,
    }
    assert names(project(files)) == ["emails"]
    assert names(project(files, {"REGION": "us"})) == ["stock"]


def test_the_hash_does_not_change_by_how_the_content_is_spread(project: Project) -> None:
    whole = project({MAIN: HEAD + "queues: {emails: {handler: 'm:f'}, stock: {handler: 'm:f'}}\n"}).plan
    spread = project(
        {
            MAIN: HEAD + "include: ['*/*.yaml']\n",
            "configs/x/z.yaml": EMAILS,
            "configs/x/y.yaml": EMAILS.replace("emails", "stock"),
        }
    ).plan
    assert whole is not None
    assert spread is not None
    assert whole.hash == spread.hash


def test_anchors_do_not_cross_files(project: Project) -> None:
    files = {
        MAIN: HEAD + "x-a: &fast {priority: 5}\ninclude: [e.yaml]\n",
        "configs/e.yaml": "queues: {e: *fast}\n",
    }
    assert told(project(files)) == ["P012 e.yaml:1:13"]


def test_what_a_file_with_a_syntax_error_may_declare_is_not_missing(project: Project) -> None:
    main = HEAD + "include: [a.yaml, b.yaml]\nqueues: {own: {handler: 'm:f', retry: slow}}\n"
    loaded = project({MAIN: main, "configs/a.yaml": "retries: {slow: {}\n", "configs/b.yaml": "a: b: c\n"})
    assert [one.partition(":")[0] for one in told(loaded)] == ["P005 a.yaml", "P005 b.yaml"]


def test_the_same_name_twice_is_an_error_that_shows_both_places(project: Project) -> None:
    loaded = project({MAIN: HEAD + "include: [e.yaml]\n" + EMAILS, "configs/e.yaml": "# mine\n" + EMAILS})
    assert told(loaded) == ["P020 e.yaml:3:3"]
    assert f"first in {loaded.file}:4:3" in loaded.findings[0].message


def test_a_file_that_two_others_include_is_read_once(project: Project) -> None:
    both = "include: [policies.yaml]\n"
    loaded = project(
        {
            MAIN: HEAD + "include: [a.yaml, b.yaml, '[ab].yaml']\n",
            "configs/a.yaml": both + EMAILS,
            "configs/b.yaml": both + "queues: {other: {handler: 'm:f', retry: slow}}\n",
            "configs/policies.yaml": "retries: {slow: {attempts: 4}}\n",
        }
    )
    assert names(loaded) == ["emails", "other"]


@pytest.mark.parametrize(
    "way", [["shop.yaml"], ["a.yaml", "shop.yaml"], ["a.yaml", "b.yaml", "a.yaml"], ["*.yaml"]]
)
def test_a_file_that_includes_itself_is_an_error(project: Project, way: list[str]) -> None:
    files = {MAIN: HEAD + f"include: ['{way[0]}']\n" + EMAILS}
    for name, following in pairwise(way):
        files[f"configs/{name}"] = f"include: [{following}]\n"
    loaded = project(files)
    assert [one.code for one in loaded.findings] == ["P021"]
    assert "includes itself" in loaded.findings[0].message


def test_a_key_of_the_main_file_in_an_included_one_tells_where_it_belongs(project: Project) -> None:
    loaded = project(
        {MAIN: HEAD + "include: [e.yaml]\n", "configs/e.yaml": "defaults: {}\nquues: {}\nx-my: 1\n" + EMAILS}
    )
    assert told(loaded) == ["P024 e.yaml:1:1", "P101 e.yaml:2:1"]
    assert loaded.findings[0].help == f"move it to {loaded.file}"
    assert loaded.findings[1].help == "did you mean 'queues'?"


def test_a_pattern_without_a_match_is_a_warning_and_a_missing_path_an_error(project: Project) -> None:
    loaded = project({MAIN: HEAD + "include: [q/*.yaml]\n" + EMAILS})
    assert told(loaded) == ["P023 shop.yaml:2:11"]
    assert loaded.plan is not None
    assert told(project({MAIN: HEAD + "include: [q/a.yaml]\n" + EMAILS})) == ["P001 shop.yaml:2:11"]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("5", "P103 shop.yaml:2:10"),
        ("e.yaml", "P103 shop.yaml:2:10"),
        ("{a: b}", "P103 shop.yaml:2:10"),
        ("[[a]]", "P103 shop.yaml:2:11"),
        ("[7]", "P103 shop.yaml:2:11"),
        ("['${NOPE}']", "P018 shop.yaml:2:11"),
        ("['']", "P001 shop.yaml:2:11"),
        ('["a\\0b"]', "P001 shop.yaml:2:11"),
    ],
)
def test_what_is_no_list_of_files_is_a_finding(project: Project, include: str, expected: str) -> None:
    assert told(project({MAIN: HEAD + f"include: {include}\n" + EMAILS})) == [expected]


def test_a_mistake_in_an_included_file_shows_its_line(project: Project) -> None:
    loaded = project(
        {MAIN: HEAD + "include: [e.yaml]\n", "configs/e.yaml": "# é\r\nqueues:\r\n  e: {handlr: 'm:f'}\r\n"}
    )
    (found,) = loaded.findings
    shown = render([found]).splitlines()
    assert shown[0].endswith("configs/e.yaml:3:7: error[P101]: unknown key 'handlr'")
    assert shown[1:3] == [" 3 |   e: {handlr: 'm:f'}", "   |       ^^^^^^"]


def test_every_value_tells_its_file(project: Project) -> None:
    loaded = project(
        {MAIN: HEAD + "include: [e.yaml]\ndefaults: {timeout: 20s}\n", "configs/e.yaml": "x-y: 1\n" + EMAILS}
    )
    lines = {
        line.split("  # ")[0].strip(): line.split("  # ")[-1]
        for line in effective(loaded, origin=True).splitlines()
    }
    assert lines["handler: m:f"] == f"{Path(loaded.file).parent}/e.yaml:3"
    assert lines["timeout: 20s"] == f"{loaded.file}:3"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({f"configs/q/{n}.yaml": "x-a: 1\n" for n in range(1_001)}, "more than 1,000 files are included"),
        ({f"configs/q/{n}.yaml": b"#" * 4_000_000 for n in range(6)}, "larger than 16 MiB together"),
        (
            {f"configs/q/{n}.yaml": f"include: [{n + 1}.yaml]\n" for n in range(20)},
            "more than 16 files include each other",
        ),
        (
            {f"configs/q/{n}.yaml": f"x: [{'a,' * 900}]\n" for n in range(120)},
            "the file holds too many values",
        ),
    ],
)
def test_what_is_included_has_bounds(project: Project, files: dict[str, str], message: str) -> None:
    pattern = "q/0.yaml" if len(files) == 20 else "q/*.yaml"
    found = project({MAIN: HEAD + f"include: ['{pattern}']\n" + EMAILS, **files}).findings
    assert any(message in one.message for one in found)
    assert sum(one.code == "P022" for one in found) <= 1
