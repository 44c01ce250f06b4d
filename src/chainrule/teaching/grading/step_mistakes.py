"""Mistakes in a single chain-rule step: the local derivative, or what it is multiplied by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from chainc.ir import Node
from chainc.ops.arithmetic import Divide
from chainc.ops.contract import Contract
from chainc.ops.elementwise import Binary, Unary
from chainc.ops.reduce import Sum
from chainrule.evaluation.values import Floats
from chainrule.teaching.grading.case import Case, Site, Suspect
from chainrule.teaching.grading.mistakes import Mistake
from chainrule.writing.array_text import number_text


def missing_step(case: Case) -> Iterator[Suspect]:
    """What comes from above handed on unchanged."""
    for site in case.sites():
        above, reader = site.above, site.reader
        gradient = case.instead(site, above) if above.shape == site.added.value.shape else None
        if gradient is not None and isinstance(reader.op, (Unary, Binary)):
            kind, what, hint = _about_missing_step(case, site)
            yield Suspect(kind, gradient, what, reader, hint, str(site.added.position))


def _about_missing_step(case: Case, site: Site) -> tuple[str, str, str]:
    reader = site.reader
    if len(reader.inputs) == 1:
        return (
            "missing local derivative",
            f"the derivative of {case.called(reader)} is missing: the gradient from above is "
            "handed on unchanged",
            "the chain rule multiplies by the local derivative at every node on the way back",
        )
    if np.allclose(site.added.value, -site.above):
        return (
            "sign",
            f"a minus sign is lost at {case.called(reader)}",
            "what is the derivative of a − b with respect to b?",
        )
    other = reader.inputs[1 - site.added.position]
    if other in case.attempt.contributions or case.value(other).size > 1:
        return (
            "missing factor",
            f"at {case.called(reader)} the gradient from above is handed on unchanged",
            f"what is the derivative of {reader.op.label}(a, b) with respect to each of the two?",
        )
    number = number_text(case.value(other).item())
    if isinstance(reader.op, Divide) and isinstance(reader.inputs[0].op, Sum):
        return (
            "missing 1/N",
            f"the 1/N of the mean is missing: nothing is divided by {number}",
            "the loss is an average: how much does a single row count in it?",
        )
    return (
        "missing constant",
        f"the constant {number} of {case.called(reader)} is missing",
        "a constant that multiplies or divides stays when one differentiates",
    )


def constant_twice(case: Case) -> Iterator[Suspect]:
    for site in case.sites():
        reader, added = site.reader, site.added
        if not isinstance(reader.op, Binary) or added.value.shape != case.value(reader).shape:
            continue
        other = reader.inputs[1 - added.position]
        if other in case.attempt.contributions or case.value(other).size > 1:
            continue
        again = case.attempt.steps.pull(reader, added.value)[added.position]
        gradient = case.instead(site, again)
        if gradient is not None:
            number = number_text(case.value(other).item())
            yield Suspect(
                "constant counted twice",
                gradient,
                f"the constant {number} of {case.called(reader)} is counted twice",
                reader,
                "it comes in once, where the forward pass has it: is it in the gradient from "
                "above already?",
                str(added.position),
            )


def missing_upstream(case: Case) -> Iterator[Suspect]:
    """The local derivative alone."""
    for site in case.sites():
        if not isinstance(site.reader.op, (Unary, Binary, Contract)):
            continue
        alone = case.attempt.steps.pull(site.reader, np.ones(site.above.shape))
        gradient = case.instead(site, alone[site.added.position])
        if gradient is not None:
            yield Suspect(
                "missing upstream gradient",
                gradient,
                f"the local derivative of {case.called(site.reader)} is there, but not the "
                "gradient that comes from above",
                site.reader,
                "chain rule: upstream gradient times local derivative",
                str(site.added.position),
            )


def wrong_derivative(case: Case) -> Iterator[Suspect]:
    """The derivative of an activation taken at its output instead of its input, or another one."""
    for site in case.sites():
        if not isinstance(site.reader.op, Unary):
            continue
        yield from _at_another_point(case, site)
        yield from _of_another_form(case, site)


def _at_another_point(case: Case, site: Site) -> Iterator[Suspect]:
    reader, steps = site.reader, case.attempt.steps
    operand = reader.inputs[0]
    x, y = case.value(operand), case.value(reader)
    points: Mapping[str, Mapping[Node, Floats]] = {
        "its output instead of its input": {operand: y, reader: steps.apply(reader, y)},
        "the output in place of x": {operand: y},
        "its input instead of its output": {reader: x},
    }
    for words, values in points.items():
        added = steps.pull(reader, site.above, values)[site.added.position]
        gradient = case.instead(site, added)
        if gradient is not None:
            yield Suspect(
                "derivative at the wrong place",
                gradient,
                f"the derivative of {case.called(reader)} is taken at {words}",
                reader,
                "is your formula for the derivative written in the input z or in the output a, "
                "and which of the two do you put in?",
                words,
            )


def _of_another_form(case: Case, site: Site) -> Iterator[Suspect]:
    x, y = case.value(site.reader.inputs[0]), case.value(site.reader)
    forms: Mapping[str, Floats] = {
        "a": y,
        "1 − a": 1 - y,
        "a·(1 − a)": y * (1 - y),
        "1 − a²": 1 - y * y,
        "a²": y * y,
        "1 + a²": 1 + y * y,
        "z": x,
        "1 where z > 0, else 0": (x > 0).astype(np.float64),
        "1 where z < 0, else 0": (x < 0).astype(np.float64),
    }
    for formula, derivative in forms.items():
        gradient = case.instead(site, site.above * derivative)
        if gradient is not None:
            yield Suspect(
                "local derivative",
                gradient,
                f"the local derivative of {case.called(site.reader)} is taken as {formula}, where "
                "z is its input and a its output",
                site.reader,
                f"write {site.reader.op.label} down as a formula, and differentiate it once more",
                formula,
            )


def inverted_mask(case: Case) -> Iterator[Suspect]:
    """Gradients that pass where they should stop, and stop where they should pass."""
    for site in case.sites():
        value, above = site.added.value, site.above
        if value.shape != above.shape or not np.all((value == 0) | (value == above)):
            continue
        gradient = case.instead(site, above - value)
        if gradient is not None and isinstance(site.reader.op, Unary):
            yield Suspect(
                "inverted mask",
                gradient,
                f"the mask of {case.called(site.reader)} is inverted: the gradient passes where "
                "the input is negative",
                site.reader,
                "look at the comparison: the gradient passes where the value did",
            )


LOCAL: tuple[Mistake, ...] = (
    missing_step,
    inverted_mask,
    wrong_derivative,
    constant_twice,
    missing_upstream,
)
