"""What users install: the wheel, in an environment of its own, with the newest and the oldest dependencies."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.world

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONFIG = "version: 1\nname: trial\nqueues: {greetings: {handler: 'hello:greet'}}\n"
HANDLER = "async def greet(job):\n    return {'hello': job.data['name']}\n"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    [path] = folder.glob("*.whl")
    return path


def test_the_wheel_has_every_file_of_the_package(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    files = [
        path for path in (ROOT / "pipeline").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert {path.relative_to(ROOT).as_posix() for path in files} - packed == set()


@pytest.mark.parametrize("versions", ["newest", "oldest"])
@pytest.mark.timeout(600)
def test_an_installed_wheel_runs_a_job(wheel: Path, tmp_path: Path, versions: str) -> None:
    bounds = [line.partition(";")[0] for line in PROJECT["dependencies"]]
    pins = [re.sub(r">=([\d.]+).*", r"==\1", bound) for bound in bounds] if versions == "oldest" else []
    (tmp_path / "constraints.txt").write_text("\n".join(pins))
    run(sys.executable, "-m", "venv", "env", cwd=tmp_path)
    command = tmp_path / "env" / "bin"
    run(command / "pip", "install", "--quiet", "-c", "constraints.txt", wheel, cwd=tmp_path)

    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    (tmp_path / "hello.py").write_text(HANDLER)
    run(command / "pipeline", "validate", "--strict", cwd=tmp_path)
    run(command / "pipeline", "enqueue", "greetings", "any", '{"name": "world"}', cwd=tmp_path)
    run(command / "pipeline", "run", "--until-empty", "--plain", cwd=tmp_path)
    shown = run(command / "pipeline", "jobs", "show", "greetings", "1", "--json", cwd=tmp_path)
    assert '"hello":"world"' in shown.replace(" ", "")

    run(command / "pipeline", "init", "fresh", cwd=tmp_path)
    run(command / "pipeline", "validate", "--strict", cwd=tmp_path / "fresh")
