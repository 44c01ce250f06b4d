"""What a declared training does after each epoch, as nodes over what the epoch has reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.ir import Node, apply
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input, first_value, run_seed
from chainc.ir.types import TensorType, bool_, float64
from chainrule.steps.stopping import StoppingRule, Verdict, verdict_of

VALIDATION = "val_"  # begins the names of what is reported of the validation data


@dataclass(frozen=True, eq=False)
class Ending:
    """The rules of a training after each epoch, and what begins the next one anew.

    Attributes:
        verdict: what they say together.
        reported: the inputs that stand for what an epoch has reported, by name.
        last: the input that says whether the run ends with the epoch.
    """

    verdict: Verdict
    reported: Mapping[str, Node]
    last: Node

    @property
    def needs_validation(self) -> bool:
        """Does a rule read what only validation data give?"""
        return any(name.startswith(VALIDATION) for name in self.reported)


def rules_of(given: object) -> tuple[StoppingRule, ...]:
    """A rule, or several.

    Raises:
        InputError: something is no rule.
    """
    rules = () if given is None else tuple(given) if isinstance(given, list | tuple) else (given,)
    for rule in rules:
        if not hasattr(rule, "monitor") or not hasattr(rule, "verdict"):
            raise InputError(
                f"training: {rule!r} does not say when to stop",
                hint='give a rule, such as stop=cr.EarlyStopping("val_loss", patience=5)',
            )
    return rules


def ending_of(
    rules: Sequence[StoppingRule],
    outputs: Mapping[str, Node],
    states: Sequence[Node],
    passing: Sequence[Node],
) -> Ending:
    """What is done after an epoch.

    Args:
        rules: of the training.
        outputs: what it reports, by name.
        states: what predictions read.
        passing: slots that have their first values again.

    Raises:
        InputError: a rule reads what is not reported, or is no scalar.
    """
    reported = {rule.monitor: _reported(rule.monitor, outputs) for rule in rules}
    last = apply(Input("epoch/last", TensorType((), bool_)))
    verdict = verdict_of(rules, reported.__getitem__, last, states)
    begun = {slot: first_value(slot, run_seed()) for slot in passing}
    return Ending(replace(verdict, updates={**verdict.updates, **begun}), reported, last)


def _reported(name: str, outputs: Mapping[str, Node]) -> Node:
    node = outputs.get(name.removeprefix(VALIDATION))
    if node is None:
        known = ", ".join([*outputs, *(f"{VALIDATION}{output}" for output in outputs)])
        raise InputError(
            f"training: stop reads {name!r}, which this training does not report",
            hint=f"it reports {known}; add a metric with metrics={{...}}",
        )
    if node.shape != ():
        raise InputError(
            f"training: stop reads {name!r}, which is no scalar",
            hint="read a metric that is one number an epoch",
        )
    return apply(Input(f"epoch/{name}", TensorType((), float64)))
