"""Can a picture be read? What of an SVG's text overlaps other text or shapes, or is cut.

Where a text stands is what a browser says, or is computed from its position and from the widths
of Helvetica, with which Graphviz measures too (Adobe's font metrics, in thousandths of the size).
"""

from __future__ import annotations

import cmath
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING
from unicodedata import east_asian_width
from xml.etree import ElementTree

if TYPE_CHECKING:
    from playwright.sync_api import Page

SVG = "{http://www.w3.org/2000/svg}"
GROUPS = ("node", "edge", "cluster", "graph", "titles")
TOUCH = 1.0  # points by which boxes may meet: the estimate is no finer

_WIDTHS = {
    222: "ijl'|", 278: " !,./:;It[]\\f", 333: "()-`r", 355: '"', 389: "*", 469: "^",
    500: "ckvxyzJs", 556: "0123456789abdeghnopqu$?#_L", 584: "+<=>~−×÷", 611: "FTZ",
    667: "ABEKPSVXY&", 722: "CDHNRUw", 778: "GOQ", 833: "mM", 889: "%", 944: "W", 1000: "…",
    1015: "@",
}  # fmt: skip
_WIDTH = {sign: width / 1000 for width, signs in _WIDTHS.items() for sign in signs}


@dataclass(frozen=True)
class Box:
    """An upright rectangle in the picture's own points; y runs down."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box) -> bool:
        """Do they share more than a rim?"""
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > TOUCH and down > TOUCH

    def holds(self, other: Box) -> bool:
        """Is the other inside, but for a rim?"""
        inside_across = self.left - TOUCH <= other.left and other.right <= self.right + TOUCH
        return (
            inside_across and self.top - TOUCH <= other.top and other.bottom <= self.bottom + TOUCH
        )


Point = tuple[float, float]
Span = tuple[float, float]  # where a text begins and ends, in its own coordinates


@dataclass(frozen=True)
class Placed:
    """A text or a shape, and the group that it belongs to; a shape without a fill hides nothing."""

    box: Box
    group: ElementTree.Element
    text: str = ""
    filled: bool = True
    corners: tuple[Point, ...] = ()  # of a text, which may be turned


def overlap(a: Sequence[Point], b: Sequence[Point]) -> bool:
    """Do two convex outlines share more than a rim? Not if a line parallel to a side parts them."""
    for (x0, y0), (x1, y1) in (*pairwise((*a, a[0])), *pairwise((*b, b[0]))):
        length = math.hypot(x1 - x0, y1 - y0)
        across = ((y0 - y1) / length, (x1 - x0) / length)
        first, second = ([x * across[0] + y * across[1] for x, y in each] for each in (a, b))
        if min(max(first), max(second)) - max(min(first), min(second)) <= TOUCH:
            return False
    return True


@dataclass(frozen=True)
class _Frame:
    """Where a coordinate system lies: nothing but single texts is turned."""

    x: float = 0.0
    y: float = 0.0
    scale: float = 1.0

    def inner(self, element: ElementTree.Element) -> _Frame:
        frame = self
        if element.tag == f"{SVG}svg":
            frame = frame.moved(_number(element, "x"), _number(element, "y"))
        for name, arguments in re.findall(r"(\w+)\(([^)]*)\)", element.get("transform", "")):
            numbers = [float(each) for each in re.split(r"[ ,]+", arguments.strip())]
            if name == "translate":
                frame = frame.moved(numbers[0], numbers[1] if len(numbers) > 1 else 0.0)
            elif name == "scale":
                frame = _Frame(frame.x, frame.y, frame.scale * numbers[0])
        return frame

    def moved(self, x: float, y: float) -> _Frame:
        return _Frame(self.x + self.scale * x, self.y + self.scale * y, self.scale)

    def box(self, left: float, top: float, right: float, bottom: float) -> Box:
        start, end = self.moved(left, top), self.moved(right, bottom)
        return Box(start.x, start.y, end.x, end.y)


def problems(svg: str, spans: Sequence[Span] = ()) -> list[str]:
    """In words, what of the picture cannot be read; nothing for a legible one.

    Two texts that overlap, a text that sticks out of its own box, that another box hides or
    cuts, or that lies outside the picture.

    Args:
        svg: the picture.
        spans: of each text in the order of the file, as `spans_in` finds them.
    """
    root = ElementTree.fromstring(svg)
    texts, shapes = _placed(root, spans)
    found = [
        f"{a.text!r} overlaps {b.text!r}"
        for a, b in combinations(texts, 2)
        if overlap(a.corners, b.corners)
    ]
    for text in texts:
        own = [shape for shape in shapes if _may_hold(shape, text)]
        if own and not any(shape.box.holds(text.box) for shape in own):
            found.append(f"{text.text!r} sticks out of its box")
        found += [f"{text.text!r} is cut by a box" for s in shapes if _cuts(s, text)]
    page = _page(root)
    found += [
        f"{t.text!r} lies outside the picture" for t in texts if page and not page.holds(t.box)
    ]
    return found


_SPANS = """
(svg) => {
  document.body.innerHTML = svg;
  return [...document.querySelectorAll("svg text")].map((text) => {
    const box = text.getBBox();
    return [box.x, box.x + box.width];
  });
}
"""


def spans_in(page: Page, svg: str) -> list[Span]:
    """Where the browser has every text of the picture, in the fonts of the page."""
    return [(left, right) for left, right in page.evaluate(_SPANS, svg)]


def _may_hold(shape: Placed, text: Placed) -> bool:
    """The titles of boxes stand together, in front of all edges."""
    if text.group.get("class") == "titles":
        return shape.group.get("class") == "cluster"
    return shape.group is text.group


def _cuts(shape: Placed, text: Placed) -> bool:
    """Boxes around layers and ops may hold a text, other nodes may not."""
    if shape.group is text.group or not shape.filled or not shape.box.meets(text.box):
        return False
    return shape.group.get("class") == "node" or not shape.box.holds(text.box)


def _page(root: ElementTree.Element) -> Box | None:
    view = [float(each) for each in root.get("viewBox", "").split()]
    return Box(view[0], view[1], view[0] + view[2], view[1] + view[3]) if view else None


def _placed(
    root: ElementTree.Element, spans: Sequence[Span]
) -> tuple[Sequence[Placed], Sequence[Placed]]:
    texts: list[Placed] = []
    shapes: list[Placed] = []
    known = dict(zip(root.iter(f"{SVG}text"), spans, strict=bool(spans)))
    for element, group, frame in _elements(root, root, _Frame()):
        if element.tag == f"{SVG}text":
            texts += _text(element, group, frame, known.get(element))
        elif group.get("class") in ("node", "cluster"):
            shapes += _shape(element, group, frame)
    return texts, shapes


def _elements(
    element: ElementTree.Element, group: ElementTree.Element, frame: _Frame
) -> Iterator[tuple[ElementTree.Element, ElementTree.Element, _Frame]]:
    inner = frame.inner(element)
    own = element if element.get("class") in GROUPS else group
    yield element, own, inner
    for child in element:
        yield from _elements(child, own, inner)


def _text(
    element: ElementTree.Element,
    group: ElementTree.Element,
    frame: _Frame,
    span: Span | None,
) -> Iterator[Placed]:
    text = "".join(element.itertext()).replace("\xa0", " ").strip()
    if not text:
        return
    size = _number(element, "font-size", 14.0)
    x, y, width = _number(element, "x"), _number(element, "y"), text_width(text, size)
    left = x - width * {"middle": 0.5, "end": 1.0}.get(element.get("text-anchor", ""), 0.0)
    left, right = span or (left, left + width)
    top, bottom = y - 0.72 * size, y + 0.2 * size
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    placed = [frame.moved(*corner) for corner in _turned(element, corners)]
    xs, ys = [point.x for point in placed], [point.y for point in placed]
    box = Box(min(xs), min(ys), max(xs), max(ys))
    yield Placed(box, group, text, corners=tuple(zip(xs, ys, strict=True)))


def _turned(element: ElementTree.Element, corners: Sequence[Point]) -> Sequence[Point]:
    """Around the point that `rotate(angle, x, y)` names."""
    found = re.search(r"rotate\(([^)]*)\)", element.get("transform", ""))
    if found is None:
        return corners
    angle, *point = (float(each) for each in re.split(r"[ ,]+", found[1].strip()))
    turn = cmath.exp(1j * math.radians(angle))
    centre = complex(*point)
    spots = [centre + (complex(*corner) - centre) * turn for corner in corners]
    return [(spot.real, spot.imag) for spot in spots]


def text_width(text: str, size: float) -> float:
    """In points, for letters of Helvetica; wide signs are as wide as they are high."""
    return size * sum(
        1.0 if east_asian_width(sign) in "WF" else _WIDTH.get(sign, 0.556) for sign in text
    )


def _shape(
    element: ElementTree.Element, group: ElementTree.Element, frame: _Frame
) -> Iterator[Placed]:
    filled = element.get("fill", "none") not in ("none", "transparent")
    if element.tag == f"{SVG}ellipse":
        x, y = _number(element, "cx"), _number(element, "cy")
        rx, ry = _number(element, "rx"), _number(element, "ry")
        yield Placed(frame.box(x - rx, y - ry, x + rx, y + ry), group, filled=filled)
    if element.tag in (f"{SVG}polygon", f"{SVG}path"):
        numbers = re.findall(r"-?\d+(?:\.\d+)?", element.get("points") or element.get("d") or "")
        xs, ys = [float(n) for n in numbers[::2]], [float(n) for n in numbers[1::2]]
        if xs:
            yield Placed(frame.box(min(xs), min(ys), max(xs), max(ys)), group, filled=filled)


def _number(element: ElementTree.Element, name: str, otherwise: float = 0.0) -> float:
    found = re.match(r"-?\d+(?:\.\d+)?", element.get(name, ""))
    return float(found[0]) if found else otherwise
