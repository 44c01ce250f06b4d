"""Arrays as a picture writes them: a number, all elements, or shape, mean, range and histogram."""

from __future__ import annotations

import numpy as np

from chainc.ir.types import Array, format_shape

IN_FULL = 16  # elements up to which all are written
WIDEST = 6  # elements of a row that is written
BINS = 8  # of a histogram
_BARS = "▁▂▃▄▅▆▇█"
_FIGURE_SPACE = "\u2007"  # as wide as a digit


def number_text(value: float, digits: int = 4) -> str:
    """`−0.1966`, `3`, `1.2e−7`: so many significant digits, and a real minus sign."""
    number, _, power = f"{value + 0.0:.{digits}g}".partition("e")
    return f"{number}e{int(power)}".replace("-", "−") if power else number.replace("-", "−")


def array_lines(value: Array, digits: int = 4) -> tuple[str, ...]:
    """The lines for an array: one number, a matrix in full, or a summary of a large array."""
    if value.size == 1:
        text = number_text(value.item(), digits)
        return (text if value.ndim == 0 else f"{'[' * value.ndim}{text}{']' * value.ndim}",)
    if 0 < value.size <= IN_FULL and value.ndim <= 2 and value.shape[-1] <= WIDEST:
        return _in_full(value, digits)
    return _summary(value)


def _in_full(value: Array, digits: int) -> tuple[str, ...]:
    texts = [number_text(element, digits) for element in value.ravel().tolist()]
    if value.ndim == 1:
        return (f"[{', '.join(texts)}]",)
    width = max(map(len, texts))
    columns = value.shape[1]
    rows = [texts[start : start + columns] for start in range(0, len(texts), columns)]
    return tuple(f"[{'  '.join(text.rjust(width, _FIGURE_SPACE) for text in row)}]" for row in rows)


def _summary(value: Array) -> tuple[str, ...]:
    shape = format_shape(value.shape)
    if not value.size:
        return (shape, "empty")
    numbers = value.astype(np.float64).ravel()
    finite = numbers[np.isfinite(numbers)]
    if finite.size < numbers.size:
        return (shape, f"{numbers.size - finite.size:,} not finite")
    low, high = number_text(float(finite.min()), 3), number_text(float(finite.max()), 3)
    return (
        shape,
        f"mean {number_text(float(finite.mean()), 3)}",
        f"{low} … {high}",
        histogram(finite),
    )


def histogram(value: Array) -> str:
    """How often each eighth of the range occurs, as bars: `▁▂▅█▅▂▁▁`."""
    numbers = value.astype(np.float64).ravel()
    numbers = numbers / (np.abs(numbers).max() or 1.0)
    low, spread = numbers.min(), np.ptp(numbers)
    places = (numbers - low) / spread * BINS if spread else np.full_like(numbers, BINS // 2)
    counts = np.bincount(np.minimum(places.astype(int), BINS - 1), minlength=BINS)
    heights = np.ceil(counts / max(counts.max(), 1) * len(_BARS)).astype(int)
    return "".join(_BARS[max(height - 1, 0)] for height in heights)
