"""The web process under its supervisor."""

from __future__ import annotations

import http.client
import json
from typing import Any

from tests.lifecycle.conftest import Written, eventually

ANYWHERE = "http: {listen: '127.0.0.1:0', ingress: '127.0.0.1:0'}\n"
QUEUE = "queues: {a: {handler: 'hands:work'}}\n"


def address(written: Written, which: str = "listen") -> str:
    """Where it listens, once it does."""

    def look() -> str | None:
        webs = [one.web for one in written.records() if one.web is not None and one.web.state == "serving"]
        return getattr(webs[0], which) if webs else None

    return eventually(look, "the web process serves") or ""


def get(at: str, path: str, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(at, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def test_a_file_with_http_has_a_web_process_that_lives_and_says_when_jobs_are_worked(written):
    run = written.up(ANYWHERE + QUEUE)
    at = address(written)
    assert get(at, "/livez") == (200, {"live": True})
    eventually(lambda: get(at, "/readyz")[0] == 200, "it is ready")
    assert f"dashboard http://{at}/" in run.output
    assert get(at, "/api/v1/overview")[0] == 401
    assert run.stop() == 0


def test_a_token_is_printed_at_the_first_start_only_and_signs_in(written):
    run = written.up(ANYWHERE + QUEUE)
    at = address(written)
    eventually(lambda: "sign in with the token" in run.output, "the token")
    token = run.output.partition("the token ")[2].split()[0]
    bearer = {"Authorization": f"Bearer {token}"}
    assert get(at, "/api/v1/session", **bearer)[1]["role"] == "admin"
    assert get(at, "/api/v1/audit", **bearer)[0] == 200
    assert run.stop() == 0
    again = written.up(ANYWHERE + QUEUE)
    at = address(written)
    assert get(at, "/api/v1/audit", **bearer)[0] == 200
    assert again.stop() == 0
    assert "sign in with the token" not in again.output
    assert token not in (written.root / ".pipeline" / "web.token").read_text()
