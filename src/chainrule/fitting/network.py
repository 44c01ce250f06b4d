"""A model applied to inputs that are declared from data."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from chainc.dataclass import dataclass
from chainc.ir import Node
from chainc.ir.errors import DTypeError, GraphError, InputError
from chainc.ir.types import Array
from chainc.ops import astype, squeeze
from chainrule.declare.calls import answering
from chainrule.declare.leaves import input as declare_input
from chainrule.fitting.parts import Parts, in_file, parts_of
from chainrule.nn.module import Module

T = TypeVar("T")

BATCH = "batch"  # the named size of the rows

Model = Callable[..., object]  # from nodes to a node, a tuple of nodes, or nodes by name


@dataclass(frozen=True, eq=False)
class Network:
    """What a model computes from its inputs.

    Attributes:
        inputs: by the names of the parts of x.
        outputs: one or several; of a single column a vector.
    """

    inputs: Parts[Node]
    outputs: Parts[Node]


def network_of(model: Model, x: Parts[Array]) -> Network:
    """Inputs of the shapes and types of the data, and the model over them.

    Whole numbers stay so for a model that takes indices, and are converted for one that does not;
    bytes and Booleans are numbers before they are indices.

    Raises:
        InputError: the model does not take what is given.
        GraphError: it gives no nodes.
    """
    float_type = _float_type(model)
    names = x.named("x")
    choices = {name: _types_of(array, float_type) for name, array in x.by_name.items()}

    def declared(types: Mapping[str, str]) -> Network:
        inputs = {
            name: declare_input(names[name], (BATCH, *array.shape[1:]), types[name])
            for name, array in x.by_name.items()
        }
        # an array of a file is converted batch by batch, not at once
        given = {name: astype(node, float_type) if types[name] == "float64" else node
                 for name, node in inputs.items()}  # fmt: skip
        outputs = _outputs(_applied(model, x.with_values(given)))
        return Network(x.with_values(inputs), outputs)

    return first_that_fits(choices, declared)


def first_that_fits(
    choices: Mapping[str, Sequence[str]], declared: Callable[[Mapping[str, str]], T]
) -> T:
    """What is declared with the first types that fit.

    Raises:
        DTypeError: none do; it is what the first ones met.
    """
    first: DTypeError | None = None
    for types in itertools.product(*choices.values()):
        try:
            return declared(dict(zip(choices, types, strict=True)))
        except DTypeError as error:
            first = first or error
    assert first is not None
    raise first


def _float_type(model: Model) -> str:
    parameters = model.parameters() if isinstance(model, Module) else ()
    types = {parameter.type.dtype.name for parameter in parameters}
    return "float64" if types == {"float64"} else "float32"


def _types_of(array: Array, float_type: str) -> list[str]:
    kind = array.dtype.kind
    if kind in "iu" and array.dtype != np.uint8:
        return [whole_type(array), float_type]
    if kind in "bu":
        return [float_type, "int32"]
    is_wide_file = in_file(array) and array.dtype == np.float64
    return ["float64" if is_wide_file else float_type]


def whole_type(array: Array) -> str:
    """An integer type that holds the numbers."""
    return "int64" if array.dtype in (np.int64, np.uint32, np.uint64) else "int32"


def _applied(model: Model, given: Parts[Node]) -> object:
    called = answering(model, "the model of a Trainer")
    if given.form != "mapping":
        return called(*given.by_name.values())
    function = model.forward if isinstance(model, Module) else model
    parameters = inspect.signature(function).parameters.values()
    known = [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
    unknown = [name for name in given.by_name if name not in known]
    if unknown and len(known) == len(parameters):
        raise InputError(
            f"Trainer: the model has no input {unknown[0]!r}",
            hint=f"name the arrays as its parameters: {', '.join(known) or 'there are none'}",
        )
    if isinstance(model, Module):
        return called(*(given.by_name[name] for name in known if name in given.by_name))
    return called(**given.by_name)


def _outputs(given: object) -> Parts[Node]:
    parts = parts_of(given)
    nodes: dict[str, Node] = {}
    for name, node in parts.by_name.items():
        if not isinstance(node, Node) or not node.ndim:
            told = node.type if isinstance(node, Node) else f"a {type(node).__name__}"
            raise GraphError(
                f"Trainer: the model gives {told}, not a row for each row of its input",
                hint="let it return a node, a tuple of nodes, or nodes by name",
            )
        nodes[name] = as_vector(node)
    return parts.with_values(nodes)


def as_vector(node: Node) -> Node:
    """A single column as a vector, so that it fits targets without an axis of size 1."""
    return squeeze(node, axis=1) if node.ndim == 2 and node.shape[1] == 1 else node
