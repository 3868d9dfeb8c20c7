"""How one gets about: search, keys, themes, signing in and out, under a prefix, and through outages."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Open
from tests.browser.running import HOSTILE, Shop
from tests.browser.seeing import Visitor
from tests.conftest import Server, start_server

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]
ONE = """
version: 1
name: one
broker: {url: "${BROKER}"}
http: {listen: "127.0.0.1:0", ingress: "127.0.0.1:0", path: /behind/a.proxy, users: {alice: {role: admin, password: "${ALICE}"}}}
queues: {archive: {handler: null}, mails: {handler: "hands:send"}}
"""


class Own:
    """A shop whose broker may be ended and started again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pq-"))
        self.server: Server = start_server(self.folder)
        self.shop = Shop(self.folder / "shop", self.server.url, text=ONE)
        self.base = f"{self.shop.address}/behind/a.proxy/"

    def end_server(self) -> None:
        self.server.process.kill()
        self.server.process.wait()

    def close(self) -> None:
        self.shop.stop()
        self.end_server()
        shutil.rmtree(self.folder)


@pytest.fixture
def own() -> Iterator[Own]:
    """A small project below a prefix, on a broker of its own."""
    made = Own()
    yield made
    made.close()


def ids(page: Page) -> set[str]:
    """The jobs in the list."""
    return set(page.get_by_role("main").locator("td .name").all_inner_texts())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("text=declined-3", {"declined-3"}),
        ("id=declined-&state=dead", {f"declined-{n}" for n in range(5)}),
        ("job=refund&state=delayed", {"refund-1"}),
        ("error=CardDeclined", set()),
        ("state=dead&error=the card was declined&id=declined", {f"declined-{n}" for n in range(5)}),
        ("text=ch_d2", {"declined-2"}),
        ("text=4242", set()),
        ("state=dead&until=1h", set()),
    ],
)
def test_jobs_are_found_by_id_name_error_payload_and_time(query: str, found: set[str], visit: Open) -> None:
    visitor = visit()
    page = visitor.open(f"queues/payments?{query}")
    visitor.settled()
    page.locator(".pager").wait_for()
    assert ids(page) == found


def test_typing_narrows_the_list_and_the_address_keeps_the_search(visit: Open) -> None:
    page = visit().open("queues/payments")
    page.get_by_role("row").nth(1).wait_for()
    page.keyboard.press("/")
    page.keyboard.type("busy-4")
    page.get_by_role("link", name="busy-4").wait_for()
    expect(page.get_by_role("main").locator("td .name")).to_have_count(1)
    assert "text=busy-4" in page.url


def test_pages_of_a_list_go_on_and_back(visit: Open) -> None:
    page = visit().open("queues/mail.receipts?state=completed")
    page.get_by_role("button", name="Older").click()
    page.get_by_text("page 2").wait_for()
    second = ids(page)
    page.get_by_role("button", name="Back", exact=True).click()
    page.get_by_text("page 1").wait_for()
    assert second.isdisjoint(ids(page))


def test_keys_go_everywhere(visit: Open) -> None:
    page = visit().open()
    for key, title in [("d", "Dead letters"), ("s", "Schedules"), ("w", "Workers"), ("o", "Overview")]:
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.get_by_role("heading", name=title, level=1).wait_for()
    page.keyboard.press("g")
    page.keyboard.press("q")
    expect(page.get_by_role("combobox", name="A queue or a page")).to_be_focused()
    page.keyboard.type("receip")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="mail.receipts", level=1).wait_for()
    page.get_by_role("table").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.get_by_role("group", name="With the selected jobs")).to_contain_text("1 job selected")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("next row, row before")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Data").wait_for()


def test_a_theme_that_was_chosen_stays(visit: Open) -> None:
    page = visit().open("settings")
    page.get_by_role("button", name="dark", exact=True).click()
    page.reload()
    page.get_by_role("heading", name="Settings").wait_for()
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"


def test_queues_are_sorted_and_groups_fold(visit: Open) -> None:
    page = visit().open()
    table = page.get_by_role("table", name="Queues")
    table.get_by_role("button", name="Waiting", exact=True).click()
    assert table.locator("td .name").first.inner_text() == "archive"
    expect(table.get_by_role("columnheader", name="Waiting")).to_have_attribute("aria-sort", "descending")
    table.get_by_role("button", name=re.compile("^mail")).click()
    expect(table.get_by_role("link", name="mail.digest")).to_have_count(0)


def test_words_that_look_like_markup_stay_words(visit: Open) -> None:
    visitor = visit()
    for n in range(len(HOSTILE)):
        page = visitor.open(f"queues/mail.receipts/jobs/hostile-{n}")
        page.get_by_role("heading", name="Why it died").wait_for()
        assert page.locator("main img, main script, main iframe, [onerror], [onload]").count() == 0
    visitor.open("queues/mail.receipts?state=dead").get_by_role("table").wait_for()
    visitor.open("dead?queue=mail.receipts").locator(".group").first.wait_for()
    assert visitor.ask("window.broken") is None


def test_a_large_payload_comes_only_when_it_is_asked_for(visit: Open) -> None:
    visitor = visit()
    sizes: list[int] = []
    visitor.page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", "0"))))
    page = visitor.open("queues/archive/jobs/large")
    page.get_by_role("button", name="Load the whole").wait_for()
    assert max(sizes) < 300_000
    page.get_by_role("button", name="Load the whole").click()
    page.get_by_text(re.compile("more characters")).wait_for()
    assert max(sizes) > 900_000


def test_a_wrong_password_is_told_and_signing_out_ends_the_session(browser: Browser, shop: Shop) -> None:
    visitor = Visitor(browser, shop.url)
    page = visitor.page
    page.goto(f"{shop.url}#/queues/payments")
    page.get_by_label("Name", exact=True).fill("victor")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    page.get_by_label("Password", exact=True).fill("victor")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="payments", level=1).wait_for()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    page.reload()
    page.get_by_role("heading", name="Sign in").wait_for()
    visitor.close()


def test_a_window_that_nobody_looks_at_holds_no_connection(visit: Open) -> None:
    visitor = visit()
    page = visitor.page
    page.clock.install()
    visitor.open()
    page.locator(".live.is-live").wait_for()
    look = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true}); document.dispatchEvent(new Event('visibilitychange')); }"
    with page.expect_event("requestfailed", lambda request: "/stream" in request.url):
        visitor.ask(look, True)
        page.clock.fast_forward(31_000)
    with page.expect_request("**/stream*"):
        visitor.ask(look, False)


def test_below_a_prefix_live_and_through_outages(browser: Browser, own: Own) -> None:
    visitor = Visitor(browser, own.base)
    visitor.sign_in("alice")
    page = visitor.page
    row = page.get_by_role("row").filter(has_text="archive")
    own.shop.client.enqueue("archive", "store", {}, id="seen")
    expect(row.get_by_role("link", name="1", exact=True)).to_be_visible()

    os.kill(own.shop.web_pid(), signal.SIGKILL)
    page.get_by_text("Not live", exact=True).wait_for()
    page.locator(".live.is-live").wait_for()

    own.end_server()
    page.get_by_text("The broker is away.").wait_for()
    expect(row.get_by_role("link", name="1", exact=True)).to_be_visible()
    own.server = start_server(own.folder)
    page.get_by_text("The broker is away.").wait_for(state="detached", timeout=60_000)
    visitor.close()
