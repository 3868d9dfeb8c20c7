"""The schema for editors is printed from the model; payloads are checked against the user's schemas."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from referencing.exceptions import Unresolvable

from pipeline.config.findings import Finding
from pipeline.config.load import load
from pipeline.config.schema import json_schema, payload_checker, schema_problem

ROOT = Path(__file__).parents[2]
BROKEN = Path(__file__).parent / "broken"


def test_the_committed_schema_is_the_one_of_the_model() -> None:
    committed = json.loads((ROOT / "schemas" / "pipeline.schema.json").read_text("utf-8"))
    assert committed == json_schema(), "print it again: pipeline schema > schemas/pipeline.schema.json"


def test_it_is_a_valid_schema_of_draft_7() -> None:
    jsonschema.Draft7Validator.check_schema(json_schema())


def _keys() -> list[tuple[str, dict[str, Any]]]:
    schema = json_schema()
    blocks = {"": schema, **schema["$defs"]}
    return [
        (f"{name}.{key}", about)
        for name, block in blocks.items()
        for key, about in block["properties"].items()
    ]


@pytest.mark.parametrize(
    ("name", "about"), _keys(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_key_is_described_and_has_a_class_of_change(name: str, about: dict[str, Any]) -> None:
    assert about["description"]
    assert about["x-reload"] in ("hot", "rolling", "restart")


def _accepts(text: str) -> bool:
    return jsonschema.Draft7Validator(json_schema()).is_valid(yaml.safe_load(text))


@pytest.mark.parametrize(
    "queue",
    [
        "concurrency: '${N:-5}'",
        "paused: '${P}'",
        "executor: '${E:-auto}'",
        "timeout: '${T}s'",
        "retry: {attempts: 3, backoff: {type: fixed, delay: 1m30s, jitter: 0.5}}",
        "retention: {dead: {count: null}}",
        "concurrency: null",
        "x-note: anything",
        "timeout: {soft: 1s, hard: null}",
    ],
)
def test_editors_accept_what_the_loader_accepts(queue: str) -> None:
    assert _accepts(
        f"name: shop\nx-a: 1\nqueues: {{a: {{handler: 'm:f'}}, b: {{handler: null, {queue!s}}}, c: }}\n"
    )


@pytest.mark.parametrize(
    "top",
    [
        "include: [queues/*.yaml, '${MORE:-x.yaml}']",
        "secrets: {a: {file: secrets/a}, b: {env: B}, c: }",
        "broker: {url: {secret: a}}",
        "broker: {url: '${URL}'}",
        "pools: {quick: {processes: '${N:-2}', recycle: {max_jobs: 5, max_memory: 512MiB, max_age: 1d}}}",
        "supervisor: {reload: {watch: '${WATCH}', interval: '${I:-2s}'}}",
        "profiles: {dev: {queues: {a: {concurrency: 2}}, broker: {url: embedded}}, none: }",
        "tests: [{name: a, retry: b, expect: {delays: [2s, '${D}'], attempt: '${A}'}}]",
        "tests: [{name: a, queue: a, job: x, raises: [TimeoutError, null], after: 5s, expect: {state: dead}}]",
    ],
)
def test_editors_accept_every_block_of_the_top(top: str) -> None:
    assert _accepts(f"name: shop\nqueues: {{a: {{handler: 'm:f', pool: quick}}}}\n{top}\n")


@pytest.mark.parametrize(
    "top",
    [
        "include: queues/a.yaml",
        "secrets: {a: {fil: x}}",
        "broker: {url: {secrt: a}}",
        "pools: {quick: {concurrency: 5}}",
        "supervisor: {reload: {interval: 5}}",
        "profiles: {dev: {queue: {}}}",
        "profiles: {dev: {version: 1}}",
        "profiles: {dev: {queues: {a: {concurrency: many}}}}",
        "tests: [{queue: a, expect: {state: dead}}]",
        "tests: [{name: a, queue: a, expect: {state: failed}}]",
    ],
)
def test_editors_refuse_slips_in_every_block_of_the_top(top: str) -> None:
    assert not _accepts(f"name: shop\nqueues: {{a: {{handler: 'm:f'}}}}\n{top}\n")


def _every_scalar(key: dict[str, Any]) -> bool:
    """Whether the key takes a scalar that is not text in the first place."""
    kinds = [key, *key.get("anyOf", ())]
    return any(
        "enum" in kind or kind.get("type") in ("integer", "number", "boolean", "string") for kind in kinds
    )


@pytest.mark.parametrize(
    ("name", "about"), _keys(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_variable_may_stand_for_every_scalar(name: str, about: dict[str, Any]) -> None:
    if _every_scalar(about):
        whole = {**about, "$defs": json_schema()["$defs"]}
        assert jsonschema.Draft7Validator(whole).is_valid("${SOMETHING:-x}"), name


@pytest.mark.parametrize(
    "queue",
    ["concurency: 5", "concurrency: many", "timeout: 30", "executor: threads", "retry: {attempts: 0}"],
)
def test_editors_refuse_what_the_loader_refuses(queue: str) -> None:
    assert not _accepts(f"name: shop\nqueues: {{a: {{handler: 'm:f', {queue}}}}}\n")


ORDER = {
    "type": "object",
    "required": ["charge"],
    "properties": {"charge": {"type": "string"}, "items": {"items": {"$ref": "#/definitions/item"}}},
    "definitions": {"item": {"type": "object", "properties": {"amount": {"minimum": 1}}}},
}


@pytest.mark.parametrize(
    ("payload", "names"),
    [
        ({"charge": "ch_1"}, None),
        ({}, "data: 'charge' is a required property"),
        ({"charge": 5}, "data.charge: this number does not fit type string"),
        (
            {"charge": "x", "items": [{}, {"amount": 0}]},
            "data.items.1.amount: 0 is less than the minimum of 1",
        ),
        ([], "data: an array does not fit type object"),
    ],
)
def test_a_payload_that_does_not_fit_names_its_field(payload: Any, names: str | None) -> None:
    assert payload_checker(ORDER)(payload) == names


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (ORDER, None),
        ({"type": "objekt"}, "type: 'objekt' is not valid under any of the given schemas"),
        ([], "a schema is a JSON object"),
        (
            {"$ref": "https://example.com/schema.json"},
            "the reference 'https://example.com/schema.json' leads nowhere",
        ),
        ({"properties": {"a": {"$ref": "#/nowhere"}}}, "the reference '/nowhere' leads nowhere"),
    ],
)
def test_a_schema_that_cannot_be_used_says_why(schema: Any, problem: str | None) -> None:
    assert schema_problem(schema) == problem


def test_a_reference_to_another_host_is_never_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        check = payload_checker({"$ref": f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"})
        with pytest.raises(Unresolvable):
            check({})
        with pytest.raises(BlockingIOError):
            server.accept()


def test_schema_files_are_inlined_into_the_plan(tmp_path: Path) -> None:
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "order.json").write_text(json.dumps(ORDER))
    file = tmp_path / "pipeline.yaml"
    file.write_text("name: s\nqueues: {a: {jobs: {x: {handler: 'm:f', schema: schemas/order.json}}}}\n")
    plan = load(file, env={}).plan
    assert plan is not None
    assert plan.queues["a"].jobs["x"].schema == ORDER


def test_a_schema_that_is_missing_is_found_at_its_value() -> None:
    (found,) = load(BROKEN / "schema-missing.yaml", env={}).findings
    assert isinstance(found, Finding)
    assert found.path == "queues.a.jobs.x.schema"


def test_importing_the_module_brings_neither_pydantic_nor_jsonschema_nor_yaml() -> None:
    code = "import sys, pipeline.config.schema; print([m for m in ('pydantic', 'jsonschema', 'yaml') if m in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert answer.stdout.strip() == "[]"
