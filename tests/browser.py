"""Pages in a real headless Chromium: opened from disk, and watched for whatever goes wrong.

A test asks for the fixture `open_page` and gets a playwright page back:

    page = open_page(path, width=360, height=740, dark=True)
    page.get_by_role("button", name="Play").click()

When the test ends, it fails for every error on the console, uncaught exception, violation of the
content-security policy, dialog, new window, and request for anything but the file itself and what
the page has made.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 10_000  # milliseconds that a click waits for what it clicks
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


class OpenPage(Protocol):
    """How a test opens a page."""

    def __call__(
        self,
        path: Path,
        *,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        reduced_motion: bool = False,
        touch: bool = False,
    ) -> Page: ...


class Watch:
    """What went wrong in the pages that it opened."""

    def __init__(self, browser: Browser) -> None:
        self.problems: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def open(
        self,
        path: Path,
        *,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        reduced_motion: bool = False,
        touch: bool = False,
    ) -> Page:
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if reduced_motion else "no-preference",
            has_touch=touch,
            is_mobile=touch,
            offline=True,
        )
        self._contexts.append(context)
        context.add_init_script(_REPORT_VIOLATIONS)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        self._watch(page, path.absolute().as_uri())
        page.goto(path.absolute().as_uri())
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _watch(self, page: Page, address: str) -> None:
        def on_console(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning", "assert"}:
                self.problems.append(f"console {message.type}: {message.text}")

        def on_request(request: Request) -> None:
            asked = request.url.partition("#")[0]
            if asked != address and not asked.startswith(("data:", "blob:null/")):
                self.problems.append(f"request: {asked}")

        def on_dialog(dialog: Dialog) -> None:
            self.problems.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        page.on("console", on_console)
        page.on("request", on_request)
        page.on("dialog", on_dialog)
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("popup", lambda popup: self.problems.append(f"new window: {popup.url}"))


def executable() -> str | None:
    """$CHAINRULE_CHROMIUM, or the first Chromium on the path."""
    chosen = os.environ.get("CHAINRULE_CHROMIUM")
    return chosen or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a session."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra [test]")
    found = executable()
    if found is None:
        pytest.skip(f"needs $CHAINRULE_CHROMIUM or one of {', '.join(NAMES)} on the path")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=list(ARGUMENTS))
        yield browser
        browser.close()


@contextmanager
def watching(chromium: Browser) -> Iterator[Watch]:
    """Nothing may go wrong in the pages that it opens, until they are closed."""
    watch = Watch(chromium)
    yield watch
    watch.close()
    assert watch.problems == []


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Opens a file in a page of its own."""
    with watching(chromium) as watch:
        yield watch.open
