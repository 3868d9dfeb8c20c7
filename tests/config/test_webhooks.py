"""Webhooks in the file: what they become, and what would let strangers in."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pipeline.config.load import Loaded, load
from pipeline.config.show import effective
from pipeline.plan import Plan
from pipeline.policy import Deduplication
from pipeline.webhook import Answer, SecretSource, VerifyPlan, WebhookPlan
from tests.config.conftest import Write

Load = Callable[..., Loaded]
HEAD = """\
name: shop
secrets: {new: {env: NEW}, old: {file: old.txt}}
queues:
  payments: {handler: "m:f"}
webhooks:
"""
SHORT = "  hook: {path: /a, verify: {type: TYPE, secret: {secret: new}}, queue: payments, job: x}\n"


def test_a_webhook_becomes_plain_values_without_its_secrets(project: Load):
    text = """\
  orders:
    path: /hooks/orders
    method: PUT
    verify:
      type: hmac
      secret: [{secret: new}, {secret: old}]
      header: X-Signature
      prefix: "v1="
      algorithm: sha512
      encoding: base64
      signed: "{timestamp}.{body}"
      timestamp_header: X-Time
      tolerance: 1m
    queue: payments
    job: "{body.type}"
    unknown_jobs: ignore
    id: "{header.X-Id}"
    deduplication: {key: "{body.order}", mode: throttle, ttl: 10m}
    data: {order: "{body.order}", who: "${WHO}", nothing: null, x-kept: 1}
    schema: order.json
    max_body: 256KiB
    response: {status: 200, body: "ok"}
    ids: {keep: 2d}
"""
    schema = {"type": "object"}
    key = "k" * 20
    files = {"configs/shop.yaml": HEAD + text, "order.json": json.dumps(schema), "old.txt": key + "\n"}
    loaded = project(files, {"NEW": "n" * 20, "WHO": "ann"}, secrets="required")
    assert loaded.plan is not None, loaded.findings
    verify = VerifyPlan(
        "hmac", (SecretSource("new", env="NEW"), SecretSource("old", file="old.txt")), None, "x-signature", "v1=",
        "sha512", "base64", "{timestamp}.{body}", "x-time", None, 60_000,
    )  # fmt: skip
    assert loaded.plan.webhooks["orders"] == WebhookPlan(
        path="/hooks/orders", method="PUT", verify=verify, queue="payments", job="{body.type}", unknown_jobs="ignore",
        id="{header.X-Id}", deduplication=Deduplication("{body.order}", "throttle", 600_000),
        data={"order": "{body.order}", "who": "ann", "nothing": None, "x-kept": 1}, schema=schema, max_body=262_144,
        answer=Answer(200, "ok"), keep=172_800_000, replay=True,
    )  # fmt: skip
    assert {key, "n" * 20} <= set(loaded.plan.secrets)
    assert str(loaded.inputs).count("old.txt") == 1


@pytest.mark.parametrize(
    ("kind", "id", "replay"),
    [
        ("stripe", "{body.id}", False),
        ("github", "{header.x-github-delivery}", True),
        ("shopify", "{header.x-shopify-webhook-id}", True),
        ("standard", "{header.webhook-id}", False),
        ("standard-webhooks", "{header.webhook-id}", False),
        ("slack", "{body.event_id}", False),
        ("gitlab", "{header.idempotency-key?}", False),
        ("bearer", "{header.idempotency-key?}", False),
        ("hmac, header: X-A", None, True),
        ('hmac, header: X-A, id_header: X-Id, signed: "{id}.{body}"', "{header.x-id}", False),
    ],
)
def test_a_sender_is_known_for_where_its_id_is_and_whether_that_is_signed(plan, kind, id, replay):
    hook = plan(HEAD + SHORT.replace("TYPE", kind)).webhooks["hook"]
    assert (hook.event_id, hook.replay) == (id, replay)
    own = plan(HEAD + SHORT.replace("TYPE", kind).replace("job: x", 'job: x, id: "{body.own}", replay: id'))
    assert (own.webhooks["hook"].event_id, own.webhooks["hook"].replay) == ("{body.own}", False)


@pytest.mark.parametrize(
    ("kind", "secret", "problem"),
    [
        ("stripe", "x" * 15, "15 bytes, and 16 are the least"),
        ("github", "x", "1 bytes, and 16 are the least"),
        ("bearer", "x" * 31, "31 bytes, and 32 are the least"),
        ("standard", "whsec_short", "not whsec_ and base64"),
        ("standard-webhooks", "whpk_AAAA", "a pair of keys"),
        ("stripe", "é" * 8, None),
        ("bearer", "x" * 32, None),
    ],
)
def test_a_secret_that_could_be_guessed_is_an_error_that_does_not_show_it(
    write: Write, kind, secret, problem
):
    file = write(HEAD + SHORT.replace("TYPE", kind))
    loaded = load(file, env={"NEW": secret})
    found = [(one.code, problem is not None and problem in one.message) for one in loaded.findings]
    assert found == ([("P370", True)] if problem else [])
    assert not any(
        secret in one.message + one.help + one.source for one in loaded.findings if len(secret) > 4
    )


@pytest.mark.parametrize(
    ("need", "severities"), [("noted", ["note"]), ("required", ["error"]), ("broker", [])]
)
def test_a_secret_that_is_not_set_is_an_error_where_webhooks_come_in_only(write: Write, need, severities):
    loaded = load(write(HEAD + SHORT.replace("TYPE", "github")), env={}, secrets=need)
    assert [(one.code, one.severity) for one in loaded.findings] == [("P208", one) for one in severities]


def test_an_empty_secret_never_verifies_anything(write: Write):
    loaded = load(write(HEAD + SHORT.replace("TYPE", "github")), env={"NEW": ""}, secrets="required")
    assert loaded.plan is None


def test_what_is_shown_of_a_file_is_a_file_that_means_the_same(plan, write: Write):
    text = HEAD + SHORT.replace("TYPE", "github").replace("{secret: new}", "[{secret: new}, {secret: old}]")
    first = load(write(text), env={})
    again = load(write(effective(first)), env={})
    assert again.plan is not None, again.findings
    assert first.plan is not None
    assert again.plan.webhooks == first.plan.webhooks
    assert first.plan.hash == again.plan.hash


def test_another_webhook_is_another_content(plan: Callable[..., Plan]):
    one, other = (plan(HEAD + SHORT.replace("TYPE", kind)) for kind in ("github", "gitlab"))
    assert one.hash != other.hash


def test_an_included_file_may_hold_webhooks(project: Load):
    hooks = "webhooks:\n" + SHORT.replace("TYPE", "github")
    head = HEAD.removesuffix("webhooks:\n") + "include: [hooks.yaml]\n"
    loaded = project({"shop.yaml": head, "hooks.yaml": hooks})
    assert loaded.plan is not None
    assert list(loaded.plan.webhooks) == ["hook"]


def test_a_file_with_webhooks_has_a_web_process(plan: Callable[..., Plan]):
    assert plan(HEAD.removesuffix("webhooks:\n")).web is None
    assert plan(HEAD + SHORT.replace("TYPE", "github")).web is not None


def test_a_path_is_exact(loaded: Load):
    for path in (
        "hooks",
        "/",
        "/a/",
        "/a//b",
        "/a/../b",
        "/.git",
        "/a b",
        "/a?x",
        "/%61",
        "/é",
        "/" + "a" * 200,
    ):
        text = HEAD + SHORT.replace("TYPE", "github").replace("/a,", f"'{path}',")
        assert [one.code for one in loaded(text, {"NEW": "x" * 20}).findings] == ["P131"], path
