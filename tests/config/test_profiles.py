"""A profile is laid over the file before anything else, and the ones not chosen are checked too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.findings import as_json
from pipeline.config.load import Loaded, load
from pipeline.config.show import effective
from pipeline.policy import Backoff, RetryPolicy
from pipeline.policy import QueuePolicy as Queue

Write = Callable[[str], Path]
SHOP = """\
name: shop
defaults: {concurrency: 20}
retries:
  std: {attempts: 3, discard_on: [ValueError, KeyError], backoff: {type: exponential, delay: 2s, max: 1m}}
queues:
  a: {handler: 'm:f', retry: std, concurrency: 50}
  b: {handler: 'm:f'}
profiles:
"""


@pytest.fixture
def with_profile(write: Write) -> Callable[..., Loaded]:
    """Loads the shop with this block as its profile `dev`."""

    def made(block: str, *, profile: str | None = "dev", every: bool = False, **env: str) -> Loaded:
        return load(write(f"{SHOP}  dev: {block}\n"), profile=profile, env=env, every_profile=every)

    return made


Made = Callable[..., Loaded]


def queue(loaded: Loaded, name: str = "a") -> Queue:
    assert loaded.plan is not None, loaded.findings
    return loaded.plan.queues[name]


def test_maps_merge_and_what_is_not_named_stays(with_profile: Made) -> None:
    loaded = with_profile("{queues: {a: {concurrency: 2}}}")
    assert loaded.plan is not None
    assert loaded.plan.profile == "dev"
    assert (queue(loaded).concurrency, queue(loaded, "b").concurrency) == (2, 20)
    assert queue(with_profile("{queues: {a: {concurrency: 2}}}", profile=None)).concurrency == 50


def test_a_profile_lies_below_defaults_of_the_queue_and_null_resets(with_profile: Made) -> None:
    assert queue(with_profile("{defaults: {concurrency: 3}}")).concurrency == 50
    assert queue(with_profile("{defaults: {concurrency: 3}}"), "b").concurrency == 3
    assert queue(with_profile("{queues: {a: {concurrency: null}}}")).concurrency == 10
    assert queue(with_profile("{defaults: null}"), "b").concurrency == 10


def test_lists_replace_and_another_type_drops_the_old_fields(with_profile: Made) -> None:
    loaded = with_profile("{retries: {std: {discard_on: [OSError], backoff: {type: list, delays: [1s]}}}}")
    policy = queue(loaded).others
    assert policy is not None
    assert policy.retry == RetryPolicy(3, Backoff("list", delays=(1_000,)), discard_on=("OSError",))


def test_a_profile_can_add_queues_and_an_empty_one_changes_nothing(with_profile: Made) -> None:
    assert queue(with_profile("{queues: {c: {handler: 'm:g', retry: std}}}"), "c").name == "c"
    assert queue(with_profile("")).concurrency == 50


def test_a_variable_that_the_profile_replaces_need_not_be_set(write: Write) -> None:
    text = SHOP.replace("concurrency: 50", "concurrency: '${N}'") + "  dev: {queues: {a: {concurrency: 2}}}\n"
    assert queue(load(write(text), profile="dev", env={})).concurrency == 2
    assert [one.code for one in load(write(text), env={}).findings] == ["P018"]


def test_an_unknown_profile_is_an_error_with_the_near_name(with_profile: Made) -> None:
    (found,) = with_profile("{}", profile="dve").findings
    assert (found.code, found.line, found.help) == ("P205", 8, "did you mean 'dev'?")


@pytest.mark.parametrize("key", ["version: 1", "include: [a]", "profiles: {}"])
def test_a_profile_changes_neither_version_nor_files_nor_profiles(with_profile: Made, key: str) -> None:
    for profile in ("dev", None):
        (found,) = with_profile("{" + key + "}", profile=profile).findings
        assert (found.code, found.line, found.column) == ("P207", 9, 9)
        assert found.path == f"profiles.dev.{key.partition(':')[0]}"


@pytest.mark.parametrize(("block", "code"), [("5", "P103"), ("[a]", "P103"), ("{nope: 1}", "P101")])
def test_what_cannot_be_a_profile_is_a_finding(with_profile: Made, block: str, code: str) -> None:
    assert [one.code for one in with_profile(block).findings] == [code]


def test_names_of_profiles_are_names(write: Write) -> None:
    assert [one.code for one in load(write(SHOP + "  Dev: {}\n"), env={}).findings] == ["P108"]
    text = SHOP + "".join(f"  p{number}: {{}}\n" for number in range(51))
    assert [one.code for one in load(write(text), env={}).findings] == ["P107"]


def test_profiles_that_were_not_chosen_are_checked_when_asked_for_each_mistake_once(
    with_profile: Made,
) -> None:
    block = (
        "{queues: {a: {concurency: 2, retry: nope, timeout: 30s}}}\n  test: {queues: {b: {timeout: soon}}}"
    )
    assert with_profile(block, profile=None).findings == ()
    loaded = with_profile(block, profile=None, every=True)
    assert [(one.code, one.line, one.profile) for one in loaded.findings] == [
        ("P101", 9, "dev"),
        ("P201", 9, "dev"),
        ("P401", 9, "dev"),
        ("P105", 10, "test"),
    ]
    assert loaded.plan is None
    paths = [one["path"] for one in as_json(loaded.findings)["diagnostics"]]
    assert paths[0] == "profiles.dev.queues.a.concurency"


def test_a_mistake_of_the_file_itself_is_not_told_again_for_each_profile(write: Write) -> None:
    text = (
        SHOP.replace("retry: std", "retry: nope")
        + "  dev: {queues: {a: {priority: 1}}}\n  x: {queues: {a: {}}}\n"
    )
    assert [one.code for one in load(write(text), env={}, every_profile=True).findings] == ["P201"]


def test_a_mistake_of_a_map_that_both_have_is_that_of_the_file(write: Write) -> None:
    text = SHOP.replace("b: {handler: 'm:f'}", "b: {}") + "  dev: {queues: {b: {priority: 1}}}\n"
    for profile in (None, "dev"):
        found = load(write(text), profile=profile, env={}, every_profile=True).findings
        assert [(one.code, one.line) for one in found] == [("P305", 7)]


def test_what_goes_wrong_elsewhere_for_the_sake_of_a_profile_is_told_at_its_key(write: Write) -> None:
    text = (
        SHOP.replace("concurrency: 50", "timeout: {soft: 5s}")
        + "  dev: {queues: {a: {timeout: {hard: 1s}}}}\n"
    )
    (found,) = load(write(text), env={}, every_profile=True).findings
    assert (found.code, found.line, found.column, found.path) == ("P301", 9, 3, "profiles.dev")
    assert found.help.endswith("shop.yaml:6:51")
    (chosen,) = load(write(text), profile="dev", env={}).findings
    assert (chosen.code, chosen.line) == ("P301", 6)


def test_a_variable_of_a_profile_that_was_not_chosen_need_not_be_set(with_profile: Made) -> None:
    block = "{queues: {a: {concurrency: '${N}'}}}"
    assert with_profile(block, profile=None, every=True).findings == ()
    assert [one.code for one in with_profile(block).findings] == ["P018"]


def test_origins_name_the_profile_and_the_variable(with_profile: Made) -> None:
    loaded = with_profile(
        "{queues: {a: {concurrency: '${N:-2}', priority: '${P}'}, b: {timeout: 5s}}}", P="3"
    )
    lines = {
        line.split("  # ")[0].strip(): line.split(":")[-1]
        for line in effective(loaded, origin=True).splitlines()
    }
    assert lines["concurrency: 2"] == "9 (profile dev, default of N)"
    assert lines["priority: 3"] == "9 (profile dev, P)"
    assert lines["timeout: 5s"] == "9 (profile dev)"
    assert lines["attempts: 3"] == "4"
