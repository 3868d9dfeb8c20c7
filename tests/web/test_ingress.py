"""Webhooks come in: what is taken becomes one job, and what is answered is true."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.store import keys
from pipeline.web import ingress
from tests.web.gate import ENVIRONMENT, OLD, STANDARD, Gate, answer
from tests.web.senders import KEY, attempts

HOOKS = """
  stripe: {path: /hooks/stripe, verify: {type: stripe, secret: {secret: new}}, queue: payments, job: capture}
  github: {path: /hooks/github, verify: {type: github, secret: [{secret: new}, {secret: old}]}, queue: payments, job: "{header.X-GitHub-Event}"}
  standard: {path: /hooks/standard, verify: {type: standard-webhooks, secret: {secret: standard}}, queue: payments, job: capture}
  slack: {path: /hooks/slack, verify: {type: slack, secret: {secret: new}}, queue: payments, job: capture}
  shopify: {path: /hooks/shopify, verify: {type: shopify, secret: {secret: new}}, queue: payments, job: capture}
  gitlab: {path: /hooks/gitlab, verify: {type: gitlab, secret: {secret: new}}, queue: payments, job: capture}
  own:
    path: /hooks/own
    verify: {type: hmac, secret: {secret: new}, header: X-Signature, signed: "{timestamp}.{body}", timestamp_header: X-Time}
    queue: payments
    job: capture
  open: {path: /hooks/open, verify: {type: none, allow_unsigned: true}, queue: payments, job: capture}
  token: {path: /hooks/token, verify: {type: bearer, secret: {secret: new}}, queue: payments, job: capture, max_body: 1KiB}
  login: {path: /hooks/login, method: PUT, verify: {type: basic, user: shop, secret: {secret: new}}, queue: payments, job: capture}
  orders: {path: /hooks/orders, verify: {type: none, allow_unsigned: true}, queue: orders, job: "{body.type}", unknown_jobs: ignore, id: "{body.id}"}
  mapped:
    path: /hooks/mapped
    verify: {type: none, allow_unsigned: true}
    queue: payments
    job: capture
    id: "{query.shop}-{body.order.id}"
    data: {order: "{body.order}", topic: "{header.X-Topic}", note: "{body.note?}", fixed: [1, null], text: "no {body.order.id}"}
    response: {status: 200, body: '{"ok": true, "job": "{id}"}'}
  plain: {path: /hooks/plain, verify: {type: none, allow_unsigned: true}, queue: payments, job: capture, response: {status: 204, body: ""}}
  quiet:
    path: /hooks/quiet
    verify: {type: none, allow_unsigned: true}
    queue: payments
    job: capture
    deduplication: {key: "{body.customer}", mode: throttle, ttl: 1m}
"""
EVENT = b'{"id": "evt_1", "type": "charge.succeeded"}'


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the secrets are; and a machine that stands still is no broker that is away."""
    monkeypatch.setattr(ingress, "SECONDS", 20.0)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def gate(broker: str, tmp_path: Path) -> Gate:
    return Gate(broker, tmp_path, HOOKS)


async def test_an_event_is_answered_with_its_job_and_a_second_one_with_the_first_job(gate: Gate):
    async with gate:
        first = await gate.send("stripe", EVENT)
        again = await gate.send("stripe", EVENT)
        assert (first.status, first.json) == (202, {"id": "stripe:evt_1", "status": "created"})
        assert (again.status, again.json) == (200, {"id": "stripe:evt_1", "status": "duplicate"})
        [job] = await gate.jobs()
        assert (job.id, job.name, job.data, job.keep) == (
            "stripe:evt_1", "capture", {"id": "evt_1", "type": "charge.succeeded"}, 4 * 86_400_000,
        )  # fmt: skip
        assert gate.shop.received == {("stripe", "created"): 1, ("stripe", "duplicate"): 1}


@pytest.mark.parametrize(
    ("webhook", "headers", "id"),
    [
        ("github", {"X-GitHub-Event": "push"}, "github:e1"),
        ("shopify", {}, "shopify:e1"),
        ("gitlab", {}, "gitlab:e1"),
        ("token", {}, "token:e1"),
        ("login", {}, "login:e1"),
    ],
)
async def test_each_sender_is_known_to_put_its_id_somewhere(gate: Gate, webhook, headers, id):
    async with gate:
        plan = gate.plan.webhooks[webhook]
        for status in (202, 200):
            got = await gate.post(plan.path, EVENT, gate.sign(webhook, EVENT) | headers, method=plan.method)
            assert (got.status, got.json["id"]) == (status, id)
        assert [job.name for job in await gate.jobs()] == ["push" if webhook == "github" else "capture"]


async def test_standard_webhooks_have_two_families_of_names(gate: Gate):
    async with gate:
        signed = gate.sign("standard", EVENT, secret=STANDARD)
        assert (await gate.post("/hooks/standard", EVENT, signed)).json["id"] == "standard:e1"
        renamed = {name.replace("webhook-", "svix-"): value for name, value in signed.items()}
        assert (await gate.post("/hooks/standard", EVENT, renamed)).json["status"] == "duplicate"


async def test_slack_is_answered_when_it_asks_whose_address_this_is(gate: Gate):
    async with gate:
        asked = await gate.send("slack", {"type": "url_verification", "challenge": "3eZb"})
        assert (asked.status, asked.json) == (200, {"challenge": "3eZb"})
        event = await gate.send("slack", {"type": "event_callback", "event_id": "Ev1"})
        assert event.json == {"id": "slack:Ev1", "status": "created"}
        body = b'{"type": "url_verification", "challenge": "x"}'
        assert (await gate.post("/hooks/slack", body)).status == 401
        assert len(await gate.jobs()) == 1


async def test_an_id_that_is_not_signed_does_not_let_an_event_in_twice(gate: Gate):
    async with gate:
        for webhook in ("github", "shopify"):
            event = {"X-GitHub-Event": "push"}
            path = gate.plan.webhooks[webhook].path
            first = await gate.post(path, EVENT, gate.sign(webhook, EVENT, id="one") | event)
            stolen = await gate.post(path, EVENT, gate.sign(webhook, EVENT, id="two") | event)
            assert stolen.json == {"id": f"{webhook}:one", "status": "duplicate"}, webhook
            assert (first.status, stolen.status) == (202, 200)
            other = b'{"id": "evt_2"}'
            same_id = await gate.post(path, other, gate.sign(webhook, other, id="one") | event)
            assert same_id.json == {"id": f"{webhook}:one", "status": "duplicate"}
        assert len(await gate.jobs()) == 2


async def test_without_an_id_what_was_signed_stands_for_it(gate: Gate):
    async with gate:
        now = gate.shop.clock() // 1000
        first, again = [
            await gate.post("/hooks/own", EVENT, gate.sign("own", EVENT, at=now)) for _ in range(2)
        ]
        later = await gate.post("/hooks/own", EVENT, gate.sign("own", EVENT, at=now - 1))
        assert (first.status, again.status, later.status) == (202, 200, 202)
        assert first.json["id"] == again.json["id"] != later.json["id"]
        assert first.json["id"].startswith("own:sha256-")


@pytest.mark.security("S22", inputs=10_000)
async def test_ten_thousand_replays_at_once_make_one_job(gate: Gate):
    async with gate:
        signed = gate.sign("github", EVENT) | {
            "X-GitHub-Event": "push",
            "Host": "x",
            "Content-Type": "application/json",
        }
        signed |= {"Content-Length": str(len(EVENT))}
        request = (
            "POST /hooks/github HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in signed.items()) + "\r\n"
        )

        async def replay(times: int) -> list[int]:
            reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
            statuses = []
            for _ in range(times):
                writer.write(request.encode() + EVENT)
                statuses.append((await answer(reader)).status)
            writer.close()
            return statuses

        rounds = await asyncio.gather(*(replay(200) for _ in range(50)))
        statuses = [status for statuses in rounds for status in statuses]
        assert (statuses.count(202), statuses.count(200), len(statuses)) == (1, 9_999, 10_000)
        assert len(await gate.jobs()) == 1


async def test_a_payload_is_made_of_what_the_file_says(gate: Gate):
    async with gate:
        body = b'{"order": {"id": 17, "lines": [1, 2.5]}}'
        got = await gate.post("/hooks/mapped?shop=paris&x=1", body, {"X-Topic": "orders/create"})
        assert (got.status, got.json) == (200, {"ok": True, "job": "mapped:paris-17"})
        [job] = await gate.jobs()
        assert job.data == {
            "order": {"id": 17, "lines": [1, 2.5]}, "topic": "orders/create", "note": None, "fixed": [1, None], "text": "no 17",
        }  # fmt: skip
        assert (await gate.post("/hooks/mapped?shop=paris", body, {"X-Topic": "x"})).status == 200


@pytest.mark.security("S30")
@pytest.mark.parametrize(
    ("path", "body", "headers", "message"),
    [
        ("/hooks/mapped?shop=paris", b'{"order": 1}', {"X-Topic": "x"}, "{body.order.id} is missing"),
        (
            "/hooks/mapped?shop=paris",
            b'{"order": {"id": 1.5}}',
            {"X-Topic": "x"},
            "{body.order.id} is not a string",
        ),
        ("/hooks/mapped?shop=paris", b'{"order": {"id": 1}}', {}, "{header.X-Topic} is missing"),
        (
            "/hooks/mapped?shop=paris",
            b'{"order": {"id": 1}}',
            {"X-Topic": "caf\u00e9"},
            "{header.X-Topic} is missing",
        ),
        ("/hooks/mapped", b'{"order": {"id": 1}}', {"X-Topic": "x"}, "{query.shop} is missing"),
        ("/hooks/open", b"{", {}, "the body is no JSON"),
        ("/hooks/open", b"", {}, "the body is no JSON"),
        ("/hooks/open", b'{"a": NaN}', {}, "the body is no JSON"),
        ("/hooks/open", b"\xff", {}, "the body is no JSON"),
        ("/hooks/open", b"[" * 30_000, {}, "the body is no JSON"),
        ("/hooks/quiet", b"{}", {}, "{body.customer} is missing"),
    ],
)
async def test_what_an_event_lacks_is_answered_422_with_the_field(gate: Gate, path, body, headers, message):
    async with gate:
        got = await gate.post(path, body, headers)
        assert (got.status, message in got.json["error"]["message"]) == (422, True), got.body
        assert await gate.jobs() == []


async def test_an_event_that_the_queue_has_no_job_for_is_refused_or_ignored(gate: Gate):
    async with gate:
        ignored = await gate.post("/hooks/orders", b'{"type": "order.deleted", "id": "1"}')
        assert (ignored.status, ignored.json) == (200, {"id": None, "status": "ignored"})
        taken = await gate.post("/hooks/orders", b'{"type": "order.created", "id": "1"}')
        assert taken.json == {"id": "orders:1", "status": "created"}
        gate.change(HOOKS.replace(", unknown_jobs: ignore", ""))
        refused = await gate.post("/hooks/orders", b'{"type": "order.deleted", "id": "1"}')
        assert (refused.status, refused.json["error"]["code"]) == (422, "unknown_job")
        assert [job.name for job in await gate.jobs("orders")] == ["order.created"]


async def test_events_with_one_deduplication_key_are_one_job(gate: Gate):
    async with gate:
        first, second = [
            await gate.post("/hooks/quiet", b'{"customer": "ann", "n": %d}' % n) for n in range(2)
        ]
        assert (first.status, second.status) == (202, 200)
        assert second.json == {"id": first.json["id"], "status": "duplicate"}


async def test_a_sender_can_be_answered_as_it_wants_to_be(gate: Gate):
    async with gate:
        got = await gate.post("/hooks/plain", EVENT)
        assert (got.status, got.body) == (204, b"")


async def test_an_id_that_cannot_stand_in_a_job_is_hashed_and_still_one(gate: Gate):
    async with gate:
        odd = {"Idempotency-Key": "ünique/é=", "Authorization": gate.sign("token", b"")["Authorization"]}
        got = await gate.post("/hooks/token", EVENT, odd)
        assert got.status in (202, 400, 422)
        long = odd | {"Idempotency-Key": "a/b" * 60}
        first, again = [await gate.post("/hooks/token", EVENT, long) for _ in range(2)]
        assert (first.status, again.status) == (202, 200)
        assert first.json["id"].startswith("token:hashed-")


async def test_an_older_secret_is_good_until_it_is_taken_out_of_the_file(gate: Gate):
    async with gate:
        event = {"X-GitHub-Event": "push"}
        body = b'{"n": 1}'
        signed = gate.sign("github", body, id="n1", secret=OLD) | event
        assert (await gate.post("/hooks/github", body, signed)).status == 202
        gate.change(HOOKS.replace(", {secret: old}", ""))
        body = b'{"n": 2}'
        signed = gate.sign("github", body, id="n2", secret=OLD) | event
        assert (await gate.post("/hooks/github", body, signed)).status == 401


async def test_another_file_counts_from_the_next_request_on(gate: Gate):
    async with gate:
        assert (await gate.post("/hooks/new")).status == 404
        gate.change(HOOKS.replace("/hooks/open", "/hooks/new"))
        assert (await gate.post("/hooks/new")).status == 202
        assert (await gate.post("/hooks/open")).status == 404


async def test_a_secret_that_is_changed_in_its_place_counts_soon(gate: Gate, monkeypatch: pytest.MonkeyPatch):
    async with gate:
        new = "another-secret-that-nobody-guesses"
        assert (await gate.send("stripe", EVENT, secret=new)).status == 401
        monkeypatch.setenv("NEW", new)
        gate.ingress.change()
        assert (await gate.send("stripe", EVENT, secret=new)).status == 202
        monkeypatch.setenv("NEW", "short")
        gate.ingress.change()
        assert (await gate.send("stripe", b'{"id": "evt_2"}', secret=new)).status == 503


def path_of(name: str) -> str:
    return f"/hooks/{name.partition(':')[0]}"


async def test_no_request_that_only_looks_genuine_becomes_a_job_or_an_error_of_ours(
    broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """All that a connection can carry of the hundreds in senders.py, at webhooks of the same schemes."""
    hooks = """
  stripe: {path: /hooks/stripe, verify: {type: stripe, secret: {secret: new}}, queue: payments, job: capture}
  github: {path: /hooks/github, verify: {type: github, secret: {secret: new}}, queue: payments, job: capture}
  standard: {path: /hooks/standard, verify: {type: standard, secret: {secret: standard}}, queue: payments, job: capture}
  slack: {path: /hooks/slack, verify: {type: slack, secret: {secret: new}}, queue: payments, job: capture}
  shopify: {path: /hooks/shopify, verify: {type: shopify, secret: {secret: new}}, queue: payments, job: capture}
"""
    monkeypatch.setenv("NEW", KEY.decode())
    monkeypatch.setenv("STANDARD", "whsec_" + base64.b64encode(KEY).decode())
    statuses: dict[int, int] = {}
    async with Gate(broker, tmp_path, hooks) as gate:
        # Their times are of another year, so they are genuine nowhere; the clock is put back for them.
        gate.shop.clock = lambda: 1_700_000_000_000
        for attempt in attempts():
            path = path_of(attempt.name)
            if path.encode() not in gate.ingress._ways:
                continue
            head = b"".join(b"%b: %b\r\n" % pair for pair in attempt.headers)
            length = b"Content-Length: %d\r\nContent-Type: application/json\r\n\r\n" % len(attempt.body)
            request = f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode() + head + length + attempt.body
            # A connection carries no line breaks in a header, and takes the spaces around it away.
            if any(b"\n" in value or value != value.strip() for _, value in attempt.headers):
                continue
            got = await gate.raw(request)
            statuses[got.status] = statuses.get(got.status, 0) + 1
            assert got.status in (400, 401), attempt.name
            assert got.status == 400 or got.body == b""
        assert statuses[401] > 200
        assert await gate.jobs() == []
        assert await gate.ask("KEYS", "*seen*") == []


async def test_a_replay_is_remembered_beside_the_ids_and_forgotten_with_them(gate: Gate):
    async with gate:
        await gate.post("/hooks/github", EVENT, gate.sign("github", EVENT) | {"X-GitHub-Event": "push"})
        [mark] = await gate.ask("KEYS", "{shop:payments}:seen:*")
        assert 0 <= 4 * 86_400_000 - await gate.ask("PTTL", mark) < 60_000
        assert mark.decode() == keys.seen("{shop:payments}", "github:" + mark.decode()[-64:])


def test_what_a_sender_hears_is_no_more_than_it_should(gate: Gate):
    async def refused() -> Any:
        async with gate:
            got = await gate.post("/hooks/stripe", EVENT)
            return got, dict(gate.shop.received)

    got, received = asyncio.run(refused())
    assert (got.status, got.body, received) == (401, b"", {("stripe", "no_signature"): 1})
    assert json.dumps(sorted(got.headers)) == json.dumps(["content-length", "date"])
