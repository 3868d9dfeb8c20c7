"""One browser for all tests, one shop for those that do not break it, and a window for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.past import give_past
from tests.browser.running import USERS, Shop, fill
from tests.browser.seeing import PATIENCE_MS, QUIET, Visitor, find_chromium

expect.set_options(timeout=PATIENCE_MS)

Open = Callable[..., Visitor]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, without a window. Where there is none the test says how to get it. While it is driven a loop runs in this
    thread, which no test of another module could bear."""
    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium here: `sh scripts/world-setup` gets it, or PIPELINE_CHROMIUM names one")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """The shop, full of jobs. Tests use queues and jobs of their own in it."""
    folder = Path(tempfile.mkdtemp(prefix="pq-"))
    running = Shop(folder / "shop", "embedded")
    try:
        give_past(running.root, "shop", "payments", rate=400, failing=60)
        give_past(running.root, "shop", "mail.receipts", rate=900, failing=10)
        fill(running)
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def cookies(browser: Browser, shop: Shop) -> dict[str, Any]:
    """Of each user, what a browser keeps of having signed in."""
    found = {}
    for user in USERS:
        visitor = Visitor(browser, shop.url)
        visitor.sign_in(user)
        found[user] = visitor.context.storage_state()
        visitor.close()
    return found


@pytest.fixture
def visit(browser: Browser, shop: Shop, cookies: dict[str, Any]) -> Iterator[Open]:
    """Opens windows on the shop: `visit("alice", kind="dark")`. At the end each must have an empty account."""
    opened: list[Visitor] = []

    def open(user: str = "alice", kind: str = "light") -> Visitor:
        visitor = Visitor(browser, shop.url, kind, cookies[user])
        opened.append(visitor)
        return visitor

    yield open
    for visitor in opened:
        visitor.close()
