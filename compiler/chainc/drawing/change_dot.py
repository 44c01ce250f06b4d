"""The picture of a pass in the DOT language: both graphs side by side, changes marked.

Every mark has an outline of its own besides its colour. What a rule replaced and what it put there
bear the rule's name after one number, and link to `#file:line` of the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

from graphviz import Digraph

from chainc.dataclass import dataclass
from chainc.drawing.change_picture import change_picture
from chainc.drawing.diagram import Form, Vertex
from chainc.drawing.dot import Printer, draw_legend, lower_end
from chainc.drawing.dot_text import headed_list, label_text, tooltip_text
from chainc.drawing.node_roles import Box, Kind, Path
from chainc.rewriting.change import Change, Mark, Rewriting

NAMED = 3  # rules that one vertex names

_MARKS: Mapping[Mark, Mapping[str, str]] = {
    Mark.UNCHANGED: {"fillcolor": "#F7F7F7", "color": "#9A9A9A", "fontcolor": "#444444"},
    Mark.VANISHED: {"style": "filled,dashed", "fillcolor": "#FBE0DD", "color": "#B3261E"},
    Mark.APPEARED: {"style": "filled,bold", "fillcolor": "#D9F0DD", "color": "#1B6E30"},
    Mark.MERGED: {"peripheries": "2", "fillcolor": "#F5E1EC", "color": "#A8487C"},
    Mark.FUSED: {"style": "filled,rounded", "fillcolor": "#DCEBF7", "color": "#0072B2"},
}
_THICK: Mapping[Mark, str] = {Mark.VANISHED: "1.6", Mark.APPEARED: "2.2", Mark.FUSED: "2.8"}


def change_to_dot(change: Change, *, title: str | None = None) -> str:
    """The picture of a change in the DOT language; equal changes give equal text."""
    picture = change_picture(change)
    printer = _ChangePrinter(
        picture.diagram,
        "TB",
        False,
        marks=picture.marks,
        rules=picture.rules,
        counts={mark: _count(mark, change) for mark in Mark},
    )
    return printer.dot(title)


@dataclass(frozen=True)
class _ChangePrinter(Printer):
    marks: Mapping[Vertex, Mark] = field(default_factory=dict)
    rules: Mapping[Vertex, Sequence[tuple[int, Rewriting]]] = field(default_factory=dict)
    counts: Mapping[Mark, str] = field(default_factory=dict)

    def emphasis(self, vertex: Vertex) -> Mapping[str, str]:
        if vertex not in self.marks or vertex.kind is Kind.OUTPUT:
            return {}
        outlined = {"shape": "box"} if vertex.kind is Kind.CONSTANT else {}
        return {**outlined, **_look(self.marks[vertex]), **self._rule(vertex)}

    def _rule(self, vertex: Vertex) -> Mapping[str, str]:
        """Below the op's own label, in the tooltip, and as a link."""
        rules = self.rules.get(vertex, ())
        if not rules:
            return {}
        lines = [f"rule {number}: {', '.join(one.names[:NAMED])}" for number, one in rules[:NAMED]]
        if len(rules) > NAMED:
            lines.append(f"and {len(rules) - NAMED:,} more")
        written = headed_list if vertex.form is Form.KERNEL else label_text
        fired = [one for _, rewriting in rules for one in rewriting.rules]
        places = dict.fromkeys(f"{one.rule} ({one.kind}) at {one.location.short}" for one in fired)
        told = f"{vertex.tooltip} · {', '.join(places)}"
        return {
            "label": written((*vertex.lines, *lines)),
            "tooltip": tooltip_text(told),
            "URL": tooltip_text(f"#{fired[-1].location.short}"),
        }

    def open_box(self, cluster: Digraph, path: Path, members: Iterable[Vertex]) -> None:
        if len(path) > 1 or not self.marks:
            super().open_box(cluster, path, members)
            return
        label = label_text([path[0].label])
        look = {"style": "rounded", "color": "#6B6B6B", "fontsize": "14", "labeljust": "l"}
        cluster.attr("graph", label=label, tooltip=label, margin="12", **look)
        cluster.node(_top(path[0]), shape="point", width="0.01", style="invis")

    def close(self, drawn: Digraph) -> None:
        if not self.marks:
            super().close(drawn)
            return
        self._put_side_by_side(drawn)
        draw_legend(drawn, self._samples(), self.lowest())

    def _put_side_by_side(self, drawn: Digraph) -> None:
        """Both graphs begin at one height, that before at the left: Graphviz might swap them."""
        with drawn.subgraph() as row:
            row.attr(rank="same")
            for side in dict.fromkeys(vertex.path[0] for vertex in self.picture.vertices):
                row.node(_top(side))
        below = {lower_end(edge) for edge in self.picture.edges}
        for vertex in self.picture.vertices:
            if vertex not in below:
                top = _top(vertex.path[0])
                drawn.edge(top, self.names[vertex], style="invis", weight="0")

    def _samples(self) -> Iterator[Mapping[str, str]]:
        found = set(self.marks.values())
        for mark in (mark for mark in Mark if mark in found):
            told = f"{mark.value}: {self.counts[mark]}"
            yield {
                "label": label_text([told]),
                "shape": "box",
                "margin": "0.08,0.04",
                **_look(mark),
            }


def _top(side: Box) -> str:
    return f"top_{side.scope.name}"


def _count(mark: Mark, change: Change) -> str:
    """`4`, or `6 into 1` of what merged or fused."""
    before = sum(found is mark for found in change.before.values())
    after = sum(found is mark for found in change.after.values())
    if mark in (Mark.MERGED, Mark.FUSED):
        return f"{before:,} into {after:,}"
    return f"{max(before, after):,}"


def _look(mark: Mark) -> Mapping[str, str]:
    return {"style": "filled", "penwidth": _THICK.get(mark, "1"), **_MARKS[mark]}
