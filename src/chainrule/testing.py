"""Assertions for a course's own tests; any test runner reports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.ir import Graph, Node
from chainrule.evaluation.values import Values
from chainrule.teaching.grading.check import check_backward
from chainrule.teaching.grading.student import BackwardPass, Gradients

__all__ = ["assert_backward"]


def assert_backward(
    student: BackwardPass | Gradients,
    graph: Node | Graph,
    at: Values,
    *,
    names: Mapping[str, Node] | None = None,
    wrt: Sequence[Node] | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> None:
    """Assert that a backward pass written by hand is right; arguments as of `check_backward`.

    Raises:
        AssertionError: it is not; the message is the whole report, mistakes in words.
    """
    check = check_backward(student, graph, at, names=names, wrt=wrt, tolerance=tolerance, seed=seed)
    if not check.passed:
        raise AssertionError(str(check))
