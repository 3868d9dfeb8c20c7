"""Where to listen: an address and a port, as the file writes them. Pure."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def listener(text: str) -> tuple[str, int]:
    """`127.0.0.1:9400`, `[::1]:9400` or `localhost:9400` as host and port; port 0 is any free one. Raises ValueError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError("it needs an address and a port")
    if not (port.isascii() and port.isdigit() and int(port) < 65_536):
        raise ValueError("the port must be a number from 1 to 65535")
    bare = host.removeprefix("[").removesuffix("]")
    if bare == "localhost":
        return "127.0.0.1", int(port)
    try:
        address = ip_address(bare)
    except ValueError:
        raise ValueError("the address must be one of this host, as a number, or localhost") from None
    if isinstance(address, IPv6Address) != (host != bare):
        raise ValueError("an IPv6 address stands in brackets, and no other does")
    return bare, int(port)


def is_loopback(text: str) -> bool:
    """Whether only this host can reach what listens there."""
    return ip_address(listener(text)[0]).is_loopback


def written(host: str, port: int) -> str:
    """An address as the file would write it."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
