"""The README is true: its files make a project that runs, its commands and links exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config.model import Config, QueueBlock, SupervisorBlock
from pipeline.job import Job

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FILES = dict(re.findall(r"```(?:yaml|python)\n# (\S+)\n(.*?)```", README, re.DOTALL))
COMMANDS = sorted(set(re.findall(r"^    (pipeline \S+.*)$", README, re.MULTILINE)))
EMAILS = "def send(job) -> None:\n    pass\n"


def pipeline(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project that the README's first screen shows, with the handler that it does not show."""
    for name, text in {**FILES, "handlers/emails.py": EMAILS, "handlers/__init__.py": ""}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_the_first_screen_is_a_config_a_handler_and_a_producer() -> None:
    assert sorted(FILES) == ["app.py", "configs/dev.yaml", "handlers/payments.py"]


def test_the_readmes_project_has_no_findings(project: Path) -> None:
    done = pipeline("validate", "--strict", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readmes_project_runs_a_job(project: Path) -> None:
    data = '{"charge": "ch_1", "card": "visa", "amount": 999}'
    assert pipeline("enqueue", "payments", "capture", data, cwd=project).returncode == 0
    done = pipeline("run", "--until-empty", "--plain", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = pipeline("jobs", "show", "payments", "1", "--json", cwd=project)
    assert '"receipt":"ch_1"' in shown.stdout.replace(" ", "")


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_of_the_readme_exists(line: str) -> None:
    line = line.partition("#")[0].partition("&&")[0]
    words = [word for word in re.findall(r"[a-z|-]+", line.partition("[")[0]) if not word.startswith("-")]
    groups = [word.split("|") for word in words[1:3] if word.islower()]
    for name in groups[0]:
        for sub in (
            groups[1]
            if len(groups) > 1 and name in ("jobs", "dead", "schedules", "webhooks", "flows", "config")
            else [""]
        ):
            done = pipeline(*filter(None, (name, sub)), "--help")
            assert done.returncode == 0, f"{name} {sub}: {done.stderr}"
            missing = [option for option in re.findall(r"--[a-z-]+", line) if option not in done.stdout]
            assert sub or missing == [], f"{name} has no {missing}"


def test_every_key_of_the_model_is_in_the_readme() -> None:
    names = [*Config.model_fields, *QueueBlock.model_fields, *SupervisorBlock.model_fields]
    told = " ".join(re.findall(r"`([^`\n]+)`", README))
    assert [name for name in names if not re.search(rf"\b{name}\b", told)] == []


def test_every_attribute_of_a_job_that_the_readme_names_exists() -> None:
    line = re.search(r"the `Job`: (.*?)\.", README, re.DOTALL)
    assert line
    assert set(re.findall(r"`(\w+)`", line[1])) <= set(Job.__struct_fields__)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (path.parent / target).exists()] == []


def test_every_decision_says_problem_decision_and_cost() -> None:
    for path in sorted((ROOT / "docs" / "decisions").glob("*.md")):
        headings = re.findall(r"^## (.*)$", path.read_text(), re.MULTILINE)
        assert headings == ["The problem", "The decision", "What it costs"], path.name
