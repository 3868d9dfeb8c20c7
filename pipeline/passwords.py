"""Hashes of passwords: `scrypt:LOG2N:R:P:SALT:HASH`, base64 without padding."""

from __future__ import annotations

import hashlib
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hmac import compare_digest

LOG2_N, R, P = 15, 8, 1
SALT_BYTES, HASH_BYTES = 16, 32
MOST_MEMORY = 128 * 2**20
LONGEST = 1_024
_FORM = re.compile(
    r"scrypt:([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2}):([A-Za-z0-9_-]{22,88}):([A-Za-z0-9_-]{43,88})"
)


def hashed(password: str, log2_n: int = LOG2_N) -> str:
    """A hash for the file; each call gives another one. It takes about 0.1 s and 32 MiB, and twice that for each step of
    `log2_n`."""
    salt = secrets.token_bytes(SALT_BYTES)
    raw = _scrypt(password, salt, log2_n, R, P, HASH_BYTES)
    return f"scrypt:{log2_n}:{R}:{P}:{_encode(salt)}:{_encode(raw)}"


def is_hash(text: str) -> bool:
    """Whether `matches` can use it: of our form, and neither too weak nor too costly."""
    found = _FORM.fullmatch(text)
    if found is None:
        return False
    log2_n, r, p = map(int, found.groups()[:3])
    return 14 <= log2_n <= 20 and r >= 8 and p >= 1 and 128 * r * (2**log2_n + p) <= MOST_MEMORY


def matches(password: str, text: str) -> bool:
    """Whether `text` is a hash of this password."""
    found = _FORM.fullmatch(text)
    if found is None or len(password) > LONGEST:
        return False
    log2_n, r, p = map(int, found.groups()[:3])
    salt, raw = _decode(found[4]), _decode(found[5])
    return compare_digest(_scrypt(password, salt, log2_n, r, p, len(raw)), raw)


def _scrypt(password: str, salt: bytes, log2_n: int, r: int, p: int, size: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=2**log2_n, r=r, p=p, maxmem=2 * MOST_MEMORY, dklen=size
    )


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
