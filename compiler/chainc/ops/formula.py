"""Ops made of others: a formula and a derivative of the user's own, and a fused region."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op, Operand, Sample, apply, describe
from chainc.ir.errors import GradientError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import Constant, Input, Leaf, as_nodes
from chainc.ir.movements import Reshape
from chainc.ir.scalar import Scalar
from chainc.ir.types import DType, TensorType, float32, float64, int32
from chainc.ops.arithmetic import multiply
from chainc.ops.elementwise import Elementwise
from chainc.ops.functions import exp

T = TypeVar("T")

Cotangents = Node | Sequence[Node | None] | None


def interpret_body(
    body: Graph,
    s: Scalar[T],
    operands: Sequence[T],
    before: Callable[[Node], None] | None = None,
) -> T:
    """The scalar meaning of a graph of elementwise ops with inputs "0", "1", … ."""
    values: dict[Node, T] = {}
    for node in body.nodes:
        if before is not None:
            before(node)
        values[node] = _meaning(node, s, operands, [values[i] for i in node.inputs])
    return values[body.outputs[0]]


def _meaning(node: Node, s: Scalar[T], operands: Sequence[T], inputs: Sequence[T]) -> T:
    if isinstance(node.op, Input):
        return operands[int(node.op.key)]
    if isinstance(node.op, Constant):
        return s.const(node.op.value.array.item())
    if not isinstance(node.op, Elementwise):
        raise GradientError(
            f"{node.op.label} is not elementwise, so it cannot be part of a formula",
            hint="use arithmetic, cr.where and the elementary functions only",
        )
    return node.op.interpret(s, inputs)


@dataclass(frozen=True)
class Formula(Elementwise):
    """A user's own elementwise op: it keeps its name and its box, and knows its derivatives."""

    name = "formula"
    title: str
    body: Graph
    derivatives: tuple[Graph, ...]

    def arity(self) -> int:
        return len(self.derivatives)

    def interpret(self, s: Scalar[T], operands: Sequence[T]) -> T:
        return interpret_body(self.body, s, operands)

    def vjp(self, g: Node, y: Node, *operands: Node) -> Sequence[Node]:
        return [g * inline(derivative, operands) for derivative in self.derivatives]

    def __call__(self, *operands: Operand) -> Node:
        return apply(self, *as_nodes(*operands))

    @property
    def label(self) -> str:
        return self.title

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        x = scalar_input(0)
        square = cls("square", Graph((multiply(x, x),)), (Graph((2 * x,)),))
        return [Sample(square, (TensorType((2, 3), float32),))]


@dataclass(frozen=True)
class CustomGradient(Op):
    """y = the first operand; its cotangent goes to the others, by way of `backward`.

    The others are the arguments that the first was computed from. A Python function cannot be
    written as text, so a graph that holds this op can be printed and not parsed back.
    """

    name = "custom_gradient"
    backward_rules = ("0", "{G} by the rule the user gave")
    title: str
    backward: Callable[[Node], Cotangents]

    def infer(self, y: TensorType, *arguments: TensorType) -> TensorType:
        return y

    def kernel(self, k: Kernels[T], result: TensorType, y: T, *arguments: T) -> T:
        return k.move(Reshape(result.shape), y)

    def vjp(self, g: Node, y: Node, value: Node, *arguments: Node) -> Sequence[Node | None]:
        given = self.backward(g)
        cotangents = [given] if isinstance(given, Node) or given is None else list(given)
        if len(cotangents) != len(arguments):
            raise GradientError(
                f"the custom gradient of {describe(y)} gave {len(cotangents)} cotangents for "
                f"{len(arguments)} arguments",
                hint="return one for each argument, None where no derivative flows",
            )
        for position, (cotangent, argument) in enumerate(
            zip(cotangents, arguments, strict=True), start=1
        ):
            self._check(y, position, cotangent, argument)
        return None, *cotangents

    @staticmethod
    def _check(y: Node, position: int, cotangent: object, argument: Node) -> None:
        if cotangent is None:
            return
        if isinstance(cotangent, Node) and cotangent.type == argument.type:
            return
        got = describe(cotangent) if isinstance(cotangent, Node) else type(cotangent).__name__
        raise GradientError(
            f"the custom gradient of {describe(y)} gave {got} for argument {position}, which is "
            f"{describe(argument)}",
            hint=f"return a cotangent of type {argument.type}, or None where none flows",
        )

    @property
    def label(self) -> str:
        return self.title

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        # integers, for which no derivative is compared with one that was given on purpose
        x = TensorType((2, 3), int32)
        return [Sample(cls("custom", lambda g: g), (x, x)), Sample(cls("custom", tuple), (x,))]


@dataclass(frozen=True)
class Region(Elementwise):
    """Neighbouring elementwise ops as one kernel, made by fusion after differentiation."""

    name = "region"
    body: Graph

    @property
    def fused_body(self) -> Graph:
        return self.body

    def arity(self) -> int:
        return len(self.body.leaves("input"))

    def interpret(self, s: Scalar[T], operands: Sequence[T]) -> T:
        return interpret_body(self.body, s, operands)

    def infer(self, *operands: TensorType) -> TensorType:
        return infer_body(self.body, operands)

    def vjp(self, g: Node, y: Node, *operands: Node) -> Sequence[Node]:
        raise GradientError(
            "a fused region has no derivative of its own",
            hint="differentiate the graph before the passes run",
        )

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        x, y = (Node(Input(str(i), TensorType((2, 3), float32)), (), TensorType((2, 3), float32))
                for i in range(2))  # fmt: skip
        return [Sample(cls(Graph((exp(x * y) + x,))), (x.type, y.type))]


RECOMPUTE = "recompute"  # the rule that computes a value again


def is_recomputed(node: Node) -> bool:
    """Does it compute a value that was there before and was not kept, itself or as a kernel?"""
    rewrite = node.origin.rewrite
    while rewrite is not None and rewrite.rule != RECOMPUTE:
        rewrite = rewrite.replaced.origin.rewrite
    return rewrite is not None


def fused_parts(node: Node) -> tuple[Node, ...]:
    """The ops that are fused into a node, the product of its contraction first; none of one op."""
    body = node.op.fused_body
    if body is None:
        return ()
    product = () if node.op.fused_contraction is None else (product_of(body),)
    return *product, *(part for part in body.nodes if not isinstance(part.op, Leaf))


def product_of(body: Graph) -> Node:
    """The input of an epilogue that stands for the sum of products."""
    return next(leaf for leaf in body.leaves("input") if leaf.op.label == "0")


def infer_body(body: Graph, operands: Sequence[TensorType]) -> TensorType:
    """The body's result type, its inputs taking the types of `operands`."""
    types: dict[Node, TensorType] = {}
    for node in body.nodes:
        if isinstance(node.op, Input):
            types[node] = operands[int(node.op.key)]
        else:
            types[node] = node.op.infer(*(types[i] for i in node.inputs))
    return types[body.outputs[0]]


def scalar_input(index: int, dtype: DType = float64) -> Node:
    """The stand-in for operand `index` while a formula's body is written down."""
    return apply(Input(str(index), TensorType((), dtype)))


def inline(body: Graph, operands: Sequence[Node]) -> Node:
    """The body's nodes over `operands` in place of its inputs, in the operands' element type."""
    mapping: dict[Node, Node] = {}
    for node in body.nodes:
        mapping[node] = _inline_node(node, mapping, operands)
    return mapping[body.outputs[0]]


def _inline_node(node: Node, mapping: dict[Node, Node], operands: Sequence[Node]) -> Node:
    op: Op = node.op
    if isinstance(op, Input):
        return operands[int(op.key)]
    if isinstance(op, Constant):
        return as_nodes(op.value.array.item(), operands[0])[0]
    return apply(op, *(mapping[i] for i in node.inputs))
