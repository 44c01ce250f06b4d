"""Values without names: each is for the input in its place, in the order of declaration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from chainc.ir import Graph, Node
from chainc.ir.errors import InputError
from chainc.ir.leaves import Input
from chainrule.writing.phrases import counted


class ByPosition(tuple[object, ...]):
    """Several values of a call without names."""

    __slots__ = ()


def by_name(graph: Graph, given: object) -> Mapping[Node | str, object]:
    """Values by name: those of a list or tuple in the order in which the inputs are declared.

    Anything else is the value of the one input there is.

    Raises:
        InputError: there are more or fewer values than inputs, or no order of these.
    """
    if isinstance(given, Mapping):
        return given
    inputs = [node for node in graph.leaves("input") if _is_required(node)]
    if len(inputs) == 1 and not isinstance(given, ByPosition):
        return {inputs[0].op.label: given}
    if not isinstance(given, list | tuple):
        raise _unclear(inputs, f"which of {len(inputs)} inputs a value is for is not said")
    if len(given) != len(inputs):
        there = "there is" if len(given) == 1 else "there are"
        wanted = counted(len(inputs), "input")
        raise _unclear(inputs, f"{there} {counted(len(given), 'value')} for {wanted}")
    ordered = _in_order_of_declaration(inputs)
    if ordered is None:
        raise _unclear(
            inputs,
            f"which of {len(inputs)} inputs a value is for is not said by its place: they are "
            "declared by one line, or in several files",
        )
    return {node.op.label: value for node, value in zip(ordered, given, strict=True)}


def _is_required(node: Node) -> bool:
    return isinstance(node.op, Input) and node.op.default is None


def _in_order_of_declaration(inputs: Sequence[Node]) -> list[Node] | None:
    """As the text of the program declares them; None where it does not tell."""
    places: dict[Node, tuple[int, int]] = {}
    files: set[str] = set()
    for node in inputs:
        location = node.origin.location
        if location is None:
            return None
        files.add(location.file)
        places[node] = location.line, location.instruction
    ordered = sorted(inputs, key=places.__getitem__)
    repeated = any(places[a] == places[b] for a, b in pairwise(ordered))
    return None if repeated or len(files) > 1 else ordered


def _unclear(inputs: Sequence[Node], what: str) -> InputError:
    example = ", ".join(f'"{node.op.label}": ...' for node in inputs) or '"x": ...'
    return InputError(what, hint=f"give values by name: {{{example}}}")
