"""Readiness is the supervisor's word, as long as it counts."""

from __future__ import annotations

import pytest

from pipeline.clock import monotonic_ms
from pipeline.plan import HttpPlan
from pipeline.web.shop import Standing


@pytest.mark.parametrize(
    ("age", "reason", "ready", "told"),
    [
        (None, None, False, "the supervisor has not spoken yet"),
        (0, None, True, None),
        (0, "the broker is away", False, "the broker is away"),
        (6_000, None, False, "the supervisor is silent"),
    ],
)
async def test_readiness_is_a_fresh_word_of_the_supervisor(site, age, reason, ready, told) -> None:
    here = await site(HttpPlan())
    here.shop.standing = None if age is None else Standing(monotonic_ms() - age, reason)
    answer = await here.ask("GET", "/readyz")
    assert (answer.status, answer.json) == (200 if ready else 503, {"ready": ready, "reason": told})
    assert (await here.ask("HEAD", "/readyz")).body == b""
