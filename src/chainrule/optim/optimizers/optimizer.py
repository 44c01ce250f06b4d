"""Optimizers: what becomes of each parameter and its signal in a step.

The signals and the updates are nodes like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from chainc.dataclass import dataclass
from chainc.ir import Node, scope
from chainc.ir.errors import GraphError
from chainc.ir.types import float32, float64
from chainc.ops import astype, where
from chainc.ops.movement import as_flag
from chainrule.declare.arguments import number
from chainrule.declare.leaves import step_counter
from chainrule.optim.constraints import Constraint, as_constraints, constrained
from chainrule.optim.hyperparameters import Hyperparameters
from chainrule.optim.optimizers.changes import Changes, step_of
from chainrule.optim.optimizers.minimizer import Minimizer
from chainrule.optim.signals.accumulate import is_due
from chainrule.optim.signals.chain import Link, Transform, as_chain, batches_of, through
from chainrule.optim.signals.rule import Signals
from chainrule.optim.signals.rules import check_signals
from chainrule.steps.step import Step

if TYPE_CHECKING:
    from chainrule.optim.averages import Average
    from chainrule.optim.schedules.schedule import ScheduleLike

__all__ = ["Optimizer"]


@dataclass(frozen=True)
class Optimizer(Minimizer):
    """How a signal changes a parameter. A subclass says it in `updates`, for one parameter.

    Attributes:
        lr: the learning rate, a positive number or a schedule.
        signal: what changes the signals before they are used, in this order: transforms, such as
            `optim.clip.by_global_norm(1.0)`, or penalties, scalar nodes whose derivatives are added
            and which are no part of the loss that is reported.
        clip: the same for the transform that is last of them, such as
            `optim.clip.by_global_norm(1.0)`.
        maximize: make the loss larger instead; what is reported is the loss itself.
        constraints: what the new weights are moved to, in this order, such as
            `regularize.max_norm(3.0)`.
        average: an average to keep of each parameter, such as `optim.averages.ema(0.999)`.
    """

    lr: float | ScheduleLike
    signal: Sequence[Link] = field(default=(), kw_only=True)
    clip: Transform | None = field(default=None, kw_only=True)
    maximize: bool = field(default=False, kw_only=True)
    constraints: Sequence[Constraint] = field(default=(), kw_only=True)
    average: Average | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        name = type(self).__name__
        if not callable(self.lr):
            hint = "give a small positive number, such as lr=0.1, or a schedule"
            number(name, "lr", self.lr, above=0, hint=hint)
        as_flag(name, "maximize", self.maximize)
        _check_average(name, self.average)
        object.__setattr__(self, "signal", as_chain(name, self.signal))
        _check_clip(name, self.clip)
        as_chain(name, self._chain)
        object.__setattr__(self, "constraints", as_constraints(name, self.constraints))

    @property
    def _chain(self) -> Sequence[Link]:
        return self.signal if self.clip is None else (*self.signal, self.clip)

    def scalars(self, hyperparameters: Hyperparameters) -> Mapping[str, Node]:
        """The scalar nodes that `updates` reads."""
        return {"lr": hyperparameters.rate(self.lr)}

    def updates(
        self, parameter: Node, gradient: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        """The new values of one parameter and of the slots kept beside it."""
        raise GraphError(
            f"{type(self).__name__}: it does not say how a parameter changes",
            hint="use an optimizer, such as optim.SGD(lr=0.1), or define "
            "updates(self, parameter, signal, scalars) in a subclass",
        )

    def step(self, loss: Node, signals: Signals) -> Step:
        check_signals(signals)
        return step_of(loss, [self.changes(signals)])

    def changes(self, signals: Signals, batches: int = 1, suffix: str = "") -> Changes:
        """What becomes of each parameter by its signal: all of a step but its loss.

        Args:
            signals: by parameter.
            batches: how many steps make one update, if `signal` does not say it.
            suffix: the end of the hyperparameters' names.
        """
        wide = any(parameter.type.dtype == float64 for parameter in signals)
        due = max(batches, batches_of(self._chain))
        hyperparameters = Hyperparameters(float64 if wide else float32, due, suffix)
        updates: dict[Node, Node] = {}
        with scope(type(self).__name__.lower()):
            if self.maximize:
                signals = {parameter: -signal for parameter, signal in signals.items()}
            signals = through(self._chain, signals)
            scalars = self.scalars(hyperparameters)
            for parameter, signal in signals.items():
                updates.update(self._update(parameter, signal, scalars))
            updates = constrained(updates, list(signals), self.constraints)
            averages = self._averages({each: updates[each] for each in signals}, hyperparameters)
            updates.update(dict(averages.values()))
            updates.update(hyperparameters.kept)
            if due > 1:
                updates = {slot: where(is_due(due), new, slot) for slot, new in updates.items()}
            updates[step_counter()] = step_counter() + 1
        kept = {parameter: slot for parameter, (slot, _) in averages.items()}
        return Changes(updates, signals, hyperparameters.inputs, kept)

    def _averages(
        self, moved: Mapping[Node, Node], hyperparameters: Hyperparameters
    ) -> Mapping[Node, tuple[Node, Node]]:
        """By parameter, the state that holds its average, and the new value."""
        if self.average is None:
            return {}
        done = hyperparameters.updates_done + 1
        return {each: self.average.update(each, new, done) for each, new in moved.items()}

    def _update(
        self, parameter: Node, signal: Node, scalars: Mapping[str, Node]
    ) -> Mapping[Node, Node]:
        dtype = parameter.type.dtype
        own = {name: astype(scalar, dtype) for name, scalar in scalars.items()}
        return self.updates(parameter, signal, own)


def _check_clip(optimizer: str, given: object) -> None:
    can_be_called = callable(given)
    if given is not None and (isinstance(given, Node) or not can_be_called):
        raise GraphError(
            f"{optimizer}: clip is a {type(given).__name__}",
            hint="give a transform, such as clip=optim.clip.by_global_norm(1.0)",
        )


def _check_average(optimizer: str, given: object) -> None:
    if given is None:
        return
    from chainrule.optim.averages import Average  # who has none does not load it

    if not isinstance(given, Average):
        raise GraphError(
            f"{optimizer}: average is a {type(given).__name__}",
            hint="give one, such as average=optim.averages.ema(0.999)",
        )
