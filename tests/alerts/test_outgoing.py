"""One POST by strict rules."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.alerts.outgoing import post
from pipeline.errors import NotSent
from tests.alerts.receiver import Receiver, receiving

BODY = b'{"text":"it burns"}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def means(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[Any]:
    """Every name means these addresses; the result fills with the questions."""
    asked: list[Any] = []

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        families = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(families[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return asked


def test_the_body_arrives_as_json_where_the_address_says(receiver: Receiver) -> None:
    post(f"{receiver.url}/T0/B0?x=1", BODY)
    assert (receiver.paths, receiver.texts) == (["/T0/B0?x=1"], ["it burns"])
    headers = receiver.headers[0]
    assert (headers["Content-Type"], headers["Host"]) == (
        "application/json",
        f"127.0.0.1:{receiver.server_port}",
    )


@pytest.mark.security("S15")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    with receiving() as other:
        receiver.status, receiver.location = status, f"{other.url}/"
        with pytest.raises(NotSent, match=f"it answered {status}: redirects are not followed"):
            post(receiver.url, BODY)
        assert other.bodies == []


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_an_answer_that_is_no_success_is_told_by_its_number_alone(receiver: Receiver, status: int) -> None:
    receiver.status = status
    with pytest.raises(NotSent) as caught:
        post(f"{receiver.url}/token", BODY)
    assert caught.value.message == f"it answered {status}"


@pytest.mark.security("S15", inputs=5)
def test_a_name_is_looked_up_once_and_every_address_of_it_must_be_allowed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for addresses in (
        ("127.0.0.1",),
        ("8.8.8.8", "127.0.0.1"),
        ("10.0.0.1",),
        ("::1",),
        ("169.254.169.254",),
    ):
        asked = means(monkeypatch, *addresses)
        with pytest.raises(NotSent, match="its address is not allowed"):
            post(f"https://example.com:{receiver.server_port}", BODY)
        assert asked == ["example.com"]
    assert receiver.bodies == []


def test_the_connection_goes_to_the_address_that_was_looked_at(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = means(monkeypatch, "127.0.0.1")
    post(f"http://localhost:{receiver.server_port}", BODY)
    assert (asked, receiver.texts) == (["localhost"], ["it burns"])


@pytest.mark.security("S15")
@pytest.mark.parametrize("url", ["http://example.com/x", "http://10.0.0.1/x", "https://me:word@localhost/"])
def test_what_is_not_allowed_is_not_even_looked_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = means(monkeypatch, "127.0.0.1")
    with pytest.raises(NotSent):
        post(url, BODY)
    assert asked == []


def test_whoever_is_slow_or_trickles_is_left(receiver: Receiver) -> None:
    for receiver.delay, receiver.trickle in ((60.0, False), (0.0, True)):
        begun = time.monotonic()
        with pytest.raises(NotSent, match=r"it did not answer within 0\.3 s"):
            post(receiver.url, BODY, seconds=0.3)
        assert time.monotonic() - begun < 2


def test_nobody_there_is_told_without_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotSent) as caught:
        post(f"http://127.0.0.1:{port}/token", BODY)
    assert caught.value.message == "connection refused"


@pytest.mark.security("S15", inputs=2)
@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"]
    subprocess.run([*command, "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with receiving(tls) as receiver:
        url = f"https://localhost:{receiver.server_port}/"
        with pytest.raises(NotSent, match="its certificate cannot be trusted"):
            post(url, BODY)
        assert receiver.bodies == []
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        post(url, BODY)
        assert receiver.texts == ["it burns"]
        with pytest.raises(NotSent, match="its certificate cannot be trusted"):
            post(url.replace("localhost", "127.0.0.1"), BODY)
