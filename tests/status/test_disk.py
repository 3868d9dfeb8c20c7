"""Whoever looks at a project for long sees what becomes of its file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.load import require
from pipeline.errors import ConfigError
from pipeline.status.disk import Disk, first_mistake, nearby

GOOD = (
    "version: 1\nname: shop\ninclude: [more/*.yaml]\nqueues:\n  emails: {handler: 'h:send', processes: 1}\n"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(GOOD)
    return path


def edited(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def test_an_edit_is_seen_with_the_next_look(file: Path) -> None:
    disk = Disk(require(file))
    before = disk.plan.hash
    disk.look()
    assert (disk.plan.hash, disk.error) == (before, None)
    edited(file, "processes: 1", "processes: 2")
    disk.look()
    assert disk.plan.pools["emails"].processes == 2


def test_while_the_file_has_mistakes_the_last_good_plan_stays_and_the_first_is_told(file: Path) -> None:
    disk = Disk(require(file))
    edited(file, "processes", "proceses")
    disk.look()
    assert disk.plan.pools["emails"].processes == 1
    assert str(disk.error).endswith("shop.yaml:5:31: error[P101]: unknown key 'proceses'")
    edited(file, "proceses", "processes")
    disk.look()
    assert disk.error is None


def test_a_file_that_comes_to_match_a_pattern_is_seen(file: Path) -> None:
    disk = Disk(require(file))
    disk.look()
    more = file.parent / "more"
    more.mkdir()
    (more / "sms.yaml").write_text("queues:\n  sms: {handler: 'h:send'}\n")
    disk.look()
    assert list(disk.plan.queues) == ["emails", "sms"]


def test_a_file_that_comes_to_be_included_is_looked_at_from_then_on(file: Path) -> None:
    disk = Disk(require(file))
    disk.look()
    other = file.with_name("other.yaml")
    other.write_text("queues:\n  sms: {handler: 'h:send'}\n")
    edited(file, "more/*.yaml", "other.yaml")
    disk.look()
    edited(other, "sms", "calls")
    disk.look()
    assert list(disk.plan.queues) == ["emails", "calls"]


def test_a_file_that_goes_away_is_a_mistake_and_is_seen_when_it_comes_back(file: Path) -> None:
    disk = Disk(require(file))
    file.unlink()
    disk.look()
    assert "cannot read" in str(disk.error)
    file.write_text(GOOD.replace("processes: 1", "processes: 3"))
    disk.look()
    assert (disk.error, disk.plan.pools["emails"].processes) == (None, 3)


def test_an_unchanged_file_is_not_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(require(file))
    disk.look()
    disk.look()
    monkeypatch.setattr("pipeline.config.load.load", _never)
    disk.look()


def _never(*_: object, **__: object) -> Callable[[], None]:
    raise AssertionError("read again")


def test_a_refusal_without_findings_is_told_by_its_message() -> None:
    assert first_mistake(ConfigError("no config file is here")) == "no config file is here"


def test_a_file_below_this_folder_is_named_from_here(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert nearby(str(file)) == Path("shop.yaml")
    assert nearby("/elsewhere/shop.yaml") == Path("/elsewhere/shop.yaml")
