"""Points at which rounding decides what a graph gives: there two backends need not agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from chainc.interpreters import reference
from chainc.ir import Graph, Node
from chainc.ir.leaves import Constant, Input, Slot
from chainc.ir.types import Array, bool_
from chainc.ops.activations import ReLU
from chainc.ops.arithmetic import Absolute, FloorDivide, Maximum, Minimum, Negative, Remainder
from chainc.ops.functions import Floor, Sign
from chainc.ops.index import ArgMax
from chainc.ops.logic import Cast, Comparison, StopGradient, Where
from chainc.ops.movement import BroadcastTo, Flip, PermuteDims, Reshape
from chainc.ops.parts.slicing import Concat, Pad, Slice
from chainc.ops.reduce import Extremum

LEAVES = (Input, Slot, Constant)
CHOOSING = (  # what they give is an element of an operand, or its negative
    *(Reshape, PermuteDims, BroadcastTo, Flip, Slice, Pad, Concat, StopGradient),
    *(ReLU, Absolute, Negative, Maximum, Minimum, Extremum, Where),
)
Values = Mapping[str, Array]
Floats = npt.NDArray[np.float64]


def at_a_jump(graph: Graph, inputs: Values, states: Values, rounding: float) -> bool:
    """Does a comparison, a floor, a sign or a position turn on a difference of rounding?"""
    nodes = [node for node in graph.nodes if list(_decides_on(node))]
    operands = dict.fromkeys(x for node in nodes for x in node.inputs)
    outputs = (*operands, *graph.leaves("input"))  # the inputs tell the named sizes
    known = dict(
        zip(outputs, reference.evaluate(Graph(outputs), inputs, states).outputs, strict=True)
    )
    return any(_turns(node, known, rounding) for node in nodes)


def _decides_on(node: Node) -> Iterator[Node]:
    """Floating-point operands at which the node's result jumps."""
    jumps = isinstance(node.op, Comparison | Floor | FloorDivide | Remainder | Sign | ArgMax)
    to_integer = isinstance(node.op, Cast) and not node.type.dtype.is_float
    if jumps or to_integer:
        yield from (x for x in node.inputs if x.type.dtype.is_float)


def _turns(node: Node, values: Mapping[Node, Array], rounding: float) -> bool:
    operands = [np.asarray(values[x], np.float64) for x in node.inputs]
    scale = rounding * max(_largest(x) for x in operands)
    if isinstance(node.op, Comparison):
        a, b = operands
        alike = _rounded(node.inputs[0]) == _rounded(node.inputs[1])
        return _meet(a, b, scale, alike=alike)
    if isinstance(node.op, ArgMax):
        (x,) = operands
        first, second = (np.sort(s, axis=None)[-2:] if s.size > 1 else (0.0, 1.0) for s in (x, -x))
        gaps = np.array([first[1] - first[0], second[1] - second[0]])
        return _meet(gaps, np.zeros(2), scale, alike=not _rounded(node.inputs[0]))
    x = operands[0] / operands[1] if len(operands) == 2 else operands[0]
    if node.type.dtype == bool_ or isinstance(node.op, Sign):
        return _meet(x, np.zeros_like(x), scale, alike=not _rounded(node.inputs[0]))
    return _meet(x, np.round(x), scale, alike=not _rounded(node.inputs[0]))


def _meet(a: Floats, b: Floats, scale: float, *, alike: bool) -> bool:
    """Are two elements nearer to each other than rounding, and not for sure the same?"""
    a, b = np.broadcast_arrays(a, b)
    both = np.isfinite(a) & np.isfinite(b)
    gap = np.abs(a - b, where=both, out=np.full(a.shape, np.inf))
    return bool(np.any((gap <= scale) & ((gap > 0) | (not alike))))


def _largest(x: Floats) -> float:
    return float(np.max(np.abs(x), initial=1.0, where=np.isfinite(x)))


def _rounded(node: Node) -> frozenset[Node]:
    """The nodes whose rounding a value carries: none where it is only chosen from what is given."""
    if isinstance(node.op, LEAVES) or not node.type.dtype.is_float:
        return frozenset()
    if isinstance(node.op, CHOOSING):
        return frozenset().union(*map(_rounded, node.inputs))
    return frozenset({node})
