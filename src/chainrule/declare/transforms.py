"""Transformations of graphs: whole derivatives, checked ones, and derivatives of one's own."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

from chainc.autodiff import grad, vjp
from chainc.ir import Graph, Node, Operand, apply, describe
from chainc.ir.errors import GradientError, GraphError
from chainc.ir.leaves import Constant, as_nodes, constant
from chainc.ir.types import names_of, static
from chainc.ops import stack
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import Cotangents, CustomGradient, Formula, scalar_input
from chainc.ops.movement import broadcast_to, reshape
from chainrule.declare.arguments import text
from chainrule.declare.derivatives import node_of, nodes_of

if TYPE_CHECKING:
    import sympy

__all__ = ["custom_gradient", "elementwise", "formula", "hessian", "jacobian"]

ROWS_LIMIT = 1024  # backward passes that one Jacobian may need


@overload
def jacobian(y: Node, wrt: Node, *, allow_unused: bool = False) -> Node: ...
@overload
def jacobian(y: Node, wrt: Sequence[Node], *, allow_unused: bool = False) -> list[Node]: ...
def jacobian(
    y: Node, wrt: Node | Sequence[Node], *, allow_unused: bool = False
) -> Node | list[Node]:
    """All derivatives of y: element [i…, j…] is ∂y[i…] / ∂wrt[j…], of shape y's then wrt's.

    One backward pass for each element of y is added to the graph.

    Raises:
        GradientError: y is not floating-point, has a named size or too many elements, or does not
            depend on `wrt` (unless `allow_unused`, which gives zeros).
    """
    nodes = nodes_of("jacobian", wrt)
    cotangents = [constant(unit) for unit in _units(node_of("jacobian", y, "y"))]
    rows = [vjp([y], nodes, [unit], allow_unused=allow_unused) for unit in cotangents]
    result = [
        _rows_to_tensor([row[position] for row in rows], y, node)
        for position, node in enumerate(nodes)
    ]
    return result[0] if isinstance(wrt, Node) else result


@overload
def hessian(loss: Node, wrt: Node) -> Node: ...
@overload
def hessian(loss: Node, wrt: Sequence[Node]) -> list[list[Node]]: ...
def hessian(loss: Node, wrt: Node | Sequence[Node]) -> Node | list[list[Node]]:
    """All second derivatives of a scalar; for several nodes a list of rows, one a node.

    The product of the Hessian with a vector, `cr.hvp`, is far cheaper than the Hessian.

    Raises:
        GradientError: the loss is no scalar or does not depend on `wrt`, or `wrt` has a named size
            or too many elements.
    """
    if isinstance(wrt, Node):
        return jacobian(grad(loss, wrt), wrt, allow_unused=True)
    nodes = nodes_of("hessian", wrt)
    gradients = grad(loss, nodes)
    return [jacobian(gradient, nodes, allow_unused=True) for gradient in gradients]


def _units(y: Node) -> Sequence[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """The cotangents that pick one element of y each."""
    if not y.type.dtype.is_float:
        raise GradientError(
            f"jacobian: {describe(y)} is not floating-point",
            hint="differentiate what it was computed from",
        )
    if any(names_of(dim) for dim in y.shape):
        raise GradientError(
            f"jacobian: {describe(y)} has a named size, so the number of its elements is unknown",
            hint="declare the input with known sizes, or use cr.vjp or cr.jvp",
        )
    shape = static(y.shape)
    elements = int(np.prod(shape))
    if elements > ROWS_LIMIT:
        raise GradientError(
            f"jacobian: {describe(y)} has {elements:,} elements, and each needs a backward pass of "
            f"its own; the limit is {ROWS_LIMIT:,}",
            hint="use cr.vjp, cr.jvp or cr.hvp for products with the matrix",
        )
    return [unit.reshape(shape) for unit in np.eye(elements, dtype=y.type.dtype.numpy)]


def _rows_to_tensor(rows: Sequence[Node], y: Node, wrt: Node) -> Node:
    shape = (*y.shape, *wrt.shape)
    if not rows:
        return broadcast_to(constant(0, y.type.dtype), shape)
    return reshape(stack(rows), shape)


def formula(node: Node) -> sympy.Basic:
    """The node as a sympy expression of its inputs: a derivative as one would write it.

    Of a tensor it is the formula of one element. It grows with the number of paths through the
    graph, so it is for small graphs that are to be read.

    Raises:
        GraphError: an op on the way is not elementwise.
    """
    from chainc.interpreters.symbolic import expression

    return expression(node_of("formula", node, "what is given"))


def custom_gradient(
    function: Callable[..., tuple[Node, Callable[[Node], Cotangents]]],
) -> Callable[..., Node]:
    """Decorate a function of nodes that returns (y, backward): its derivative is `backward`.

        @cr.custom_gradient
        def reversed_gradient(x):
            return x, lambda g: -g

    `backward` gets the cotangent of y and returns one for each argument, as nodes, of the
    argument's type; None where no derivative flows. What the function reads beside its arguments
    gets no derivative. A graph that uses it cannot be read back from its text.

    Raises:
        GraphError: the function returns something else.
        GradientError: when differentiated: a cotangent does not have its argument's type.
    """

    @functools.wraps(function)
    def declare(*arguments: Operand) -> Node:
        nodes = as_nodes(*arguments)
        result: object = function(*nodes)
        match result:
            case (Node() as y, backward) if callable(backward):
                return apply(CustomGradient(function.__name__, backward), y, *nodes)
        raise GraphError(
            f"custom_gradient: {function.__name__} returned a {type(result).__name__}, not a node "
            "and a function",
            hint="return y, backward, where backward(g) gives one cotangent an argument",
        )

    return declare


def elementwise(
    formula: Callable[..., Node] | sympy.Basic,
    name: str | None = None,
    *,
    symbols: Sequence[sympy.Symbol] | None = None,
) -> Formula:
    """An elementwise op of one's own, with its own box: a function of nodes that broadcasts.

        swish = cr.elementwise(lambda x: x / (1 + cr.exp(-x)), name="swish")

    The derivative of a Python function follows from the ops it uses; that of a sympy expression
    is what `sympy.diff` gives.

    Args:
        formula: a function of scalars, or a sympy expression.
        name: what the op is called; by default the function's own name, or "formula".
        symbols: the order in which an expression's symbols are given; by default by name.

    Raises:
        GraphError: the formula has no operand, uses something beside elementwise ops of its
            operands, or does not give a number.
        GradientError: a function of sympy has no counterpart.
    """
    if "sympy" in sys.modules and isinstance(formula, sys.modules["sympy"].Basic):
        return _from_expression(formula, name or "formula", symbols)
    if name is not None:
        text("elementwise", "name", name)
    own = str(getattr(formula, "__name__", "formula"))
    return _from_function(formula, name or own.replace("<lambda>", "formula"))


def _from_function(function: Callable[..., Node], name: str) -> Formula:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise GraphError(
            f"elementwise: {function!r} is no function whose arguments can be counted",
            hint="give a function of scalars, such as lambda x, y: x * y, or a sympy expression",
        ) from None
    if any(p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters):
        raise GraphError(
            f"elementwise: {name} takes a variable number of arguments, or some by keyword only",
            hint="write one plain argument for each operand, such as lambda x, y: x * y",
        )
    operands = [scalar_input(index) for index in range(len(parameters))]
    if not operands:
        raise GraphError(
            f"elementwise: {name} has no operand", hint="write a function of one or more numbers"
        )
    (y, *_) = as_nodes(function(*operands), operands[0])
    _check_body(name, y, operands)
    derivatives = grad(y, operands, allow_unused=True)
    return Formula(name, Graph((y,)), tuple(Graph((d,)) for d in derivatives))


def _check_body(name: str, y: Node, operands: Sequence[Node]) -> None:
    if not y.type.dtype.is_float:
        raise GraphError(
            f"elementwise: {name} gives {describe(y)}, not a number",
            hint="choose between numbers with cr.where(condition, a, b)",
        )
    given = set(operands)
    for node in Graph((y,)).nodes:
        if node not in given and not isinstance(node.op, (Elementwise, Constant)):
            raise GraphError(
                f"elementwise: {name} uses {describe(node)}, which is no elementwise op of its "
                "operands",
                hint="pass every node as an argument, and use arithmetic, cr.where and functions "
                "such as cr.exp only",
            )


def _from_expression(
    expression: sympy.Basic, name: str, order: Sequence[sympy.Symbol] | None
) -> Formula:
    import sympy

    from chainc.interpreters.symbolic import derivative, to_node

    free = sorted(expression.free_symbols, key=str)
    given = free if order is None else list(order)
    if not given or not set(free) <= set(given):
        raise GraphError(
            f"elementwise: {name} has the symbols {free} and is given {given}",
            hint="name every symbol of the expression in symbols=",
        )
    # derivatives of Abs, Max and their kind are simple for real numbers only
    real = [sympy.Symbol(str(symbol), real=True) for symbol in given]
    meaning = expression.xreplace(dict(zip(given, real, strict=True)))
    operands = [scalar_input(index) for index in range(len(real))]
    environment = dict(zip(real, operands, strict=True))
    body = Graph((to_node(meaning, environment),))
    derivatives = [to_node(derivative(meaning, symbol), environment) for symbol in real]
    return Formula(name, body, tuple(Graph((d,)) for d in derivatives))
