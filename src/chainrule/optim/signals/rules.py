"""Signals: what tells each parameter how to change. Backpropagation is one rule that gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from chainc.autodiff import grad
from chainc.ir import Node, describe, topological
from chainc.ir.errors import GradientError, GraphError
from chainc.ir.leaves import Slot
from chainrule.declare.arguments import mapping, several
from chainrule.declare.calls import answering
from chainrule.declare.derivatives import node_of, nodes_of
from chainrule.optim.signals.rule import Objective, Rule, Signals

__all__ = ["LearningRule", "Signals", "backprop"]

# From a loss and the parameters to change, a signal for each of them.
LearningRule = Callable[[Node, Sequence[Node]], Signals] | Rule


def backprop(loss: Node, parameters: Sequence[Node]) -> Signals:
    """The derivative of the loss for each parameter.

    Raises:
        GradientError: the loss is no scalar, or does not depend on a parameter.
    """
    node_of("backprop", loss)
    nodes_of("backprop", parameters)
    try:
        return dict(zip(parameters, grad(loss, parameters), strict=True))
    except GradientError as error:
        hint = "change others only: minimize(loss, parameters=[...])"
        raise GradientError(
            error.what, where=error.where, hint=hint if loss.shape == () else error.hint
        ) from None


def parameters_of(loss: Node, given: Sequence[Node] | None) -> tuple[Node, ...]:
    """The parameters to change: those given, or every trainable state that the loss reads.

    Raises:
        GraphError: there are none, or one that is given is no parameter.
    """
    if given is None:
        node_of("minimize", loss)
        reached = topological([loss])
        chosen = [n for n in reached if isinstance(n.op, Slot) and n.op.trainable]
    else:
        hint = "give a list of nodes, such as model.parameters()"
        listed = several("minimize", "parameters", given, hint=hint)
        chosen = [require_parameter("minimize", node) for node in listed]
    if not chosen:
        raise GraphError(
            f"minimize: there is no parameter to change in {describe(loss)}",
            hint="compute the loss from cr.parameter or a layer such as nn.Linear",
        )
    return tuple(dict.fromkeys(chosen))


def signals_for(rule: LearningRule, objective: Objective) -> Signals:
    """What a rule gives, in the order of the parameters; last, those of its own parameters.

    Raises:
        GraphError: it gives something else than a signal for each of them.
    """
    given: object = _asked(rule, objective)
    parameters = objective.parameters
    if not isinstance(given, Mapping):
        raise GraphError(
            f"minimize: the learning rule gave a {type(given).__name__}",
            hint="return the signals by parameter, such as {weight: cr.grad(loss, weight)}",
        )
    for parameter in parameters:
        if parameter not in given:
            raise GraphError(
                f"minimize: the learning rule gave no signal for {describe(parameter)}",
                hint="return one for every parameter that the rule is given",
            )
    if len(given) > len(parameters) and not isinstance(rule, Rule):
        raise GraphError(
            f"minimize: the learning rule gave {len(given)} signals for "
            f"{len(parameters)} parameters",
            hint="return one for every parameter that the rule is given, and no others",
        )
    return {parameter: given[parameter] for parameter in dict.fromkeys((*parameters, *given))}


def _asked(rule: LearningRule, objective: Objective) -> Signals:
    if isinstance(rule, Rule):
        return rule.signals(objective)
    if not callable(rule):
        raise GraphError(
            f"minimize: a {type(rule).__name__} is no learning rule",
            hint="give a function of the loss and its parameters, such as optim.backprop, "
            "or a rule, such as learning.FeedbackAlignment()",
        )
    return answering(rule, "the learning rule")(objective.loss, objective.parameters)


def check_signals(signals: Signals) -> None:
    """Every parameter can follow its signal.

    Raises:
        GraphError: there is none, a key is no parameter, or a signal has another type than its own.
    """
    mapping("step", "signals", signals, hint="give what optim.backprop gives")
    if not signals:
        raise GraphError("step: there is no signal", hint="give one for each parameter")
    for parameter, signal in signals.items():
        require_parameter("step", parameter)
        given: object = signal
        if not isinstance(given, Node):
            raise GraphError(
                f"a {type(given).__name__} is no signal for {describe(parameter)}",
                hint=f"give a node of type {parameter.type}",
            )
        if given.type != parameter.type:
            raise GraphError(
                f"{describe(given)} is no signal for {describe(parameter)}",
                hint=f"give a node of the parameter's type, {parameter.type}",
            )


def require_parameter(function: str, node: object) -> Node:
    if not isinstance(node, Node):
        raise GraphError(
            f"{function}: a {type(node).__name__} is no parameter",
            hint="give nodes, such as model.parameters()",
        )
    if not isinstance(node.op, Slot) or not node.type.dtype.is_float:
        raise GraphError(
            f"{function}: {describe(node)} is no parameter",
            hint="give floating-point parameters, such as model.parameters(); "
            "the derivative for anything else is cr.grad(loss, node)",
        )
    return node
