"""What watches a fit: rules that the compiled loop follows, and what Python does between epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

import numpy as np

from chainc.ir.errors import InputError
from chainrule.compiled.callbacks.calling import Callback, FinishedEpoch, checked_callbacks
from chainrule.compiled.callbacks.turns import Turns
from chainrule.compiled.state import State
from chainrule.declare.calls import answering
from chainrule.reports.columns import Value
from chainrule.steps.stopping import StoppingRule
from chainrule.writing.terminal import Tick

Callbacks = Callback | StoppingRule | Sequence[Callback | StoppingRule]


def sorted_callbacks(given: Callbacks) -> tuple[tuple[StoppingRule, ...], tuple[Callback, ...]]:
    """The rules for the loop, and the others."""
    listed = given if isinstance(given, list | tuple) else (given,)
    rules = tuple(each for each in listed if _is_rule(each))
    return rules, tuple(each for each in listed if _is_for_python(each))


def _is_rule(callback: object) -> TypeGuard[StoppingRule]:
    return hasattr(callback, "verdict")


def _is_for_python(callback: object) -> TypeGuard[Callback]:
    return not _is_rule(callback)


def callbacks_for_batches(given: Callbacks, *, resumed: bool) -> tuple[Callback, ...]:
    """Those of a fit on batches as they come.

    Raises:
        InputError: there are rules, which compiled loops follow, or something cannot be called.
    """
    rules, between = sorted_callbacks(given)
    if rules:
        raise InputError(
            f"fit: {type(rules[0]).__name__} is for arrays, and without y there are batches",
            hint="give a function of an epoch that returns True to end the training",
        )
    if resumed:
        raise InputError(
            "fit: how many epochs are left is not known, for without y there are batches",
            hint="go on with trainer.load(path), and say how many with epochs=",
        )
    checked_callbacks(between)
    return between


@dataclass(eq=False)
class Watched:
    """The end of each step and each epoch of a fit on batches.

    Attributes:
        epochs: that there will be.
        callbacks: what Python does between them.
        tick: shows how far it is.
        stop: asked before every step: has Ctrl-C been pressed?
    """

    epochs: int
    callbacks: Sequence[Callback]
    tick: Tick
    stop: Callable[[], bool]
    done: int = 0
    steps: int = 0
    values: Mapping[str, Value] = field(default_factory=dict)
    over: bool = False
    _after_epochs: Turns = field(init=False)
    _after_steps: Turns = field(init=False)

    def __post_init__(self) -> None:
        self._after_epochs = Turns.after_epochs(self.callbacks)
        self._after_steps = Turns.after_steps(self.callbacks)

    def after_step(self, state: Callable[[], State]) -> bool:
        """Tell of a step: does the fit end with it?"""
        self.steps += 1
        if due := self._after_steps.taken(self.steps):
            self._call(due, state())
        return self.is_over()

    def is_over(self) -> bool:
        """Has a callback ended the fit, or Ctrl-C?"""
        return self.over or self.stop()

    def ended(self, values: Mapping[str, Value], state: State) -> bool:
        """Tell of an epoch that is over: does the fit end with it?"""
        self.done += 1
        self.tick(1, {name: float(v) for name, v in values.items() if np.ndim(v) == 0})
        self.values = values
        self._call(self._after_epochs.taken(self.done), state)
        return self.is_over()

    def _call(self, due: Sequence[Callback], state: State) -> None:
        epoch = FinishedEpoch(self.done, self.epochs, self.values, state)
        answers = [bool(answering(each, "a callback")(epoch)) for each in due]
        self.over = any(answers) or self.over
