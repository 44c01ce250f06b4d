"""A picture of a profile: a bar for each kernel, as long as its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainc.dataclass import dataclass
from chainrule.drawing.text_width import text_width
from chainrule.views.svg_drawing import SvgDrawing, document, escaped, text_at

ROW, HEIGHT = 20, 13  # from bar to bar, and of a bar
TOP, BOTTOM, MARGIN, GAP = 66, 16, 16, 12
LONGEST = 300  # bar
WIDEST = {"name": 190, "what": 360, "line": 150}  # columns of text
MOST = 60  # bars; what takes least is put together where there are more

# fill and border, by role: the colours of the graphs
COLOURS = {
    "batch": ("#D5EFE6", "#00795A"),
    "forward": ("#DCEBF7", "#0072B2"),
    "backward": ("#FCE3CC", "#D55E00"),
    "update": ("#F5E1EC", "#A8487C"),
    "watch": ("#FFF6C9", "#8C7300"),
    "others": ("#F0F0F0", "#6B6B6B"),
}


@dataclass(frozen=True)
class Bar:
    """One kernel."""

    name: str
    what: str
    line: str
    role: str
    share: float
    time: str


@dataclass(frozen=True)
class _Columns:
    """Where each column begins, as wide as its texts are."""

    name: float
    what: float
    bar: float
    line: float
    end: float


def draw_bars(bars: Sequence[Bar], summary: str) -> SvgDrawing:
    """In order from top to bottom, with what each computes, its time and its line."""
    shown = _shown(bars)
    columns = _columns(shown, summary)
    longest = max((bar.share for bar in shown), default=0.0) or 1.0
    parts = [
        text_at(MARGIN, 28, summary, size=13),
        *_legend(shown),
        *(
            line
            for row, bar in enumerate(shown)
            for line in _bar(bar, TOP + ROW * row, columns, LONGEST * bar.share / longest)
        ),
    ]
    return document(round(columns.end), TOP + ROW * len(shown) + BOTTOM, parts)


def _shown(bars: Sequence[Bar]) -> Sequence[Bar]:
    """The longest, in order, and one for the others."""
    if len(bars) <= MOST:
        return bars
    least = sorted(bars, key=lambda bar: bar.share)[: len(bars) - MOST + 1]
    rest = {id(bar) for bar in least}
    share = sum(bar.share for bar in least)
    others = Bar(f"{len(least)} others", "", "", "others", share, "")
    return [*(bar for bar in bars if id(bar) not in rest), others]


def _columns(bars: Sequence[Bar], summary: str) -> _Columns:
    name, what, line = (
        max((text_width(_cut(getattr(bar, column), room), 11) for bar in bars), default=0)
        for column, room in WIDEST.items()
    )
    figures = max((text_width(_figures(bar), 11) for bar in bars), default=0)
    bar = MARGIN + name + GAP + what + GAP
    place = bar + LONGEST + GAP + figures + GAP
    end = max(place + line, MARGIN + text_width(summary, 13)) + MARGIN
    return _Columns(MARGIN, MARGIN + name + GAP, bar, place, end)


def _bar(bar: Bar, y: float, columns: _Columns, length: float) -> Iterator[str]:
    fill, border = COLOURS[bar.role]
    x, right, below = columns.bar, columns.bar + max(length, 1.0), y + HEIGHT
    points = f"{x:.1f},{y} {right:.1f},{y} {right:.1f},{below} {x:.1f},{below}"
    title = f"{bar.name}: {bar.what} ({bar.line}), {_figures(bar)}"
    yield f"<g><title>{escaped(title)}</title>"
    yield text_at(columns.name, y + 10, _cut(bar.name, WIDEST["name"]))
    yield text_at(columns.what, y + 10, _cut(bar.what, WIDEST["what"]))
    yield f'<polygon points="{points}" fill="{fill}" stroke="{border}" stroke-width="0.7"/>'
    yield text_at(right + 6, y + 10, _figures(bar))
    yield text_at(columns.line, y + 10, _cut(bar.line, WIDEST["line"]))
    yield "</g>"


def _figures(bar: Bar) -> str:
    return ", ".join(filter(None, (f"{bar.share:.1%}", bar.time)))


def _cut(text: str, room: float) -> str:
    """As much of it as there is room for."""
    if text_width(text, 11) <= room:
        return text
    while text and text_width(text + "…", 11) > room:
        text = text[:-1]
    return text + "…"


def _legend(bars: Sequence[Bar]) -> Iterator[str]:
    x = float(MARGIN)
    for role in [role for role in COLOURS if any(bar.role == role for bar in bars)]:
        fill, border = COLOURS[role]
        corners = f"{x:.1f},38 {x + 12:.1f},38 {x + 12:.1f},50 {x:.1f},50"
        yield f'<polygon points="{corners}" fill="{fill}" stroke="{border}"/>'
        yield text_at(x + 17, 48, role)
        x += 17 + text_width(role, 11) + 16
