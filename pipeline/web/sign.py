"""The other side of verify: the headers that a sender would send along, for a person who tries a webhook. Pure."""

from __future__ import annotations

import base64
import re

from pipeline.web.verify import mac
from pipeline.webhook import VerifyPlan


def signed_headers(plan: VerifyPlan, secret: bytes, body: bytes, now: int, id: str) -> dict[str, str]:
    """What proves that `body` comes from the sender. `secret` is the key's bytes, `now` seconds since 1970; `id` names
    the event where a header does."""
    match plan.scheme:
        case "stripe":
            return {"Stripe-Signature": f"t={now},v1={_mac(secret, f'{now}.', body).hex()}"}
        case "github":
            return {"X-Hub-Signature-256": f"sha256={_mac(secret, '', body).hex()}", "X-GitHub-Delivery": id}
        case "shopify":
            signature = base64.b64encode(_mac(secret, "", body)).decode()
            return {"X-Shopify-Hmac-SHA256": signature, "X-Shopify-Webhook-Id": id}
        case "standard":
            signature = base64.b64encode(_mac(secret, f"{id}.{now}.", body)).decode()
            return {"webhook-id": id, "webhook-timestamp": str(now), "webhook-signature": f"v1,{signature}"}
        case "slack":
            signature = _mac(secret, f"v0:{now}:", body).hex()
            return {"X-Slack-Request-Timestamp": str(now), "X-Slack-Signature": f"v0={signature}"}
        case "gitlab":
            return {"X-Gitlab-Token": secret.decode(), "Idempotency-Key": id}
        case "basic":
            login = base64.b64encode(f"{plan.user}:".encode() + secret).decode()
            return {"Authorization": f"Basic {login}", "Idempotency-Key": id}
        case "bearer":
            return {"Authorization": f"Bearer {secret.decode()}", "Idempotency-Key": id}
        case "hmac":
            return _own(plan, secret, body, now, id)
    return {}


def _mac(key: bytes, before: str, body: bytes) -> bytes:
    return mac(key, (before.encode(), body))


def _own(plan: VerifyPlan, key: bytes, body: bytes, now: int, id: str) -> dict[str, str]:
    known = {"{body}": body, "{timestamp}": str(now).encode(), "{id}": id.encode()}
    pieces = re.split(r"(\{(?:body|timestamp|id)\})", plan.signed)
    digest = mac(key, [known.get(piece, piece.encode()) for piece in pieces], plan.algorithm)
    written = digest.hex() if plan.encoding == "hex" else base64.b64encode(digest).decode()
    beside = ((plan.timestamp_header, str(now)), (plan.id_header, id))
    return {plan.header or "": plan.prefix + written} | {name: value for name, value in beside if name}
