"""The `http:` of a config: what the web process listens on, and who may do what there."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.config.block import Block, optional, required
from pipeline.config.fields import Name, PlainText, matching, refuse, shown
from pipeline.listen import listener
from pipeline.passwords import is_hash
from pipeline.plan import HttpPlan, ProxyPlan

_HTTP = HttpPlan()
_PROXY = ProxyPlan(())
_PREFIX = r"(?:/[A-Za-z0-9._~-]+)+"
_HOST = r"(?:[A-Za-z0-9-]+\.)*[A-Za-z0-9-]+(?::[0-9]{1,5})?"
_HEADER = r"[A-Za-z0-9-]+"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        refuse("P103", f"this must be text, not {shown(value)}")
    return str(value)


def _listen(value: Any) -> str:
    text = _text(value)
    try:
        listener(text)
    except ValueError as error:
        refuse(
            "P360",
            f"{shown(value)} is nothing to listen on: {error}",
            "for instance 127.0.0.1:9400 or [::1]:9400",
        )
    return text


def _prefix(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(_PREFIX, text):
        refuse(
            "P361",
            f"{shown(value)} is no prefix of a path",
            "for instance /queues, without a slash at the end",
        )
    return text


def _host(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(_HOST, text, re.ASCII):
        refuse(
            "P362",
            f"{shown(value)} is no name of a host",
            "for instance queues.example.com, without https://",
        )
    return text.lower()


def _header(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(_HEADER, text):
        refuse("P363", f"{shown(value)} is no name of a header", "for instance X-Forwarded-User")
    return text.lower()


def _network(value: Any) -> str:
    text = _text(value)
    try:
        network = ip_network(text)
    except ValueError as error:
        refuse("P363", f"{shown(value)} is no network: {error}", "for instance 10.0.0.0/8 or 192.0.2.7")
    if network.prefixlen == 0:
        refuse(
            "P363", "everybody is in this network, and everybody would be believed", "name the proxy's own"
        )
    return str(network)


def _password(value: Any) -> str:
    text = _text(value)
    if not is_hash(text):
        refuse("P364", "this is no hash of a password", "make one with `pipeline password`")
    return text


Listen = Annotated[str, matching(_listen, r".+:[0-9]{1,5}", "an address and a port", "127.0.0.1:9400")]
Prefix = Annotated[str, matching(_prefix, _PREFIX, "a path", "/queues")]
Host = Annotated[str, matching(_host, _HOST, "the name of a host", "queues.example.com")]
Header = Annotated[str, matching(_header, _HEADER, "the name of a header", "X-Forwarded-User")]
Network = Annotated[str, matching(_network, r"[0-9a-fA-F.:/]+", "a network", "10.0.0.0/8")]
PasswordHash = Annotated[
    str, matching(_password, r"scrypt:.+", "a hash from `pipeline password`", '"scrypt:15:8:1:c2FsdA:aGFzaA"')
]
RoleWord = Literal["viewer", "operator", "admin"]


class TlsBlock(Block):
    """The certificate of the web process."""

    certificate: PlainText = required(
        "restart", "The file of the certificate and its chain, from the project's root."
    )
    key: PlainText = required("restart", "The file of its key, from the project's root.")


class UserBlock(Block):
    """Who signs in with a password."""

    role: RoleWord = optional(
        "restart", "viewer looks; operator acts on jobs; admin also purges, scales and rolls back.", "viewer"
    )
    password: PasswordHash | None = optional(
        "restart", "The hash of the password, made by `pipeline password`; none where a proxy signs users in."
    )


class TokenSecret(Block):
    """A secret in the place of a token."""

    secret: Name = required("restart", "The name of the secret.")


class TokenBlock(Block):
    """A program that shows a token, as `Authorization: Bearer`."""

    role: RoleWord = optional("restart", "What the program may do; see `users`.", "viewer")
    secret: TokenSecret = required("restart", "Where the token is kept: {secret: NAME}.")


class ProxyBlock(Block):
    """A proxy that has signed users in, and names them."""

    header: Header = required("restart", "The header in which the proxy names the user.")
    from_: tuple[Network, ...] = Field(
        alias="from",
        description="The networks of the proxy: from there alone it is believed.",
        json_schema_extra={"x-reload": "restart"},
    )
    role: RoleWord = optional("restart", "What users may do whom `users` does not list.", _PROXY.role)


class HttpBlock(Block):
    """The web process: dashboard, API, health, metrics and webhooks."""

    listen: Listen = optional("restart", "Where dashboard, API, health and metrics are.", _HTTP.listen)
    ingress: Listen = optional(
        "restart", "Where webhooks come in: the port that may face the world.", _HTTP.ingress
    )
    path: Prefix | None = optional("restart", "The prefix of every path, behind a proxy.")
    hosts: tuple[Host, ...] = optional(
        "restart", "The names under which it is reached, besides this host and what it listens on.", ()
    )
    tls: TlsBlock | None = optional("restart", "A certificate; without it plain HTTP is spoken.")
    auth: Literal["required", "none"] = optional(
        "restart", "none: whoever reaches the port is an admin; only on this host.", _HTTP.auth
    )
    users: dict[Name, UserBlock] = optional("restart", "Who signs in with a password, by name.", {})
    tokens: dict[Name, TokenBlock] = optional("restart", "Programs, by name.", {})
    proxy: ProxyBlock | None = optional("restart", "A proxy that signs users in.")
