"""What the supervisor says of its web process, and when it starts one."""

from __future__ import annotations

import pytest

from pipeline.errors import StartError
from pipeline.listen import is_loopback, listener, written
from pipeline.plan import HttpPlan
from pipeline.supervisor.sockets import Sockets

ANY = "127.0.0.1:0"


def test_both_ports_are_had_or_neither() -> None:
    first = Sockets(HttpPlan(ANY, ANY))
    try:
        with pytest.raises(StartError, match=f"cannot listen on {first.ingress}: address already in use"):
            Sockets(HttpPlan(ANY, first.ingress))
        with pytest.raises(StartError, match=r"cannot listen on 192\.0\.2\.1:80: cannot assign"):
            Sockets(HttpPlan(ANY, "192.0.2.1:80"))
    finally:
        first.close()
    again = Sockets(HttpPlan(first.listen, first.ingress))
    assert (again.listen, again.ingress) == (first.listen, first.ingress)
    again.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("localhost:0", ("127.0.0.1", 0)), ("[::1]:9400", ("::1", 9400)), ("0.0.0.0:65535", ("0.0.0.0", 65_535))],
)  # fmt: skip
def test_an_address_to_listen_on_has_a_number_and_a_port(text, expected) -> None:
    assert listener(text) == expected
    assert is_loopback(text) is (expected[0] != "0.0.0.0")
    assert listener(written(*expected)) == expected


@pytest.mark.parametrize(
    "text",
    ["", ":80", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:٣", "::1:80", "[127.0.0.1]:80",
     "example.com:80", "unix:/x", "[::1]", "127.0.0.1:80 ", "*:80"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text) -> None:
    with pytest.raises(ValueError):
        listener(text)
