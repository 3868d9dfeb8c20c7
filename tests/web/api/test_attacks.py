"""Hostile input: what comes back is JSON that says no, and nothing of it is ever taken for anything else."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from pipeline.job import KeptError, Outcome, Runs
from tests.web.api.conftest import Api, Bench

XSS = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "</script><script>alert(1)</script>",
    "<svg/onload=alert(1)>", "{{7*7}}", "${7*7}", "'-alert(1)-'", "\u2028alert(1)\u2029", "<!--", "]]>", "\x00<b>", "%3Cscript%3E", "&lt;script&gt;",
    "\x1b[2J\x1b]0;owned\x07", "\u202eevil", "__proto__", "constructor", "a\r\nSet-Cookie: x=1", "<iframe srcdoc='x'>",
]  # fmt: skip
TRAVERSAL = [
    "..", "../..", "..%2f..", "%2e%2e", "%2e%2e%2f", "..;", "%00", "emails%00", "emails%0d%0aX:1", "emails%2f..", "....//", "%c0%ae%c0%ae", "emails%20",
    "EMAILS", "emails.", "{emails}", "*", "emails*", "?", "emails:jobs", "{shop:emails}", "%7Bshop%3Aemails%7D", "a" * 5_000, "%F0%9F%92%A9", "%ff", "%",
]  # fmt: skip


@pytest.mark.security("S9", inputs=6 * len(XSS))
async def test_text_of_a_payload_comes_out_as_json_and_nothing_else(api: Api, bench: Bench) -> None:
    for text in XSS:
        error = KeptError(1, 1_000, text, text, text)
        bench.put({text: text})
        id = bench.end("dead", runs=Runs(1, 0, (error,)), outcome=Outcome(1, 10, 20, None, error))
        bench.put({"x": text})
        done = bench.end("completed", outcome=Outcome(1, 10, 20, {text: text}))
        for path in (
            f"jobs/{id}",
            f"jobs/{id}/data",
            f"jobs/{done}/result",
            "jobs",
            f"jobs?text={quote(text)}",
            "groups",
        ):
            answer = await api.ask("GET", f"queues/emails/{path}")
            assert answer.status == 200, (path, answer.body)
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["content-security-policy"]
        page = await api.get(f"queues/emails/jobs/{id}")
        assert (page["data"]["value"], page["error"]["message"], page["errors"][0]["traceback"]) == (
            {text: text},
            text,
            text,
        )


@pytest.mark.security("S9", inputs=15)
@pytest.mark.parametrize("text", [" ".join(XSS[:10]), " ".join(XSS[10:])])
async def test_text_of_a_request_comes_back_in_json_alone(api: Api, text: str) -> None:
    shown = quote(text, safe="")
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"queues/{shown}", None), ("GET", f"queues/emails/jobs/{shown}", None), ("GET", f"queues/emails/jobs?state={shown}", None),
        ("GET", f"queues/emails/jobs?after={shown}", None), ("GET", f"queues/emails/jobs?limit={shown}", None), ("GET", f"flows?state={shown}", None),
        ("GET", f"flows/order/{shown}", None), ("GET", f"charts?queue={shown}", None), ("GET", f"tasks/{shown}", None), ("GET", f"history/{shown}", None),
        ("POST", "queues/emails/jobs", {"job": "send", "id": text}), ("POST", f"schedules/{shown}/run", None), ("POST", f"flows/{shown}", {}),
        ("POST", "queues/emails/bulk", {"do": text, "all": True}), ("PATCH", f"queues/emails/jobs/{shown}", {"priority": 1}),
    ]  # fmt: skip
    for method, path, body in asked:
        answer = await api.ask(method, path, body)
        assert 400 <= answer.status < 500, (method, path, answer.status)
        assert answer.headers["content-type"] == "application/json"
        assert set(answer.json) == {"error"}
        assert "set-cookie" not in answer.headers


@pytest.mark.security("S26", inputs=7 * len(TRAVERSAL))
async def test_a_path_leads_to_what_its_steps_name_or_nowhere(api: Api) -> None:
    for step in TRAVERSAL:
        paths = [f"queues/{step}", f"queues/{step}/jobs", f"queues/emails/jobs/{step}", f"flows/{step}/x", f"schedules/{step}/pause",
                 f"queues/emails/jobs/{step}/data", f"tasks/{step}"]  # fmt: skip
        for path in paths:
            answer = await api.ask("POST" if "schedules" in path else "GET", path)
            # The raw path names what is there itself: `jobs/?` is the list with an empty query.
            if answer.status == 200:
                assert step == "?"
                continue
            assert 400 <= answer.status < 500, (path, answer.body)


@pytest.mark.security("S29", inputs=4)
async def test_an_id_that_is_a_pattern_finds_only_itself(api: Api, bench: Bench) -> None:
    bench.put({}, id="order-1")
    for pattern in ("*", "order-?", "[o]rder-1", "order-*"):
        assert (await api.get(f"queues/emails/jobs?id={quote(pattern)}"))["jobs"] == []
    assert len((await api.get("queues/emails/jobs?id=order"))["jobs"]) == 1
