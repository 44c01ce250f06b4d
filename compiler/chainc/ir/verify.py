"""The invariants of the IR, in one function that runs between passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field, fields, is_dataclass
from functools import cache
from itertools import filterfalse

from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Op, describe
from chainc.ir.errors import GraphError, MisfitError, VerifyError
from chainc.ir.leaves import Input, Slot
from chainc.ir.types import DTYPES, TensorType

HINT = "this is a defect of the pass that built the node: please report it"


@dataclass
class Verified:
    """What is known to be sound; nodes never change.

    Many nodes are one op over operands of the same types, of which one is looked at. Types are
    told apart by numbers, and they and ops by identity: all that were met are kept.
    """

    nodes: set[Node] = field(default_factory=set)
    fitting: dict[tuple[int, ...], Op] = field(default_factory=dict)
    _met: dict[int, int] = field(default_factory=dict)
    _numbers: dict[TensorType, int] = field(default_factory=dict)
    _kept: list[TensorType] = field(default_factory=list)

    def signature(self, node: Node) -> tuple[int, ...]:
        """Equal for nodes of one op whose types are equal."""
        types = (node.type, *[operand.type for operand in node.inputs])
        return (id(node.op), *[self._met.get(id(t)) or self._number(t) for t in types])

    def _number(self, type: TensorType) -> int:
        number = self._numbers.setdefault(type, len(self._numbers) + 1)
        self._met[id(type)] = number
        self._kept.append(type)
        return number


def verify(graph: Graph, known: Verified | None = None) -> None:
    """Return when the graph is sound, and the graphs inside its ops too.

    What is `known` is not looked at again, and all that is found sound is known then.

    Sound is: no node depends on itself; every node has the type that its op infers from its
    operands; an update binds a state slot, once, to a node of the slot's type; outputs have no
    names or one each; a name stands for one state slot or one input.

    Raises:
        VerifyError: an invariant does not hold; it names the node, its op, operands and line.
        GraphError: two state slots, or two different inputs, were declared with one name.
    """
    known = known or Verified()
    _refuse_cycles(graph)
    for node in filterfalse(known.nodes.__contains__, graph.nodes):
        signature = known.signature(node)
        if signature not in known.fitting:
            for body in graphs_of(node.op):
                _verify_body(node, body, known)
            _verify_type(node)
            known.fitting[signature] = node.op
    known.nodes.update(graph.nodes)
    _verify_updates(graph)
    if graph.names and len(graph.names) != len(graph.outputs):
        raise VerifyError(
            f"{len(graph.outputs)} outputs have {len(graph.names)} names", where="-", hint=HINT
        )
    _refuse_shared_names(graph)


def verify_kept(before: Graph, after: object, name: str) -> None:
    """Return when what a pass made of a graph has its outputs, and no other inputs or slots.

    Raises:
        VerifyError: the number, names or types of the outputs differ; there is another input or
            slot; or another slot is updated, or one no longer that would change.
    """
    if not isinstance(after, Graph):
        raise _changed(name, f"gave a {type(after).__name__}", "return the graph")
    types = [[str(node.type) for node in graph.outputs] for graph in (before, after)]
    if types[0] != types[1]:
        raise _changed(name, f"changed the outputs from {_listed(types[0])} to {_listed(types[1])}")
    if before.names != after.names:
        was, now = _listed(before.names), _listed(after.names)
        raise _changed(name, f"changed the names of the outputs from {was} to {now}")
    for kind in ("input", "state"):
        known = {node.op for node in before.leaves(kind)}
        new = [describe(node) for node in after.leaves(kind) if node.op not in known]
        if new:
            raise _changed(name, f"reads what the graph did not have: {new[0]}")
    updated = {slot.op for slot in before.updates}
    kept = {slot.op for slot in after.updates}
    for slot in after.updates:
        if slot.op not in updated:
            raise _changed(name, f"updates {describe(slot)}, which was not updated")
    for slot, value in before.updates.items():
        if slot.op not in kept and value.op is not slot.op:
            raise _changed(name, f"lost the update of {describe(slot)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _changed(name: str, what: str, hint: str = "") -> VerifyError:
    return VerifyError(
        f"the pass {name!r} {what}",
        where="the graph that it returned",
        hint=hint or "let a pass keep the outputs, their names and types, the inputs and updates",
    )


def inferred(op: Op, operands: Sequence[TensorType]) -> TensorType:
    """The type of `op` over `operands`; attributes that mean nothing are a misfit as well."""
    try:
        return op.infer(*operands)
    except (ArithmeticError, AssertionError, LookupError, TypeError, ValueError) as error:
        types = ", ".join(str(operand) for operand in operands) or "no operands"
        raise MisfitError(
            VerifyError,
            f"the attributes do not fit {types}: {error}",
            "give attributes and operands that the op admits",
        ) from error


def graphs_of(op: Op) -> Iterator[Graph]:
    """The graphs among an op's attributes."""
    kind: type = type(op)
    for name in _attributes(kind):
        value = getattr(op, name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Graph):
                yield part


@cache
def _attributes(kind: type) -> Sequence[str]:
    assert is_dataclass(kind), "as every op is"
    return tuple(each.name for each in fields(kind))


def _refuse_cycles(graph: Graph) -> None:
    """Operands come first where there is none."""
    passed = set[Node]()
    for node in graph.nodes:
        if not passed.issuperset(node.inputs):
            _find_cycle(graph.roots)
        passed.add(node)


def _find_cycle(roots: Iterable[Node]) -> None:
    begun, done = set[Node](), set[Node]()
    waiting = list(roots)
    while waiting:
        node = waiting[-1]
        if node in begun:
            done.add(waiting.pop())
            continue
        begun.add(node)
        for operand in node.inputs:
            if operand in done:
                continue
            if operand in begun:  # and not done: this one is on the way from it
                raise _fault(node, "is an operand of itself, by way of others")
            waiting.append(operand)


def _verify_type(node: Node) -> None:
    if node.type.dtype not in DTYPES:
        raise _fault(node, "belongs to a pattern and has no type")
    try:
        expected = inferred(node.op, [operand.type for operand in node.inputs])
    except MisfitError as misfit:
        raise _fault(node, f"cannot stand: {misfit}") from misfit
    if expected != node.type:
        raise _fault(node, f"should have the type {expected}")


def _verify_body(node: Node, body: Graph, known: Verified) -> None:
    if (len(body.outputs) != 1 and not node.op.has_steps) or body.updates:
        found = f"{len(body.outputs)} outputs and {len(body.updates)} updates"
        raise _fault(node, f"has a body of {found}, not of one value")
    try:
        verify(body, known)
    except VerifyError as error:
        raise _fault(node, f"has a defect inside: {error.what}") from error


def _verify_updates(graph: Graph) -> None:
    slots: set[Op] = set()
    for slot, value in graph.updates.items():
        if not isinstance(slot.op, Slot):
            raise _fault(slot, "is updated and is no state slot")
        if slot.op in slots:
            raise _fault(slot, "is updated twice")
        if value.type != slot.type:
            raise _fault(slot, f"is updated with another type, by {describe(value)}")
        slots.add(slot.op)


def _refuse_shared_names(graph: Graph) -> None:
    states: dict[str, Node] = {}
    inputs: dict[str, Node] = {}
    for node in (node for node in graph.nodes if not node.inputs):
        if isinstance(node.op, Slot) and _first(states, node).op is not node.op:
            raise GraphError(
                f"two state slots have the name {node.op.label!r}",
                where=_both_lines(_first(states, node), node),
                hint='give one layer a name of its own, with name="..."',
            )
        if isinstance(node.op, Input) and _first(inputs, node).op != node.op:
            raise GraphError(
                f"two different inputs have the name {node.op.label!r}",
                where=_both_lines(_first(inputs, node), node),
                hint="declare it once and use it twice, or rename one of them",
            )


def _first(seen: dict[str, Node], node: Node) -> Node:
    return seen.setdefault(node.op.label, node)


def _both_lines(first: Node, second: Node) -> str:
    return f"{describe(first)}\n         {describe(second)}"


def _fault(node: Node, what: str) -> VerifyError:
    operands = "".join(
        f"\n         operand {position}: {describe(operand)}"
        for position, operand in enumerate(node.inputs, start=1)
    )
    return VerifyError(
        f"{node.op.label} {node.type} {what}",
        where=f"{node.origin.location or 'unknown line'}{operands}",
        hint=HINT,
    )
