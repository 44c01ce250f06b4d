"""Long stretches of a huge graph, each drawn as one box.

    block1 → block2 → … → block50   →   block1 → 48 × block → block50

Where structure repeats, the first and the last time stay open. Every box covers neighbours in the
order of the graph, so that no edge runs against that order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from chainc.dataclass import dataclass
from chainc.drawing.node_roles import NodeRoles, Path, common, differentiations
from chainc.formulas import notation
from chainc.ir import Node
from chainc.ir.leaves import Leaf

LONGEST_PERIOD = 256  # vertices of the structure that repeats
FEWEST_FOLDED = 3  # vertices that a box replaces
SHOWN_AT_ENDS = 20  # vertices that stay open at either end of what does not repeat
STRETCHES = 12  # boxes for what does not repeat
NAMES_SHOWN = 4  # of the structure that repeats
ROOTS_KEPT = 20  # outputs and updates that stay open beside the ends


@dataclass(frozen=True, eq=False)
class Stretch:
    """Neighbouring vertices drawn as one box.

    Attributes:
        title: what repeats and how often, `46 × (linear, ReLU)`; empty where nothing does.
        where: `linear3 … linear48`, or the lines of the program.
        path: the boxes around all of it.
    """

    title: str
    where: str
    path: Path


@dataclass(frozen=True, eq=False)
class LoopResults(Stretch):
    """All results of one loop that a graph has: its title is `scan, 5 steps`, and where is each."""


Key = Node | Path | Stretch  # what a vertex stands for: a node, a closed box, or a stretch
Keys = Mapping[Node, Key]


def is_same(a: Key, b: Key) -> bool:
    """As keys of a mapping are the same: boxes by value, nodes by identity."""
    return len({a, b}) == 1


@dataclass(frozen=True)
class _Repeat:
    """Positions start to start + times · period hold the same structure so many times."""

    start: int
    period: int
    times: int

    @property
    def folded(self) -> range:
        """All but the first time and the last."""
        return range(self.start + self.period, self.start + (self.times - 1) * self.period)


def vertex_count(roles: NodeRoles, keys: Keys) -> int:
    """How many vertices a picture has, the names of the outputs among them."""
    results = [keys[output] for output in roles.graph.outputs]
    alone = sum(isinstance(key, Node) for key in results)
    return (
        len(set(keys.values())) + alone + len({key for key in results if not isinstance(key, Node)})
    )


def fold_repeats(
    roles: NodeRoles, keys: Keys, limit: int, told_apart: Mapping[Node, object] | None = None
) -> Keys:
    """Fold repeated structure until there are no more than `limit` vertices, or none repeats.

    Args:
        roles: of the nodes.
        keys: what stands for each node by now.
        limit: how many vertices may stay.
        told_apart: of nodes, what must be equal for them to repeat.
    """
    while True:
        if vertex_count(roles, keys) <= limit:
            return keys
        order = order_of(roles, keys)
        repeats = _repeats(_signatures(roles, order, told_apart or {}))
        if not repeats:
            return keys
        members = _members(keys)
        stretches: dict[Key, Stretch] = {}
        for repeat in repeats:
            folded = [order[position] for position in repeat.folded]
            stretch = _repeated(roles, folded, repeat, members)
            stretches.update(dict.fromkeys(folded, stretch))
        keys = {node: stretches.get(key, key) for node, key in keys.items()}


def fold_stretches(roles: NodeRoles, keys: Keys) -> Keys:
    """All but the ends as a few boxes, none of which holds more than one pass."""
    order = order_of(roles, keys)
    members = _members(keys)
    roots = [keys[root] for root in roles.graph.roots[:ROOTS_KEPT]]
    kept = {*order[:SHOWN_AT_ENDS], *order[-SHOWN_AT_ENDS:], *roots}
    size = -(-(len(order) - len(kept)) // STRETCHES)
    stretches: dict[Key, Stretch] = {}
    gathered: list[Key] = []
    for key, after in zip(order, [*order[1:], None], strict=True):
        if key not in kept:
            gathered.append(key)
        full = len(gathered) == size or after is None
        if gathered and (full or _pass(members[gathered[-1]]) != _pass(members.get(after, []))):
            nodes = [node for part in gathered for node in members[part]]
            stretch = Stretch("", _lines_of(nodes), path_around(roles, gathered))
            stretches.update(dict.fromkeys(gathered, stretch))
            gathered = []
    return {node: stretches.get(key, key) for node, key in keys.items()}


def order_of(roles: NodeRoles, keys: Keys) -> list[Key]:
    """The vertices, each close before those that read it, so that what belongs together is so.

    Where vertices form no cycle, none comes before what it reads.
    """
    heights = roles.heights
    highest: dict[Key, int] = {}
    operands: dict[Key, dict[Key, None]] = {}
    for node, key in keys.items():
        highest[key] = max(highest.get(key, 0), heights[node])
        read = operands.setdefault(key, {})
        read.update((keys[operand], None) for operand in node.inputs if operand in keys)
    order: dict[Key, None] = {}
    entered: set[Key] = set()
    stack = [(key, False) for key in reversed([keys[root] for root in roles.graph.roots])]
    while stack:
        key, finished = stack.pop()
        if finished:
            order[key] = None
        elif key not in entered:
            entered.add(key)
            stack.append((key, True))
            waiting = [operand for operand in operands[key] if operand not in entered]
            stack.extend((one, False) for one in sorted(waiting, key=highest.__getitem__))
    return [*order, *(key for key in operands if key not in order)]


def _pass(nodes: Sequence[Node]) -> int:
    return max((differentiations(node) for node in nodes), default=0)


def _members(keys: Keys) -> dict[Key | None, list[Node]]:
    members: dict[Key | None, list[Node]] = {}
    for node, key in keys.items():
        members.setdefault(key, []).append(node)
    return members


def _repeats(signatures: Sequence[object]) -> list[_Repeat]:
    """Repetitions that do not overlap, those that fold the most first."""
    numbers: dict[object, int] = {}
    found = np.array([numbers.setdefault(one, len(numbers)) for one in signatures])
    candidates: list[_Repeat] = []
    for period in range(1, min(LONGEST_PERIOD, len(found) // 3) + 1):
        same = found[period:] == found[:-period]
        ends = np.flatnonzero(np.diff(np.concatenate(([False], same, [False]))))
        starts, times = ends[::2], (ends[1::2] - ends[::2]) // period + 1
        enough = (times - 2) * period >= FEWEST_FOLDED
        for start, count in zip(starts[enough].tolist(), times[enough].tolist(), strict=True):
            candidates.append(_Repeat(start, period, count))
    candidates.sort(key=lambda one: (-len(one.folded), one.period, one.start))
    taken = np.zeros(len(found), bool)
    chosen: list[_Repeat] = []
    for one in candidates:
        whole = slice(one.start, one.start + one.times * one.period)
        if not taken[whole].any():
            taken[whole] = True
            chosen.append(one)
    return chosen


def _signatures(
    roles: NodeRoles, order: Sequence[Key], told_apart: Mapping[Node, object]
) -> list[object]:
    """Equal for vertices that look alike, in boxes of the same names, with such neighbours."""
    signatures: list[object] = []
    before: Path = ()
    for key in order:
        path = path_of(roles, key)
        names = tuple(_without_number(box.label) for box in path)
        inside = _inside(roles, key)
        apart = told_apart.get(key) if isinstance(key, Node) else None
        signatures.append((_name(roles, key), names, inside == before, apart))
        before = inside
    return signatures


def _repeated(
    roles: NodeRoles,
    folded: Sequence[Key],
    repeat: _Repeat,
    members: Mapping[Key | None, Sequence[Node]],
) -> Stretch:
    once = folded[: repeat.period]
    computed = [key for key in once if not _is_leaf(key)] or once
    names = [_name(roles, key) for key in computed]
    shown = ", ".join(names[:NAMES_SHOWN])
    if len(names) > NAMES_SHOWN:
        shown += f", … {len(names) - NAMES_SHOWN} more"
    title = f"{repeat.times - 2:,} × " + (f"({shown})" if len(names) > 1 else shown)
    nodes = [node for key in folded for node in members[key]]
    where = _span(roles, folded) or _lines_of(nodes)
    return Stretch(title, where, path_around(roles, folded))


def _is_leaf(key: Key) -> bool:
    return isinstance(key, Node) and isinstance(key.op, Leaf)


def _name(roles: NodeRoles, key: Key) -> str:
    """What a vertex is called, whichever of many it is: `tanh`, `linear`."""
    if isinstance(key, Stretch):
        return f"({key.title or key.where})"
    if isinstance(key, tuple):
        return _without_number(key[-1].label)
    if isinstance(key.op, Leaf):
        return _without_number(key.op.label.rpartition("/")[2])
    return notation.lines(key, roles.constants(key))[0]


def _without_number(name: str) -> str:
    return re.sub(r"[\s_.-]*\d+$", "", name) or name


def _span(roles: NodeRoles, folded: Sequence[Key]) -> str:
    """The first and the last of layers that are folded: `linear2 … linear49`."""
    depth = len(path_around(roles, folded))
    boxes = dict.fromkeys(
        inside[depth].label for inside in (_inside(roles, key) for key in folded) if inside[depth:]
    )
    names = list(boxes)
    return f"{names[0]} … {names[-1]}" if len(names) > 1 else ""


def _inside(roles: NodeRoles, key: Key) -> Path:
    return key if isinstance(key, tuple) else path_of(roles, key)


def path_of(roles: NodeRoles, key: Key) -> Path:
    """The boxes around a vertex."""
    if isinstance(key, Node):
        return roles.paths[key]
    return key.path if isinstance(key, Stretch) else key[:-1]


def path_around(roles: NodeRoles, keys: Iterable[Key]) -> Path:
    return common([path_of(roles, key) for key in keys])


def _lines_of(nodes: Iterable[Node]) -> str:
    """`model.py:4–6`; without the lines where the nodes come from several files."""
    locations = [node.origin.location for node in nodes if node.origin.location is not None]
    if not locations:
        return ""
    first = min(locations, key=lambda location: location.line)
    last = max(locations, key=lambda location: location.line)
    if len({location.file for location in locations}) > 1:
        return ""
    return first.short if first.line == last.line else f"{first.short}–{last.line}"
