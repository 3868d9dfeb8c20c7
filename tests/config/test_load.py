"""Whatever stands in a file, loading it ends in a plan or in findings, and soon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.config.load import Loaded, load
from pipeline.plan import Plan

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["m:f", "5s", "${X}", "${X:-1}", "r", "{data.x}"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "delay", "extends", "soft"]), inner)
    ),
    max_leaves=4,
)
KEYS = [
    "handler",
    "jobs",
    "timeout",
    "retry",
    "retention",
    "deduplication",
    "ids",
    "concurrency",
    "x-a",
    "executor",
]
QUEUE = st.dictionaries(st.sampled_from(KEYS), VALUES)
TOP = st.fixed_dictionaries(
    {
        "name": st.just("shop"),
        "queues": st.dictionaries(st.sampled_from(["a", "map", "scalar"]), QUEUE | VALUES),
    },
    optional={
        "retries": st.dictionaries(st.just("r"), VALUES) | VALUES,
        "defaults": QUEUE,
        "supervisor": VALUES,
    },
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUICK
@given(config=TOP)
def test_a_config_of_any_shape_never_raises(tmp_path: Path, config: object) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump(config), "utf-8")
    loaded = load(file, env={"X": "5"})
    errors = [finding for finding in loaded.findings if finding.severity == "error"]
    assert (loaded.plan is None) == bool(errors)


@QUICK
@given(
    file=st.sampled_from(BROKEN),
    cut=st.integers(0, 800),
    put=st.sampled_from([b"", b"{", b'"', b"\t", b": ", b"&a ", b"*a", b"\xc3", b"${"]),
)
def test_a_file_that_is_cut_and_patched_anywhere_never_raises(
    tmp_path: Path, file: Path, cut: int, put: bytes
) -> None:
    raw = file.read_bytes()
    patched = tmp_path / "shop.yaml"
    patched.write_bytes(raw[:cut] + put + raw[cut + 1 :])
    loaded = load(patched, env={})
    assert loaded.plan is not None or loaded.findings


def test_five_hundred_queues_with_a_mistake_each_have_a_finding_each(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    queues = "".join(f"  q{n}: {{handler: 'm:f', concurency: {n}, retry: nope}}\n" for n in range(500))
    file.write_text(f"name: shop\nqueues:\n{queues}")
    assert len(load(file, env={}).findings) == 1000


@pytest.mark.parametrize("length", [10, 5_000])
def test_a_long_chain_of_policies_is_a_finding_or_a_plan(tmp_path: Path, length: int) -> None:
    file = tmp_path / "shop.yaml"
    chain = "".join(f"  r{n}: {{extends: r{n + 1}}}\n" for n in range(length))
    file.write_text(
        f"name: shop\nretries:\n{chain}  r{length}: {{attempts: 4}}\nqueues: {{a: {{handler: 'm:f', retry: r0}}}}\n"
    )
    loaded = load(file, env={})
    if length > 32:
        assert "P202" in {finding.code for finding in loaded.findings}
    else:
        assert loaded.plan is not None
        assert loaded.plan.queues["a"].others is not None
        assert loaded.plan.queues["a"].others.retry.attempts == 4


def test_a_slip_in_an_item_of_a_list_has_the_near_key(loaded: Callable[[str], Loaded]) -> None:
    text = "name: s\nqueues: {a: {handler: null}}\ntests: [{name: a, queue: a, expect: {delay: [2s]}}]"
    assert [found.help for found in loaded(text).findings] == ["did you mean 'delays'?"]


def test_an_empty_value_in_braces_is_no_template(plan: Callable[[str], Plan]) -> None:
    found = plan("name: s\nqueues: {a: {handler: null, retention: {dead: {age: }}, ids: {keep: }}}")
    assert found.queues["a"].ids_keep == 86_400_000


def test_a_version_without_a_value_is_as_if_written_nowhere(plan: Callable[[str], Plan]) -> None:
    assert plan("version:\nname: s\nqueues: {a: {handler: null}}").name == "s"
