"""The first view of a small project, in the first ring: the files in the package are a dashboard that works."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.running import Shop
from tests.browser.seeing import Visitor

SMALL = """
version: 1
name: small
broker: {url: "${BROKER}"}
http: {listen: "127.0.0.1:0", ingress: "127.0.0.1:0"}
queues: {archive: {handler: null}, mails: {handler: "hands:send"}}
"""


@pytest.fixture
def small(broker: str) -> Iterator[Shop]:
    """A project with a queue that only stores, and a job in it."""
    with tempfile.TemporaryDirectory(prefix="pq-") as folder:
        running = Shop(Path(folder), broker, text=SMALL)
        running.client.enqueue("archive", "store", {"n": 1}, id="first")
        yield running
        running.stop()


def test_the_token_that_was_printed_opens_the_overview_and_nothing_strange_happens(
    browser: Browser, small: Shop
) -> None:
    visitor = Visitor(browser, small.url)
    page = visitor.page
    page.goto(small.url)
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Token").fill(small.token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("table", name="Queues").get_by_role("link", name="archive").click()
    page.get_by_role("link", name="first").click()
    page.get_by_role("heading", name="first", level=1).wait_for()
    page.locator(".live.is-live").wait_for()
    visitor.close()
