"""Images in rows: what went in, what came out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainc.ir.errors import InputError
from chainrule.evaluation.values import Floats
from chainrule.plots.given import at_most, numbers
from chainrule.plots.images.tiles import ACROSS, DOWN, beside, bound, seen
from chainrule.plots.images.weights import shape_of
from chainrule.plots.paper.plot import Plot, paper
from chainrule.plots.paper.style import label, require_matplotlib

MOST_ROWS, MOST = 12, 16
LETTER = 0.1  # inches, of a row's name


def image_rows(rows: Mapping[str, object], shape: tuple[int, int] | None = None) -> Plot:
    """Rows of images, each with its name: black is the smallest number shown, white the largest.

    Args:
        rows: for each name images as rows of their pixels, (n, pixels), at most 16 of them.
        shape: height and width of an image; by default a square.

    Raises:
        InputError: there are no rows or too many, they are no finite numbers, or of different
            sizes, or the shape does not fit.
    """
    require_matplotlib("image_rows")
    if not isinstance(rows, Mapping):
        raise InputError(
            f"image_rows: rows is a {type(rows).__name__}, not a mapping",
            hint='give images by name: {"given": x[:8], "reconstructed": y[:8]}',
        )
    at_most("image_rows", "rows", len(rows), MOST_ROWS, "show fewer")
    found = {label(str(name)): _images(each, shape) for name, each in rows.items()}
    sizes = {each.shape[1:] for each in found.values()}
    if len(sizes) > 1:
        told = " and ".join(f"{height}×{width}" for height, width in sorted(sizes))
        raise InputError(f"image_rows: images of {told}", hint="give images of one size")
    low = min(float(each.min()) for each in found.values())
    high = max(float(each.max()) for each in found.values())
    columns = max(map(len, found.values()))
    margin = LETTER * max(map(len, found))
    title = f"Images in {len(found)} row{'s' if len(found) > 1 else ''}"
    size = max(0.75 * ACROSS * columns + margin + 0.6, 6.0), 0.75 * DOWN * len(found) + 1.0
    with paper(title, *size) as figure:
        axes = figure.subplots()
        for row, (name, images) in enumerate(found.items()):
            beside(axes, name, row)
            for column, image in enumerate(images):
                seen(axes, image[None], column, row, low, high)
        bound(axes, columns, len(found))
    return Plot(figure, title)


def _images(given: object, shape: object) -> Floats:
    hint = "give images as rows of their pixels, (n, pixels), such as x[:8]"
    found = numbers("image_rows", "rows", given, rank=2, hint=hint)
    at_most("image_rows", "images in a row", len(found), MOST, "show some of them, such as x[:8]")
    height, width = shape_of("image_rows", found.shape[1], shape)
    return np.asarray(found.reshape(-1, height, width))
