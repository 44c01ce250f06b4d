"""What plots are given: numbers and states, checked before anything is computed or drawn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainc.ir.errors import InputError
from chainrule.compiled.state import State
from chainrule.declare.arguments import array, several, text
from chainrule.evaluation.values import Floats


def numbers(function: str, name: str, value: object, *, rank: int, hint: str) -> Floats:
    """Finite numbers as float64, of the given rank and not empty.

    Raises:
        InputError: they are not; the message says `function: name ...`.
    """
    given = array(function, name, value)
    if given.ndim != rank or not given.size:
        raise InputError(
            f"{function}: {name} has shape {list(given.shape)}, not {rank} axes with elements",
            hint=hint,
        )
    converted = given.astype(np.float64)
    if not np.isfinite(converted).all():
        raise InputError(f"{function}: {name} holds NaN or infinities", hint=hint)
    return converted


def texts(function: str, name: str, value: object) -> list[str]:
    """Several strings.

    Raises:
        InputError: it is no list of them.
    """
    hint = f'give a list of words: {name}=["first", "second"]'
    return [text(function, name, each) for each in several(function, name, value, hint=hint)]


def as_states(function: str, states: object) -> tuple[State, ...]:
    """One or more states as a tuple.

    Raises:
        InputError: there is none, or something is no state.
    """
    given = [states] if isinstance(states, State) else states
    found = list(given) if isinstance(given, Sequence) else [given]
    others = [type(item).__name__ for item in found if not isinstance(item, State)]
    if others or not found:
        raise InputError(
            f"{function}: states holds {others[0] if others else 'nothing'}, not states",
            hint="give recording.states of cr.plots.record(program, data, epochs=20)",
        )
    return tuple(state for state in found if isinstance(state, State))


def at_most(function: str, name: str, found: int, most: int, hint: str) -> None:
    """Refuse an empty collection, or more than can be told apart in a picture.

    Raises:
        InputError: `found` is not from 1 to `most`.
    """
    if not 1 <= found <= most:
        raise InputError(f"{function}: {found} {name}, not from 1 to {most}", hint=hint)
