"""What the web process keeps in the state folder: the key of its sessions, and the hash of the first token."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from pipeline.state import open_private, state_folder

KEY_BYTES = 32
PREFIX = "sha256:"


def session_key(root: str) -> bytes:
    """The key that sessions are signed with, made when there is none. Raises StartError."""
    path = state_folder(root) / "web.key"
    _make(path, secrets.token_bytes(KEY_BYTES))
    return _read(path)


def first_token(root: str) -> str | None:
    """A token for whoever set this up, if there is none yet: only its hash is kept. Raises StartError."""
    path, token = _token_file(root), secrets.token_urlsafe(24)
    return token if _make(path, _hash(token)) else None


def new_token(root: str) -> str:
    """A token in the place of the one before, which counts no more. Raises StartError."""
    path, token = _token_file(root), secrets.token_urlsafe(24)
    path.unlink(missing_ok=True)
    _make(path, _hash(token))
    return token


def token_hash(root: str) -> bytes | None:
    """The hash of the token that counts, or None."""
    try:
        text = _read(_token_file(root)).decode()
        return bytes.fromhex(text.removeprefix(PREFIX))
    except (OSError, ValueError):
        return None


def _token_file(root: str) -> Path:
    return state_folder(root) / "web.token"


def _hash(token: str) -> bytes:
    return (PREFIX + hashlib.sha256(token.encode()).hexdigest()).encode()


def _make(path: Path, content: bytes) -> bool:
    """Write a file that only we can read, whole or not at all. Whether it was not there before."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    fd = open_private(draft)
    with os.fdopen(fd, "wb") as target:
        target.truncate()
        target.write(content)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    return True


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as source:
        return source.read(1_024)
