"""What must hold of `http`: nobody listens to the world without saying who may come in, and nothing of it contradicts."""

from __future__ import annotations

import ssl
from pathlib import Path

from pydantic import ValidationError

from pipeline.config.http import HttpBlock, TlsBlock
from pipeline.config.report import Report
from pipeline.config.secrets import Need
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Path as Steps
from pipeline.config.tree import Span, child, find, key_span, value_span
from pipeline.config.values import plain
from pipeline.listen import is_loopback, listener

HTTP: Steps = ("http",)
WAYS_OUT = (
    "give it `tls`, or name the networks of the proxy that speaks HTTPS: proxy: {from: [10.0.0.0/8]}; or keep it at "
    "127.0.0.1, and reach it by ssh -L or a proxy on this host"
)


def check_http(tree: Tree, root: Path, need: Need, report: Report) -> None:
    """Findings about `http`, where it can be read."""
    node = child(tree, "http")
    if not isinstance(node, Tree):
        return
    try:
        http = HttpBlock.model_validate(plain(node))
    except ValidationError:
        return
    _check_ports(http, tree, report)
    _check_auth(http, tree, report)
    _check_open(http, tree, report)
    for name, user in http.users.items():
        if user.password is None and (http.proxy is None or http.proxy.header is None):
            place = ("http", "users", name)
            help = "make its hash with `pipeline password`"
            report.error("P366", "the user has no password", key_span(tree, place), place, help)
    if http.tls is not None:
        _check_tls(http.tls, tree, root, need, report)


def _check_ports(http: HttpBlock, tree: Tree, report: Report) -> None:
    (host, port), (other, second) = listener(http.listen), listener(http.ingress)
    if port == second != 0 and (host == other or {host, other} & {"0.0.0.0", "::"}):  # noqa: S104 - compared only
        help = "the ingress may face the world, the dashboard should not: give them two ports"
        report.error("P367", "`listen` and `ingress` are the same", *_at(tree, "ingress", "listen"), help)


def _check_auth(http: HttpBlock, tree: Tree, report: Report) -> None:
    if http.auth != "none":
        return
    if not is_loopback(http.listen):
        help = "remove `auth: none`, or listen on 127.0.0.1"
        report.error("P365", "whoever reaches this address would be an admin", *_at(tree, "auth"), help)
    named = [key for key in ("users", "tokens", "proxy") if find(tree, (*HTTP, key)) is not None]
    if named:
        help = "remove `auth: none`, or what it makes void"
        report.error(
            "P366", f"with `auth: none` nobody is asked for `{named[0]}`", *_at(tree, named[0]), help
        )


def _check_open(http: HttpBlock, tree: Tree, report: Report) -> None:
    if http.auth != "none" and not is_loopback(http.listen) and http.tls is None and http.proxy is None:
        message = "passwords and tokens would cross the network in the clear"
        report.error("P365", message, *_at(tree, "listen"), WAYS_OUT)


def _check_tls(tls: TlsBlock, tree: Tree, root: Path, need: Need, report: Report) -> None:
    """A certificate lies on the host that runs, as secrets do."""
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(root / tls.certificate, root / tls.key, password=lambda: "")
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        tell = report.error if need == "required" else report.note
        tell("P369", f"the certificate cannot be used: {reason}", *_at(tree, "tls"))


def _at(tree: Tree, *keys: str) -> tuple[Span, Steps]:
    """The first of these keys that is written, as a place for a finding."""
    for key in keys:
        if find(tree, (*HTTP, key)) is not None:
            return value_span(tree, (*HTTP, key)), (*HTTP, key)
    return key_span(tree, HTTP), HTTP
