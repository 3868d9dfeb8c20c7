"""Every script is called by the names in its signature, and uses the names that it declares."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline.store.scripts import LUA, SIGNATURE, by_sha, script, whole

NAMES = sorted(path.stem for path in LUA.glob("*.lua"))
INCLUDES = {path.stem: path.read_text() for path in (LUA / "include").glob("*.lua")}


def body(name: str) -> str:
    """The code of a script, without comments and without its signature."""
    text = SIGNATURE.sub("", (LUA / f"{name}.lua").read_text())
    return re.sub(r"^\s*--.*$|^#!.*$", "", text, flags=re.MULTILINE)


def includes_of(text: str) -> set[str]:
    return set(re.findall(r"^-- include (\w+)$", text, re.MULTILINE))


def functions(text: str) -> list[str]:
    return re.findall(r"^local function (\w+)", text, re.MULTILINE)


def calls(text: str, function: str) -> bool:
    return re.search(rf"(?<!function )\b{function}\(", text) is not None


@pytest.mark.parametrize("name", NAMES)
def test_a_script_uses_every_name_that_it_declares(name: str) -> None:
    for declared in script(name).arguments:
        assert re.search(rf"\b{declared}\b", body(name)), f"{name}.lua does not use {declared}"


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_given_the_queues_base_as_its_only_key(name: str) -> None:
    # What a supervisor writes besides belongs to the project as a whole; the flows of one name are as a queue.
    project = {"write": "key", "tally": "totals", "layout": "layout"}
    base = project.get(name) or ("flow" if name.startswith("flow_") else "queue")
    assert (script(name).keys, script(name).arguments[0]) == (1, base)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_includes_what_it_calls_and_calls_what_it_includes(name: str) -> None:
    included = includes_of((LUA / f"{name}.lua").read_text())
    used = body(name) + "".join(re.sub(r"--.*", "", INCLUDES[include]) for include in included)
    called = {
        include for include, text in INCLUDES.items() if any(calls(used, name) for name in functions(text))
    }
    assert called == included


def test_includes_go_one_level_deep_and_each_is_used() -> None:
    assert [name for name, text in INCLUDES.items() if includes_of(text)] == []
    used = set().union(*(includes_of((LUA / f"{name}.lua").read_text()) for name in NAMES))
    assert used == set(INCLUDES)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_stands_below_its_includes_and_says_what_it_does(name: str) -> None:
    text = (LUA / f"{name}.lua").read_text()
    assert re.match(r"(#!lua .*\n)?-- [A-Z]", text)
    assert b"-- include" not in script(name).source


@pytest.mark.parametrize("name", NAMES)
def test_a_server_out_of_memory_refuses_new_jobs_and_payloads_only(name: str) -> None:
    # What settles, reclaims or deletes must work then: it is the way out. Questions never need memory.
    # New flows, and the jobs that flows make, are new jobs too.
    new = {"enqueue", "enqueue_each", "enqueue_own", "receive", "fire", "flow_start", "change", "bring"}
    free = {*new, "counts", "lanes", "show", "policy", "trace"}
    assert script(name).source.startswith(b"#!lua flags=allow-oom\n") != (name in free)


def test_a_command_has_the_arguments_in_the_order_of_the_signature() -> None:
    command = script("join").command(lease=5, worker="w1", queue="q")
    assert command == (b"EVALSHA", script("join").sha, 1, "q", "w1", 5)
    command = script("renew").command(queue="q", lease=5, rest=["w1", "w2"])
    assert command[3:] == ("q", 5, "w1", "w2")


@pytest.mark.parametrize(
    ("given", "rest"),
    [
        ({"queue": "q"}, ()),
        ({"queue": "q", "worker": "w"}, ()),
        ({"queue": "q", "worker": "w", "lease": 1, "more": 1}, ()),
        ({"queue": "q", "worker": "w", "leese": 1}, ()),
        ({"queue": "q", "worker": "w", "lease": 1}, ("rest",)),
    ],
)
def test_wrong_arguments_are_a_type_error_that_names_the_right_ones(
    given: dict[str, Any], rest: tuple[str, ...]
) -> None:
    with pytest.raises(TypeError, match=r"join takes \['queue', 'worker', 'lease'\]"):
        script("join").command(rest=rest, **given)


def test_a_command_can_be_sent_whole() -> None:
    command = script("join").command(queue="q", worker="w1", lease=5)
    assert whole(command) == (b"EVAL", script("join").source, 1, "q", "w1", 5)
    assert set(by_sha()) == {script(name).sha for name in NAMES}
