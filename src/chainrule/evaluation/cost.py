"""What a graph costs to run: arithmetic, traffic and parameters, counted from the ops' meaning.

Nothing here knows an op by name: an elementwise op is interpreted by a builder that counts scalar
primitives, a structural op by one that counts what its kernel does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from chainc.dataclass import dataclass
from chainc.interpreters.counting import elements, work_of
from chainc.ir import Graph, Node, describe
from chainc.ir.errors import InputError
from chainc.ir.leaves import Leaf, Slot
from chainc.ir.types import TensorType, bind_shape, names_of
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
        parameters = elements(result)
        return Cost(parameters=parameters, parameter_bytes=parameters * result.dtype.itemsize)
    if isinstance(node.op, Leaf):
        return Cost()
    read = sum(_nbytes(_bound(operand, sizes)) for operand in node.inputs)
    work = work_of(node, sizes)
    if work.operations is None:
        return Cost()
    return Cost(work.operations, read, _nbytes(result))


def _bound(node: Node, sizes: Mapping[str, int]) -> TensorType:
    missing = [name for dim in node.shape for name in names_of(dim) if name not in sizes]
    if missing:
        raise InputError(
            f"cost: the size {missing[0]!r} of {describe(node)} has no value",
            hint=f"give it, such as cost(graph, {missing[0]}=32)",
        )
    return node.type.with_shape(bind_shape(node.shape, sizes))


def _nbytes(type: TensorType) -> int:
    return elements(type) * type.dtype.itemsize
