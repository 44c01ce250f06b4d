"""Labels beside their edges: in a dense picture Graphviz leaves some far from the curve they name.

A label that stands apart, on a node or on the border of a box is brought to the nearest spot at its
edge where it covers no text, no node and no border; where there is none, it stays.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from html import unescape
from itertools import chain

from chainc.dataclass import dataclass
from chainrule.drawing.text_width import text_width

FAR = 8.0  # points between a label and its edge, beyond which it is brought near
GAP = 3.0  # points
STEPS = 12  # spots on each piece of a curve

_GROUP = re.compile(
    r'<g id="[^"]*" class="(?P<kind>node|edge|cluster)">.*?(?=<g id="[^"]*" class="|</g>\s*</svg>)',
    re.DOTALL,
)
_CURVE = re.compile(r'<path [^>]*? d="(?P<curve>[^"]*)"')
_SHAPE = re.compile(r'<(?:path|polygon|polyline) [^>]*?(?:d|points)="(?P<points>[^"]*)"')
_PAPER = re.compile(r'<polygon fill="[^"]*" stroke="none" points="(?P<points>[^"]*)"')
_ELLIPSE = re.compile(r'<ellipse [^>]*cx="([-\d.]+)" cy="([-\d.]+)" rx="([-\d.]+)" ry="([-\d.]+)"')
_TEXT = re.compile(
    r'<text [^>]*?text-anchor="(?P<anchor>\w+)" x="(?P<x>[-\d.]+)" y="(?P<y>[-\d.]+)" '
    r'font-family="(?P<fonts>[^"]*)" font-size="(?P<size>[\d.]+)"[^>]*>(?P<text>[^<]*)</text>'
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

Point = tuple[float, float]


@dataclass(frozen=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: _Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def holds(self, other: _Box) -> bool:
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom

    def distance(self, point: Point) -> float:
        x = max(self.left - point[0], 0.0, point[0] - self.right)
        y = max(self.top - point[1], 0.0, point[1] - self.bottom)
        return math.hypot(x, y)

    def sides(self) -> Sequence[_Box]:
        """Thin ones along its four sides."""
        return (
            _Box(self.left, self.top, self.left, self.bottom),
            _Box(self.right, self.top, self.right, self.bottom),
            _Box(self.left, self.top, self.right, self.top),
            _Box(self.left, self.bottom, self.right, self.bottom),
        )

    def moved(self, x: float, y: float) -> _Box:
        return _Box(self.left + x, self.top + y, self.right + x, self.bottom + y)


def labels_beside_edges(svg: str) -> str:
    """A picture as Graphviz writes it, with labels that stood apart at their edges."""
    groups = list(_GROUP.finditer(svg))
    taken = list(chain.from_iterable(_obstacles(group) for group in groups))
    page = _page(svg)
    parts, end = [], 0
    for group in groups:
        parts += [svg[end : group.start()], _beside(group, taken, page)]
        end = group.end()
    return "".join([*parts, svg[end:]])


def _page(svg: str) -> _Box:
    """The paper that Graphviz puts below all."""
    paper = _PAPER.search(svg)
    if paper is None:
        return _Box(-math.inf, -math.inf, math.inf, math.inf)
    xs, ys = zip(*_points(paper["points"]), strict=True)
    return _Box(min(xs) + GAP, min(ys) + GAP, max(xs) - GAP, max(ys) - GAP)


def _obstacles(group: re.Match[str]) -> Iterator[_Box]:
    """Where the nodes, the borders of boxes and all texts stand."""
    yield from map(_box_of, _TEXT.finditer(group[0]))
    if group["kind"] == "edge":
        return
    for found in _ELLIPSE.finditer(group[0]):
        x, y, rx, ry = map(float, found.groups())
        yield _Box(x - rx, y - ry, x + rx, y + ry)
    for found in _SHAPE.finditer(group[0]):
        points = _points(found["points"])
        xs, ys = [x for x, _ in points], [y for _, y in points]
        box = _Box(min(xs), min(ys), max(xs), max(ys))
        yield from box.sides() if group["kind"] == "cluster" else (box,)


def _beside(edge: re.Match[str], taken: list[_Box], page: _Box) -> str:
    texts, curve = list(_TEXT.finditer(edge[0])), _CURVE.search(edge[0])
    if edge["kind"] != "edge" or len(texts) != 1 or curve is None:
        return edge[0]
    spots, box = _spots(_points(curve["curve"])), _box_of(texts[0])
    others = list(taken)
    others.remove(box)  # once: another label may stand on this one
    if min(map(box.distance, spots)) <= FAR and not any(map(box.meets, others)):
        return edge[0]
    for placed in chain(_places(box, spots), _aside(box, others)):
        if page.holds(placed) and not any(map(placed.meets, others)):
            taken[taken.index(box)] = placed
            return _moved(edge[0], texts[0], placed.left - box.left, placed.top - box.top)
    return edge[0]


def _places(box: _Box, spots: Sequence[Point]) -> Iterator[_Box]:
    """Beside, above and below the edge, the nearest first; its ends belong to the nodes."""
    across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    inner = spots[len(spots) // 8 : len(spots) - len(spots) // 8]
    for x, y in sorted(inner, key=box.distance):
        beside = (box.moved(x + GAP - box.left, y - down), box.moved(x - GAP - box.right, y - down))
        over = (
            box.moved(x - across, y - GAP - box.bottom),
            box.moved(x - across, y + GAP - box.top),
        )
        for each in (*beside, *over):
            if min(map(each.distance, spots)) >= GAP / 2:
                yield each


def _aside(box: _Box, others: Sequence[_Box]) -> Iterator[_Box]:
    """Just off what it stands on."""
    for other in filter(box.meets, others):
        yield box.moved(other.left - 1 - box.right, 0)
        yield box.moved(other.right + 1 - box.left, 0)


def _moved(edge: str, text: re.Match[str], x: float, y: float) -> str:
    place = f'x="{float(text["x"]) + x:.2f}" y="{float(text["y"]) + y:.2f}"'
    written = text[0].replace(f'x="{text["x"]}" y="{text["y"]}"', place, 1)
    return edge.replace(text[0], written, 1)


def _box_of(text: re.Match[str]) -> _Box:
    size, x, y = float(text["size"]), float(text["x"]), float(text["y"])
    width = text_width(unescape(text["text"]), size, text["fonts"])
    left = x - width * {"middle": 0.5, "end": 1.0}.get(text["anchor"], 0.0)
    return _Box(left, y - 0.75 * size, left + width, y + 0.2 * size)


def _points(text: str) -> list[Point]:
    numbers = [float(number) for number in _NUMBER.findall(text)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _spots(controls: Sequence[Point]) -> list[Point]:
    """Points on a curve of Bézier pieces, given by its start and three controls a piece."""
    found = [controls[0]]
    for start in range(0, len(controls) - 3, 3):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = controls[start : start + 4]
        for step in range(1, STEPS + 1):
            t = step / STEPS
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            found.append((a * ax + b * bx + c * cx + d * dx, a * ay + b * by + c * cy + d * dy))
    return found
