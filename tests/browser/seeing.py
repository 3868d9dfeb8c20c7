"""A browser that keeps account of what must never happen on a page of ours."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SIZES = {"light": (1440, 900), "dark": (1440, 900), "phone": (390, 844)}
# An answer that is no 2xx is told on the console by Chromium itself; what a page makes of it is looked at elsewhere.
ANSWERS = "Failed to load resource"
PATIENCE_MS = 30_000


def find_chromium() -> str | None:
    """Where the browser is: $PIPELINE_CHROMIUM, or the first of its names on the PATH."""
    return os.environ.get("PIPELINE_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Account:
    """What a page did wrong: words on the console, exceptions, requests to strangers."""

    base: str
    faults: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        """Keep account of this page from now on."""
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        page.on("request", self._asked)
        page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and ANSWERS not in message.text:
            self.faults.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.base, "data:", "about:")):
            self.faults.append(f"request: {request.url}")


class Visitor:
    """A browser window of one person. `kind`: light, dark or phone; `state`: the cookies of somebody who signed in before."""

    def __init__(self, browser: Browser, base: str, kind: str = "light", state: Any = None) -> None:
        width, height = SIZES[kind]
        self.base = base
        self.context: BrowserContext = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if kind == "dark" else "light",
            reduced_motion="reduce",
            storage_state=state,
            permissions=["clipboard-read", "clipboard-write"],
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.account = Account(base)
        self.page = self.context.new_page()
        self.account.watch(self.page)

    def sign_in(self, user: str) -> None:
        """By name and password, as a person does; then the overview is there."""
        self.page.goto(self.base)
        self.page.get_by_label("Name", exact=True).fill(user)
        self.page.get_by_label("Password", exact=True).fill(user)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Overview", level=1).wait_for()

    def open(self, place: str = "") -> Page:
        """The page of this address (what stands behind `#/`), once it says what it is."""
        self.page.goto(f"{self.base}#/{place}")
        self.page.locator("h1").first.wait_for()
        return self.page

    def settled(self) -> Page:
        """The page once it asks for nothing any more."""
        expect(self.page.locator(".message.loading")).to_have_count(0)
        return self.page

    def ask(self, script: str, argument: Any = None) -> Any:
        """What a line of JavaScript answers."""
        return self.page.evaluate(script, argument)

    def close(self) -> None:
        """Close the window. Raises AssertionError when the account is not empty."""
        self.context.close()
        assert self.account.faults == []
