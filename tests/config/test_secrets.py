"""A secret's value reaches the plan and nothing else; one that is not set matters where it is needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pipeline.config.findings import as_json, render
from pipeline.config.load import Loaded, require
from pipeline.config.show import effective
from pipeline.errors import ConfigError

Project = Callable[..., Loaded]
MAIN = "configs/shop.yaml"
URL = "redis://shop:hunter2@host:6379/0"
QUEUES = "queues: {a: {handler: 'm:f'}}\n"
FROM_FILE = (
    "name: shop\nsecrets: {broker: {file: secrets/broker}}\nbroker: {url: {secret: broker}}\n" + QUEUES
)
FROM_ENV = FROM_FILE.replace("file: secrets/broker", "env: BROKER")


def url_of(loaded: Loaded) -> str:
    assert loaded.plan is not None, loaded.findings
    return loaded.plan.broker.url


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_file_counts_from_the_root_and_its_last_newline_is_stripped(project: Project, ending: str) -> None:
    loaded = project({MAIN: FROM_FILE, "secrets/broker": URL + ending}, secrets="required")
    assert url_of(loaded) == URL
    assert loaded.findings == ()


def test_a_variable_gives_the_value(project: Project) -> None:
    loaded = project({MAIN: FROM_ENV}, {"BROKER": URL}, secrets="required")
    assert url_of(loaded) == URL


def test_the_plan_lists_the_values_that_nothing_may_show(project: Project) -> None:
    loaded = project({MAIN: FROM_ENV}, {"BROKER": URL})
    assert loaded.plan is not None
    assert loaded.plan.secrets == (URL, "hunter2")
    unused = project({MAIN: "name: shop\nsecrets: {a: {env: A}}\n" + QUEUES}, {"A": "hunter2"})
    assert unused.plan is not None
    assert unused.plan.secrets == ()


@pytest.mark.parametrize("content", [None, "", "\n", b"\xff", "x" * 65_537])
def test_one_that_is_not_set_is_an_error_where_it_is_required_and_else_a_note(
    project: Project, content: str | bytes | None
) -> None:
    files = {MAIN: FROM_FILE} | ({"secrets/broker": content} if content is not None else {})
    noted, required = project(files), project(files, secrets="required")
    for loaded, severity in ((noted, "note"), (required, "error")):
        (found,) = loaded.findings
        assert (found.code, found.severity, found.line, found.column) == ("P208", severity, 2, 19)
    assert url_of(noted) == ""
    assert required.plan is None


def test_a_variable_that_is_empty_is_not_set(project: Project) -> None:
    for env, why in (({}, "is not set"), ({"BROKER": ""}, "is empty")):
        (found,) = project({MAIN: FROM_ENV}, env, secrets="required").findings
        assert found.message == f"the secret 'broker' is not set: the variable BROKER {why}"


def test_one_that_is_not_used_need_not_be_set(project: Project) -> None:
    text = "name: shop\nsecrets: {a: {env: A}, b: {file: nowhere}}\n" + QUEUES
    assert project({MAIN: text}, secrets="required").findings == ()


def test_require_needs_the_value(project: Project, tmp_path: Path) -> None:
    project({MAIN: FROM_ENV})
    with pytest.raises(ConfigError):
        require(tmp_path / MAIN, env={})
    assert require(tmp_path / MAIN, env={"BROKER": URL}).broker.url == URL


def test_a_reference_to_nothing_is_an_error_with_the_near_name(project: Project) -> None:
    (found,) = project({MAIN: FROM_ENV.replace("secret: broker", "secret: brokr")}).findings
    assert (found.code, found.line, found.column, found.help) == ("P206", 3, 24, "did you mean 'broker'?")


def test_a_value_that_its_place_does_not_take_is_an_error_that_does_not_show_it(project: Project) -> None:
    loaded = project({MAIN: FROM_ENV}, {"BROKER": "http://hunter2"})
    (found,) = loaded.findings
    assert (found.code, found.line, found.column) == ("P112", 3, 24)
    assert "hunter2" not in render(loaded.findings) + str(as_json(loaded.findings))


def test_the_effective_config_shows_the_reference(project: Project) -> None:
    loaded = project({MAIN: FROM_ENV}, {"BROKER": URL})
    for origin in (False, True):
        text = effective(loaded, origin=origin)
        assert "secret: broker" in text
        assert "hunter2" not in text
    assert "hunter2" not in repr((loaded.config, loaded.texts, loaded.findings, loaded.origins))


def test_a_used_file_is_an_input_and_the_value_no_part_of_the_hash(project: Project, tmp_path: Path) -> None:
    one = project({MAIN: FROM_FILE, "secrets/broker": URL}).plan
    other = project({MAIN: FROM_FILE, "secrets/broker": "redis://other"}).plan
    assert one is not None
    assert other is not None
    assert str(tmp_path / "secrets" / "broker") in one.inputs
    assert one.hash == other.hash


def test_a_mounted_secret_that_others_may_read_is_fine(project: Project, tmp_path: Path) -> None:
    mounted = tmp_path / "secrets" / "..data" / "broker"
    mounted.parent.mkdir(parents=True)
    mounted.write_text(URL)
    mounted.chmod(0o644)
    (tmp_path / "secrets" / "broker").symlink_to(mounted)
    assert project({MAIN: FROM_FILE}, secrets="required").findings == ()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_read(project: Project, tmp_path: Path, make: Callable[[Path], None]) -> None:
    (tmp_path / "secrets").mkdir()
    make(tmp_path / "secrets" / "broker")
    (found,) = project({MAIN: FROM_FILE}).findings
    assert "cannot read secrets/broker: it is " in found.message


ALERT = "name: shop\nsecrets: {slack: {env: SLACK}}\nalerts: {oncall: {url: {secret: slack}}}\n" + QUEUES
HOOK = "https://hooks.example.com/T0/B0"


def test_the_address_of_an_alert_is_no_part_of_the_plan_and_is_not_shown(project: Project) -> None:
    loaded = project({MAIN: ALERT}, {"SLACK": HOOK}, secrets="required")
    assert loaded.plan is not None
    assert loaded.plan.secrets == (HOOK,)
    assert HOOK.encode() not in msgspec.json.encode(msgspec.structs.replace(loaded.plan, secrets=()))
    assert HOOK not in effective(loaded)
    assert loaded.plan.alerts["oncall"].env == "SLACK"


def test_whoever_only_needs_the_broker_needs_no_secret_of_alerts(project: Project) -> None:
    assert [one.severity for one in project({MAIN: ALERT}).findings] == ["note"]
    assert [one.severity for one in project({MAIN: ALERT}, secrets="required").findings] == ["error"]
    assert project({MAIN: ALERT}, secrets="broker").findings == ()


@pytest.mark.parametrize(
    ("address", "code"),
    [("ftp://x", "P130"), ("http://example.com/T0", "P342"), ("http://localhost/T0", None)],
)
def test_an_address_from_a_secret_is_checked_and_not_told(
    project: Project, address: str, code: str | None
) -> None:
    findings = project({MAIN: ALERT}, {"SLACK": address}).findings
    assert [one.code for one in findings] == ([code] if code else [])
    assert address not in render(findings)
