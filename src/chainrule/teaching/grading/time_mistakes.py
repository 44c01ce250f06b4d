"""Mistakes of backpropagation through time, in loops whose steps are written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from chainc.ir import Node
from chainc.ops.runs.unroll import StepScope
from chainrule.evaluation.backpropagation import Contribution
from chainrule.evaluation.values import Floats
from chainrule.teaching.grading.case import Case, Suspect
from chainrule.teaching.grading.mistakes import Mistake
from chainrule.writing.array_text import number_text

BOUNDS = (0.1, 0.5, 1.0, 5.0, 10.0)  # to which gradients are clipped, mostly

Handed = Callable[[Floats], Floats]  # what a step hands to the one before it, instead


def carry_dropped(case: Case) -> Iterator[Suspect]:
    """Each step for itself: nothing comes back from the step after it."""
    carries = _carries(case)
    if carries:
        yield Suspect(
            "carry gradient dropped",
            _through_time(case, np.zeros_like),
            f"nothing comes back from one step to the one before it, such as to "
            f"{case.called(carries[0])}: each step is differentiated for itself",
            carries[0],
            "what a step remembers has two readers: the loss, or what lies above, and the next "
            "step; start with dh_next = 0, and dh = dh_above + dh_next in each step",
        )


def one_step_only(case: Case) -> Iterator[Suspect]:
    """Of what all steps read, the part of a single one."""
    steps = _by_step(case)
    words = {min(steps, default=0): "first", max(steps, default=0): "last"}
    for time, added in steps.items() if len(steps) > 1 else ():
        word = words.get(time, f"t = {time}")
        yield Suspect(
            f"{word} step only",
            case.carried(case.node, added),
            f"all {len(steps)} steps read {case.called(case.node)}, and only what the {word} one "
            "adds is there",
            case.node,
            "the same weights are used in every step, so their gradient is a sum over the steps: "
            "is there an = where += belongs?",
        )


def clipped(case: Case) -> Iterator[Suspect]:
    """Clipped within the backward pass, or before it is handed in."""
    carries = _carries(case)
    if not carries or case.given.shape != case.expected.shape:
        return
    bound = float(np.max(np.abs(case.given), initial=0.0))
    yield Suspect(
        "clipping in the wrong place",
        np.clip(case.expected, -bound, bound),
        f"the gradient itself is clipped to ±{number_text(bound)}",
        case.node,
        "the gradient is what it is; clip where the step is made of it: "
        "optim.SGD(lr, clip=optim.clip.by_value(5.0))",
    )
    for bound in BOUNDS:
        yield Suspect(
            "clipping in the wrong place",
            _through_time(case, partial(np.clip, a_min=-bound, a_max=bound)),
            f"what goes back from step to step is clipped to ±{number_text(bound)}, so the "
            "gradient is that of no function",
            carries[0],
            "clip once, after the sum over all steps, where the step is made of the gradient",
            number_text(bound),
        )


def step_of(node: Node | None) -> StepScope | None:
    """The innermost step in which a node is computed."""
    scopes = () if node is None else node.origin.scopes
    return next((scope for scope in reversed(scopes) if isinstance(scope, StepScope)), None)


def _goes_back(operand: Node, reader: Node | None) -> bool:
    """Does a contribution go from one step to another one?"""
    computed, read = step_of(operand), step_of(reader)
    return computed is not None and read is not None and computed is not read


def _carries(case: Case) -> Sequence[Node]:
    """What one step computes and another one reads, the last such first."""
    return [
        operand
        for operand, added in case.attempt.contributions.items()
        if any(_goes_back(operand, each.reader) for each in added)
    ]


def _through_time(case: Case, handed: Handed) -> Floats:
    """The gradient, did what goes back from step to step change on its way."""
    steps, passed = case.attempt.steps, case.attempt.steps.passed
    found: dict[Node, Floats] = {passed.loss: np.ones(passed.values[passed.loss].shape)}
    for node in passed.gradients:
        if node is case.node or node not in found:
            continue
        for position, value in steps.pull(node, found[node]).items():
            operand = node.inputs[position]
            part = handed(value) if _goes_back(operand, node) else value
            found[operand] = found[operand] + part if operand in found else part
    return found.get(case.node, np.zeros_like(case.expected))


def _by_step(case: Case) -> dict[int, list[Contribution]]:
    """What each step adds to the gradient of a node that is not computed in one."""
    found: dict[int, list[Contribution]] = {}
    for each in case.attempt.contributions[case.node]:
        step = step_of(each.reader)
        if step is None or step_of(case.node) is not None:
            return {}
        found.setdefault(step.time, []).append(each)
    return found


TIMES: tuple[Mistake, ...] = (carry_dropped, one_step_only, clipped)
