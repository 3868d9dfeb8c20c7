"""A webhook's block -> the plain values that the web process gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.config.model import SecretBlock
from pipeline.config.webhook_blocks import VerifyBlock, WebhookBlock, WebhookDeduplicationBlock, WebhookSecret
from pipeline.policy import Deduplication
from pipeline.webhook import Answer, SecretSource, VerifyPlan, WebhookPlan

_BUILT_IN = VerifyPlan("none")


def webhook_of(
    block: WebhookBlock, secrets: Mapping[str, SecretBlock], schemas: Mapping[str, dict[str, Any]]
) -> WebhookPlan:
    """The plain webhook of a block. `schemas` holds the content of every schema file."""
    verify = verify_of(block.verify, secrets)
    return WebhookPlan(
        path=block.path,
        verify=verify,
        queue=block.queue,
        job=block.job,
        method=block.method,
        id=block.id,
        deduplication=_deduplication(block.deduplication),
        data=block.data,
        schema=schemas[block.schema_] if block.schema_ is not None else None,
        max_body=block.max_body,
        answer=Answer(block.response.status, block.response.body),
        keep=block.ids.keep,
        replay=not verify.signs_id if block.replay is None else block.replay == "id+body",
        unknown_jobs=block.unknown_jobs,
    )


def verify_of(block: VerifyBlock, secrets: Mapping[str, SecretBlock]) -> VerifyPlan:
    """How a sender is verified. Of a secret the plan has the place, and not the value."""
    several = block.secret if isinstance(block.secret, tuple) else (block.secret,)
    names = [one.secret for one in several if isinstance(one, WebhookSecret)]
    sources = (secrets.get(name, SecretBlock()) for name in names)
    return VerifyPlan(
        type=block.type,
        secrets=tuple(
            SecretSource(name, one.file, one.env) for name, one in zip(names, sources, strict=True)
        ),
        user=block.user,
        header=block.header,
        prefix=block.prefix or "",
        algorithm=block.algorithm or _BUILT_IN.algorithm,
        encoding=block.encoding or _BUILT_IN.encoding,
        signed=block.signed or _BUILT_IN.signed,
        timestamp_header=block.timestamp_header,
        id_header=block.id_header,
        tolerance=_BUILT_IN.tolerance if block.tolerance is None else block.tolerance,
        allow_unsigned=block.allow_unsigned,
    )


def _deduplication(block: WebhookDeduplicationBlock | None) -> Deduplication | None:
    return None if block is None else Deduplication(block.key, block.mode, block.ttl)
