"""Each primitive in LLVM instructions against NumPy, special values included.

What is a function of `vector_math` has tests of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.interpreter import PRIMITIVES
from tests.native import Kernels, aligned

from chainc.ir.types import DType, bool_, float32, float64, int32, int64, uint8
from chainc.loops.builder import NestBuilder
from chainc.loops.language import Nest
from chainc.loops.values import Address, Kind, Parameter, affine
from chainc.schedules.layout.machine import AVX512

Numbers = npt.NDArray[Any]
LANES = (1, 4, 16)
FLOATS = (float32, float64)
NUMBERS = (*FLOATS, int32, int64, uint8)
DTYPES = (*NUMBERS, bool_)
COMPARISONS = ("less", "less_equal", "equal")

SPECIAL = (0.0, -0.0, 1.0, -1.5, 2.5, 1e-310, 1e-42, 3e38, -3e38, 1e300, np.inf, -np.inf, np.nan)


@dataclass(frozen=True)
class Trial:
    """A primitive on operands of one type; a select's condition comes first."""

    primitive: str
    dtype: DType
    lanes: int
    out: DType

    @property
    def operands(self) -> tuple[DType, ...]:
        if self.primitive == "select":
            return (bool_, self.dtype, self.dtype)
        if self.primitive == "fma":
            return (self.dtype,) * 3
        unary = ("negative", "absolute", "floor", "sqrt", "logical_not", "cast")
        return (self.dtype,) * (1 if self.primitive in unary else 2)

    def nest(self) -> Nest:
        """Element by element over as many values as there are."""
        count = len(values(self)[0])
        sources = [Parameter(f"x{i}", dtype) for i, dtype in enumerate(self.operands)]
        target = Parameter("y", self.out)
        builder = NestBuilder()
        with builder.loop("i", 0, count, self.lanes) as loop:
            place = affine(loop.index)
            given = [builder.load(Address(each, place), self.lanes) for each in sources]
            out = builder.compute(self.primitive, *given, dtype=self.out)
            builder.store(out, Address(target, place))
        return builder.nest("kernel", "", (*sources, target))

    def __str__(self) -> str:
        cast = f"-to-{self.out}" if self.primitive == "cast" else ""
        return f"{self.primitive}-{self.dtype}x{self.lanes}{cast}"


def values(trial: Trial) -> list[Numbers]:
    """All pairs of special values; triples have the third from both ends."""
    of = sources(trial.dtype)
    count = -(-(len(of) ** 2) // 16) * 16
    first, second = np.resize(np.repeat(of, len(of)), count), np.resize(of, count)
    third = np.resize(of[::-1], count)
    flags = np.resize(np.array([True, False, False]), count)
    if trial.primitive == "select":
        return [flags, first, second]
    return [first, second, third][: len(trial.operands)]


def sources(dtype: DType) -> Numbers:
    if dtype.is_float:
        with np.errstate(over="ignore"):
            return np.array(SPECIAL).astype(dtype.numpy)
    if dtype.kind == "b":
        return np.array([True, False])
    limits = np.iinfo(dtype.name)
    return np.array([0, 1, 7, 100, limits.max, limits.max - 1, limits.min], dtype.numpy)


def arithmetic() -> list[Trial]:
    found = []
    for lanes in LANES:
        for dtype in NUMBERS:
            names = ["add", "subtract", "multiply", "maximum", "minimum", "negative", "absolute",
                     "floor", "select", "fma"]  # fmt: skip
            names += ["divide", "sqrt"] if dtype.is_float else []
            found += [Trial(name, dtype, lanes, dtype) for name in names]
            found += [Trial(name, dtype, lanes, bool_) for name in COMPARISONS]
        for name in ("logical_and", "logical_or", "logical_not", "equal", "select"):
            found.append(Trial(name, bool_, lanes, bool_))
    return found


def casts() -> list[Trial]:
    return [Trial("cast", a, lanes, b) for lanes in LANES for a in DTYPES for b in DTYPES]


TRIALS = (*arithmetic(), *casts())


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    return Kernels([trial.nest() for trial in TRIALS], AVX512)


def computed(kernels: Kernels, trial: Trial) -> tuple[list[Numbers], Numbers]:
    given = values(trial)
    out = aligned(np.zeros(len(given[0]), trial.out.numpy))
    kernels.call(TRIALS.index(trial), [*map(aligned, given), out])
    return given, out


@pytest.mark.parametrize("trial", arithmetic(), ids=str)
def test_arithmetic(kernels: Kernels, trial: Trial) -> None:
    given, found = computed(kernels, trial)
    if trial.primitive == "fma" and trial.dtype.is_float:
        check_fused(given, found)
        return
    with np.errstate(all="ignore"):
        wanted = PRIMITIVES[trial.primitive](*given).astype(trial.out.numpy)
    check(found, wanted, signs=trial.primitive not in ("maximum", "minimum"))


def check(found: Numbers, wanted: Numbers, *, signs: bool = True) -> None:
    """The same numbers, NaN for NaN, and zeros with the same sign.

    Of 0 and -0 either is the larger one, in NumPy too.
    """
    np.testing.assert_array_equal(found, wanted)
    if signs and wanted.dtype.kind == "f":
        kept = ~np.isnan(wanted.astype(np.float64))
        np.testing.assert_array_equal(np.signbit(found[kept]), np.signbit(wanted[kept]))


def check_fused(given: list[Numbers], found: Numbers) -> None:
    """Rounded once or twice; both are allowed."""
    triples = zip(*(each.astype(np.float64).tolist() for each in given), strict=True)
    with np.errstate(all="ignore"):
        once = np.array([_rounded_once(*each) for each in triples]).astype(found.dtype)
        twice = (given[0] * given[1]).astype(found.dtype) + given[2]
    same = [(found == each) | (np.isnan(found) & np.isnan(each)) for each in (once, twice)]
    assert np.all(same[0] | same[1])


def _rounded_once(a: float, b: float, c: float) -> float:
    """The float64 nearest to a b + c; float32 products are exact in float64 anyway."""
    if not all(map(math.isfinite, (a, b, c))):
        return a * b + c
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


@pytest.mark.parametrize("trial", casts(), ids=str)
def test_casts(kernels: Kernels, trial: Trial) -> None:
    """Towards zero; what does not fit gives the nearest that does, and NaN gives 0."""
    (given,), found = computed(kernels, trial)
    check(found, converted(given, trial.out))


def converted(given: Numbers, out: DType) -> Numbers:
    with np.errstate(all="ignore"):
        if given.dtype.kind == "f" and out.kind == "i":
            return np.array([_nearest(float(each), out) for each in given], out.numpy)
        return given.astype(out.numpy)


def _nearest(value: float, dtype: DType) -> int:
    limits = np.iinfo(dtype.name)
    if np.isnan(value):
        return 0
    if not np.isfinite(value):
        return int(limits.max if value > 0 else limits.min)
    return int(min(max(int(value), int(limits.min)), int(limits.max)))


@pytest.mark.parametrize("constant", [0.0, -0.0, float("nan"), float("inf"), 2.0])
@pytest.mark.parametrize("primitive", ["maximum", "minimum"])
def test_extremes_with_a_constant_on_either_side(primitive: str, constant: float) -> None:
    """A constant that is no NaN saves a comparison; NaN in the other operand still counts."""
    x, y, z = (Parameter(name, float32) for name in "xyz")
    builder = NestBuilder()
    with builder.loop("i", 0, 16, 4) as loop:
        place = affine(loop.index)
        value, fixed = (
            builder.load(Address(x, place), 4),
            builder.constant(constant, Kind(float32, 4)),
        )
        builder.store(builder.compute(primitive, value, fixed), Address(y, place))
        builder.store(builder.compute(primitive, fixed, value), Address(z, place))
    kernels = Kernels([builder.nest("kernel", "", (x, y, z))], AVX512)
    given = np.resize(sources(float32), 16)
    found = [aligned(np.zeros(16, np.float32)) for _ in range(2)]
    kernels.call(0, [aligned(given), *found])
    wanted = PRIMITIVES[primitive](given, np.float32(constant))
    for each in found:
        np.testing.assert_array_equal(each, wanted)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_constants_keep_every_bit(dtype: DType) -> None:
    numbers: list[float] = [0.1, -0.0, np.pi, 5e-324, 1e-45, 1.7976931348623157e308, np.inf, np.nan]
    y = Parameter("y", dtype)
    builder = NestBuilder()
    for position, number in enumerate(numbers):
        value = builder.constant(number, Kind(dtype))
        builder.store(value, Address(y, affine(position)))
    builder.store(builder.constants(numbers, dtype), Address(y, affine(8)))
    found = aligned(np.zeros(16, dtype.numpy))
    Kernels([builder.nest("kernel", "", (y,))], AVX512).call(0, [found])
    with np.errstate(over="ignore"):
        wanted: npt.NDArray[np.floating] = np.array(numbers).astype(dtype.name)
    for part in (found[:8], found[8:]):
        check(part, wanted)
