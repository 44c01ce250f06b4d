"""What a graph costs to run: arithmetic, traffic and parameters, counted from the ops' meaning.

Nothing here knows an op by name: an elementwise op is interpreted by a builder that counts scalar
primitives, a structural op by one that counts what its kernel does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial

from chainc.ir import Graph, Node, describe, kernels
from chainc.ir.errors import InputError
from chainc.ir.leaves import Leaf, Slot
from chainc.ir.scalar import Scalar
from chainc.ir.types import Dim, DType, Shape, TensorType, bind_shape, names_of, static
from chainc.ops.contract import FusedContract
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import interpret_body
from chainrule.declare.arguments import count
from chainrule.writing.html_table import html_table


@dataclass(frozen=True)
class Cost:
    """What one run costs when every op is computed by itself.

    Attributes:
        flops: scalar operations; a multiplication and an addition count as two, one exp as one,
            conversions and movements of elements as none.
        bytes_read: of the operands of every op that computes; a reshape reads nothing.
        bytes_written: of the results of every op that computes.
        parameters: elements of the trainable states the graph reads.
        parameter_bytes: their memory.
    """

    flops: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    parameters: int = 0
    parameter_bytes: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def bytes(self) -> int:
        """Read and written together."""
        return self.bytes_read + self.bytes_written

    def _repr_html_(self) -> str:
        rows = [
            ("FLOPs", f"{self.flops:,}"),
            ("bytes read", f"{self.bytes_read:,}"),
            ("bytes written", f"{self.bytes_written:,}"),
            ("parameters", f"{self.parameters:,} ({self.parameter_bytes:,} bytes)"),
        ]
        return html_table((), rows, numbers=(1,))


def cost(graph: Graph, **sizes: int) -> Cost:
    """The cost of one run of the graph.

    Args:
        graph: any graph: forward, gradient, or after the passes.
        sizes: the value of every named size in it, such as batch=32.

    Raises:
        InputError: a named size has no value, or a value is no size.
    """
    for name, value in sizes.items():
        count("cost", f"the size {name}", value, at_least=0, hint=f"give a number: {name}=32")
    return cost_of(graph.nodes, sizes)


def cost_of(nodes: Iterable[Node], sizes: Mapping[str, int]) -> Cost:
    """The cost of some nodes of a graph."""
    return sum((_cost_of_node(node, sizes) for node in nodes), Cost())


def _cost_of_node(node: Node, sizes: Mapping[str, int]) -> Cost:
    result = _bound(node, sizes)
    if isinstance(node.op, Slot) and node.op.trainable:
        elements = math.prod(static(result.shape))
        return Cost(parameters=elements, parameter_bytes=elements * result.dtype.itemsize)
    if isinstance(node.op, Leaf):
        return Cost()
    operands = [Work(_bound(operand, sizes)) for operand in node.inputs]
    work = _work(node, result, operands)
    if work.flops is None:
        return Cost()
    read = sum(_nbytes(operand.type) for operand in operands)
    return Cost(work.flops, read, _nbytes(result))


def _bound(node: Node, sizes: Mapping[str, int]) -> TensorType:
    missing = [name for dim in node.shape for name in names_of(dim) if name not in sizes]
    if missing:
        raise InputError(
            f"cost: the size {missing[0]!r} of {describe(node)} has no value",
            hint=f"give it, such as cost(graph, {missing[0]}=32)",
        )
    return node.type.with_shape(bind_shape(node.shape, sizes))


def _nbytes(type: TensorType) -> int:
    return _elements(type) * type.dtype.itemsize


def _elements(type: TensorType) -> int:
    return math.prod(static(type.shape))


@dataclass(frozen=True)
class Work:
    """A tensor, and the scalar operations that made it; None if it only views other elements."""

    type: TensorType
    flops: int | None = 0


def _work(node: Node, result: TensorType, operands: Sequence[Work]) -> Work:
    op = node.op
    if isinstance(op, Elementwise):
        return _per_element(result, op.interpret, [None] * len(operands))
    if isinstance(op, FusedContract):
        product = kernels.interpret(op.contract, KernelCounter(), result, operands[:2])
        body = partial(interpret_body, op.body)
        epilogue = _per_element(result, body, [None] * (len(operands) - 1))
        return Work(result, (product.flops or 0) + (epilogue.flops or 0))
    return kernels.interpret(op, KernelCounter(), result, operands)


def _per_element(
    result: TensorType,
    meaning: Callable[[Scalar[None], Sequence[None]], None],
    operands: Sequence[None],
) -> Work:
    counter = ScalarCounter()
    meaning(counter, operands)
    return Work(result, counter.operations * _elements(result))


class ScalarCounter:
    """The scalar vocabulary that computes nothing and counts its own calls."""

    def __init__(self) -> None:
        self.operations = 0

    def const(self, value: float | int | bool) -> None:
        """A constant costs nothing."""

    def cast(self, a: None, dtype: DType) -> None:
        """A conversion is no arithmetic."""

    def select(self, condition: None, a: None, b: None) -> None:
        self.operations += 1

    def _unary(self, a: None) -> None:
        self.operations += 1

    def _binary(self, a: None, b: None) -> None:
        self.operations += 1

    add = subtract = multiply = divide = floor_divide = remainder = power = _binary
    maximum = minimum = less = less_equal = equal = logical_and = logical_or = _binary
    negative = absolute = floor = logical_not = _unary
    sqrt = exp = expm1 = log = log1p = sin = cos = tanh = erf = _unary


class KernelCounter:
    """The kernel vocabulary that computes nothing and counts scalar operations."""

    def contract(self, result: TensorType, letters: tuple[str, str, str], a: Work, b: Work) -> Work:
        sizes = dict(zip(letters[0] + letters[1], a.type.shape + b.type.shape, strict=True))
        return Work(result, 2 * math.prod(static(tuple(sizes.values()))))

    def reduce(
        self, result: TensorType, primitive: str, axes: tuple[int, ...], keepdims: bool, x: Work
    ) -> Work:
        return Work(result, _elements(x.type))

    def index_of(self, result: TensorType, primitive: str, axis: int, x: Work) -> Work:
        return Work(result, _elements(x.type))

    def reshape(self, result: TensorType, x: Work) -> Work:
        return Work(result, None)

    def permute(self, result: TensorType, axes: tuple[int, ...], x: Work) -> Work:
        return Work(result, None)

    def broadcast(self, result: TensorType, x: Work) -> Work:
        return Work(result, None)

    def slice(
        self,
        result: TensorType,
        starts: tuple[int, ...],
        stops: Shape,
        steps: tuple[int, ...],
        x: Work,
    ) -> Work:
        return Work(result, None)

    def flip(self, result: TensorType, axes: tuple[int, ...], x: Work) -> Work:
        return Work(result, None)

    def pad(
        self,
        result: TensorType,
        low: tuple[int, ...],
        interior: tuple[int, ...],
        value: float,
        x: Work,
    ) -> Work:
        return Work(result)

    def concat(self, result: TensorType, axis: int, parts: Sequence[Work]) -> Work:
        return Work(result)

    def take(self, result: TensorType, axis: int, x: Work, indices: Work) -> Work:
        return Work(result)

    def scatter_add(
        self, result: TensorType, axis: int, x: Work, indices: Work, updates: Work
    ) -> Work:
        return Work(result, _elements(updates.type))

    def one_hot(self, result: TensorType, indices: Work) -> Work:
        return Work(result)

    def arange(self, result: TensorType) -> Work:
        return Work(result)

    def random_bits(self, result: TensorType, stream: int, seed: Work, step: Work) -> Work:
        return Work(result)

    def permutation(self, result: TensorType, stream: int, seed: Work, step: Work) -> Work:
        return Work(result)

    def size(self, result: TensorType, dim: Dim) -> Work:
        return Work(result, None)
