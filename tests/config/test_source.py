"""What is no text, or not ours, ends in one finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.load import load, require
from pipeline.errors import ConfigError

GOOD = b"name: shop\nqueues: {a: {handler: 'm:f'}}\n"


@pytest.mark.security("S3")
@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"name: shop\nkey: caf\xe9\n", "P003 2:9"),
        (b"name: s\x00hop\n", "P004 1:8"),
        (b"\x7fELF\x02\x01\x01\x00", "P004 1:1"),
        (b"#" * (4 * 1024 * 1024 + 1), "P002 1:1"),
        (b"\xef\xbb\xbf" + GOOD + b"x: 1\n", "P101 3:1"),
        (GOOD.replace(b"\n", b"\r\n") + b"x: 1\r\n", "P101 3:1"),
        (b"name: shop\nqueues: [" + b"[" * 100_000, "P013 2:72"),
        (b"l: [" + b"a," * 300_000 + b"]", "P013 1:199995"),
    ],
)
def test_junk_ends_in_one_finding_at_its_place(tmp_path: Path, raw: bytes, expected: str) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_bytes(raw)
    assert [f"{f.code} {f.line}:{f.column}" for f in load(file, env={}).findings] == [expected]


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_and_any_line_ending_are_fine(tmp_path: Path, mark: bytes, ending: bytes) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_bytes(mark + GOOD.strip().replace(b"\n", ending or b"\n") + ending)
    assert load(file, env={}).findings == ()


def test_a_file_that_is_not_there_and_a_folder_are_findings(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        assert [finding.code for finding in load(path, env={}).findings] == ["P001"]


def test_require_raises_every_finding_at_once(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_text("name: Shop\nqueues: {a: {handlr: 'm:f'}}\n")
    with pytest.raises(ConfigError) as caught:
        require(file, env={})
    assert [getattr(finding, "code", None) for finding in caught.value.findings] == ["P108", "P305", "P101"][
        ::2
    ]


def test_a_profile_is_an_error_while_files_have_none(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_bytes(GOOD)
    assert [finding.code for finding in load(file, profile="dev", env={}).findings] == ["P205"]


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_bytes(b"\xef\xbb\xbfnam: shop\n" + GOOD)
    (found,) = load(file, env={}).findings
    assert (found.line, found.column, found.source) == (1, 1, "nam: shop")


OPEN = [
    *((mode, 0o755) for mode in (0o666, 0o646, 0o602, 0o777, 0o662, 0o606)),
    *((0o644, folder) for folder in (0o777, 0o757, 0o773, 0o703)),
]


@pytest.mark.security("S31")
@pytest.mark.parametrize(("mode", "folder"), OPEN, ids=lambda mode: f"{mode:o}")
def test_a_file_that_everybody_can_write_or_replace_is_warned_of(
    tmp_path: Path, mode: int, folder: int
) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_bytes(GOOD)
    file.chmod(mode)
    tmp_path.chmod(folder)
    assert [f"{f.severity} {f.code}" for f in load(file, env={}).findings] == ["warning P026"]


@pytest.mark.security("S31")
@pytest.mark.parametrize("way", ["included", "linked"])
def test_neither_an_include_nor_a_link_hides_that(tmp_path: Path, way: str) -> None:
    file, other = tmp_path / "pipeline.yaml", tmp_path / "other.yaml"
    if way == "linked":
        file.symlink_to(other)
        other.write_bytes(GOOD)
    else:
        file.write_bytes(GOOD + b"include: [other.yaml]\n")
        other.write_bytes(b"queues: {b: {handler: 'm:f'}}\n")
    other.chmod(0o666)
    assert [f.code for f in load(file, env={}).findings] == ["P026"]


@pytest.mark.parametrize(
    ("mode", "folder"), [(0o600, 0o700), (0o664, 0o775), (0o444, 0o555), (0o644, 0o1777)]
)
def test_a_file_that_is_ours_or_our_groups_is_fine(tmp_path: Path, mode: int, folder: int) -> None:
    file = tmp_path / "pipeline.yaml"
    file.write_bytes(GOOD)
    file.chmod(mode)
    tmp_path.chmod(folder)
    assert load(file, env={}).findings == ()
    tmp_path.chmod(0o700)
