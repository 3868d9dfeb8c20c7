"""The files in the package are what the sources in web/ make, byte for byte; and their parts do as they say."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.world
ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
STATIC = ROOT / "pipeline" / "web" / "static"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources in a folder of their own, with exactly the packages that the lock names."""
    if shutil.which("npm") is None:
        pytest.skip("no npm here: `sh scripts/world-setup` gets it")
    target = tmp_path_factory.mktemp("built") / "web"
    shutil.copytree(WEB, target, ignore=shutil.ignore_patterns("node_modules"))
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=target, check=True, timeout=300)
    return target


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_build_gives_the_files_that_are_committed(copy: Path, tmp_path: Path) -> None:
    subprocess.run(["sh", "build", str(tmp_path / "static")], cwd=copy, check=True, timeout=300)
    assert contents(tmp_path / "static") == contents(STATIC), "run web/build, and commit what it writes"


def test_the_parts_do_as_they_say(copy: Path) -> None:
    done = subprocess.run(["npm", "test"], cwd=copy, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout


def test_nothing_takes_markup_and_nothing_is_asked_from_elsewhere() -> None:
    sources = "".join(path.read_text() for path in WEB.glob("src/**/*.js"))
    for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert word not in sources
    page = (STATIC / "index.html").read_text()
    assert "style=" not in page
    assert "://" not in page
    assert "<script>" not in page
