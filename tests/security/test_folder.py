"""What others put into the way of the state folder, its sockets and its locks is refused, and not followed."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.control import control_folder, control_socket, speakers
from pipeline.errors import StartError
from pipeline.state import short_folder, socket_path, state_folder
from pipeline.supervisor.locks import FileLock

STRANGER = 12_345
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def root() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pq-"))
    (folder / "victim").mkdir(mode=0o700)
    (folder / "victim" / "file").write_text("theirs")
    yield folder
    shutil.rmtree(folder)


def untouched(root: Path) -> bool:
    return [path.name for path in (root / "victim").iterdir()] == ["file"] and (
        root / "victim" / "file"
    ).read_text() == "theirs"


def link(path: Path, root: Path) -> None:
    path.symlink_to(root / "victim")


def dangling(path: Path, root: Path) -> None:
    path.symlink_to(root / "victim" / "new")


def file(path: Path, root: Path) -> None:
    path.write_text("in the way")


def fifo(path: Path, root: Path) -> None:
    os.mkfifo(path, 0o600)


def listening(path: Path, root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def shared(path: Path, root: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def readable(path: Path, root: Path) -> None:
    path.mkdir()
    path.chmod(0o750)


def sticky(path: Path, root: Path) -> None:
    path.mkdir()
    path.chmod(0o1777)


def foreign(path: Path, root: Path) -> None:
    path.mkdir(mode=0o700)
    os.chown(path, STRANGER, STRANGER)


Plant = Callable[[Path, Path], None]
PLANTS = [
    link,
    dangling,
    file,
    fifo,
    listening,
    shared,
    readable,
    sticky,
    pytest.param(foreign, marks=ROOT_ONLY),
]


@pytest.mark.security("S27")
@pytest.mark.parametrize("plant", PLANTS)
def test_what_stands_where_the_state_folder_belongs_is_refused(root: Path, plant: Plant) -> None:
    plant(root / ".pipeline", root)
    with pytest.raises(StartError):
        state_folder(root)
    assert untouched(root)


@pytest.mark.security("S27")
@pytest.mark.parametrize("plant", PLANTS)
def test_what_stands_where_the_sockets_of_commands_belong_is_refused_by_both_sides(
    root: Path, plant: Plant
) -> None:
    plant(control_folder(state_folder(root)), root)
    with pytest.raises(StartError):
        control_socket(root / ".pipeline")
    if control_folder(root / ".pipeline").is_dir():
        with pytest.raises(StartError):
            list(speakers(root))
    assert untouched(root)


@pytest.mark.security("S27")
@pytest.mark.parametrize("plant", PLANTS)
def test_what_stands_where_the_sockets_of_a_long_path_belong_is_refused(
    root: Path, plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That folder is in one that all users share."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(root))
    deep = root / ("d" * 120)
    deep.mkdir()
    state = state_folder(deep)
    plant(short_folder(state, "-control"), root)
    with pytest.raises(StartError):
        control_socket(state)
    assert socket_path(state).parent.parent == root
    assert untouched(root)


@pytest.mark.security("S27")
@pytest.mark.parametrize("plant", [link, dangling, shared])
def test_a_lock_is_never_made_through_a_link(root: Path, plant: Plant) -> None:
    plant(state_folder(root) / "a.lock", root)
    with pytest.raises(StartError):
        FileLock(root / ".pipeline" / "a.lock")
    assert untouched(root)
