"""Which addresses an alert may be sent to."""

from __future__ import annotations

import pytest

from pipeline.address import Forbidden, check, names_this_host, needs_tls, split

PUBLIC = "93.184.215.14"
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "100.127.255.255", "198.18.0.1", "192.0.2.1",
    "240.0.0.1", "fc00::1", "fd12:3456::1", "2001:db8::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "2002:a00:1::",
    "::10.0.0.1", "255.255.255.255",
]  # fmt: skip
NEVER = [
    "127.0.0.1", "127.8.9.10", "::1", "0.0.0.0", "::", "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "224.0.0.1",
    "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254", "2002:7f00:1::", "::ffff:0.0.0.0",
]  # fmt: skip


@pytest.mark.parametrize("address", [PUBLIC, "2606:2800:21f::1", "8.8.8.8", "::ffff:8.8.8.8"])
def test_a_public_address_is_spoken_to_by_https_only(address: str) -> None:
    for allow_private in (False, True):
        check(split("https://example.com"), address, allow_private=allow_private)
    with pytest.raises(Forbidden, match="only https"):
        check(split("http://example.com"), address, allow_private=True)


@pytest.mark.security("S15")
@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_needs_leave(address: str) -> None:
    with pytest.raises(Forbidden, match="private address"):
        check(split("https://example.com"), address, allow_private=False)
    if address != "255.255.255.255":
        check(split("http://example.com"), address, allow_private=True)


@pytest.mark.security("S15")
@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize(
    "url", ["https://example.com", "https://metadata.internal", "http://169.254.169.254"]
)
def test_no_name_of_others_leads_to_this_host_or_link(url: str, address: str) -> None:
    with pytest.raises(Forbidden, match="this host or link"):
        check(split(url), address, allow_private=True)


@pytest.mark.parametrize(
    "url", ["http://localhost:9000/x", "https://LOCALHOST.", "http://127.0.0.1", "http://[::1]:80"]
)
def test_this_host_is_spoken_to_when_the_name_says_so(url: str) -> None:
    parts = split(url)
    assert not needs_tls(parts, allow_private=False)
    for address in ("127.0.0.1", "::1"):
        check(parts, address, allow_private=False)


@pytest.mark.security("S15")
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1.example.com", "localhost.example.com", "127.1", "0x7f000001", "2130706433", "017700000001", "0", "[::]",
     "localhost@example.com", "notlocalhost"],
)  # fmt: skip
def test_what_only_looks_like_this_host_is_not_it(host: str) -> None:
    assert not names_this_host(host)


@pytest.mark.security("S15")
@pytest.mark.parametrize(
    "url",
    ["", "example.com", "ftp://example.com", "file:///etc/passwd", "gopher://example.com", "https://", "https:///path",
     "https://user@example.com", "https://user:word@example.com", "https://@example.com", "https://exa mple.com",
     "https://example.com/a b", "https://example.com/\r\nX: y", "https://example.com:0", "https://example.com:99999",
     "https://example.com:x", "https://[::1", "https://ex\u00e4mple.com", "https://example.com\\@localhost", "javascript:x"],
)  # fmt: skip
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Forbidden) as caught:
        split(url)
    assert not url or url not in str(caught.value)


def test_plain_http_is_for_this_host_and_for_private_networks() -> None:
    assert needs_tls(split("http://example.com"), allow_private=False)
    assert not needs_tls(split("http://example.com"), allow_private=True)
    assert not needs_tls(split("https://example.com"), allow_private=False)
