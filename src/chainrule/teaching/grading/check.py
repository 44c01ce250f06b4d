"""A student's backward pass against the graph's, node by node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from chainc.ir import Graph, Node
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input, Slot
from chainc.ir.types import Array
from chainrule.declare.arguments import number
from chainrule.declare.derivatives import nodes_of
from chainrule.evaluation.backpropagation import Backpropagation, backpropagate
from chainrule.evaluation.unrolled import values_by_name, written_out
from chainrule.evaluation.values import Floats, Values
from chainrule.teaching.grading.case import Key, Suspect, op_word
from chainrule.teaching.grading.report import BackwardCheck, Cause, Finding, Verdict
from chainrule.teaching.grading.student import (
    BackwardPass,
    Gradients,
    NodeNames,
    gradients_of,
    names_for,
    nodes_named,
)
from chainrule.teaching.grading.trial import Trial

__all__ = ["check_backward"]

TOLERANCE = 1e-7  # of the largest element, for float64
TOLERANCE_OF_FLOAT32 = 1e-4


def check_backward(
    student: BackwardPass | Gradients,
    graph: Node | Graph,
    at: Values,
    *,
    names: Mapping[str, Node] | None = None,
    wrt: Sequence[Node] | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> BackwardCheck:
    """Compare a backward pass written by hand with the graph's, and say in words what is wrong.

    Gradients are compared in the order of the backward pass. What is wrong only because a gradient
    above it is wrong counts as a consequence, not as a mistake. A function is called a second time
    with other values where something is wrong, so that no cause is named by coincidence. Loops are
    written out: what they carry is called h1, h2, … after each step.

    Args:
        student: a function from values by name (inputs, parameters, and the nodes of `names`, as
            float64 arrays) to gradients by name or node; or these gradients themselves.
        graph: the loss, a floating-point scalar, or a graph with this one output.
        at: the point: values by node or name; states not given have their first values.
        names: what nodes between inputs and loss are called.
        wrt: nodes whose gradients must be there; by default the trainable parameters.
        tolerance: the largest difference, relative to the largest element; by default 1e-7, or
            1e-4 if the student computes in float32.
        seed: of first values.

    Raises:
        GradientError: the loss is no scalar.
        InputError: a value, a name or a gradient is missing, unknown, or does not fit.
        DTypeError: a gradient has an element type that is none of Chainrule's.
    """
    if tolerance is not None:
        number("check_backward", "tolerance", tolerance, above=0, hint="give tolerance=1e-7")
    loss = _loss_of(graph)
    asked = None if wrt is None else nodes_of("check_backward", wrt)
    before = [*nodes_named({} if names is None else names), *(asked or ())]
    (loss, *after), of_steps = written_out([loss, *before], at)
    moved = dict(zip(before, after, strict=True))
    asked = asked and [moved[node] for node in asked]
    passed = backpropagate(loss, values_by_name(at), function="check_backward", seeded=seed)
    known = names_for(passed, {} if names is None else names, moved, of_steps)
    given, exact = gradients_of(student, passed, known)
    chosen = tolerance or (TOLERANCE if exact else TOLERANCE_OF_FLOAT32)
    with np.errstate(all="ignore"):
        grading = _Grading(student, loss, Trial(passed, given, known, chosen), seed)
        findings = tuple(grading.findings())
    return BackwardCheck((*findings, *_missing(passed, given, known, asked)))


def _loss_of(graph: Node | Graph) -> Node:
    given: object = graph
    if isinstance(given, Node):
        return given
    if isinstance(given, Graph) and len(given.outputs) == 1:
        return given.outputs[0]
    raise InputError(
        "check_backward needs the loss, or a graph with the loss as its one output",
        hint="give the node of the loss",
    )


def _missing(
    passed: Backpropagation,
    given: Mapping[Node, Floats],
    names: NodeNames,
    wrt: Sequence[Node] | None,
) -> Iterator[Finding]:
    trainable = [n for n in passed.gradients if isinstance(n.op, Slot) and n.op.trainable]
    for node in trainable if wrt is None else wrt:
        if node not in passed.gradients:
            raise InputError(
                f"check_backward: wrt has {node!r}, to which no derivative of the loss flows",
                hint="give parameters, inputs, or nodes on the way from them to the loss",
            )
        if node not in given:
            shape = passed.values[node].shape
            yield Finding(_name(node, names), Verdict.MISSING, None, shape, None, (), _where(node))


class _Grading:
    """The verdicts at the point asked for and, where something is wrong, at another one."""

    def __init__(
        self, student: BackwardPass | Gradients, loss: Node, first: Trial, seed: int
    ) -> None:
        self.student = student
        self.loss = loss
        self.first = first
        self.seed = seed

    def findings(self) -> Iterator[Finding]:
        told: set[Key] = set()
        for node in self.first.nodes:
            verdict, suspects = self._judge(node)
            if any(key in told and self._may_be_shared(key) for key in suspects):
                verdict, suspects = Verdict.FOLLOWS, {}
            told |= suspects.keys()
            yield self._finding(node, verdict, list(suspects.values()))

    def _may_be_shared(self, key: Key) -> bool:
        """Is no gradient right that comes back through the place of this mistake?"""
        _, place, _ = key
        right = filter(self.first.is_right, self.first.nodes)
        return not any(place in set(self.first.true.segment(node)) for node in right)

    def _judge(self, node: Node) -> tuple[Verdict, dict[Key, Suspect]]:
        if self.first.is_right(node):
            return Verdict.RIGHT, {}
        if self.first.follows(node):
            # where all above is right, the difference is the rounding that came down with it
            above = self.first.above_is_right(node)
            return (Verdict.RIGHT if above else Verdict.FOLLOWS), {}
        suspects = self._confirmed(node)
        if not suspects and self.first.below_wrong_shape(node):
            return Verdict.UNCLEAR, {}
        return Verdict.WRONG, suspects

    def _confirmed(self, node: Node) -> dict[Key, Suspect]:
        """The suspects at the point that are suspects at another one as well."""
        found = self.first.suspects(node)
        second = self._second if found else None
        if second is None or node not in second.given:
            return found
        if np.array_equal(second.given[node], self.first.given[node], equal_nan=True):
            return found  # the function does not look at its values
        if second.is_right(node) or not np.isfinite(second.passed.gradients[node]).all():
            return found
        again = second.suspects(node)
        return {key: suspect for key, suspect in found.items() if key in again}

    @cached_property
    def _second(self) -> Trial | None:
        if isinstance(self.student, Mapping):
            return None
        values = _elsewhere(self.first.passed, self.seed)
        passed = backpropagate(self.loss, values, function="check_backward")
        given, _ = gradients_of(self.student, passed, self.first.names)
        return replace(self.first, passed=passed, given=given)

    def _finding(self, node: Node, verdict: Verdict, suspects: Sequence[Suspect]) -> Finding:
        given, true = self.first.given[node], self.first.steps.true(node)
        return Finding(
            _name(node, self.first.names),
            verdict,
            given.shape,
            true.shape,
            self.first.error(node),
            tuple(Cause(s.kind, s.what, _where(s.node), s.hint) for s in suspects),
            _where(node),
        )


def _elsewhere(passed: Backpropagation, seed: int) -> dict[Node | str, object]:
    """A point nearby; integers and hyperparameters stay."""
    random = np.random.default_rng(seed)
    point: dict[Node | str, object] = {}
    for node in passed.nodes:
        if not isinstance(node.op, (Input, Slot)):
            continue
        fixed = isinstance(node.op, Input) and node.op.default is not None
        moves = node.type.dtype.is_float and not fixed
        point[node] = _moved(passed.values[node], random) if moves else passed.values[node]
    return point


def _moved(value: Array, random: np.random.Generator) -> Floats:
    noise = random.uniform(-0.1, 0.1, value.shape)
    exact = value.astype(np.float64)
    return np.where(exact == 0, noise, exact * (1 + noise))


def _name(node: Node, names: NodeNames) -> str:
    return names.of.get(node, node.op.label)


def _where(node: Node) -> str:
    inside = f" in {node.origin.scope}" if node.origin.scope else ""
    return f"{node.origin.location or 'unknown line'}, {op_word(node)}{inside}"
