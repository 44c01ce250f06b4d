"""What a student hands in: a backward pass as a function, or the gradients themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node, describe
from chainc.ir.errors import InputError
from chainc.ir.types import Array
from chainrule.declare.arguments import array, mapping, text
from chainrule.declare.calls import answering
from chainrule.evaluation.backpropagation import Backpropagation
from chainrule.evaluation.values import Floats

Gradients = Mapping[str, object] | Mapping[Node, object] | Mapping[Node | str, object]
BackwardPass = Callable[[Mapping[str, Array]], Gradients]


@dataclass(frozen=True)
class NodeNames:
    """What the nodes of a backward pass are called, both ways."""

    nodes: Mapping[str, Node]

    @property
    def of(self) -> Mapping[Node, str]:
        return {node: name for name, node in self.nodes.items()}


HINT = 'give nodes on the way to the loss, such as names={"z1": z1}'


def nodes_named(given: Mapping[str, Node]) -> list[Node]:
    """The nodes that have names, of whatever else is given none."""
    named = mapping("check_backward", "names", given, hint=HINT)
    return [node for node in named.values() if isinstance(node, Node)]


def names_for(
    passed: Backpropagation,
    given: Mapping[str, Node],
    moved: Mapping[Node, Node],
    of_steps: Mapping[Node, str],
) -> NodeNames:
    """Inputs and parameters by their own names, other nodes by the names given, carries by theirs.

    `moved` has what stands for nodes that are named where loops are written out.

    Raises:
        InputError: a name stands for something that the loss is not computed from, or for two.
    """
    named = {n.op.label: n for n in passed.nodes if n.op.name in ("input", "state")}
    for key, told in mapping("check_backward", "names", given, hint=HINT).items():
        name = text("check_backward", "a name", key)
        node = moved.get(told) if isinstance(told, Node) else None
        if node is None or node not in passed.values:
            said = describe(told) if isinstance(told, Node) else repr(told)
            raise InputError(
                f"check_backward: {name!r} names {said}, which the loss is not computed from",
                hint=HINT,
            )
        if named.get(name, node) is not node:
            raise InputError(
                f"check_backward: {name!r} is the name of {describe(named[name])} already",
                hint="choose another name",
            )
        named[name] = node
    for node, name in of_steps.items():
        if node in passed.values and node not in set(named.values()):
            named.setdefault(name, node)
    return NodeNames(named)


def values_at(passed: Backpropagation, names: NodeNames) -> dict[str, Array]:
    """The values that a student's function takes, in copies that it may change."""
    return {name: np.array(passed.values[node]) for name, node in names.nodes.items()}


def gradients_of(
    student: BackwardPass | Gradients, passed: Backpropagation, names: NodeNames
) -> tuple[dict[Node, Floats], bool]:
    """What the student returns, by node, and whether all of it is as exact as float64.

    Raises:
        InputError: that is no mapping, empty, or has a key that is no node of the backward pass.
        DTypeError: an element type is none of Chainrule's.
    """
    given = student if isinstance(student, Mapping) else _call(student, passed, names)
    if not isinstance(given, Mapping) or not given:
        raise InputError(
            f"check_backward: the backward pass gave {_described(given)}, not gradients by name",
            hint='return a dictionary such as {"W1": dW1, "b1": db1}',
        )
    found: dict[Node, Floats] = {}
    exact = True
    for key, value in given.items():
        node = _node(key, passed, names)
        if node in found:
            raise InputError(
                f"check_backward: there are two gradients for {describe(node)}",
                hint="return each under one name",
            )
        checked = array("check_backward", str(names.of.get(node, key)), value)
        exact = exact and checked.dtype != np.float32
        found[node] = checked.astype(np.float64)
    return found, exact


def _call(student: object, passed: Backpropagation, names: NodeNames) -> object:
    if not callable(student):
        raise InputError(
            f"check_backward: {_described(student)} is no backward pass",
            hint="give a function of the values that returns gradients by name, or the gradients",
        )
    return answering(student, "the backward pass")(values_at(passed, names))


def _described(given: object) -> str:
    return (
        "nothing"
        if given is None or (isinstance(given, dict) and not given)
        else f"a value of type {type(given).__name__}"
    )


def _node(key: object, passed: Backpropagation, names: NodeNames) -> Node:
    node = key if isinstance(key, Node) else names.nodes.get(str(key))
    if node in passed.gradients and node is not None:
        return node
    if node is not None and node in passed.values:
        raise InputError(
            f"check_backward: the loss has no gradient with respect to {describe(node)}",
            hint="leave it out: no derivative flows back to it",
        )
    known = [name for name, each in names.nodes.items() if each in passed.gradients]
    import difflib

    close = difflib.get_close_matches(str(key), known, 1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(
        f"check_backward: there is no node {key!r} in the backward pass",
        hint=f'{meant}its names are {", ".join(known)}; name others with names={{"z1": z1}}',
    )
