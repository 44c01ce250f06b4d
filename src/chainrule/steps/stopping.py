"""When a training ends before its last epoch: rules that the compiled loop follows by itself.

A rule reads what an epoch has reported and says whether the training is over. What it keeps from
epoch to epoch are slots of the state like any other, so a run that goes on from a state goes on
with them too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Protocol

from chainc.dataclass import dataclass
from chainc.ir import Node, apply
from chainc.ir.errors import InputError
from chainc.ir.leaves import Label, Slot, constant
from chainc.ir.types import TensorType, float64, int64
from chainc.ops import abs, less, less_equal, logical_and, logical_not, logical_or, where
from chainrule.declare import init
from chainrule.declare.arguments import count, is_one_of, number
from chainrule.writing.phrases import listed

__all__ = ["EarlyStopping", "NaNGuard", "TargetValue"]

LARGER_IS_BETTER = ("accuracy", "auc", "f1", "iou", "precision", "r2", "recall", "score", "top_k")
SMALLER_IS_BETTER = ("error", "loss", "mae", "mse", "perplexity", "rmse")


@dataclass(frozen=True)
class Verdict:
    """What a rule says after an epoch.

    Attributes:
        over: is the training over? A Boolean scalar.
        updates: slots, and what they hold from now on.
    """

    over: Node
    updates: Mapping[Node, Node] = field(default_factory=dict)


class StoppingRule(Protocol):
    """A rule for the loop."""

    @property
    def monitor(self) -> str:
        """The name of what it reads: "loss", a metric, or one of them after "val_"."""

    def verdict(self, value: Node, last: Node, states: Sequence[Node]) -> Verdict:
        """What it says of an epoch.

        Args:
            value: what was reported, a float64 scalar.
            last: does the run end with this epoch? A Boolean scalar.
            states: what a prediction reads, as it is after the epoch.
        """


@dataclass(frozen=True)
class EarlyStopping:
    """End when a value has not got better for some epochs in a row (Prechelt, 1998).

    Better is by more than `min_delta` below the best so far, or above it with mode "max". NaN is
    never better.

    Args:
        monitor: "val_loss", or the name of another value that the training reports.
        patience: how many epochs in a row without a better value end the training.
        min_delta: how much better it must be, not negative.
        mode: "min" or "max", which values are better; by default the name of the value decides.
        restore_best: when the training ends, here or with the last epoch, what predictions read,
            such as parameters and running means, is that of the best epoch. The optimizer's own
            slots and the step counter stay as they are. A run that Ctrl-C or a callback ends is
            left as it is.

    Raises:
        InputError: a number is out of range, or `mode` is neither, or is not said where the name
            does not tell.
    """

    monitor: str = "val_loss"
    patience: int = 5
    min_delta: float = 0.0
    mode: str | None = None
    restore_best: bool = False

    def __post_init__(self) -> None:
        _check_name("EarlyStopping", self.monitor)
        hint = "wait for at least one epoch: patience=5"
        count("EarlyStopping", "patience", self.patience, hint=hint)
        hint = "give a number that is not negative, such as min_delta=0.001"
        number("EarlyStopping", "min_delta", self.min_delta, at_least=0, hint=hint)
        _larger_is_better("EarlyStopping", self.monitor, self.mode)

    def verdict(self, value: Node, last: Node, states: Sequence[Node]) -> Verdict:
        sign = -1.0 if _larger_is_better("EarlyStopping", self.monitor, self.mode) else 1.0
        lowest = self._slot("best", TensorType((), float64), init.Fill(math.inf))
        waited = self._slot("waited", TensorType((), int64), init.zeros())
        better = less(sign * value, lowest - self.min_delta)
        best = where(better, sign * value, lowest)
        waiting = where(better, 0, waited + 1)
        over = less_equal(self.patience, waiting)
        updates = {lowest: best, waited: where(over, 0, waiting)}
        if not self.restore_best:
            return Verdict(over, updates)
        restored = logical_and(logical_or(over, last), _is_finite(best))
        for state in states:
            kept = self._slot(f"of_best/{state.op.label}", state.type, init.zeros())
            newest = where(better, state, kept)
            updates |= {kept: newest, state: where(restored, newest, state)}
        return Verdict(over, updates)

    def _slot(self, name: str, type: TensorType, initial: init.Initializer) -> Node:
        return apply(Slot(Label(f"early_stopping/{self.monitor}/{name}"), type, initial))


@dataclass(frozen=True)
class TargetValue:
    """End once a value is as good as wanted: at most `value`, or at least it with mode "max".

    Raises:
        InputError: the value is no finite number, or `mode` is neither, or is not said where the
            name does not tell.
    """

    monitor: str
    value: float
    mode: str | None = None

    def __post_init__(self) -> None:
        _check_name("TargetValue", self.monitor)
        number("TargetValue", "value", self.value, hint="give a finite number, such as 0.98")
        _larger_is_better("TargetValue", self.monitor, self.mode)

    def verdict(self, value: Node, last: Node, states: Sequence[Node]) -> Verdict:
        if _larger_is_better("TargetValue", self.monitor, self.mode):
            return Verdict(less_equal(self.value, value))
        return Verdict(less_equal(value, self.value))


@dataclass(frozen=True)
class NaNGuard:
    """End after the first epoch that reports NaN or infinity."""

    monitor: str = "loss"

    def __post_init__(self) -> None:
        _check_name("NaNGuard", self.monitor)

    def verdict(self, value: Node, last: Node, states: Sequence[Node]) -> Verdict:
        return Verdict(logical_not(_is_finite(value)))


def verdict_of(
    rules: Sequence[StoppingRule],
    reported: Callable[[str], Node],
    last: Node,
    states: Sequence[Node],
) -> Verdict:
    """All rules together: one is enough to end the training.

    Of two rules that restore states the last one has its way.
    """
    over: Node = constant(False)
    updates: dict[Node, Node] = {}
    for rule in rules:
        found = rule.verdict(reported(rule.monitor), last, states)
        over = logical_or(over, found.over)
        updates |= found.updates
    return Verdict(over, updates)


def _is_finite(value: Node) -> Node:
    return less(abs(value), math.inf)


def _check_name(rule: str, monitor: object) -> None:
    if not isinstance(monitor, str) or not monitor:
        raise InputError(
            f"{rule}: {monitor!r} is no name of a value that a training reports",
            hint='give one, such as "val_loss"',
        )


def _larger_is_better(rule: str, monitor: str, mode: str | None) -> bool:
    if mode is not None:
        if not is_one_of(mode, ("min", "max")):
            raise InputError(f"{rule}: mode is {mode!r}", hint='give mode="min" or mode="max"')
        return mode == "max"
    if any(word in monitor for word in SMALLER_IS_BETTER):
        return False
    if any(word in monitor for word in LARGER_IS_BETTER):
        return True
    known = listed([*SMALLER_IS_BETTER, *LARGER_IS_BETTER])
    raise InputError(
        f"{rule}: is a larger or a smaller {monitor!r} better?",
        hint=f'say mode="min" or mode="max"; names with {known} need not',
    )
