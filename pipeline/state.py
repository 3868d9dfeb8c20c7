"""The state folder `<root>/.pipeline`: ours alone, and what runs from it.

Whoever can write here could make us talk to another server, so a folder that is a symlink, belongs to someone
else or is open to others is refused rather than mended.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import socket
import stat
import tempfile
from pathlib import Path
from urllib.parse import quote

import msgspec
from msgspec import Struct

from pipeline.clock import now_ms
from pipeline.errors import StartError
from pipeline.plan import Plan

REFUSED = 1
LONGEST_SOCKET = 100


class Supervising(Struct, frozen=True):
    """What `supervisor.json` says while a supervisor runs. `started_at` is ms since 1970."""

    file: str
    pid: int
    queues: list[str]
    started_at: int
    profile: str | None = None


def state_folder(root: str | Path) -> Path:
    """The state folder of a project, made when it is missing. Raises StartError when it is not safe to use."""
    return private_folder(Path(root) / ".pipeline")


def private_folder(folder: Path) -> Path:
    """`folder` as one that only we can enter. Raises StartError when somebody else has a hand in it."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StartError(f"{folder} cannot be made: {error.strerror}", REFUSED) from error
    return check_private(folder)


def check_private(folder: Path) -> Path:
    """`folder`, which exists. Raises StartError unless it is a folder that only we can enter."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise StartError(f"{folder} is not a folder of its own", REFUSED, "remove it, and start again")
    if found.st_uid != os.geteuid():
        raise StartError(f"{folder} belongs to another user", REFUSED, "run as its owner, or remove it")
    if found.st_mode & 0o077:
        raise StartError(
            f"{folder} is open to other users", REFUSED, f"chmod 700 {folder}, if its content is yours"
        )
    return folder


def socket_path(state: Path) -> Path:
    """Where the embedded broker listens. A socket's path has a limit of about 100 bytes, a project's has none."""
    path = state / "broker.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET:
        return path
    return short_folder(state) / "broker.sock"


def short_folder(state: Path, suffix: str = "") -> Path:
    """A folder for the sockets of a project whose own path is too long for them."""
    short = hashlib.sha256(os.fsencode(state)).hexdigest()[:16]
    base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(base) / f"pipeline-{os.geteuid()}-{short}{suffix}"


def broker_url(plan: Plan) -> str:
    """The address of the plan's broker; the embedded one listens in the state folder."""
    if plan.broker.url != "embedded":
        return plan.broker.url
    return f"unix://{quote(str(socket_path(Path(plan.root) / '.pipeline')))}"


def open_private(path: Path) -> int:
    """A descriptor of the file `path`, 0600, made when missing; never through a symlink. Raises StartError."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartError(f"{path} cannot be opened: {error.strerror}", REFUSED) from error


def announce(state: Path, plan: Plan, queues: list[str]) -> Supervising:
    """Write `supervisor.json`, by which other commands find the file that runs."""
    record = Supervising(plan.file, os.getpid(), queues, now_ms(), plan.profile)
    draft = state / f"supervisor.json.{os.getpid()}"
    fd = open_private(draft)
    with os.fdopen(fd, "wb") as target:
        target.truncate()
        target.write(msgspec.json.encode(record))
    draft.replace(state / "supervisor.json")
    return record


def withdraw(state: Path, record: Supervising) -> None:
    """Remove `supervisor.json`, unless another supervisor has written it since."""
    path = state / "supervisor.json"
    with contextlib.suppress(OSError, msgspec.DecodeError):
        if msgspec.json.decode(path.read_bytes(), type=Supervising) == record:
            path.unlink()


def me() -> str:
    """Who does something by hand, for the records: `alice@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a uid without a name, as in containers
        user = "someone"
    return f"{user}@{socket.gethostname()}"
