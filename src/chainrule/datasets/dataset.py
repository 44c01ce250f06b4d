"""What a data set is, and the one rule by which it is split into train and test."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainc.dataclass import dataclass
from chainc.ir.errors import InputError
from chainc.ir.types import Array, DType, float32, int32
from chainrule.declare.arrays import UnfitError, columns_of, convert, read
from chainrule.writing.html_table import html_table


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Samples and their classes, kept as read-only copies of the arrays given.

    Attributes:
        x: float32 (n, features), one sample a row.
        y: int32 (n,), the class number of each sample, from 0.

    Raises:
        InputError: `x` or `y` has another rank, or numbers that do not fit that type, or they
            hold a different number of samples.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int32]

    def __post_init__(self) -> None:
        x = _read_only("x", self.x, float32, rank=2)
        y = _read_only("y", self.y, int32, rank=1)
        if len(x) != len(y):
            raise InputError(
                f"Split: x holds {len(x)} samples and y holds {len(y)}",
                hint="give one class number for every row of x",
            )
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        return f"Split(x: float32 {self.x.shape}, y: int32 {self.y.shape})"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A split to train on, a split to test on, and what they are.

    Attributes:
        train: the samples to learn from.
        test: the samples to measure on.
        name: the name of the function that makes the set.
        classes: what each class number stands for: `classes[3]` is the name of class 3.
        description: where the samples come from, and what `x` means.
    """

    train: Split
    test: Split
    name: str
    classes: tuple[str, ...]
    description: str

    def __len__(self) -> int:
        """The number of samples, train and test together."""
        return len(self.train) + len(self.test)

    def _repr_html_(self) -> str:
        counts = [np.bincount(split.y, minlength=len(self.classes)) for split in self._splits]
        classes = [
            (name, f"{train:,}", f"{test:,}")
            for name, train, test in zip(self.classes, *counts, strict=True)
        ]
        total = ("all", *(f"{len(split):,}" for split in self._splits))
        header = ("class", "train", "test")
        caption = f"{self.name}: {self.train.x.shape[1]} features"
        rows = [*classes, total]
        return html_table(header, rows, caption=caption, notes=[self.description], numbers=(1, 2))

    @property
    def _splits(self) -> tuple[Split, Split]:
        return self.train, self.test


def stratified_split(x: NDArray[np.float32], y: NDArray[np.int32]) -> tuple[Split, Split]:
    """Splits into (train, test), about 80 to 20, with the same share of every class.

    In the order given, the 1st, 6th, 11th, ... sample of each class goes to test, the others to
    train. Both splits keep the order.
    """
    is_test = np.zeros(len(y), dtype=np.bool_)
    for label in set(y.tolist()):
        is_test[np.flatnonzero(y == label)[::5]] = True
    return Split(x[~is_test], y[~is_test]), Split(x[is_test], y[is_test])


def _read_only(name: str, values: object, dtype: DType, rank: int) -> Array:
    try:
        given = read(values)
        converted = convert(given, dtype, columns_of(values))
    except UnfitError as unfit:
        raise InputError(f"Split: {name} cannot take {unfit.what}", hint=unfit.hint) from None
    if given.ndim != rank:
        raise InputError(
            f"Split: {name} must have rank {rank}, not the shape {list(given.shape)}",
            hint="give x as (n, features) and y as (n,)",
        )
    copy = np.array(converted, order="C")
    copy.flags.writeable = False
    return copy
