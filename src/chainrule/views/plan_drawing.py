"""A picture of a plan: SVG text, without a layout program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from chainrule.drawing.rendering import save_svg
from chainrule.drawing.text_width import SANS, fixed_width, text_width

WIDTH, HEIGHT = 1000, 560  # of the part with the bands
LEFT, TOP, RIGHT, BOTTOM = 90, 44, 30, 150
SMALLEST = 1.0  # height of a band, so that each can be seen
LETTER = 6.2  # width of a letter of size 11

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

# What XML 1.0 cannot hold: control characters and lone surrogates.
_NOT_PRINTABLE = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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


@dataclass(frozen=True)
class PlanDrawing:
    """A picture as a value; a notebook shows it."""

    text: str

    def svg(self) -> str:
        """The picture as one `<svg>` element without scripts, links and images."""
        return self.text

    def save(self, path: str | Path) -> Path:
        """Write the picture to a file that ends in `.svg`.

        Raises:
            RenderingError: another suffix, or a folder that cannot be written.
        """
        return save_svg(self.text, path)

    def _repr_svg_(self) -> str:
        return self.text


def draw_bands(bands: Sequence[Band], kernels: Sequence[str], total: int) -> PlanDrawing:
    """Bands over kernels from left to right, and over `total` bytes upwards."""
    axes = _Axes(max(len(kernels), 1), max(total, 1))
    parts = [
        *_frame(axes),
        *(line for band in bands for line in _band(band, axes)),
        *_kernels(kernels, axes),
        *_legend(bands),
    ]
    size = f'width="{LEFT + WIDTH + RIGHT}" height="{TOP + HEIGHT + BOTTOM}"'
    box = f'viewBox="0 0 {LEFT + WIDTH + RIGHT} {TOP + HEIGHT + BOTTOM}"'
    font = f'font-family="{SANS}" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} {font}>'
    return PlanDrawing("\n".join([head, *parts, "</svg>\n"]))


@dataclass(frozen=True)
class _Axes:
    kernels: int
    bytes: int

    def x(self, kernel: int) -> float:
        return LEFT + WIDTH * kernel / self.kernels

    def y(self, byte: int) -> float:
        return TOP + HEIGHT * (1 - byte / self.bytes)


def _frame(axes: _Axes) -> Iterator[str]:
    """The background, and lines at round numbers of bytes."""
    width, height = LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM
    yield f'<polygon points="0,0 {width},0 {width},{height} 0,{height}" fill="white"/>'
    for byte in range(0, axes.bytes + 1, _round_step(axes.bytes)):
        y = axes.y(byte)
        yield _polyline([(LEFT, y), (LEFT + WIDTH, y)], "#dddddd")
        yield _text(LEFT - 8, y + 4, _bytes(byte), anchor="end")
    yield _text(LEFT, TOP - 24, f"arena: {axes.bytes:,} bytes", size=13)


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
    yield f'<g><title>{_escaped(title)}</title><polygon points="{points}" fill="{fill}" '
    yield f'stroke="{border}" stroke-width="0.7"/>'
    label = _label(band, right - x)
    if height >= 11 and label:
        yield _text((x + right) / 2, bottom - height / 2 + 4, label, anchor="middle")
    yield "</g>"


def _label(band: Band, width: float) -> str:
    full = f"{band.name} {band.type}".strip()
    return full if _fitting(full, width) == full else _fitting(band.name, width)


def _fitting(label: str, width: float) -> str:
    """The label, its end cut off if it must be; empty if there is no room."""
    letters = int((width - 6) / LETTER)
    if len(label) <= letters:
        return label
    return label[: letters - 1] + "…" if letters >= 4 else ""


def _kernels(kernels: Sequence[str], axes: _Axes) -> Iterator[str]:
    """Names below, turned; where they are many, some of them."""
    step = -(-len(kernels) * 13 // WIDTH) or 1
    for position in range(0, len(kernels), step):
        x = (axes.x(position) + axes.x(position + 1)) / 2
        y = TOP + HEIGHT + 12
        label = _fitting(f"{position} {kernels[position]}", 130)
        yield _text(x, y, label, anchor="end", turn=f"rotate(-60 {x:.1f} {y:.1f})")


def _legend(bands: Sequence[Band]) -> Iterator[str]:
    x = LEFT + WIDTH
    for role in reversed([role for role in COLOURS if any(b.role == role for b in bands)]):
        fill, border = COLOURS[role]
        x -= int(len(MEANINGS[role]) * LETTER) + 30
        corners = f"{x},{TOP - 33} {x + 12},{TOP - 33} {x + 12},{TOP - 21} {x},{TOP - 21}"
        yield f'<polygon points="{corners}" fill="{fill}" stroke="{border}"/>'
        yield _text(x + 17, TOP - 23, MEANINGS[role])


def _polyline(points: Sequence[tuple[float, float]], colour: str) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{text}" stroke="{colour}" fill="none"/>'


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 11, turn: str = ""
) -> str:
    more = f' transform="{turn}"' if turn else ""
    more += f" {fixed_width(text_width(text, size))}" if text.strip() else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
    return f"<text {place}{more}>{_escaped(text)}</text>"


def _escaped(text: str) -> str:
    return escape(_NOT_PRINTABLE.sub("\ufffd", text))
