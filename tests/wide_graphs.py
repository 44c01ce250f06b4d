"""Steps by which random graphs meet rarer forms.

Sizes that stand twice, Booleans as values, two precisions, small integers, empty axes, einsums of
any form, derivatives of derivatives.
"""

from __future__ import annotations

from hypothesis import strategies as st
from tests.graphs import CONTINUOUS, Growing

from chainc import ops
from chainc.autodiff import grad
from chainc.ir import topological
from chainc.ir.errors import GradientError
from chainc.ir.leaves import Input, constant, size
from chainc.ir.types import (
    Dim,
    DType,
    bool_,
    broadcast,
    float32,
    float64,
    int32,
    int64,
    named,
    uint8,
)

LETTERS = "abcd"
STEEPNESS = 20  # of a softmax; each derivative multiplies what rounding leaves by as much


def _pairs(g: Growing) -> None:
    """A product of the rows with themselves: a size stands twice."""
    x = g.tame_float(lambda node: node.ndim == 2)
    products = ops.tanh(x @ x.T)
    choices = (ops.mean, ops.sum, ops.softplus, lambda p: ops.logsumexp(p, 1), lambda p: p @ x)
    g.add(g.choose(*choices)(products))
    g.add(ops.mean(products, g.draw(st.sampled_from([0, 1]))), tame=True)


def _named(g: Growing) -> None:
    """Two named sizes, and the numbers that they stand for."""
    dims: list[Dim] = [named("batch"), named("time"), 2]
    shape = tuple(g.draw(st.permutations(dims)))
    x = g.input(shape)
    axes = g.draw(st.sampled_from([0, 1, 2, (0, 2), (1, 2), None]))
    g.add(ops.mean(x, axes), tame=True)
    g.add(x * ops.astype(size(shape[0]), g.dtype) / 4)


def _logic(g: Growing) -> None:
    """Booleans as values, constants and branches."""
    x = g.float()
    a = x < g.beside(x)
    b = g.pick(
        lambda node: node.type.dtype == bool_ and broadcast(node.shape, a.shape) is not None,
        lambda: g.input(a.shape, bool_),
    )
    c = g.draw(st.booleans())
    joined = g.choose(
        lambda b: a & b,
        lambda b: a | ~b,
        lambda b: ops.equal(a, b),
        lambda b: ops.where(b, a, c),
        lambda b: ops.where(a, constant(c), b),
        lambda b: ops.equal(b, c) & True,
        lambda b: ops.astype(b, int32) < 1,
    )(b)
    g.add(joined)
    g.add(ops.astype(joined, g.dtype), tame=True)
    g.add(ops.where(joined, x, 0.5))


def _precisions(g: Growing) -> None:
    """Values of a higher precision in between."""
    if g.dtype != float32:
        return
    x = g.tame_float()
    y = ops.astype(x, float64)
    z = g.choose(
        lambda y: ops.tanh(y * 1.1),
        lambda y: ops.tanh(y + x),
        lambda y: ops.maximum(y, x) - ops.astype(ops.square(x), float64),
        lambda y: ops.tanh(y @ y.T) if y.ndim == 2 else y / 3,
    )(y)
    if g.draw(st.booleans()):
        g.add(ops.sum(z))
    g.add(ops.astype(z, g.dtype), tame=True)


def _einsum(g: Growing) -> None:
    """Any letters of two operands, in any order."""
    x = g.tame_float(lambda node: 0 < node.ndim < 4)
    left = "".join(g.draw(st.permutations(LETTERS))[: x.ndim])
    sizes = dict(zip(left, x.shape, strict=True))
    letters = g.draw(st.permutations(LETTERS))[: g.draw(st.integers(1, 3))]
    for letter in letters:
        sizes.setdefault(letter, g.dim())
    y = g.input(tuple(sizes[letter] for letter in letters))
    known = g.draw(st.permutations(sorted({*left, *letters})))
    result = "".join(known[: g.draw(st.integers(0, len(known)))])
    g.add(ops.tanh(ops.einsum(f"{left},{''.join(letters)}->{result}", x, y)), tame=True)


def _integers(g: Growing) -> None:
    """Integers of every size as numbers and as indices."""
    dtype: DType = g.draw(st.sampled_from([uint8, int32, int64]))
    shape = (g.dim(), g.dim())
    x = g.pick(
        lambda node: isinstance(node.op, Input) and node.type.dtype == dtype and node.ndim == 2,
        lambda: g.input(shape, dtype),
    )
    y = g.choose(
        lambda x: ops.sum(x, g.axis(x)),
        ops.prod,
        lambda x: ops.max(x, g.axis(x)),
        lambda x: x * 2 + 1,
        lambda x: x // 2 + x % 2,
        lambda x: ops.maximum(x, 1) ** 2,
        lambda x: ops.where(x < 2, x, 1),
        lambda x: ops.astype(x, int64) - 1,
        lambda x: ops.argmax(x, g.axis(x)),
    )(x)
    g.add(y)
    g.add(ops.astype(y, g.dtype) / 9)
    g.add(ops.one_hot(x, 3, g.draw(st.sampled_from([g.dtype, int32, bool_]))))
    g.add(ops.take(g.input((3, 2)), x), tame=True)


def _empty(g: Growing) -> None:
    """An axis without elements."""
    x = g.tensor()
    place = g.known_axis(x)
    if place is None:
        return
    axis, _ = place
    none = x[(slice(None),) * axis + (slice(0, 0),)]
    g.add(ops.tanh(none))
    g.add(g.choose(lambda n: ops.sum(n, axis), lambda n: ops.prod(n, axis))(none), tame=True)
    g.add(ops.concat([none, x], axis), tame=x in g.tame)
    g.add(ops.exp(none) / ops.sum(ops.exp(none), axis, keepdims=True))


def _softmax(g: Growing) -> None:
    """By hand, over logits that lie apart."""
    x = STEEPNESS * g.tame_float(lambda node: node.ndim > 0 and 0 not in node.shape)
    axis = g.axis(x)
    e = ops.exp(x - ops.stop_gradient(ops.max(x, axis, keepdims=True)))
    g.add(e / ops.sum(e, axis, keepdims=True), tame=True)
    g.add(ops.exp(x) / ops.sum(ops.exp(x), axis, keepdims=True), tame=True)
    g.add(ops.logsumexp(x, axis))


def _slope(g: Growing) -> None:
    """The derivative of what there is, and at times that of its derivative."""
    y = g.tame_float()
    loss = ops.mean(ops.square(ops.tanh(y)))
    wrt = [node for node in topological([y]) if node.type.dtype == g.dtype]
    x = g.draw(st.sampled_from(wrt))
    try:
        slope = grad(loss, x)
        if g.draw(st.booleans()):
            slope = grad(ops.sum(ops.sin(slope / STEEPNESS)), x)
    except GradientError:
        return
    g.add(slope)
    g.add(ops.tanh(slope), tame=True)


RARE = (_pairs, _named, _logic, _precisions, _einsum, _integers, _empty, _softmax, _slope)
WIDE = (*CONTINUOUS, *RARE, *RARE)
