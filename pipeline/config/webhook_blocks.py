"""The `webhooks:` of a config: where they come in, who may send them, and which job each becomes."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag

from pipeline.config.block import Block, optional, required
from pipeline.config.fields import Duration, Flag, Kind, Name, PlainText, Size, matching, refuse, shown, whole
from pipeline.config.tree import Text
from pipeline.policy import NAME_PATTERN
from pipeline.webhook import Scheme, VerifyPlan, WebhookPlan

PATH_PATTERN = r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+"
HEADER_PATTERN = r"[A-Za-z0-9][A-Za-z0-9-]{0,63}"
_FIELD = r"\{(?:body(?:\.[\w-]+)*|header\.[\w-]+|query\.[\w-]+)\??\}"
_TEMPLATE = re.compile(rf"(?:[^{{}}]|{_FIELD})+")
_ANSWER = re.compile(r"(?s)(?:[^{}]|\{(?:id|status)\}|" + _FIELD + r"|[{}](?![a-z]))*")
_EXAMPLES = "fields are {body.order.id}, {header.x-event} and {query.shop}"
_VERIFY = VerifyPlan("none")
_WEBHOOK = WebhookPlan(path="", verify=_VERIFY, queue="", job="")


def _path(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(PATH_PATTERN, value) or len(value) > 200:
        usable = "/" + re.sub(r"[^A-Za-z0-9._~/-]+", "-", str(value)).strip("/")
        good = not isinstance(value, Text) and re.fullmatch(PATH_PATTERN, usable)
        help = f"'{usable}' would do" if good else "for instance /hooks/stripe"
        refuse("P131", f"{shown(value)} is no path: it begins with / and has a-z, A-Z, 0-9, . _ ~ -", help)
    return str(value)


def _header(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(HEADER_PATTERN, value):
        refuse("P131", f"{shown(value)} cannot be the name of a header", "for instance X-Signature")
    return str(value).lower()


def _template(value: Any) -> str:
    if not isinstance(value, str) or not _TEMPLATE.fullmatch(value):
        refuse("P114", f"{shown(value)} is not a template of a webhook", _EXAMPLES)
    return str(value)


def _job(value: Any) -> str:
    if isinstance(value, str) and "{" in value:
        return _template(value)
    if not isinstance(value, str) or not re.fullmatch(NAME_PATTERN, value):
        help = 'for instance capture, or "{body.type}"'
        refuse("P108", f"{shown(value)} is neither the name of a job nor a template", help)
    return str(value)


def _data(value: Any) -> Any:
    if not isinstance(value, dict | str):
        refuse("P103", f"this must be a map of keys or a template, not {shown(value)}")
    return _filled(value)


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _filled(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_filled(one) for one in value]
    return _template(value) if isinstance(value, str) and "{" in value else _plain(value)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, str) else value


def _signed(value: Any) -> str:
    rest = re.sub(r"\{(?:body|timestamp|id)\}", "", value) if isinstance(value, str) else "{"
    if not value or {"{", "}"} & set(rest):
        refuse("P114", f"{shown(value)} does not say what is signed", 'for instance "{timestamp}.{body}"')
    return str(value)


def _answer(value: Any) -> str:
    if not isinstance(value, str) or not _ANSWER.fullmatch(value):
        refuse("P114", f"{shown(value)} is no answer", f'{_EXAMPLES}, {{id}} and {{status}}; or "ok"')
    return str(value)


HookPath = Annotated[str, matching(_path, PATH_PATTERN, "a path", "/hooks/stripe")]
HeaderName = Annotated[str, matching(_header, HEADER_PATTERN, "the name of a header", "X-Signature")]
HookTemplate = Annotated[str, matching(_template, _TEMPLATE.pattern, "a template", '"{body.id}"')]
JobTemplate = Annotated[
    str, matching(_job, rf"{NAME_PATTERN}|.*\{{.+\}}.*", "a name or a template", "capture")
]
DataTemplate = Annotated[
    Any, Kind(_data, {"type": ["object", "string"]}, "a map of keys or a template", '{order: "{body.id}"}')
]
SignedText = Annotated[str, matching(_signed, ".+", "text with {body} in it", '"{timestamp}.{body}"')]
AnswerText = Annotated[str, matching(_answer, ".*", "text", "ok")]


def _kind(value: Any) -> str:
    return "list" if isinstance(value, tuple | list) else "map" if isinstance(value, dict) else "scalar"


def _no_secret(_: Any) -> Any:
    refuse("P103", "a secret is not written here", "declare it under `secrets`, and write {secret: NAME}")


class WebhookSecret(Block):
    """A secret in the place of a value."""

    secret: Name = required("hot", "The name of the secret.")


SecretValue = Annotated[
    Annotated[WebhookSecret, Tag("map")]
    | Annotated[tuple[WebhookSecret, ...], Tag("list")]
    | Annotated[str, Kind(_no_secret, {}, "", ""), Tag("scalar")],
    Discriminator(_kind),
]


class VerifyBlock(Block):
    """How a sender proves who it is."""

    type: Scheme = required(
        "hot",
        "By the rules of stripe, github, shopify, standard (or standard-webhooks), slack or gitlab; by your own: hmac; "
        "by a password: basic; by a token: bearer; or none.",
    )
    secret: SecretValue | None = optional(
        "hot", "What both sides know, or a list of two while it is being changed."
    )
    user: PlainText | None = optional("hot", "The user of basic; the secret is the password.")
    header: HeaderName | None = optional("hot", "The header that holds the signature of hmac.")
    prefix: PlainText | None = optional("hot", "What stands before the signature, for instance sha256=.")
    algorithm: Literal["sha256", "sha512"] | None = optional("hot", "The hash of hmac, if not sha256.")
    encoding: Literal["hex", "base64"] | None = optional(
        "hot", "How its signature is written, if not in hex."
    )
    signed: SignedText | None = optional(
        "hot", "What is signed, if not {body} alone; with {timestamp} and {id}."
    )
    timestamp_header: HeaderName | None = optional(
        "hot", "The header with the time of sending, in seconds since 1970."
    )
    id_header: HeaderName | None = optional("hot", "The header with the {id} that is signed.")
    tolerance: Duration | None = optional(
        "hot", "How far the time of sending may be from ours, both ways, if not 5m."
    )
    allow_unsigned: Flag = optional("hot", "Must be true for type none.", _VERIFY.allow_unsigned)


class WebhookDeduplicationBlock(Block):
    """When an event is a duplicate of an earlier one with another id."""

    key: HookTemplate = required("hot", "Events with the same key are duplicates, for instance {body.order}.")
    mode: Literal["until_done", "throttle", "debounce"] = optional(
        "hot", "As in `deduplication` of a queue.", "until_done"
    )
    ttl: Duration | None = optional("hot", "The window of throttle, the quiet time of debounce.")


class AnswerBlock(Block):
    """What a sender gets when its event was taken."""

    status: Annotated[int, whole(200, 299)] | None = optional(
        "hot", "The status; else 202, and 200 for an event that came before."
    )
    body: AnswerText | None = optional("hot", "The body, a template; else JSON with the job's id.")


class WebhookIdsBlock(Block):
    """How long the ids of events are remembered."""

    keep: Duration = optional("hot", "At least this long after the job ended.", _WEBHOOK.keep)


class WebhookBlock(Block):
    """One webhook: who may send it, and which job it becomes."""

    path: HookPath = required("hot", "Where it comes in.")
    method: Literal["POST", "PUT"] = optional("hot", "The method that it comes with.", _WEBHOOK.method)
    verify: VerifyBlock = required("hot", "How a sender proves who it is.")
    queue: Name = required("hot", "The queue of its jobs.")
    job: JobTemplate = required("hot", "The name of its jobs, or a template such as {body.type}.")
    unknown_jobs: Literal["refuse", "ignore"] = optional(
        "hot",
        "What becomes of an event for which the queue has no job: 422, or 200 and nothing else.",
        _WEBHOOK.unknown_jobs,
    )
    id: HookTemplate | None = optional(
        "hot", "The id of an event, if not where its sender puts it: a second one is a duplicate."
    )
    replay: Literal["id", "id+body"] | None = optional(
        "hot",
        "Whether a second event is known by its id, or by its content, too; if not given, the latter where the id is not signed.",
    )
    deduplication: WebhookDeduplicationBlock | None = optional(
        "hot", "When an event is a duplicate of one with another id; in place of what the job's own says."
    )
    data: DataTemplate | None = optional(
        "hot", "The payload, with {body.x}, {header.x}, {query.x}; else the body."
    )
    schema_: PlainText | None = optional(
        "hot", "The JSON Schema of the body: a file, from the project's root.", alias="schema"
    )
    max_body: Size = optional("hot", "The largest body, up to 32MiB.", _WEBHOOK.max_body)
    response: AnswerBlock = optional("hot", "What a sender gets when its event was taken.", AnswerBlock())
    ids: WebhookIdsBlock = optional("hot", "How long ids are remembered.", WebhookIdsBlock())
