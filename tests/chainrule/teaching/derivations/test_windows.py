"""The sums of a convolution's derivative: each formula is read and computed by loops."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainc.formulas.blackboard import name_of
from chainrule.teaching.derivations.windows import Convolution, is_slid

Numbers = NDArray[np.float64]
FORMULA = re.compile(r"\[Σ\[([^:]*?)(?:: (.*))?\] (\w)\[(.*)\]·(\w)\[(.*)\]\]\[(.*)\]")


def index(text: str, at: Mapping[str, int]) -> int:
    """`2p + i` or `u − 3i` for certain indices."""
    total = 0
    for sign, many, letter in re.findall(r"([−+]?) ?(\d*)([a-z])", text):
        total += (-1 if sign == "−" else 1) * int(many or 1) * at[letter]
    return total


def computed(text: str, tensors: Mapping[str, Numbers], sizes: Mapping[str, int]) -> Numbers:
    """The tensor of a formula `[Σ[c, i] x[b, c, p + i]·w[o, c, i]][b, o, p]`."""
    read = FORMULA.fullmatch(text)
    assert read is not None, text
    bound, conditions, first, of_first, second, of_second, free = read.groups()
    letters, result = free.split(", "), np.zeros([sizes[each] for each in free.split(", ")])
    summed = bound.split(", ")
    for values in product(*(range(sizes[each]) for each in [*letters, *summed])):
        at = dict(zip([*letters, *summed], values, strict=True))
        equal = [each.split(" = ") for each in conditions.split(", ")] if conditions else []
        if any(index(left, at) != index(right, at) for left, right in equal):
            continue
        term = 1.0
        for name, indices in ((first, of_first), (second, of_second)):
            place = tuple(index(each, at) for each in indices.split(", "))
            inside = all(0 <= i < n for i, n in zip(place, tensors[name].shape, strict=True))
            term *= tensors[name][place] if inside else 0.0
        result[values[: len(letters)]] += term
    return result


@pytest.mark.parametrize(
    ("image", "kernel", "options"),
    [
        ((2, 2, 5, 4), (3, 2, 3, 2), {}),
        ((2, 2, 7, 6), (1, 2, 3, 2), {"stride": 2}),
        ((1, 2, 7, 6), (2, 2, 2, 3), {"stride": (1, 2), "dilation": (3, 1)}),
        ((2, 4, 4, 4), (4, 2, 2, 2), {"groups": 2}),
        ((2, 2, 7), (3, 2, 3), {"stride": 2, "dilation": 2}),
    ],
)
def test_the_sums_are_what_is_computed(
    image: tuple[int, ...], kernel: tuple[int, ...], options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(1)
    x = cr.input("x", image, dtype="float64")
    w = cr.input("w", kernel, dtype="float64")
    convolve = cr.conv1d if len(image) == 3 else cr.conv2d
    y = convolve(x, w, **options)
    contraction = next(n for n in cr.Graph([y]).nodes if any(is_slid(i, n) for i in n.inputs))
    window = next(each for each in contraction.inputs if is_slid(each, contraction))
    (read,), (factor,) = window.inputs, [n for n in contraction.inputs if n is not window]
    g = cr.input("g", contraction.shape, dtype="float64")
    slopes = cr.grad(cr.sum(contraction * g), [read, factor])
    given = {"x": rng.normal(size=image), "w": rng.normal(size=kernel)}
    values = {**given, "g": rng.normal(size=[int(str(n)) for n in contraction.shape])}
    found = cr.compile([read, factor, contraction, *slopes], target="numpy")(values)
    tensors = {"x": found[0], "w": found[1], "g": values["g"]}
    written = Convolution.of(contraction)
    sizes = dict(zip(written.kernel, found[1].shape, strict=True))
    sizes |= dict(zip(written.result, found[2].shape, strict=True))
    sizes |= dict(zip("uv", image[2:], strict=False))
    a, b, above = name_of("x"), name_of("w"), name_of("g")
    for formula, wanted in (
        (written.forward(a, b), found[2]),
        (written.to_image(above, b), found[3]),
        (written.to_kernel(a, above), found[4]),
    ):
        np.testing.assert_allclose(computed(formula.text, tensors, sizes), wanted, atol=1e-12)


def test_a_derivation_writes_them() -> None:
    x, w = cr.input("x", ("batch", 2, 4, 4)), cr.parameter("w", (3, 2, 3, 3), 0.1)
    z = cr.conv2d(x, w)
    lines = cr.derive(cr.sum(cr.square(z)), [w, x], names={z: "z"}).markdown()
    above = r"\left(\frac{\partial L}{\partial z}\right)"
    for formula in (
        r"\sum_{c, i, j} x_{b, c, p + i, q + j} \, w_{o, c, i, j} \right]_{b, o, p, q}",
        r"\sum_{b, p, q} x_{b, c, p + i, q + j} \, G_{b, o, p, q} \right]_{o, c, i, j}",
        r"\sum_{o, i, j} G_{b, o, u - i, v - j} \, w_{o, c, i, j} \right]_{b, c, u, v}",
    ):
        assert formula in lines.replace(above, "G")
    assert "Each pixel meets every tap; a gradient outside its positions is 0." in lines
    assert "window" not in lines


def test_a_convolution_with_numbers_and_blanks() -> None:
    x, w = cr.input("x", (1, 1, 3)), cr.parameter("w", (1, 1, 2), 0.5)
    loss = cr.sum(cr.conv1d(x, w, stride=1))
    numbers = cr.derive(loss, w, at={x: [[[1.0, 2.0, 4.0]]]}).markdown()
    assert "With numbers" in numbers
    assert r"\text{mean } 4.5,\ \text{from } 3 \text{ to } 6" in numbers
    exercise = cr.derive(loss, w, exercise=True)
    assert r"\boxed" in exercise.markdown()
    assert r"\sum_{b, p}" in exercise.key()


def test_letters_that_have_a_meaning_are_given_to_it() -> None:
    """Channels p and i of a contraction of one's own are called otherwise."""
    x, w = cr.input("x", (1, 2, 4)), cr.input("w", (3, 2, 2))
    y = cr.einsum("ipak,jpk->ija", cr.window(x, 2, 2), w)
    written = Convolution.of(y).forward(name_of("x"), name_of("w"))
    assert written.text == "[Σ[b, i] x[a, b, p + i]·w[c, b, i]][a, c, p]"


def test_windows_that_others_read_keep_their_own_equation() -> None:
    x, w = cr.input("x", (1, 1, 4)), cr.parameter("w", (1, 1, 2), 0.5)
    windows = cr.window(x, 2, 2)
    y = cr.einsum("bcxi,oci->box", windows, w)
    lines = cr.derive(cr.sum(y) + cr.sum(windows), w).markdown()
    assert r"\operatorname{window}(x)" in lines
    assert r"\operatorname{einsum}" in lines
