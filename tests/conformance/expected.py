"""What ops compute, stated once more in NumPy and plain Python, beside the compiler.

An op without an entry here is still compared with the reference and with finite differences.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from chainc.ir.types import TensorType, float64, static
from chainc.ops.contract import Contract
from chainc.ops.parts.slicing import Pad, Slice
from chainc.ops.parts.window import OverlapAdd, Window
from chainc.ops.reduce import Reduce
from chainc.ops.runs.random import Permutation, RandomBits

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
MASK = 0xFFFFFFFF


def contract(op: Contract, a: Floats, b: Floats) -> Floats:
    """Σ of products, letter by letter."""
    sizes = dict(zip(op.a + op.b, a.shape + b.shape, strict=True))
    result = np.zeros([sizes[letter] for letter in op.result])
    letters = sorted(sizes)
    for values in itertools.product(*(range(sizes[letter]) for letter in letters)):
        at = dict(zip(letters, values, strict=True))
        product = a[tuple(at[x] for x in op.a)] * b[tuple(at[x] for x in op.b)]
        result[tuple(at[x] for x in op.result)] += product
    return result


def pad(op: Pad, x: Floats) -> Floats:
    shape = [
        low + n + max(n - 1, 0) * interior + high
        for n, low, high, interior in zip(x.shape, op.low, op.high, op.interior, strict=True)
    ]
    result = np.full(shape, op.value)
    for index in np.ndindex(x.shape):
        at = zip(index, op.low, op.interior, strict=True)
        result[tuple(low + i * (interior + 1) for i, low, interior in at)] = x[index]
    return result


def cut(op: Slice, x: Floats) -> Floats:
    bounds = zip(op.starts, static(op.stops), op.steps, strict=True)
    return x[np.ix_(*(range(*bound) for bound in bounds))]


def reduced(op: Reduce, fold: Callable[[Sequence[float]], float], x: Floats) -> Floats:
    """One fold over the plain numbers of each group."""
    kept = [axis for axis in range(x.ndim) if axis not in op.axes]
    rows = np.transpose(x, [*kept, *op.axes]).reshape(
        [x.shape[axis] for axis in kept] + [math.prod(x.shape[axis] for axis in op.axes)]
    )
    result = np.empty(rows.shape[:-1])
    for index in np.ndindex(result.shape):
        result[index] = fold(rows[index].tolist())
    return np.expand_dims(result, op.axes) if op.keepdims else result


def first(axis: int, choose: Callable[[Sequence[float]], float], x: Floats) -> Integers:
    """The position of the chosen number of each row."""
    rows = np.moveaxis(x, axis, -1)
    result = np.empty(rows.shape[:-1], np.int64)
    for index in np.ndindex(result.shape):
        row = rows[index].tolist()
        result[index] = row.index(choose(row))
    return result


def ranked(x: Floats, *, descending: bool) -> Integers:
    """Where each element comes: how many must stand before it."""
    left, right = x[..., None, :], x[..., :, None]
    before = left > right if descending else left < right
    before |= (left == right) & np.tri(x.shape[-1], k=-1, dtype=bool)
    return np.argsort(before.sum(-1), -1)


def taken(axis: int, x: Floats, indices: Integers) -> Floats:
    result = np.empty(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])
    for before in np.ndindex(x.shape[:axis]):
        for at in np.ndindex(indices.shape):
            result[(*before, *at)] = x[(*before, indices[at])]
    return result


def scattered(axis: int, x: Floats, indices: Integers, updates: Floats) -> Floats:
    result = x.copy()
    for before in np.ndindex(x.shape[:axis]):
        for at in np.ndindex(indices.shape):
            result[(*before, indices[at])] += updates[(*before, *at)]
    return result


def windows(op: Window, x: Floats) -> Floats:
    """Element by element; the positions of windows, then their taps."""
    result = np.empty(static(op.infer(TensorType(x.shape, float64)).shape))
    for at in np.ndindex(result.shape):
        source = list(at[: x.ndim])
        for axis, slide, tap in zip(op.axes, op.slides, at[x.ndim :], strict=True):
            source[axis] = at[axis] * slide.stride + tap * slide.dilation
        result[at] = x[tuple(source)]
    return result


def overlapped(op: OverlapAdd, y: Floats) -> Floats:
    rank = y.ndim - len(op.axes)
    shape = list(y.shape[:rank])
    for axis, length in zip(op.axes, op.lengths, strict=True):
        shape[axis] = length
    result = np.zeros(shape)
    for at in np.ndindex(y.shape):
        target = list(at[:rank])
        for axis, slide, tap in zip(op.axes, op.slides, at[rank:], strict=True):
            target[axis] = at[axis] * slide.stride + tap * slide.dilation
        result[tuple(target)] += y[at]
    return result


def philox(counter: list[int], seed: int) -> list[int]:
    """Ten rounds in Python integers."""
    a, b, c, d = counter
    low, high = seed & MASK, seed >> 32 & MASK
    for _ in range(10):
        first, second = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = second >> 32 ^ b ^ low, second & MASK, first >> 32 ^ d ^ high, first & MASK
        low, high = (low + 0x9E3779B9) & MASK, (high + 0xBB67AE85) & MASK
    return [a, b, c, d]


def _words(block: int, stream: int, seed: int, step: int) -> list[int]:
    return philox([block, stream, step & MASK, step >> 32 & MASK], seed)


def random_bits(op: RandomBits, seed: Integers, step: Integers) -> npt.NDArray[np.int32]:
    shape = static(op.shape)
    assert op.stream is not None
    words = [
        _words(index // 4, op.stream, int(seed), int(step))[index % 4]
        for index in range(math.prod(shape))
    ]
    return np.array(words, np.uint32).astype(np.int32).reshape(shape)


def permutation(op: Permutation, seed: Integers, step: Integers) -> Integers:
    (count,) = static((op.count,))
    assert op.stream is not None
    keys = [w for b in range(1, 4) for w in _words(2**32 - b, op.stream, int(seed), int(step))]
    half = next(bits for bits in range(1, 32) if 4**bits >= count)

    def once(value: int) -> int:
        left, right = value >> half, value % 2**half
        for key in keys[:11]:
            mixed = right ^ key
            mixed = (mixed ^ mixed >> 16) * 0x85EBCA6B & MASK
            mixed = (mixed ^ mixed >> 13) * 0xC2B2AE35 & MASK
            left, right = right, left ^ (mixed ^ mixed >> 16) % 2**half
        value = left << half | right
        return value ^ keys[11] & 1 if value < 2 else value

    def walk(value: int) -> int:
        value = once(value)
        while value >= count:
            value = once(value)
        return value

    return np.array([walk(value) for value in range(count)], np.int64)


def per_element(f: Callable[..., float]) -> Callable[..., npt.ArrayLike]:
    """The function of Python numbers on every element of the broadcast operands."""
    return lambda _op, *operands: np.vectorize(f, otypes=[np.float64])(*operands)


# (op, *operands) -> result
EXPECTED: Mapping[str, Callable[..., npt.ArrayLike]] = {
    "add": lambda _op, a, b: a + b,
    "subtract": lambda _op, a, b: a - b,
    "multiply": lambda _op, a, b: a * b,
    "divide": lambda _op, a, b: a / b,
    "floor_divide": per_element(lambda a, b: a // b),
    "remainder": per_element(lambda a, b: a % b),
    "power": lambda _op, a, b: a**b,
    "maximum": lambda _op, a, b: np.where(np.isnan(a) | (a > b), a, b),
    "minimum": lambda _op, a, b: np.where(np.isnan(a) | (a < b), a, b),
    "negative": lambda _op, x: x * -1.0,
    "abs": lambda _op, x: np.where(np.signbit(x), -x, x),
    "exp": lambda _op, x: np.exp2(x * math.log2(math.e)),
    "expm1": per_element(math.expm1),
    "log": lambda _op, x: np.log2(x) / math.log2(math.e),
    "log1p": per_element(math.log1p),
    "sqrt": lambda _op, x: x**0.5,
    "sin": lambda _op, x: np.exp(1j * x).imag,
    "cos": lambda _op, x: np.exp(1j * x).real,
    "tanh": lambda _op, x: np.sinh(x) / np.cosh(x),
    "erf": per_element(lambda x: 1 - math.erfc(x)),
    "floor": per_element(math.floor),
    "sign": lambda _op, x: np.sign(x),
    "sigmoid": lambda _op, x: 0.5 * (1 + np.tanh(x / 2)),
    "relu": lambda _op, x: np.clip(x, 0, None),
    "softplus": lambda _op, x: np.logaddexp(0, x),
    "less": per_element(lambda a, b: a < b),
    "less_equal": per_element(lambda a, b: a <= b),
    "equal": per_element(lambda a, b: a == b),
    "logical_and": lambda _op, a, b: a & b,
    "logical_or": lambda _op, a, b: a | b,
    "logical_not": lambda _op, a: a ^ True,
    "where": lambda _op, c, a, b: np.choose(c.astype(int), [b, a]),
    "astype": lambda op, x: np.trunc(x) if op.dtype.kind == "i" else x,
    "stop_gradient": lambda _op, x: x,
    "formula": lambda _op, x: x**2,
    "region": lambda _op, x, y: np.exp(x * y) + x,
    "contract": contract,
    "fused_contract": lambda _op, a, b, c: np.tanh(a.dot(b) + c),
    "reshape": lambda op, x: np.array(x.ravel().tolist()).reshape(op.shape),
    "permute_dims": lambda op, x: np.moveaxis(x, op.axes, range(x.ndim)),
    "broadcast_to": lambda op, x: x + np.zeros(op.shape),
    "slice": cut,
    "pad": pad,
    "flip": lambda op, x: x[tuple(slice(None, None, -1 if axis in op.axes else 1)
                                  for axis in range(x.ndim))],
    "window": windows,
    "overlap_add": overlapped,
    "concat": lambda op, *parts: np.concatenate(parts, op.axis),
    "sum": lambda op, x: reduced(op, math.fsum, x),
    "prod": lambda op, x: reduced(op, math.prod, x),
    "max": lambda op, x: reduced(op, max, x),
    "min": lambda op, x: reduced(op, min, x),
    "argmax": lambda op, x: first(op.axis, max, x),
    "argmin": lambda op, x: first(op.axis, min, x),
    "take": lambda op, x, i: taken(op.axis, x, i),
    "scatter_add": lambda op, x, i, u: scattered(op.axis, x, i, u),
    "cumsum": lambda _op, x: x @ np.triu(np.ones((x.shape[-1],) * 2)),
    "take_along": lambda _op, x, i: np.take_along_axis(x, i, -1),
    "add_along": lambda _op, x, i, u: x + np.sum(np.eye(x.shape[-1])[i] * u[..., None], -2),
    "argsort": lambda op, x: ranked(x, descending=op.descending),
    "top_k": lambda op, x: ranked(x, descending=True)[..., : op.count],
    "one_hot": lambda op, i: np.eye(op.depth)[i],
    "arange": lambda op: list(range(op.stop)),
    "size": lambda op: op.dim,
    "constant": lambda op: op.value.array.tolist(),
    "random_bits": random_bits,
    "permutation": permutation,
}  # fmt: skip

# of these the entry above also says what IEEE's special values give
IEEE = ("abs", "add", "divide", "equal", "less", "less_equal", "maximum", "minimum", "multiply",
        "negative", "power", "relu", "sigmoid", "sign", "softplus", "stop_gradient",
        "subtract")  # fmt: skip
