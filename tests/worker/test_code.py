"""The version of the code names the project's sources that were loaded, and nothing else."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from pipeline.worker.code import code_version


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A project whose module `shop.hands` is loaded."""
    load(monkeypatch, tmp_path / "shop" / "hands.py", "first")
    return tmp_path


def load(monkeypatch: pytest.MonkeyPatch, path: Path, source: str) -> None:
    """As if a module had been imported from `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    module = ModuleType(str(path))
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, str(path), module)


def test_equal_sources_have_equal_versions(loaded: Path) -> None:
    version = code_version(str(loaded))
    assert version == code_version(f"{loaded}/")
    assert len(version) == 8
    assert int(version, 16) >= 0


def test_another_source_is_another_version(loaded: Path) -> None:
    before = code_version(str(loaded))
    (loaded / "shop" / "hands.py").write_text("second")
    assert code_version(str(loaded)) != before


def test_one_more_module_is_another_version(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_version(str(loaded))
    load(monkeypatch, loaded / "shop" / "more.py", "")
    assert code_version(str(loaded)) != before


@pytest.mark.parametrize(
    "path", ["../other/hands.py", "env/lib/site-packages/lib.py", "vendor/lib/python3/dist-packages/lib.py"]
)
def test_what_is_installed_or_lies_elsewhere_does_not_count(
    loaded: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    before = code_version(str(loaded))
    load(monkeypatch, (loaded / path).resolve(), "lib")
    assert code_version(str(loaded)) == before


def test_an_interpreter_within_the_project_does_not_count(
    loaded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_version(str(loaded))
    monkeypatch.setattr(sys, "prefix", str(loaded / "env"))
    load(monkeypatch, loaded / "env" / "lib" / "json.py", "")
    assert code_version(str(loaded)) == before


def test_an_interpreter_above_the_project_hides_nothing(
    loaded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = code_version(str(loaded))
    monkeypatch.setattr(sys, "prefix", str(loaded.parent))
    assert code_version(str(loaded)) == before


def test_a_source_that_is_gone_does_not_count(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_version(str(loaded))
    load(monkeypatch, loaded / "gone.py", "")
    (loaded / "gone.py").unlink()
    assert code_version(str(loaded)) == before


def test_it_costs_a_start_nothing_that_could_be_felt(loaded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(100):
        load(monkeypatch, loaded / f"module_{number}.py", "x = 1\n" * 2_000)
    best = min(timed(loaded) for _ in range(5))
    assert best < 0.1


def timed(root: Path) -> float:
    begun = time.perf_counter()
    code_version(str(root))
    return time.perf_counter() - begun
