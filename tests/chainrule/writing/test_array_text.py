"""Arrays as pictures write them."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.writing.array_text import array_lines, histogram, number_text


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.19661193, "−0.1966"), (3.0, "3"), (-0.0, "0"), (1.25e-7, "1.25e−7"), (1e20, "1e20"),
     (float("nan"), "nan"), (float("-inf"), "−inf"), (7, "7"), (True, "1")],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert number_text(value) == text


def test_small_arrays_are_written_in_full() -> None:
    assert array_lines(np.asarray(-12.0)) == ("−12",)
    assert array_lines(np.asarray([1.0, -2.5])) == ("[1, −2.5]",)
    assert array_lines(np.asarray([[4.0]])) == ("[[4]]",)
    wide = "\u2007"
    assert array_lines(np.asarray([[1, -20], [3, 4]])) == (
        f"[{wide}{wide}1  −20]",
        f"[{wide}{wide}3  {wide}{wide}4]",
    )


def test_large_arrays_are_summed_up() -> None:
    value = np.linspace(-1.0, 1.0, 1000).reshape(10, 100)
    shape, mean, low_high, bars = array_lines(value)
    assert shape == "[10,100]"
    assert mean.startswith("mean ")
    assert low_high == "−1 … 1"
    assert bars == "█" * 8
    assert array_lines(np.zeros((0, 3))) == ("[0,3]", "empty")
    assert array_lines(np.asarray([np.nan, np.inf] + [0.0] * 30)) == ("[32]", "2 not finite")


def test_a_histogram_shows_where_the_elements_are() -> None:
    bars = histogram(np.asarray([0.0] * 80 + [1.0] * 10))
    assert bars[0] == "█"
    assert bars[-1] < bars[0]
    assert set(bars[1:-1]) == {"▁"}
    assert histogram(np.full(5, 3.0)).count("█") == 1


@pytest.mark.parametrize("scale", [1.0, 1e300, 1e-300])
def test_a_histogram_of_numbers_that_are_almost_equal(scale: float) -> None:
    """Too narrow a range for numpy.histogram, which raises."""
    numbers = np.full(20, scale)
    numbers[0] = np.nextafter(scale, 2 * scale)
    assert histogram(numbers) == "█▁▁▁▁▁▁▁"
