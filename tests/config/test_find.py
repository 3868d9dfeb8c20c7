"""Which project a command means: six ways, in this order."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pipeline.config.find import find_file, root_of
from pipeline.errors import ConfigError


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("name: s\n")


def test_the_ways_have_an_order(tmp_path: Path) -> None:
    make(tmp_path, "pipeline.yaml")
    assert find_file(None, {}, tmp_path) == tmp_path / "pipeline.yaml"
    make(tmp_path, "configs/dev.yaml")
    assert find_file(None, {}, tmp_path) == tmp_path / "configs" / "dev.yaml"
    (tmp_path / ".pipeline").mkdir()
    record = {"file": "/srv/configs/prod.yaml", "pid": os.getpid()}
    (tmp_path / ".pipeline" / "supervisor.json").write_text(json.dumps(record))
    assert find_file(None, {}, tmp_path) == Path("/srv/configs/prod.yaml")
    assert find_file(None, {"PIPELINE_CONFIG": "env.yaml"}, tmp_path) == Path("env.yaml")
    assert find_file("given.yaml", {"PIPELINE_CONFIG": "env.yaml"}, tmp_path) == Path("given.yaml")


def test_a_supervisor_that_is_gone_does_not_count(tmp_path: Path) -> None:
    make(tmp_path, "configs/dev.yaml", ".pipeline/supervisor.json")
    assert find_file(None, {}, tmp_path).name == "dev.yaml"
    gone = subprocess.Popen(["true"])
    gone.wait()
    record = {"file": "/srv/configs/prod.yaml", "pid": gone.pid}
    (tmp_path / ".pipeline" / "supervisor.json").write_text(json.dumps(record))
    assert find_file(None, {}, tmp_path).name == "dev.yaml"


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
