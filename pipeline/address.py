"""Which receivers an alert may be sent to. Pure: what stands in an address, and what a name turned out to mean.

A config's author may be fooled into an address, and whoever owns a name decides what it means: so that no alert
reaches the metadata service of a cloud or a printer in the office, only public addresses are spoken to, by TLS. The own
host is spoken to when its name says so (localhost, 127.0.0.1, [::1]), private networks with `allow_private`.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit

Ip = IPv4Address | IPv6Address


class Forbidden(Exception):
    """An address that no alert is sent to; the text says why, and shows nothing of the address."""


def split(url: str) -> SplitResult:
    """The parts of a usable address. Raises Forbidden."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Forbidden("it cannot be read") from None
    if parts.scheme not in ("https", "http"):
        raise Forbidden("it does not begin with https://")
    if not host or port == 0:
        raise Forbidden("it has no host")
    if "@" in parts.netloc:
        raise Forbidden("a user or password stands before the host")
    if any(not "!" <= letter <= "~" for letter in url) or "\\" in url:
        raise Forbidden("it holds a character that must be written as %..")
    return parts


def names_this_host(host: str) -> bool:
    """Whether a host's name says itself that it is this one."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def needs_tls(parts: SplitResult, *, allow_private: bool) -> bool:
    """Whether http is too little for this address, whatever its name may mean."""
    return parts.scheme == "http" and not allow_private and not names_this_host(parts.hostname or "")


def check(parts: SplitResult, address: str, *, allow_private: bool) -> None:
    """Whether the address that a host's name turned out to mean may be spoken to. Raises Forbidden."""
    try:
        found = plain(ip_address(address.partition("%")[0]))
    except ValueError:
        raise Forbidden("its name means no address") from None
    if found.is_loopback and names_this_host(parts.hostname or ""):
        return
    if found.is_multicast or found.is_unspecified or found.is_link_local or found.is_loopback:
        raise Forbidden("its name means an address of this host or link")
    if not is_public(found):
        if not allow_private:
            raise Forbidden("its name means a private address: allow_private: true would allow it")
    elif parts.scheme == "http":
        raise Forbidden("to a public address only https is spoken")


def is_public(found: Ip) -> bool:
    """Whether an address is one of the internet's."""
    return found.is_global and not found.is_reserved and not found.is_multicast


def plain(found: Ip) -> Ip:
    """The IPv4 address that is written as an IPv6 one (::ffff:10.0.0.1, 64:ff9b::, 2002::), else the address itself."""
    if isinstance(found, IPv4Address):
        return found
    if found.ipv4_mapped or found.sixtofour:
        return found.ipv4_mapped or found.sixtofour or found
    number = int(found)
    if number >> 32 in (0, 0x64FF9B << 64) and number > 1:  # IPv4-compatible, NAT64
        return IPv4Address(number & 0xFFFFFFFF)
    return found
