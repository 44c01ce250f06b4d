"""How wide a text is, written into the picture: a viewer's own font is stretched to it.

The widths are those with which Graphviz measures (Adobe's font metrics, in thousandths of the
size), so a label stays in its box whatever is installed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from html import unescape

# Fonts of equal widths, by the metrics that the text is measured with.
SANS = "Helvetica,Arial,Liberation Sans,Arimo,sans-serif"
MONOSPACE = "Courier,Courier New,Liberation Mono,Cousine,monospace"
SERIF = "Times,Times New Roman,Liberation Serif,Tinos,serif"

SPREAD = "spacingAndGlyphs"
ADJUSTMENTS = ("spacing", SPREAD)

_OTHERWISE = 600  # Greek and the signs of mathematics, about

_GREEK_AND_SIGNS = {
    274: "∫", 329: "ι", 411: "γ", 439: "εςτ", 453: "√", 476: "∂", 493: "ξ", 494: "δζ", 500: "∗",
    521: "θνφ", 549: "βκλοπρχ≈≠≤≥", 576: "υ", 592: "Σ", 603: "Γησ↑↓", 631: "α", 645: "Ξ",
    686: "Λψω", 713: "∇∈∉∞", 722: "ΑΗΚΝΟΧ", 763: "Φ", 768: "Π⊕⊗", 823: "∏", 987: "←→⇒",
    1000: "—…",
}  # fmt: skip
_HELVETICA = {
    191: "'", 222: "ijl‘’", 260: "|¦", 278: " \xa0!,./:;I[\\]ft·⋅", 333: "()-`r“”⁰¹²³⁴⁵⁶⁷⁸⁹",
    334: "{}", 355: '"', 389: "*", 400: "°", 469: "^", 500: "Jcksvxyz", 556: "#$0123456789?L_abde"
    "ghnopqu–", 584: "+<=>~±×÷−", 611: "FTZ", 667: "&ABEKPSVXY", 722: "CDHNRUw", 778: "GOQ",
    833: "Mm", 889: "%", 944: "W", 1015: "@",
}  # fmt: skip
_TIMES = {
    180: "'", 200: "|¦", 250: " \xa0,.·⋅", 278: "/:;\\ijlt", 300: "⁰¹²³⁴⁵⁶⁷⁸⁹", 333: "!()-I[]`fr‘’",
    389: "Js", 400: "°", 408: '"', 444: "?acez“”", 469: "^", 480: "{}", 500: "#$*0123456789_bdgh"
    "knopquvxy–", 541: "~", 556: "FPS", 564: "+<=>±×÷−", 611: "ELTZ", 667: "BCR",
    722: "ADGHKNOQUVXYw", 778: "&m", 833: "%", 889: "M", 921: "@", 944: "W",
}  # fmt: skip

_Widths = Mapping[str, int]


def _by_sign(*tables: Mapping[int, str]) -> _Widths:
    return {sign: width for table in tables for width, signs in table.items() for sign in signs}


_WIDTHS: Mapping[str, _Widths] = {
    "Helvetica": _by_sign(_GREEK_AND_SIGNS, _HELVETICA),
    "Times": _by_sign(_GREEK_AND_SIGNS, _TIMES),
    "Courier": {},
}

_TEXT = re.compile(
    r'<text (?P<head>[^>]*?font-family="(?P<fonts>[^"]*)"[^>]*?'
    r'font-size="(?P<size>[\d.]+)"[^>]*)>(?P<text>[^<]*)</text>'
)


def text_width(text: str, size: float, fonts: str = SANS) -> float:
    """In points, in the first of the fonts."""
    widths = _WIDTHS.get(fonts.partition(",")[0], _WIDTHS["Times"])
    return size * sum(_width(sign, widths) for sign in text) / 1000


def _width(sign: str, widths: _Widths) -> int:
    """No more than Graphviz leaves room for: a space for each byte of what is not ASCII."""
    if sign.isascii():
        return widths.get(sign, _OTHERWISE)
    room = len(sign.encode("utf-8", "replace")) * widths.get(" ", _OTHERWISE)
    return min(_natural_width(sign, widths), room)


def _natural_width(sign: str, widths: _Widths) -> int:
    if sign in widths:
        return widths[sign]
    if unicodedata.combining(sign):
        return 0
    if unicodedata.east_asian_width(sign) in "WF":
        return 1000
    plain = unicodedata.normalize("NFD", sign)[0]  # é is as wide as e
    return widths.get(plain, _OTHERWISE)


def fixed_width(width: float) -> str:
    """Attributes of a text that is this wide in every font."""
    return f'textLength="{width:.2f}" lengthAdjust="{SPREAD}"'


def with_fixed_widths(svg: str) -> str:
    """A picture whose every text that names its font and size says how wide it is."""
    return _TEXT.sub(_fixed, svg)


def _fixed(found: re.Match[str]) -> str:
    text = unescape(found["text"])
    if not text.strip() or "textLength" in found["head"]:
        return found[0]
    width = text_width(text, float(found["size"]), found["fonts"])
    return f"<text {found['head']} {fixed_width(width)}>{found['text']}</text>"
