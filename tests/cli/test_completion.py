"""Shells complete commands, options, codes, and the names that stand in the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

Shop = Any
PROGRAM = Path(sys.executable).parent / "pipeline"
LINES = [
    ("pipeline va", ["validate"]),
    ("pipeline run --pl", ["--plain"]),
    ("pipeline explain p20", ["P201", "P202", "P203", "P204", "P205", "P206", "P207", "P208", "P209"]),
    ("pipeline pause ", ["emails", "payments"]),
    ("pipeline enqueue payments ca", ["capture"]),
    ("pipeline run --queues emails,p", ["emails,payments"]),
    ("pipeline status --profile ", ["dev"]),
    (
        "pipeline explain queues.emails.retry.backoff.del",
        ["queues.emails.retry.backoff.delay", "queues.emails.retry.backoff.delays"],
    ),
    ("pipeline jobs list frob", []),
]
PROFILES = "profiles: {dev: {}}\nretries: {a: {attempts: '${NOT_SET}'}}\n"


def _environment(shop: Shop, **more: str) -> dict[str, str]:
    shop.file.write_text(shop.file.read_text() + PROFILES)
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PIPELINE_CONFIG": str(shop.file), **more}


@pytest.mark.parametrize(("line", "completed"), LINES, ids=[line for line, _ in LINES])
def test_bash_completes(shop: Shop, line: str, completed: list[str]) -> None:
    words = line.split(" ")
    script = (
        'eval "$(pipeline completion bash)"; COMP_CWORD=$(($#-1)); COMP_WORDS=("$@"); '
        '_pipeline_completion pipeline; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    answer = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        capture_output=True,
        text=True,
        check=True,
        env=_environment(shop),
    )
    assert answer.stdout.split() == completed


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_other_shells_get_the_same_names(shop: Shop, shell: str) -> None:
    asked = {
        "zsh": {"COMP_WORDS": "pipeline pause ", "COMP_CWORD": "2"},
        "fish": {"COMP_WORDS": "pipeline pause ", "COMP_CWORD": ""},
    }
    environment = _environment(shop, _PIPELINE_COMPLETE=f"{shell}_complete", **asked[shell])
    answer = subprocess.run([PROGRAM], capture_output=True, text=True, check=False, env=environment)
    assert all(name in answer.stdout for name in ("emails", "payments"))


@pytest.mark.world
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_their_scripts_are_read_by_the_real_shell(shop: Shop, shell: str, tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text(shop.ok("completion", shell))
    subprocess.run([shell, "-n", script], check=True)
