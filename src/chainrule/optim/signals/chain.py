"""A chain between the learning rule and the optimizer: what changes the signals on their way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chainc.autodiff import grad
from chainc.ir import Node, describe, scope, topological
from chainc.ir.errors import GraphError
from chainrule.declare.calls import answering
from chainrule.optim.signals.accumulate import Accumulate
from chainrule.optim.signals.rule import Signals
from chainrule.optim.signals.rules import check_signals

__all__ = ["Transform"]

Transform = Callable[[Signals], Signals]
Link = Transform | Node  # a node is a penalty: its derivative is added

HINT = "give transforms and penalties, such as signal=[optim.clip.by_global_norm(1.0)]"


def as_chain(optimizer: str, given: Sequence[Link]) -> tuple[Link, ...]:
    """Transforms and penalties, in the order in which they act.

    Raises:
        GraphError: something else is among them, or two accumulate.
    """
    found: object = given
    if not isinstance(found, Sequence):
        raise GraphError(f"{optimizer}: signal is a {type(found).__name__}, no list", hint=HINT)
    links = tuple(_link(optimizer, each) for each in given)
    if sum(isinstance(link, Accumulate) for link in links) > 1:
        raise GraphError(
            f"{optimizer}: signal accumulates twice",
            hint="accumulate once, over the product of both numbers of batches",
        )
    return links


def _link(optimizer: str, given: Link) -> Link:
    if isinstance(given, Node):
        if given.shape == () and given.type.dtype.is_float:
            return given
        raise GraphError(
            f"{optimizer}: signal holds {describe(given)}, which is no scalar", hint=HINT
        )
    can_be_called = callable(given)
    if not can_be_called:
        raise GraphError(f"{optimizer}: signal holds a {type(given).__name__}", hint=HINT)
    return given


def batches_of(chain: Sequence[Link]) -> int:
    """How many batches make one update."""
    return next((link.batches for link in chain if isinstance(link, Accumulate)), 1)


def through(chain: Sequence[Link], signals: Signals) -> Signals:
    """What the signals are behind the last link.

    Raises:
        GraphError: a transform gives something else, or a penalty reads no parameter.
    """
    for link in chain:
        if isinstance(link, Node):
            signals = _with_penalty(signals, link)
        else:
            signals = _given_by(link, signals)
    return signals


def _with_penalty(signals: Signals, penalty: Node) -> Signals:
    reached = set(topological([penalty]))
    concerned = [parameter for parameter in signals if parameter in reached]
    if not concerned:
        raise GraphError(
            f"signal: the penalty {describe(penalty)} depends on no parameter that is changed",
            hint="compute it from the parameters of this step, or leave it out",
        )
    with scope("penalty"):
        slopes = zip(concerned, grad(penalty, concerned), strict=True)
        return {**signals, **{each: signals[each] + slope for each, slope in slopes}}


def _given_by(transform: Transform, signals: Signals) -> Signals:
    given: object = answering(transform, "a transform")(signals)
    if not isinstance(given, Mapping):
        raise GraphError(
            f"signal: a transform gave a {type(given).__name__}",
            hint="return the signals by parameter, such as {each: 2.0 * signals[each] ...}",
        )
    others = [each for each in given if each not in signals]
    if others:
        shown = describe(others[0]) if isinstance(others[0], Node) else repr(others[0])
        raise GraphError(
            f"signal: a transform gave a signal for {shown}, which had none",
            hint="return signals for the parameters that the transform is given, or fewer",
        )
    if not given:
        raise GraphError(
            "signal: a transform left no parameter to change",
            hint="freeze fewer parameters",
        )
    check_signals(given)
    return given
