"""Pages on which networks train: lectures lead to them, and they lead to lectures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs import pages
from tests.browser import OpenPage

DOCS = Path(__file__).parents[2] / "docs"
TEXTS = {path: path.read_text(encoding="utf-8") for path in sorted(DOCS.rglob("*.md"))}
LECTURE = re.compile(r"\(lectures/(\w+)\.md\)")
STATE = re.compile(r"playground_page\.html#([^)\s]+)")


def tried(path: Path) -> str:
    """What a page says to try."""
    return TEXTS[path].partition("*Try it:*")[2]


@pytest.mark.parametrize("page", ["playground", "lessons"])
def test_lectures_and_pages_lead_to_each_other(page: str) -> None:
    named = set(LECTURE.findall(TEXTS[DOCS / f"{page}.md"]))
    leading = {path.stem for path in TEXTS if f"](../{page}.md" in tried(path)}
    assert len(named) > 4
    assert named - leading == ({"hidden_layers"} if page == "lessons" else set())
    assert leading - named <= {"seeing"}


def test_every_page_is_embedded_and_can_be_opened_alone() -> None:
    shown = "".join(TEXTS[DOCS / f"{name}.md"] for name in ("playground", "lessons"))
    for name in pages.PAGES:
        assert f'src="{name}"' in shown
        assert f"]({name})" in shown


def test_every_state_in_an_address_is_understood(open_page: OpenPage, tmp_path: Path) -> None:
    states = sorted({state for text in TEXTS.values() for state in STATE.findall(text)})
    assert len(states) > 15
    page = open_page(pages.playground(tmp_path / "page.html"))
    refused = "(states) => states.filter((each) => stateOf(each).refused > 0)"
    assert page.evaluate(refused, [*states, "rate=17"]) == ["rate=17"]


def test_links_to_them_stay_as_they_are_written() -> None:
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    from docs.page_links import link
    from docutils import nodes
    from docutils.utils import new_document
    from sphinx.addnodes import pending_xref

    document = new_document("page")
    for target in ("../playground_page.html#layers=2tanh", "other.md"):
        document += pending_xref("", nodes.inline("", "try it"), reftarget=target)
    link(None, document)  # it reads nothing of the application
    (reference,) = document.findall(nodes.reference)
    assert reference["refuri"] == "../playground_page.html#layers=2tanh"
    assert reference.astext() == "try it"
    assert len(list(document.findall(pending_xref))) == 1
