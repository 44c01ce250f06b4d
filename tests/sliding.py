"""Convolution and pooling by loops over positions and taps: slow, and plainly right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pairs = Sequence[tuple[int, int]]


def windows(
    x: Floats,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
    value: float = 0.0,
) -> Iterator[tuple[tuple[int, ...], Floats]]:
    """Each position with its window, (batch, channels, *size)."""
    padded = np.pad(x, [(0, 0), (0, 0), *padding], constant_values=value)
    rows = list(zip(padded.shape[2:], size, stride, dilation, strict=True))
    counts = [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in rows]
    for position in product(*map(range, counts)):
        picked = padded
        for axis, (at, (_, k, s, d)) in enumerate(zip(position, rows, strict=True)):
            picked = picked.take([at * s + i * d for i in range(k)], axis=2 + axis)
        yield position, picked


def gathered(found: dict[tuple[int, ...], Floats]) -> Floats:
    """(batch, channels, *positions), from (batch, channels) at each position."""
    counts = tuple(max(position) + 1 for position in zip(*found, strict=True))
    values = np.stack([found[position] for position in np.ndindex(counts)], axis=-1)
    return values.reshape((*values.shape[:2], *counts))


def convolved(
    x: Floats,
    w: Floats,
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
    groups: int = 1,
) -> Floats:
    inputs, outputs = w.shape[1], w.shape[0] // groups
    found = {}
    for position, window in windows(x, w.shape[2:], stride, padding, dilation):
        found[position] = np.concatenate(
            [
                np.tensordot(
                    window[:, g * inputs : (g + 1) * inputs],
                    w[g * outputs : (g + 1) * outputs],
                    (tuple(range(1, window.ndim)), tuple(range(1, w.ndim))),
                )
                for g in range(groups)
            ],
            axis=1,
        )
    return gathered(found)
