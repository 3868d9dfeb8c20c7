"""Tokens: those of the file, each a secret, or the one that was printed at the first start."""

from __future__ import annotations

import hashlib
import logging
import os
from hmac import compare_digest
from pathlib import Path

from pipeline.clock import monotonic_ms
from pipeline.plan import HttpPlan, Role, TokenPlan
from pipeline.web.keyring import token_hash

READ_MS = 1_000
SHORTEST = 16
LONGEST = 1_024
FIRST = "token"
"""The name of whoever shows the printed token."""
log = logging.getLogger(__name__)


def needs_first(http: HttpPlan) -> bool:
    """Whether nobody could sign in without a token of our own."""
    signs_in = http.users or http.tokens or (http.proxy and http.proxy.header)
    return http.auth == "required" and not signs_in


class Tokens:
    """Knows tokens by their hashes. They are read anew once a second, so that another one counts at once."""

    def __init__(self, http: HttpPlan, root: str) -> None:
        self._http = http
        self._root = root
        self._read_at: int | None = None
        self._hashes: dict[str, bytes] = {}
        self._told: set[str] = set()

    def owner(self, token: str) -> tuple[str, Role] | None:
        """Who shows this token: a name and a role. Every hash is compared, in the same time."""
        shown = _hash(token)
        found = [name for name, known in self._known().items() if compare_digest(known, shown)]
        if len(token) > LONGEST or not found:
            return None
        return (found[0], self.role(found[0]))

    def hash_of(self, name: str) -> bytes | None:
        """The hash of a token that counts."""
        return self._known().get(name)

    def role(self, name: str) -> Role:
        """What the owner of a token may."""
        known = self._http.tokens.get(name)
        return known.role if known is not None else "admin"

    def _known(self) -> dict[str, bytes]:
        if self._read_at is None or monotonic_ms() - self._read_at > READ_MS:
            self._read_at = monotonic_ms()
            values = {name: self._value(name, token) for name, token in self._http.tokens.items()}
            self._hashes = {name: _hash(value) for name, value in values.items() if value}
            if needs_first(self._http) and (first := token_hash(self._root)) is not None:
                self._hashes[FIRST] = first
        return self._hashes

    def _value(self, name: str, token: TokenPlan) -> str:
        """The secret, or nothing: a token that is short or not there lets nobody in."""
        value = read_secret(self._root, token.file, token.env)
        if len(value) >= SHORTEST:
            self._told.discard(name)
            return value
        if name not in self._told:
            self._told.add(name)
            log.warning(
                "the token %s lets nobody in: its secret is not set, or has under 16 characters", name
            )
        return ""


def read_secret(root: str, file: str | None, env: str | None) -> str:
    """What a declared secret holds now; nothing when it is not set."""
    if env is not None:
        return os.environ.get(env, "")
    try:
        with Path(root, file or "").open("rb") as source:
            return source.read(64 * 1024).decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        return ""


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
