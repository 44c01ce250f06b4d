"""Circuits of the lectures: what a graph computes at a point, and what flows back, as a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

import numpy as np

from chainc.autodiff import pull_back, seed
from chainc.dataclass import dataclass
from chainc.drawing.diagram import Lines, Reads
from chainc.drawing.node_roles import differentiations
from chainc.drawing.wires import Wire
from chainc.formulas import notation
from chainc.formulas.blackboard import name_of
from chainc.formulas.local_derivative import local_derivative, written_derivative
from chainc.ir import Graph, Node, rebuild
from chainc.ir.leaves import Leaf
from chainc.ir.text import to_text
from chainc.ops.contract import Contract
from chainc.ops.elementwise import Elementwise
from chainc.ops.runs.scan import with_bodies
from chainrule.evaluation.backpropagation import Backpropagation, Contribution, backpropagate
from chainrule.evaluation.point import complete, evaluate_at
from chainrule.evaluation.values import Values
from chainrule.writing.array_text import array_lines

LONGEST_SUM = 36  # characters


@dataclass(frozen=True)
class Circuit:
    """A graph with the texts of its wires, and what stands below its ops."""

    graph: Graph
    wires: Mapping[Node, Wire]
    small_print: Mapping[Node, Lines] = field(default_factory=dict)


def circuit_of_nodes(
    nodes: Sequence[Node], values: Values, written_out: Callable[[Graph], Graph]
) -> Circuit:
    """The loss's own graph with the gradients that were asked for, or all that is computed.

    `written_out` gives the form in which a graph is drawn.

    Raises:
        InputError: a value is missing, unknown, or does not fit.
    """
    declared = [node for node in nodes if not differentiations(node)]
    derived = [node for node in nodes if differentiations(node)]
    wrt = _differentiated(declared[0], derived) if len(declared) == 1 and derived else []
    if not wrt:
        return circuit_of_graph(written_out(Graph(tuple(nodes))), values)
    loss, *leaves = written_out(Graph((declared[0], *wrt))).outputs
    return _with_gradients(backpropagate(loss, values, leaves, function="draw"))


def circuit_of_graph(graph: Graph, values: Values) -> Circuit:
    """The graph as it is, gradients and updates included, with all values.

    Raises:
        InputError: a value is missing, unknown, or does not fit.
    """
    everything = Graph(graph.nodes)
    found = evaluate_at(everything, complete("draw", everything, values, 0))
    wires = {
        node: Wire(below=array_lines(value)) if differentiations(node) else Wire(array_lines(value))
        for node, value in zip(graph.nodes, found, strict=True)
    }
    return Circuit(graph, wires)


def _differentiated(loss: Node, gradients: Sequence[Node]) -> list[Node]:
    """What the gradients are the loss's derivatives with respect to; nothing if one is not.

    A sum hands its derivative on to its terms, so one gradient can be that of several nodes: it
    is then taken for that of the inputs and states among them.
    """
    if loss.shape != () or not loss.type.dtype.is_float:
        return []
    graph = Graph((loss,))
    leaves = [node for node in graph.nodes if isinstance(node.op, Leaf)]
    totals = pull_back([loss], leaves, [seed(loss)]).totals
    bodies: dict[str, Graph] = {}  # of loops: equal ones are one
    both = with_bodies(
        Graph((*gradients, *totals.values())),
        lambda body: bodies.setdefault(to_text(body, comments=False), body),
    )
    merged = rebuild(both, merge=True).outputs
    asked, known = merged[: len(gradients)], merged[len(gradients) :]
    wrt: list[Node] = []
    for gradient in asked:
        pairs = zip(totals, known, strict=True)
        matching = [node for node, total in pairs if total is gradient]
        if not matching:
            return []
        wrt += [node for node in matching if isinstance(node.op, Leaf)] or matching
    return wrt


def _with_gradients(point: Backpropagation) -> Circuit:
    wires = {node: _wire(node, point) for node in point.nodes}
    small_print = {node: _local_derivatives(node, point) for node in point.nodes}
    return Circuit(Graph((point.loss,)), wires, small_print)


def _wire(node: Node, point: Backpropagation) -> Wire:
    above = array_lines(point.values[node])
    if node not in point.gradients:
        return Wire(above)
    contributions = point.contributions[node]

    def contribution(reads: Reads) -> Lines:
        read = set(reads)
        chosen = [each for each in contributions if (each.reader, each.position) in read]
        return _sum_of(chosen)

    return Wire(above, _sum_of(contributions), contribution)


def _sum_of(contributions: Sequence[Contribution]) -> Lines:
    """`4 + (−2) = 2`; what is too long by the sum alone."""
    if not contributions:
        return ()
    result = array_lines(np.asarray(sum(each.value for each in contributions)))
    if len(contributions) < 2:
        return result
    terms = [array_lines(each.value) for each in contributions]
    text = " + ".join([terms[0][0], *(_in_brackets(term[0]) for term in terms[1:])])
    if any(len(lines) > 1 for lines in (*terms, result)) or len(text) > LONGEST_SUM:
        return (f"sum of {len(contributions)} parts", *result)
    return (f"{text} = {result[0]}",)


def _in_brackets(number: str) -> str:
    return f"({number})" if number.startswith("−") else number


def _local_derivatives(node: Node, point: Backpropagation) -> Lines:
    """`∂/∂a = b`, a line for each operand through which a gradient flows back."""
    added = [each for operand in set(node.inputs) for each in point.contributions.get(operand, ())]
    positions = sorted(each.position for each in added if each.reader is node)
    if len(positions) > 1 and len(set(node.inputs)) == 1:
        return (_of_repeated(node, positions),)
    names: dict[str, list[str]] = {}
    for position in positions:
        text = local_derivative(node, position).text
        names.setdefault(text, []).append(_told(node, position))
    return tuple(" = ".join([*filter(None, told), text]) for text, told in names.items())


def _told(node: Node, position: int) -> str:
    """What stands before a local derivative; nothing where the op says in words what it does."""
    if isinstance(node.op, Contract):
        return f"∇{notation.role(node.op, position)}"
    if not isinstance(node.op, Elementwise):
        return ""
    alone = [notation.literal(operand) for operand in node.inputs].count(None) == 1
    return f"∂/∂{'x' if alone else notation.role(node.op, position)}"


def _of_repeated(node: Node, positions: Sequence[int]) -> str:
    """`∂/∂x = x + x` for x × x."""
    x, y, above = map(name_of, "xyG")
    names = [x] * len(node.inputs)
    terms = [written_derivative(node, position, names, y, above).text for position in positions]
    return f"∂/∂x = {' + '.join(terms)}"
