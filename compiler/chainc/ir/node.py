"""Ops, and the nodes that apply them."""

from __future__ import annotations

import copy
import operator
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from chainc.ir.errors import MisfitError
from chainc.ir.foreign import NotAnArray
from chainc.ir.operators import Operators
from chainc.ir.origin import Origin, current_origin
from chainc.ir.types import UNKNOWN, Array, DType, Number, Shape, TensorType

if TYPE_CHECKING:
    from chainc.ir.graph import Graph


@dataclass(frozen=True)
class Op:
    """A primitive operation. Subclasses are frozen dataclasses whose fields are its attributes.

    A subclass says in one place: `infer`, the type of its result; `vjp`, its local derivative;
    and, by the family it belongs to, what it computes. An instance is called to make a node.
    """

    name: ClassVar[str] = ""
    commutative: ClassVar[bool] = False
    symbol: ClassVar[str] = ""  # the sign for it in a picture, where mathematics has one
    roles: ClassVar[Sequence[str]] = string.ascii_lowercase  # what a picture calls the operands

    # how each operand gets its gradient from {G}, the output's, where no formula of one element
    # says it; the last holds for all further operands
    backward_rules: ClassVar[Sequence[str]] = ()

    def __init_subclass__(cls) -> None:
        if "name" in cls.__dict__:
            REGISTRY[cls.name] = cls

    # (*operand types) -> the result's type; raises `MisfitError` when the operands do not fit.
    infer: ClassVar[Callable[..., TensorType]]

    # (cotangent, output, *operands) -> one cotangent per operand, None where none flows.
    vjp: ClassVar[Callable[..., Sequence[Node | None]]]

    # (builder, result type, *values) -> value: what the op computes, in the vocabulary of
    # `kernels.py`. An elementwise op states its scalar meaning instead, and is a `map` of it.
    kernel: ClassVar[Callable[..., object]]

    def __deepcopy__(self, memo: dict[int, object]) -> Op:
        """Itself: it is immutable."""
        return self

    @property
    def fused_body(self) -> Graph | None:
        """What a fused op does at each element, over inputs "0", "1", …; None of an op alone."""
        return None

    @property
    def fused_contraction(self) -> Op | None:
        """The contraction whose sums of products are the fused body's input "0"."""
        return None

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        """Instances with operand types, at which the conformance tests try this op."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """What a picture or a message calls this op."""
        return self.name


@dataclass(frozen=True)
class Sample:
    """An op and the operand types to try it at; `domain` bounds the drawn floating values."""

    op: Op
    operands: tuple[TensorType, ...]
    domain: tuple[float, float] = (-2.0, 2.0)


# Every op class by its name, filled as the op files are read; text is parsed against it.
REGISTRY: dict[str, type[Op]] = {}


@dataclass(frozen=True, eq=False, repr=False)
class Node(Operators, NotAnArray):
    """One operation applied to operands: immutable, and compared by identity.

    Nodes are not merged when built: two lines of the user's program stay two nodes.
    """

    op: Op
    inputs: tuple[Node, ...]
    type: TensorType
    origin: Origin = field(default_factory=current_origin)

    @property
    def shape(self) -> Shape:
        return self.type.shape

    @property
    def ndim(self) -> int:
        return self.type.ndim

    @property
    def dtype(self) -> DType:
        return self.type.dtype

    def __repr__(self) -> str:
        return f"<{describe(self)}>"

    def __copy__(self) -> Node:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Node:
        """Itself, unless it is computed from a state slot: only slots are copied."""
        for node in ancestry([self]):
            memo[id(node)] = _copy(node, memo)
        copied = memo[id(self)]
        assert isinstance(copied, Node)
        return copied

    def __reduce__(self) -> tuple[object, ...]:
        """A table, so that no graph is too deep; leaves stay one object within one pickle."""
        order = ancestry([self])
        if len(order) == 1:
            return Node, (self.op, self.inputs, self.type, self.origin)
        return _unpacked, (_packed(order),)


def ancestry(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """All that the nodes are computed from or derived from, each after what it refers to."""
    order: dict[Node, None] = {}
    stack = [(node, False) for node in reversed(nodes)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order[node] = None
        elif node not in order:
            stack.append((node, True))
            stack.extend((other, False) for other in reversed(_referred(node)))
    return tuple(order)


def _referred(node: Node) -> tuple[Node, ...]:
    derivative, rewrite = node.origin.derivative, node.origin.rewrite
    forward = (derivative.forward,) if derivative else ()
    replaced = (rewrite.replaced,) if rewrite else ()
    return (*node.inputs, *forward, *replaced)


def _with_references(origin: Origin, others: Sequence[Node]) -> Origin:
    """The origin, speaking of other nodes: its forward node and the one that it replaced."""
    left = iter(others)
    derivative, rewrite = origin.derivative, origin.rewrite
    return replace(
        origin,
        derivative=derivative and replace(derivative, forward=next(left)),
        rewrite=rewrite and replace(rewrite, replaced=next(left)),
    )


def _copy(node: Node, memo: dict[int, object]) -> object:
    if id(node) in memo:
        return memo[id(node)]
    op, referred = copy.deepcopy(node.op, memo), _referred(node)
    others = [other for each in referred if isinstance(other := memo[id(each)], Node)]
    if op is node.op and all(map(operator.is_, others, referred)):
        return node
    count = len(node.inputs)
    origin = _with_references(node.origin, others[count:])
    return Node(op, tuple(others[:count]), node.type, origin)


# A leaf; or an op, a type, an origin that refers to nothing, and the places of what it refers to.
Packed = list[Node | tuple[Op, TensorType, Origin, int, tuple[int, ...]]]


def _packed(order: Sequence[Node]) -> Packed:
    places = {node: place for place, node in enumerate(order)}
    table: Packed = []
    for node in order:
        referred = _referred(node)
        if not referred:
            table.append(node)
            continue
        plain = _with_references(node.origin, [order[0], order[0]])  # a leaf, in place of others
        found = tuple(places[other] for other in referred)
        table.append((node.op, node.type, plain, len(node.inputs), found))
    return table


def _unpacked(table: Packed) -> Node:
    """The last node of a table."""
    nodes: list[Node] = []
    for record in table:
        if isinstance(record, Node):
            nodes.append(record)
            continue
        op, type, origin, count, places = record
        referred = [nodes[place] for place in places]
        inputs = tuple(referred[:count])
        nodes.append(Node(op, inputs, type, _with_references(origin, referred[count:])))
    return nodes[-1]


Operand = Node | bool | Number | Array


def describe(node: Node, *, short: bool = False) -> str:
    """`relu f32[batch,32] (models/digits.py:9)`: how messages speak of a node.

    A `short` one leaves out the folder: pages and pictures are handed on.
    """
    location = node.origin.location
    where = f" ({location.short if short else location})" if location else ""
    path = f" in {node.origin.scope}" if node.origin.scope else ""
    return f"{node.op.label} {node.type}{path}{where}"


def apply(op: Op, *operands: Node) -> Node:
    """The node of `op` over `operands`; a misfit names both operands and their lines."""
    types = [operand.type for operand in operands]
    if any(type is UNKNOWN for type in types):
        return Node(op, operands, UNKNOWN)
    try:
        return Node(op, operands, op.infer(*types))
    except MisfitError as misfit:
        origin = current_origin()
        inside = f" in {origin.scope}" if origin.scope else ""
        declared = "".join(
            f"\n         operand {position}: {describe(operand)}"
            for position, operand in enumerate(operands, start=1)
        )
        raise misfit.error(
            f"{op.label}{inside}: {misfit}",
            where=f"{origin.location}{declared}",
            hint=misfit.hint,
        ) from None
