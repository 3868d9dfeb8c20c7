"""One thing that was looked at, and what a person should know of it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Verdict = Literal["ok", "WEAK", "UNVERIFIED", "FAILED"]


class Check(Struct, frozen=True):
    """`found` is what is there, `meaning` what follows, `help` what to do; the latter two are empty when it is ok.

    WEAK works, and can lose jobs or stand still. FAILED does not work. UNVERIFIED could not be looked at.
    """

    name: str
    verdict: Verdict
    found: str
    meaning: str = ""
    help: str = ""

    @property
    def sentence(self) -> str:
        """What is there, and what follows."""
        return f"{self.found}: {self.meaning}" if self.meaning else self.found


def ok(name: str, found: str) -> Check:
    return Check(name, "ok", found)


def weak(name: str, found: str, meaning: str, help: str) -> Check:
    return Check(name, "WEAK", found, meaning, help)


def failed(name: str, found: str, meaning: str, help: str) -> Check:
    return Check(name, "FAILED", found, meaning, help)


def unverified(name: str, found: str, help: str = "allow this user CONFIG GET and INFO") -> Check:
    return Check(name, "UNVERIFIED", found, "", help)


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"
