"""What is hidden of a job, and what an edited payload means."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.job import KeptError, Letter, LetterError
from pipeline.store.reader import JobView, ShownError
from pipeline.web.redact import HIDDEN, Rules, rules, veil
from pipeline.web.response import Refused, exact
from pipeline.web.restore import restore

CARD = "4242-4242-4242-4242"


def job(data: Any = None, **more: Any) -> JobView:
    return JobView(id="1", queue="q", name="n", state="dead", data=data, priority=0, attempt=1, attempts=1, enqueued_at=1, **more)  # fmt: skip


def of(*paths: str) -> Rules:
    return rules(paths)


@pytest.mark.parametrize(
    ("path", "data", "shown", "hidden"),
    [
        ("data.card", {"card": CARD, "n": 1}, {"card": HIDDEN, "n": 1}, ["data.card"]),
        ("data", {"a": 1}, HIDDEN, ["data"]),
        ("data.a.b", {"a": {"b": {"c": 1}, "d": 2}}, {"a": {"b": HIDDEN, "d": 2}}, ["data.a.b"]),
        ("data.items.*.card", {"items": [{"card": CARD}, {"x": 1}]}, {"items": [{"card": HIDDEN}, {"x": 1}]}, ["data.items.0.card"]),
        ("data.*.card", {"a": {"card": CARD}, "b": {"card": None}}, {"a": {"card": HIDDEN}, "b": {"card": None}}, ["data.a.card"]),
        ("data.items.1", {"items": ["a", "b"]}, {"items": ["a", HIDDEN]}, ["data.items.1"]),
        ("data.a.b", {"a": 1}, {"a": 1}, []),
        ("data.a.b", [1], [1], []),
        ("data.card", None, None, []),
        ("data.card", "text", "text", []),
        ("data.card", {"card": 0}, {"card": HIDDEN}, ["data.card"]),
    ],
)  # fmt: skip
def test_values_at_the_paths_are_hidden_and_no_others(
    path: str, data: Any, shown: Any, hidden: list[str]
) -> None:
    veiled = veil(job(data), of(path))
    assert veiled.job.data == shown
    assert veiled.hidden["data"] == hidden


TEXTS = [
    (CARD, f"card {CARD} declined", f"card {HIDDEN} declined"),
    (CARD, f"x{CARD}{CARD}y", f"x{HIDDEN}y"),
    ('say "hi" now', 'KeyError: \'say "hi" now\'', f"KeyError: '{HIDDEN}'"),
    ('say "hi" now', '{"a": "say \\"hi\\" now"}', f'{{"a": "{HIDDEN}"}}'),
    ("line\nend", "ValueError('line\\nend')", f"ValueError('{HIDDEN}')"),
    ("grün", '{"a": "gr\\u00fcn"}', f'{{"a": "{HIDDEN}"}}'),
    (4242, "card 4242.", f"card {HIDDEN}."),
    (4242, "card 14242 and 42420", "card 14242 and 42420"),
    (-4242, "at -4242", f"at -{HIDDEN}"),
    (3.14159, "pi 3.14159", f"pi {HIDDEN}"),
    ({"no": CARD, "pin": 987654}, f"{CARD} {987654}", f"{HIDDEN} {HIDDEN}"),
    ("abc", "abc", "abc"),
    (123, "123", "123"),
    (True, "True", "True"),
    ("s" * 200, "x" + "s" * 200 + "y", f"x{HIDDEN}y"),
    ("0123456789" * 20, "cut " + ("0123456789" * 20)[:100], f"cut {HIDDEN}"),
    ("0123456789", "456789 was the end", f"{HIDDEN} was the end"),
    ("redacted", "redacted and [redacted]", f"{HIDDEN} and [{HIDDEN}]"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "text", "shown"), TEXTS)
def test_a_hidden_value_is_hidden_where_it_stands_in_text(value: Any, text: str, shown: str) -> None:
    error = ShownError("E", text, text)
    kept = KeptError(1, 1, "E", text, text)
    letter = Letter("q", "1", 1, LetterError("E", text))
    whole = job({"card": value, "note": text}, error=error, errors=(kept,), logs=[text], result=[text], progress={"a": text},
                lane=text, key=text, dead_letter=letter)  # fmt: skip
    seen = veil(whole, of("data.card")).job
    assert seen.error == ShownError("E", shown, shown)
    assert (seen.errors[0].message, seen.errors[0].traceback) == (shown, shown)
    assert (seen.logs, seen.result, seen.progress) == ([shown], [shown], {"a": shown})
    assert (seen.lane, seen.key, seen.data["note"]) == (shown, shown, shown)
    assert seen.dead_letter is not None
    assert seen.dead_letter.error.message == shown


def test_a_hidden_value_is_no_key_and_no_number_elsewhere() -> None:
    seen = veil(
        job({"card": CARD, CARD: 1, f"{CARD}!": 2, "list": [424242], "pin": 424242}),
        of("data.card", "data.pin"),
    ).job
    assert seen.data == {"card": HIDDEN, HIDDEN: 1, f"{HIDDEN}!": 2, "list": [HIDDEN], "pin": HIDDEN}


def test_two_keys_that_are_hidden_stay_two() -> None:
    assert veil(job({"card": ["aaaa", "bbbb"], "aaaa": 1, "bbbb": 2}), of("data.card")).job.data == {
        "card": HIDDEN, HIDDEN: 1, f"{HIDDEN} (2)": 2}  # fmt: skip


def test_errors_and_logs_can_be_hidden_as_a_whole() -> None:
    seen = veil(job({}, error=ShownError("E", "m", "t"), logs=["a", "b"]), of("error", "logs")).job
    assert (seen.error, seen.logs) == (ShownError("E", HIDDEN, HIDDEN), [HIDDEN])


def test_more_values_than_can_be_looked_for_hide_all_text() -> None:
    seen = veil(job({"cards": [f"card-{n}" for n in range(3_000)]}, logs=["hello"]), of("data.cards")).job
    assert seen.logs == [HIDDEN]


def test_what_is_nested_beyond_reason_is_hidden() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert veil(job({"card": CARD, "deep": deep}), of("data.card")).job.data == HIDDEN


def test_without_rules_a_job_is_shown_as_it_is() -> None:
    whole = job({"card": CARD})
    assert veil(whole, of()).job is whole


# --- an edited payload ------------------------------------------------------------------------------------

OLD = {
    "card": CARD,
    "note": f"pay {CARD}",
    "big": 2**60,
    "items": [{"card": "aaaa"}, {"card": "bbbb"}],
    "n": 1,
    "flag": True,
}
RULES = of("data.card", "data.items.*.card")


def shown() -> Any:
    return exact(veil(job(OLD), RULES).job.data)


def test_what_was_not_touched_stays_as_it_was_hidden_or_not() -> None:
    assert restore(shown(), shown(), OLD) == OLD
    assert restore(shown() | {"n": 2}, shown(), OLD) == OLD | {"n": 2}


def test_a_hidden_value_can_be_replaced_and_removed() -> None:
    edited = shown() | {"card": "new"}
    del edited["items"]
    wanted = OLD | {"card": "new"}
    del wanted["items"]
    assert restore(edited, shown(), OLD) == wanted


def test_a_long_integer_stays_a_number() -> None:
    assert restore({"big": str(2**60)}, shown(), OLD) == {"big": 2**60}
    assert restore({"big": "1"}, shown(), OLD) == {"big": "1"}


def test_true_is_not_one() -> None:
    assert restore({"flag": 1, "n": True}, shown(), OLD) == {"flag": 1, "n": True}
    assert repr(restore({"flag": 1, "n": True}, shown(), OLD)) == "{'flag': 1, 'n': True}"


@pytest.mark.parametrize(
    "change",
    [
        {"other": HIDDEN}, {"note": f"refund {HIDDEN}"}, {"items": [{"card": HIDDEN}]}, {"items": {"0": HIDDEN}}, {"n": [HIDDEN]},
        {"card": {"inner": HIDDEN}}, {HIDDEN: 1}, {"items": [{"card": HIDDEN}, {"card": HIDDEN}, {"card": HIDDEN}]}, {"card": f" {HIDDEN}"},
    ],
)  # fmt: skip
def test_a_marker_that_stands_for_nothing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        restore(shown() | change, shown(), OLD)
    assert (refused.value.status, refused.value.code) == (409, "redacted")


def test_text_that_looked_like_the_marker_may_stay() -> None:
    old = {"note": f"as we say: {HIDDEN}"}
    assert restore(old, old, old) == old
