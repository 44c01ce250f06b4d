"""Loops do in a step only what needs the step before.

    z_t = x_t @ wx + h @ wh          →   xw = x @ wx before the loop, z_t = xw_t + h @ wh
    kept: d_z_t @ wx.T               →   kept: d_z_t, and d_z @ wx.T after the loop
    carry: d_w + x_t.T @ d_z_t       →   after the loop, Σ over steps and rows of x · d_z

So of the products of a recurrent layer only the one with the carry stays in the loop, and
gradients of its weights are one contraction each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace

from chainc.ir import Graph, Node, apply, originating, rebuild, substitute, topological, with_inputs
from chainc.ir.leaves import Input, Leaf
from chainc.ops.arithmetic import Add, add
from chainc.ops.contract import Contract
from chainc.ops.elementwise import Elementwise
from chainc.ops.index import ScatterAdd, Take
from chainc.ops.movement import PermuteDims, Reshape, broadcast_to
from chainc.ops.parts.slicing import Slice
from chainc.ops.reduce import Sum
from chainc.ops.runs.scan import Scan, step_input, with_bodies
from chainc.passes.contractions.carried_shapes import in_shapes_of_steps
from chainc.passes.contractions.over_steps import Steps, free_letter, over_steps
from chainc.passes.contractions.siblings import join_siblings
from chainc.passes.rules.rows import is_zero
from chainc.rewriting.trace import note, replacing


def lift(graph: Graph) -> Graph:
    """Move out of loops what can be done for all steps at once.

    Needs: any graph. Leaves: loops whose steps compute what a carry depends on, what depends on
    carries and has no form for all steps, and what takes less to keep than its operands. Loops
    that recompute stay as they are.
    """
    loops = [node.op for node in graph.nodes if isinstance(node.op, Scan)]
    if not loops:
        return graph
    counts = {loop.body: (loop.carries, loop.carries + loop.sequences) for loop in loops}
    graph = with_bodies(graph, lambda body: join_siblings(body, *counts[body]))
    wanted: dict[object, set[int]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Scan):
            wanted.setdefault(_loop(node.op, node.inputs), set()).add(node.op.result)
    lifted: dict[object, _Lifted] = {}

    def lifting(node: Node, inputs: tuple[Node, ...]) -> Node:
        if not isinstance(node.op, Scan) or node.op.recompute:
            return with_inputs(node, inputs)
        key = _loop(node.op, node.inputs)
        if key not in lifted:
            lifted[key] = _Lifted(node, inputs, wanted[key])
        return lifted[key].result(node.op.result)

    return in_shapes_of_steps(rebuild(graph, lifting))


def _loop(op: Scan, inputs: Sequence[Node]) -> object:
    """Equal for the results of one loop."""
    return replace(op, result=0), *map(id, inputs)


class _Lifted:
    """A loop, and what is around it, in the place of another one."""

    def __init__(self, node: Node, operands: Sequence[Node], wanted: Iterable[int]) -> None:
        assert isinstance(node.op, Scan)
        self.loop, self.operands = node.op, operands
        self.outputs = self.loop.body.outputs
        self.order = topological(self.outputs)
        self.leaves = self.loop.leaves
        self.sums = self._sums(wanted)
        kept = [self.outputs[place] for place in wanted if place >= self.loop.carries]
        last = {p for p in wanted if p < self.loop.carries and p not in self.sums}
        after = [*kept, *self.sums.values()]
        self.carries = self.loop.carries_of(after, last)
        self.carried = self._depending(lambda place: place < self.loop.carries)
        self.moving = self._depending(lambda place: place < self._end)
        self.core = self.carried & set(topological(self.outputs[p] for p in self.carries))
        self.liftable = self._liftable()
        self.outside: set[Node] = set()  # computed before or after the loop
        self.lifted: set[Node] = set()  # before it, for its steps to read
        self.inside: set[Node] = set()  # computed in each step
        self.kept: list[Node] = []  # in each step, for what comes after
        self._divide(after)
        self.outer: dict[Node, tuple[Node, bool]] = {}  # outside; has it an axis of steps?
        self.totals: dict[Node, Node] = {}  # over all steps
        self.results: dict[int, Node] = {}
        with originating(replacing(node, "lift")):
            self._build(wanted)

    def result(self, place: int) -> Node:
        """What stands for one of the results that are wanted."""
        return self.results[place]

    @property
    def _end(self) -> int:
        """The first of the operands that all steps read alike."""
        return self.loop.carries + self.loop.sequences

    def _sums(self, wanted: Iterable[int]) -> Mapping[int, Node]:
        """Carries that are nothing but added to, by their places, and what is added."""
        found: dict[int, Node] = {}
        if self.loop.conditional:  # no one knows how often
            return found
        for place in wanted:
            term = self._added(place) if place < self.loop.carries else None
            if term is not None:
                found[place] = term
        while True:
            others = [self.outputs[place] for place in wanted if place not in found]
            read = self.loop.carries_of([*others, *found.values()])
            if read.isdisjoint(found):
                return found
            found = {place: term for place, term in found.items() if place not in read}

    def _added(self, place: int) -> Node | None:
        after, leaf = self.outputs[place], self.leaves.get(place)
        if not isinstance(after.op, Add) or leaf is None:
            return None
        terms = [each for each in after.inputs if each is not leaf]
        return terms[0] if len(terms) == 1 and terms[0].type == after.type else None

    def _depending(self, counts: Callable[[int], bool]) -> Set[Node]:
        """The nodes that depend on an operand at such a place."""
        found: set[Node] = set()
        for node in self.order:
            own = isinstance(node.op, Input) and counts(int(node.op.label))
            if own or not found.isdisjoint(node.inputs):
                found.add(node)
        return found

    def _has_form(self, node: Node) -> bool:
        """Is there an op for all steps?"""
        stepped = [operand in self.moving for operand in node.inputs]
        stand_ins = [
            step_input(0, self.loop.stacked(each.type) if has else each.type)
            for each, has in zip(node.inputs, stepped, strict=True)
        ]
        return over_steps(node.op, Steps(node.shape, stand_ins, stepped)) is not None

    def _liftable(self) -> Set[Node]:
        """What depends on no carry and can be computed before the loop."""
        found: set[Node] = set()
        for node in self.order:
            ready = node not in self.carried and found.issuperset(node.inputs)
            if ready and (isinstance(node.op, Leaf) or node not in self.moving
                          or self._has_form(node)):  # fmt: skip
                found.add(node)
        return found

    def _heavy(self) -> Set[Node]:
        """What is worth being kept for all steps: contractions, and what is computed from them."""
        found: set[Node] = set()
        for node in self.order:
            own = isinstance(node.op, Contract | Take) or not found.isdisjoint(node.inputs)
            if own and node in self.moving:
                found.add(node)
        return found

    def _divide(self, after: Iterable[Node]) -> None:
        """What is done before or after the loop, and what in its steps."""
        heavy, terms = self._heavy(), set(self.sums.values())
        around, within = set(after), {self.outputs[place] for place in self.carries}
        for node in reversed(self.order):
            if node in around and not isinstance(node.op, Leaf):
                if self._goes_outside(node) or (node in terms and _adds_to_zeros(node)):
                    self.outside.add(node)
                    around.update(node.inputs)
                else:
                    self.kept.append(node)
                    within.add(node)
            elif node in around and node in self.carried:
                self.kept.append(node)
            if node not in within or isinstance(node.op, Leaf):
                continue
            if node in self.liftable and (node in heavy or node not in self.moving):
                self.lifted.add(node)
                self.outside.add(node)
                around.update(node.inputs)
            else:
                self.inside.add(node)
                within.update(node.inputs)

    def _goes_outside(self, node: Node) -> bool:
        if node not in self.carried:
            return node in self.liftable
        moving = sum(operand in self.moving for operand in node.inputs)
        if node in self.core or (isinstance(node.op, Elementwise) and moving > 1):
            return False
        return self._has_form(node)

    def _build(self, wanted: Iterable[int]) -> None:
        for leaf in self.order:
            if isinstance(leaf.op, Leaf) and not isinstance(leaf.op, Input):
                self.outer[leaf] = leaf, False
        for place, leaf in self.leaves.items():
            if place >= self.loop.carries:
                self.outer[leaf] = self.operands[place], place < self._end
        self._compute(node for node in self.order if node not in self.carried)
        last = self._loop()
        self._compute(node for node in self.order if node in self.carried)
        for place in wanted:
            if place in self.sums:
                self.results[place] = self._added_up(place)
            elif place < self.loop.carries:
                self.results[place] = last[place]
            else:
                self.results[place] = self._every(self.outputs[place])

    def _compute(self, nodes: Iterable[Node]) -> None:
        """Outside, for all steps where it differs in them."""
        for node in nodes:
            if node not in self.outside:
                continue
            operands = [self.outer[operand][0] for operand in node.inputs]
            stepped = [self.outer[operand][1] for operand in node.inputs]
            with originating(replacing(node, "lift")):
                if any(stepped):
                    found = over_steps(node.op, Steps(node.shape, operands, stepped))
                    if found is None:  # one that is added up at once
                        continue
                    self.outer[node] = found, True
                else:
                    self.outer[node] = apply(node.op, *operands), False
                note("lift", node, self.outer[node][0])

    def _loop(self) -> Mapping[int, Node]:
        """What is left of the loop; what its carries are in the end, by their places."""
        carries = sorted(self.carries)
        if not carries and not self.kept:
            return {}
        read = {o for node in self.inside for o in node.inputs}
        read.update(self.outputs[place] for place in carries)
        given = [n for n in self.order if n in self.lifted or (n in read and n in self.outer)]
        given = [n for n in given if n in self.lifted or isinstance(n.op, Input)]
        sequences = [n for n in given if self.outer[n][1]]
        fixed = [n for n in given if not self.outer[n][1]]
        firsts = [self.leaves.get(place) for place in carries]
        types = [self.operands[place].type for place in carries]
        inputs = [step_input(i, type) for i, type in enumerate(types)]
        known = {leaf: new for leaf, new in zip(firsts, inputs, strict=True) if leaf is not None}
        for position, each in enumerate([*sequences, *fixed], start=len(carries)):
            known[each] = step_input(position, each.type)
        roots = (*(self.outputs[place] for place in carries), *self.kept)
        step = substitute(Graph(roots), known)
        body = Graph((*step.outputs, *inputs))
        operands = [
            *(self.operands[place] for place in carries),
            *(self.outer[each][0] for each in (*sequences, *fixed)),
        ]
        loop = replace(
            self.loop,
            body=body,
            carries=len(carries),
            sequences=len(sequences),
            result=0,
            names=tuple(map(self.loop.called, carries)),
        )
        for place, node in enumerate(self.kept, start=len(carries)):
            self.outer[node] = apply(replace(loop, result=place), *operands), True
        return {place: apply(replace(loop, result=i), *operands) for i, place in enumerate(carries)}

    def _added_up(self, place: int) -> Node:
        first, total = self.operands[place], self._total(self.sums[place])
        return total if is_zero(first) else add(first, total)

    def _every(self, node: Node) -> Node:
        """A value in every step."""
        value, stepped = self.outer[node]
        return value if stepped else broadcast_to(value, (self.loop.length, *node.shape))

    def _total(self, node: Node) -> Node:
        """The sum of a value over all steps; one node for all that ask for it."""
        if node not in self.totals:
            self.totals[node] = self._summed(node)
        return self.totals[node]

    def _summed(self, node: Node) -> Node:
        if node in self.outside and node in self.moving:
            operands = [self.outer[operand] for operand in node.inputs]
            if isinstance(node.op, Contract):
                return _contracted(node.op, operands)
            if isinstance(node.op, Sum) and not node.op.keepdims:
                axes = (0, *(axis + 1 for axis in node.op.axes))
                return apply(Sum(axes), operands[0][0])
            if _adds_to_zeros(node) and all(stepped for _, stepped in operands[1:]):
                return apply(node.op, *(operand for operand, _ in operands))
            if isinstance(node.op, Reshape | PermuteDims | Slice):
                return apply(node.op, self._total(node.inputs[0]))
        return apply(Sum((0,)), self._every(node))


def _adds_to_zeros(node: Node) -> bool:
    """Rows that are added to nothing: for all steps, these are so many rows more."""
    return isinstance(node.op, ScatterAdd) and node.op.axis == 0 and is_zero(node.inputs[0])


def _contracted(op: Contract, operands: Sequence[tuple[Node, bool]]) -> Node:
    """Over the steps too; an operand that is the same in all of them is read once for each."""
    step = free_letter(op)
    (a, a_stepped), (b, b_stepped) = operands
    if not a_stepped:
        return apply(Contract(op.a, op.b, op.result), a, apply(Sum((0,)), b))
    if not b_stepped:
        return apply(Contract(op.a, op.b, op.result), apply(Sum((0,)), a), b)
    return apply(Contract(step + op.a, step + op.b, op.result), a, b)
