"""Fusion: a contraction with the elementwise ops that follow it, and elementwise neighbours.

    relu(x @ w + b)                →   one fused_contract with the epilogue  relu(· + b)
    momentum * velocity + gradient →   one region
    (d @ w) * exp(-x * x)          →   (d @ w) * f, where f = exp(-x * x) is a region of its own

An elementary function that does not wait for the contraction stays outside: its tile fills the
registers.

Needs: no dead nodes (run `dce` before), so that one reader means that a value is needed once.
Leaves: `Region` and `FusedContract` nodes, which have no derivative of their own.
"""

from __future__ import annotations

from functools import lru_cache

from chainc.interpreters.counting import ScalarCounter
from chainc.ir import Graph, Node, apply, originating, with_inputs
from chainc.ir.leaves import Constant, Input, SizeOf
from chainc.ops.contract import Contract, FusedContract
from chainc.ops.elementwise import Elementwise
from chainc.ops.formula import Region
from chainc.ops.functions import ELEMENTARY
from chainc.passes.contractions.one_factor import one_factor
from chainc.rewriting.trace import note, replacing


def fuse(graph: Graph) -> Graph:
    """Merge elementwise nodes into their only reader, and chains into the contraction they end."""
    graph = one_factor(graph)
    absorbed = _absorbed(graph)
    groups: dict[Node, list[Node]] = {}
    root: dict[Node, Node] = {}
    for node in reversed(graph.nodes):  # so every group lists readers before what they read
        root[node] = root[absorbed[node]] if node in absorbed else node
        groups.setdefault(root[node], []).append(node)
    mapping: dict[Node, Node] = {}
    for node in graph.nodes:
        if node not in absorbed:
            mapping[node] = _merged(node, groups[node], mapping)
    return graph.replace(mapping)


def _absorbed(graph: Graph) -> dict[Node, Node]:
    """For each node that disappears into a kernel, the reader it is merged with."""
    roots = set(graph.roots)
    readers = {
        node: reader
        for node in graph.nodes
        if node not in roots and (reader := _only_reader(graph, node)) is not None
    }
    absorbed: dict[Node, Node] = {}
    behind: set[Node] = set()  # what is computed on the tile of a contraction
    for node, reader in readers.items():
        starts = isinstance(node.op, Contract) or node in behind
        if starts and reader not in behind:  # a kernel starts with one contraction
            absorbed[node] = reader
            behind.add(reader)
    slow: set[Node] = set()  # what takes an elementary function, with what it absorbs
    for node, reader in readers.items():
        if node in behind or not isinstance(node.op, Elementwise):
            continue
        with_it = (each for each in node.inputs if absorbed.get(each) is node)
        if _is_elementary(node.op) or not slow.isdisjoint(with_it):
            slow.add(node)
        if not (node in slow and reader in behind):
            absorbed[node] = reader
    return absorbed


def _only_reader(graph: Graph, node: Node) -> Node | None:
    """What alone needs a value and can compute it at each of its own elements."""
    readers = set(graph.users[node])
    if len(readers) != 1 or _is_fixed(node):
        return None
    (reader,) = readers
    elementwise = isinstance(reader.op, Elementwise) and reader.shape == node.shape
    return reader if elementwise else None


@lru_cache
def _is_elementary(op: Elementwise) -> bool:
    counter = ScalarCounter()
    op.interpret(counter, [None] * op.arity())
    return not counter.primitives.isdisjoint(ELEMENTARY)


def _is_fixed(node: Node) -> bool:
    """Known once the program is bound: a size, converted or not, needs no kernel."""
    return bool(node.inputs) and all(isinstance(i.op, SizeOf) for i in node.inputs)


def _merged(root: Node, members: list[Node], mapping: dict[Node, Node]) -> Node:
    if len(members) == 1:
        return with_inputs(root, tuple(mapping[operand] for operand in root.inputs))
    inside = set(members)
    order = members[::-1]
    contraction = next((node for node in order if isinstance(node.op, Contract)), None)
    outside = _operands(order, inside, contraction)
    body = _body(order, outside, contraction)
    operands = [mapping[operand] for operand in outside if operand is not contraction]
    rule = "fuse_region" if contraction is None else "fuse_epilogue"
    with originating(replacing(root, rule)):
        if contraction is None:
            fused = apply(Region(body), *operands)
        else:
            assert isinstance(contraction.op, Contract)
            factors = (mapping[operand] for operand in contraction.inputs)
            fused = apply(FusedContract(contraction.op, body), *factors, *operands)
    note(rule, root, fused)
    return fused


def _operands(order: list[Node], inside: set[Node], contraction: Node | None) -> list[Node]:
    """What the body reads from outside, the contraction first; constants are part of the body."""
    found: dict[Node, None] = {} if contraction is None else {contraction: None}
    for node in order:
        if node is contraction:
            continue
        for operand in node.inputs:
            if operand not in inside and not _is_scalar_constant(operand):
                found[operand] = None
    return list(found)


def _is_scalar_constant(node: Node) -> bool:
    return isinstance(node.op, Constant) and node.shape == ()


def _body(order: list[Node], outside: list[Node], contraction: Node | None) -> Graph:
    """The members over inputs "0", "1", … in place of the operands from outside."""
    local: dict[Node, Node] = {}
    for index, operand in enumerate(outside):
        local[operand] = Node(Input(str(index), operand.type), (), operand.type, operand.origin)
    for node in order:
        if node is not contraction:
            inputs = tuple(local.get(operand, operand) for operand in node.inputs)
            local[node] = Node(node.op, inputs, node.type, node.origin)
    return Graph((local[order[-1]],))
