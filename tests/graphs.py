"""Random graphs for property tests, with values for their inputs and state slots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from chainc import ops
from chainc.ir import Graph, Node, apply, topological
from chainc.ir.leaves import Input, Label, Slot
from chainc.ir.text import to_text
from chainc.ir.types import (
    Array,
    Dim,
    DType,
    Shape,
    TensorType,
    bool_,
    broadcast,
    float32,
    int32,
    named,
    static,
)
from chainc.ops.formula import Formula, scalar_input

NAMES = ("batch", "time")
CLASSES = 3  # integer inputs hold 0 … CLASSES-1
PLAIN = 0.75  # of the arrays hold no special values
EDGES = (0.0, -0.0, 1.0, -1.0, 0.5)


class Case:
    """A graph, and values that it can be computed for; a failing test shows it as text."""

    def __init__(
        self, graph: Graph, inputs: Mapping[str, Array], states: Mapping[str, Array]
    ) -> None:
        self.graph = graph
        self.inputs = inputs
        self.states = states

    def __repr__(self) -> str:
        return f"{to_text(self.graph)}inputs {self.inputs}\nstates {self.states}"


@dataclass
class Growing:
    """A graph while it grows.

    `tame` holds the floating-point nodes whose elements stay within a few units: what would
    amplify rounding errors is applied to these only, so that two precisions can be compared.
    """

    draw: st.DrawFn
    dtype: DType
    nodes: list[Node] = field(default_factory=list)
    tame: set[Node] = field(default_factory=set)

    def add(self, node: Node, *, tame: bool = False) -> None:
        self.nodes.append(node)
        if tame:
            self.tame.add(node)

    def pick(self, suits: Callable[[Node], bool], otherwise: Callable[[], Node]) -> Node:
        found = [node for node in self.nodes if suits(node)]
        return self.draw(st.sampled_from(found)) if found else otherwise()

    def float(self, suits: Callable[[Node], bool] = lambda _: True) -> Node:
        """A floating-point node that suits, or a new input matrix."""
        return self.pick(
            lambda node: node.type.dtype == self.dtype and suits(node),
            lambda: self.input((self.dim(), self.dim())),
        )

    def tame_float(self, suits: Callable[[Node], bool] = lambda _: True) -> Node:
        return self.float(lambda node: node in self.tame and suits(node))

    def tensor(self) -> Node:
        """A floating-point node of at least one axis."""
        return self.float(lambda node: node.ndim > 0)

    def beside(self, x: Node) -> Node:
        """A tame node that broadcasts with x."""
        return self.pick(
            lambda node: node in self.tame and broadcast(node.shape, x.shape) is not None,
            lambda: self.input(x.shape),
        )

    def choose(self, *options: Callable[[Node], Node]) -> Callable[[Node], Node]:
        return self.draw(st.sampled_from(options))

    def axis(self, x: Node) -> int:
        return self.draw(st.integers(0, x.ndim - 1))

    def known_axis(self, x: Node) -> tuple[int, int] | None:
        """An axis of a size that is no name, and that size."""
        known = [(axis, dim) for axis, dim in enumerate(x.shape) if isinstance(dim, int)]
        return self.draw(st.sampled_from(known)) if known else None

    def dim(self) -> Dim:
        options: list[Dim] = [1, 2, 3, *map(named, NAMES)]
        return self.draw(st.sampled_from(options))

    def input(self, shape: Shape, dtype: DType | None = None) -> Node:
        node = apply(Input(f"x{len(self.nodes)}", TensorType(shape, dtype or self.dtype)))
        self.add(node, tame=node.type.dtype.is_float)
        return node


def _unary(g: Growing) -> None:
    g.add(g.choose(ops.relu, ops.softplus, ops.abs, ops.negative)(g.float()))


def _bounded(g: Growing) -> None:
    g.add(g.choose(ops.tanh, ops.sigmoid, ops.erf)(g.float()), tame=True)


def _on_tame(g: Growing) -> None:
    g.add(g.choose(ops.sin, ops.cos)(g.tame_float()), tame=True)
    g.add(g.choose(ops.exp, ops.expm1, ops.square, SQUARE)(g.tame_float()))


def _roots(g: Growing) -> None:
    x = 1 + ops.abs(g.float())
    g.add(g.choose(ops.log, ops.sqrt, ops.log1p)(x))


def _binary(g: Growing) -> None:
    x = g.float()
    y = g.beside(x)
    g.add(g.choose(lambda y: x + y, lambda y: x - y, lambda y: x * y)(y))
    g.add(g.choose(lambda y: ops.maximum(x, y), lambda y: ops.minimum(x, y))(y))
    g.add(x / (1.5 + ops.abs(y)))


def _where(g: Growing) -> None:
    x = g.float()
    y = g.beside(x)
    condition = g.pick(
        lambda node: (
            node.type.dtype == bool_ and broadcast(node.shape, x.shape, y.shape) is not None
        ),
        lambda: g.input((1,), bool_),
    )
    g.add(ops.where(condition, x, y))


def _contract(g: Growing) -> None:
    x = g.tame_float(lambda node: node.ndim == 2)
    weight = g.input((x.shape[1], g.dim()))
    g.add(g.choose(lambda w: x @ w, lambda w: ops.einsum("ij,jk->ki", x, w))(weight))
    g.add(ops.einsum("ij,ij->j", x, x))


def _reduce(g: Growing) -> None:
    x = g.tensor()
    axis, keep = g.axis(x), g.draw(st.booleans())
    average = ops.sum if x.shape[axis] == 0 else ops.mean  # there is no mean of no elements
    g.add(g.choose(lambda x: ops.sum(x, axis, keep), lambda x: average(x, axis, keep))(x))
    if 0 not in x.shape:
        g.add(g.choose(lambda x: ops.max(x, axis, keep), lambda x: ops.min(x, keepdims=keep))(x))
    tame = g.tame_float(lambda node: node.ndim > 0)
    g.add(g.choose(ops.prod, ops.logsumexp, ops.sum)(tame))


def _move(g: Growing) -> None:
    x = g.tensor()
    axis = g.axis(x)
    order = g.draw(st.permutations(range(x.ndim)))
    moves = (
        lambda x: ops.reshape(x, (-1,)),
        lambda x: ops.expand_dims(x, axis),
        lambda x: ops.permute_dims(x, order),
        lambda x: ops.flip(x, axis),
        lambda x: ops.broadcast_to(x, (2, *x.shape)),
        lambda x: ops.stack([x, x], axis),
        lambda x: ops.pad(x, [(1, 2) if isinstance(dim, int) else (0, 0) for dim in x.shape]),
    )
    g.add(g.choose(*moves)(x), tame=x in g.tame)


def _cut(g: Growing) -> None:
    x = g.tensor()
    place = g.known_axis(x)
    if place is None or 0 in x.shape:
        return
    axis, dim = place
    bound = st.integers(-dim - 1, dim + 1)
    step = g.draw(st.sampled_from([-2, -1, 1, 2]))
    key = g.draw(
        st.one_of(st.integers(-dim, dim - 1), st.builds(slice, bound, bound, st.just(step)))
    )
    part = x[(slice(None),) * axis + (key,)]
    if 0 not in part.shape:
        g.add(part, tame=x in g.tame)
    g.add(ops.concat([x, x], axis), tame=x in g.tame)


def _index(g: Growing) -> None:
    x = g.tensor()
    place = g.known_axis(x)
    if place is None or 0 in x.shape:
        return
    axis, dim = place
    indices = np.array(g.draw(st.lists(st.integers(0, dim - 1), min_size=1, max_size=3)), np.int32)
    taken = ops.take(x, indices, axis)
    g.add(taken, tame=x in g.tame)
    g.add(ops.scatter_add(x, indices, taken, axis))


def _codes(g: Growing) -> None:
    labels = g.pick(
        lambda node: isinstance(node.op, Input) and node.type.dtype == int32,
        lambda: g.input((g.dim(),), int32),
    )
    g.add(ops.one_hot(labels, CLASSES, g.dtype), tame=True)
    g.add(ops.astype(labels, g.dtype), tame=True)


def _random(g: Growing) -> None:
    x = g.float()
    seed, step = g.draw(st.integers(0, 9)), g.draw(st.integers(0, 9))
    stream = f"draw/{len(g.nodes)}"
    g.add(x + ops.uniform(x.shape, np.array(seed), np.array(step), stream=stream, dtype=g.dtype))


def _state(g: Growing) -> None:
    key = Label(f"layer/w{len(g.nodes)}")
    g.add(apply(Slot(key, TensorType((2, 3), g.dtype), trainable=True)), tame=True)


def _steps(g: Growing) -> None:
    """What jumps, so that two precisions may take different sides, or hides its slope."""
    x = g.float()
    y = g.beside(x)
    g.add(g.choose(ops.floor, ops.sign, ops.stop_gradient)(x))
    g.add(g.choose(lambda y: x < y, lambda y: x <= y, lambda y: ops.equal(x, y))(y))
    z = g.tensor()
    g.add(g.choose(lambda z: ops.argmax(z, g.axis(z)), lambda z: ops.argmin(z, g.axis(z)))(z))
    axis = g.axis(z)
    g.add(ops.take(z, ops.arange(z.shape[axis]), axis))


_X = scalar_input(0)
SQUARE = Formula("squared", Graph((_X * _X,)), (Graph((2 * _X,)),))
CONTINUOUS = (_unary, _bounded, _on_tame, _roots, _binary, _where, _contract, _reduce, _move,
              _cut, _index, _codes, _random, _state)  # fmt: skip


@st.composite
def cases(
    draw: st.DrawFn,
    *,
    max_steps: int = 8,
    jumps: bool = False,
    dtype: DType = float32,
    largest: int = 4,
    steps: Sequence[Callable[[Growing], None]] = CONTINUOUS,
) -> Case:
    """Graphs over inputs with named and known sizes, and values for them.

    The named sizes are up to `largest`. With `jumps`, ops whose result jumps (floor, comparisons,
    argmax) take part as well, and stop_gradient; without, the graph is differentiable almost
    everywhere.
    """
    g = Growing(draw, dtype)
    known = st.sampled_from((*steps, _steps) if jumps else steps)
    for step in draw(st.lists(known, min_size=1, max_size=max_steps)):
        step(g)
    used = {operand for node in topological(g.nodes) for operand in node.inputs}
    outputs = tuple(node for node in g.nodes if node not in used)
    slots = [node for node in g.nodes if isinstance(node.op, Slot)]
    graph = Graph(outputs, {slot: ops.tanh(slot) * 0.5 for slot in slots})
    return _with_values(draw, graph, largest)


def _with_values(draw: st.DrawFn, graph: Graph, largest: int) -> Case:
    sizes = {name: draw(st.integers(1, largest)) for name in NAMES}
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = {n.op.label: _values(n.type.bind(sizes), random) for n in graph.leaves("input")}
    states = {n.op.label: _values(n.type, random) for n in graph.leaves("state")}
    return Case(graph, inputs, states)


def _values(type: TensorType, random: np.random.Generator) -> Array:
    shape = static(type.shape)
    if type.dtype.is_float:
        drawn = random.uniform(-2, 2, shape)
        if random.random() < PLAIN:
            return drawn.astype(type.dtype.numpy)
        return np.where(random.random(shape) < 0.5, drawn, random.choice(EDGES, shape)).astype(
            type.dtype.numpy
        )
    return random.integers(0, CLASSES, shape).astype(type.dtype.numpy)
