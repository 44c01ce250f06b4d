"""Several optimizers in one step, each for its own parameters."""

from __future__ import annotations

from collections.abc import Sequence

from chainc.dataclass import dataclass
from chainc.ir import Node, describe
from chainc.ir.errors import GraphError
from chainrule.optim.optimizers.changes import step_of
from chainrule.optim.optimizers.minimizer import Minimizer
from chainrule.optim.optimizers.optimizer import Optimizer
from chainrule.optim.signals.chain import Link, as_chain, batches_of, through
from chainrule.optim.signals.rule import Signals
from chainrule.optim.signals.rules import check_signals, require_parameter
from chainrule.steps.step import Step

__all__ = ["groups"]

Group = tuple[Sequence[Node], Optimizer]

HINT = "give pairs, such as optim.groups((biases, optim.SGD(0.2)), optim.SGD(0.1))"


@dataclass(frozen=True, eq=False)
class Groups(Minimizer):
    """Optimizers, each with its parameters; one without any has all others."""

    parts: tuple[tuple[frozenset[Node] | None, Optimizer], ...]
    signal: Sequence[Link] = ()

    def step(self, loss: Node, signals: Signals) -> Step:
        check_signals(signals)
        signals = through(self.signal, signals)
        self._refuse_absent(signals)
        batches = batches_of(self.signal)
        found = [
            optimizer.changes({each: signals[each] for each in mine}, batches, f"_{number}")
            for number, (mine, optimizer) in enumerate(self._shares(signals), start=1)
            if mine
        ]
        return step_of(loss, found)

    def _shares(self, signals: Signals) -> list[tuple[list[Node], Optimizer]]:
        """Every parameter with its optimizer, in the order of the signals."""
        named = {each for parameters, _ in self.parts for each in parameters or ()}
        others = [each for each in signals if each not in named]
        if others and all(parameters is not None for parameters, _ in self.parts):
            raise GraphError(
                f"groups: {describe(others[0])} is in no group",
                hint="give an optimizer without parameters as well: it changes all others",
            )
        return [
            (others if mine is None else [each for each in signals if each in mine], optimizer)
            for mine, optimizer in self.parts
        ]

    def _refuse_absent(self, signals: Signals) -> None:
        for parameters, _ in self.parts:
            for parameter in parameters or ():
                if parameter not in signals:
                    raise GraphError(
                        f"groups: {describe(parameter)} is not among the parameters of the step",
                        hint="leave it out of its group, or compute the loss from it",
                    )


def groups(*parts: Group | Optimizer, signal: Sequence[Link] = ()) -> Groups:
    """Several optimizers or rates in one step.

        biases = [p for p in model.parameters() if p.ndim == 1]
        optim.groups((biases, optim.SGD(0.2)), optim.AdamW(1e-3)).minimize(loss)

    Hyperparameters have the number of their part at the end: lr_1, lr_2.

    Args:
        parts: parameters with the optimizer that changes them; an optimizer alone changes those
            that no other part names. The `signal` of an optimizer acts on its own part.
        signal: as of an optimizer, before the parts: a common norm is that of all parameters.

    Raises:
        GraphError: something else is given, or a parameter is in two parts.
    """
    found = tuple(_part(each) for each in parts)
    if not found or sum(parameters is None for parameters, _ in found) > 1:
        what = "more than one optimizer has no parameters" if found else "there is no optimizer"
        raise GraphError(f"groups: {what}", hint=HINT)
    seen: set[Node] = set()
    for parameters, _ in found:
        for twice in seen & (parameters or frozenset()):
            raise GraphError(
                f"groups: {describe(twice)} is in two groups", hint="leave it out of one of them"
            )
        seen |= parameters or frozenset()
    chain = as_chain("groups", signal)
    if batches_of(chain) > 1 and any(batches_of(part.signal) > 1 for _, part in found):
        raise GraphError(
            "groups: signal accumulates, and that of an optimizer as well",
            hint="accumulate in one of the two",
        )
    return Groups(found, chain)


def _part(given: Group | Optimizer) -> tuple[frozenset[Node] | None, Optimizer]:
    if isinstance(given, Optimizer):
        return None, given
    pair: object = given
    if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[1], Optimizer):
        raise GraphError(
            f"groups: a {type(pair).__name__} is no pair of parameters and an optimizer", hint=HINT
        )
    parameters, optimizer = given
    return frozenset(require_parameter("groups", each) for each in parameters), optimizer
