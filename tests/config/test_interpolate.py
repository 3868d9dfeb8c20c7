"""${VAR} as Compose has it: after YAML was read, in values only, with the target deciding the type."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.config.interpolate import BadReference, Unset, expand
from pipeline.config.load import Loaded
from pipeline.plan import Plan

Load = Callable[..., Loaded]
LoadPlan = Callable[..., Plan]


ENV = {"X": "x", "EMPTY": "", "NESTED": "${X}"}


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("${X}", "x"),
        ("a${X}b${X}", "axbx"),
        ("${X:-d}", "x"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NO-d}", "d"),
        ("${NO:-}", ""),
        ("${NO:-${X}}", "x"),
        ("${NO:-a${NO:-b${X}}c}", "abxc"),
        ("${X:+other}", "other"),
        ("${EMPTY:+other}", ""),
        ("${EMPTY+other}", "other"),
        ("${NO+other}", ""),
        ("${X:?must}", "x"),
        ("${EMPTY?must}", ""),
        ("${X:-${NO:?not looked at}}", "x"),
        ("$$", "$"),
        ("$${X}", "${X}"),
        ("$$${X}", "$x"),
        ("$X and $ and 5$", "$X and $ and 5$"),
        ("${NESTED}", "${X}"),
        ("}", "}"),
        ("${NO:-$$}", "$"),
    ],
)
def test_a_reference_is_replaced(text: str, result: str) -> None:
    assert expand(text, ENV) == result


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("${NO}", "NO", ""),
        ("${EMPTY:?set it}", "EMPTY", "set it"),
        ("${NO?${X}}", "NO", "${X}"),
        ("${NO:-${N2}}", "N2", ""),
    ],
)
def test_a_variable_without_value_is_named(text: str, name: str, message: str) -> None:
    with pytest.raises(Unset) as caught:
        expand(text, ENV)
    assert (caught.value.name, str(caught.value)) == (name, message)


@pytest.mark.security("S5")
@pytest.mark.parametrize(
    "text", ["${", "${X", "${}", "${1}", "${X:-a", "${X!a}", "${ X}", "${NO:-" * 50 + "}" * 50]
)
def test_a_malformed_reference_is_refused(text: str) -> None:
    with pytest.raises(BadReference):
        expand(text, ENV)


CONFIG = """
name: shop
broker: {allow_eviction: "${FLAG:-false}"}
retries: {r: {attempts: 2, backoff: {type: "${TYPE:-fixed}", delay: "${N:-5}s", jitter: "${J:-0.5}"}}}
queues:
  a: {handler: "${HANDLER:-m:f}", concurrency: "${N:-50}", retry: "${R:-r}", max_payload: "${S:-1KiB}", executor: "${E:-auto}"}
"""


def test_the_target_decides_what_a_variable_means(plan: LoadPlan) -> None:
    env = {"FLAG": "TRUE", "N": "7", "J": "1", "S": "2KiB", "HANDLER": "x.y:z", "E": "async"}
    made = plan(CONFIG, env)
    queue = made.queues["a"]
    assert made.broker.allow_eviction is True
    assert (queue.concurrency, queue.max_payload, queue.executor) == (7, 2048, "async")
    assert queue.others is not None
    assert queue.others.handler == "x.y:z"
    assert queue.others.retry.backoff is not None
    assert (queue.others.retry.backoff.delay, queue.others.retry.backoff.jitter) == (7000, 1.0)


def test_text_stays_text_whatever_it_looks_like(plan: LoadPlan) -> None:
    assert plan("name: ${N}\nqueues: {a: {handler: 'm:f'}}\n", {"N": "0123"}).name == "0123"


@pytest.mark.security("S5")
def test_a_value_cannot_bring_yaml_with_it(loaded: Load) -> None:
    found = loaded("name: ${N}\nqueues: {a: {handler: 'm:f'}}\n", {"N": "a\nversion: 2"}).findings
    assert [finding.code for finding in found] == ["P108"]


def test_keys_are_never_interpolated(loaded: Load) -> None:
    found = loaded("name: shop\nqueues: {'${Q}': {handler: 'm:f'}}\n", {"Q": "a"}).findings
    assert [finding.code for finding in found] == ["P108"]


EVERYWHERE = """
version: ${V}
name: ${V}
broker: {url: "${V}", durability: "${V}", allow_eviction: "${V}"}
setup: ${V}
supervisor: {lease: "${V}", restart: {give_up_after: "${V}"}}
retries: {r: {extends: "${V}", attempts: "${V}", retry_on: ["${V}"], backoff: {type: "${V}", jitter: "${V}"}}}
queues:
  a: {handler: "${V}", max_payload: "${V}", timeout: "${V}", retry: "${V}", retention: "${V}"}
  b: {jobs: {x: {handler: "m:f", schema: "${V}", deduplication: {key: "${V}", mode: "${V}"}}}}
"""


@pytest.mark.security("S25")
@pytest.mark.parametrize("value", ["S3cr3t {", "0S3cr3t", "S3cr3t m:"])
def test_findings_show_the_source_and_never_the_value(loaded: Load, value: str) -> None:
    found = loaded(EVERYWHERE, {"V": value}).findings
    assert len(found) > 15
    told = [f"{finding.message} {finding.help} {finding.source}".lower() for finding in found]
    assert not [text for text in told if "s3cr3t" in text]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("${A}", ["A"]),
        ("no ${A:-x} and ${NONE:-y}", ["A", "default of NONE"]),
        ("${NONE:-${A}}", ["A"]),
        ("${NONE:-${NEITHER-x}}", ["default of NEITHER"]),
        ("${A:+x}", ["A"]),
        ("${NONE:+x}", []),
        ("$$ {A} $", []),
    ],
)
def test_it_tells_which_variables_gave_the_text(text: str, names: list[str]) -> None:
    filled: list[str] = []
    expand(text, {"A": "a"}, filled)
    assert filled == names
