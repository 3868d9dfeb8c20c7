"""What must hold of a webhook: that its sender is verified, its path is its own, and its jobs can be enqueued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline.config.checks import Scope
from pipeline.config.layers import block
from pipeline.config.model import QueueBlock
from pipeline.config.references import References, Use
from pipeline.config.report import Report
from pipeline.config.tree import Mapping as Tree
from pipeline.config.tree import Path, Scalar, Span, child, find, key_span, value_span
from pipeline.config.values import plain
from pipeline.config.webhook_blocks import VerifyBlock, WebhookBlock
from pipeline.listen import is_loopback
from pipeline.template import fields
from pipeline.webhook import FORBIDDEN_HEADERS, MOST_BODY, VerifyPlan

MOST = 1_000
_IN_THE_CLEAR = ("bearer", "basic", "gitlab")
_OF_TYPE = {
    "user": ("basic",),
    **dict.fromkeys(
        ("header", "prefix", "algorithm", "encoding", "signed", "timestamp_header", "id_header"), ("hmac",)
    ),
    "tolerance": ("stripe", "standard", "standard-webhooks", "slack", "hmac"),
}


@dataclass(frozen=True)
class _Webhook:
    """One webhook of the file, and where it stands."""

    name: str
    block: WebhookBlock
    node: Tree
    key: Span
    report: Report

    @property
    def path(self) -> Path:
        return ("webhooks", self.name)

    def place(self, *steps: str, key: bool = False) -> Span:
        """The place of a value (or a key), or of the nearest one above."""
        while steps and find(self.node, steps) is None:
            steps = steps[:-1]
        if not steps:
            return self.key
        return (key_span if key else value_span)(self.node, steps)

    def error(self, code: str, message: str, *steps: str, key: bool = False, help: str = "") -> None:
        self.report.error(code, message, self.place(*steps, key=key), (*self.path, *steps), help)


def check_webhooks(
    tree: Tree, written: Tree, scopes: Sequence[Scope], references: References, report: Report
) -> None:
    """Everything about the webhooks of a file, but the values of their secrets; see secrets.py."""
    entries = block(child(tree, "webhooks")).entries
    if len(entries) > MOST:
        message = f"{len(entries):,} webhooks, and at most {MOST:,} are possible"
        report.error("P376", message, key_span(tree, ("webhooks",)), ("webhooks",))
        return
    queues = {str(scope.path[1]): scope for scope in scopes if isinstance(scope.settings, QueueBlock)}
    ways: dict[tuple[str, str], str] = {}
    for hook in _read(tree, report):
        if _is_whole(hook, written):
            _check_verify(hook)
        _check_way(hook, ways)
        _check_fields(hook)
        _check_deduplication(hook)
        _check_target(hook, written, references)
        _check_size(hook, queues)
        _check_reach(hook, tree)


def _read(tree: Tree, report: Report) -> Iterator[_Webhook]:
    for name, entry in block(child(tree, "webhooks")).entries.items():
        node = block(entry.value)
        try:
            read = WebhookBlock.model_validate(plain(node, ("webhooks", name)))
        except ValidationError:
            continue
        yield _Webhook(name, read, node, entry.key, report)


def _is_whole(hook: _Webhook, written: Tree) -> bool:
    """Whether nothing of how it is verified has a finding already, and so is not in the tree any more."""
    was = block(find(written, (*hook.path, "verify"))).entries
    return len(was) == len(block(child(hook.node, "verify")).entries)


# --- who may send it ---------------------------------------------------------------------------------------


def _check_verify(hook: _Webhook) -> None:
    verify = hook.block.verify
    for key in (key for key, types in _OF_TYPE.items() if verify.type not in types):
        if find(hook.node, ("verify", key)) is not None:
            message = f"{verify.type} does not use `{key}`"
            hook.error("P371", message, "verify", key, key=True, help="remove it")
    if missing := list(_missing(verify)):
        message = f"{verify.type} needs `{'` and `'.join(missing)}`"
        hook.error("P371", message, "verify", key=True, help=_HELP.get(missing[0], ""))
    if verify.type == "none":
        _check_none(hook)
    elif verify.allow_unsigned:
        hook.error(
            "P371", f"{verify.type} does not use `allow_unsigned`", "verify", "allow_unsigned", key=True
        )
    if isinstance(verify.secret, tuple) and not 1 <= len(verify.secret) <= 2:
        help = "the new one and the old one, until nobody uses that any more"
        hook.error("P371", "a webhook has one secret, or two", "verify", "secret", help=help)
    if verify.type == "hmac":
        _check_signed(hook)


_HELP = {
    "secret": "for instance {secret: stripe-signing}, declared under `secrets`",
    "header": "the header that holds the signature, for instance X-Signature",
    "timestamp_header": "the header that holds the {timestamp} that is signed",
    "id_header": "the header that holds the {id} that is signed",
}


def _missing(verify: VerifyBlock) -> Iterator[str]:
    needs = {"secret": verify.type != "none", "user": verify.type == "basic", "header": verify.type == "hmac"}
    signed = (verify.signed or "") if verify.type == "hmac" else ""
    needs["timestamp_header"] = "{timestamp}" in signed
    needs["id_header"] = "{id}" in signed
    return (key for key, needed in needs.items() if needed and getattr(verify, key) is None)


def _check_none(hook: _Webhook) -> None:
    if hook.block.verify.secret is not None:
        hook.error("P371", "none does not use `secret`", "verify", "secret", key=True, help="remove it")
    if not hook.block.verify.allow_unsigned:
        help = "choose how senders are verified, or write allow_unsigned: true"
        hook.error("P372", "anybody could send this webhook", "verify", "type", help=help)


def _check_signed(hook: _Webhook) -> None:
    verify, signed = hook.block.verify, hook.block.verify.signed or VerifyPlan("hmac").signed
    if "{body}" not in signed:
        help = 'write {body}, for instance "{timestamp}.{body}"'
        hook.error("P373", "the body is not signed: it could be another one", "verify", "signed", help=help)
    for key, token in (("timestamp_header", "{timestamp}"), ("id_header", "{id}")):
        if getattr(verify, key) is not None and token not in signed:
            message = f"`{key}` proves nothing: {token} is not signed"
            help = f"put {token} into `signed`, if the sender signs it, or remove `{key}`"
            hook.error("P373", message, "verify", key, key=True, help=help)
    if verify.timestamp_header is None and find(hook.node, ("verify", "tolerance")) is not None:
        message = "without `timestamp_header` there is no time to tolerate"
        hook.error("P371", message, "verify", "tolerance", key=True, help="remove it")


def _check_reach(hook: _Webhook, tree: Tree) -> None:
    """What passes on this host, and surprises when the network reaches the ingress."""
    ingress, verify = find(tree, ("http", "ingress")), hook.block.verify
    if not isinstance(ingress, Scalar) or not _is_beyond(str(ingress.value)):
        return
    place, path = hook.place("verify", "type"), (*hook.path, "verify", "type")
    if verify.type == "none":
        help = "listen on 127.0.0.1, behind what lets nobody else through"
        hook.report.warning("P437", "whoever reaches the ingress can send this webhook", place, path, help)
    elif verify.type in _IN_THE_CLEAR and not any(find(tree, ("http", key)) for key in ("tls", "proxy")):
        message = f"the secret of {verify.type} crosses the network in the clear"
        help = "give `http` a `tls` or a `proxy`, or listen on 127.0.0.1 behind one that speaks HTTPS"
        hook.report.warning("P437", message, place, path, help)


def _is_beyond(ingress: str) -> bool:
    """Whether others than this host can reach it. What is no address is a finding of its own."""
    try:
        return not is_loopback(ingress)
    except ValueError:
        return False


# --- where it comes in, and what it becomes ----------------------------------------------------------------


def _check_way(hook: _Webhook, ways: dict[tuple[str, str], str]) -> None:
    way = (hook.block.method, hook.block.path)
    if way in ways:
        message = f"the webhook '{ways[way]}' comes in here, too"
        hook.error("P374", message, "path", help="give one of the two another path")
    ways.setdefault(way, hook.name)


def _check_fields(hook: _Webhook) -> None:
    """No secret of the sender's becomes a part of a job."""
    own, key = hook.block, hook.block.deduplication and hook.block.deduplication.key
    for step, value in (("id", own.id), ("job", own.job), ("data", own.data), ("deduplication", key)):
        names = {".".join(path[1:]).lower() for path in fields(value) if path[0] == "header"}
        for name in sorted(names & {*FORBIDDEN_HEADERS}):
            message = f"{{header.{name}}} may hold a secret, and would be kept with the job"
            hook.error("P377", message, step, help="use another header")


def _check_deduplication(hook: _Webhook) -> None:
    rule = hook.block.deduplication
    if rule is None:
        return
    if rule.mode in ("throttle", "debounce") and rule.ttl is None:
        hook.error(
            "P303", f"{rule.mode} needs a `ttl`", "deduplication", key=True, help="for instance ttl: 10m"
        )
    if rule.mode == "until_done" and rule.ttl is not None:
        message = "until_done ends with the job and takes no `ttl`"
        help = "remove `ttl`, or write mode: throttle"
        hook.error("P304", message, "deduplication", "ttl", key=True, help=help)


def _check_target(hook: _Webhook, written: Tree, references: References) -> None:
    own, home = hook.block, ("queues", hook.block.queue)
    queue = find(written, home)
    if not _is_there(hook, "queue", own.queue, ("queues",), written, references) or "{" in own.job:
        return
    if find(queue, ("jobs", own.job)) is None and child(queue, "handler") is None and isinstance(queue, Tree):
        _is_there(hook, "job", own.job, (*home, "jobs"), written, references)


def _is_there(
    hook: _Webhook, step: str, name: str, home: Path, written: Tree, references: References
) -> bool:
    """Whether `name` is a key of the map at `home`."""
    message = f"the file has no queue '{name}'" if step == "queue" else f"the queue has no job '{name}'"
    return references.has(written, home, name, Use("P375", message, hook.place(step), (*hook.path, step)))


def _check_size(hook: _Webhook, queues: Mapping[str, Scope]) -> None:
    own, scope = hook.block, queues.get(hook.block.queue)
    if own.max_body > MOST_BODY:
        hook.error("P107", "this must lie between 1B and 32MiB", "max_body")
    elif (
        scope is not None
        and isinstance(scope.settings, QueueBlock)
        and own.data is None
        and find(hook.node, ("max_body",)) is not None
        and own.max_body > scope.settings.max_payload
    ):
        message = f"the queue '{own.queue}' takes no payload of that size"
        help = f"raise queues.{own.queue}.max_payload, or say in `data` what of the body is needed"
        place, path = hook.place("max_body"), (*hook.path, "max_body")
        hook.report.warning("P436", message, place, path, help)
