"""Pictures of graphs: as SVG in a notebook or a file, as DOT text, as PNG or PDF."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chainc.dataclass import dataclass
from chainc.drawing.detail import Detail, Folded, check_detail
from chainc.drawing.diagram import output_names
from chainc.ir import Graph, Node
from chainc.ir.binding import bind_graph
from chainc.ir.errors import InputError
from chainc.ir.types import names_of
from chainc.ops.movement import whole
from chainc.ops.runs.modes import MODES, ByMode, Mode, Updating, resolve
from chainc.ops.runs.scan import Scan
from chainc.ops.runs.unroll import unroll
from chainrule.declare.arguments import is_one_of, text
from chainrule.declare.calls import answers_calls
from chainrule.drawing.circuit import Circuit, circuit_of_graph, circuit_of_nodes
from chainrule.drawing.rendering import render_file, render_svg
from chainrule.evaluation.values import Values

if TYPE_CHECKING:
    import graphviz

__all__ = ["Drawing", "draw"]


@answers_calls
@dataclass(frozen=True)
class Drawing:
    """A picture as a value; a notebook shows it.

    Attributes:
        dot: its text in the DOT language.
    """

    dot: str

    def __repr__(self) -> str:
        return f"<Drawing of {len(self.dot):,} characters; save it as .svg>"

    @property
    def source(self) -> graphviz.Source:
        """The text as an object of the package `graphviz`.

        It lays the picture out with an installed Graphviz: by other engines, in other formats,
        `drawing.source.render("picture", engine="neato", format="pdf")`.
        """
        from graphviz import Source

        return Source(self.dot)

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
    *what: Node | Sequence[Node] | Graph,
    title: str | None = None,
    values: Values | None = None,
    detail: Detail | None = None,
    mode: Mode | Literal["both"] = "infer",
    fold: Folded = (),
    direction: str | None = None,
    unrolled: int | None = None,
) -> Drawing:
    """The picture of a graph, or of the graph that computes some nodes.

    Forward nodes run down as blue boxes, gradient nodes run back up as orange octagons.

    With `values` it is a circuit: `cr.draw(loss, grads, values={x: -2.0})` draws what the loss is
    computed from, with the value above and the gradient below each wire, the local derivatives
    below the ops, and the sum of its parts where a value has several readers. Other nodes, or a
    graph at any stage, are drawn as they are: values in green, what belongs to gradients in red.

    Args:
        what: one graph, or the nodes to compute, also as lists.
        title: a line above the picture.
        values: for inputs and states, by node or name; states that are not given have their
            first values. All is computed in float64.
        detail: "layers" draws the innermost layers as closed boxes, "ops" every op, and "kernels"
            the graph after the default passes, with its ops fused into kernels; by default as few
            layers are closed as keep the picture small; in a training step all of them are, with
            a box of the optimizer's for each.
        mode: which form of layers such as dropout: "train" or "infer", where a box train_form or
            infer_form marks that there is another one, or "both", which meet in a box by_mode. A
            step's own graph is that for training.
        fold: scopes to draw as closed boxes as well, each by its name or path, such as "encoder" or
            ["encoder/layer1", "decoder"].
        direction: "TB" for top to bottom or "LR" for left to right; by default "LR" for a graph
            with values, else "TB".
        unrolled: draw the first so many steps of loops one after the other, each in a box, with the
            weights that all of them read drawn once; what is left stays a loop. A loop over a named
            size is drawn for as many steps. By default a loop is one box, with one step in it.

    Raises:
        InputError: there is nothing to draw, a graph beside other things, an option that is none,
            or a scope that the graph has not.
    """
    from chainc.drawing.dot import to_dot

    check_detail(detail)
    heading = None if title is None else text("draw", "title", title)
    nodes = what[0] if len(what) == 1 and isinstance(what[0], Graph) else _nodes(what)
    chosen = _in_mode(nodes, mode, detail)
    steps = None if unrolled is None else _as_steps(unrolled)
    circuit = _circuit(chosen, values, detail, lambda graph: _written_out(graph, steps))
    return Drawing(
        to_dot(
            circuit.graph,
            title=heading,
            wires=circuit.wires,
            small_print=circuit.small_print,
            detail=detail,
            fold=fold,
            direction=direction,
        )
    )


def _as_steps(unrolled: object) -> int:
    steps = whole(unrolled)
    if steps is None or steps < 1:
        raise InputError(
            f"draw: unrolled={unrolled!r} is no number of steps",
            hint="give how many steps to draw, such as unrolled=3",
        )
    return steps


def _written_out(graph: Graph, steps: int | None) -> Graph:
    """With so many steps of the loops one after the other; named numbers of steps are as many."""
    if steps is None:
        return graph
    lengths = [node.op.length for node in graph.nodes if isinstance(node.op, Scan)]
    names = {str(length): steps for length in lengths if str(length) in names_of(length)}
    told = Graph(graph.outputs, graph.updates, tuple(output_names(graph)))
    return unroll(bind_graph(told, names), steps)


def _circuit(
    what: Graph | Sequence[Node],
    values: Values | None,
    detail: Detail | None,
    written_out: Callable[[Graph], Graph],
) -> Circuit:
    if values is not None and not isinstance(values, Mapping):
        raise InputError(
            f"draw: values= is {type(values).__name__}, which does not say whose values they are",
            hint="give them by node or name, such as values={x: 2.0}",
        )
    if values is not None:  # by name: an input over a named size is drawn over a number
        pairs = values.items()
        values = {key.op.label if isinstance(key, Node) else key: value for key, value in pairs}
    if values is not None and detail != "kernels" and not isinstance(what, Graph):
        return circuit_of_nodes(what, values, written_out)
    graph = written_out(what if isinstance(what, Graph) else Graph(tuple(what)))
    graph = _at_detail(graph, detail)
    return Circuit(graph, {}) if values is None else circuit_of_graph(graph, values)


def _in_mode(
    what: Graph | Sequence[Node], mode: str, detail: Detail | None
) -> Graph | Sequence[Node]:
    """The same in one mode, or in both."""
    if not is_one_of(mode, (*MODES, "both")):
        raise InputError(
            f"draw: there is no mode {mode!r}", hint='give "train", "infer", or "both" forms'
        )
    graph = what if isinstance(what, Graph) else Graph(tuple(what))
    if not any(isinstance(node.op, ByMode | Updating) for node in graph.nodes):
        return what
    if mode == "both" and detail == "kernels":
        raise InputError(
            "draw: kernels are made for one mode",
            hint='draw them with mode="train" or mode="infer"',
        )
    if mode != "both":
        chosen: Mode = "train" if mode == "train" else "infer"
        graph = resolve(graph, chosen, marked=detail != "kernels")
    return graph if isinstance(what, Graph) or graph.updates else graph.outputs


def _nodes(what: Sequence[object]) -> tuple[Node, ...]:
    given = [x for each in what for x in (each if isinstance(each, list | tuple) else [each])]
    nodes = tuple(node for node in given if isinstance(node, Node))
    if not given or len(nodes) < len(given):
        other = next((type(x).__name__ for x in given if not isinstance(x, Node)), "nothing")
        raise InputError(
            f"draw: got {other}, which is no node to draw",
            hint="give nodes, such as cr.draw(loss, cr.grad(loss, weight)), or one graph",
        )
    return nodes


def _at_detail(graph: Graph, detail: Detail | None) -> Graph:
    """The graph itself, or for "kernels" the one that the default passes make of it."""
    if detail != "kernels":
        return graph
    from chainc.driver import optimize
    from chainc.passes import PIPELINE

    named = Graph(graph.outputs, graph.updates, tuple(output_names(graph)))
    return optimize(named, PIPELINE)[-1].graph
