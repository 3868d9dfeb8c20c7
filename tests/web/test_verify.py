"""Who is believed: the published vectors, and every request that only looks like one."""

from __future__ import annotations

import ast
import base64
from pathlib import Path

import pytest

from pipeline.web import verify
from pipeline.web.verify import Headers, verifier
from pipeline.webhook import VerifyPlan, key_of
from tests.web.senders import BODY, KEY, NOW, OLD, PLANS, TIMED, WRONG, Attempt, attempts, genuine, outcome

ATTEMPTS = list(attempts())
# What senders publish, or what their own libraries make: type, key, headers, body, time.
VECTORS = [
    ("github", b"It's a Secret to Everybody",
     {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}, b"Hello, World!", 0),
    ("standard", key_of(VerifyPlan("standard"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
     {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, b'{"test": 2432232314}', 1614265330),
    ("standard", key_of(VerifyPlan("standard"), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
     {"svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "svix-timestamp": "1614265330",
      "svix-signature": "v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}, b'{"test": 2432232314}', 1614265030),
    ("stripe", b"whsec_test_secret",
     {"Stripe-Signature": "t=1492774577,v1=654b43d3508ecadb3f8cefc4bc7d3d2bdc5ba9e03bf2c89b2d0657a8e24e4543,v0=6ffbb59b"},
     b'{"id":"evt_1","object":"event"}', 1492774577),
    ("shopify", b"hush", {"X-Shopify-Hmac-SHA256": "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY="}, b'{"id":1}', 0),
    ("shopify", b"hush", {"Shopify-Hmac-Sha256": "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY="}, b'{"id":1}', 0),
    ("slack", b"8f742231b10e8888abcd99yyyzzz85a5",
     {"X-Slack-Request-Timestamp": "1531420618",
      "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
     (b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar"
     b"&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
     b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"),
     1531420618),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "key", "headers", "body", "at"), VECTORS)
def test_what_senders_publish_is_genuine(kind, key, headers, body, at):
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    assert outcome(VerifyPlan(kind), pairs, body, (key,), at) is None
    assert outcome(VerifyPlan(kind), pairs, body + b" ", (key,), at) == "wrong_signature"


def test_there_are_hundreds_of_ways_to_be_refused():
    assert len(ATTEMPTS) >= 400
    assert len({attempt.name for attempt in ATTEMPTS}) == len(ATTEMPTS)


@pytest.mark.security("S20")
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_what_only_looks_genuine_is_refused_with_its_reason(attempt: Attempt):
    assert outcome(attempt.plan, attempt.headers, attempt.body, attempt.keys) in attempt.reasons


@pytest.mark.parametrize("sender", PLANS)
@pytest.mark.parametrize(
    "body", [BODY, b"", b"\xff\xfe\x00", b"a" * 100_000], ids=["json", "empty", "bytes", "large"]
)
def test_a_genuine_request_is_taken_whatever_its_body_is(sender: str, body: bytes):
    assert outcome(PLANS[sender], genuine(sender, body), body) is None


@pytest.mark.parametrize("sender", PLANS)
def test_while_a_secret_is_changed_both_are_good_in_any_order(sender: str):
    for keys in ((KEY, OLD), (OLD, KEY)):
        for key in keys:
            assert outcome(PLANS[sender], genuine(sender, key=key), BODY, keys) is None
        assert outcome(PLANS[sender], genuine(sender, key=WRONG), BODY, keys) is not None


@pytest.mark.parametrize("sender", PLANS)
def test_names_of_headers_have_no_case(sender: str):
    assert outcome(PLANS[sender], [(name.title(), value) for name, value in genuine(sender)], BODY) is None


@pytest.mark.parametrize("sender", TIMED)
@pytest.mark.parametrize("apart", [-300, 0, 300])
def test_a_time_within_the_tolerance_is_good_both_ways(sender: str, apart: int):
    assert outcome(PLANS[sender], genuine(sender, at=NOW + apart), BODY) is None


@pytest.mark.security("S20", inputs=3)
@pytest.mark.parametrize("sender", PLANS)
def test_no_secret_and_an_empty_one_let_nobody_in(sender: str):
    for keys in ((), (b"",), (KEY, b"")):
        with pytest.raises(ValueError, match="needs a secret"):
            verifier(PLANS[sender], keys)


def test_none_takes_everything():
    assert outcome(VerifyPlan("none"), [], BODY, ()) is None


def test_any_of_several_signatures_will_do():
    stripe = dict(genuine("stripe"))[b"stripe-signature"]
    value = stripe.replace(b",v1=", b",v1=" + b"0" * 64 + b",v1=")
    assert outcome(PLANS["stripe"], [(b"stripe-signature", value)], BODY) is None
    headers = dict(genuine("standard"))
    headers[b"webhook-signature"] = (
        b"v1," + base64.b64encode(b"0" * 32) + b" " + headers[b"webhook-signature"]
    )
    assert outcome(PLANS["standard"], list(headers.items()), BODY) is None


def test_a_header_that_nobody_asks_for_may_come_twice():
    headers = [*genuine("github"), (b"x-forwarded-for", b"1"), (b"x-forwarded-for", b"2")]
    assert outcome(PLANS["github"], headers, BODY) is None
    assert Headers(headers).one(b"x-nothing") is None


@pytest.mark.security("S20")
@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("whsec_short", "not whsec_ and base64"),
        ("whsec_" + base64.b64encode(b"a" * 23).decode(), "23 bytes"),
        ("whsec_" + base64.b64encode(b"a" * 65).decode(), "65 bytes"),
        ("whsec_" + base64.b64encode(b"a" * 25).decode().rstrip("="), "not whsec_ and base64"),
        ("whsec_" + base64.b64encode(b"a" * 24).decode() + "\n", "not whsec_ and base64"),
        ("whpk_" + base64.b64encode(b"a" * 32).decode(), "a pair of keys"),
        ("", "not whsec_ and base64"),
        ("whsec_", "not whsec_ and base64"),
    ],
)
def test_a_standard_secret_is_24_to_64_bytes_in_base64(secret: str, problem: str):
    with pytest.raises(ValueError, match=problem):
        key_of(VerifyPlan("standard"), secret)


@pytest.mark.security("S20")
@pytest.mark.parametrize(
    ("kind", "least"), [("stripe", 16), ("github", 16), ("hmac", 16), ("basic", 16), ("bearer", 32)]
)
def test_a_secret_that_could_be_guessed_is_refused(kind, least):
    assert key_of(VerifyPlan(kind), "x" * least) == b"x" * least
    with pytest.raises(ValueError, match=f"{least} are the least"):
        key_of(VerifyPlan(kind), "x" * (least - 1))


@pytest.mark.security("S21")
def test_digests_and_secrets_are_compared_in_constant_time_only():
    tree = ast.parse(Path(verify.__file__).read_text())
    compared = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
    ]
    # Names, versions and forms; nothing here knows a key.
    assert sorted(compared) == [
        "base64.b64encode(digest) != written",
        "len(times) != 1",
        "len(written) != (size + 2) // 3 * 4",
        "name == b't'",
        "name == b'v1'",
        "plan.encoding == 'hex'",
        "plan.scheme == 'none'",
        "version == b'v1'",
        "word.lower() != scheme",
    ]
