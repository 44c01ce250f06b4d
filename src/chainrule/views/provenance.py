"""Where generated code comes from, and what has become of a line: provenance, both ways."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

from chainc.backends.listing import Listing
from chainc.backends.target import GeneratedCode
from chainc.dataclass import dataclass
from chainc.ir import Graph, Node, Origin, describe
from chainc.ir.errors import GraphError, InputError, Location
from chainc.lowering.kernels import Contraction, Kernel
from chainc.lowering.parts import Part
from chainc.ops.formula import fused_parts
from chainrule.declare.arguments import is_one_of
from chainrule.declare.calls import answers_calls

LINES_NAMED = 6  # in the hint of an error

# What tells an op apart through the passes: they hand its origin on, also where they rebuild it.
Mark = tuple[int, str]

K = TypeVar("K")


@dataclass(frozen=True)
class Computed:
    """One op that a line of generated code computes.

    Attributes:
        node: of the optimised graph; a fused one stands for several ops.
        op: the name of the one that is computed.
        origin: where that one comes from.
    """

    node: Node
    op: str
    origin: Origin

    @property
    def step(self) -> str:
        """The chain-rule step that made it; empty for what was declared."""
        return chain_rule_step(self.origin)

    @property
    def rewrites(self) -> tuple[tuple[str, Node], ...]:
        """The rules that made it what it is, the last one first, each with what it replaced."""
        return rewrites_of(self.origin)

    def __str__(self) -> str:
        origin = self.origin
        where = f" ({origin.location})" if origin.location else ""
        scope = f" in {origin.scope}" if origin.scope else ""
        step = f"; {self.step}" if self.step else ""
        rules = "".join(f"; {rule} of {describe(replaced)}" for rule, replaced in self.rewrites)
        return f"{self.op}{scope}{where}{step}{rules}"


@dataclass(frozen=True)
class GeneratedLine:
    """A line of generated code, and what it is for; that is empty for what serves all of it.

    Attributes:
        number: the first line is 1.
        text: the line.
        computes: the ops that it computes; all those of its kernel where it serves the kernel
            as a whole.
    """

    number: int
    text: str
    computes: tuple[Computed, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes of the optimised graph."""
        return tuple(dict.fromkeys(each.node for each in self.computes))

    @property
    def locations(self) -> tuple[Location, ...]:
        """The user's lines."""
        found = (each.origin.location for each in self.computes)
        return tuple(dict.fromkeys(location for location in found if location is not None))

    @property
    def scopes(self) -> tuple[str, ...]:
        """The layers, by their paths."""
        return tuple(dict.fromkeys(e.origin.scope for e in self.computes if e.origin.scopes))

    def __str__(self) -> str:
        computed = dict.fromkeys(map(str, self.computes))
        return "\n".join([f"{self.number}: {self.text.strip()}", *(f"  {c}" for c in computed)])


@answers_calls
class Provenance:
    """Generated code and a graph, and what belongs to what. Made by `program.provenance()`."""

    def __init__(self, code: str, listing: Listing, graphs: Sequence[Graph]) -> None:
        self.code = code
        self._graphs = graphs  # the declared one and those after each pass
        self._listing = listing

    def __repr__(self) -> str:
        return f"<Provenance of {self.code}: {len(self.lines):,} lines>"

    @cached_property
    def lines(self) -> tuple[GeneratedLine, ...]:
        """Every line of the code."""
        resolve = _Parts(self._listing, self._graphs[-1])
        known: dict[int, tuple[Computed, ...]] = {}  # many lines share their parts
        found: list[GeneratedLine] = []
        for number, line in enumerate(self._listing.lines, start=1):
            key = id(line.parts)
            if key not in known:
                known[key] = tuple(each for part in line.parts for each in resolve.computed(part))
            found.append(GeneratedLine(number, line.text, known[key]))
        return tuple(found)

    def of_line(self, number: int) -> GeneratedLine:
        """What a line is for, by its number from 1.

        Raises:
            InputError: there is no such line.
        """
        count = len(self.lines)
        given: object = number
        if type(given) is not int or not 1 <= number <= count:
            raise InputError(
                f"of_line: there is no line {number!r}",
                hint=f"give a line of the {self.code} code, from 1 to {count}",
            )
        return self.lines[number - 1]

    def lines_of(self, what: Node | str) -> tuple[int, ...]:
        """The numbers of the lines that compute a node, or what a line of the user's declares.

        A node may be a declared one, one of a gradient, or one after any pass. An input, and an
        op that was taken into others, is computed where its readers are.

        Args:
            what: a node, or a place such as "digits.py:12".

        Raises:
            InputError: the program has no such node or place.
        """
        if isinstance(what, Node):
            return tuple(sorted(self._lines_of_node(what)))
        return tuple(sorted(self._lines_of_place(what)))

    def _lines_of_place(self, place: str) -> set[int]:
        direct = {location: lines for location, lines in self._by_location.items()
                  if _is_called(location, place)}  # fmt: skip
        if direct:
            return set().union(*direct.values())
        declared = [
            node
            for node in self._graphs[0].nodes
            if node.origin.location is not None and _is_called(node.origin.location, place)
        ]
        if not declared:
            raise self._no_such_place(place)
        return set().union(*map(self._lines_of_node, declared))

    def _no_such_place(self, place: object) -> InputError:
        known = [location.short for location in self._by_location][:LINES_NAMED]
        return InputError(
            f"lines_of: nothing in the program is declared at {place!r}",
            hint=f"give a node, or a line such as {', '.join(map(repr, known)) or 'model.py:3'}",
        )

    def _lines_of_node(self, node: Node) -> set[int]:
        graph = next((graph for graph in self._graphs if node in graph.users), None)
        if graph is None:
            raise InputError(
                f"lines_of: {describe(node)} is no node of this program",
                hint="give a node of its graphs, program.stages[…].graph",
            )
        found: set[int] = set()
        seen = {node}
        waiting = [node]
        while waiting:
            each = waiting.pop()
            lines = self._own_lines(each)
            found |= lines
            if not lines:
                readers = [reader for reader in graph.users[each] if reader not in seen]
                seen.update(readers)
                waiting.extend(readers)
        return found

    def _own_lines(self, node: Node) -> set[int]:
        """Lines of the node itself, of what it has become, or of what it was fused into."""
        return (
            self._by_node.get(node)
            or self._by_mark.get(_mark(node))
            or self._by_kernel_mark.get(_mark(node))
            or set()
        )

    @cached_property
    def _by_node(self) -> Mapping[Node, set[int]]:
        return _index(self.lines, lambda computed: [computed.node])

    @cached_property
    def _by_location(self) -> Mapping[Location, set[int]]:
        return _index(self.lines, lambda c: [c.origin.location] if c.origin.location else [])

    @cached_property
    def _by_mark(self) -> Mapping[Mark, set[int]]:
        return _index(self.lines, lambda c: _marks(c.op, c.origin))

    @cached_property
    def _by_kernel_mark(self) -> Mapping[Mark, set[int]]:
        return _index(self.lines, lambda c: _marks(c.node.op.name, c.node.origin))


def provenance_of(
    graphs: Sequence[Graph], generated: GeneratedCode, code: str | None
) -> Provenance:
    """The provenance of one of a program's codes, by default of the one nearest to its graph."""
    known = generated.codes
    chosen = known[0] if code is None else code
    if not is_one_of(chosen, known):
        raise GraphError(
            f"provenance: the program has no code {code!r}",
            hint=f"ask for {' or '.join(map(repr, known))}, or compile for another target",
        )
    return Provenance(chosen, generated.listing(chosen), graphs)


class _Parts:
    """What the parts of kernels in a listing compute."""

    def __init__(self, listing: Listing, graph: Graph) -> None:
        self._own = set(graph.nodes)
        self._by_root = {_root(node): node for node in graph.nodes}
        known = {part for line in listing.lines for part in line.parts}
        self._writers = {
            part.target: part.kernel.node for part in known if part.kernel.node is not None
        }

    def computed(self, part: Part) -> Iterator[Computed]:
        for node in self._nodes(part.kernel):
            op, origin = _computed(part, node)
            yield Computed(self._in_graph(node), op, origin)

    def _nodes(self, kernel: Kernel) -> Sequence[Node]:
        """The node it is done for; of a copy that storage asks for, what is copied."""
        if kernel.node is not None:
            return [kernel.node]
        buffers = (view.buffer for view in kernel.reads)
        return [self._writers[buffer] for buffer in buffers if buffer in self._writers]

    def _in_graph(self, node: Node) -> Node:
        """The evaluation of a training is lowered from a graph of its own, declared by the same."""
        return node if node in self._own else self._by_root.get(_root(node), node)


def _computed(part: Part, node: Node) -> tuple[str, Origin]:
    """The op that a part of a kernel computes for a node, and its origin."""
    if part.node is not None:
        return part.node.op.name, part.node.origin
    op = node.op.fused_contraction or node.op
    return op.name, part.kernel.origin if isinstance(part.kernel, Contraction) else node.origin


def chain_rule_step(origin: Origin) -> str:
    """Which step of the chain rule made a node; empty for a declared one."""
    derivative = origin.derivative
    if derivative is None:
        return ""
    forward = derivative.forward
    if derivative.operand is None:
        return f"{derivative.rule} of {describe(forward, short=True)}"
    operand = forward.inputs[derivative.operand]
    return (
        f"{derivative.rule} of {describe(forward, short=True)} "
        f"with respect to operand {derivative.operand + 1}, {describe(operand, short=True)}"
    )


def rewrites_of(origin: Origin) -> tuple[tuple[str, Node], ...]:
    """The rules that led to a node, the last one first, each with what it replaced."""
    found: list[tuple[str, Node]] = []
    while origin.rewrite is not None:
        found.append((origin.rewrite.rule, origin.rewrite.replaced))
        origin = origin.rewrite.replaced.origin
    return tuple(found)


def families(node: Node) -> tuple[Mark, ...]:
    """What stays the same of a node through all passes; a fused one has those of its ops."""
    parts, contraction = fused_parts(node) or (node,), node.op.fused_contraction
    if contraction is None:
        return _families(parts)
    product, *epilogue = parts
    return tuple(dict.fromkeys((*_families(epilogue), family(contraction.name, product.origin))))


def _families(parts: Iterable[Node]) -> tuple[Mark, ...]:
    return tuple(dict.fromkeys(family(part.op.name, part.origin) for part in parts))


def family(op: str, origin: Origin) -> Mark:
    """Of one op: the mark of what was there before the first rule."""
    return _marks(op, origin)[-1]


def _mark(node: Node) -> Mark:
    return id(node.origin), node.op.name


def _marks(op: str, origin: Origin) -> list[Mark]:
    """Of an op and of all that it stands in for."""
    return [(id(origin), op), *(_mark(replaced) for _, replaced in rewrites_of(origin))]


def _root(node: Node) -> Mark:
    """The op's name, and the origin from before the first rule."""
    replaced = rewrites_of(node.origin)
    return id(replaced[-1][1].origin if replaced else node.origin), node.op.name


def _is_called(location: Location, place: object) -> bool:
    return is_one_of(place, (location.short, str(location), f"{location.file}:{location.line}"))


def _index(
    lines: Iterable[GeneratedLine], keys: Callable[[Computed], Iterable[K]]
) -> Mapping[K, set[int]]:
    found: dict[K, set[int]] = {}
    known: dict[int, set[K]] = {}  # the keys of what a function computes, at all its lines
    for line in lines:
        at = id(line.computes)
        if at not in known:
            known[at] = {key for computed in line.computes for key in keys(computed)}
        for key in known[at]:
            found.setdefault(key, set()).add(line.number)
    return found
