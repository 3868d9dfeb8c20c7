"""Who comes in: routes, hosts, other sites, roles."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest

from pipeline.passwords import hashed
from pipeline.plan import HttpPlan, ProxyPlan, Role, TokenPlan, UserPlan
from pipeline.web.request import Request
from pipeline.web.response import Response, as_json
from pipeline.web.route import Route
from pipeline.web.routes import ROUTES
from pipeline.web.shop import Shop

QUICK = 14
OPEN = {"/livez", "/readyz", "/", "/api/v1/session"}
LOCAL = {"/metrics"}
"""Open to this host, where the tests are: see test_metrics.py."""
TOKEN = "0123456789abcdef-ci"
ALICE = HttpPlan(
    users={
        "alice": UserPlan("operator", hashed("open sesame", QUICK)),
        "vera": UserPlan("viewer", hashed("look only", QUICK)),
    }
)


async def act(shop: Shop, request: Request) -> Response:
    return as_json({"by": request.who.user, "from": request.client})


ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
METHODS: tuple[Literal["GET", "POST", "DELETE"], ...] = ("GET", "POST", "DELETE")
ACTIONS = tuple(
    Route(method, f"/api/v1/{role}", role, act, "A test's.")
    for role, method in itertools.product(ROLES, METHODS)
)
CLOSED = sorted({route.path for route in (*ROUTES, *ACTIONS) if route.role != "open"} - OPEN - LOCAL)
ANY_METHOD = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD", "PROPFIND")


@pytest.fixture
def token(monkeypatch) -> HttpPlan:
    monkeypatch.setenv("CI_TOKEN", TOKEN)
    return HttpPlan(tokens={"ci": TokenPlan("operator", "ci", env="CI_TOKEN")})


# --- nobody -----------------------------------------------------------------------------------------------

MUTATIONS = [
    "{}", "{}/", "/{}", "/.{}", "/.//{}", "/%2e{}", "/%2e%2e{}", "{};x", "{}%00", "{}%2f", "{}.json", "{}.", "{}%20", "{}?x=1", "{}#x",
    "/livez{}", "/livez/..{}", "/livez;{}", "/livez%2f..{}", "/index.html/..{}", "{}/livez", "{}%2flivez", "{}?/livez", "{}/../livez",
    "/\\{}", "{}%c0%af", "/%252e%252e{}", "{}..;/", "//127.0.0.1{}", "{}%09",
]  # fmt: skip


@pytest.mark.security("S8", inputs=2 * len(CLOSED) * len(MUTATIONS))
async def test_no_way_to_write_a_path_gets_past_the_sign_in(site) -> None:
    here = await site(ALICE, routes=ACTIONS)
    assert len(CLOSED) >= 4
    for path, mutation in itertools.product(CLOSED, MUTATIONS):
        for wanted in (path, path.upper()):
            answer = await here.ask("GET", mutation.format(wanted.replace("{", "").replace("}", "")))
            assert answer.status in (400, 401), (mutation, wanted, answer.status)


@pytest.mark.security("S7", inputs=len(ANY_METHOD) * (len(CLOSED) + 1))
async def test_whoever_shows_nothing_is_told_to_sign_in_whatever_the_method(site) -> None:
    here = await site(ALICE, routes=ACTIONS)
    for method in ANY_METHOD:
        for path in (*CLOSED, "/nothing/here"):
            assert (await here.ask(method, path)).status == 401, (method, path)


async def test_open_to_everybody_are_the_health_the_sign_in_and_the_dashboards_files_only(site) -> None:
    here = await site(ALICE)
    found = {route.path for route in ROUTES if route.role == "open" and not route.path.startswith("/assets")}
    files = {
        path
        for path in found - OPEN
        if path.rpartition(".")[2] in ("html", "js", "css", "svg", "png", "ico", "txt", "map", "json")
    }
    assert found - files == OPEN
    assert (await here.ask("GET", "/livez")).json == {"live": True}


# --- tokens and roles -------------------------------------------------------------------------------------


async def test_a_token_comes_in_with_its_role_and_needs_no_csrf_token(site, token) -> None:
    here = await site(token, routes=ACTIONS)
    bearer = {"authorization": f"Bearer {TOKEN}"}
    assert (await here.ask("GET", "/api/v1/viewer", **bearer)).json["by"] == "ci"
    assert (await here.ask("POST", "/api/v1/operator", **bearer)).status == 200
    refused = await here.ask("POST", "/api/v1/admin", **bearer)
    assert (refused.status, refused.code) == (403, "forbidden")
    assert "admin" in refused.json["error"]["message"]


BAD = ["", "Bearer", "Bearer ", "Bearer nothing", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN.upper()}",
       f"bearer{TOKEN}", f"Token {TOKEN}", "Bearer " + "a" * 5_000, f"Bearer {TOKEN} {TOKEN}", "Bearer null", "Bearer é"]  # fmt: skip


@pytest.mark.security("S7", inputs=len(BAD))
async def test_what_is_not_quite_the_token_is_refused_with_401(site, token) -> None:
    here = await site(token, routes=ACTIONS)
    for shown in BAD:
        assert (await here.ask("GET", "/api/v1/viewer", authorization=shown)).status == 401, shown


async def test_a_token_that_is_too_short_or_not_set_lets_nobody_in(site, monkeypatch) -> None:
    monkeypatch.setenv("SHORT", "short")
    plan = HttpPlan(
        tokens={"a": TokenPlan("admin", "s", env="SHORT"), "b": TokenPlan("admin", "n", env="NOT_SET")}
    )
    here = await site(plan, routes=ACTIONS)
    for shown in ("short", ""):
        assert (await here.ask("GET", "/api/v1/viewer", authorization=f"Bearer {shown}")).status == 401


# --- other sites ------------------------------------------------------------------------------------------

FOREIGN = [
    {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"sec_fetch_site": "none"}, {"sec_fetch_site": "nonsense"},
    {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"}, {"origin": "http://localhost"},
    {"origin": "http://127.0.0.1.evil.example"}, {"origin": "file://"}, {"x_csrf_token": ""}, {"x_csrf_token": "0" * 32},
    {"x_csrf_token": "é"}, {"origin": "http://queues.example.com.evil.example"},
]  # fmt: skip


@pytest.mark.security("S10", inputs=2 * len(FOREIGN))
async def test_another_site_changes_nothing_in_the_name_of_somebody_who_is_signed_in(site) -> None:
    here = await site(ALICE, routes=ACTIONS)
    signed_in = await here.sign_in(user="alice", password="open sesame")
    own = signed_in | {"origin": f"http://{here.at}", "sec_fetch_site": "same-origin"}
    for method in ("POST", "DELETE"):
        assert (await here.ask(method, "/api/v1/operator", **own)).status == 200
        for shape in FOREIGN:
            answer = await here.ask(method, "/api/v1/operator", **(signed_in | shape))
            assert (answer.status, answer.code) == (403, "csrf"), shape


@pytest.mark.security("S10", "S19", inputs=5)
async def test_a_form_is_no_json(site) -> None:
    here = await site(ALICE, routes=ACTIONS)
    signed_in = await here.sign_in(user="alice", password="open sesame")
    kinds = (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
        "application/jsonp",
    )
    for kind in kinds:
        answer = await here.ask("POST", "/api/v1/operator", {}, **signed_in, content_type=kind)
        assert answer.status == 415, kind


# --- names of this host -----------------------------------------------------------------------------------

GOOD_HOSTS = ["localhost", "localhost:9", "127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:9400", "queues.example.com", "QUEUES.example.com:443",
              "127.9.9.9", "only.example.com:8080"]  # fmt: skip
BAD_HOSTS = [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:9400", "xlocalhost", "localhost:", "localhost:x",
    "localhost@evil.example", "evil.example@localhost", "localhost:80:80", "[::1", "::1", "[::1]x", "[::2]", "127.0.0.1:80evil", "0.0.0.0",
    "10.0.0.1", "2130706433", "0x7f.1", "127.1", "queues.example.com.", "only.example.com", "only.example.com:81", "", " ", "localhost/",
    "queues.example.com,localhost", "*", "[::ffff:10.0.0.1]", "localhost%00",
    "localhost.", "127.0.0.1.", "localhost evil.example", "localhost;evil.example", "0177.0.0.1", "127.0.0.1.nip.io", "[fe80::1]", "localhost\\evil.example",
    "xn--localhost-", "queues.example.com.evil.example",
]  # fmt: skip
NAMED = HttpPlan(auth="none", hosts=("queues.example.com", "only.example.com:8080"))


async def test_this_host_answers_to_its_own_names(site) -> None:
    here = await site(NAMED, routes=ACTIONS)
    for host in GOOD_HOSTS:
        assert (await here.ask("GET", "/api/v1/viewer", host=host)).status == 200, host


@pytest.mark.security("S11", inputs=len(BAD_HOSTS))
async def test_this_host_answers_to_no_other_name_so_that_rebinding_leads_nowhere(site) -> None:
    here = await site(NAMED, routes=ACTIONS)
    for host in BAD_HOSTS:
        answer = await here.ask("GET", "/api/v1/viewer", host=host)
        assert answer.status in (400, 421), host
    assert (await here.ask("GET", "/livez", host="evil.example")).status == 200  # probes know no name


# --- proxies ----------------------------------------------------------------------------------------------

PROXIED = HttpPlan(
    users={"alice": UserPlan("admin", None)}, proxy=ProxyPlan(("127.0.0.0/8",), "x-forwarded-user", "viewer")
)


async def test_a_trusted_proxy_names_the_user_and_the_file_his_role(site) -> None:
    here = await site(PROXIED, routes=ACTIONS)
    assert (await here.ask("GET", "/api/v1/admin", x_forwarded_user="alice")).json["by"] == "alice"
    assert (await here.ask("GET", "/api/v1/viewer", x_forwarded_user="bob")).json["by"] == "bob"
    assert (await here.ask("GET", "/api/v1/admin", x_forwarded_user="bob")).status == 403
    assert (await here.ask("GET", "/api/v1/viewer")).status == 401


async def test_whom_a_proxy_names_still_needs_the_csrf_token(site) -> None:
    here = await site(PROXIED, routes=ACTIONS)
    assert (await here.ask("POST", "/api/v1/admin", x_forwarded_user="alice")).code == "csrf"
    csrf = (await here.ask("GET", "/api/v1/session", x_forwarded_user="alice")).json["csrf"]
    assert (
        await here.ask("POST", "/api/v1/admin", x_forwarded_user="alice", x_csrf_token=csrf)
    ).status == 200
    assert (await here.ask("POST", "/api/v1/admin", x_forwarded_user="eve", x_csrf_token=csrf)).status == 403


async def test_a_stranger_who_plays_the_proxy_is_nobody(site) -> None:
    elsewhere = HttpPlan(proxy=ProxyPlan(("10.0.0.0/8",), "x-forwarded-user", "admin"))
    here = await site(elsewhere, routes=ACTIONS)
    assert (await here.ask("GET", "/api/v1/viewer", x_forwarded_user="alice")).status == 401


async def test_the_address_behind_a_proxy_is_the_nearest_one_that_is_no_proxy(site) -> None:
    here = await site(PROXIED, routes=ACTIONS)
    for chain, client in [
        ("203.0.113.9", "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9, 127.0.0.2", "203.0.113.9"),
        ("127.0.0.2", "127.0.0.1"),
        ("", "127.0.0.1"),
    ]:
        answer = await here.ask("GET", "/api/v1/viewer", x_forwarded_user="bob", x_forwarded_for=chain)
        assert answer.json["from"] == client


# --- the audit, and what every answer carries -------------------------------------------------------------


async def test_every_change_is_in_the_audit_with_who_what_and_outcome(site) -> None:
    here = await site(HttpPlan(auth="none"), routes=ACTIONS)
    csrf = (await here.ask("GET", "/api/v1/session")).json["csrf"]
    await here.ask("POST", "/api/v1/operator", x_csrf_token=csrf)
    await here.ask("DELETE", "/api/v1/admin")
    await here.ask("GET", "/api/v1/viewer")
    entries = (await here.ask("GET", "/api/v1/audit")).json["entries"]
    assert [(one["by"], one["action"], one["outcome"], one["from"]) for one in entries] == [
        ("anyone", "DELETE /api/v1/admin", 403, "127.0.0.1"),
        ("anyone", "POST /api/v1/operator", 200, "127.0.0.1"),
    ]
    assert (await here.ask("GET", "/api/v1/audit?limit=1")).json["entries"] == entries[:1]
    assert (await here.ask("GET", f"/api/v1/audit?before_at={entries[1]['at']}")).json["entries"] == []


@pytest.mark.security("S12", inputs=13)
async def test_no_number_makes_the_audit_long(site) -> None:
    here = await site(HttpPlan(auth="none"))
    for limit in (
        "-1",
        "0",
        "1e9",
        "NaN",
        "9" * 400,
        "1.5",
        "%201",
        "%D9%A3",
        "0x10",
        "null",
        "",
        "+1",
        "501",
    ):
        assert (await here.ask("GET", f"/api/v1/audit?limit={limit}")).status in (200, 400, 422), limit


async def test_a_name_that_is_in_a_query_twice_is_refused_and_not_chosen_from(site) -> None:
    here = await site(HttpPlan(auth="none"))
    for query in ("limit=1&limit=2", "limit=1&limit=1", "&".join(f"a{n}=" for n in range(200)), "a=%ff&a=1"):
        assert (await here.ask("GET", f"/api/v1/audit?{query}")).status == 400, query


async def test_every_answer_forbids_scripts_of_others_frames_and_guesses(site) -> None:
    here = await site(ALICE)
    for path in ("/", "/livez", "/nothing", "/api/v1/session"):
        headers = (await here.ask("GET", path)).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "access-control-allow-origin" not in headers


async def test_a_prefix_is_taken_away_and_may_have_been_taken_away_by_the_proxy(site) -> None:
    here = await site(HttpPlan(auth="none", path="/queues"), routes=ACTIONS)
    for path in ("/queues/api/v1/viewer", "/api/v1/viewer", "/queues/livez"):
        assert (await here.ask("GET", path)).status == 200
    assert (await here.ask("GET", "/queuesx/api/v1/viewer")).status == 404


async def test_a_fault_of_our_own_tells_nothing_of_how_we_are_made(site) -> None:
    async def fail(shop: Shop, request: Request) -> Response:
        raise RuntimeError("secret sauce")

    here = await site(HttpPlan(auth="none"), routes=(Route("GET", "/fail", "viewer", fail, "Fails."),))
    answer = await here.ask("GET", "/fail")
    assert answer.status == 500
    assert b"sauce" not in answer.body
