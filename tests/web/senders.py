"""Senders of webhooks for tests: a genuine request of each, and every way in which one is not."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.web.sign import signed_headers
from pipeline.web.verify import Headers, Refused, verifier
from pipeline.webhook import VerifyPlan

NOW = 1_700_000_000
KEY, OLD, WRONG = b"a-secret-of-24-bytes-aaa", b"an-older-one-of-24-bytes", b"of-somebody-else-entirely"
BODY = b'{"id": "evt_1", "amount": 10.50, "name": "J\xc3\xbcrgen"}'
ID = "msg_1"
PLANS = {
    "stripe": VerifyPlan("stripe"),
    "github": VerifyPlan("github"),
    "shopify": VerifyPlan("shopify"),
    "standard": VerifyPlan("standard"),
    "slack": VerifyPlan("slack"),
    "gitlab": VerifyPlan("gitlab"),
    "basic": VerifyPlan("basic", user="shop"),
    "bearer": VerifyPlan("bearer"),
    "hmac-hex": VerifyPlan("hmac", header="x-signature", prefix="sha512=", algorithm="sha512"),
    "hmac-base64": VerifyPlan(
        "hmac", header="x-mac", encoding="base64", signed="{id}.{timestamp}.{body}",
        timestamp_header="x-time", id_header="x-id",
    ),
}  # fmt: skip
SIGNED = ("stripe", "github", "shopify", "standard", "slack", "hmac-hex", "hmac-base64")
TIMED = ("stripe", "standard", "slack", "hmac-base64")
Pairs = list[tuple[bytes, bytes]]


class Attempt(NamedTuple):
    """A request that must be refused, and why it is."""

    name: str
    plan: VerifyPlan
    headers: Pairs
    body: bytes
    reasons: tuple[str, ...]
    keys: tuple[bytes, ...] = (KEY,)


def genuine(sender: str, body: bytes = BODY, at: int = NOW, key: bytes = KEY, id: str = ID) -> Pairs:
    """The headers of a genuine request."""
    headers = signed_headers(PLANS[sender], key, body, at, id)
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def outcome(
    plan: VerifyPlan, headers: Pairs, body: bytes, keys: tuple[bytes, ...] = (KEY,), now: float = NOW
) -> str | None:
    """Why a request is refused, or None when it is taken. Any other error than Refused is the test's end."""
    try:
        verifier(plan, keys)(Headers(headers), body, now)
    except Refused as error:
        return error.reason
    return None


def holder(sender: str) -> bytes:
    """The header that holds the signature, or the secret."""
    return {
        "stripe": b"stripe-signature",
        "github": b"x-hub-signature-256",
        "shopify": b"x-shopify-hmac-sha256",
        "standard": b"webhook-signature",
        "slack": b"x-slack-signature",
        "gitlab": b"x-gitlab-token",
        "basic": b"authorization",
        "bearer": b"authorization",
        "hmac-hex": b"x-signature",
        "hmac-base64": b"x-mac",
    }[sender]


def clock_of(sender: str) -> bytes:
    """The header that holds the time of sending."""
    return {
        "stripe": b"stripe-signature",
        "standard": b"webhook-timestamp",
        "slack": b"x-slack-request-timestamp",
        "hmac-base64": b"x-time",
    }[sender]


def replaced(headers: Pairs, name: bytes, value: bytes) -> Pairs:
    return [(own, value if own == name else before) for own, before in headers]


def attempts() -> Iterator[Attempt]:
    """Every request that must be refused."""
    for sender in PLANS:
        yield from _any(sender)
    for sender in SIGNED:
        yield from _bodies(sender)
        yield from _signatures(sender)
    for sender in TIMED:
        yield from _times(sender)
    yield from _stripe()
    yield from _standard()
    yield from _others()


def _any(sender: str) -> Iterator[Attempt]:
    plan, headers, name = PLANS[sender], genuine(sender), holder(sender)
    value = dict(headers)[name]

    def bad(what: str, changed: Pairs, *reasons: str) -> Attempt:
        return Attempt(f"{sender}: {what}", plan, changed, BODY, reasons)

    bad_form = ("malformed_signature", "wrong_signature", "wrong_credentials", "no_timestamp")
    yield bad("no header", [pair for pair in headers if pair[0] != name], "no_signature")
    yield bad("empty", replaced(headers, name, b""), *bad_form)
    yield bad("the header twice", [*headers, (name, value)], "repeated_header")
    yield bad("the header twice, in two cases", [*headers, (name.upper(), value)], "repeated_header")
    yield bad("another secret", genuine(sender, key=WRONG), "wrong_signature", "wrong_credentials")
    yield bad("a newline behind", replaced(headers, name, value + b"\n"), *bad_form)
    yield bad("a space before", replaced(headers, name, b" " + value), *bad_form)
    yield bad("a byte more", replaced(headers, name, value + b"a"), *bad_form)
    yield bad("a byte less", replaced(headers, name, value[:-1]), *bad_form)
    yield bad("not ASCII", replaced(headers, name, value + "é".encode()), *bad_form)
    yield bad("Arabic digits", replaced(headers, name, "١٢٣".encode()), *bad_form)
    yield bad("a zero byte", replaced(headers, name, value + b"\0"), *bad_form)
    yield bad("100 KB", replaced(headers, name, value * 1_500), *bad_form, "malformed_timestamp")
    yield Attempt(f"{sender}: an old secret", plan, genuine(sender, key=OLD), BODY,
                  ("wrong_signature", "wrong_credentials"))  # fmt: skip


def _bodies(sender: str) -> Iterator[Attempt]:
    changed = {
        "a byte more": BODY + b" ",
        "a byte less": BODY[:-1],
        "written anew": b'{"id":"evt_1","amount":10.5,"name":"J\xc3\xbcrgen"}',
        "a BOM": b"\xef\xbb\xbf" + BODY,
        "CRLF": BODY + b"\r\n",
        "empty": b"",
        "not UTF-8": b"\xff\xfe" + BODY,
        "one bit": bytes([BODY[0] ^ 1]) + BODY[1:],
    }
    for what, body in changed.items():
        yield Attempt(f"{sender}: body: {what}", PLANS[sender], genuine(sender), body, ("wrong_signature",))


def _signatures(sender: str) -> Iterator[Attempt]:
    plan, headers, name = PLANS[sender], genuine(sender), holder(sender)
    value = dict(headers)[name]
    start = max(value.rfind(b"="), value.rfind(b",")) + 1 if sender not in ("shopify", "hmac-base64") else 0
    if sender == "standard":
        start = 3
    digest = value[start:]

    def bad(what: str, text: bytes, *reasons: str) -> Attempt:
        return Attempt(
            f"{sender}: {what}", plan, replaced(headers, name, value[:start] + text), BODY, reasons
        )

    for at in range(len(digest) if sender == "stripe" else min(len(digest), 12)):
        flipped = digest[:at] + (b"0" if digest[at : at + 1] != b"0" else b"1") + digest[at + 1 :]
        yield bad(f"place {at} of the signature", flipped, "wrong_signature", "malformed_signature")
    forms = ("malformed_signature", "wrong_signature", "no_signature")
    if sender in ("shopify", "standard", "hmac-base64"):
        yield bad("the padding is missing", digest.rstrip(b"="), *forms)
        yield bad("base64 for addresses", base64.urlsafe_b64encode(b"\xfb" * 32), *forms)
        yield bad("junk within", digest[:4] + b"!" + digest[4:], *forms)
        yield bad("bits behind the end", digest[:42] + _next(digest[42:43]) + b"=", *forms)
        yield bad("a shorter hash", base64.b64encode(b"a" * 20), *forms)
    else:
        yield bad("upper case", digest.upper(), *forms)
        yield bad("base64 for hex", base64.b64encode(bytes.fromhex(digest.decode())), *forms)
        yield bad("0x before", b"0x" + digest[2:], *forms)
        yield bad("a shorter hash", digest[:40], *forms)
        yield bad("an underscore within", digest[:8] + b"_" + digest[9:], *forms)


def _next(letter: bytes) -> bytes:
    """The letter of base64 that differs in the bits which nobody reads."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return alphabet[(alphabet.index(letter) ^ 1) :][:1]


def _times(sender: str) -> Iterator[Attempt]:
    plan, name = PLANS[sender], clock_of(sender)
    for what, at, reason in (
        ("301 s old", NOW - 301, "too_old"),
        ("301 s ahead", NOW + 301, "in_the_future"),
        ("a year ahead", NOW + 31_536_000, "in_the_future"),
        ("of 1970", 0, "too_old"),
        ("in milliseconds", NOW * 1000, "malformed_timestamp"),
    ):
        yield Attempt(f"{sender}: {what}", plan, genuine(sender, at=at), BODY, (reason,))
    for text in ("", "-1", "+1700000000", "1700000000.0", "1_700_000_000", "1.7e9", "0x6553f100", "NaN", " 1700000000",
                 "1700000000 ", "1700000000\n", "٣", "9223372036854775808", "1700000000,"):  # fmt: skip
        headers = genuine(sender)
        if sender == "stripe":
            value = dict(headers)[name].replace(f"t={NOW}".encode(), f"t={text}".encode())
        else:
            value = text.encode()
        reasons = ("malformed_timestamp", "malformed_signature", "too_old", "no_timestamp")
        yield Attempt(f"{sender}: time {text!r}", plan, replaced(headers, name, value), BODY, reasons)


def _stripe() -> Iterator[Attempt]:
    plan = PLANS["stripe"]
    good = dict(genuine("stripe"))[b"stripe-signature"].decode()
    digest = good.rpartition("=")[2]
    for what, value, reason in (
        ("two times", f"t={NOW},t={NOW},v1={digest}", "malformed_timestamp"),
        ("no time", f"v1={digest}", "no_timestamp"),
        ("no v1", f"t={NOW}", "no_signature"),
        ("only v0", f"t={NOW},v0={digest}", "no_signature"),
        ("only v2", f"t={NOW},v2={digest}", "no_signature"),
        ("a space behind the comma", f"t={NOW}, v1={digest}", "no_signature"),
        ("1,000 signatures", f"t={NOW}," + ",".join(["v1=" + "0" * 64] * 1_000) + f",v1={digest}", "malformed_signature"),
        ("17 signatures", f"t={NOW}," + ",".join(["v1=" + "0" * 64] * 16) + f",v1={digest}", "malformed_signature"),
        ("one of two is malformed", f"t={NOW},v1={digest},v1=x", "malformed_signature"),
        ("an item without =", f"t={NOW},v1={digest},x", "malformed_signature"),
        ("a comma at the end", f"{good},", "malformed_signature"),
        ("semicolons", good.replace(",", ";"), "no_signature"),
        ("upper-case names", good.upper(), "no_timestamp"),
    ):  # fmt: skip
        yield Attempt(f"stripe: {what}", plan, [(b"stripe-signature", value.encode())], BODY, (reason,))


def _standard() -> Iterator[Attempt]:
    plan, headers = PLANS["standard"], genuine("standard")
    good = dict(headers)[b"webhook-signature"].decode()
    form = "malformed_signature"
    for what, value, reason in (
        ("no comma", good.replace(",", ""), form),
        ("two commas", good.replace(",", ",,"), form),
        ("garbage before", f"garbage {good}", form),
        ("v1 that is not ASCII", "v1,é", form),
        ("two spaces", f"{good}  {good}", form),
        ("only v1a", good.replace("v1,", "v1a,"), "no_signature"),
        ("only v2", good.replace("v1,", "v2,"), "no_signature"),
        ("V1", good.replace("v1", "V1"), form),
        ("17 signatures", " ".join([good] * 17), form),
        ("an empty v1", "v1,", form),
        ("a signature alone", good.partition(",")[2], form),
    ):
        changed = replaced(headers, b"webhook-signature", value.encode())
        yield Attempt(f"standard: {what}", plan, changed, BODY, (reason,))
    yield Attempt("standard: another id", plan, replaced(headers, b"webhook-id", b"msg_2"), BODY,
                  ("wrong_signature",))  # fmt: skip
    for id in ("msg.1", "", "msg 1", "msg_1\n", "é", "a" * 257):
        changed = (
            genuine("standard", id=id) if id.isascii() else replaced(headers, b"webhook-id", id.encode())
        )
        yield Attempt(f"standard: id {id[:9]!r}", plan, changed, BODY, ("malformed_id",))
    for name in (b"webhook-id", b"webhook-timestamp", b"webhook-signature"):
        rest = [pair for pair in headers if pair[0] != name]
        reasons = ("no_id", "no_timestamp", "no_signature")
        yield Attempt(f"standard: without {name.decode()}", plan, rest, BODY, reasons)
        yield Attempt(f"standard: {name.decode()} twice", plan, [*headers, (name, dict(headers)[name])], BODY,
                      ("repeated_header",))  # fmt: skip
    renamed = [(name.replace(b"webhook-", b"svix-"), value) for name, value in headers[:2]]
    yield Attempt(
        "standard: half of the names are svix", plan, [*renamed, headers[2]], BODY, ("no_signature",)
    )


def _others() -> Iterator[Attempt]:
    github = genuine("github")
    digest = github[0][1].removeprefix(b"sha256=")
    for what, value in (("sha1", b"sha1=" + digest[:40]), ("no prefix", digest), ("SHA256", b"SHA256=" + digest),
                        ("prefix twice", b"sha256=sha256=" + digest)):  # fmt: skip
        yield Attempt(
            f"github: {what}", PLANS["github"], [(github[0][0], value)], BODY, ("malformed_signature",)
        )
    old = [(b"x-hub-signature", b"sha1=" + digest[:40])]
    yield Attempt("github: only the header with SHA-1", PLANS["github"], old, BODY, ("no_signature",))
    both = [*genuine("shopify"), (b"shopify-hmac-sha256", base64.b64encode(b"a" * 32))]
    yield Attempt("shopify: the second header is wrong", PLANS["shopify"], both, BODY, ("wrong_signature",))
    slack = genuine("slack")
    for what, value in (("v1", slack[1][1].replace(b"v0=", b"v1=")), ("no version", slack[1][1][3:])):
        yield Attempt(f"slack: {what}", PLANS["slack"], replaced(slack, b"x-slack-signature", value), BODY,
                      ("malformed_signature",))  # fmt: skip
    login = base64.b64encode(b"shop:" + KEY)
    for what, value in (
        ("another user", b"Basic " + base64.b64encode(b"mart:" + KEY)), ("no user", b"Basic " + base64.b64encode(KEY)),
        ("Bearer", b"Bearer " + login), ("no scheme", login), ("two spaces", b"Basic  " + login), ("in the clear", b"Basic shop:" + KEY),
        ("a colon less", b"Basic " + base64.b64encode(b"shop" + KEY)), ("not padded", b"Basic " + login.rstrip(b"=") + b"\n"),
    ):  # fmt: skip
        yield Attempt(f"basic: {what}", PLANS["basic"], [(b"authorization", value)], BODY,
                      ("malformed_signature", "wrong_credentials"))  # fmt: skip
    for what, value in (("nothing", b"Bearer nothing"), ("no token", b"Bearer "), ("no space", b"Bearer" + KEY),
                        ("Basic", b"Basic " + KEY), ("half", b"Bearer " + KEY[:12]), ("null", b"Bearer null")):  # fmt: skip
        yield Attempt(f"bearer: {what}", PLANS["bearer"], [(b"authorization", value)], BODY,
                      ("malformed_signature", "wrong_credentials"))  # fmt: skip
    own = genuine("hmac-base64")
    yield Attempt(
        "hmac: another id", PLANS["hmac-base64"], replaced(own, b"x-id", b"msg_2"), BODY, ("wrong_signature",)
    )
    yield Attempt(
        "hmac: an id with a dot",
        PLANS["hmac-base64"],
        genuine("hmac-base64", id="a.b"),
        BODY,
        ("malformed_id",),
    )
    for name in (b"x-id", b"x-time"):
        rest = [pair for pair in own if pair[0] != name]
        yield Attempt(
            f"hmac: without {name.decode()}", PLANS["hmac-base64"], rest, BODY, ("no_id", "no_timestamp")
        )
