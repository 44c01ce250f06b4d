"""A loop in the graph: what one step makes of carries and of slices of sequences, many times.

    h, y_t = body(h, x_t, w)     for t = 0, 1, …, length - 1

Each result is a node of its own over the same operands: what a carry is after the last step, or
what all steps have kept, one behind the other along a new first axis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import field, replace
from typing import TypeVar

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op, Sample, apply, rebuild, substitute, topological, with_inputs
from chainc.ir.errors import MisfitError, ShapeError
from chainc.ir.kernels import Kernels
from chainc.ir.leaves import Input, constant
from chainc.ir.types import Dim, TensorType, bool_, float32
from chainc.ops.arithmetic import add, multiply
from chainc.ops.contract import Contract
from chainc.ops.elementwise import Unary
from chainc.ops.functions import tanh
from chainc.ops.logic import less, where
from chainc.ops.movement import broadcast_to
from chainc.ops.reduce import Reduce

__all__: list[str] = []

T = TypeVar("T")

# (outputs, nodes, a cotangent for each output) -> a cotangent for each node
Pull = Callable[[Sequence[Node], Sequence[Node], Sequence[Node]], Sequence[Node]]


def step_input(position: int, type: TensorType) -> Node:
    """What stands in the body for operand `position`, or for a slice of it."""
    return apply(Input(str(position), type))


@dataclass(frozen=True)
class Scan(Op):
    """One result of a loop.

    The operands are first values of the carries, then sequences, then what all steps read alike.
    The body has an input "0", "1", … for each of these that it reads, where it gets the carry of
    now, a slice of the sequence, and the rest as it is. Its outputs are the next carries, then
    what is kept of a step; see `steps_of`.

    Attributes:
        result: the place of an output of the body. A carry is given as it is in the end, all else
            as it was in each step.
        reverse: from the last slice to the first.
        names: what pictures call the carries and the slices; of no meaning.
        conditional: the last carry, a Boolean, says before each step whether there is another one.
        recompute: a derivative does steps again, and nothing is done for all steps at once.
    """

    name = "scan"
    has_steps = True
    roles = ()
    backward_rules = ("a loop in the other direction, from {G}",)
    body: Graph
    carries: int
    sequences: int
    length: Dim
    result: int
    reverse: bool = False
    names: tuple[str, ...] = field(default=(), compare=False)
    conditional: bool = False
    recompute: bool = False

    @property
    def label(self) -> str:
        """With which result it is: of a carry the last value, of all else every one."""
        way = "while" if self.conditional else "scan reversed" if self.reverse else "scan"
        if self.result < self.carries:
            return f"{way}: last {self.result + 1}" if self.carries > 1 else f"{way}: last"
        return f"{way}: every {self.result - self.carries + 1}"

    def infer(self, *operands: TensorType) -> TensorType:
        for position, leaf in self.leaves.items():
            self._check(position, leaf.type, operands)
        for position, output in enumerate(self.body.outputs[: self.carries]):
            if output.type != operands[position]:
                raise MisfitError(
                    ShapeError,
                    f"carry {position} is {operands[position]} before a step and {output.type} "
                    "after it",
                    "give the first carry the type that a step makes of it",
                )
        if self.conditional:
            self._check_condition()
        type = self.body.outputs[self.result].type
        return self.stacked(type) if self.result >= self.carries else type

    def _check_condition(self) -> None:
        """What is kept of each step would not be known of those that there are not."""
        last = self.body.outputs[self.carries - 1].type if self.carries else None
        if last != TensorType((), bool_) or self.sequences or self.result >= self.carries:
            raise MisfitError(
                ShapeError,
                f"a loop with a condition has {self.sequences} sequences, and its last carry "
                f"is {last}",
                "give carries only, the last of them one Boolean",
            )

    @property
    def leaves(self) -> Mapping[int, Node]:
        """The inputs of the body, by the positions of the operands that they stand for."""
        return {int(leaf.op.label): leaf for leaf in self.body.leaves("input")}

    def stacked(self, type: TensorType) -> TensorType:
        """Of a value in all steps, one behind the other."""
        return type.with_shape((self.length, *type.shape))

    def called(self, position: int) -> str:
        """What a carry or a slice is called."""
        if position < len(self.names):
            return self.names[position]
        carried = position < self.carries
        count = self.carries if carried else self.sequences
        number = position + 1 if carried else position + 1 - self.carries
        return f"{'carry' if carried else 'x_t'}{f' {number}' if count > 1 else ''}"

    def kept_name(self, place: int) -> str:
        """What an output of the body is called: a carry by its name, all else by its op."""
        node = self.body.outputs[place]
        after = [c for c in range(self.carries) if self.body.outputs[c] is node]
        if after:
            return self.called(after[0])
        before = [i for i, leaf in self.leaves.items() if leaf is node]
        return f"{self.called(before[0])} before" if before else node.op.label

    def carries_of(self, roots: Sequence[Node], last: Iterable[int] = ()) -> Set[int]:
        """The places of the carries that nodes of the body need, and of others, with theirs."""
        found = {*last, self.carries - 1} if self.conditional else set(last)
        while True:
            nodes = topological([*roots, *(self.body.outputs[place] for place in found)])
            read = {int(n.op.label) for n in nodes if isinstance(n.op, Input)}
            new = {place for place in read if place < self.carries} - found
            if not new:
                return found
            found |= new

    def _check(self, position: int, type: TensorType, operands: Sequence[TensorType]) -> None:
        given = operands[position]
        if self.carries <= position < self.carries + self.sequences:
            if given.shape[:1] != (self.length,):
                raise MisfitError(
                    ShapeError,
                    f"a sequence is {given} where there are {self.length} steps",
                    "give sequences whose first axes are equal",
                )
            given = _slice(given)
        if given != type:
            raise MisfitError(
                ShapeError, f"a step reads {type} and gets {given}", "give it what it was made for"
            )

    def kernel(self, k: Kernels[T], result: TensorType, *operands: T) -> T:
        return k.scan(result, self, operands)

    def vjp_through(self, pull: Pull, g: Node, *operands: Node) -> Sequence[Node | None]:
        """The derivative, by a loop in the other direction; `pull` is that of what a step does."""
        loop, back = _to_the_end(self, pull) if self.conditional else (self, pull)
        return _Backward(loop, back, operands, g).cotangents()

    @classmethod
    def samples(cls) -> Sequence[Sample]:
        h, x, w = (TensorType(shape, float32) for shape in [(2, 3), (4, 2, 3), (3,)])
        a, b, c = step_input(0, h), step_input(1, TensorType((2, 3), float32)), step_input(2, w)
        new = tanh(add(multiply(a, c), b))
        body = steps_of([a], [new], [new])
        loops = [cls(body, 1, 1, 4, result, back) for result in (0, 1, 2) for back in (False, True)]
        none = TensorType((0, 2, 3), float32)
        return [
            *(Sample(loop, (h, x, w)) for loop in loops),
            Sample(cls(body, 1, 1, 0, 0), (h, none, w)),
            Sample(cls(body, 1, 1, 0, 1), (h, none, w)),
            _doubling(cls),
        ]


def _doubling(kind: type[Scan]) -> Sample:
    """A number is doubled while it is small, 3 times at most."""
    x, more = step_input(0, TensorType((), float32)), step_input(1, TensorType((), bool_))
    doubled = add(x, x)
    loop = kind(Graph((doubled, less(doubled, 2.0))), 2, 0, 3, 0, conditional=True)
    return Sample(loop, (x.type, more.type))


def with_bodies(graph: Graph, change: Callable[[Graph], Graph]) -> Graph:
    """The graph with what its loops do in each step in another form; they read what that needs."""
    changed: dict[Graph, tuple[Graph, Sequence[int]]] = {}

    def changing(node: Node, inputs: tuple[Node, ...]) -> Node:
        op = node.op
        if not isinstance(op, Scan):
            return with_inputs(node, inputs)
        if op.body not in changed:
            body = change(op.body)
            every = range(len(inputs))
            changed[op.body] = (body, every) if body is op.body else _needed(op, body, every)
        body, read = changed[op.body]
        if body is op.body:
            return with_inputs(node, inputs)
        loop = replace(
            op,
            body=body,
            sequences=sum(op.carries <= place < op.carries + op.sequences for place in read),
            names=tuple(op.names[place] for place in read if place < len(op.names)),
        )
        return Node(loop, tuple(inputs[place] for place in read), node.type, node.origin)

    if not any(node.op.has_steps for node in graph.nodes):
        return graph
    return rebuild(graph, changing)


def _needed(op: Scan, body: Graph, places: Sequence[int]) -> tuple[Graph, Sequence[int]]:
    """A body that counts only the operands that it needs, and the places of these until now."""
    leaves = {int(leaf.op.label): leaf for leaf in body.leaves("input")}
    read = [place for place in places if place < op.carries or place in leaves]
    if len(read) == len(places):
        return body, places
    known = {
        leaves[place]: step_input(new, leaves[place].type)
        for new, place in enumerate(read)
        if place in leaves
    }
    return substitute(body, known), read


def steps_of(
    carries: Sequence[Node],
    nexts: Sequence[Node],
    kept: Sequence[Node],
    *,
    recompute: bool = False,
) -> Graph:
    """A body: the next carries and what is kept, and what a derivative may read of a step.

    These are the carries that a step is given, and what takes long to compute from them unless
    it is to be done again.
    """
    if recompute:
        return Graph((*nexts, *kept, *carries))
    carried = set(carries)
    slow: list[Node] = []
    for node in topological([*nexts, *kept]):
        if not carried.isdisjoint(node.inputs):
            carried.add(node)
            if isinstance(node.op, Contract | Reduce | Unary) and node.dtype.is_float:
                slow.append(node)
    return Graph((*nexts, *kept, *(node for node in slow if node not in set(kept)), *carries))


def _to_the_end(loop: Scan, pull: Pull) -> tuple[Scan, Pull]:
    """A loop with a condition as one of all steps, the last of which change nothing; and its pull.

    What these compute need not be finite, so they hand on their cotangents as they are.
    """
    nexts = loop.body.outputs
    carries = [loop.leaves.get(i, step_input(i, each.type)) for i, each in enumerate(nexts)]
    more = carries[-1]
    stay = [where(more, *pair) for pair in zip(nexts, carries, strict=True)]
    known = dict(zip(stay, zip(nexts, carries, strict=True), strict=True))

    def back(outputs: Sequence[Node], nodes: Sequence[Node], gs: Sequence[Node]) -> Sequence[Node]:
        found = pull([known[each][0] for each in outputs], nodes, gs)
        own = {known[each][1]: g for each, g in zip(outputs, gs, strict=True)}
        pairs = zip(found, nodes, strict=True)
        return [where(more, new, own.get(node, _zeros(node.type))) for new, node in pairs]

    body = steps_of(carries, stay, (), recompute=loop.recompute)
    return replace(loop, body=body, conditional=False), back


class _Backward:
    """The loop that goes back through another one.

    Its carries are the cotangents of the carries, then what is added up for operands that all
    steps read. Its sequences are those of the other loop, what is known of its steps, and the
    cotangent if it is one of what was kept.
    """

    def __init__(self, loop: Scan, pull: Pull, operands: Sequence[Node], g: Node) -> None:
        self.loop, self.pull, self.operands = loop, pull, operands
        floats = [i for i, each in enumerate(operands) if each.dtype.is_float]
        self.end = loop.carries + loop.sequences
        self.first = [i for i in floats if i < loop.carries]
        self.given = [i for i in floats if loop.carries <= i < self.end]
        self.fixed = [i for i in floats if i >= self.end]
        starts = [g if i == loop.result else _zeros(operands[i].type) for i in self.first]
        self.carried = [*starts, *(_zeros(operands[i].type) for i in self.fixed)]
        self.above = [g] if loop.result >= loop.carries else []
        self.stand_ins: dict[Node, Node] = {}  # in a step, and what they are or are slices of
        self.names: dict[Node, str] = {}  # of stand-ins

    def cotangents(self) -> Sequence[Node | None]:
        """Of every operand; None of one that is no floating-point number."""
        names = [f"∂ {self.loop.called(i)}" for i in self.first]
        names += [f"∂ {_name_of(self.operands[i])}" for i in self.fixed]
        pairs = zip(self.carried, names, strict=True)
        carries = [self._stand_in(each, each.type, name) for each, name in pairs]
        nexts, slices = self._step_back(carries)
        body = steps_of(carries, nexts, slices, recompute=self.loop.recompute)
        read = {leaf for leaf in body.leaves("input") if leaf not in set(carries)}
        stepped = [leaf for leaf in read if self._is_slice(leaf)]
        order = {leaf: position for position, leaf in enumerate(self.stand_ins)}
        stepped.sort(key=order.__getitem__)
        steady = sorted(read - set(stepped), key=order.__getitem__)
        leaves = [*carries, *stepped, *steady]
        numbered = {leaf: step_input(i, leaf.type) for i, leaf in enumerate(leaves)}
        operands = [self.stand_ins[leaf] for leaf in leaves]
        back = Scan(
            substitute(body, numbered),
            len(carries),
            len(stepped),
            self.loop.length,
            0,
            not self.loop.reverse,
            tuple(self.names[leaf] for leaf in (*carries, *stepped)),
            recompute=self.loop.recompute,
        )
        found: dict[int, Node] = {}
        for place, i in enumerate([*self.first, *self.fixed, *self.given]):
            found[i] = apply(replace(back, result=place), *operands)
        return [found.get(i) for i in range(len(self.operands))]

    def _stand_in(self, node: Node, type: TensorType, name: str) -> Node:
        found = step_input(len(self.stand_ins), type)
        self.stand_ins[found], self.names[found] = node, name
        return found

    def _is_slice(self, leaf: Node) -> bool:
        return self.stand_ins[leaf].ndim > leaf.ndim

    def _step_back(self, after: Sequence[Node]) -> tuple[Sequence[Node], Sequence[Node]]:
        """The next carries, and the cotangents of slices, from the carries."""
        body, first = self.loop.body, len(self.first)
        known = self._known()
        name = f"∂ {self.loop.kept_name(self.loop.result)} above"
        above = [self._stand_in(g, _slice(g.type), name) for g in self.above]
        leaves = self.loop.leaves
        wanted = [leaves.get(i) for i in (*self.first, *self.fixed, *self.given)]
        outputs = [body.outputs[i] for i in self.first]
        kept = [body.outputs[self.loop.result] for _ in above]
        nodes = [leaf for leaf in wanted if leaf is not None]
        pulled = self.pull([*outputs, *kept], nodes, [*after[:first], *above])
        by_leaf = dict(zip(nodes, substitute(Graph(tuple(pulled)), known).outputs, strict=True))
        found = [
            by_leaf[leaf] if leaf is not None else _zeros(self._type_in_step(i))
            for i, leaf in zip((*self.first, *self.fixed, *self.given), wanted, strict=True)
        ]
        ends = first + len(self.fixed)
        sums = map(add, after[first:], found[first:ends])
        return [*found[:first], *sums], found[ends:]

    def _type_in_step(self, position: int) -> TensorType:
        type = self.operands[position].type
        return _slice(type) if position in self.given else type

    def _known(self) -> Mapping[Node, Node]:
        """What a step reads, for values of the other loop's steps."""
        loop = self.loop
        known: dict[Node, Node] = {}
        for place, node in enumerate(loop.body.outputs):
            if place >= loop.carries and node not in known:
                every = apply(replace(loop, result=place), *self.operands)
                known[node] = self._stand_in(every, node.type, loop.kept_name(place))
        for place, leaf in loop.leaves.items():
            if place >= loop.carries:
                name = loop.called(place)
                known[leaf] = self._stand_in(self.operands[place], leaf.type, name)
        return known


def _name_of(operand: Node) -> str:
    """The last part of a leaf's name, else what the op is called."""
    name = operand.op.label.rpartition("/")[2]
    return "outside" if name.isdigit() else name  # of a loop around this one


def _zeros(type: TensorType) -> Node:
    return broadcast_to(constant(0, type.dtype), type.shape)


def _slice(type: TensorType) -> TensorType:
    return type.with_shape(type.shape[1:])
