"""The playground in a browser, as tests see it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.browser import OpenPage

from chainrule.compiled.function import Numbers

if TYPE_CHECKING:
    from playwright.sync_api import Page


class Opened:
    """A page that is ready, and what it says."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.wait_for_selector("#picture[data-ready]")
        self.settle()

    def settle(self) -> None:
        """Until what was asked for last is drawn."""
        asked = self.page.evaluate("asked")
        self.page.wait_for_selector(f'body[data-shown="{asked}"]')

    def choose(self, fragment: str) -> Opened:
        """From the start, with what an address says."""
        self.page.evaluate("(fragment) => take(stateOf(fragment).state, true)", fragment)
        self.settle()
        return self

    def text(self, selector: str) -> str:
        return self.page.locator(selector).text_content() or ""

    def wait_for(self, selector: str, pattern: str) -> None:
        self.page.locator(selector, has_text=re.compile(pattern)).wait_for()

    def number(self, selector: str) -> float:
        return float(self.text(selector).replace(",", "").rstrip(" %"))

    def step(self) -> None:
        self.page.click("#step")
        self.settle()

    def saved(self) -> dict[str, Any]:
        with self.page.expect_download() as download:
            self.page.click("#save")
        found: dict[str, Any] = json.loads(download.value.path().read_text())
        return found

    def parameters(self) -> Numbers:
        return np.array(self.page.evaluate("() => Array.from(frame.parameters)"))

    def points(self) -> Numbers:
        """Rows of x, y and target, as the page has them."""
        return np.array(self.page.evaluate(
            "() => Array.from(data.targets, (t, i) => [...data.points.slice(2 * i, 2 * i + 2), t])"
        ))  # fmt: skip


def opened(open_page: OpenPage, file: Path, fragment: str, **how: Any) -> Opened:
    """A page of its own, at an address."""
    page = open_page(file, **how)
    Opened(page)
    page.evaluate("(fragment) => { history.replaceState(null, '', `#${fragment}`); }", fragment)
    page.reload()
    return Opened(page)
