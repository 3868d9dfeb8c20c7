"""Webhooks as plain values: where one comes in, how its sender is verified, and which job it becomes. Pure."""

from __future__ import annotations

import base64
from typing import Any, Literal

from msgspec import Struct

from pipeline.policy import Deduplication

Scheme = Literal[
    "stripe",
    "github",
    "shopify",
    "standard",
    "standard-webhooks",
    "slack",
    "gitlab",
    "hmac",
    "basic",
    "bearer",
    "none",
]
ROOTS = ("body", "header", "query")
FORBIDDEN_HEADERS = ("authorization", "proxy-authorization", "cookie", "x-gitlab-token")
"""What may hold a secret never becomes a part of a job."""
SHORTEST_SECRET, SHORTEST_TOKEN = 16, 32
MOST_BODY = 32 * 2**20
DEFAULT_KEEP = 4 * 86_400_000
IDS: dict[str, str] = {
    "stripe": "{body.id}",
    "github": "{header.x-github-delivery}",
    "shopify": "{header.x-shopify-webhook-id}",
    "slack": "{body.event_id}",
    "gitlab": "{header.idempotency-key?}",
    "basic": "{header.idempotency-key?}",
    "bearer": "{header.idempotency-key?}",
}
"""Where a sender puts the id of its event. That of `standard` is a part of what is signed."""


class SecretSource(Struct, frozen=True):
    """A declared secret: its name, and the `file` (from the root) or the variable that holds it. Its value is no part of
    the plan."""

    name: str
    file: str | None = None
    env: str | None = None


class VerifyPlan(Struct, frozen=True):
    """How a sender proves who it is. With several `secrets` each of them does: that is how one is changed.

    `signed` is what `hmac` signs, with {body}, {timestamp} and {id} in it; `tolerance` is in ms.
    """

    type: Scheme
    secrets: tuple[SecretSource, ...] = ()
    user: str | None = None
    header: str | None = None
    prefix: str = ""
    algorithm: Literal["sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    signed: str = "{body}"
    timestamp_header: str | None = None
    id_header: str | None = None
    tolerance: int = 300_000
    allow_unsigned: bool = False

    @property
    def scheme(self) -> Scheme:
        """The type, by its one name."""
        return "standard" if self.type == "standard-webhooks" else self.type

    @property
    def id(self) -> str | None:
        """The template of an event's id, where the sender gives it one."""
        if self.scheme == "standard":
            return "{header.webhook-id}"
        if self.scheme == "hmac" and self.id_header is not None:
            return f"{{header.{self.id_header.lower()}}}"
        return IDS.get(self.scheme)

    @property
    def signs_id(self) -> bool:
        """Whether nobody but the sender can give an event another id. Where the secret itself comes along there is
        nothing to replay: who has a request has the secret."""
        if self.scheme == "hmac":
            return "{id}" in self.signed
        return self.scheme not in ("github", "shopify")


class Answer(Struct, frozen=True):
    """What a sender gets when its event was taken: `body` is a template of {id} and {status}, too; None is JSON."""

    status: int | None = None
    body: str | None = None


class WebhookPlan(Struct, frozen=True, kw_only=True):
    """One webhook. `id`, `data`, `job` and the deduplication's key are templates; `data` of None is the whole body.

    `keep` is how long an id stays taken after its job ended, in ms. `replay`: whether an event that was seen is known by
    what was signed, too, and not by its id alone. `schema` is that of the body.
    """

    path: str
    verify: VerifyPlan
    queue: str
    job: str
    method: Literal["POST", "PUT"] = "POST"
    id: str | None = None
    deduplication: Deduplication | None = None
    data: Any = None
    schema: dict[str, Any] | None = None
    max_body: int = 1_048_576
    answer: Answer = Answer()
    keep: int = DEFAULT_KEEP
    replay: bool = False
    unknown_jobs: Literal["refuse", "ignore"] = "refuse"

    @property
    def event_id(self) -> str | None:
        """The template of an event's id: its own, or what its sender is known for."""
        return self.id if self.id is not None else self.verify.id


def key_of(verify: VerifyPlan, secret: str) -> bytes:
    """The bytes that a secret stands for. Raises ValueError, which says why it cannot be used and shows none of it."""
    if verify.scheme == "standard":
        return _standard_key(secret)
    least = SHORTEST_TOKEN if verify.scheme == "bearer" else SHORTEST_SECRET
    key = secret.encode()
    if len(key) < least:
        raise ValueError(f"it has {len(key)} bytes, and {least} are the least")
    return key


def _standard_key(secret: str) -> bytes:
    if secret.startswith(("whpk_", "whsk_")):
        raise ValueError("it is of a pair of keys (v1a), and only shared secrets (v1, whsec_...) are read")
    text = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if not key or base64.b64encode(key).decode() != text:
        raise ValueError("it is not whsec_ and base64, as the sender shows it")
    if not 24 <= len(key) <= 64:
        raise ValueError(f"it stands for {len(key)} bytes, and 24 to 64 are possible")
    return key
