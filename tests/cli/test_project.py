"""`validate`, `status`, `config show`, `schema`, `explain`, `init`, `completion`, and how every mistake ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pipeline.cli.enqueue
from pipeline.cli.app import COMMANDS
from pipeline.cli.cache import plan_of_file
from pipeline.config.load import require
from pipeline.config.schema import json_schema

Shop = Any
BROKEN = "version: 1\nname: shop\nqueues:\n  emails: {handler: 'handlers:send', concurency: 5}\n"


def test_a_valid_file_is_valid_and_tells_what_was_not_checked(shop: Shop) -> None:
    out = shop.ok("validate", shop.file)
    assert out == f"{shop.file}: valid, 2 queues; not checked: the broker (--connect)\n"
    assert "not checked: handlers (--no-import)" in shop.ok("validate", "--no-import", shop.file)


def test_findings_have_the_promised_json(shop: Shop) -> None:
    shop.file.write_text(BROKEN)
    result = shop.call("validate", shop.file, "--format", "json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert list(told) == ["valid", "error_count", "warning_count", "diagnostics"]
    assert (told["valid"], told["error_count"]) == (False, 1)
    (found,) = told["diagnostics"]
    assert list(found) == ["severity", "code", "message", "help", "path", "range"]
    assert (found["severity"], found["code"], found["path"]) == ("error", "P101", "queues.emails.concurency")
    assert found["range"] == {"file": str(shop.file), "line": 4, "column": 38}


def test_findings_as_text_show_the_line_and_the_fix(shop: Shop) -> None:
    shop.file.write_text(BROKEN)
    out = shop.call("validate", shop.file).stdout
    assert f"{shop.file}:4:38: error[P101]" in out
    assert "^^^^^^^^^^" in out
    assert "did you mean 'concurrency'?" in out
    assert out.rstrip().endswith("1 error; not checked: handlers, the broker (--connect)")


def test_findings_become_annotations_for_github(shop: Shop) -> None:
    shop.file.write_text(BROKEN)
    out = shop.call("validate", shop.file, "--format", "github").stdout
    assert out.startswith(f"::error file={shop.file},line=4,col=38,title=P101::")
    assert "%0Ahelp: did you mean" in out


def test_a_handler_that_is_not_there_is_found(shop: Shop) -> None:
    shop.file.write_text(shop.file.read_text().replace("handlers:send", "handlers:sent", 1))
    out = shop.call("validate", shop.file).stdout
    assert "error[P502]" in out


def test_strict_makes_warnings_errors(shop: Shop) -> None:
    shop.file.write_text(shop.file.read_text().replace("timeout: 20s", "timeout: 1h", 1))
    assert shop.call("validate", shop.file).exit_code == 0
    assert shop.call("validate", shop.file, "--strict").exit_code == 1


def test_connect_looks_at_the_broker(shop: Shop) -> None:
    result = shop.call("validate", shop.file, "--connect", "--json")
    told = json.loads(result.stdout)["diagnostics"]
    assert [(one["code"], one["path"], one["range"]["line"]) for one in told] == [("P603", "broker.url", 4)]
    shop.file.write_text(shop.file.read_text().replace(shop.url, "unix:///nowhere"))
    result = shop.call("validate", shop.file, "--connect", "--json")
    assert result.exit_code == 1
    assert [one["code"] for one in json.loads(result.stdout)["diagnostics"]] == ["P601"]


def test_several_files_are_checked_at_once(shop: Shop) -> None:
    other = shop.file.with_name("other.yaml")
    other.write_text(BROKEN)
    out = shop.call("validate", shop.file, other).stdout
    assert f"{shop.file}: valid" in out
    assert f"{other}: 1 error" in out


def test_status_is_the_snapshot_and_1_when_nothing_runs(shop: Shop) -> None:
    shop.publish()
    shop.ok("enqueue", "emails", "welcome", "1")
    result = shop.call("status", shop.file, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["name"], told["supervisors"], told["in_sync"]) == ("shop", [], None)
    assert told["queues"]["emails"]["waiting"] == 1
    text = shop.call("status", shop.file).stdout
    assert "no supervisor runs; start one: pipeline run configs/shop.yaml" in text


def test_status_never_starts_an_embedded_broker(shop: Shop) -> None:
    shop.file.write_text(shop.file.read_text().replace(shop.url, "embedded"))
    result = shop.call("status", shop.file, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["broker"] == {
        "kind": "embedded", "version": None, "durability": None, "used_memory": None, "ok": False,
        "reason": "the embedded broker does not run",
    }  # fmt: skip
    assert not (shop.root / ".pipeline").exists()


def test_enqueue_starts_an_embedded_broker_and_the_job_is_kept(shop: Shop) -> None:
    shop.file.write_text(shop.file.read_text().replace(shop.url, "embedded"))
    assert shop.ok("enqueue", "emails", "welcome", '"ann"') == "1  created\n"
    assert [job["data"] for job in shop.json("jobs", "list", "emails")] == ["ann"]


@pytest.mark.parametrize("words", [["status"], ["jobs", "list", "emails"], ["enqueue", "emails", "x", "1"]])
def test_a_broker_that_is_away_ends_with_69(shop: Shop, words: list[str]) -> None:
    shop.file.write_text(shop.file.read_text().replace(shop.url, "unix:///nowhere/s"))
    command = [sys.executable, "-m", "pipeline", *words, "--json"]
    env = {**os.environ, "PIPELINE_CONFIG": str(shop.file)}
    ended = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (69, "")
    assert json.loads(ended.stdout)["error"]["code"] == "broker_unavailable"


def test_a_file_with_mistakes_ends_with_1_and_shows_them_all(shop: Shop) -> None:
    shop.file.write_text(BROKEN.replace("name: shop\n", ""))
    result = shop.call("status")
    assert result.exit_code == 1
    assert "error[P101]" in result.stderr
    assert "error[P102]" in result.stderr
    assert "has 2 mistakes" in result.stderr


def test_a_run_with_a_broken_file_ends_with_78(shop: Shop) -> None:
    shop.file.write_text(BROKEN)
    result = shop.call("run", shop.file)
    assert result.exit_code == 78
    assert "error[P101]" in result.stderr
    assert json.loads(shop.call("run", shop.file, "--json").stdout)["error"]["code"] == "config"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["stauts"], "did you mean 'status'?"),
        (["jobs", "lsit", "emails"], "no command 'lsit'"),
        (["enqueue"], "Missing argument 'QUEUE'"),
        (["status", "--nonsense"], "No such option"),
    ],
)
def test_a_command_that_was_typed_wrongly_ends_with_2(shop: Shop, words: list[str], says: str) -> None:
    result = shop.call(*words)
    assert result.exit_code == 2
    assert says in result.stderr
    told = json.loads(shop.call(*words, "--json").stdout)
    assert told["error"]["code"] == "usage"


def test_an_error_that_nobody_expected_is_one_line(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(pipeline.cli.enqueue, "read_payload", broken)
    result = shop.call("enqueue", "emails", "welcome", "1")
    assert result.exit_code == 1
    assert "error: this should not happen: ZeroDivisionError: oops" in result.stderr


def test_the_effective_config_is_shown_with_its_origins(shop: Shop) -> None:
    assert "concurrency: 10" in shop.ok("config", "show", shop.file)
    assert "handlers:send" in shop.ok("config", "show", "--origin", "--queue", "emails", shop.file)
    assert "shop.yaml:9" in shop.ok("config", "show", "--origin", "--queue", "emails", shop.file)
    result = shop.call("config", "show", "--queue", "email", shop.file)
    assert (result.exit_code, "did you mean 'emails'?" in result.stderr) == (1, True)


def test_the_schema_is_printed(shop: Shop) -> None:
    assert json.loads(shop.ok("schema")) == json_schema()


def test_codes_are_explained(shop: Shop) -> None:
    assert "key is not known" in shop.ok("explain", "p101")
    assert "broker cannot be reached" in shop.ok("explain", "P601")
    result = shop.call("explain", "Q101")
    assert (result.exit_code, "did you mean P101?" in result.stderr) == (1, True)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_a_completion_script(shop: Shop, shell: str) -> None:
    assert "_PIPELINE_COMPLETE" in shop.ok("completion", shell)


def test_every_command_has_help_with_a_sentence(shop: Shop) -> None:
    listed = shop.ok("--help")
    for name in COMMANDS:
        assert f"  {name} " in listed
        assert "Usage: " in shop.ok(name, "--help")


def test_a_new_project_validates_and_its_test_passes(shop: Shop) -> None:
    folder = shop.root / "My Shop"
    shop.ok("init", folder)
    file = folder / "configs" / "dev.yaml"
    assert require(file).name == "my-shop"
    assert "valid, 1 queue;" in shop.ok("validate", "--strict", file)
    assert json.loads((folder / "schemas" / "pipeline.schema.json").read_text()) == json_schema()
    subprocess.run([sys.executable, "tests/test_mails.py"], cwd=folder, check=True)


def test_init_overwrites_nothing(shop: Shop) -> None:
    (shop.root / "handlers").mkdir()
    (shop.root / "handlers" / "mails.py").write_text("mine")
    result = shop.call("init", ".")
    assert result.exit_code == 1
    assert "handlers/mails.py exists already" in result.stderr
    assert (shop.root / "handlers" / "mails.py").read_text() == "mine"
    assert not (shop.root / "tests").exists()


def test_a_short_command_imports_neither_rich_nor_pydantic(shop: Shop) -> None:
    shop.publish()
    (shop.root / ".pipeline").mkdir(mode=0o700)
    plan_of_file(shop.file)
    code = (
        "import sys; sys.argv = ['pipeline', 'enqueue', 'emails', 'welcome', '1']\n"
        "import pipeline.cli\n"
        "try: pipeline.cli.main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print(sorted({'rich', 'pydantic', 'yaml', 'jsonschema', 'redis'} & set(sys.modules)))"
    )
    env = {**os.environ, "PIPELINE_CONFIG": str(shop.file)}
    out = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True)
    assert out.stdout == "1  created\n[]\n"


def test_the_module_runs_as_the_command_does() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "pipeline", "--help"], check=True, capture_output=True, text=True
    )
    assert out.stdout.startswith("Usage: pipeline ")


class TestKeptPlans:
    """A plan that is kept is used only as long as nothing that went into it changed."""

    @pytest.fixture
    def file(self, shop: Shop) -> Path:
        (shop.root / ".pipeline").mkdir(mode=0o700)
        (shop.root / "s.json").write_text('{"type": "object"}')
        text = shop.file.read_text().replace("      capture:\n", "      capture:\n        schema: s.json\n")
        shop.file.write_text(
            text.replace("    timeout: 20s", "    concurrency: ${N:-3}\n    timeout: 20s", 1)
        )
        return Path(shop.file)

    def test_it_is_the_same_plan(self, file: Path) -> None:
        assert plan_of_file(file) == plan_of_file(file) == require(file)
        (kept,) = (file.parents[1] / ".pipeline").iterdir()
        assert kept.stat().st_mode & 0o777 == 0o600

    def test_another_text_variable_or_schema_is_another_plan(
        self, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plan_of_file(file)
        monkeypatch.setenv("N", "7")
        assert plan_of_file(file).queues["emails"].concurrency == 7
        file.write_text(file.read_text().replace("name: shop", "name: other"))
        assert plan_of_file(file).name == "other"
        (file.parents[1] / "s.json").write_text('{"type": "string"}')
        assert plan_of_file(file).queues["payments"].jobs["capture"].schema == {"type": "string"}

    def test_a_password_is_not_kept(self, file: Path) -> None:
        text = file.read_text()
        file.write_text(text.replace(text.split("url: ")[1].split()[0], "redis://:secret@host"))
        plan_of_file(file)
        assert list((file.parents[1] / ".pipeline").iterdir()) == []

    def test_junk_in_its_place_is_no_plan(self, file: Path) -> None:
        plan = plan_of_file(file)
        (kept,) = (file.parents[1] / ".pipeline").iterdir()
        kept.write_text('{"key": 1}')
        assert plan_of_file(file) == plan
