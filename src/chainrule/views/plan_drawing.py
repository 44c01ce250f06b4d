"""A picture of a plan: SVG text, without a layout program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chainc.dataclass import dataclass
from chainrule.views.svg_drawing import (
    LETTER,
    SvgDrawing,
    document,
    escaped,
    fitting,
    polyline,
    text_at,
)

WIDTH, HEIGHT = 1000, 560  # of the part with the bands
LEFT, TOP, RIGHT, BOTTOM = 90, 44, 30, 150
SMALLEST = 1.0  # height of a band, so that each can be seen

# fill and border, by role; the colours of the graphs where they mean the same
COLOURS = {
    "state": ("#d9ead3", "#6aa84f"),
    "input": ("#cfe2f3", "#3d85c6"),
    "work": ("#fce5cd", "#e69138"),
    "once": ("#d9d2e9", "#8e7cc3"),
    "runtime": ("#eeeeee", "#999999"),
}
MEANINGS = {
    "state": "state",
    "input": "batch and hyperparameters",
    "work": "computed in a step",
    "once": "computed once",
    "runtime": "the loop's own",
}


@dataclass(frozen=True)
class Band:
    """Bytes that are taken from one kernel to another, both included."""

    name: str
    type: str
    role: str
    offset: int
    bytes: int
    first: int
    last: int


def draw_bands(bands: Sequence[Band], kernels: Sequence[str], total: int) -> SvgDrawing:
    """Bands over kernels from left to right, and over `total` bytes upwards."""
    axes = _Axes(max(len(kernels), 1), max(total, 1))
    parts = [
        *_frame(axes),
        *(line for band in bands for line in _band(band, axes)),
        *_kernels(kernels, axes),
        *_legend(bands),
    ]
    return document(LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM, parts)


@dataclass(frozen=True)
class _Axes:
    kernels: int
    bytes: int

    def x(self, kernel: int) -> float:
        return LEFT + WIDTH * kernel / self.kernels

    def y(self, byte: int) -> float:
        return TOP + HEIGHT * (1 - byte / self.bytes)


def _frame(axes: _Axes) -> Iterator[str]:
    """Lines at round numbers of bytes."""
    for byte in range(0, axes.bytes + 1, _round_step(axes.bytes)):
        y = axes.y(byte)
        yield polyline([(LEFT, y), (LEFT + WIDTH, y)], "#dddddd")
        yield text_at(LEFT - 8, y + 4, _bytes(byte), anchor="end")
    yield text_at(LEFT, TOP - 24, f"arena: {axes.bytes:,} bytes", size=13)


def _round_step(total: int) -> int:
    """A power of two that gives at most ten lines."""
    step = 1024
    while total // step > 10:
        step *= 2
    return step


def _bytes(count: int) -> str:
    for unit, size in (("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} B"


def _band(band: Band, axes: _Axes) -> Iterator[str]:
    x, right = axes.x(band.first), axes.x(band.last + 1)
    bottom = axes.y(band.offset)
    height = max(bottom - axes.y(band.offset + band.bytes), SMALLEST)
    fill, border = COLOURS[band.role]
    corners = [(x, bottom), (right, bottom), (right, bottom - height), (x, bottom - height)]
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in corners)
    kernels = f"kernels {band.first} to {band.last}"
    title = f"{band.name} {band.type}: {band.bytes:,} bytes at {band.offset:,}, {kernels}"
    yield f'<g><title>{escaped(title)}</title><polygon points="{points}" fill="{fill}" '
    yield f'stroke="{border}" stroke-width="0.7"/>'
    label = _label(band, right - x)
    if height >= 11 and label:
        yield text_at((x + right) / 2, bottom - height / 2 + 4, label, anchor="middle")
    yield "</g>"


def _label(band: Band, width: float) -> str:
    full = f"{band.name} {band.type}".strip()
    return full if fitting(full, width) == full else fitting(band.name, width)


def _kernels(kernels: Sequence[str], axes: _Axes) -> Iterator[str]:
    """Names below, turned; where they are many, some of them."""
    step = -(-len(kernels) * 13 // WIDTH) or 1
    for position in range(0, len(kernels), step):
        x = (axes.x(position) + axes.x(position + 1)) / 2
        y = TOP + HEIGHT + 12
        label = fitting(f"{position} {kernels[position]}", 130)
        yield text_at(x, y, label, anchor="end", turn=f"rotate(-60 {x:.1f} {y:.1f})")


def _legend(bands: Sequence[Band]) -> Iterator[str]:
    x = LEFT + WIDTH
    for role in reversed([role for role in COLOURS if any(b.role == role for b in bands)]):
        fill, border = COLOURS[role]
        x -= int(len(MEANINGS[role]) * LETTER) + 30
        corners = f"{x},{TOP - 33} {x + 12},{TOP - 33} {x + 12},{TOP - 21} {x},{TOP - 21}"
        yield f'<polygon points="{corners}" fill="{fill}" stroke="{border}"/>'
        yield text_at(x + 17, TOP - 23, MEANINGS[role])
