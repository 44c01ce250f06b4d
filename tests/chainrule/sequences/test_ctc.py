"""CTC: what it computes, over all ways there are, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, product

import numpy as np
import pytest

import chainrule as cr
from chainrule import losses

ROWS, STEPS, CLASSES = 4, 5, 3
LABELS = [[1, 1], [1, 2], [2, 0], [0, 0]]
LENGTHS, LABEL_LENGTHS = [5, 4, 5, 3], [2, 2, 1, 0]


def spelled(way: Sequence[int]) -> list[int]:
    return [step for step, _ in groupby(way) if step]


@pytest.mark.parametrize("target", ["numpy", "llvm"])
def test_all_ways_that_spell_the_labels_are_added_up(target: str) -> None:
    z = cr.input("z", ("batch", STEPS, CLASSES))
    labels = cr.input("labels", ("batch", 2), "int32")
    lengths, label_lengths = (cr.input(n, ("batch",), "int32") for n in ("steps", "known"))
    each, mean = (
        losses.ctc(z, labels, lengths=lengths, label_lengths=label_lengths, reduction=reduction)
        for reduction in ("none", "mean")
    )
    values = np.random.default_rng(0).normal(size=(ROWS, STEPS, CLASSES)).astype(np.float32)
    found, whole = cr.compile([each, mean], target=target)(
        z=values, labels=LABELS, steps=LENGTHS, known=LABEL_LENGTHS
    )
    p = np.exp(values) / np.exp(values).sum(axis=-1, keepdims=True)
    expected = [
        -np.log(sum(
            np.prod(p[row, range(steps), way])
            for way in product(range(CLASSES), repeat=steps)
            if spelled(way) == LABELS[row][: LABEL_LENGTHS[row]]
        ))
        for row, steps in enumerate(LENGTHS)
    ]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(whole, np.mean(np.array(expected) / [2, 2, 1, 1]), rtol=1e-5)


def test_too_few_steps_have_no_gradient() -> None:
    z, labels = cr.input("z", (1, 2, CLASSES)), cr.input("labels", (1, 2), "int32")
    loss, zeroed = losses.ctc(z, labels), losses.ctc(z, labels, zero_infinity=True)
    run = cr.compile([loss, zeroed, cr.grad(loss, z), cr.grad(zeroed, z)], target="numpy")
    infinite, zero, *slopes = run(z=np.ones((1, 2, CLASSES), np.float32), labels=[[1, 1]])
    assert [float(infinite), float(zero)] == [np.inf, 0]
    assert not np.any(slopes)


def test_what_does_not_fit_is_refused() -> None:
    z, labels = cr.input("z", ("batch", STEPS, CLASSES)), cr.input("labels", ("batch", 2), "int32")
    with pytest.raises(cr.ShapeError, match=r"ctc: labels \[batch\] do not fit(?s:.*)try: give"):
        losses.ctc(z, cr.input("y", ("batch",), "int32"))
    with pytest.raises(cr.InputError, match=r"there is no class 3 of 3\n  where: .*\n  try: count"):
        losses.ctc(z, labels, blank=3)
    with pytest.raises(cr.ShapeError, match=r"the lengths .* are no integers \[batch\]\n  where"):
        losses.ctc(z, labels, lengths=cr.input("lengths", ("batch",)))
    lengths = cr.input("lengths", ("batch",), "int32")
    run = cr.compile(losses.ctc(z, labels, lengths=lengths), target="numpy")
    with pytest.raises(cr.InputError, match=r"'lengths' holds the index 6 at \[1\], out of range"):
        run(z=np.ones((2, STEPS, CLASSES), np.float32), labels=[[1, 2], [1, 2]], lengths=[5, 6])
