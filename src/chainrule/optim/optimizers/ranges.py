"""Checks of the numbers that several optimizers have."""

from __future__ import annotations

from chainc.ir.errors import InputError
from chainrule.declare.arguments import number, shown


def share_below_one(optimizer: str, name: str, value: object, hint: str) -> None:
    """A share that is kept from step to step: from 0 to below 1.

    Raises:
        InputError: it is none.
    """
    number(optimizer, name, value, at_least=0, below=1, hint=hint)


def betas_below_one(optimizer: str, given: object, usual: tuple[float, float]) -> None:
    """Two such shares, of a mean and of a second one.

    Raises:
        InputError: they are none.
    """
    hint = f"give betas={usual}"
    if not isinstance(given, tuple) or len(given) != 2:
        raise InputError(f"{optimizer}: betas must be two numbers, got {shown(given)}", hint=hint)
    for position, beta in enumerate(given):
        share_below_one(optimizer, f"betas[{position}]", beta, hint)


def above_zero(optimizer: str, name: str, value: object, usual: float) -> None:
    """A positive number.

    Raises:
        InputError: it is none.
    """
    number(optimizer, name, value, above=0, hint=f"give {name}={usual:g}")


def at_least_zero(optimizer: str, name: str, value: object, usual: float) -> None:
    """A number that is not negative.

    Raises:
        InputError: it is negative, or none.
    """
    number(optimizer, name, value, at_least=0, hint=f"give {name}={usual:g}, or 0 for none")
