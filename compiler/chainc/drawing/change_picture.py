"""What the picture of a pass shows: the graph before, the graph after, and what stays folded.

What changed is drawn node by node, with its operands and readers; of large graphs the layers and
the stretches that stay as they are become closed boxes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from chainc.dataclass import dataclass
from chainc.drawing.detail import keys_with
from chainc.drawing.diagram import Diagram, Vertex, assemble, diagram
from chainc.drawing.loops import with_results_together
from chainc.drawing.node_roles import Box, NodeRoles, Path, differentiations
from chainc.drawing.stretches import (
    Key,
    Keys,
    Stretch,
    fold_repeats,
    fold_stretches,
    order_of,
    path_of,
)
from chainc.ir import Graph, Node, Scope
from chainc.rewriting.change import Change, Mark, Rewriting

SMALL = 30  # nodes of a graph up to which nothing is folded
NEAR = 24  # nodes up to which what changed is drawn with its neighbours
LARGEST = 40  # vertices of a side beyond which repeated changes are folded
CUT = 80  # vertices of a side beyond which anything is

Marks = Mapping[Node, Mark]


@dataclass(frozen=True)
class ChangePicture:
    """All that is drawn: both graphs, and of each vertex its mark and the rules that fired there.

    A rule comes with the number by which a reader finds both ends of a rewriting.
    """

    diagram: Diagram
    marks: Mapping[Vertex, Mark]
    rules: Mapping[Vertex, Sequence[tuple[int, Rewriting]]]


def change_picture(change: Change) -> ChangePicture:
    """The contents of the picture."""
    near_before, near_after = _near_changes(change)
    before_graph, after_graph = change.graphs
    if not _changed(change.before) and not _changed(change.after):
        return ChangePicture(_unchanged(after_graph), {}, {})
    before = _side("before", before_graph, change.before, near_before)
    after = _side("after", after_graph, change.after, near_after)
    both = Diagram((*before.vertices, *after.vertices), (*before.edges, *after.edges), "")
    marks = {
        **{vertex: _mark(vertex, change.before) for vertex in before.vertices},
        **{vertex: _mark(vertex, change.after) for vertex in after.vertices},
    }
    return ChangePicture(both, marks, _rules(change, before, after))


def _unchanged(graph: Graph) -> Diagram:
    return replace(diagram(graph), note="nothing changes")


def _near_changes(change: Change) -> tuple[set[Node], set[Node]]:
    """In each graph: what changed there or in the other one, if little with its neighbours."""
    before, after = change.graphs
    first = _with_neighbours(before, change.before)
    second = _with_neighbours(after, change.after)
    if max(len(first), len(second)) > NEAR:
        return _changed(change.before), _changed(change.after)
    pairs = [(x, y) for x, y in change.pairs.items() if x in first or y in second]
    return first | {x for x, _ in pairs}, second | {y for _, y in pairs}


def _with_neighbours(graph: Graph, marks: Marks) -> set[Node]:
    """What changed, with its operands and readers."""
    return {part for node in _changed(marks) for part in (node, *node.inputs, *graph.users[node])}


def _changed(marks: Marks) -> set[Node]:
    return {node for node, mark in marks.items() if mark is not Mark.UNCHANGED}


def _side(name: str, graph: Graph, marks: Marks, near: set[Node]) -> Diagram:
    roles = NodeRoles(graph)
    if len(graph.nodes) > SMALL:
        keys = _folded(roles, near, marks)
    else:
        keys = with_results_together(roles, keys_with(roles, set()), set(graph.nodes))
    picture = assemble(roles, keys, "")
    return _inside(picture, Box(Scope(name), 0))


def _folded(roles: NodeRoles, near: set[Node], marks: Marks) -> Keys:
    """Far from changes, layers closed and the rest in stretches; then what repeats; then all."""
    open_ = {roles.paths[node][:n] for node in near for n in range(len(roles.paths[node]) + 1)}
    closed = {path[:n] for path in roles.paths.values() for n in range(1, len(path) + 1)} - open_
    keys = with_results_together(roles, keys_with(roles, closed), near)
    keys = _with_stretches(roles, keys, near)
    keys = fold_repeats(roles, keys, LARGEST, marks)
    return keys if len(set(keys.values())) <= CUT else fold_stretches(roles, keys)


def _with_stretches(roles: NodeRoles, keys: Keys, near: set[Node]) -> Keys:
    """Neighbours far from changes, in the same boxes and of the same pass, as one vertex."""
    stretches: dict[Key, Stretch] = {}
    gathered: list[Key] = []
    for key in order_of(roles, keys):
        if gathered and (_is_open(key, near) or _place(roles, key) != _place(roles, gathered[0])):
            stretches.update(_stretch(roles, gathered))
            gathered = []
        if not _is_open(key, near):
            gathered.append(key)
    stretches.update(_stretch(roles, gathered))
    return {node: stretches.get(key, key) for node, key in keys.items()}


def _is_open(key: Key, near: set[Node]) -> bool:
    return not isinstance(key, Node) or key in near


def _place(roles: NodeRoles, key: Key) -> tuple[Path, int]:
    return path_of(roles, key), differentiations(key) if isinstance(key, Node) else 0


def _stretch(roles: NodeRoles, gathered: list[Key]) -> Mapping[Key, Stretch]:
    if len(gathered) < 2:
        return {}
    return dict.fromkeys(gathered, Stretch(Mark.UNCHANGED.value, "", path_of(roles, gathered[0])))


def _inside(picture: Diagram, box: Box) -> Diagram:
    """The picture with one more box around all of it."""
    moved = {v: replace(v, path=(box, *v.path)) for v in picture.vertices}
    edges = tuple(
        replace(edge, source=moved[edge.source], target=moved[edge.target])
        for edge in picture.edges
    )
    return Diagram(tuple(moved.values()), edges, picture.note)


def _mark(vertex: Vertex, marks: Marks) -> Mark:
    """The mark of a node; of several the most frequent one among those that changed."""
    found = Counter(marks[node] for node in vertex.nodes)
    del found[Mark.UNCHANGED]
    return found.most_common(1)[0][0] if found else Mark.UNCHANGED


def _rules(
    change: Change, before: Diagram, after: Diagram
) -> Mapping[Vertex, Sequence[tuple[int, Rewriting]]]:
    """Rewritings between the same vertices, and by the same rules, share a number."""
    sources, targets = _by_node(before.vertices), _by_node(after.vertices)
    numbers: dict[tuple[Vertex, Vertex, tuple[str, ...]], int] = {}
    found: dict[Vertex, list[tuple[int, Rewriting]]] = {}
    for one in change.rewritings:
        if one.replaced not in sources or one.replacement not in targets:
            continue
        source, target = sources[one.replaced], targets[one.replacement]
        known = len(numbers)
        number = numbers.setdefault((source, target, one.names), known + 1)
        if len(numbers) > known:
            for vertex in (source, target):
                found.setdefault(vertex, []).append((number, one))
    return found


def _by_node(vertices: Iterable[Vertex]) -> Mapping[Node, Vertex]:
    return {node: vertex for vertex in vertices for node in vertex.nodes}
