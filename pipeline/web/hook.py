"""One webhook, ready to be used: from a request that was verified to the job that it becomes. Knows no broker."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from pipeline.config.inputs import read_regular
from pipeline.config.schema import payload_checker
from pipeline.policy import ID_PATTERN
from pipeline.producer import Wanted
from pipeline.store.store import Mark
from pipeline.template import fields, fill, render
from pipeline.web.response import Refused
from pipeline.web.verify import Headers, Verifier, verifier
from pipeline.webhook import SecretSource, WebhookPlan, key_of

_ID = re.compile(ID_PATTERN)
LONGEST_ID = 128
LONGEST_SECRET = 64 * 1024
MOST_FIELDS = 100
_ALIASES = {"webhook-id": "svix-id", "webhook-timestamp": "svix-timestamp"}
_SHOWN = re.compile(r"\{(id|status)\}")


class Hook:
    """A webhook with its secrets. `trouble` says why nothing can be verified; then nothing is taken."""

    def __init__(self, name: str, plan: WebhookPlan, secrets: tuple[str, ...]) -> None:
        self.name = name
        self.plan = plan
        self.secrets = secrets
        self.trouble: str | None = None
        self.verify: Verifier = _refuse_all
        try:
            self.verify = verifier(plan.verify, [key_of(plan.verify, secret) for secret in secrets])
        except ValueError as error:
            self.trouble = str(error)
        rule, self._event = plan.deduplication, plan.event_id
        used = {path[0] for path in fields([plan.job, self._event, plan.data, plan.answer.body])}
        used |= {path[0] for path in fields(rule.key if rule else "")}
        self.reads_body = plan.data is None or plan.schema is not None or "body" in used
        self.is_slack = plan.verify.scheme == "slack"
        self._fits: Callable[[Any], str | None] | None = payload_checker(plan.schema) if plan.schema else None
        self._named = "{" in plan.job

    def wanted(self, headers: Headers, query: bytes, body: bytes) -> tuple[Wanted, Mark | None, Roots]:
        """The job, and the mark of its content when its id alone is not to be believed. Raises web.response.Refused."""
        roots = Roots(headers, query, self.parse(headers, body) if self.reads_body else None)
        if self._fits is not None and (problem := self._fits(roots["body"])):
            message = f"the body does not fit its schema: {problem.removeprefix('data.')}"
            raise Refused(422, "invalid_body", message)
        try:
            return (*self._wanted(headers, body, roots), roots)
        except LookupError as error:
            raise Refused(422, "missing_field", str(error.args[0])) from None

    def _wanted(self, headers: Headers, body: bytes, roots: Roots) -> tuple[Wanted, Mark | None]:
        plan, rule = self.plan, self.plan.deduplication
        job = _needed(plan.job, roots) if self._named else plan.job
        data = roots["body"] if plan.data is None else fill(plan.data, roots)
        key = render(rule.key, roots) if rule is not None else None
        own = msgspec.structs.replace(rule, key=key) if rule is not None and key else None
        event = render(self._event, roots) if self._event is not None else None
        if event == "":
            raise LookupError(f"{self._event} is empty")
        content = self._content(headers, body) if plan.replay else ""
        mark = Mark(f"{self.name}:{content}", plan.keep) if content and event is not None else None
        id = self._id(event if event is not None else f"sha256-{content[:40]}" if content else None)
        return Wanted(job, data, id, deduplication=own, keep=plan.keep), mark

    def parse(self, headers: Headers, body: bytes) -> Any:
        """The body as JSON. Raises Refused: 415 when it says that it is something else, 422 when it is not."""
        kind = headers.one(b"content-type") or b""
        word = kind.partition(b";")[0].strip().lower()
        if word != b"application/json" and not (word.startswith(b"application/") and word.endswith(b"+json")):
            raise Refused(
                415, "unsupported_media_type", "the body must be JSON", "send Content-Type: application/json"
            )
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(422, "invalid_body", f"the body is no JSON: {error}") from None

    def answer(self, id: str, status: str, roots: Mapping[str, Any]) -> bytes | None:
        """What the file says that a sender gets; None when it says nothing."""
        text = self.plan.answer.body
        if text is None:
            return None
        try:
            shown = _SHOWN.sub(lambda match: id if match[1] == "id" else status, text)
            return (render(shown, roots) or "").encode()
        except LookupError:
            return b""

    def _content(self, headers: Headers, body: bytes) -> str:
        """Names what was signed: the body, and the time of sending where there is one."""
        name = self.plan.verify.timestamp_header
        sent = (headers.one(name.encode()) or b"") if name is not None else b""
        return hashlib.sha256(sent + b"." + body if sent else body).hexdigest()

    def _id(self, event: str | None) -> str | None:
        """The id of a job: with the webhook's name in front. What cannot stand in an id is hashed."""
        if event is None:
            return None
        id = f"{self.name}:{event}"
        if len(id) > LONGEST_ID or not _ID.fullmatch(id):
            id = f"{self.name}:hashed-{hashlib.sha256(event.encode()).hexdigest()[:48]}"
        return id


class Roots(dict[str, Any]):
    """What a template may name. The query is only read when it is asked for."""

    def __init__(self, headers: Headers, query: bytes, body: Any) -> None:
        super().__init__(body=body, header=_Shown(headers))
        self._query = query

    def __missing__(self, root: str) -> Any:
        if root != "query":
            raise LookupError(root)
        try:
            pairs = parse_qsl(self._query.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            raise LookupError("the query cannot be read") from None
        found = self["query"] = dict(pairs)
        return found


class _Shown(Mapping[str, str]):
    """Headers as text, by their names in any case."""

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        name = name.lower()
        value = self._headers.one(name.encode())
        if value is None and name in _ALIASES:
            value = self._headers.one(_ALIASES[name].encode())
        if value is None or not value.isascii():
            raise KeyError(name)
        return value.decode("ascii")

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def _needed(template: str, roots: Mapping[str, Any]) -> str:
    text = render(template, roots)
    if not text:
        raise LookupError(f"{template} is missing")
    return text


def _refuse_all(_headers: Headers, _body: bytes, _now: float) -> None:
    raise AssertionError("a webhook in trouble takes nothing")


def secret_of(source: SecretSource, root: str, env: Mapping[str, str]) -> str:
    """The value of a secret now; empty when it has none."""
    if source.env is not None:
        return env.get(source.env, "")
    try:
        raw = read_regular(Path(root) / (source.file or ""), LONGEST_SECRET)
        return raw.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError):
        return ""
