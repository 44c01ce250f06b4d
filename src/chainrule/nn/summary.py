"""What a model consists of, layer by layer: shapes, parameters, FLOPs and bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node
from chainc.ir.errors import InputError
from chainc.ir.types import Shape, bind, coefficient_of, format_shape, names_of
from chainc.ops.movement import DimLike
from chainc.ops.runs.modes import resolve
from chainrule.declare.arguments import count
from chainrule.declare.leaves import input as declare_input
from chainrule.evaluation.cost import cost_of
from chainrule.nn.module import Module
from chainrule.writing.html_table import html_table
from chainrule.writing.text_table import text_table

HEADER = ("layer", "kind", "output", "parameters", "FLOPs", "parameter bytes", "output bytes")


@dataclass(frozen=True)
class Row:
    """One layer, with all that is inside it.

    Attributes:
        path: the layer's place, such as `model/linear1`.
        kind: its class.
        output_shape: the shape of its result, with named sizes.
        parameters: trainable numbers.
        parameter_bytes: their memory.
        flops: scalar operations of the forward pass.
        output_bytes: the memory of its result.
    """

    path: str
    kind: str
    output_shape: Shape
    parameters: int
    parameter_bytes: int
    flops: int
    output_bytes: int

    @property
    def cells(self) -> tuple[str, ...]:
        *outer, own = self.path.split("/")
        return (
            f"{'  ' * len(outer)}{own}",
            self.kind,
            format_shape(self.output_shape),
            f"{self.parameters:,}",
            f"{self.flops:,}",
            f"{self.parameter_bytes:,}",
            f"{self.output_bytes:,}",
        )


@dataclass(frozen=True)
class Summary:
    """The layers of a model, outer ones before those inside them; prints as a table.

    Attributes:
        rows: one a layer; the first is the model itself, with the totals.
        sizes: the values of named sizes for which FLOPs and bytes hold.
    """

    rows: tuple[Row, ...]
    sizes: Mapping[str, int]

    @property
    def total(self) -> Row:
        return self.rows[0]

    def __str__(self) -> str:
        lines = text_table(HEADER, [row.cells for row in self.rows], words=range(3))
        return "\n".join([*lines, lines[1], self._totals()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = [row.cells for row in self.rows]
        return html_table(HEADER, rows, caption=self._totals(), numbers=range(3, len(HEADER)))

    def _totals(self) -> str:
        bound = ", ".join(f"{name}={value}" for name, value in self.sizes.items())
        total = (
            f"total: {self.total.parameters:,} parameters, {self.total.parameter_bytes:,} bytes; "
            f"{self.total.flops:,} FLOPs forward"
        )
        return f"{total} for {bound}" if bound else total


def summarize(
    model: Module, input: Node | Sequence[DimLike] | None, sizes: Mapping[str, int]
) -> Summary:
    """Apply the model to an input once, and measure the graph inside each layer's box.

    Raises:
        InputError: the model does not tell its input's shape and none is given, or a named size
            is unknown.
    """
    x = _input(model, input)
    nodes = resolve(Graph((model(x),)), "infer", marked=True).nodes
    names = dict.fromkeys(name for node in nodes for dim in node.shape for name in names_of(dim))
    unknown = [name for name in sizes if name not in names]
    if unknown:
        raise InputError(
            f"summary: the model has no named size {unknown[0]!r}",
            hint=f"its named sizes are {', '.join(names) or 'none'}",
        )
    hint = "give a number of rows, such as batch=32"
    bound = {name: count("summary", name, sizes.get(name, 1), hint=hint) for name in names}
    rows = tuple(_row(*applied, bound) for applied in layers_applied(model, nodes))
    if not rows:
        raise InputError(
            f"summary: {model.label} computes nothing", hint="summarise a model that has layers"
        )
    return Summary(rows, bound)


def _input(model: Module, input: Node | Sequence[DimLike] | None) -> Node:
    if isinstance(input, Node):
        return input
    shape = input if input is not None else model.input_shape()
    if shape is None:
        raise InputError(
            f"summary: {model.label} does not tell the shape of its input",
            hint='give it, such as model.summary(input=("batch", 64)), or of images '
            '("batch", 3, 32, 32)',
        )
    return declare_input("x", shape)


def layers_applied(
    model: Module, nodes: Sequence[Node]
) -> Iterator[tuple[str, Module, Sequence[Node]]]:
    """(path, layer, the nodes inside its box) for each layer, outer ones before those inside them.

    A layer that the model holds and does not apply is left out. The last node is its result.
    """
    for path, layer in _walk(model.label.text, model):
        inside = [node for node in nodes if f"{node.origin.scope}/".startswith(f"{path}/")]
        if inside:
            yield path, layer, inside


def _walk(path: str, module: Module) -> Iterator[tuple[str, Module]]:
    yield path, module
    for child in module.children():
        yield from _walk(f"{path}/{child.label.text}", child)


def _row(path: str, module: Module, inside: Sequence[Node], sizes: Mapping[str, int]) -> Row:
    output = inside[-1]
    weights = cost_of(module.parameters(), sizes)
    elements = math.prod(coefficient_of(bind(dim, sizes)) for dim in output.shape)
    return Row(
        path=path,
        kind=type(module).__name__,
        output_shape=output.shape,
        parameters=weights.parameters,
        parameter_bytes=weights.parameter_bytes,
        flops=cost_of(inside, sizes).flops,
        output_bytes=elements * output.type.dtype.itemsize,
    )
