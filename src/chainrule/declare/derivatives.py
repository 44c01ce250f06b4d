"""Derivatives as a user asks for them: of a node, of several, or of all parameters of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast, overload, runtime_checkable

import numpy as np
import numpy.typing as npt

from chainc import autodiff
from chainc.ir import Node, describe
from chainc.ir.errors import GradientError
from chainc.ir.python.collection import without_collection
from chainc.ops.movement import as_flag
from chainrule.declare.leaves import constant

__all__ = ["grad", "hvp", "jvp", "value_and_grad", "vjp"]


@runtime_checkable
class HasParameters(Protocol):
    """A model: it names the nodes that are to be trained."""

    def parameters(self) -> tuple[Node, ...]: ...


Several = Sequence[Node] | HasParameters
Given = Node | npt.ArrayLike  # a cotangent or a tangent


@overload
def grad(loss: Node, wrt: Node, *, allow_unused: bool = False) -> Node: ...
@overload
def grad(loss: Node, wrt: Several, *, allow_unused: bool = False) -> list[Node]: ...
def grad(loss: Node, wrt: Node | Several, *, allow_unused: bool = False) -> Node | list[Node]:
    """∂loss/∂wrt, as nodes of the same shapes as `wrt`: a graph, not numbers.

    Args:
        loss: a floating-point scalar.
        wrt: a node, several, or a model, which stands for `model.parameters()`.
        allow_unused: give zeros for nodes that the loss does not depend on.

    Raises:
        GradientError: the loss is no scalar, or does not depend on `wrt`.
    """
    zeros = as_flag("grad", "allow_unused", allow_unused)
    with without_collection():
        found = autodiff.grad(node_of("grad", loss), nodes_of("grad", wrt), allow_unused=zeros)
    return found[0] if isinstance(wrt, Node) else found


@overload
def value_and_grad(loss: Node, wrt: Node) -> tuple[Node, Node]: ...
@overload
def value_and_grad(loss: Node, wrt: Several) -> tuple[Node, list[Node]]: ...
def value_and_grad(loss: Node, wrt: Node | Several) -> tuple[Node, Node | list[Node]]:
    """The loss itself and its gradient."""
    return loss, grad(loss, wrt)


@overload
def vjp(
    outputs: Node | Sequence[Node],
    wrt: Node,
    cotangents: Given | Sequence[Given],
    *,
    allow_unused: bool = False,
) -> Node: ...
@overload
def vjp(
    outputs: Node | Sequence[Node],
    wrt: Several,
    cotangents: Given | Sequence[Given],
    *,
    allow_unused: bool = False,
) -> list[Node]: ...
def vjp(
    outputs: Node | Sequence[Node],
    wrt: Node | Several,
    cotangents: Given | Sequence[Given],
    *,
    allow_unused: bool = False,
) -> Node | list[Node]:
    """Pull the outputs' cotangents back to `wrt`: uᵀ · ∂outputs/∂wrt, as new nodes.

    Args:
        outputs: a node or several.
        wrt: a node, several, or a model.
        cotangents: one for each output, as a node or numbers of its type.
        allow_unused: give zeros for nodes that the outputs do not depend on.

    Raises:
        GradientError: an output does not depend on some node of `wrt` (unless `allow_unused`), or
            a cotangent has another type than its output.
    """
    results = nodes_of("vjp", outputs)
    given = _directions("vjp", "cotangent", outputs, results, cotangents)
    zeros = as_flag("vjp", "allow_unused", allow_unused)
    found = autodiff.vjp(results, nodes_of("vjp", wrt), given, allow_unused=zeros)
    return found[0] if isinstance(wrt, Node) else found


@overload
def jvp(outputs: Node, wrt: Node | Several, tangents: Given | Sequence[Given]) -> Node: ...
@overload
def jvp(
    outputs: Sequence[Node], wrt: Node | Several, tangents: Given | Sequence[Given]
) -> list[Node]: ...
def jvp(
    outputs: Node | Sequence[Node], wrt: Node | Several, tangents: Given | Sequence[Given]
) -> Node | list[Node]:
    """Push tangents of `wrt` forward: ∂outputs/∂wrt · t, as new nodes.

    Raises:
        GradientError: a tangent has another type than its node of `wrt`.
    """
    nodes = nodes_of("jvp", wrt)
    given = _directions("jvp", "tangent", wrt, nodes, tangents)
    found = autodiff.jvp(nodes_of("jvp", outputs), nodes, given)
    return found[0] if isinstance(outputs, Node) else found


@overload
def hvp(loss: Node, wrt: Node, vectors: Given) -> Node: ...
@overload
def hvp(loss: Node, wrt: Several, vectors: Sequence[Given]) -> list[Node]: ...
def hvp(loss: Node, wrt: Node | Several, vectors: Given | Sequence[Given]) -> Node | list[Node]:
    """The Hessian of the loss times vectors, without the Hessian: ∂(∇loss · v)/∂wrt.

    Raises:
        GradientError: the loss is no scalar, or a vector has another type than its node of `wrt`.
    """
    nodes = nodes_of("hvp", wrt)
    given = _directions("hvp", "vector", wrt, nodes, vectors)
    found = autodiff.hvp(node_of("hvp", loss), nodes, given)
    return found[0] if isinstance(wrt, Node) else found


def node_of(function: str, given: object, name: str = "the loss") -> Node:
    if isinstance(given, Node):
        return given
    raise GradientError(
        f"{function}: {name} is a {type(given).__name__}, not a node",
        hint="give the node itself, such as loss = cr.losses.squared_error(model(x), y)",
    )


def nodes_of(function: str, given: object) -> list[Node]:
    """A node, several, or a model's parameters."""
    if isinstance(given, Node):
        return [given]
    if isinstance(given, HasParameters):
        return _parameters(function, given)
    listed = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    nodes: list[Node] = []
    for node in listed:
        if not isinstance(node, Node):
            raise GradientError(
                f"{function}: a {type(node).__name__} is no node",
                hint="give a node, a list of nodes, or a model for all its parameters",
            )
        nodes.append(node)
    return nodes


def _parameters(function: str, model: HasParameters) -> list[Node]:
    nodes = list(model.parameters())
    if nodes:
        return nodes
    raise GradientError(
        f"{function}: the {type(model).__name__} has no parameters",
        hint="give the nodes to differentiate with respect to, such as its input",
    )


def _directions(
    function: str,
    word: str,
    asked: object,
    nodes: Sequence[Node],
    given: Given | Sequence[Given],
) -> list[Node]:
    """One direction for each node; of a single node it need not stand in a list."""
    found = _listed(given, nodes[0]) if isinstance(asked, Node) else _as_list(given)
    if len(found) != len(nodes):
        raise GradientError(
            f"{function}: there are {len(found)} {word}s for {len(nodes)} nodes",
            hint=f"give one {word} for each node, in their order",
        )
    return [_direction(function, word, *pair) for pair in zip(nodes, found, strict=True)]


def _listed(given: Given | Sequence[Given], node: Node) -> list[Given]:
    """The direction of one node, which may be a list of numbers or stand in a list itself."""
    parts = _as_list(given)
    inside = len(parts) == 1 and (isinstance(parts[0], Node) or np.ndim(parts[0]) == node.ndim)
    return parts if inside else [cast("Given", given)]


def _as_list(given: Given | Sequence[Given]) -> list[Given]:
    return list(given) if isinstance(given, (list, tuple)) else [cast("Given", given)]


def _direction(function: str, word: str, node: Node, given: Given) -> Node:
    direction = given if isinstance(given, Node) else constant(given, node.type.dtype)
    if direction.type == node.type:
        return direction
    raise GradientError(
        f"{function}: the {word} {direction.type} does not have the type of {describe(node)}",
        hint=f"give a {word} of type {node.type}",
    )
