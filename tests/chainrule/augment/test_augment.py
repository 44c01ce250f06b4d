"""Augmentation: what each may draw, that draws are counted, and that nothing happens elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainrule import augment

Floats = npt.NDArray[np.float32]
Change = Callable[[cr.Node], cr.Node]

COUNT = 300
IMAGES = np.random.default_rng(0).uniform(0.5, 1.0, (COUNT, 2, 5, 6)).astype(np.float32)
CHANGES: dict[str, Change] = {
    "shift": lambda x: augment.shift(x, 2),
    "crop": lambda x: augment.crop(x, (5, 6), padding=1),
    "flip": augment.flip,
    "cutout": lambda x: augment.cutout(x, 3),
    "noise": lambda x: augment.noise(x, 0.1),
    "brightness": lambda x: augment.brightness(x, 0.5),
}


def images() -> cr.Node:
    return cr.input("x", ("batch", 2, 5, 6))


def in_step(node: cr.Node, step: int = 0, *, seed: int = 0, target: str = "llvm") -> Floats:
    function = cr.compile(node, mode="train", target=target)
    state = cr.State({"seed": np.array(seed), "step": np.array(step)})
    return np.asarray(function.bind(state)({"x": IMAGES}))


def places(rows: int, columns: int) -> list[Floats]:
    """All shifts by up to so many rows and columns, by copying."""
    wide = np.pad(IMAGES, ((0, 0), (0, 0), (rows, rows), (columns, columns)))
    return [
        wide[:, :, i : i + 5, j : j + 6]
        for i in range(2 * rows + 1)
        for j in range(2 * columns + 1)
    ]


def which(found: Floats, candidates: list[Floats]) -> npt.NDArray[np.int64]:
    """For each image, the first candidate that it equals."""
    equal = np.stack([(found == each).all((1, 2, 3)) for each in candidates])
    assert equal.any(0).all()
    return np.asarray(equal.argmax(0))


@pytest.mark.parametrize("name", CHANGES)
def test_both_targets_draw_the_same_and_a_step_can_be_repeated(name: str) -> None:
    changed = CHANGES[name](images())
    found = in_step(changed, 7)
    np.testing.assert_allclose(in_step(changed, 7, target="numpy"), found, atol=1e-6)
    assert np.array_equal(in_step(changed, 7), found)
    assert not np.array_equal(in_step(changed, 8), found)
    assert not np.array_equal(in_step(changed, 7, seed=1), found)


@pytest.mark.parametrize("name", CHANGES)
def test_nothing_happens_outside_training(name: str) -> None:
    assert np.array_equal(cr.compile(CHANGES[name](images()))(x=IMAGES), IMAGES)


def test_every_shift_occurs_about_as_often() -> None:
    found = which(in_step(augment.shift(images(), 1)), places(1, 1))
    counts = np.bincount(found, minlength=9)
    assert counts.min() > COUNT / 9 / 2
    assert np.array_equal(in_step(augment.shift(images(), 0)), IMAGES)


def test_a_crop_lies_anywhere_in_training_and_else_in_the_middle() -> None:
    cut = augment.crop(images(), (3, 4))
    parts = [IMAGES[:, :, i : i + 3, j : j + 4] for i in range(3) for j in range(3)]
    assert set(which(in_step(cut), parts)) == set(range(9))
    assert np.array_equal(cr.compile(cut)(x=IMAGES), IMAGES[:, :, 1:4, 1:5])


def test_half_of_the_images_are_mirrored() -> None:
    mirrored = which(in_step(augment.flip(images())), [IMAGES, IMAGES[:, :, :, ::-1]])
    assert abs(mirrored.mean() - 0.5) < 0.12
    assert np.array_equal(in_step(augment.flip(images(), 1.0)), IMAGES[:, :, :, ::-1])
    assert np.array_equal(in_step(augment.flip(images(), 0.0)), IMAGES)


def test_a_square_is_cut_out_of_all_channels() -> None:
    found = in_step(augment.cutout(images(), 2))
    assert np.array_equal(found[found != 0], IMAGES[found != 0])
    hidden = found == 0
    assert np.array_equal(hidden[:, 0], hidden[:, 1])
    sizes = hidden[:, 0].any(2).sum(1), hidden[:, 0].any(1).sum(1)
    for size in sizes:
        assert set(size) == {1, 2}  # one where a part falls outside
    assert np.array_equal(hidden[:, 0].sum((1, 2)), sizes[0] * sizes[1])


def test_noise_and_brightness_have_the_spread_that_is_asked_for() -> None:
    noise = in_step(augment.noise(images(), 0.1)) - IMAGES
    assert abs(float(noise.mean())) < 0.005
    assert float(noise.std()) == pytest.approx(0.1, rel=0.03)
    factors = in_step(augment.brightness(images(), 0.5)) / IMAGES
    assert np.allclose(factors, factors[:, :1, :1, :1])
    assert factors.min() >= 0.5 - 1e-6
    assert factors.max() <= 1.5 + 1e-6
    assert float(factors.std()) == pytest.approx(1 / np.sqrt(12), rel=0.15)


def mixed(alpha: float, steps: int = 1) -> list[tuple[Floats, Floats]]:
    labels = np.arange(COUNT, dtype=np.int32) % 3
    rows, targets = augment.mixup(images(), cr.input("y", ("batch",), dtype="int32"), 3, alpha)
    function = cr.compile([rows, targets], mode="train")
    found = []
    for step in range(steps):
        state = cr.State({"seed": np.array(0), "step": np.array(step)})
        x, t = function.bind(state)({"x": IMAGES, "y": labels})
        found.append((np.asarray(x), np.asarray(t)))
    return found


def test_rows_and_targets_are_mixed_by_one_share() -> None:
    ((x, t),) = mixed(1.0)
    np.testing.assert_allclose(t.sum(1), 1, atol=1e-6)
    share = t[np.arange(COUNT), np.arange(COUNT) % 3].min()
    partners = (x - share * IMAGES) / (1 - share)
    distances = np.abs(partners[:, None] - IMAGES[None]).max((2, 3, 4))
    assert distances.min(1).max() < 1e-3
    assert len(set(distances.argmin(1))) == COUNT  # every row is a partner once


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_the_share_has_the_spread_of_the_beta_distribution(alpha: float) -> None:
    labels = np.arange(COUNT) % 3
    shares = []
    for _, t in mixed(alpha, 200):
        own = t[np.arange(COUNT), labels]
        shares.append(own[own < 1].min() if (own < 1).any() else 1.0)
    variance = 1 / (4 * (2 * alpha + 1))
    assert float(np.mean(shares)) == pytest.approx(0.5, abs=4 * np.sqrt(variance / 200))
    assert float(np.var(shares)) == pytest.approx(variance, rel=0.25)


def test_labels_are_smooth_in_training_alone() -> None:
    y = cr.input("y", ("batch",), dtype="int32")
    smooth = augment.smooth_labels(y, 4, 0.2)
    found = cr.compile(smooth, mode="train")(y=np.array([2, 0]))
    np.testing.assert_allclose(found[0], [0.05, 0.05, 0.85, 0.05], atol=1e-7)
    assert np.array_equal(cr.compile(smooth)(y=np.array([2])), [[0, 0, 1, 0]])


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "no images": (
        lambda: augment.shift(cr.input("x", ("batch", 64)), 1),
        r"augment.shift: \[batch,64\] holds no images of NCHW",
    ),
    "bytes": (
        lambda: augment.flip(cr.input("x", ("batch", 1, 8, 8), dtype="uint8")),
        r"augment.flip: the input .* is not floating-point",
    ),
    "a negative shift": (lambda: augment.shift(images(), -1), r"most must be a whole number"),
    "a part too large": (
        lambda: augment.crop(images(), 9, padding=1),
        r"a part of 9 × 9 is larger than the padded images of 7 × 8",
    ),
    "a probability": (lambda: augment.flip(images(), 1.5), r"probability must be at most 1"),
    "no square": (lambda: augment.cutout(images(), 0), r"size must be a whole number, at least 1"),
    "no noise": (lambda: augment.noise(images(), 0), r"scale must be a finite number and above 0"),
    "too bright": (lambda: augment.brightness(images(), 2), r"most must be .*above 0"),
    "alpha": (
        lambda: augment.mixup(images(), cr.input("y", ("batch",), dtype="int32"), 3, 2.0),
        r"alpha must be .*above 0",
    ),
    "labels": (
        lambda: augment.mixup(images(), cr.input("y", ("batch",)), 3),
        r"the labels .* are no integers",
    ),
    "one label": (
        lambda: augment.mixup(images(), cr.input("y", (), dtype="int32"), 3),
        r"augment.mixup: labels of \[\] beside rows of \[batch,2,5,6\]",
    ),
    "one class": (
        lambda: augment.smooth_labels(cr.input("y", ("batch",), dtype="int32"), 1),
        r"classes must be a whole number, at least 2",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_is_refused_where_it_is_declared(case: str) -> None:
    action, message = REFUSED[case]
    with pytest.raises(cr.ChainruleError, match=message) as caught:
        action()
    assert "test_augment.py" in str(caught.value)
    assert "\n  try: " in str(caught.value)
