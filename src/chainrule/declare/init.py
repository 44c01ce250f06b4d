"""Initialisers: first values of parameters, as graphs over a seed.

Each function returns an initialiser, to be given to `cr.parameter` or a layer. The same seed
and the same parameter name give the same numbers. A weight matrix is (in, out), and a kernel
(out, in, ...), in the channels of one group.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import field

import numpy.typing as npt

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node
from chainc.ir.errors import DTypeError, GraphError, InputError, ShapeError
from chainc.ir.leaves import Initializer
from chainc.ir.leaves import constant as constant_node
from chainc.ir.types import Array, TensorType, format_shape, static
from chainc.ops import einsum, sqrt, square, sum
from chainc.ops.movement import broadcast_to, permute_dims, reshape
from chainc.ops.runs import random
from chainc.ops.runs.random import with_own_streams
from chainrule.declare.arguments import array, number
from chainrule.declare.arrays import UnfitError, convert, is_array
from chainrule.declare.calls import answering

__all__ = [
    "Initializer",
    "InitializerLike",
    "constant",
    "he_normal",
    "he_uniform",
    "normal",
    "ones",
    "orthogonal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]


def __dir__() -> list[str]:
    return list(__all__)


@dataclass(frozen=True)
class Fill:
    """Every element the same number."""

    value: float

    def __call__(self, type: TensorType, seed: Node, stream: str) -> Node:
        value = self.value if type.dtype.is_float else int(self.value)
        if value != self.value:
            raise DTypeError(
                f"an initial value of {self.value} does not fit a parameter of {type.dtype.name}",
                hint="give a whole number, or declare the parameter with dtype=cr.float32",
            )
        return broadcast_to(constant_node(value, type.dtype), type.shape)


@dataclass(frozen=True, eq=False)
class Given:
    """The values of an array."""

    array: Array

    def __call__(self, type: TensorType, seed: Node, stream: str) -> Node:
        if self.array.shape != type.shape:
            raise ShapeError(
                f"the initial values have shape {format_shape(self.array.shape)}, "
                f"the parameter {format_shape(type.shape)}",
                hint="give an array of the parameter's shape",
            )
        try:
            return constant_node(convert(self.array, type.dtype))
        except UnfitError as unfit:
            raise DTypeError(
                f"initial values of {unfit.what.removeprefix('element type ')} do not fit a "
                f"parameter of {type.dtype.name}",
                hint=unfit.hint,
            ) from None


@dataclass(frozen=True)
class Normal:
    """Independent normal numbers."""

    std: float
    mean: float

    def __call__(self, type: TensorType, seed: Node, stream: str) -> Node:
        return random.normal(
            type.shape, seed, mean=self.mean, scale=self.std, stream=stream, dtype=type.dtype
        )


@dataclass(frozen=True)
class Uniform:
    """Independent numbers, evenly from [low, high)."""

    low: float
    high: float

    def __call__(self, type: TensorType, seed: Node, stream: str) -> Node:
        return random.uniform(
            type.shape, seed, low=self.low, high=self.high, stream=stream, dtype=type.dtype
        )


@dataclass(frozen=True)
class VarianceScaling:
    """Independent numbers of mean 0 and of a variance that the sizes of a weight decide."""

    name: str
    over: Callable[[int, int], float] = field(repr=False)  # (in, out) -> that by which 2 is divided
    spread: Callable[[float], Initializer] = field(repr=False)  # standard deviation -> initialiser

    def __call__(self, type: TensorType, seed: Node, stream: str) -> Node:
        inputs, outputs = _fans(self.name, type)
        if inputs * outputs == 0:
            return Fill(0.0)(type, seed, stream)
        return self.spread(math.sqrt(2 / self.over(inputs, outputs)))(type, seed, stream)


@dataclass(frozen=True)
class Orthogonal:
    """A random matrix whose rows or columns, whichever are fewer, are orthonormal, times gain.

    The orthogonal factor of a normal matrix, found by the iteration X ← 3/2 X - 1/2 X XᵀX
    (Björck and Bowie 1971), which drives every singular value from (0, √3) to 1.
    """

    gain: float

    def __call__(self, type: TensorType, seed: Node, stream: str) -> Node:
        inputs, outputs = _fans("orthogonal", type)
        kernel = type.ndim > 2  # each output channel a row, over all that it sums
        rows, columns = (static(type.shape)[0], inputs) if kernel else (inputs, outputs)
        if rows * columns == 0:
            return Fill(0.0)(type, seed, stream)
        tall = (max(rows, columns), min(rows, columns))
        x = Normal(1.0, 0.0)(type.with_shape(tall), seed, stream)
        x = x / sqrt(sum(square(x)))
        for _ in range(_orthogonal_iterations(*tall)):
            x = 1.5 * x - 0.5 * (x @ einsum("ki,kj->ij", x, x))
        matrix = self.gain * (x if rows >= columns else permute_dims(x, (1, 0)))
        return reshape(matrix, type.shape)


# each does the same as any that is equal or is shown alike, and names its stream
BY_VALUE = (Fill, Normal, Uniform, VarianceScaling, Orthogonal)


def _orthogonal_iterations(rows: int, columns: int) -> int:
    """Steps after which the smallest singular value of a normal matrix has grown to 1.

    Over the Frobenius norm it starts above ε (√rows - √(columns - 1)) / √(rows columns), but for
    a probability of about ε^(rows - columns + 1) (Rudelson and Vershynin 2009), here 1e-6. While
    small it grows by 3/2 a step; six more steps bring 1/2 to 1 in double precision.
    """
    epsilon = 1e-6 ** (1 / (rows - columns + 1))
    gap = math.sqrt(rows) - math.sqrt(columns - 1)
    return math.ceil(math.log(math.sqrt(rows * columns) / (epsilon * gap), 1.5)) + 6


def _fans(name: str, type: TensorType) -> tuple[int, int]:
    """How many inputs a unit sums, and how many units an input goes to, taps counted."""
    if type.ndim == 2:
        rows, columns = static(type.shape)
        return rows, columns
    if type.ndim < 2:
        raise ShapeError(
            f"{name} needs a matrix (in, out) or a kernel (out, in, ...), got shape "
            f"{format_shape(type.shape)}",
            hint="use init.zeros(), init.normal(std) or init.uniform(low, high) for other ranks",
        )
    outputs, inputs, *size = static(type.shape)
    taps = math.prod(size)
    return inputs * taps, outputs * taps


def zeros() -> Initializer:
    """All 0; right for biases, while weights of 0 leave hidden units equal for ever."""
    return Fill(0.0)


def ones() -> Initializer:
    """All 1."""
    return Fill(1.0)


def constant(value: npt.ArrayLike) -> Initializer:
    """One number for every element, or the values of an array."""
    if is_array(value):
        return Given(array("init.constant", "value", value))
    return Fill(number("init.constant", "value", value, hint="give a number, such as 0.1"))


def normal(std: float = 0.01, mean: float = 0.0) -> Initializer:
    """Normal numbers N(mean, std²).

    Raises:
        InputError: `std` is negative, or a number is not finite.
    """
    hint = "give a small standard deviation, such as std=0.01"
    return Normal(
        number("init.normal", "std", std, at_least=0, hint=hint),
        number("init.normal", "mean", mean, hint=hint),
    )


def uniform(low: float = 0.0, high: float = 0.1) -> Initializer:
    """Uniform numbers in [low, high).

    Raises:
        InputError: the range is empty or not finite.
    """
    hint = "give low smaller than high, such as init.uniform(-0.1, 0.1)"
    start = number("init.uniform", "low", low, hint=hint)
    return Uniform(start, number("init.uniform", "high", high, above=start, hint=hint))


def _inputs(inputs: int, _: int) -> int:
    return inputs


def _normal_of(std: float) -> Initializer:
    return Normal(std, 0.0)


def _uniform_of(std: float) -> Initializer:
    """The variance of U(-a, a) is a² / 3."""
    return Uniform(-std * math.sqrt(3), std * math.sqrt(3))


def xavier_normal() -> Initializer:
    """N(0, 2 / (in + out)), for sigmoid and tanh (Glorot and Bengio, AISTATS 2010)."""
    return VarianceScaling("xavier_normal", operator.add, _normal_of)


def xavier_uniform() -> Initializer:
    """U(-a, a), a = √(6 / (in + out)), for sigmoid and tanh (Glorot and Bengio, AISTATS 2010)."""
    return VarianceScaling("xavier_uniform", operator.add, _uniform_of)


def he_normal() -> Initializer:
    """N(0, 2 / in), for ReLU (He, Zhang, Ren, Sun, ICCV 2015)."""
    return VarianceScaling("he_normal", _inputs, _normal_of)


def he_uniform() -> Initializer:
    """U(-a, a), a = √(6 / in), for ReLU (He, Zhang, Ren, Sun, ICCV 2015)."""
    return VarianceScaling("he_uniform", _inputs, _uniform_of)


def orthogonal(gain: float = 1.0) -> Initializer:
    """`gain` times a random matrix with orthonormal rows or columns (Saxe et al., ICLR 2014).

    WᵀW = gain² I for a weight with at least as many rows as columns, else W Wᵀ = gain² I. Of a
    kernel each output channel is a row.

    Raises:
        InputError: `gain` is not a positive number.
    """
    hint = "give gain=1, or √2 before a ReLU"
    return Orthogonal(number("init.orthogonal", "gain", gain, above=0, hint=hint))


_BY_NAME: Mapping[str, Callable[[], Initializer]] = {
    "zeros": zeros,
    "ones": ones,
    "normal": normal,
    "uniform": uniform,
    "xavier_normal": xavier_normal,
    "xavier_uniform": xavier_uniform,
    "he_normal": he_normal,
    "he_uniform": he_uniform,
    "orthogonal": orthogonal,
}


@dataclass(frozen=True)
class Streamed:
    """An initialiser of a user's: a draw that names no stream gets one of the slot's name."""

    initializer: Initializer

    def __call__(self, type: TensorType, seed: Node, stream: str) -> Node:
        name = stream.removeprefix("initial/")
        node = answering(self.initializer, f"the initialiser of {name}")(type, seed, stream)
        if not isinstance(node, Node):
            raise GraphError(
                f"the initialiser of {name} gives {node!r}, which is no node",
                hint="compute the values from nodes, such as cr.normal(type.shape, seed)",
            )
        return with_own_streams(Graph((node,)), stream).outputs[0]


InitializerLike = str | npt.ArrayLike | Initializer


def as_initializer(value: InitializerLike) -> Initializer:
    """An initialiser from its name, a number, an array, or itself."""
    if isinstance(value, str):
        if value not in _BY_NAME:
            raise InputError(
                f"there is no initialiser {value!r}",
                hint=f"use one of {', '.join(_BY_NAME)}",
            )
        return _BY_NAME[value]()
    if isinstance(value, BY_VALUE) and type(value) in BY_VALUE:  # no class made of one
        return value
    return Streamed(value) if callable(value) else constant(value)
