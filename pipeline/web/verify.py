"""Whether a webhook comes from who it says: the signatures of its senders, over the bytes as they came. Pure.

Only one form of everything is taken: a header once, a time of digits, hex in lower case, base64 as an encoder writes it.
All secrets are tried, and compared in constant time. Why something is refused is for us, never for the sender.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from pipeline.webhook import VerifyPlan

Reason = Literal[
    "no_signature",
    "no_timestamp",
    "no_id",
    "repeated_header",
    "malformed_signature",
    "malformed_timestamp",
    "malformed_id",
    "too_old",
    "in_the_future",
    "wrong_signature",
    "wrong_credentials",
]
MOST_SIGNATURES = 16
LONGEST_HEADER = 4_096
_TIME = re.compile(rb"[0-9]{1,12}")
_HEX = {32: re.compile(rb"[0-9a-f]{64}"), 64: re.compile(rb"[0-9a-f]{128}")}
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{2,}={0,2}")
_VERSION = re.compile(rb"[a-z0-9]{1,16}")
_ID = re.compile(rb"[\x21-\x2d\x2f-\x7e]{1,256}")
"""Visible ASCII without a dot, which stands between the parts of what is signed."""


class Refused(Exception):
    """Not who it says, or nobody can tell."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Headers:
    """The headers of a request, by their names in lower case."""

    __slots__ = ("_repeated", "_values")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._values: dict[bytes, bytes] = {}
        self._repeated: set[bytes] = set()
        for written, value in pairs:
            name = written.lower()
            if name in self._values:
                self._repeated.add(name)
            self._values[name] = value

    def one(self, name: bytes) -> bytes | None:
        """The value of a header that may come once at most. Raises Refused when it comes twice."""
        if name in self._repeated:
            raise Refused("repeated_header")
        return self._values.get(name)

    def needed(self, name: bytes, reason: Reason = "no_signature") -> bytes:
        """The value of a header that must be there. Raises Refused."""
        value = self.one(name)
        if value is None:
            raise Refused(reason)
        return value


Verifier = Callable[[Headers, bytes, float], None]
"""Raises Refused unless a request with these headers and this body, at this time (seconds since 1970), is genuine."""


def verifier(plan: VerifyPlan, keys: Sequence[bytes]) -> Verifier:
    """How the requests of a webhook are verified. `keys` are the bytes of its secrets, each of which will do.

    Raises ValueError when there is no key, or an empty one: that would let everybody in.
    """
    if plan.scheme == "none":
        return _nothing
    if not keys or not all(keys):
        raise ValueError("a webhook that is verified needs a secret")
    return _MAKERS[plan.scheme](plan, tuple(keys))


def _nothing(_headers: Headers, _body: bytes, _now: float) -> None:
    pass


# --- what all have in common -------------------------------------------------------------------------------


def moment(written: bytes, now: float, tolerance: int) -> bytes:
    """A time of sending as it is signed. Raises Refused when it is none, or too far from `now`. `tolerance` is in ms."""
    if not _TIME.fullmatch(written):
        raise Refused("malformed_timestamp")
    age = now - int(written)
    if age * 1000 > tolerance:
        raise Refused("too_old")
    if -age * 1000 > tolerance:
        raise Refused("in_the_future")
    return written


def from_hex(written: bytes, size: int = 32) -> bytes:
    """The bytes of a digest in hex. Raises Refused."""
    if not _HEX[size].fullmatch(written):
        raise Refused("malformed_signature")
    return binascii.unhexlify(written)


def from_base64(written: bytes, size: int = 32) -> bytes:
    """The bytes of a digest in base64. Raises Refused."""
    if len(written) != (size + 2) // 3 * 4 or not _BASE64.fullmatch(written):
        raise Refused("malformed_signature")
    try:
        digest = base64.b64decode(written, validate=True)
    except ValueError:
        raise Refused("malformed_signature") from None
    if base64.b64encode(digest) != written:
        raise Refused("malformed_signature")
    return digest


def mac(key: bytes, parts: Iterable[bytes], algorithm: str = "sha256") -> bytes:
    """The HMAC of these parts, one after the other."""
    state = hmac.new(key, digestmod=algorithm)
    for part in parts:
        state.update(part)
    return state.digest()


def check(
    keys: Sequence[bytes], parts: Sequence[bytes], given: Sequence[bytes], algorithm: str = "sha256"
) -> None:
    """Raises Refused unless one of the digests `given` is the HMAC by one of `keys`. All are compared with all."""
    found = False
    for key in keys:
        expected = mac(key, parts, algorithm)
        for digest in given:
            found |= hmac.compare_digest(expected, digest)
    if not found:
        raise Refused("wrong_signature")


def check_secret(expected: Sequence[bytes], given: bytes) -> None:
    """Raises Refused unless `given` is one of `expected`. Neither its length nor its beginning shows in the time taken."""
    digest, found = hashlib.sha256(given).digest(), False
    for one in expected:
        found |= hmac.compare_digest(hashlib.sha256(one).digest(), digest)
    if not found:
        raise Refused("wrong_credentials")


def _short(value: bytes) -> bytes:
    if len(value) > LONGEST_HEADER:
        raise Refused("malformed_signature")
    return value


# --- the senders -------------------------------------------------------------------------------------------


def _stripe(plan: VerifyPlan, keys: tuple[bytes, ...]) -> Verifier:
    """`Stripe-Signature: t=1492774577,v1=<hex>,v0=...`: the HMAC of `<t>.<body>`. Whatever is not t or v1 is ignored."""

    def verify(headers: Headers, body: bytes, now: float) -> None:
        fields = [item.partition(b"=") for item in _short(headers.needed(b"stripe-signature")).split(b",")]
        if not all(separator for _, separator, _ in fields):
            raise Refused("malformed_signature")
        times = [value for name, _, value in fields if name == b"t"]
        if len(times) != 1:
            raise Refused("malformed_timestamp" if times else "no_timestamp")
        signatures = [value for name, _, value in fields if name == b"v1"]
        given = _several(signatures, from_hex)
        check(keys, (moment(times[0], now, plan.tolerance), b".", body), given)

    return verify


def _several(signatures: Sequence[bytes], read: Callable[[bytes], bytes]) -> list[bytes]:
    if not signatures:
        raise Refused("no_signature")
    if len(signatures) > MOST_SIGNATURES:
        raise Refused("malformed_signature")
    return [read(one) for one in signatures]


def _github(_plan: VerifyPlan, keys: tuple[bytes, ...]) -> Verifier:
    """`X-Hub-Signature-256: sha256=<hex>`: the HMAC of the body. The older header with SHA-1 is not looked at."""

    def verify(headers: Headers, body: bytes, _now: float) -> None:
        check(keys, (body,), [from_hex(_after(b"sha256=", headers.needed(b"x-hub-signature-256")))])

    return verify


def _after(prefix: bytes, value: bytes) -> bytes:
    if not value.startswith(prefix):
        raise Refused("malformed_signature")
    return value[len(prefix) :]


def _shopify(_plan: VerifyPlan, keys: tuple[bytes, ...]) -> Verifier:
    """`X-Shopify-Hmac-SHA256`, of the newer product `Shopify-Hmac-Sha256`: the HMAC of the body in base64."""
    names = (b"x-shopify-hmac-sha256", b"shopify-hmac-sha256")

    def verify(headers: Headers, body: bytes, _now: float) -> None:
        given = [value for name in names if (value := headers.one(name)) is not None]
        if not given:
            raise Refused("no_signature")
        for one in given:
            check(keys, (body,), [from_base64(one)])

    return verify


def _standard(plan: VerifyPlan, keys: tuple[bytes, ...]) -> Verifier:
    """Standard Webhooks: `webhook-signature: v1,<base64> v1,<base64>`, the HMAC of `<id>.<timestamp>.<body>`."""

    def verify(headers: Headers, body: bytes, now: float) -> None:
        family = b"webhook-" if headers.one(b"webhook-id") is not None else b"svix-"
        id = headers.needed(family + b"id", "no_id")
        if not _ID.fullmatch(id):
            raise Refused("malformed_id")
        written = headers.needed(family + b"timestamp", "no_timestamp")
        given = _several(_versions(headers.needed(family + b"signature")), from_base64)
        check(keys, (id, b".", moment(written, now, plan.tolerance), b".", body), given)

    return verify


def _versions(value: bytes) -> list[bytes]:
    """The signatures of version v1. Others (v1a, of a pair of keys) are ignored, and must have the form of one."""
    pairs = [item.partition(b",") for item in _short(value).split(b" ")]
    if not all(_VERSION.fullmatch(version) and signature for version, _, signature in pairs):
        raise Refused("malformed_signature")
    return [signature for version, _, signature in pairs if version == b"v1"]


def _slack(plan: VerifyPlan, keys: tuple[bytes, ...]) -> Verifier:
    """`X-Slack-Signature: v0=<hex>`: the HMAC of `v0:<X-Slack-Request-Timestamp>:<body>`."""

    def verify(headers: Headers, body: bytes, now: float) -> None:
        given = from_hex(_after(b"v0=", headers.needed(b"x-slack-signature")))
        written = headers.needed(b"x-slack-request-timestamp", "no_timestamp")
        check(keys, (b"v0:", moment(written, now, plan.tolerance), b":", body), [given])

    return verify


def _gitlab(_plan: VerifyPlan, keys: tuple[bytes, ...]) -> Verifier:
    """`X-Gitlab-Token`: the secret itself. GitLab's newer signing token is `standard`."""
    return lambda headers, _body, _now: check_secret(keys, headers.needed(b"x-gitlab-token"))


def _basic(plan: VerifyPlan, keys: tuple[bytes, ...]) -> Verifier:
    """`Authorization: Basic base64(user:secret)`."""
    user = (plan.user or "").encode()
    expected = [base64.b64encode(user + b":" + key) for key in keys]
    return lambda headers, _body, _now: check_secret(expected, _authorization(headers, b"basic"))


def _bearer(_plan: VerifyPlan, keys: tuple[bytes, ...]) -> Verifier:
    """`Authorization: Bearer <secret>`."""
    return lambda headers, _body, _now: check_secret(keys, _authorization(headers, b"bearer"))


def _authorization(headers: Headers, scheme: bytes) -> bytes:
    word, separator, rest = _short(headers.needed(b"authorization")).partition(b" ")
    if word.lower() != scheme or not separator:
        raise Refused("malformed_signature")
    return rest


def _hmac(plan: VerifyPlan, keys: tuple[bytes, ...]) -> Verifier:
    """As the file says: a header with a prefix, an algorithm, an encoding, and what is signed."""
    header, prefix = (plan.header or "").lower().encode(), plan.prefix.encode()
    read, size = (
        (from_hex if plan.encoding == "hex" else from_base64),
        hashlib.new(plan.algorithm).digest_size,
    )
    pieces = [piece.encode() for piece in re.split(r"(\{(?:body|timestamp|id)\})", plan.signed) if piece]

    def verify(headers: Headers, body: bytes, now: float) -> None:
        given = read(_after(prefix, headers.needed(header)), size)
        known = {b"{body}": body, **_signed_beside(plan, headers, now)}
        check(keys, [known.get(piece, piece) for piece in pieces], [given], plan.algorithm)

    return verify


def _signed_beside(plan: VerifyPlan, headers: Headers, now: float) -> dict[bytes, bytes]:
    """The time and the id that are signed with the body. Raises Refused."""
    found = {}
    if plan.timestamp_header is not None:
        written = headers.needed(plan.timestamp_header.encode(), "no_timestamp")
        found[b"{timestamp}"] = moment(written, now, plan.tolerance)
    if plan.id_header is not None:
        id = headers.needed(plan.id_header.encode(), "no_id")
        if not _ID.fullmatch(id):
            raise Refused("malformed_id")
        found[b"{id}"] = id
    return found


_MAKERS: dict[str, Callable[[VerifyPlan, tuple[bytes, ...]], Verifier]] = {
    "stripe": _stripe,
    "github": _github,
    "shopify": _shopify,
    "standard": _standard,
    "slack": _slack,
    "gitlab": _gitlab,
    "hmac": _hmac,
    "basic": _basic,
    "bearer": _bearer,
}
