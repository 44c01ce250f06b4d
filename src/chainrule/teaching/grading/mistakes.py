"""Mistakes that show in a gradient as a whole: its shape, its sign, its size, its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from chainc.ir.types import format_shape
from chainrule.evaluation.values import Floats
from chainrule.teaching.grading.case import Case, Suspect
from chainrule.writing.array_text import number_text

Mistake = Callable[[Case], Iterator[Suspect]]

ENOUGH = 3  # elements that differ from zero from which any common factor is no coincidence
DEEPEST = 5  # axes up to which sums over all choices of axes are tried


def not_finite(case: Case) -> Iterator[Suspect]:
    wrong = int(np.sum(~np.isfinite(case.given)))
    if wrong and np.isfinite(case.expected).all():
        yield Suspect(
            "not finite",
            case.given,
            f"{wrong} of {case.given.size} elements are NaN or infinite; the right ones are finite",
            case.node,
            "look for a division by zero, the logarithm of 0 or an exponential that overflows: "
            "print your results in the order of your backward pass until the first NaN",
        )


def left_at_zero(case: Case) -> Iterator[Suspect]:
    if case.expected.any():
        yield Suspect(
            "left at zero",
            np.zeros_like(case.expected),
            "every element is 0",
            case.node,
            "is it still the np.zeros_like it began as, or multiplied by a mask that is never on?",
        )


def missing_sum(case: Case) -> Iterator[Suspect]:
    """One gradient for each row, not yet added up: [batch,3] where [3] is due."""
    if case.given.size <= case.expected.size or case.given.ndim > DEEPEST:
        return
    for axes, value in _sums(case.given):
        if value.size != case.expected.size:
            continue
        if np.allclose(value.reshape(case.expected.shape), case.expected, rtol=1e-3):
            yield Suspect(
                "missing sum",
                case.given,
                f"a sum is missing: it has shape {format_shape(case.given.shape)}, "
                f"{case.called(case.node)} has {format_shape(case.expected.shape)}",
                case.node,
                f"in the forward pass it is used once for each position of axis {_listed(axes)}; "
                "what does a fan-out mean for the gradient?",
                str(axes),
            )


def summed_too_much(case: Case) -> Iterator[Suspect]:
    """Summed, or averaged, over an axis that should stay."""
    if not 1 <= case.expected.ndim <= DEEPEST:
        return
    for word, fold in (("summed", np.sum), ("averaged", np.mean)):
        for axes, _ in _sums(case.expected):
            value = np.asarray(fold(case.expected, axis=axes))
            kept = np.asarray(fold(case.expected, axis=axes, keepdims=True))
            shapes = (value, kept, np.broadcast_to(kept, case.expected.shape))
            for gradient in shapes:
                yield Suspect(
                    "summed too much",
                    gradient,
                    f"it is {word} over axis {_listed(axes)}, which should stay: the shape is "
                    f"{format_shape(case.expected.shape)}",
                    case.node,
                    "sum only over axes along which the value was repeated in the forward pass; "
                    "give every sum its axis=",
                    f"{word} {axes}",
                )


def transposed(case: Case) -> Iterator[Suspect]:
    if case.expected.ndim == 2:
        shape = format_shape(case.expected.shape)
        yield Suspect(
            "transposed",
            case.expected.T,
            f"it is the transpose of the right one, which has shape {shape} like the value",
            case.node,
            "write the shape below each factor of the product: (A·B)ᵀ = Bᵀ·Aᵀ, so the order of "
            "the factors and what is transposed belong together",
        )


def reshaped(case: Case) -> Iterator[Suspect]:
    if case.given.size == case.expected.size and case.given.shape != case.expected.shape:
        yield Suspect(
            "shape",
            case.expected.reshape(case.given.shape),
            f"the numbers are right, the shape is not: {format_shape(case.given.shape)} where "
            f"{case.called(case.node)} has {format_shape(case.expected.shape)}",
            case.node,
            "a gradient has the shape of its value; look for keepdims=, reshape or an index "
            "that adds or drops an axis",
        )


def of_another_node(case: Case) -> Iterator[Suspect]:
    named = [
        node for node in case.attempt.contributions if node in case.names and node is not case.node
    ]
    for other in named:
        yield Suspect(
            "of another node",
            case.attempt.expected(other),
            f"this is the gradient of {case.names[other]!r}",
            case.node,
            "compare the order in which gradients are returned with the names they get",
            case.names[other],
        )
    yield Suspect(
        "value, not gradient",
        case.value(case.node),
        "this is the value itself, not its gradient",
        case.node,
        "look at what is stored under this name",
    )


def sign(case: Case) -> Iterator[Suspect]:
    yield Suspect(
        "sign",
        -case.expected,
        "the sign is wrong: every element is the negative of the right one",
        case.node,
        "follow the minus signs of the forward pass, one step at a time; a gradient points "
        "uphill, the step of gradient descent alone goes down",
        source=case.source(),
    )


def factor(case: Case) -> Iterator[Suspect]:
    """A constant that is missing or counted twice."""
    given, expected = case.given, case.expected
    if given.shape != expected.shape or not np.isfinite(given).all():
        return
    usual = {float(n) for n in case.rows}
    usual |= {1 / n for n in usual} | {2.0, 0.5}
    for number in [*sorted(usual), *_common_factor(given, expected)]:
        yield Suspect(
            "constant factor",
            number * expected,
            f"it is {_factor_text(number, case.rows)} times the right one",
            case.node,
            _about_factor(number, case.rows),
            number_text(number, 3),
            case.source(),
        )


def _common_factor(given: Floats, expected: Floats) -> Iterator[float]:
    a, b = given.ravel(), expected.ravel()
    if np.count_nonzero(b) >= ENOUGH and a.any():
        number = float(a @ b / (b @ b))
        if not np.isclose(number, -1):
            yield number


def _factor_text(number: float, rows: tuple[int, ...]) -> str:
    """`1/6`, `6`, `0.03`."""
    parts = [n for n in (*rows, 2) if np.isclose(number, 1 / n)]
    return f"1/{parts[0]}" if parts else number_text(number)


def _about_factor(number: float, rows: tuple[int, ...]) -> str:
    if number < 0:
        return f"the sign is wrong; and {_about_factor(-number, rows)}"
    if any(np.isclose(number, n) for n in rows):
        return "the loss is a mean: who divides by the number of rows?"
    if any(np.isclose(number, 1 / n) for n in rows):
        return (
            "the 1/N of the mean is in the gradient from above already: it must not come in "
            "again; where the rows meet, they add up"
        )
    if np.isclose(number, 0.5) or np.isclose(number, 2):
        return "look for the 2 of a square, or a ½ in the loss"
    return "look for a constant that is missing or counted twice; is a learning rate in it?"


def _sums(value: Floats) -> Iterator[tuple[tuple[int, ...], Floats]]:
    """Sums over every choice of axes."""
    for count in range(1, value.ndim + 1):
        for axes in combinations(range(value.ndim), count):
            if value.size:
                yield axes, np.asarray(np.sum(value, axis=axes))


def _listed(axes: tuple[int, ...]) -> str:
    return " and ".join(map(str, axes))


FIRST: tuple[Mistake, ...] = (not_finite, left_at_zero, missing_sum)
LAST: tuple[Mistake, ...] = (
    transposed,
    reshaped,
    sign,
    factor,
    of_another_node,
    summed_too_much,
)
