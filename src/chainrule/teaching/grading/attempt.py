"""A backward pass in which some gradients are given: the student's own, or the true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainc.ir import Node
from chainrule.evaluation.backpropagation import Contribution
from chainrule.evaluation.values import Floats
from chainrule.teaching.grading.steps import Steps


class Attempt:
    """Every gradient as it follows from the given ones above it.

    Attributes:
        steps: the chain-rule steps.
        given: gradients that are taken as they are; all others are computed.
        contributions: what each gradient should be the sum of, given what is above it.
    """

    def __init__(self, steps: Steps, given: Mapping[Node, Floats]) -> None:
        self.steps = steps
        self.given = given
        self._segments: dict[Node, tuple[Node, ...]] = {}
        passed = steps.passed
        start = Contribution(np.ones(passed.values[passed.loss].shape), None, 0)
        self.contributions: dict[Node, list[Contribution]] = {node: [] for node in passed.gradients}
        self.contributions[passed.loss].append(start)
        for node in passed.gradients:
            for position, value in steps.pull(node, self.used(node)).items():
                self.contributions[node.inputs[position]].append(
                    Contribution(value, node, position)
                )

    def expected(self, node: Node) -> Floats:
        """The sum of what the node's readers add."""
        return total(self.contributions[node])

    def used(self, node: Node) -> Floats:
        """The gradient with which nodes below go on."""
        return self.given[node] if node in self.given else self.expected(node)

    def scale(self, node: Node) -> float:
        """A hundredth of what comes from above: far below it, a difference is rounding."""
        above = [
            self.used(each.reader) for each in self.contributions[node] if each.reader is not None
        ]
        largest = [float(np.max(np.abs(each), initial=0.0)) for each in above]
        return 0.01 * max((each for each in largest if np.isfinite(each)), default=0.0)

    def segment(self, node: Node) -> tuple[Node, ...]:
        """The node and those above it, up to where gradients are given; the nearest first."""
        if node not in self._segments:
            self._segments[node] = tuple(self._walk_up(node))
        return self._segments[node]

    def _walk_up(self, node: Node) -> Sequence[Node]:
        found = {node: None}
        waiting = [node]
        while waiting:
            for each in self.contributions[waiting.pop(0)]:
                reader = each.reader
                if reader is not None and reader not in self.given and reader not in found:
                    found[reader] = None
                    waiting.append(reader)
        return list(found)

    def carried(self, changed: Node, gradient: Floats, node: Node) -> Floats:
        """The gradient of `node`, had the one of `changed` in its segment been another."""
        if changed is node:
            return gradient
        segment = set(self.segment(node))
        difference = {changed: gradient - self.expected(changed)}
        for above in self.contributions:
            if above not in difference or above is node:
                continue
            for position, value in self.steps.pull(above, difference[above]).items():
                operand = above.inputs[position]
                if operand in segment:
                    difference[operand] = difference.get(operand, np.zeros_like(value)) + value
        return self.expected(node) + difference.get(node, np.zeros(()))


def total(contributions: Sequence[Contribution]) -> Floats:
    """Their sum, in float64."""
    return np.asarray(sum((each.value for each in contributions[1:]), start=contributions[0].value))
