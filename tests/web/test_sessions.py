"""Signing in and out, and how often it may be tried."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from pipeline.passwords import hashed, is_hash, matches
from pipeline.plan import HttpPlan, ProxyPlan, UserPlan
from pipeline.web.attempts import KEPT, Attempts, neighbourhood
from pipeline.web.keyring import new_token

QUICK = 14
# As `hashed` makes it; a fixed one, for the names of tests.
HASH = "scrypt:14:8:1:RWqnTiS55PCAvXKsjSpeoA:N7gZjfd5y790Yss7em1EidIpPUGoAFv2EMPiHXjcDXk"
ALICE = HttpPlan(
    users={"alice": UserPlan("admin", HASH), "bob": UserPlan("viewer", hashed("bob's own word", QUICK))}
)
WHO = "/api/v1/session"
WRONG = [
    {"user": "alice", "password": "wrong"}, {"user": "nobody", "password": "open sesame"}, {"user": "alice"}, {"password": "open sesame"}, {},
    {"token": "x"}, {"token": ""}, {"user": "", "password": ""}, {"user": "alice", "password": "a" * 5_000},
]  # fmt: skip


async def test_whoever_signs_in_is_known_by_a_cookie_that_no_script_and_no_other_site_gets(site) -> None:
    here = await site(ALICE)
    answer = await here.ask("POST", WHO, {"user": "alice", "password": "open sesame"})
    assert answer.json | {"csrf": ""} == {
        "user": "alice", "role": "admin", "csrf": "", "project": "test", "auth": "password", "ways": ["password"],
    }  # fmt: skip
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("pipeline-test=")
    assert "; HttpOnly; SameSite=Strict" in cookie
    assert "Secure" not in cookie  # plain HTTP on this host
    shown = await here.ask("GET", WHO, cookie=cookie.partition(";")[0])
    assert shown.json["user"] == "alice"


async def test_whoever_is_not_signed_in_learns_the_ways_and_nothing_more(site) -> None:
    here = await site(ALICE)
    assert (await here.ask("GET", WHO)).json == {
        "user": None, "role": None, "csrf": None, "project": "test", "auth": None, "ways": ["password"],
    }  # fmt: skip


async def test_what_is_wrong_is_refused_in_the_same_words(site) -> None:
    here = await site(ALICE)
    for given in WRONG:
        here.shop.access.attempts = Attempts()
        answer = await here.ask("POST", WHO, given)
        assert (answer.status, answer.json["error"]["message"]) == (401, "that is not right"), given
        assert "set-cookie" not in answer.headers


async def test_a_session_survives_a_restart_of_the_process(site) -> None:
    signed_in = await (await site(ALICE)).sign_in(user="alice", password="open sesame")
    assert (await (await site(ALICE)).ask("GET", "/api/v1/audit", **signed_in)).status == 200


async def test_a_cookie_that_anybody_changed_counts_for_nothing(site) -> None:
    here = await site(ALICE)
    name, _, value = (await here.sign_in(user="bob", password="bob's own word"))["cookie"].partition("=")
    text, _, mac = value.partition(".")
    forged = urlsafe_b64encode(urlsafe_b64decode(text).replace(b'"bob"', b'"alice"')).decode()
    for bad in (
        f"{forged}.{mac}",
        f"{text}.{mac[:-1]}",
        f"{text}.",
        f".{mac}",
        text,
        "",
        "é.é",
        f"{text}.{mac}.x",
        "a" * 10_000,
    ):
        assert (await here.ask("GET", WHO, cookie=f"{name}={bad}")).json["user"] is None


async def test_a_session_ends_with_the_password_that_it_began_with(site) -> None:
    signed_in = await (await site(ALICE)).sign_in(user="alice", password="open sesame")
    changed = HttpPlan(users={"alice": UserPlan("admin", hashed("another word", QUICK))})
    assert (await (await site(changed)).ask("GET", "/api/v1/audit", **signed_in)).status == 401
    assert (await (await site(HttpPlan())).ask("GET", "/api/v1/audit", **signed_in)).status == 401


async def test_a_session_lasts_a_week(site) -> None:
    here = await site(ALICE)
    signed_in = await here.sign_in(user="alice", password="open sesame")
    later = await site(ALICE)
    clock = later.shop.clock
    later.shop.access.sessions._clock = lambda: clock() + 6 * 86_400_000
    assert (await later.ask("GET", "/api/v1/audit", **signed_in)).status == 200
    later.shop.access.sessions._clock = lambda: clock() + 8 * 86_400_000
    assert (await later.ask("GET", "/api/v1/audit", **signed_in)).status == 401


async def test_signing_out_ends_this_session_and_no_other_on_every_host(site) -> None:
    here = await site(ALICE)
    one, other = [await here.sign_in(user="alice", password="open sesame") for _ in range(2)]
    answer = await here.ask("DELETE", WHO, **one)
    assert answer.status == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    elsewhere = await site(ALICE)
    assert [(await elsewhere.ask("GET", "/api/v1/audit", **who)).status for who in (one, other)] == [401, 200]


async def test_signing_out_everywhere_ends_every_session_of_the_user_and_of_nobody_else(site) -> None:
    here = await site(ALICE)
    one, other = [await here.sign_in(user="alice", password="open sesame") for _ in range(2)]
    bob = await here.sign_in(user="bob", password="bob's own word")
    assert (await here.ask("DELETE", f"{WHO}?everywhere=true", **one)).status == 204
    assert [(await here.ask("GET", WHO, **who)).json["user"] for who in (one, other, bob)] == [
        None,
        None,
        "bob",
    ]
    await asyncio.sleep(0.005)
    assert (await here.sign_in(user="alice", password="open sesame"))["cookie"]


async def test_the_printed_token_signs_in_and_a_new_one_ends_it(site) -> None:
    here = await site(HttpPlan())
    token = here.shop.access.printed
    assert token is not None
    signed_in = await here.sign_in(token=token)
    assert (await here.ask("GET", WHO, **signed_in)).json["auth"] == "token"
    second = await site(HttpPlan())
    assert second.shop.access.printed is None
    new_token(second.shop.plan.root)
    second.shop.access.tokens._read_at = None
    assert (await second.ask("GET", "/api/v1/audit", **signed_in)).status == 401
    assert (await second.ask("POST", WHO, {"token": token})).status == 401


async def test_behind_a_proxy_that_speaks_https_the_cookie_is_for_https_only(site) -> None:
    plan = HttpPlan(users=ALICE.users, proxy=ProxyPlan(("127.0.0.1/32",)), path="/queues")
    here = await site(plan)
    for proto, secure in (("https", True), ("http", False)):
        answer = await here.ask(
            "POST", f"/queues{WHO}", {"user": "alice", "password": "open sesame"}, x_forwarded_proto=proto
        )
        assert ("; Secure" in answer.headers["set-cookie"]) is secure
        assert "Path=/queues;" in answer.headers["set-cookie"]


# --- how often ----------------------------------------------------------------------------------------------


async def test_after_some_failures_even_the_right_password_has_to_wait(site) -> None:
    here = await site(ALICE)
    for _ in range(5):
        assert (await here.ask("POST", WHO, {"user": "alice", "password": "wrong"})).status == 401
    answer = await here.ask("POST", WHO, {"user": "alice", "password": "open sesame"})
    assert (answer.status, answer.code) == (429, "too_many")
    assert int(answer.headers["retry-after"]) >= 1


async def test_behind_a_proxy_strangers_wait_and_others_do_not(site) -> None:
    here = await site(HttpPlan(users=ALICE.users, proxy=ProxyPlan(("127.0.0.1/32",))))
    for _ in range(5):
        await here.ask("POST", WHO, {"user": "x", "password": "y"}, x_forwarded_for="203.0.113.1")
    bob = {"user": "bob", "password": "bob's own word"}
    assert (await here.ask("POST", WHO, bob, x_forwarded_for="203.0.113.1")).status == 429
    assert (await here.ask("POST", WHO, bob, x_forwarded_for="203.0.113.2")).status == 200


def test_each_pause_is_twice_the_one_before_up_to_a_minute() -> None:
    now = [0]
    attempts = Attempts(lambda: now[0])
    pauses = []
    for _ in range(16):
        pauses.append(attempts.pause("a", "b"))
        now[0] += pauses[-1]
        attempts.failed("a")
    assert pauses == [0] * 5 + [1_000, 2_000, 4_000, 8_000, 16_000, 32_000] + [60_000] * 5
    attempts.succeeded("a")
    assert attempts.pause("a") == 0


def test_what_failed_long_ago_is_forgotten() -> None:
    now = [0]
    attempts = Attempts(lambda: now[0])
    for _ in range(5):
        attempts.failed("a")
    now[0] = 16 * 60_000
    attempts.failed("a")
    assert attempts.pause("a") == 0


def test_strangers_fill_no_memory() -> None:
    attempts = Attempts()
    for number in range(KEPT + 50):
        attempts.failed(str(number))
    assert len(attempts._failed) == KEPT


def test_who_has_a_whole_network_of_ipv6_is_one_stranger() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:2")
    assert neighbourhood("203.0.113.1") != neighbourhood("203.0.113.2")


# --- hashes -------------------------------------------------------------------------------------------------


def test_a_hash_knows_its_password_and_no_other() -> None:
    assert is_hash(HASH)
    assert matches("open sesame", HASH)
    assert not any(matches(word, HASH) for word in ("", "Open sesame", "open sesame ", "x" * 2_000))
    assert hashed("open sesame", QUICK) != HASH


@pytest.mark.parametrize("text", ["", "scrypt", "plain", HASH + "x" * 90, HASH[:-30], HASH.replace(":14:", ":10:"), HASH.replace(":14:", ":25:"),
                                  HASH.replace("scrypt", "bcrypt"), "scrypt:15:8:1::", HASH.replace(":8:", ":99:"), HASH + "\n"])  # fmt: skip
def test_what_is_no_hash_or_too_weak_or_too_costly_is_none(text) -> None:
    assert not is_hash(text)
