"""Ops, and the nodes that apply them."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import field
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar

from chainc.dataclass import dataclass
from chainc.ir.errors import MisfitError
from chainc.ir.origin import Origin, current_origin
from chainc.ir.python.copying import deep_copy, reduction
from chainc.ir.python.foreign import NotAnArray
from chainc.ir.python.operators import Operators
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
    has_steps: ClassVar[bool] = False  # is its body a step of a loop, with several outputs?
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

    # (cotangent, output, *operands) -> a cotangent an operand, or what makes it, or None for none.
    vjp: ClassVar[Callable[..., Sequence[Node | Later | None]]]

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
    """One operation applied to operands: immutable, and told apart by identity.

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
        return deep_copy(self, memo)

    def __reduce__(self) -> tuple[object, ...]:
        return reduction(self)


_TYPE = attrgetter("type")
Operand = Node | bool | Number | Array
Later = Callable[[], Node]


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
    types = tuple(map(_TYPE, operands))
    for type in types:  # quicker than any(...)
        if type is UNKNOWN:
            return Node(op, operands, UNKNOWN)
    try:
        return Node(op, operands, op.infer(*types), current_origin())
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
