"""Pictures of graphs: as SVG in a notebook or a file, as DOT text, as PNG or PDF."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from chainc.dot import to_dot
from chainc.errors import InputError
from chainc.ir import Graph, Node
from chainc.places import Collapse
from chainrule.rendering import render_file, render_svg

__all__ = ["Drawing", "draw"]


@dataclass(frozen=True)
class Drawing:
    """A picture as a value; a notebook shows it.

    Attributes:
        dot: its text in the DOT language.
    """

    dot: str

    def svg(self) -> str:
        """The picture as one `<svg>` element, laid out in this process.

        Raises:
            RenderingError: it is too large to lay out within 10 seconds.
        """
        return self._svg

    @cached_property
    def _svg(self) -> str:
        return render_svg(self.dot)

    def save(self, path: str | Path) -> Path:
        """Write the picture; the suffix decides the format.

        Args:
            path: ends in `.svg` or `.dot`, or in `.png` or `.pdf`, which an installed Graphviz
                draws.

        Raises:
            RenderingError: another suffix, no Graphviz, a folder that cannot be written, or a
                picture too large to lay out.
        """
        return render_file(self.dot, path)

    def _repr_svg_(self) -> str:
        return self.svg()


def draw(
    *what: Node | Graph,
    title: str | None = None,
    values: Mapping[Node, str] | None = None,
    gradients: Mapping[Node, str] | None = None,
    collapse: Collapse = None,
    direction: str | None = None,
) -> Drawing:
    """The picture of a graph, or of the graph that computes some nodes.

    Forward nodes run down as blue boxes, gradient nodes run back up as orange octagons.

    Args:
        what: one graph, or the nodes to compute.
        title: a line above the picture.
        values: texts to print above nodes, such as `{q: "3"}`.
        gradients: texts to print below nodes, such as `{q: "-4"}`.
        collapse: which layers are closed boxes: False for none, True for the innermost ones, a
            number to close all at that depth; by default as few as keep the picture small.
        direction: "TB" for top to bottom or "LR" for left to right; by default "LR" for a graph
            with values or gradients, else "TB".

    Raises:
        InputError: there is nothing to draw, a graph beside other things, or an option that is
            none.
    """
    _check_texts("values", values)
    _check_texts("gradients", gradients)
    return Drawing(
        to_dot(
            _graph(what),
            title=title,
            values=values,
            gradients=gradients,
            collapse=collapse,
            direction=direction,
        )
    )


def _graph(what: tuple[Node | Graph, ...]) -> Graph:
    if len(what) == 1 and isinstance(what[0], Graph):
        return what[0]
    nodes = tuple(node for node in what if isinstance(node, Node))
    if not what or len(nodes) < len(what):
        other = next((type(x).__name__ for x in what if not isinstance(x, Node)), "nothing")
        raise InputError(
            f"draw: got {other}, which is no node to draw",
            hint="give nodes, such as cr.draw(loss, cr.grad(loss, weight)), or one graph",
        )
    return Graph(nodes)


def _check_texts(name: str, texts: Mapping[Node, str] | None) -> None:
    given: list[tuple[object, object]] = list((texts or {}).items())
    for node, text in given:
        if not isinstance(node, Node) or not isinstance(text, str):
            raise InputError(
                f"draw: {name} has {node!r}: {text!r}, not a text for a node",
                hint=f'give texts by node, such as {name}={{loss: f"{{number:.4g}}"}}',
            )
