"""A kernel over an image, read back from the figure: the cells below it and the numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from tests.chainrule.plots.legible import assert_legible, texts

import chainrule as cr
from chainrule.plots.images.sliding import BORDER, WINDOW

IMAGE = np.arange(25).reshape(5, 5)
KERNEL = np.array([[1, 0, -1], [2, 0, -2], [1, 3, -1]])


def cells(plot: cr.plots.Plot, colour: str) -> set[tuple[float, float]]:
    """(row, column) of the cells of a colour, as they are drawn: the image's from (0, 0) on."""
    found = [p for p in plot.figure.axes[0].patches if isinstance(p, Rectangle) and p.get_fill()]
    return {(p.get_y(), p.get_x()) for p in found if to_hex(p.get_facecolor()).upper() == colour}


def framed(plot: cr.plots.Plot) -> tuple[float, float]:
    (frame,) = [p for p in plot.figure.axes[0].patches
                if isinstance(p, Rectangle) and not p.get_fill()]  # fmt: skip
    return frame.get_y(), frame.get_x()


def test_the_sum_of_a_position_is_written_out() -> None:
    plot = cr.plots.sliding(IMAGE, KERNEL, (1, 2))
    lines = texts(plot)
    written = ["7·1 + 8·0 + 9·(−1)", "+ 12·2 + 13·0 + 14·(−2)", "+ 17·1 + 18·3 + 19·(−1)", "= 46"]
    assert [line for line in lines if line in written] == written
    below = {(row, column) for row in (1, 2, 3) for column in (2, 3, 4)}
    assert {cell for cell in cells(plot, WINDOW) if cell[1] < 5} == below
    assert "A kernel of 3 × 3 at position 1, 2" in lines
    assert_legible(plot)


def test_the_window_moves_by_the_stride_over_the_border() -> None:
    plot = cr.plots.sliding(IMAGE, KERNEL, (1, 0), stride=2, padding=1)
    assert {cell for cell in cells(plot, WINDOW) if cell[1] < 7} == {
        (row, column) for row in (2, 3, 4) for column in (0, 1, 2)
    }
    edge = {(r, c) for r, c in np.ndindex(7, 7) if r in (0, 6) or c in (0, 6)}
    assert cells(plot, BORDER) == edge - {(2, 0), (3, 0), (4, 0)}
    row, column = framed(plot)
    assert row == 1
    assert column == pytest.approx(7 + 3 + 2 * 1.4)
    assert "= 1" in texts(plot)  # of 0, 5, 6; 0, 10, 11; 0, 15, 16: −6 − 22 + 45 − 16
    assert_legible(plot)


def test_taps_lie_apart_by_the_dilation() -> None:
    plot = cr.plots.sliding(IMAGE, np.ones((2, 2)), (0, 1), dilation=3)
    assert {cell for cell in cells(plot, WINDOW) if cell[1] < 5} == {
        (0, 1), (0, 4), (3, 1), (3, 4),
    }  # fmt: skip
    assert f"= {1 + 4 + 16 + 19}" in texts(plot)


def test_the_largest_picture_is_legible() -> None:
    rng = np.random.default_rng(0)
    plot = cr.plots.sliding(-rng.random((10, 10)), -rng.random((5, 5)), padding=1)
    assert_legible(plot)
    assert_legible(cr.plots.sliding([[2.0]], [[3.0]]))


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (([1, 2], KERNEL), {}, "x has shape"),
        ((IMAGE, [1, 2]), {}, "weight has shape"),
        ((IMAGE, KERNEL, (3, 0)), {}, "there is no position"),
        ((IMAGE, KERNEL, (0,)), {}, "there is no position"),
        ((np.ones((11, 11)), KERNEL), {"padding": 1}, "too large to be written out"),
        ((IMAGE, KERNEL), {"stride": 0}, "stride must be a whole number"),
    ],
)
def test_what_cannot_be_slid_is_refused(
    given: tuple[Any, ...], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.sliding(*given, **options)


def test_a_kernel_larger_than_the_image_is_refused() -> None:
    with pytest.raises(cr.ShapeError, match="3 × 3 is larger than"):
        cr.plots.sliding([[1.0]], KERNEL)
