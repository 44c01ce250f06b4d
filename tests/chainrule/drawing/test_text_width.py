"""How wide texts are: as Graphviz measures them, and the same in whatever font they are shown."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.pictures import SVG

import chainrule as cr
from chainrule.drawing.rendering import RenderingError, render_svg, save_svg
from chainrule.drawing.text_width import MONOSPACE, SANS, SERIF, text_width, with_fixed_widths

FONTS = {"Helvetica": SANS, "Courier": MONOSPACE, "Times": SERIF}
ASCII = "".join(map(chr, range(33, 127))).translate({ord('"'): None, ord("\\"): None})
SIGNS = "×−·∂∇Σσθπ→←…∞≤≠⊙ᵀ²⁻éü漢"


def measured(text: str, font: str) -> float:
    """By Graphviz: a box without a margin is as wide as its text."""
    look = f"fontname={font} shape=box margin=0 width=0 fontsize=100"
    written = text.replace("&", "&amp;").replace("<", "&lt;")
    svg = render_svg(f'digraph {{ a [{look} label="{written}"] }}')
    points = re.findall(r'<polygon fill="none"[^>]* points="([^"]*)"', svg)[-1]
    xs = [float(point.split(",")[0]) for point in points.split()]
    return max(xs) - min(xs)


@pytest.mark.parametrize("font", FONTS)
def test_widths_are_those_that_graphviz_measures(font: str) -> None:
    for part in (ASCII[:30], ASCII[30:60], ASCII[60:], "sgd/velocity/model/linear1/weight"):
        found = text_width(part, 100, FONTS[font])
        assert found == pytest.approx(measured(part, font), rel=0.005), part


@pytest.mark.parametrize("font", FONTS)
def test_no_sign_is_wider_than_graphviz_leaves_room_for(font: str) -> None:
    for sign in SIGNS:
        room = measured(20 * sign, font) / 20
        assert text_width(sign, 100, FONTS[font]) <= 1.002 * room, sign


def test_each_text_of_a_picture_says_how_wide_it_is() -> None:
    x, momentum = cr.input("x", ("batch", 4)), cr.input("momentum")
    root = ElementTree.fromstring(cr.draw(cr.mean(cr.sin(x) * momentum)).svg())
    texts = list(root.iter(f"{SVG}text"))
    assert len(texts) > 5
    for text in texts:
        said = float(text.attrib["textLength"])
        content = "".join(text.itertext())
        assert said == pytest.approx(text_width(content, float(text.attrib["font-size"])), abs=0.01)
        assert text.attrib["lengthAdjust"] == "spacingAndGlyphs"


def test_entities_count_as_what_they_stand_for_and_blanks_have_no_length() -> None:
    head = f'<text x="0" font-family="{SANS}" font-size="10"'
    assert 'textLength="5.84"' in with_fixed_widths(f"{head}>&lt;</text>")
    assert "textLength" not in with_fixed_widths(f"{head}>&#160;</text>")
    once = with_fixed_widths(f"{head}>a</text>")
    assert with_fixed_widths(once) == once


@pytest.mark.parametrize(
    "attribute",
    [
        'textLength="calc(1px)"',
        'textLength="-3"',
        'textLength="1e9"',
        'textLength="12.5;"',
        'lengthAdjust="expression(1)"',
        'lengthAdjust=""',
    ],
)
def test_lengths_are_numbers_and_known_words(attribute: str, tmp_path: Path) -> None:
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><text {attribute}>a</text></svg>'
    with pytest.raises(RenderingError, match=attribute.partition("=")[0]):
        save_svg(svg, tmp_path / "picture.svg")
    assert not list(tmp_path.iterdir())


def test_lengths_that_are_numbers_are_kept(tmp_path: Path) -> None:
    length = 'textLength="12.50" lengthAdjust="spacingAndGlyphs"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg"><text {length}>a</text></svg>'
    assert save_svg(svg, tmp_path / "picture.svg").read_text("utf-8") == svg
