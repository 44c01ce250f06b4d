"""Pictures of the documents in a browser whose fonts are wider or narrower than those measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.browser import OpenPage
from tests.legibility import problems, spans_in

ROOT = Path(__file__).parents[2]
DRAWN = sorted((ROOT / "docs").rglob("*.svg"))

FONTS = {
    "own": "",
    "wide": "font-family: monospace !important; letter-spacing: 0.1em !important;",
    "narrow": "font-family: sans-serif !important; letter-spacing: -0.15em !important;",
}

A_WORD = '<svg viewBox="0 0 200 50" xmlns="http://www.w3.org/2000/svg"><g class="node">{}</g></svg>'
A_BOX = '<polygon points="0,0 0,40 80,40 80,0" fill="white"/>'
TEXT = '<text x="4" y="20" font-size="12" {}>velocity/weight</text>'


def page_with(fonts: str) -> str:
    return f"<!doctype html><style>svg text {{ {fonts} }}</style><body></body>"


@pytest.mark.parametrize("fonts", FONTS)
def test_every_text_stays_in_its_box_whatever_the_font(
    fonts: str, open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "empty.html"
    file.write_text(page_with(FONTS[fonts]), encoding="utf-8")
    page, found = open_page(file), dict[str, list[str]]()
    for path in DRAWN:
        svg = path.read_text("utf-8")
        found[path.name] = problems(svg, spans_in(page, svg))
    assert {name: told for name, told in found.items() if told} == {}


def test_a_text_that_the_viewers_font_makes_too_wide_is_found(
    open_page: OpenPage, tmp_path: Path
) -> None:
    file = tmp_path / "empty.html"
    file.write_text(page_with(FONTS["wide"]), encoding="utf-8")
    page = open_page(file)
    free = A_WORD.format(A_BOX + TEXT.format(""))
    fixed = A_WORD.format(A_BOX + TEXT.format('textLength="72" lengthAdjust="spacingAndGlyphs"'))
    assert problems(free, spans_in(page, free)) == ["'velocity/weight' sticks out of its box"]
    assert problems(fixed, spans_in(page, fixed)) == []
