"""A page of a lesson that is open: what it shows, when it has shown all that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tests.browser import watching

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@contextmanager
def opened(chromium: Browser, path: Path, **how: Any) -> Iterator[Page]:
    """A lesson that is drawn."""
    with watching(chromium) as watch:
        page = watch.open(path, **how)
        settle(page)
        yield page


def settle(page: Page) -> None:
    """Until what was asked for last is drawn."""
    page.wait_for_selector("body[data-shown]")
    page.wait_for_selector(f'body[data-shown="{page.evaluate("asked")}"]')


def shown(page: Page, name: str) -> float:
    return float((page.text_content(name) or "").rstrip(" %"))


def numbers(page: Page, told: str) -> npt.NDArray[np.float64]:
    """Numbers that the page has, such as `frame.surface`."""
    return np.array(page.evaluate(f"() => Array.from({told}, Number)"))
