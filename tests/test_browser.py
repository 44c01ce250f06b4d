"""The browser of the tests notices what a page does wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.browser import OpenPage, Watch

from chainrule.teaching.pages.page import Page

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_a_quiet_page_passes(open_page: OpenPage, tmp_path: Path) -> None:
    file = tmp_path / "quiet.html"
    file.write_text(Page("quiet", "<p>nothing happens</p>").html(), encoding="utf-8")
    assert open_page(file).inner_text("p") == "nothing happens"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("<script>console.error('oh')</script>", "console error: oh"),
        ("<script>throw Error('oh')</script>", "exception: oh"),
        ("<script>alert('oh')</script>", "dialog: oh"),
        ("<script>open('about:blank')</script>", "new window"),
        ("<img src='http://192.0.2.1/x.png'>", "request: http://192.0.2.1/x.png"),
        ("<img src='beside.png'>", "request: file://"),
    ],
)
def test_what_a_page_does_wrong_is_noticed(
    chromium: Browser, tmp_path: Path, body: str, problem: str
) -> None:
    file = tmp_path / "loud.html"
    file.write_text(body, encoding="utf-8")
    watch = Watch(chromium)
    watch.open(file).wait_for_timeout(50)
    watch.close()
    assert any(problem in found for found in watch.problems)


def test_a_breach_of_the_policy_is_noticed(chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "breach.html"
    file.write_text(Page("", "<p style='color: red'>red</p>").html(), encoding="utf-8")
    watch = Watch(chromium)
    watch.open(file).wait_for_timeout(500)
    watch.close()
    assert any("policy: style-src" in found for found in watch.problems)
