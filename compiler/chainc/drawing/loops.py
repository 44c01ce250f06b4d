"""What a picture shows in the place of a loop: its step, once, in a box of its own.

    h0 → (h) ┐              the carry, which gets a new value in each step
    x → [x_t] → cell → [every h] → …
         (h) ⇠ cell         the value for the next step

All results of one loop share the box. A carry that is only added to is a sum over the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import field, replace

from chainc.dataclass import dataclass
from chainc.drawing.node_roles import Box, Drawn, LoopScope, NodeRoles, Path, differentiations
from chainc.drawing.stretches import Key, Keys, LoopResults, path_around
from chainc.formulas import notation
from chainc.ir import Graph, Node, Origin, with_inputs
from chainc.ir.leaves import Constant
from chainc.ops.arithmetic import Add
from chainc.ops.movement import BroadcastTo, Reshape
from chainc.ops.parts.slicing import Concat
from chainc.ops.runs.scan import Scan, step_input

NAMES_SHOWN = 2  # of the results of a closed loop


@dataclass(frozen=True)
class Opened:
    """A graph as a picture shows it.

    Attributes:
        graph: with what the steps compute in the place of loops.
        returns: of each carry, its value for the next step.
        inside: of what a step computes, the boxes around all of its loop.
        shown: nodes of the graph that was given, by those that stand for them.
    """

    graph: Graph
    returns: Mapping[Node, Node] = field(default_factory=dict)
    inside: Mapping[Node, Path] = field(default_factory=dict)
    shown: Mapping[Node, Sequence[Node]] = field(default_factory=dict)


def opened(graph: Graph, *, loops: bool, in_short: bool) -> Opened:
    """The graph with its loops opened, at any depth, and what can be said in short, if asked for.

    In short, a single slice and a stack of tensors are a vertex, whatever ops they are made of.
    """
    opening = _Opening(loops=loops, in_short=in_short)
    mapping = opening.copied(graph, {}, ())
    shown: dict[Node, list[Node]] = {}
    for node, new in mapping.items():
        shown.setdefault(new, []).append(node)
    replaced = graph.replace(mapping)
    roots = set(Graph((*replaced.roots, *opening.returns.values())).nodes) | opening.asked
    returns = {carry: value for carry, value in opening.returns.items() if carry in roots}
    whole = Graph(replaced.outputs, {**replaced.updates, **returns}, graph.names)
    return Opened(whole, returns, opening.inside, shown)


class _Opening:
    def __init__(self, *, loops: bool, in_short: bool) -> None:
        self.loops, self.in_short = loops, in_short
        self.returns: dict[Node, Node] = {}
        self.asked: set[Node] = set()  # carries that say whether there is another step
        self.inside: dict[Node, Path] = {}

    def copied(self, graph: Graph, known: Mapping[Node, Node], around: Path) -> Mapping[Node, Node]:
        """What stands for each node of a graph, or of a step of a loop in these boxes."""
        found = dict(known)
        loops: dict[object, _Loop] = {}
        wanted, once = _wanted(graph), _read_once(graph) if self.in_short else set()
        for node in graph.nodes:
            if node in found:
                continue
            inputs = tuple(found[operand] for operand in node.inputs)
            if self.loops and isinstance(node.op, Scan):
                key = loop_of(node, node.op)
                if key not in loops:
                    loops[key] = _Loop(self, node, node.op, inputs, wanted[key], around)
                found[node] = loops[key].result(node)
            elif around:
                found[node] = Node(node.op, inputs, node.type, node.origin)
                self.inside[found[node]] = around
            else:
                found[node], beside = _in_short(node, inputs, once)
                found |= dict.fromkeys(beside, found[node])
        return found


def loop_of(node: Node, loop: Scan) -> object:
    """Equal for the results of one loop."""
    return replace(loop, result=0), *map(id, node.inputs)


def _wanted(graph: Graph) -> Mapping[object, Mapping[int, Node]]:
    """The results of each loop that a graph has, by their places."""
    wanted: dict[object, dict[int, Node]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Scan):
            wanted.setdefault(loop_of(node, node.op), {}).setdefault(node.op.result, node)
    return wanted


def with_results_together(roles: NodeRoles, keys: Keys, near: Set[Node]) -> Keys:
    """The results of a loop as one vertex, where loops stay closed and one of them is near."""
    together: dict[Key, LoopResults] = {}
    for results in _wanted(roles.graph).values():
        drawn = [node for _, node in sorted(results.items()) if keys.get(node) is node]
        loops = [node.op for node in drawn if isinstance(node.op, Scan)]
        if len(loops) > 1 and not near.isdisjoint(drawn):
            told = _shortened([_told(loop, loop.result) for loop in loops])
            made = LoopResults(_title(loops[0]), told, path_around(roles, drawn))
            together |= dict.fromkeys(drawn, made)
    return {node: together.get(key, key) for node, key in keys.items()}


def _shortened(told: Sequence[str]) -> str:
    shown = list(dict.fromkeys(told))
    more = f", … {len(shown) - NAMES_SHOWN} more" if len(shown) > NAMES_SHOWN else ""
    return ", ".join(shown[:NAMES_SHOWN]) + more


def _title(loop: Scan) -> str:
    way = "while, at most" if loop.conditional else f"scan{' back' if loop.reverse else ''},"
    return f"{way} {loop.length} steps"


def _told(loop: Scan, place: int) -> str:
    return f"{'last' if place < loop.carries else 'every'} {loop.kept_name(place)}"


class _Loop:
    """One loop: the parts of its box, and what is computed in it."""

    def __init__(
        self,
        opening: _Opening,
        node: Node,
        loop: Scan,
        operands: Sequence[Node],
        wanted: Mapping[int, Node],
        around: Path,
    ) -> None:
        self.opening, self.node, self.loop, self.operands = opening, node, loop, operands
        self.order = max(map(differentiations, loop.body.nodes), default=0)
        self.results: dict[tuple[Node, bool], Node] = {}
        self.wanted = wanted
        self.sums = self._sums()
        self.carries = self._carries()
        self.box = (*self._around(around), Box(self._scope(), self.order))
        known = {leaf: self._given(place, leaf) for place, leaf in loop.leaves.items()}
        self.body = opening.copied(loop.body, known, self.box)
        for place in self.carries:
            leaf = loop.leaves.get(place)
            if leaf is not None:
                opening.returns[self.body[leaf]] = self.body[loop.body.outputs[place]]
        if loop.conditional:
            self._ask(loop.carries - 1)

    def _ask(self, place: int) -> None:
        """The condition: a carry that no step reads, for it says whether there is one."""
        value = self.loop.body.outputs[place]
        more = self._given(place, step_input(place, value.type))
        self.opening.returns[more] = self.body[value]
        self.opening.asked.add(more)

    def result(self, node: Node) -> Node:
        """What stands for a result: outside it has another type than in a step."""
        assert isinstance(node.op, Scan)
        place = node.op.result
        value = self.sums.get(place, self.loop.body.outputs[place])
        key = value, place < self.loop.carries
        if key not in self.results:
            told = self._result_text(place)
            lines = ("Σ over steps", told.removeprefix("Σ ")) if place in self.sums else (told,)
            origin = Origin(node.origin.location, node.origin.scopes) if not self.order else None
            like = replace(node, origin=origin or node.origin)
            self.results[key] = self._part(lines, (self.body[value],), like)
        return self.results[key]

    def _around(self, around: Path) -> Path:
        """The boxes around the loop's own."""
        known = {box.scope for box in around}
        scopes = (scope for scope in self.node.origin.scopes if scope not in known)
        return (*around, *(Box(scope, self.order) for scope in scopes))

    def _scope(self) -> LoopScope:
        loop, leaves = self.loop, self.loop.leaves
        told = {
            "carries": [loop.called(place) for place in sorted(self.carries)],
            "over": [loop.called(place) for place in sorted(leaves) if self._is_sequence(place)],
            "gives": list(dict.fromkeys(self._result_text(place) for place in sorted(self.wanted))),
        }
        contents = (f"{word} {', '.join(names)}" for word, names in told.items() if names)
        return LoopScope("scan", _title(loop), tuple(contents))

    def _result_text(self, place: int) -> str:
        if place in self.sums:
            return f"Σ {self.loop.called(place)}"
        if place < self.loop.carries:
            return _told(self.loop, place)
        derivative = self.wanted[place].origin.derivative
        before = derivative.forward.op if derivative and self.order else None
        if isinstance(before, Scan) and derivative and derivative.operand is not None:
            return f"every ∂ {before.called(derivative.operand)}"  # of its slices
        return _told(self.loop, place)

    def _is_sequence(self, position: int) -> bool:
        return self.loop.carries <= position < self.loop.carries + self.loop.sequences

    def _sums(self) -> Mapping[int, Node]:
        """What is added to carries that are sums over the steps and nothing else."""
        self.sums = {
            place: term for place in self.wanted if (term := self._term(place)) is not None
        }
        read = self._carries()
        return {place: term for place, term in self.sums.items() if place not in read}

    def _carries(self) -> Set[int]:
        """The places of the carries that results need, sums aside."""
        outputs = self.loop.body.outputs
        kept = [outputs[place] for place in self.wanted if place >= self.loop.carries]
        last = {
            place for place in self.wanted if place < self.loop.carries and place not in self.sums
        }
        return self.loop.carries_of([*kept, *self.sums.values()], last)

    def _term(self, place: int) -> Node | None:
        """What is added to a carry that starts at 0 and is read by nothing else."""
        loop, leaf = self.loop, self.loop.leaves.get(place)
        if leaf is None or place >= loop.carries or _start(self.operands[place]) != "0":
            return None
        sum = loop.body.outputs[place]
        readers = Graph(loop.body.outputs[: loop.carries]).users.get(leaf, ())
        if not isinstance(sum.op, Add) or len(readers) != 1 or readers[0] is not sum:
            return None
        a, b = sum.inputs
        return b if a is leaf else a

    def _given(self, place: int, leaf: Node) -> Node:
        """What a step reads for an operand."""
        operand = self.operands[place]
        if place >= self.loop.carries + self.loop.sequences:
            return operand
        name = self.loop.called(place)
        if self._is_sequence(place):
            return self._part((name,), (operand,), leaf)
        start = _start(operand)
        if start is not None:
            return self._part((name, f"starts at {start}"), (), leaf, carry=True)
        return self._part((name,), (operand,), leaf, carry=True)

    def _part(
        self, lines: tuple[str, ...], inputs: tuple[Node, ...], like: Node, *, carry: bool = False
    ) -> Node:
        """A vertex of the loop's box."""
        part = Node(Drawn(lines, carry), inputs, like.type, like.origin)
        self.opening.inside[part] = self.box
        return part


def _start(first: Node) -> str | None:
    """The number that all elements of a first carry are."""
    if isinstance(first.op, Constant):
        array = first.op.value.array
        return f"{array.flat[0]:g}" if array.size and (array == array.flat[0]).all() else None
    return notation.literal(first.inputs[0]) if isinstance(first.op, BroadcastTo) else None


def _in_short(node: Node, inputs: tuple[Node, ...], once: Set[Node]) -> tuple[Node, Sequence[Node]]:
    """A node over other operands, and those for which it stands beside: x[2], or a stack."""
    if isinstance(node.op, Reshape) and node.inputs[0] in once:
        text = notation.indexing(node)
        if text is not None:
            part = Node(Drawn((text,)), inputs[0].inputs, node.type, node.origin)
            return part, node.inputs
    if isinstance(node.op, Concat) and all(
        each in once and _adds_axis(each, node.op.axis) for each in node.inputs
    ):
        whole = tuple(each.inputs[0] for each in inputs)
        return Node(Drawn(("stack",)), whole, node.type, node.origin), node.inputs
    return with_inputs(node, inputs), ()


def _read_once(graph: Graph) -> Set[Node]:
    return {node for node, users in graph.users.items() if len(users) == 1} - set(graph.roots)


def _adds_axis(node: Node, axis: int) -> bool:
    if not isinstance(node.op, Reshape):
        return False
    before = node.inputs[0].shape
    return node.shape == (*before[:axis], 1, *before[axis:])
