"""Handlers are imported in a child process, which may hang, print, or end itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.handlers import check
from pipeline.config.load import load

Write = Callable[[str], Path]

APP = """
import sys
print("an import that prints")
class Declined(Exception): ...
class Plain: ...
def good(job): ...
async def also_good(job): ...
def none(): ...
def two(a, b): ...
def boot(): sys.modules["booted"] = sys
value = 3
def plain_around(job, call_next): ...
async def async_around(job, call_next): ...
from contextlib import asynccontextmanager, contextmanager
@contextmanager
def span(job): yield
@contextmanager
def opened():
    boot()
    yield
@asynccontextmanager
async def async_opened():
    boot()
    yield
"""
MODULES = {
    "app.py": APP,
    "slow.py": "import time\ntime.sleep(600)\n",
    "exits.py": "import sys\nsys.exit(0)\n",
    "dies.py": "import os\nos._exit(0)\n",
    "fails.py": "1 / 0\n",
    "needs.py": "import a_package_that_is_not_there\n",
    "bad.py": "def f(:\n",
    "after_boot.py": "import booted\ndef f(job): ...\n",
}


@pytest.fixture
def project(tmp_path: Path) -> None:
    for name, text in MODULES.items():
        (tmp_path / name).write_text(text)


def found(file: Path, timeout: int | None = None) -> list[str]:
    loaded = load(file, env={})
    assert loaded.plan is not None
    return [f"{one.code} {one.line}:{one.column} {one.path}" for one in check(loaded, timeout)]


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        ("app:good", None),
        ("app:also_good", None),
        ("app:gud", "P502"),
        ("missing:f", "P501"),
        ("missing.module:f", "P501"),
        ("app:value", "P503"),
        ("app:none", "P504"),
        ("app:two", "P504"),
        ("exits:f", "P506"),
        ("dies:f", "P506"),
        ("fails:f", "P507"),
        ("needs:f", "P507"),
        ("bad:f", "P507"),
    ],
)
def test_a_handler_that_cannot_be_used_is_found(
    project: None, write: Write, handler: str, code: str | None
) -> None:
    file = write(f"name: s\nqueues:\n  a: {{handler: '{handler}'}}\n")
    assert found(file) == ([f"{code} 3:16 queues.a.handler"] if code else [])


def test_an_import_that_hangs_ends_at_its_limit_and_the_others_are_checked(
    project: None, write: Write
) -> None:
    file = write(
        "name: s\nqueues:\n  a: {handler: 'slow:f'}\n  b: {handler: 'exits:f'}\n  c: {handler: 'slow:g'}\n"
        "  d: {handler: 'app:good'}\n  e: {handler: 'app:two'}\n"
    )
    assert found(file, timeout=700) == [
        "P505 3:16 queues.a.handler",
        "P506 4:16 queues.b.handler",
        "P505 5:16 queues.c.handler",
        "P504 7:16 queues.e.handler",
    ]


def test_the_classes_of_policies_are_imported_too(project: None, write: Write) -> None:
    file = write(
        "name: s\nretries:\n  r: {retry_on: [TimeoutError, app:Declined, app:Plain], discard_on: [app:Declind]}\n"
        "queues:\n  a: {handler: 'app:good', retry: r}\n  b: {handler: 'app:good', retry: r}\n"
    )
    assert found(file) == ["P508 3:46 queues.a.retry.retry_on.2", "P502 3:71 queues.a.retry.discard_on.0"]


@pytest.mark.parametrize(
    ("handler", "around", "code"),
    [
        ("app:good", "app:plain_around", None),
        ("app:also_good", "app:async_around", None),
        ("app:also_good", "app:span", None),
        ("app:good", "app:async_around", "P509"),
        ("app:also_good", "app:plain_around", "P509"),
        ("app:good", "app:none", "P509"),
        ("app:good", "app:value", "P509"),
        ("app:good", "app:nothing", "P502"),
        ("app:good", "missing:f", "P501"),
    ],
)
def test_what_is_around_a_handler_must_fit_it(
    project: None, write: Write, handler: str, around: str, code: str | None
) -> None:
    file = write(f"name: s\ndefaults: {{around: ['{around}']}}\nqueues: {{a: {{handler: '{handler}'}}}}\n")
    assert found(file) == ([f"{code} 2:21 queues.a.around.0"] if code else [])


def test_setup_may_be_a_context_manager(project: None, write: Write) -> None:
    queues = "queues: {a: {handler: 'after_boot:f'}}\n"
    assert found(write(f"name: s\nsetup: app:opened\n{queues}")) == []
    assert found(write(f"name: s\nsetup: app:async_opened\n{queues}")) == []


def test_setup_is_called_before_handlers_are_imported(project: None, write: Write) -> None:
    queues = "queues: {a: {handler: 'after_boot:f'}}\n"
    assert found(write(f"name: s\nsetup: app:boot\n{queues}")) == []
    assert found(write(f"name: s\nsetup: app:good\n{queues}")) == ["P504 2:8 setup"]
    assert found(write(f"name: s\n{queues}")) == ["P507 2:23 queues.a.handler"]
