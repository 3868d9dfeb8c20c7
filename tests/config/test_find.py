"""Which project a command means: six ways, in this order."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.find import find_file, find_profile, root_of
from pipeline.errors import ConfigError


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("name: s\n")


def announce(root: Path, pid: int, **more: str) -> Path:
    """A state folder in which a supervisor with this pid says that it runs."""
    state = root / ".pipeline"
    state.mkdir(mode=0o700, exist_ok=True)
    record = {"file": "/srv/configs/prod.yaml", "pid": pid, **more}
    (state / "supervisor.json").write_text(json.dumps(record))
    return state / "supervisor.json"


def test_the_ways_have_an_order(tmp_path: Path) -> None:
    make(tmp_path, "pipeline.yaml")
    assert find_file(None, {}, tmp_path) == tmp_path / "pipeline.yaml"
    make(tmp_path, "configs/dev.yaml")
    assert find_file(None, {}, tmp_path) == tmp_path / "configs" / "dev.yaml"
    announce(tmp_path, os.getpid())
    assert find_file(None, {}, tmp_path) == Path("/srv/configs/prod.yaml")
    assert find_file(None, {"PIPELINE_CONFIG": "env.yaml"}, tmp_path) == Path("env.yaml")
    assert find_file("given.yaml", {"PIPELINE_CONFIG": "env.yaml"}, tmp_path) == Path("given.yaml")


def test_a_supervisor_that_is_gone_does_not_count(tmp_path: Path) -> None:
    make(tmp_path, "configs/dev.yaml")
    gone = subprocess.Popen(["true"])
    gone.wait()
    record = announce(tmp_path, gone.pid)
    assert find_file(None, {}, tmp_path).name == "dev.yaml"
    record.write_text("name: s\n")
    assert find_file(None, {}, tmp_path).name == "dev.yaml"


def opened(state: Path) -> None:
    state.chmod(0o755)


def writable(state: Path) -> None:
    state.chmod(0o770)


def linked(state: Path) -> None:
    state.symlink_to(state.rename(state.with_name("elsewhere")))


def given_away(state: Path) -> None:
    os.chown(state, 12345, 12345)


ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")


@pytest.mark.security("S27")
@pytest.mark.parametrize("plant", [opened, writable, linked, pytest.param(given_away, marks=ROOT_ONLY)])
def test_what_others_say_runs_here_chooses_neither_file_nor_profile(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    make(tmp_path, "pipeline.yaml")
    record = {"file": str(tmp_path / "pipeline.yaml"), "profile": "theirs"}
    announce(tmp_path, os.getpid(), **record)
    assert find_profile(None, {}, tmp_path / "pipeline.yaml") == "theirs"
    plant(tmp_path / ".pipeline")
    assert find_profile(None, {}, tmp_path / "pipeline.yaml") is None
    announce(tmp_path, os.getpid())
    assert find_file(None, {}, tmp_path) == tmp_path / "pipeline.yaml"


def test_several_files_must_be_told_apart(tmp_path: Path) -> None:
    make(tmp_path, "configs/dev.yaml", "configs/prod.yml", "configs/notes.txt")
    with pytest.raises(ConfigError, match=r"several files: dev.yaml, prod.yml"):
        find_file(None, {}, tmp_path)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_file(None, {}, tmp_path)
    assert "pipeline init" in caught.value.help


def test_the_root_is_above_configs_and_else_the_files_folder(tmp_path: Path) -> None:
    assert root_of(tmp_path / "configs" / "a.yaml") == tmp_path
    assert root_of(tmp_path / "conf" / "a.yaml") == tmp_path / "conf"
    assert root_of(tmp_path / "x" / ".." / "configs" / "a.yaml") == tmp_path
