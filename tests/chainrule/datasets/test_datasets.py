"""The data sets: what they hold, that they are the same everywhere, and what they refuse."""

import hashlib
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chainc.ir.errors import ChainruleError, InputError
from chainrule import datasets
from chainrule.datasets import Dataset, Split, handwritten

Cloud = Callable[..., Dataset]
CLOUDS: list[Cloud] = [datasets.xor, datasets.ring, datasets.moons, datasets.spirals]
TEST_LABELS_SHA256 = "18b55cdda4c1e8fb39f9e26b090680d246ea8105c8b4cbfa293355aab48de13b"
HERE = r"\n  where: .*test_datasets\.py:\d+\n  try: "


def together(dataset: Dataset) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    x = np.concatenate([dataset.train.x, dataset.test.x])
    return x, np.concatenate([dataset.train.y, dataset.test.y])


def rows(x: NDArray[np.float32]) -> set[bytes]:
    return {row.tobytes() for row in x}


# --- digits


def test_digits_have_the_promised_shapes_and_dtypes() -> None:
    digits = datasets.digits()
    for split in (digits.train, digits.test):
        assert split.x.dtype == np.float32
        assert split.x.shape == (len(split), 64)
        assert split.y.dtype == np.int32
        assert split.y.shape == (len(split),)
    assert (len(digits.train), len(digits.test), len(digits)) == (1433, 364, 1797)
    assert digits.name == "digits"
    assert digits.classes == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert "CC BY 4.0" in digits.description


def test_digits_are_those_of_the_uci_test_part() -> None:
    x, y = together(datasets.digits())
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert x.mean() * 16 == pytest.approx(4.884164579855314)  # as scikit-learn's load_digits
    sixteenths = x * 16
    assert set(np.unique(sixteenths).tolist()) == set(range(17))


def test_digits_keep_image_and_label_together() -> None:
    x, y = together(datasets.digits())
    first_row_of_the_uci_file = """
        0  0  5 13  9  1  0  0
        0  0 13 15 10 15  5  0
        0  3 15  2  0 11  8  0
        0  4 12  0  0  8  8  0
        0  5  8  0  0  9  8  0
        0  4 11  0  1 12  7  0
        0  2 14  5 10 12  0  0
        0  0  6 13 10  0  0  0"""
    zero = np.array(first_row_of_the_uci_file.split(), dtype=np.float32) / 16
    (position,) = np.flatnonzero((x == zero).all(axis=1))
    assert y[position] == 0


def test_nearest_neighbour_reads_the_digits() -> None:
    train, test = datasets.digits().train, datasets.digits().test
    distance = (test.x**2).sum(1)[:, None] - 2 * test.x @ train.x.T + (train.x**2).sum(1)
    assert (train.y[distance.argmin(axis=1)] == test.y).mean() > 0.97


def test_digits_split_is_stratified_and_disjoint() -> None:
    digits = datasets.digits()
    train_rows, test_rows = rows(digits.train.x), rows(digits.test.x)
    assert train_rows.isdisjoint(test_rows)
    assert len(train_rows) + len(test_rows) == 1797
    assert np.bincount(digits.test.y).tolist() == [36, 37, 36, 37, 37, 37, 37, 36, 35, 36]


def test_digits_are_shuffled_the_same_way_everywhere() -> None:
    digits = datasets.digits()
    shares = [np.bincount(part, minlength=10) for part in np.array_split(digits.train.y, 4)]
    assert np.min(shares) >= 20
    labels = digits.test.y.astype("<i4").tobytes()
    assert hashlib.sha256(labels).hexdigest() == TEST_LABELS_SHA256


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def truncated(content: bytes) -> bytes:
    return content[:-1]


@pytest.mark.parametrize("damage", [flipped, truncated])
def test_a_damaged_bundle_is_detected(
    damage: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "digits.npz"
    copy.write_bytes(damage(handwritten.BUNDLE.read_bytes()))
    monkeypatch.setattr(handwritten, "BUNDLE", copy)
    with pytest.raises(
        ChainruleError, match=r"digits\.npz is damaged: .*SHA-256.*" + HERE + "inst"
    ):
        datasets.digits()


def test_a_missing_bundle_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handwritten, "BUNDLE", tmp_path / "digits.npz")
    with pytest.raises(ChainruleError, match=r"cannot be read \(No such file.*\)" + HERE + "inst"):
        datasets.digits()


def test_the_licence_note_names_the_bundled_file() -> None:
    note = (handwritten.BUNDLE.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(handwritten.BUNDLE.read_bytes()).hexdigest() in note
    assert "10.24432/C50P49" in note


# --- points in the plane


@pytest.mark.parametrize("cloud", CLOUDS)
def test_clouds_have_the_promised_shapes_and_dtypes(cloud: Cloud) -> None:
    points = cloud(n=100)
    for split in (points.train, points.test):
        assert split.x.dtype == np.float32
        assert split.x.shape == (len(split), 2)
        assert split.y.dtype == np.int32
        assert split.y.shape == (len(split),)
        assert np.bincount(split.y).tolist() == [len(split) / 2, len(split) / 2]
    assert (len(points.train), len(points.test), len(points)) == (80, 20, 100)
    assert rows(points.train.x).isdisjoint(rows(points.test.x))
    assert len(points.classes) == 2


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_smallest_cloud_has_both_classes_in_both_splits(cloud: Cloud) -> None:
    points = cloud(n=4)
    assert sorted(points.train.y.tolist()) == [0, 1]
    assert sorted(points.test.y.tolist()) == [0, 1]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_seed_names_the_draw(cloud: Cloud) -> None:
    first, again, other = cloud(n=50, seed=3), cloud(n=50, seed=3), cloud(n=50, seed=4)
    assert rows(first.train.x) == rows(again.train.x)
    assert rows(first.train.x).isdisjoint(rows(other.train.x))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_noise_is_a_standard_deviation(cloud: Cloud) -> None:
    noisy, _ = together(cloud(n=4000, noise=0.3))
    exact, _ = together(cloud(n=4000, noise=0))
    scatter = noisy - exact
    assert scatter.std(axis=0) == pytest.approx([0.3, 0.3], rel=0.05)
    assert scatter.mean(axis=0) == pytest.approx([0, 0], abs=0.02)


def test_xor_is_the_four_corners() -> None:
    xor = datasets.xor()
    assert xor.train.x.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert xor.train.y.tolist() == [0, 1, 1, 0]
    assert xor.test.x.tolist() == xor.train.x.tolist()
    assert [xor.classes[label] for label in xor.test.y] == [
        "equal",
        "different",
        "different",
        "equal",
    ]


def test_an_xor_cloud_surrounds_the_corners() -> None:
    x, y = together(datasets.xor(n=400, noise=0))
    corners, counts = np.unique(x, axis=0, return_counts=True)
    assert corners.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert counts.tolist() == [100, 100, 100, 100]
    assert y.tolist() == [int(first != second) for first, second in x]
    x, y = together(datasets.xor(noise=0.1))
    assert len(x) == 400
    assert ((x[:, 0] > 0.5) != (x[:, 1] > 0.5)).tolist() == (y == 1).tolist()


def test_ring_is_separated_by_radius_and_by_no_line() -> None:
    x, y = together(datasets.ring(n=2000, noise=0))
    radius = np.hypot(x[:, 0], x[:, 1])
    assert radius[y == 1] == pytest.approx(np.ones(1000))
    assert radius[y == 0].max() <= 0.5
    assert (radius[y == 0] < 0.25).mean() == pytest.approx(0.25, abs=0.05)  # evenly filled

    x, y = together(datasets.ring(n=2000))
    assert ((np.hypot(x[:, 0], x[:, 1]) > 0.75) == (y == 1)).mean() > 0.97
    best_line = max(
        ((x @ [np.cos(angle), np.sin(angle)] > offset) == (y == 1)).mean()
        for angle in np.linspace(0, 2 * np.pi, 24)
        for offset in np.linspace(-1, 1, 21)
    )
    assert best_line < 0.8


def test_moons_are_two_half_circles() -> None:
    x, y = together(datasets.moons(noise=0))
    upper, lower = x[y == 0], x[y == 1]
    assert np.hypot(upper[:, 0], upper[:, 1]) == pytest.approx(np.ones(200))
    assert upper[:, 1].min() >= -1e-6
    assert np.hypot(lower[:, 0] - 1, lower[:, 1] - 0.5) == pytest.approx(np.ones(200))
    assert lower[:, 1].max() <= 0.5 + 1e-6
    assert lower[:, 0].min() < upper[:, 0].max()  # they reach into each other
    assert lower[:, 1].max() > upper[:, 1].min()


def test_spirals_unwind_to_two_opposite_rays() -> None:
    x, y = together(datasets.spirals(noise=0))
    points = x[:, 0] + 1j * x[:, 1]
    unwound = points * np.exp(-3j * np.pi * np.abs(points))
    assert np.abs(points).min() >= 0.1 - 1e-6
    assert np.abs(points).max() <= 1 + 1e-6
    assert unwound.imag == pytest.approx(np.zeros(400), abs=1e-5)
    assert (unwound.real > 0).tolist() == (y == 0).tolist()


def test_gaussians_stand_on_a_ring() -> None:
    points = datasets.gaussians_on_ring(4000, modes=5, radius=3)
    x, y = together(points)
    assert np.bincount(y).tolist() == [800] * 5
    assert points.classes == ("mode 0", "mode 1", "mode 2", "mode 3", "mode 4")
    at = 3 * np.exp(2j * np.pi * np.arange(5) / 5)
    apart = x - np.stack([at.real, at.imag], axis=1)[y]
    assert apart.std(axis=0) == pytest.approx([0.02, 0.02], rel=0.05)
    assert len(datasets.gaussians_on_ring(16).test) == 8


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        ({"n": 15}, r"n=15\): n must be a whole number, at least 16", "n=16 is the smallest"),
        ({"modes": 0}, r": modes must be a whole number, at least 1, got 0", "give a n"),
        ({"modes": 10**12}, r"n=4096\): n must be a whole number, at least 2000000000000", "n=2"),
        ({"radius": 0}, r": radius must be a finite number and above 0", "give a l"),
        ({"noise": -1}, r"noise=-1\): noise must be", "noise is a standard"),
    ],
)
def test_no_gaussians_without_a_ring(arguments: dict[str, Any], what: str, hint: str) -> None:
    with pytest.raises(
        InputError, match=r"^datasets\.gaussians_on_ring.*" + what + ".*" + HERE + hint
    ):
        datasets.gaussians_on_ring(**arguments)


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        ({"n": 3}, r"\(n=3\): n must be a whole number, at least 4", "n=4 is the smallest"),
        ({"n": 0}, r"\(n=0\): n must be", "n=4"),
        ({"n": 10.0}, r"\(n=10\.0\): n must be a whole number", "n=4"),
        ({"n": "many"}, r"\(n='many'\): n must be a whole number", "n=4"),
        ({"noise": -0.1}, r"\(noise=-0\.1\): noise must be .* at least 0", "noise is a standard"),
        ({"noise": NAN}, r"\(noise=nan\): noise must be a finite number", "noise is"),
        ({"noise": INFINITY}, r"\(noise=inf\): noise must be a finite number", "noise is"),
        ({"noise": "0.1"}, r"\(noise='0\.1'\): noise must be a finite number", "noise is"),
        ({"n": 8, "seed": -1}, r"\(seed=-1\): seed must be .* at least 0", "give any whole"),
        ({"n": 8, "seed": 0.5}, r"\(seed=0\.5\): seed must be a whole number", "give any whole"),
    ],
)
def test_bad_arguments_are_refused(
    cloud: Cloud, arguments: dict[str, object], what: str, hint: str
) -> None:
    with pytest.raises(InputError, match=r"^datasets\.[a-z]+" + what + ".*" + HERE + hint):
        cloud(**arguments)


# --- Split and Dataset


def test_splits_are_frozen_copies() -> None:
    x, y = np.zeros((3, 2), dtype=np.float32), np.array([0, 1, 2], dtype=np.int32)
    split = Split(x, y)
    x[0, 0] = 7
    assert split.x[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        split.x[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        split.y[0] = 1
    for name, values in (("x", x), ("y", y)):
        with pytest.raises(FrozenInstanceError):
            setattr(split, name, values)
    assert len(split) == 3
    assert repr(split) == "Split(x: float32 (3, 2), y: int32 (3,))"


@pytest.mark.parametrize(
    ("x", "y", "what"),
    [
        (np.zeros((3, 2), "f4"), np.zeros(4, "i4"), "x holds 3 samples and y holds 4"),
        (np.full((3, 2), 1e300), np.zeros(3, "i4"), r"x cannot take 1e\+300 in row 0, column 0"),
        (np.zeros((3, 2), complex), np.zeros(3, "i4"), "x cannot take element type complex128"),
        (np.zeros(3, "f4"), np.zeros(3, "i4"), r"x must have rank 2, not the shape \[3\]"),
        (np.zeros((3, 2), "f4"), np.zeros(3, "f4"), "y cannot take element type float32"),
        (np.zeros((3, 2), "f4"), np.full(3, 1 << 40), "y cannot take 1099511627776 in row 0"),
        ([[0.0, 1.0], [0.0]], np.zeros(1, "i4"), "x cannot take no array: "),
        (np.ma.zeros((3, 2), "f4"), np.zeros(3, "i4"), "x cannot take a masked array"),
    ],
)
def test_splits_refuse_what_they_would_misread(
    x: NDArray[np.float32], y: NDArray[np.int32], what: str
) -> None:
    with pytest.raises(InputError, match=r"^Split: " + what + ".*" + HERE + "(give|fill|convert)"):
        Split(x, y)
