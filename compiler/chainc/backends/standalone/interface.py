"""What a caller in C sees of an exported program: tensors, arrays with rows, sizes, names."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator

from chainc.dataclass import dataclass
from chainc.ir.types import DType, TensorType, bool_, float32, float64, int32, int64, static, uint8
from chainc.lowering.program import EpochEnd, IndexBound
from chainc.lowering.views import Buffer

C_TYPES = {
    float32: "float",
    float64: "double",
    int32: "int32_t",
    int64: "int64_t",
    uint8: "uint8_t",
    bool_: "uint8_t",
}
MOST_ROWS = 2**32  # of a data set: what the order of the rows is made for
MOST_EPOCHS = 2**31
VERSION_DIGITS = 32

# what the functions are called after the name of the program; `predict` only where it predicts,
# `ended` only where a training may end before its last epoch
FUNCTIONS = (
    "version",
    "init",
    "get",
    "set",
    "train",
    "begin",
    "train_thread",
    "stop",
    "records",
    "step",
    "evaluate",
    "predict",
    "ended",
)

# what the functions return
OK, BAD_ARGUMENT, BAD_INDEX, BAD_ARENA = range(4)


def version_of(*parts: str) -> str:
    """Hexadecimal; the same only for the same parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:VERSION_DIGITS]


def mark_of(version: str) -> int:
    """A number in the arena which says that this version prepared it."""
    return int.from_bytes(bytes.fromhex(version[:16]), "little", signed=True)


@dataclass(frozen=True)
class Tensor:
    """A tensor in the arena that the caller may read and write by its name."""

    key: str  # model/linear1/weight
    constant: str  # MODEL_LINEAR1_WEIGHT
    buffer: Buffer
    offset: int  # in the arena
    stored_bytes: int  # in the arena, padding included
    default: float | int | None = None  # of a hyperparameter

    @property
    def stored_dtype(self) -> DType:
        """Of its elements in the arena."""
        dtype = self.buffer.type.dtype
        return uint8 if dtype == bool_ else dtype

    @property
    def nbytes(self) -> int:
        """Of a row-major copy."""
        return math.prod(static(self.buffer.type.shape)) * self.buffer.type.dtype.itemsize


@dataclass(frozen=True)
class RowArray:
    """An array of the caller's: rows of a data set."""

    key: str
    word: str  # what it is called in C
    type: TensorType  # of a batch; the first axis is the rows
    bound: int | None = None  # its values are indices below it
    may_be_bytes: bool = False  # instead of floating-point numbers

    @property
    def row_shape(self) -> tuple[int, ...]:
        return static(self.type.shape[1:])

    @property
    def row_elements(self) -> int:
        return math.prod(self.row_shape)

    @property
    def dtype(self) -> DType:
        return self.type.dtype


@dataclass(frozen=True)
class Prediction:
    """A function of rows that gives a result for each."""

    inputs: tuple[RowArray, ...]
    output: RowArray
    by_row: bool  # each row stands for itself, so there may be more than a batch of them


@dataclass(frozen=True)
class Interface:
    """All that the header tells."""

    name: str
    tensors: tuple[Tensor, ...]
    inputs: tuple[RowArray, ...]
    outputs: tuple[str, ...]  # loss, then the metrics
    prediction: Prediction | None
    batch_size: int  # rows of a step, or of a prediction where steps read none
    least_rows: int  # of a step
    shuffle: bool
    epochs: int
    seed: int
    arena_bytes: int
    threads: int  # at most
    pointer_bytes: int
    has_memory: bool  # the object file has an arena in it
    has_levels: bool = False  # it chooses at run time, and an arena is laid out as it chose
    end: EpochEnd | None = None

    @property
    def prefix(self) -> str:
        """Of constants."""
        return self.name.upper()

    @property
    def reads_rows(self) -> bool:
        """Else an epoch is a step, which draws what it learns from."""
        return bool(self.inputs)

    @property
    def must_validate(self) -> bool:
        """Does a rule that may end the training read what is computed after an epoch?"""
        return self.end is not None and self.end.needs_validation

    @property
    def functions(self) -> tuple[str, ...]:
        """Their names after the first part, which is that of the program."""
        there = {"predict": self.prediction is not None, "ended": self.end is not None}
        return tuple(name for name in FUNCTIONS if there.get(name, True))

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the history."""
        validation = (f"validation {output}" for output in self.outputs)
        return ("rows", *self.outputs, "validation rows", *validation)


def bound_of(key: str, dtype: DType, bounds: Iterable[IndexBound]) -> int | None:
    """Below which number the indices in an input lie.

    None if the type says so, or if it is a number of rows: then the kernels look themselves.
    """
    most = 2 ** (8 * dtype.itemsize)
    found = (each.bound for each in bounds if each.key == key and isinstance(each.bound, int))
    bound = min(found, default=most)
    return bound if bound < most else None


def words(keys: Iterable[str]) -> Iterator[str]:
    """Names for C, no two alike even in capitals: `model/linear1/weight` -> model_linear1_weight.

    A number is put behind a name that is taken.
    """
    taken: set[str] = set()
    for key in keys:
        base = re.sub(r"[^A-Za-z0-9]+", "_", key).strip("_")
        base = base if base[:1].isalpha() else f"value_{base}"
        word, count = base, 1
        while word.upper() in taken:
            count += 1
            word = f"{base}_{count}"
        taken.add(word.upper())
        yield word
