"""A student's gradients at one point, and which mistakes would lead to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import takewhile

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainrule.evaluation.backpropagation import Backpropagation
from chainrule.evaluation.values import Floats
from chainrule.teaching.grading.attempt import Attempt
from chainrule.teaching.grading.case import Case, Key, Suspect
from chainrule.teaching.grading.mistakes import (
    FIRST,
    LAST,
    Mistake,
    factor,
    missing_sum,
    sign,
    transposed,
)
from chainrule.teaching.grading.path_mistakes import PATHS
from chainrule.teaching.grading.product_mistakes import PRODUCTS
from chainrule.teaching.grading.step_mistakes import LOCAL
from chainrule.teaching.grading.steps import Steps, agree
from chainrule.teaching.grading.student import NodeNames
from chainrule.teaching.grading.time_mistakes import TIMES
from chainrule.teaching.grading.window_mistakes import WINDOWS

STEPS: tuple[Mistake, ...] = (*TIMES, *PATHS, *LOCAL, *WINDOWS, *PRODUCTS)
SECOND_MISTAKES: tuple[Mistake, ...] = (missing_sum, transposed, sign, factor)
ENOUGH = 3  # elements from which two mistakes at once are told apart from coincidence


@dataclass(frozen=True)
class Trial:
    """The backward pass of the student at one point, and what it should be."""

    passed: Backpropagation
    given: Mapping[Node, Floats]
    names: NodeNames
    tolerance: float

    @cached_property
    def steps(self) -> Steps:
        return Steps(self.passed)

    @cached_property
    def true(self) -> Attempt:
        return Attempt(self.steps, {node: self.steps.true(node) for node in self.given})

    @cached_property
    def own(self) -> Attempt:
        """Every step from the student's own gradients above it, where their shape allows."""
        usable = {
            node: value if value.shape == self.passed.values[node].shape else self.true.used(node)
            for node, value in self.given.items()
        }
        return Attempt(self.steps, usable)

    @cached_property
    def nodes(self) -> list[Node]:
        """Those with a given gradient, in the order of the backward pass."""
        return [node for node in self.passed.gradients if node in self.given]

    def agrees(self, node: Node, expected: Floats) -> bool:
        return agree(self.given[node], expected, self.tolerance, self.scale(node))

    def scale(self, node: Node) -> float:
        """A magnitude below which a gradient is rounding, what is left where others cancel."""
        return max(self.true.scale(node), 100 * self.tolerance * self._largest)

    @cached_property
    def _largest(self) -> float:
        gradients = [self.steps.true(node) for node in self.passed.gradients]
        found = [float(np.max(np.abs(each), initial=0.0)) for each in gradients]
        return max((each for each in found if np.isfinite(each)), default=0.0)

    def error(self, node: Node) -> float | None:
        """The largest difference, relative to the largest element; None where shapes differ."""
        given, true = self.given[node], self.steps.true(node)
        if given.shape != true.shape:
            return None
        largest = float(np.max(np.abs(true), initial=0.0))
        difference = float(np.max(np.abs(given - true), initial=0.0))
        return difference / max(largest, self.scale(node), 1e-300)

    def is_right(self, node: Node) -> bool:
        return self.agrees(node, self.steps.true(node))

    def follows(self, node: Node) -> bool:
        """Is it what the student's own gradients above lead to?"""
        return self.agrees(node, self.own.expected(node))

    def below_wrong_shape(self, node: Node) -> bool:
        above = {
            each.reader for n in self.true.segment(node) for each in self.true.contributions[n]
        }
        return any(
            reader in self.given and self.given[reader].shape != self.passed.values[reader].shape
            for reader in above
            if reader is not None
        )

    def suspects(self, node: Node) -> dict[Key, Suspect]:
        """Mistakes that lead to the gradient given, from the student's own or the true ones."""
        for attempt in self._attempts(node):
            case = Case(node, self.given[node], attempt, self.names.of)
            steps = list(_from(STEPS, case))
            for suspects in (_from(FIRST, case), steps, _from(LAST, case), _pairs(case, steps)):
                found = self._matching(case, suspects)
                if found:
                    return found
        return {}

    def _attempts(self, node: Node) -> Sequence[Attempt]:
        """From the student's own gradients above, and from the true ones if they differ."""
        return (self.true,) if self.above_is_right(node) else (self.own, self.true)

    def above_is_right(self, node: Node) -> bool:
        """Are all gradients before this one right, in the order of the backward pass?"""
        return all(map(self.is_right, takewhile(lambda each: each is not node, self.nodes)))

    def _matching(self, case: Case, suspects: Iterable[Suspect]) -> dict[Key, Suspect]:
        found: dict[Key, Suspect] = {}
        for suspect in suspects:
            if self._explains(case, suspect):
                found.setdefault(suspect.key, suspect)
        return found

    def _explains(self, case: Case, suspect: Suspect) -> bool:
        scale = self.scale(case.node)
        if agree(suspect.gradient, case.expected, 10 * self.tolerance, scale):
            return False
        return agree(case.given, suspect.gradient, self.tolerance, scale)


def _from(mistakes: Sequence[Mistake], case: Case) -> Iterator[Suspect]:
    for mistake in mistakes:
        yield from mistake(case)


def _pairs(case: Case, steps: Sequence[Suspect]) -> Iterator[Suspect]:
    """One mistake in a step, and a second in the whole."""
    if np.count_nonzero(case.given) < ENOUGH:
        return
    for first in steps:
        if _alike(case.given, first.gradient) and not _alike(first.gradient, case.expected):
            spoilt = replace(case, spoilt=first.gradient)
            for second in _from(SECOND_MISTAKES, spoilt):
                yield _both(first, second)


def _alike(a: Floats, b: Floats) -> bool:
    """Equal up to a factor and a transposition, or of different size."""
    if a.size != b.size:
        return True
    others = (b, b.T) if b.ndim == 2 else (b,)
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return any(abs(a.ravel() @ other.ravel()) > (1 - 1e-3) * norms for other in others)


def _both(first: Suspect, second: Suspect) -> Suspect:
    return Suspect(
        f"{first.kind}, and {second.kind}",
        second.gradient,
        f"two mistakes at once: {first.what}; and {second.what}",
        first.node,
        f"{first.hint}; then {second.hint}",
        f"{first.variant} {second.variant}",
        first.source,
    )
