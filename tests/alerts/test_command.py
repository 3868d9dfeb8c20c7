"""An alert to a command."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from pipeline.alerts.command import run
from pipeline.errors import NotSent


def test_it_gets_the_alert_on_its_standard_input_in_the_projects_folder(tmp_path: Path) -> None:
    started: list[int] = []
    run(["sh", "-c", "cat > got"], b'{"text":"it burns"}', str(tmp_path), started.append)
    assert json.loads((tmp_path / "got").read_text()) == {"text": "it burns"}
    assert len(started) == 1


@pytest.mark.security("S6", inputs=3)
def test_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    write = "import sys; open('got', 'w').write(' '.join(sys.argv[1:]))"
    run([sys.executable, "-c", write, "; touch x", "$(touch y)", "*"], b"", str(tmp_path))
    assert (tmp_path / "got").read_text() == "; touch x $(touch y) *"
    assert not (tmp_path / "x").exists()


def test_its_failure_is_told_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="sh ended with 3"):
        run(["sh", "-c", "echo secret >&2; exit 3"], b"", str(tmp_path))
    with pytest.raises(NotSent, match="nowhere/page cannot be started: no such file or directory"):
        run(["nowhere/page"], b"", str(tmp_path))


def test_one_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(NotSent, match=r"sh did not end within 0\.3 s"):
        run(["sh", "-c", "(sleep 1; touch late) & sleep 60"], b"", str(tmp_path), seconds=0.3)
    assert time.monotonic() - begun < 2
    time.sleep(1)
    assert not (tmp_path / "late").exists()


def test_one_that_reads_nothing_has_done_its_work(tmp_path: Path) -> None:
    run(["true"], b"x" * 1_000_000, str(tmp_path))
