"""The intermediate representation: ops, nodes with their origin, and pure graphs of them."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from chainc.ir.errors import Location, MisfitError, user_location
from chainc.ir.operators import Operators
from chainc.ir.types import UNKNOWN, Array, Dim, Shape, TensorType

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, eq=False)
class Scope:
    """One use of a layer or a composed function: the box that a picture can open or close.

    Two uses of one layer are two scopes, hence compared by identity.
    """

    name: str


@dataclass(frozen=True)
class Derivative:
    """Why a gradient node exists: the chain-rule step that made it."""

    forward: Node  # the node whose output or operand this is the cotangent of
    operand: int | None  # which operand of `forward`; None for a cotangent of its output
    rule: str  # "seed", "local derivative", "fan-out sum", "un-broadcast", "un-promote"


@dataclass(frozen=True)
class Rewrite:
    """Which named rule of which pass put this node in place of another."""

    rule: str
    replaced: Node


@dataclass(frozen=True)
class Origin:
    """Where a node comes from; pictures, traces, derivations and errors read it."""

    location: Location | None = None
    scopes: tuple[Scope, ...] = ()
    derivative: Derivative | None = None
    rewrite: Rewrite | None = None

    @property
    def scope(self) -> str:
        return "/".join(scope.name for scope in self.scopes)


_SCOPES: ContextVar[tuple[Scope, ...]] = ContextVar("scopes", default=())
_ORIGIN: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def scope(name: str) -> Iterator[None]:
    """Nodes made inside carry `name` at the end of their scope path."""
    token = _SCOPES.set((*_SCOPES.get(), Scope(name)))
    try:
        yield
    finally:
        _SCOPES.reset(token)


@contextmanager
def originating(origin: Origin) -> Iterator[None]:
    """Nodes made inside carry exactly this origin: they are derived, not declared."""
    token = _ORIGIN.set(origin)
    try:
        yield
    finally:
        _ORIGIN.reset(token)


def current_origin() -> Origin:
    return _ORIGIN.get() or Origin(user_location(), _SCOPES.get())


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

    # (builder, result type, *values) -> value: what a structural op computes, in the
    # vocabulary of `kernels.py`. An elementwise op states its scalar meaning instead.
    kernel: ClassVar[Callable[..., object]]

    def index_bound(self, operands: Sequence[TensorType]) -> tuple[int, Dim] | None:
        """Which operand holds indices, and the bound that they must stay below."""
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
class Node(Operators):
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

    def __repr__(self) -> str:
        return f"<{describe(self)}>"


Operand = Node | float | int | bool | Array


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


def topological(roots: Iterable[Node]) -> tuple[Node, ...]:
    """Every node the roots depend on, operands before users; no recursion."""
    done: set[Node] = set()
    order: list[Node] = []
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, expanded = stack.pop()
        if node in done:
            continue
        if expanded:
            done.add(node)
            order.append(node)
            continue
        stack.append((node, True))
        stack.extend((operand, False) for operand in reversed(node.inputs) if operand not in done)
    return tuple(order)


@dataclass(frozen=True, eq=False)
class Graph:
    """A pure graph: outputs, and updates that bind a new value to a state slot.

    All updates read the values from before the step.
    """

    outputs: tuple[Node, ...]
    updates: Mapping[Node, Node] = field(default_factory=dict)
    names: tuple[str, ...] = ()  # of the outputs, where they have any

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node, operands before users."""
        return topological(self.roots)

    @property
    def roots(self) -> tuple[Node, ...]:
        return (*self.outputs, *self.updates.keys(), *self.updates.values())

    @cached_property
    def users(self) -> Mapping[Node, tuple[Node, ...]]:
        """Who reads each node, once per operand position."""
        users: dict[Node, list[Node]] = {node: [] for node in self.nodes}
        for node in self.nodes:
            for operand in node.inputs:
                users[operand].append(node)
        return {node: tuple(readers) for node, readers in users.items()}

    def leaves(self, kind: str) -> tuple[Node, ...]:
        """The operand-free nodes of one op name: "input", "state" or "constant"."""
        return self._leaves.get(kind, ())

    @cached_property
    def _leaves(self) -> Mapping[str, tuple[Node, ...]]:
        """Asked for at every call of a compiled function, so gathered once."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            if not node.inputs:
                found.setdefault(node.op.name, []).append(node)
        return {name: tuple(nodes) for name, nodes in found.items()}

    def replace(self, mapping: Mapping[Node, Node]) -> Graph:
        """The same outputs and updates with other nodes in their place; slots stay."""
        return Graph(
            tuple(mapping[node] for node in self.outputs),
            {mapping[slot]: mapping[value] for slot, value in self.updates.items()},
            self.names,
        )


Transform = Callable[[Node, tuple[Node, ...]], Node]


def with_inputs(node: Node, inputs: tuple[Node, ...]) -> Node:
    """The node over other operands; itself where nothing changed."""
    if all(new is old for new, old in zip(inputs, node.inputs, strict=True)):
        return node
    return Node(node.op, inputs, node.op.infer(*(i.type for i in inputs)), node.origin)


def rebuild(graph: Graph, transform: Transform = with_inputs, *, merge: bool = False) -> Graph:
    """Rebuild bottom-up through `transform(node, new operands)`.

    With `merge`, equal ops over the same operands become one node (hash-consing).
    """
    mapping: dict[Node, Node] = {}
    seen: dict[tuple[object, ...], Node] = {}
    for node in graph.nodes:
        new = transform(node, tuple(mapping[operand] for operand in node.inputs))
        if merge:
            new = seen.setdefault((new.op, *map(id, new.inputs), new.type), new)
        mapping[node] = new
    return graph.replace(mapping)


def to_networkx(graph: Graph) -> networkx.MultiDiGraph[int]:
    """Nodes numbered in topological order, edges labelled with the operand position."""
    import networkx

    result: networkx.MultiDiGraph[int] = networkx.MultiDiGraph()
    number = {node: index for index, node in enumerate(graph.nodes)}
    for node, index in number.items():
        result.add_node(index, op=node.op.name, type=str(node.type), scope=node.origin.scope)
        for position, operand in enumerate(node.inputs):
            result.add_edge(number[operand], index, operand=position)
    return result
