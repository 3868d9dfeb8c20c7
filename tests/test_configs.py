"""The configs that ship with the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.handlers import chains, check
from pipeline.config.load import load
from pipeline.config.policy_tests import run

ROOT = Path(__file__).parents[1]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SET = {
    "PIPELINE_BROKER": "redis://queue.example.com:6379/0",
    "STRIPE_WEBHOOK_SECRET": "whsec_of_a_test_that_nobody_uses",
}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_config_validates_without_a_warning(path: Path) -> None:
    loaded = load(path, env=SET)
    assert loaded.findings == ()
    assert loaded.plan is not None
    assert check(loaded, loaded.plan.supervisor.import_timeout) == ()


def test_production_without_a_broker_says_which_variable_is_missing() -> None:
    loaded = load(ROOT / "configs" / "prod.yaml", env={})
    errors = [finding for finding in loaded.findings if finding.severity == "error"]
    assert ["PIPELINE_BROKER" in finding.message for finding in errors] == [True]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_the_tests_of_every_config_pass(path: Path) -> None:
    loaded = load(path, env=SET)
    findings, known = chains(loaded)
    results = list(run(loaded, known))
    assert findings == ()
    assert results
    assert [result.name for result in results if not result.passed] == []
