"""The story of a compile as data: stages, their pictures, nodes and generated code, by number."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property
from html import escape

from chainc.dataclass import dataclass
from chainc.drawing.change_dot import change_to_dot
from chainc.drawing.change_picture import change_picture
from chainc.drawing.detail import SMALL, Detail
from chainc.drawing.diagram import Vertex, diagram
from chainc.drawing.dot import to_dot
from chainc.ir import Graph, Node, Origin, describe
from chainc.ir.leaves import Leaf
from chainc.ops.formula import fused_parts
from chainc.rewriting.change import Change, Rewriting, change
from chainrule.compiled.compiled import Compiled
from chainrule.drawing.rendering import render_svg
from chainrule.views.provenance import (
    Computed,
    Mark,
    Provenance,
    chain_rule_step,
    families,
    family,
    rewrites_of,
)

LINES_SHOWN = 8_000  # of one code
LONGEST_LINE = 200  # characters

# How a picture's SVG names what is in it.
_NODE = re.compile(r'<g id="[^"]*" class="node">\s*<title>(?P<title>[^<]*)</title>')
_OTHER_ID = re.compile(r'<(g|a) id="(?:graph|clust|edge|a_|node)[^"]*"')
# Names of parts, which the page does not show; links, since choosing a node leads to its rules;
# and the font, which the page's style names once for all.
_SAID_ONCE = re.compile(
    r'<title>[^<]*</title>\s*| xlink:href="[^"]*"| font-family="Helvetica[^"]*"'
    r'| xml:space="preserve"'
)

Record = Mapping[str, object]
Texts = Mapping[Node, Sequence[str]]


@dataclass
class Story:
    """Gives every node and every family of ops a number, and says what the page knows of each.

    Attributes:
        program: a compiled function or training.
        values: lines of text with a node's numbers, where there are any.
    """

    program: Compiled
    values: Texts
    _numbers: dict[Node, int] = field(default_factory=dict)
    _families: dict[Mark, int] = field(default_factory=dict)
    _spans: dict[tuple[int, ...], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for stage in self.program.stages:
            for node in stage.graph.nodes:
                self._numbers.setdefault(node, len(self._numbers))

    def number(self, node: Node) -> int | None:
        """Of a node of some stage's graph; others have none."""
        return self._numbers.get(node)

    @cached_property
    def codes(self) -> tuple[Provenance, ...]:
        """The texts of generated code, the one nearest to the graph first."""
        return tuple(map(self.program.provenance, self.program.codes))

    @cached_property
    def changes(self) -> tuple[Change | None, ...]:
        """What each stage changed; None for the declared graph."""
        return tuple(
            None if stage.before is None else change(stage.before, stage.graph, stage.fired)
            for stage in self.program.stages
        )

    @cached_property
    def _replaced(self) -> Mapping[Node, Rewriting]:
        """What the rules put in the place of a node."""
        return {
            rewriting.replaced: rewriting
            for found in self.changes
            if found is not None
            for rewriting in found.rewritings
        }

    def data(self) -> Record:
        """What the page's script reads."""
        codes = [self._code(code) for code in self.codes]
        nodes = [self._node(node) for node in self._numbers]
        return {"nodes": nodes, "codes": codes, "spans": [_ranges(span) for span in self._spans]}

    def _node(self, node: Node) -> Record:
        return {
            "label": node.op.label,
            "type": str(node.type),
            **_origin_record(node.origin),
            "rules": [self._rule(rule, old) for rule, old in rewrites_of(node.origin)],
            "becomes": self._becomes(node),
            "operands": [self._numbers[operand] for operand in node.inputs],
            "parts": [_part(part) for part in fused_parts(node)],
            "families": [self._family(mark) for mark in families(node)],
            "lines": {code.code: self._span(code.lines_of(node)) for code in self.codes},
            "value": list(self.values.get(node, ())),
        }

    def _rule(self, rule: str, replaced: Node) -> Record:
        return {"rule": rule, "text": describe(replaced, short=True), "node": self.number(replaced)}

    def _becomes(self, node: Node) -> Record | None:
        if node not in self._replaced:
            return None
        found = self._replaced[node]
        text, number = describe(found.replacement, short=True), self.number(found.replacement)
        return {"rules": list(found.names), "text": text, "node": number}

    def _span(self, lines: tuple[int, ...]) -> int:
        """A node has the same lines at every stage."""
        return self._spans.setdefault(lines, len(self._spans))

    def _family(self, mark: Mark) -> int:
        return self._families.setdefault(mark, len(self._families))

    def _code(self, code: Provenance) -> Record:
        """The lines, in runs of neighbours for one purpose; what does not repeat is said once."""
        shown = code.lines[:LINES_SHOWN]
        purposes: dict[tuple[Computed, ...], int] = {}
        runs = [
            (line.number, purposes.setdefault(line.computes, len(purposes)))
            for line in shown
            if line.computes
        ]
        return {
            "name": code.code,
            "text": "\n".join(_short(line.text) for line in shown),
            "more": len(code.lines) - len(shown),
            "runs": _runs(runs),
            "purposes": [self._purpose(computes) for computes in purposes],
        }

    def _purpose(self, computes: Sequence[Computed]) -> Record:
        """What lines compute, and the families of ops that light up with them."""
        texts = {
            (each.op, each.origin.location, each.origin.scope, each.step): {
                "op": each.op,
                **_origin_record(each.origin),
                "rules": [self._rule(rule, old) for rule, old in each.rewrites],
                "node": self.number(each.node),
            }
            for each in computes
        }
        marks = dict.fromkeys(family(each.op, each.origin) for each in computes)
        return {
            "families": [self._family(mark) for mark in marks],
            "computes": list(texts.values()),
        }

    def graph(self, name: str, graph: Graph) -> str:
        """The picture of a graph, as SVG whose identifiers begin with `name`."""
        small = len(diagram(graph, "ops").vertices) <= SMALL
        detail: Detail | None = "ops" if small else None
        vertices = diagram(graph, detail).vertices
        return self._marked(name, to_dot(graph, detail=detail), vertices)

    def change(self, name: str, found: Change) -> str:
        """The picture of what a pass did."""
        return self._marked(name, change_to_dot(found), change_picture(found).diagram.vertices)

    def _marked(self, name: str, dot: str, vertices: Sequence[Vertex]) -> str:
        """The SVG with its nodes told apart for the script and for screen readers."""
        known = {f"n{i}": vertex for i, vertex in enumerate(vertices)}

        def marked(match: re.Match[str]) -> str:
            vertex = known.get(match["title"])
            numbers = [self._numbers[node] for node in vertex.nodes] if vertex else []
            if vertex is None or not numbers:
                return "<g>"
            place = f'id="{name}-{match["title"]}" data-nodes="{" ".join(map(str, numbers))}"'
            label = escape(vertex.tooltip)
            return f'<g class="node" {place} role="button" tabindex="-1" aria-label="{label}">'

        found = _NODE.sub(marked, render_svg(dot))
        return _SAID_ONCE.sub("", _OTHER_ID.sub(r"<\1", found))


def _origin_record(origin: Origin) -> Record:
    """What is known of an origin; what it has not is left out."""
    known = {
        "where": origin.location.short if origin.location else "",
        "scope": origin.scope,
        "step": chain_rule_step(origin),
        "formula": _formula(origin),
    }
    return {name: text for name, text in known.items() if text}


def _formula(origin: Origin) -> str:
    """The local derivative that a node of the gradient multiplies by, as on a blackboard."""
    derivative = origin.derivative
    if derivative is None or derivative.operand is None or derivative.rule != "local derivative":
        return ""
    from chainc.formulas.local_derivative import local_derivative

    return local_derivative(derivative.forward, derivative.operand).text


def _part(part: Node) -> Record:
    label = "contract" if isinstance(part.op, Leaf) else part.op.label
    return {"label": label, **_origin_record(part.origin)}


def _ranges(numbers: Sequence[int]) -> list[list[int]]:
    """`1 2 3 7` as `[[1, 3], [7, 7]]`."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def _runs(lines: Sequence[tuple[int, int]]) -> list[list[int]]:
    """`(1, 0), (2, 0), (5, 0), (6, 3)` as `[[1, 2, 0], [5, 5, 0], [6, 6, 3]]`."""
    found: list[list[int]] = []
    for number, purpose in lines:
        if found and found[-1][1:] == [number - 1, purpose]:
            found[-1][1] = number
        else:
            found.append([number, number, purpose])
    return found


def _short(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"
