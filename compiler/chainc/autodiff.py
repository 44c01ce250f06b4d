"""Differentiation: a graph in, a graph out.

The driver walks the graph backwards, sums the contributions at every fan-out, undoes
broadcasting, and asks each op for its one-line `vjp`. Nothing else in the compiler does any
of the three.

What flows into one form of a node with two counts in the mode of that form alone. So a node that
both forms read has a derivative with two forms, and no form is differentiated for the other mode.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial, reduce
from typing import overload

from chainc.dataclass import dataclass
from chainc.interpreters.symbolic import symbolic_vjp
from chainc.ir import Derivative, Later, Node, Origin, describe, originating, topological
from chainc.ir.errors import GradientError
from chainc.ir.leaves import constant
from chainc.ops import astype, stop_gradient, sum
from chainc.ops.elementwise import Elementwise
from chainc.ops.movement import broadcast_to, reshape
from chainc.ops.runs.modes import EVERY_MODE, MODES, Modes, by_mode, modes_that_read, only_in
from chainc.ops.runs.scan import Scan


@dataclass(frozen=True)
class Contribution:
    """What one reader of a node adds to the node's cotangent.

    Attributes:
        cotangent: a node of the type of the one read.
        reader: who reads; None for the cotangent that an output starts with.
        position: which operand of the reader it is.
        modes: those in which it is added.
    """

    cotangent: Node
    reader: Node | None = None
    position: int = 0
    modes: Modes = EVERY_MODE


@dataclass(frozen=True)
class Pullback:
    """Cotangents of all nodes between some outputs and `wrt`.

    Attributes:
        totals: the cotangent of each node.
        contributions: what each total is the sum of, in the order in which it is added up.
    """

    totals: Mapping[Node, Node]
    contributions: Mapping[Node, Sequence[Contribution]]


def pull_back(
    outputs: Sequence[Node],
    wrt: Sequence[Node],
    cotangents: Sequence[Node],
    modes: Modes = EVERY_MODE,
) -> Pullback:
    """Pull the outputs' cotangents back through every node that leads from `wrt` to them.

    Only what counts in one of `modes` is followed.

    Raises:
        GradientError: a cotangent has another type than its output.
    """
    _check_cotangents(outputs, cotangents)
    order = topological(outputs)
    reached = _depending_on(order, wrt)
    contributions: dict[Node, list[Contribution]] = {}
    for output, cotangent in zip(outputs, cotangents, strict=True):
        contributions.setdefault(output, []).append(Contribution(cotangent, modes=modes))
    totals: dict[Node, Node] = {}
    for node in reversed(order):
        if node not in contributions or node not in reached:
            continue
        totals[node] = _sum_at_fan_out(node, contributions[node])
        counted = _modes_of(contributions[node])
        for operand, contribution in _local_cotangents(node, totals[node], counted, reached):
            contributions.setdefault(operand, []).append(contribution)
    return Pullback(totals, {node: contributions[node] for node in totals})


def vjp(
    outputs: Sequence[Node],
    wrt: Sequence[Node],
    cotangents: Sequence[Node],
    *,
    allow_unused: bool = False,
) -> list[Node]:
    """Pull the outputs' cotangents back to `wrt`: uᵀ · ∂outputs/∂wrt, as new nodes.

    Raises:
        GradientError: an output does not depend on some node of `wrt` (unless
            `allow_unused`, which gives zeros), or a cotangent has another type than its output.
    """
    pulled = pull_back(outputs, wrt, cotangents)
    return [_result(node, pulled, outputs, allow_unused) for node in wrt]


def _sum_at_fan_out(node: Node, contributions: Sequence[Contribution]) -> Node:
    if len(contributions) == 1:
        return contributions[0].cotangent
    with originating(_derived(node, None, "fan-out sum")):
        if len({part.modes for part in contributions}) == 1:
            return reduce(Node.__add__, [part.cotangent for part in contributions])
        train, infer = (
            reduce(Node.__add__, [part.cotangent for part in contributions if mode in part.modes])
            for mode in MODES
        )
        return by_mode(train=train, infer=infer)


def _modes_of(contributions: Sequence[Contribution]) -> Modes:
    return contributions[0].modes.union(*[part.modes for part in contributions[1:]])


def _local_cotangents(
    node: Node, total: Node, modes: Modes, reached: set[Node]
) -> list[tuple[Node, Contribution]]:
    """(operand, what the node adds to its cotangent) for every operand that leads to `wrt`."""
    if reached.isdisjoint(node.inputs):
        return []
    origin = _derived(node, None, "local derivative")
    with originating(origin):
        cotangents = _ask(node, total)
    found: list[tuple[Node, Contribution]] = []
    for position, (operand, given) in enumerate(zip(node.inputs, cotangents, strict=True)):
        read_in = modes & modes_that_read(node, position)
        if given is None or operand not in reached or not read_in:
            continue
        with originating(origin):
            cotangent = given if isinstance(given, Node) else given()
        if cotangent.origin is origin:  # it was made now, for this operand
            why = _derived(node, position, "local derivative")
            cotangent = Node(cotangent.op, cotangent.inputs, cotangent.type, why)
        fitted = _unbroadcast(node, position, operand, cotangent)
        found.append((operand, Contribution(fitted, node, position, read_in)))
    return found


def _ask(node: Node, total: Node) -> Sequence[Node | Later | None]:
    if isinstance(node.op, Elementwise) and not hasattr(node.op, "vjp"):
        return symbolic_vjp(node.op, total, node.inputs)
    if isinstance(node.op, Scan):
        return node.op.vjp_through(partial(vjp, allow_unused=True), total, *node.inputs)
    return node.op.vjp(total, node, *node.inputs)


def _unbroadcast(node: Node, position: int, operand: Node, cotangent: Node) -> Node:
    """Undo what the op did to match its operands: sum over repeated axes, convert back."""
    if cotangent.type == operand.type:
        return cotangent
    if cotangent.type.dtype != operand.type.dtype:
        with originating(_derived(node, position, "un-promote")):
            cotangent = astype(cotangent, operand.type.dtype)
    if cotangent.shape == operand.shape:
        return cotangent
    extra = cotangent.ndim - operand.ndim
    pairs = enumerate(zip(operand.shape, cotangent.shape[extra:], strict=True), extra)
    axes = (*range(extra), *(axis for axis, (dim, repeated) in pairs if dim == 1 != repeated))
    with originating(_derived(node, position, "un-broadcast")):
        return reshape(sum(cotangent, axes), operand.shape)


def _derived(node: Node, operand: int | None, rule: str) -> Origin:
    return Origin(node.origin.location, node.origin.scopes, Derivative(node, operand, rule))


def _depending_on(order: Sequence[Node], wrt: Sequence[Node]) -> set[Node]:
    """The nodes of floating-point type through which `wrt` reaches the outputs."""
    reached: set[Node] = set()
    targets = set(wrt)
    for node in order:
        leads = node in targets or not reached.isdisjoint(node.inputs)
        if leads and node.type.dtype.is_float:
            reached.add(node)
    return reached


def _check_cotangents(outputs: Sequence[Node], cotangents: Sequence[Node]) -> None:
    for output, cotangent in zip(outputs, cotangents, strict=True):
        if output.type != cotangent.type:
            raise GradientError(
                f"the cotangent {cotangent.type} does not have the type of {describe(output)}",
                hint=f"give a cotangent of type {output.type}",
            )


def _result(node: Node, pulled: Pullback, outputs: Sequence[Node], allow_unused: bool) -> Node:
    if node in pulled.totals:
        return only_in(_modes_of(pulled.contributions[node]), pulled.totals[node])
    if allow_unused:
        with originating(_derived(node, None, "unused")):
            return broadcast_to(constant(0, node.type.dtype), node.shape)
    raise GradientError(
        f"{describe(outputs[0])} does not depend on {describe(node)}: "
        f"{_missing(node, topological(outputs), pulled.totals)}",
        hint="differentiate with respect to something the output is computed from, or pass "
        "allow_unused=True to get zeros",
    )


def _missing(node: Node, order: Sequence[Node], totals: Mapping[Node, Node]) -> str:
    """Where the path from `node` to the output breaks."""
    if node not in set(order):
        return "there is no path, the output is not computed from it"
    if not node.type.dtype.is_float:
        return f"its element type {node.type.dtype} has no derivative"
    alive = {node}
    for user in order:
        if alive.isdisjoint(user.inputs):
            continue
        if user in totals or not user.type.dtype.is_float:
            return f"the path stops at {describe(user)}, through which no derivative flows"
        alive.add(user)
    return "no derivative flows back to it"


@overload
def grad(loss: Node, wrt: Node, *, allow_unused: bool = False) -> Node: ...
@overload
def grad(loss: Node, wrt: Sequence[Node], *, allow_unused: bool = False) -> list[Node]: ...
def grad(
    loss: Node, wrt: Node | Sequence[Node], *, allow_unused: bool = False
) -> Node | list[Node]:
    """∂loss/∂wrt, as nodes of the same shapes as `wrt`: a graph, not numbers.

    Args:
        loss: a floating-point scalar.
        wrt: a node, or several.
        allow_unused: give zeros for nodes that the loss does not depend on.

    Raises:
        GradientError: the loss is no scalar, or does not depend on `wrt`.
    """
    require_scalar("grad", loss)
    nodes = [wrt] if isinstance(wrt, Node) else list(wrt)
    cotangents = vjp([loss], nodes, [seed(loss)], allow_unused=allow_unused)
    return cotangents[0] if isinstance(wrt, Node) else cotangents


def require_scalar(function: str, loss: Node) -> None:
    """Refuse a loss that is no floating-point scalar.

    Raises:
        GradientError: it is none; the message says `function needs ...`.
    """
    if not isinstance(loss, Node):
        raise GradientError(
            f"{function}: the loss is a {type(loss).__name__}, not a node",
            hint="give the node itself, such as loss = cr.losses.squared_error(model(x), y)",
        )
    if loss.shape != () or not loss.type.dtype.is_float:
        raise GradientError(
            f"{function} needs a floating-point scalar, got {describe(loss)}",
            hint="reduce it first, such as cr.mean(loss), or use cr.vjp or cr.jacobian",
        )


def seed(loss: Node) -> Node:
    """The cotangent with which backpropagation starts: ∂loss/∂loss = 1."""
    with originating(_derived(loss, None, "seed")):
        return constant(1, loss.type.dtype)


def jvp(outputs: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Node]) -> list[Node]:
    """Push tangents of `wrt` forward: ∂outputs/∂wrt · t, as new nodes.

    The pullback is linear in its cotangent u, so its own pullback is the push-forward: the
    derivative of uᵀ·J·t with respect to u. The stand-in for u drops out, since a linear
    function's derivative does not depend on where it is taken.
    """
    _check_cotangents(wrt, tangents)
    stand_ins = [broadcast_to(constant(0, y.type.dtype), y.shape) for y in outputs]
    stand_ins = [stop_gradient(u) for u in stand_ins]
    pulled = vjp(outputs, wrt, stand_ins, allow_unused=True)
    return vjp(pulled, stand_ins, tangents, allow_unused=True)


def hvp(loss: Node, wrt: Sequence[Node], vectors: Sequence[Node]) -> list[Node]:
    """The Hessian of the loss times vectors, without the Hessian: ∂(∇loss · v)/∂wrt."""
    return vjp(grad(loss, wrt, allow_unused=True), wrt, vectors, allow_unused=True)
