"""A convolution opened into its positions, read back from the page in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.browser import OpenPage
from tests.chainrule.teaching.stepper.test_stepper import data_of
from tests.sliding import convolved

import chainrule as cr

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

random = np.random.default_rng(3)
X, W = random.integers(-4, 5, (2, 4, 5, 6)), random.integers(-2, 3, (6, 2, 3, 2))
PADDING, STRIDE, DILATION = ((1, 1), (0, 2)), (1, 2), (1, 3)


def opened(open_page: OpenPage, path: Path, **options: Any) -> Page:
    page = open_page(path, **options)
    page.fill("#search", "contract")
    page.keyboard.press("Enter")
    return page


def numbers(grid: Locator) -> list[float]:
    """Those in the cells; a cell that is marked is drawn last."""
    return [float(text.replace("−", "-")) for text in grid.locator("text").all_text_contents()]


def test_the_kernel_slides_one_position_at_a_time(open_page: OpenPage, tmp_path: Path) -> None:
    """Two groups of two channels and three filters, with all that a window can have."""
    x, w = cr.input("x", X.shape), cr.input("w", W.shape)
    y = cr.conv2d(x, w, stride=STRIDE, padding=PADDING, dilation=DILATION, groups=2)
    values = {x: X, w: W}
    page = opened(open_page, cr.step_through(cr.sum(y), values, path=tmp_path / "groups.html"))
    page.get_by_label("filter").select_option("5")  # of the second group, its second
    page.get_by_label("channel").select_option("2")
    for _ in range(3):
        page.get_by_role("button", name="Next position").click()
    assert page.inner_text(".place") == "row 2, column 1 of 5 × 3"
    padded = np.pad(X[0], ((0, 0), *PADDING))
    below = padded[3][1:4, [0, 3]]
    assert numbers(page.get_by_label("image 1 of 2").locator(".under")) == below.ravel().tolist()
    assert numbers(page.get_by_label("kernel")) == W[4, 1].ravel().tolist()
    products = below * W[4, 1]
    assert numbers(page.get_by_label("products")) == products.ravel().tolist()
    result = convolved(X.astype(float), W.astype(float), STRIDE, PADDING, DILATION, groups=2)
    whole = result[0, 4]
    spoken = page.inner_text(".sliding .equation").replace("−", "-")
    other = int(whole[1, 0] - products.sum())
    wanted = f"({other})" if other < 0 else f"{other}"
    assert spoken == (
        f"sum of the products {products.sum()} + 1 other channel {wanted} = {int(whole[1, 0])}"
    )
    so_far = [*whole[0], whole[1, 0]]
    assert numbers(page.get_by_label("result so far")) == so_far
    page.get_by_label("Position", exact=True).fill("14")
    for number, whole in enumerate(result[0]):
        page.get_by_label("filter").select_option(f"{number + 1}")
        assert numbers(page.get_by_label("result so far")) == whole.ravel().tolist()
    page.get_by_label("result so far").locator(".cell").nth(4).click()
    assert page.inner_text(".place") == "row 2, column 2 of 5 × 3"
    page.keyboard.press("ArrowRight")
    assert page.locator(".sliding").count() == 0


def test_a_cell_holds_its_number_and_many_cells_are_shaded(
    open_page: OpenPage, tmp_path: Path
) -> None:
    x, w = cr.input("x", (1, 1, 8, 8)), cr.input("w", (1, 1, 3, 3))
    sequence, taps = cr.input("sequence", (1, 1, 20)), cr.input("taps", (1, 1, 5))
    loss = cr.sum(cr.conv2d(x, w, padding=1)) + cr.sum(cr.conv1d(sequence, taps))
    values = {
        x: -12.345 * np.ones((1, 1, 8, 8)), w: [[[[-9.876, 1e-4, -1.2e4]] * 3]],
        sequence: np.arange(20.0).reshape(1, 1, 20), taps: np.ones((1, 1, 5)),
    }  # fmt: skip
    path = cr.step_through(loss, values, path=tmp_path / "legible.html")
    page = opened(open_page, path, width=360, touch=True)
    page.get_by_label("Position", exact=True).fill("63")
    sticking_out = page.evaluate(
        """() => [...document.querySelectorAll(".grid .cell")].filter((cell) => {
          const text = cell.querySelector("text")?.getBBox();
          const own = cell.querySelector("rect").getBBox();
          return text && (text.x < own.x || text.x + text.width > own.x + own.width);
        }).map((cell) => cell.textContent)"""
    )
    assert sticking_out == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate("document.querySelector('#panel').scrollWidth") <= 360
    page.fill("#search", "conv1d")
    page.locator("#found li", has_text="contract · [1,1,16]").click()
    assert page.inner_text(".place") == "row 1, column 1 of 1 × 16"
    image = page.get_by_label("image")
    assert (image.locator("text").count(), image.locator(".shade").count()) == (0, 20)
    assert image.locator(".under").count() == 5
    assert page.inner_text(".sliding .equation") == "sum of the products = 10"


@pytest.mark.parametrize(
    ("shape", "kernel", "value"),
    [
        ((1, 1, 3, 3, 3), (1, 1, 2, 2, 2), 1.0),
        ((1, 1, 41, 3), (1, 1, 2, 2), 1.0),
        ((1, 1, 9, 9), (1, 1, 8, 2), 1.0),
        ((1, 30, 30, 35), (1, 30, 2, 2), 1.0),
        ((1, 1, 3, 3), (1, 1, 2, 2), np.inf),
    ],
)
def test_what_is_too_large_to_be_shown_stays_closed(
    tmp_path: Path, shape: tuple[int, ...], kernel: tuple[int, ...], value: float
) -> None:
    x, w = cr.input("x", shape), cr.input("w", kernel)
    y = getattr(cr, f"conv{len(shape) - 2}d")(x, w)
    values = {x: np.full(shape, value), w: np.ones(kernel)}
    path = cr.step_through(cr.sum(y), values, path=tmp_path / "closed.html")
    assert not any("slides" in node for node in data_of(path)["nodes"])
