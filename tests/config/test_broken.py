"""Every broken file has exactly the findings that its first line lists, at exactly those places."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.codes import CODES
from pipeline.config.findings import render
from pipeline.config.load import load

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_broken_file_has_exactly_these_findings(file: Path) -> None:
    expected = file.read_text("utf-8").splitlines()[0].removeprefix("# ").split(", ")
    found = load(file, env={}).findings
    assert [f"{finding.code} {finding.line}:{finding.column}" for finding in found] == expected


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_a_plan_is_there_exactly_when_no_finding_is_an_error(file: Path) -> None:
    loaded = load(file, env={})
    errors = [finding for finding in loaded.findings if finding.severity == "error"]
    assert (loaded.plan is None) == (loaded.config is None) == bool(errors)


def test_findings_are_in_our_words_and_tell_no_password() -> None:
    text = "\n".join(render(load(file, env={}).findings) for file in BROKEN)
    for jargon in (
        "Input should",
        "valid dictionary",
        "pydantic",
        "Extra inputs",
        "Field required",
        "hunter2",
    ):
        assert jargon not in text


def test_every_code_of_the_files_is_explained_and_shown_by_a_file() -> None:
    shown = {finding.code for file in BROKEN for finding in load(file, env={}).findings}
    files = {"P001", "P002", "P003", "P004", "P026", "P020", "P021", "P022", "P024", "P025", "P336", "P376"}
    elsewhere = {code for code in CODES if code.startswith("P5")} | files | {"P205", "P207"}
    assert shown | elsewhere == set(CODES)
    assert not shown & elsewhere
