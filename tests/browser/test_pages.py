"""Every page, in light, in dark and on a phone: nothing strange happens, axe finds no serious fault, and a picture is taken."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.running import Shop
from tests.browser.seeing import SIZES, Visitor

pytestmark = [pytest.mark.world, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = {
    "overview": "",
    "queue": "queues/payments?state=dead",
    "queue-search": "queues/payments?text=busy&job=capture",
    "queue-settings": "queues/payments?view=settings",
    "queue-lanes": "queues/stock?view=lanes",
    "queue-follow": "queues/reports?view=events",
    "queue-empty": "queues/mail.digest?state=dead",
    "job-dead": "queues/payments/jobs/busy-1",
    "job-running": "queues/reports/jobs/report-0",
    "job-of-a-flow": "queues/payments/jobs/checkout:failed:charge",
    "dead-letters": "dead",
    "schedules": "schedules",
    "flows": "flows",
    "flow": "flows/checkout/failed",
    "workers": "workers",
    "charts": "charts?minutes=180",
    "config": "config",
    "config-changes": "config?view=changes",
    "generations": "config?view=history",
    "alerts": "alerts",
    "audit": "audit",
    "settings": "settings",
    "not-found": "nowhere",
    "no-queue": "queues/nowhere",
    "no-job": "queues/payments/jobs/nobody",
}
FAULTS = """
async () => (await axe.run()).violations.filter(({impact}) => ["serious", "critical"].includes(impact))
    .map(({id, help, nodes}) => [id, help, ...nodes.slice(0, 3).map(({html}) => html.slice(0, 160))])
"""


def test_there_is_axe() -> None:
    assert AXE.exists(), "run `npm ci` in web/"


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_and_fit_for_everybody(name: str, kind: str, visit: Open, shop: Shop) -> None:
    visitor = visit(kind=kind)
    page = visitor.open(PAGES[name])
    visitor.settled()
    expect(page.get_by_text("asking …")).to_have_count(0)
    page.wait_for_timeout(300)
    keep_picture(visitor, f"{name}-{kind}")
    assert faults_of(visitor) == []
    assert overflows(visitor) == 0, "the page is wider than the window"


@pytest.mark.parametrize("kind", SIZES)
def test_signing_in_is_sound_and_fit_for_everybody(kind: str, browser, shop: Shop) -> None:
    visitor = Visitor(browser, shop.url, kind)
    visitor.page.goto(shop.url)
    visitor.page.get_by_role("heading", name="Sign in").wait_for()
    keep_picture(visitor, f"sign-in-{kind}")
    assert faults_of(visitor) == []
    visitor.close()


@pytest.mark.parametrize("button", ["Add a job", "Pause", "Scale …", "Purge …"])
def test_a_window_over_the_page_is_sound_and_gives_the_focus_back(button: str, visit: Open) -> None:
    visitor = visit()
    page = visitor.open("queues/payments")
    page.get_by_role("button", name="More").click()
    opener = page.get_by_role("button", name=button)
    opener.click()
    page.get_by_role("dialog").wait_for()
    keep_picture(visitor, f"window-{button.split(maxsplit=1)[0].lower()}-light")
    assert faults_of(visitor) == []
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert visitor.ask("document.activeElement.textContent").strip() == button


def faults_of(visitor: Visitor) -> list[Any]:
    """What axe finds: the rule, and where."""
    # Our own policy forbids scripts from elsewhere: this one comes in by the browser's back door, as for a tester's tool.
    session = visitor.context.new_cdp_session(visitor.page)
    session.send("Page.setBypassCSP", {"enabled": True})
    session.send("Runtime.evaluate", {"expression": AXE.read_text()})
    return list(visitor.ask(FAULTS))


def overflows(visitor: Visitor) -> int:
    """By how many pixels one could scroll sideways."""
    return int(visitor.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def keep_picture(visitor: Visitor, name: str) -> None:
    """With PIPELINE_SCREENSHOTS=<folder>: a picture of the window, small where there is a pngquant."""
    folder = os.environ.get("PIPELINE_SCREENSHOTS")
    if not folder:
        return
    path = Path(folder) / f"{name}.png"
    visitor.page.screenshot(path=path, animations="disabled")
    if (squeeze := shutil.which("pngquant")) is not None:
        subprocess.run([squeeze, "--force", "--ext", ".png", "64", path], check=True)
