"""Rows of images share one scale of grey, and each has its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.chainrule.plots.legible import assert_legible, texts

import chainrule as cr


def test_every_image_stands_in_its_row() -> None:
    random = np.random.default_rng(0)
    given, made = random.uniform(size=(5, 12)), random.uniform(size=(3, 12))
    plot = cr.plots.image_rows({"given": given, "made of it": made}, (3, 4))
    images = [image for axes in plot.figure.axes for image in axes.images]
    assert len(images) == 8
    low, high = min(given.min(), made.min()), max(given.max(), made.max())
    for image, pixels in zip(images, [*given, *made], strict=True):
        shown = image.get_array()
        assert shown is not None
        np.testing.assert_allclose(shown, (pixels.reshape(3, 4) - low) / (high - low), rtol=1e-6)
    assert {"given", "made of it"} <= set(texts(plot))
    assert_legible(plot)


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (4, 16), (12, 2)])
def test_rows_of_many_sizes_are_legible(rows: int, count: int) -> None:
    named = {f"row {number} of {rows}": np.full((count, 64), number) for number in range(rows)}
    assert_legible(cr.plots.image_rows(named))


@pytest.mark.parametrize(
    ("rows", "shape", "message"),
    [
        (np.zeros((2, 4)), None, "rows is a ndarray, not a mapping"),
        ({}, None, "0 rows, not from 1 to 12"),
        ({"a": np.zeros((17, 4))}, None, "17 images in a row, not from 1 to 16"),
        ({"a": np.zeros((2, 3))}, None, "image_rows: 3 inputs make no square image"),
        ({"a": np.zeros((2, 4))}, (3, 2), "an image of 3×2 does not hold 4 inputs"),
        ({"a": np.zeros((2, 4)), "b": np.zeros((2, 9))}, None, "images of 2×2 and 3×3"),
        ({"a": np.full((2, 4), np.nan)}, None, "rows holds NaN"),
    ],
)
def test_what_is_no_row_is_refused(rows: Any, shape: Any, message: str) -> None:
    with pytest.raises(cr.InputError, match=message):
        cr.plots.image_rows(rows, shape)
