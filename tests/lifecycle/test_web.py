"""The web process under its supervisor."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.status.supervisors import WebState
from tests.lifecycle.conftest import PIPELINE, Written, eventually, make

ANYWHERE = "http: {listen: '127.0.0.1:0', ingress: '127.0.0.1:0'}\n"
QUEUE = "queues: {a: {handler: 'hands:work'}}\n"


@pytest.fixture(scope="module")
def shop() -> Iterator[Written]:
    """A running project with a web process, for the tests that leave it as it is."""
    project = make("embedded", Written)
    written = next(project)
    written.write(ANYWHERE + QUEUE)
    run = written.run()
    eventually((written.root / ".pipeline" / "broker.sock").exists, "its broker")
    eventually(lambda: written.ping() and written.pools_run(), "it runs")
    yield written
    assert run.stop() == 0
    next(project, None)


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


def test_a_file_with_http_has_a_web_process_that_lives_and_says_when_jobs_are_worked(shop):
    at = address(shop)
    assert get(at, "/livez") == (200, {"live": True})
    eventually(lambda: get(at, "/readyz")[0] == 200, "it is ready")
    assert f"dashboard http://{at}/" in shop.runs[0].output
    assert get(at, "/api/v1/overview")[0] == 401
    assert f"dashboard http://{at}/" in shop.pipeline("status").stdout


def test_a_file_without_http_has_none(written):
    run = written.up(QUEUE)
    written.eventually(written.records, "the supervisor's word")
    assert [one.web for one in written.records()] == [None]
    assert run.stop() == 0
    assert "dashboard" not in run.output


def test_a_change_of_http_needs_a_restart_and_leaves_everything_as_it_is(shop):
    at = address(shop)
    refused = shop.reload(ANYWHERE.replace("}", ", path: /queues}") + QUEUE)
    assert refused.returncode != 0
    assert "http.path needs a restart" in refused.stdout + refused.stderr
    assert get(at, "/livez")[0] == 200
    assert shop.reload(ANYWHERE + QUEUE).returncode == 0


def test_a_web_process_needs_little_memory(shop):
    at = address(shop)
    for _ in range(100):
        get(at, "/livez")
    eventually(lambda: (shop.records()[0].web or WebState("starting")).memory, "its memory")
    (record,) = shop.records()
    assert record.web is not None
    assert (record.web.memory or 0) < 80 * 2**20, record.web.memory


def test_readiness_proves_that_jobs_are_worked_and_says_why_not(shop):
    at = address(shop)
    eventually(lambda: get(at, "/readyz") == (200, {"ready": True, "reason": None}), "it is ready")
    assert shop.pipeline("quiet").returncode == 0
    eventually(lambda: get(at, "/readyz")[0] == 503, "it is not")
    assert "quiet" in get(at, "/readyz")[1]["reason"]
    assert shop.pipeline("quiet", "--off").returncode == 0
    eventually(lambda: get(at, "/readyz")[0] == 200, "it is ready again")


def test_the_first_start_prints_a_token_that_signs_in_and_keeps_only_its_hash(shop):
    at, (run,) = address(shop), shop.runs
    eventually(lambda: "sign in with the token" in run.output, "the token")
    token = run.output.partition("the token ")[2].split()[0]
    assert get(at, "/api/v1/audit", Authorization=f"Bearer {token}")[0] == 200
    assert run.output.count(token) == 1
    assert not any(
        token.encode() in path.read_bytes() for path in (shop.root / ".pipeline").iterdir() if path.is_file()
    )


def web_pid(written: Written) -> int:
    (record,) = written.records()
    assert record.web is not None
    assert record.web.pid is not None
    return record.web.pid


def test_a_web_process_that_dies_is_replaced_and_whoever_asks_meanwhile_is_answered(written):
    run = written.up(ANYWHERE + QUEUE)
    at = address(written)
    first = web_pid(written)
    written.kill(first)
    eventually(lambda: written.is_gone(first), "it is gone")
    assert get(at, "/livez") == (200, {"live": True})
    assert address(written) == at
    eventually(lambda: web_pid(written) != first, "another one")
    assert "the web process ended (SIGKILL): it starts again" in run.output
    assert run.stop() == 0


def test_a_supervisor_that_is_killed_takes_its_web_process_along(written):
    run = written.up(ANYWHERE + QUEUE)
    at = address(written)
    pid = web_pid(written)
    written.kill(run.pid)
    eventually(lambda: written.is_gone(pid), "it is gone")
    with pytest.raises(OSError):
        get(at, "/livez")


def test_a_port_that_is_taken_stops_no_job_and_is_tried_again(written):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        run = written.up(f"http: {{listen: '127.0.0.1:{port}', ingress: '127.0.0.1:0'}}\n" + QUEUE)
        run.says(f"cannot listen on 127.0.0.1:{port}: address already in use")
        written.enqueue("a", {})
        written.sees("end")
        (state,) = [one.web for one in written.records()]
        assert state is not None
        assert (state.state, state.listen) == ("waiting", None)
        assert "no dashboard: cannot listen on" in written.pipeline("status").stdout
    assert address(written) == f"127.0.0.1:{port}"
    assert get(f"127.0.0.1:{port}", "/livez")[0] == 200
    assert run.stop() == 0


def test_a_worker_that_cannot_start_is_the_reason_for_which_nothing_is_ready(written):
    (written.root / "deadly.py").write_text("import os\nos._exit(5)\n")
    written.write(ANYWHERE + "queues: {bad: {handler: 'deadly:work'}, a: {handler: 'hands:work'}}\n")
    run = written.run()
    at = address(written)
    eventually(lambda: "no worker of bad takes jobs" in str(get(at, "/readyz")[1]["reason"]), "the reason")
    run.stop()


def test_without_a_broker_it_lives_and_is_not_ready(written, own_server):
    written.url = own_server.url
    written.head = written.head.replace(written.head.split("'")[1], own_server.url)
    eventually(written.ping, "the server")
    run = written.up(ANYWHERE + QUEUE)
    at = address(written)
    eventually(lambda: get(at, "/readyz")[0] == 200, "it is ready")
    own_server.kill()
    eventually(
        lambda: get(at, "/readyz") == (503, {"ready": False, "reason": "the broker is away"}), "not ready"
    )
    assert get(at, "/livez")[0] == 200
    own_server.start()
    eventually(lambda: get(at, "/readyz")[0] == 200, "it is ready again")
    assert run.stop() == 0


def test_while_jobs_end_the_web_process_goes_on_and_then_leaves_without_cutting_an_answer(written):
    run = written.up(ANYWHERE + "queues: {a: {handler: 'hands:until_let'}}\n")
    at = address(written)
    written.enqueue("a", {})
    written.sees("begin")
    answers: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                answers.append(get(at, "/livez")[0])
            except (ConnectionRefusedError, ConnectionResetError):
                return

    asking = threading.Thread(target=ask)
    asking.start()
    run.signal(signal.SIGTERM)
    eventually(lambda: get(at, "/readyz")[1]["reason"] == "it is stopping", "it says that it stops")
    (written.root / "let").touch()
    assert run.ends() == 0
    stop.set()
    asking.join()
    assert set(answers) == {200}


def certificate(folder: Path) -> None:
    """One for localhost, that says itself that it is right."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip


def test_who_signs_in_with_a_password_from_the_command_does_so_by_https_where_there_is_a_certificate(written):
    certificate(written.root)
    made = subprocess.run(
        [*PIPELINE, "password"], input="open sesame\n", capture_output=True, text=True, check=True
    )
    assert made.stdout.startswith("scrypt:")
    assert "sesame" not in made.stdout
    more = f", tls: {{certificate: cert.pem, key: key.pem}}, users: {{alice: {{password: '{made.stdout.strip()}'}}}}}}"
    run = written.up(ANYWHERE.replace("}", more) + QUEUE)
    at = address(written)
    run.says(f"dashboard https://{at}/")
    context = ssl.create_default_context(cafile=str(written.root / "cert.pem"))
    connection = http.client.HTTPSConnection(
        at.replace("127.0.0.1", "localhost"), timeout=10, context=context
    )
    body = json.dumps({"user": "alice", "password": "open sesame"})
    connection.request("POST", "/api/v1/session", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert "; Secure" in (answer.headers["Set-Cookie"] or "")
    assert json.loads(answer.read())["role"] == "viewer"
    connection.close()
    assert "token" not in run.output
    assert written.pipeline("token").returncode == 1
    assert run.stop() == 0
