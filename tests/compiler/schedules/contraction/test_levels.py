"""The order of the loops over what is summed, and which rows share what they read."""

from __future__ import annotations

import pytest

from chainc.ir.types import float32
from chainc.loops.values import Parameter
from chainc.schedules.contraction.axes import Axis
from chainc.schedules.contraction.factor import Factor
from chainc.schedules.contraction.levels import Level, ordered, shares_elements, split
from chainc.schedules.layout.access import Access

LANES = 8
CHANNELS = Axis("c", 16, 16, LANES)
ROW_TAPS, TAPS = Axis("i", 3, 3), Axis("j", 3, 3)
WIDTH, HEIGHT = 18, 18
COLUMN = Axis("w", 16, 16)


def image(stride: int = 1) -> Factor:
    """Windows [c, w, i, j] of a row of an image in panels of channels."""
    pixel, row = LANES, WIDTH * LANES
    strides = (1, pixel * stride, row, pixel)
    panel = HEIGHT * row
    found = Access(Parameter("x", float32), (16, 16, 3, 3), strides, 0, 0, LANES, panel)
    return Factor(found, "cwij")


def kernel() -> Factor:
    """Of outputs in panels [o, c, i, j]."""
    found = Access(Parameter("w", float32), (8, 16, 3, 3), (1, 72, 24, 8), 0, 0, LANES, 16 * 72)
    return Factor(found, "ocij")


@pytest.mark.parametrize(("stride", "shares"), [(1, True), (2, True), (3, False)])
def test_neighbouring_windows_share_pixels_unless_they_lie_apart(stride: int, shares: bool) -> None:
    assert shares_elements(Level(TAPS), COLUMN, [image(stride)]) is shares


def test_rows_share_nothing_with_the_rows_below_nor_with_channels() -> None:
    assert not shares_elements(Level(ROW_TAPS), COLUMN, [image()])
    assert not shares_elements(Level(CHANNELS, LANES), COLUMN, [image()])
    assert not shares_elements(Level(TAPS), COLUMN, [kernel()])
    assert not shares_elements(Level(TAPS), None, [image()])


def test_the_innermost_loop_reads_no_element_twice() -> None:
    """Panels outermost, then the taps; the lanes of a panel, which no rows share, innermost."""
    found = ordered([CHANNELS, ROW_TAPS, TAPS], [image(), kernel()], COLUMN)
    assert found == (
        Level(CHANNELS),
        Level(ROW_TAPS),
        Level(TAPS),
        Level(CHANNELS, LANES),
    )


def test_without_rows_the_smallest_steps_are_innermost() -> None:
    found = ordered([CHANNELS, ROW_TAPS, TAPS], [image(), kernel()], None)
    assert found[-1] == Level(TAPS)


def test_short_loops_are_written_out_unless_rows_would_share_what_they_read() -> None:
    levels = [Level(COLUMN), Level(ROW_TAPS), Level(TAPS)]
    loops, straight = split(levels, None, [image(), kernel()])
    assert (list(loops), list(straight)) == (levels[:1], levels[1:])
    loops, straight = split(levels, COLUMN, [image(), kernel()])
    assert (list(loops), list(straight)) == (levels, [])


def test_an_only_loop_stays_one() -> None:
    loops, straight = split([Level(TAPS)], None, [kernel()])
    assert (list(loops), list(straight)) == ([Level(TAPS)], [])
