"""The report of the same faults on other queues."""

from __future__ import annotations

import json

import pytest

from faults.peers import report
from faults.peers.subject import EVERY

VALUES = dict.fromkeys([key for columns in report.COLUMNS.values() for _, key in columns], 0)


@pytest.fixture
def render(tmp_path):
    def render(*lines: dict[str, object]) -> str:
        path = tmp_path / "results"
        whole = [
            {
                "peer": "RQ",
                "version": "9.9",
                "fault": "F1",
                "run": 1,
                "load1": 1.0,
                "server": "Redis 1",
                **VALUES,
                **line,
            }
            for line in lines
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in whole))
        return report.render(path)

    return render


def row_of(text: str, peer: str) -> list[str]:
    [row] = [line for line in text.splitlines() if line.startswith(f"| {peer} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_a_cell_is_the_median_with_the_least_and_the_most(render):
    text = render({"lost": 3}, {"lost": 9, "run": 2}, {"lost": 4, "run": 3})
    assert row_of(text, "RQ")[4] == "4 (3-9)"


def test_values_that_agree_are_told_once(render):
    assert row_of(render({"ok": 120}, {"ok": 120, "run": 2}), "RQ")[3] == "120"


def test_what_did_not_happen_in_some_runs_is_said(render):
    text = render({"rerun": 2.5}, {"rerun": None, "run": 2})
    assert "2.5; - in 1 of 2" in row_of(text, "RQ")


def test_a_round_that_was_repeated_counts_once_the_newest(render):
    assert row_of(render({"lost": 5}, {"lost": 0}), "RQ")[4] == "0"


def test_every_fault_has_a_title_and_says_how_it_was_done():
    assert set(EVERY) == set(report.COLUMNS) == set(report.TITLES) == set(report.TEXTS)
