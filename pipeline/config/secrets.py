"""Secrets: where `{secret: NAME}` stands, a value from a file or a variable is used, and never shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

import msgspec
from pydantic import ValidationError

from pipeline.address import Forbidden, needs_tls, split
from pipeline.config.inputs import read_regular
from pipeline.config.model import BrokerBlock, Config
from pipeline.config.receivers import AlertBlock
from pipeline.config.report import Report
from pipeline.config.suggest import did_you_mean
from pipeline.config.translate import explained
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Node, Scalar, Sequence, Text, child, find
from pipeline.config.tree import Path as Steps
from pipeline.webhook import VerifyPlan, key_of

Need = Literal["required", "broker", "noted"]
"""Whether a secret that is used and not set is an error, or a note. `broker`: only those are read that lead there."""
MAX_BYTES = 64 * 1024
SHORTEST_HIDDEN = 4
SHORTEST_TOKEN = 16
_BROKER: Steps = ("broker", "url")
_TOKENS: Steps = ("http", "tokens")


class Unset(Exception):
    """A secret has no value; the text says why."""


@dataclass(frozen=True)
class Secrets:
    """The values of the secrets that are used, by the place of their use, and the files they came from.

    One that is not set has an empty value.
    """

    values: dict[Steps, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def hidden(self) -> tuple[str, ...]:
        """What nothing may show, also the password alone. A text of a few letters is no secret, and stands
        everywhere."""
        parts = {part for value in self.values.values() for part in (value, *_passwords(value))}
        return tuple(sorted((part for part in parts if len(part) >= SHORTEST_HIDDEN), key=len, reverse=True))

    def fill(self, config: Config) -> Config:
        """The config with the values in it, for a plan and for nobody's eyes."""
        url = self.values.get(("broker", "url"))
        if url is None:
            return config
        return config.model_copy(update={"broker": config.broker.model_copy(update={"url": url})})


def _passwords(url: str) -> Iterator[str]:
    """The password of an address, as it is written and as it is meant."""
    login = url.partition("://")[2].rpartition("@")[0]
    password = login.partition(":")[2]
    yield from {password, unquote(password)} - {""}


def resolve(
    tree: Tree, written: Tree, root: Path, env: Mapping[str, str], need: Need, report: Report
) -> Secrets:
    """The secrets that the config uses. A reference to one that is not declared is an error.

    `tree` lacks what another finding is about already; `written` is all that stands in the file.
    """
    values: dict[Steps, str] = {}
    files: list[str] = []
    for place, reference in _references(tree, need):
        name = str(reference.value)
        declared = find(tree, ("secrets", name))
        if declared is None:
            if find(written, ("secrets", name)) is None:
                known = child(tree, "secrets")
                help = did_you_mean(name, known.entries if isinstance(known, Tree) else ())
                help = help or "declare it under `secrets`"
                report.error("P206", f"no secret is named '{reference.text}'", reference.span, place, help)
            continue
        if (file := child(declared, "file")) is not None:
            files.append(str(_path(root, file)))
        values[place] = _value(name, declared, root, env, need, report)
        if place[0] == "webhooks":
            _check_key(values[place], reference, tree, place, report)
            continue
        _check(values[place], reference, place, report)
        if place[:1] == ("alerts",):
            _check_way(values[place], reference, tree, place, report)
    return Secrets(values, tuple(files))


def _references(tree: Tree, need: Need) -> Iterator[tuple[Steps, Scalar]]:
    alerts, tokens = (find(tree, place) for place in (("alerts",), _TOKENS))
    names = alerts.entries if isinstance(alerts, Tree) and need != "broker" else ()
    owners = tokens.entries if isinstance(tokens, Tree) and need != "broker" else ()
    places = (*(("alerts", name, "url") for name in names), *((*_TOKENS, name, "secret") for name in owners))
    hooks = () if need == "broker" else _of_webhooks(tree)
    for place in (_BROKER, *places, *hooks):
        reference = find(tree, (*place, "secret"))
        if isinstance(reference, Scalar) and reference.value is not None:
            yield place, reference


def _of_webhooks(tree: Tree) -> Iterator[Steps]:
    hooks = child(tree, "webhooks")
    for name in hooks.entries if isinstance(hooks, Tree) else ():
        place: Steps = ("webhooks", name, "verify", "secret")
        several = find(tree, place)
        if isinstance(several, Sequence):
            yield from ((*place, at) for at in range(len(several.items)))
        else:
            yield place


def _value(name: str, declared: Node, root: Path, env: Mapping[str, str], need: Need, report: Report) -> str:
    try:
        return _read(declared, root, env)
    except Unset as error:
        tell = report.note if need == "noted" else report.error
        tell("P208", f"the secret '{name}' is not set: {error}", declared.span, ("secrets", name))
        return ""


def _read(declared: Node, root: Path, env: Mapping[str, str]) -> str:
    """The value of one declared secret. Raises Unset."""
    file, variable = child(declared, "file"), child(declared, "env")
    if file is None:
        name = str(variable.value) if isinstance(variable, Scalar) else ""
        if not env.get(name):
            raise Unset(f"the variable {name} is " + ("empty" if name in env else "not set"))
        return env[name]
    written = file.text if isinstance(file, Scalar) else ""
    try:
        raw = read_regular(_path(root, file), MAX_BYTES)
        value = raw.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise Unset(f"cannot read {written}: {(error.strerror or 'it cannot be opened').lower()}") from None
    except UnicodeDecodeError:
        raise Unset(f"{written} is not UTF-8 text") from None
    if len(raw) > MAX_BYTES:
        raise Unset(f"{written} is larger than 64 KiB")
    if not value:
        raise Unset(f"{written} is empty")
    return value


def _path(root: Path, file: Node) -> Path:
    return root / str(file.value) if isinstance(file, Scalar) else root


def _check(value: str, reference: Scalar, place: Steps, report: Report) -> None:
    """Whether the value is one that its place takes; the finding shows no part of it."""
    if not value:
        return
    if place[:2] == _TOKENS:
        if len(value) < SHORTEST_TOKEN:
            help = "for instance what `openssl rand -base64 24` prints"
            report.error("P368", "a token has 16 characters at least", reference.span, place, help)
        return
    source = f"{{secret: {reference.text}}}"
    try:
        kind = BrokerBlock if place == _BROKER else AlertBlock
        kind.model_validate({place[-1]: Text(value, source)})
    except ValidationError as error:
        code, message, help = explained(error.errors(include_url=False)[0])
        report.error(code, message, reference.span, place, help)


def _check_key(value: str, reference: Scalar, tree: Tree, place: Steps, report: Report) -> None:
    """Whether a webhook's secret is one that its scheme takes; the finding shows no part of it."""
    scheme = find(tree, (*place[:3], "type"))
    if not value or not isinstance(scheme, Scalar):
        return
    try:
        key_of(msgspec.convert({"type": scheme.value}, VerifyPlan), value)
    except msgspec.ValidationError:
        return  # the type is a finding already
    except ValueError as error:
        help = "use the one that the sender shows, or a long random one: openssl rand -base64 32"
        message = f"the secret '{reference.text}' cannot be used: {error}"
        report.error("P370", message, reference.span, place, help)


def _check_way(value: str, reference: Scalar, tree: Tree, place: Steps, report: Report) -> None:
    """Whether an alert may be sent to this address by http, if it says so."""
    allowed = find(tree, (*place[:-1], "allow_private"))
    with suppress(Forbidden):
        if value and needs_tls(
            split(value), allow_private=isinstance(allowed, Scalar) and allowed.value is True
        ):
            help = "write https://, or allow_private: true for a receiver in a private network"
            report.error("P342", "http is spoken to this host only", reference.span, place, help)
