"""What a declared training does after each epoch, as nodes over what the epoch has reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chainc.dataclass import dataclass
from chainc.ir import Node, apply
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input
from chainc.ir.types import TensorType, bool_, float64
from chainrule.steps.stopping import StoppingRule, Verdict, verdict_of

VALIDATION = "val_"  # begins the names of what is reported of the validation data


@dataclass(frozen=True, eq=False)
class Ending:
    """The rules of a training after each epoch.

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
    rules: Sequence[StoppingRule], outputs: Mapping[str, Node], states: Sequence[Node]
) -> Ending | None:
    """What the rules do after an epoch; None without any.

    Args:
        rules: of the training.
        outputs: what it reports, by name.
        states: what predictions read.

    Raises:
        InputError: a rule reads what is not reported, or is no scalar.
    """
    if not rules:
        return None
    reported = {rule.monitor: _reported(rule.monitor, outputs) for rule in rules}
    last = apply(Input("epoch/last", TensorType((), bool_)))
    return Ending(verdict_of(rules, reported.__getitem__, last, states), reported, last)


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
