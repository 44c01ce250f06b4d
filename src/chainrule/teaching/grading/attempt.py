"""A backward pass in which some gradients are given: the student's own, or the true ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chainc.ir import Node
from chainrule.teaching.grading.steps import Floats, Steps


@dataclass(frozen=True)
class Addend:
    """What one reader of a node adds to the node's gradient; None for the 1 of the loss."""

    value: Floats
    reader: Node | None
    position: int


class Attempt:
    """Every gradient as it follows from the given ones above it.

    Attributes:
        steps: the chain-rule steps.
        given: gradients that are taken as they are; all others are computed.
        parts: what each gradient should be the sum of, given what is above it.
    """

    def __init__(self, steps: Steps, given: Mapping[Node, Floats]) -> None:
        self.steps = steps
        self.given = given
        self._segments: dict[Node, tuple[Node, ...]] = {}
        passed = steps.passed
        start = Addend(np.ones(passed.values[passed.loss].shape), None, 0)
        self.parts: dict[Node, list[Addend]] = {node: [] for node in passed.gradients}
        self.parts[passed.loss].append(start)
        for node in passed.gradients:
            for position, value in steps.pull(node, self.used(node)).items():
                self.parts[node.inputs[position]].append(Addend(value, node, position))

    def expected(self, node: Node) -> Floats:
        """The sum of the node's parts."""
        return total(self.parts[node])

    def used(self, node: Node) -> Floats:
        """The gradient with which nodes below go on."""
        return self.given[node] if node in self.given else self.expected(node)

    def scale(self, node: Node) -> float:
        """A hundredth of what comes from above: far below it, a difference is rounding."""
        above = [self.used(part.reader) for part in self.parts[node] if part.reader is not None]
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
            for part in self.parts[waiting.pop(0)]:
                reader = part.reader
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
        for above in self.parts:
            if above not in difference or above is node:
                continue
            for position, value in self.steps.pull(above, difference[above]).items():
                operand = above.inputs[position]
                if operand in segment:
                    difference[operand] = difference.get(operand, np.zeros_like(value)) + value
        return self.expected(node) + difference.get(node, np.zeros(()))


def total(parts: Sequence[Addend]) -> Floats:
    """The sum of the parts, in float64."""
    return np.asarray(sum((part.value for part in parts[1:]), start=parts[0].value))
