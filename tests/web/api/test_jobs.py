"""Jobs, looked at through the API."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from tests.web.api.conftest import Api, Bench


async def test_a_list_tells_of_each_job_what_is_worth_knowing_and_no_payload(api: Api, bench: Bench) -> None:
    id = bench.dead({"order": 17, "note": "hush"}, "smtp did not answer")
    (line,) = (await api.get("queues/emails/jobs?state=dead"))["jobs"]
    assert line["id"] == id
    assert (line["state"], line["attempt"], line["error"]) == (
        "dead", 1, {"type": "TimeoutError", "message": "smtp did not answer"})  # fmt: skip
    assert line["data_bytes"] == len('{"order":17,"note":"hush"}')
    assert "hush" not in json.dumps(line)


async def test_pages_go_on_where_the_last_one_ended(api: Api, bench: Bench) -> None:
    ids = bench.enqueue(count=7)[::-1]
    first = await api.get("queues/emails/jobs?state=waiting&limit=3")
    second = await api.get(f"queues/emails/jobs?state=waiting&limit=3&after={first['next']}")
    last = await api.get(f"queues/emails/jobs?state=waiting&limit=3&after={second['next']}")
    assert [job["id"] for page in (first, second, last) for job in page["jobs"]] == ids
    assert [page["more"] for page in (first, second, last)] == [True, True, False]
    assert (last["next"], last["total"]) == (None, 7)


async def test_a_page_behind_a_job_that_is_gone_is_a_404(api: Api, bench: Bench) -> None:
    bench.enqueue(count=2)
    answer = await api.ask("GET", "queues/emails/jobs?state=waiting&after=999")
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("job=refund", ["b"]), ("text=BERLIN", ["a"]), ("id=b", ["b"]), ("error=declined", ["c"]), ("since=1h", ["a", "b", "c"]),
        ("until=1h", []), ("text=nothing", []), ("state=waiting&text=berlin", ["a"]), ("state=delayed", []),
        ("state=waiting,dead&text=c", ["a", "b", "c"]),
    ],
)  # fmt: skip
async def test_a_search_finds_jobs_by_what_they_hold(
    api: Api, bench: Bench, query: str, found: list[str]
) -> None:
    bench.dead({"to": "cc"}, "card declined", id="c")
    bench.put({"city": "Berlin", "x": "c"}, id="a")
    bench.put({"city": "Rome", "x": "c"}, "refund", id="b")
    assert sorted(job["id"] for job in (await api.get(f"queues/emails/jobs?{query}"))["jobs"]) == found


async def test_a_job_page_has_all_that_is_kept(api: Api, bench: Bench) -> None:
    id = bench.dead({"order": 17}, "smtp", traceback="Traceback\n  x", priority=5)
    page = await api.get(f"queues/emails/jobs/{id}")
    assert page["data"] == {
        "value": {"order": 17},
        "text": None,
        "bytes": 12,
        "truncated": False,
        "redacted": [],
    }
    assert page["error"] == {"type": "TimeoutError", "message": "smtp", "traceback": "Traceback\n  x"}
    assert [one["attempt"] for one in page["errors"]] == [1]
    assert {one["event"] for one in page["timeline"]} == {"enqueued", "failed", "started", "dead"}
    assert page["options"]["priority"] == 5
    assert page["options"]["handler"] == "hands:send"
    assert page["actions"] == ["retry", "remove", "duplicate", "edit"]


async def test_what_is_large_is_cut_and_has_a_path_of_its_own(api: Api, bench: Bench) -> None:
    id = bench.put({"blob": "x" * 100_000})
    page = await api.get(f"queues/emails/jobs/{id}")
    assert (page["data"]["value"], page["data"]["truncated"], page["data"]["bytes"]) == (None, True, 100_011)
    assert len(page["data"]["text"]) == 64 * 1024
    assert len((await api.get(f"queues/emails/jobs/{id}/data"))["value"]["blob"]) == 100_000


async def test_a_page_of_jobs_with_payloads_of_a_mebibyte_is_small(api: Api, bench: Bench) -> None:
    for number in range(60):
        bench.put({"n": number, "blob": "x" * 1_048_000})
    answer = await api.ask("GET", "queues/emails/jobs?state=waiting&limit=50")
    assert len(answer.json["jobs"]) == 50
    assert len(answer.body) < 300_000


async def test_integers_that_a_browser_could_not_hold_go_out_as_text(api: Api, bench: Bench) -> None:
    id = bench.put({"big": 2**60, "small": 2**53, "list": [-(2**61)]})
    assert (await api.get(f"queues/emails/jobs/{id}/data"))["value"] == {
        "big": str(2**60), "small": 2**53, "list": [str(-(2**61))]}  # fmt: skip


async def test_a_payload_that_is_nested_deeply_is_shown_as_text(api: Api, bench: Bench) -> None:
    deep: object = 1
    for _ in range(200):
        deep = [deep]
    id = bench.put({"deep": deep})
    part = (await api.get(f"queues/emails/jobs/{id}"))["data"]
    assert part["value"] is None
    assert part["text"].startswith('{"deep":[[[[')
    assert (await api.get(f"queues/emails/jobs/{id}/data"))["text"] == part["text"]


@pytest.mark.parametrize("path", ["queues/nope/jobs", "queues/emails/jobs/nope", "queues/nope", "queues/emails/jobs/%C3%A4", "tasks/x"])  # fmt: skip
async def test_what_is_not_there_is_a_404(api: Api, path: str) -> None:
    assert (await api.ask("GET", path)).status == 404


NUMBERS = ["-1", "0", "1e9", "NaN", "1.5", "99999999999999999999", "-99999999999999999999", "0x10", "\uff11", "٣", " 1", "1 ", "+1", "Infinity",
           "-0", "00000000000000000000000000000001", "1_000", "1,5", "²", "null", "true", "[]", "1e-9", "--1", "", "9" * 4000]  # fmt: skip


@pytest.mark.security("S12", inputs=len(NUMBERS))
@pytest.mark.parametrize("name", ["limit", "minutes"])
async def test_hostile_numbers_are_cut_or_refused_and_never_worked_on(
    api: Api, bench: Bench, name: str
) -> None:
    bench.enqueue(count=3)
    path = "queues/emails/jobs" if name == "limit" else "charts"
    for number in NUMBERS:
        answer = await api.ask("GET", f"{path}?{name}={quote(number)}")
        assert answer.status in (200, 422), (number, answer.body)
