"""Graphs as users see them: what computes some nodes, as text, as a picture, with its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from chainc import ir
from chainc.drawing.detail import Detail, Folded
from chainc.ir import Node
from chainc.ir.errors import GraphError
from chainc.ir.text import parse as parse_text
from chainc.ir.text import to_text
from chainc.ops.runs.modes import Mode
from chainrule.declare.arguments import mapping, several
from chainrule.declare.calls import answers_calls
from chainrule.drawing.drawing import Drawing, draw
from chainrule.evaluation.cost import Cost, cost
from chainrule.evaluation.values import Values
from chainrule.writing.phrases import counted
from chainrule.writing.short_text import signature

__all__ = ["Graph", "parse"]


@answers_calls
class Graph(ir.Graph):
    """The graph that computes some nodes and the new values of some states; a notebook draws it.

    Attributes:
        outputs: the nodes it computes.
        updates: states and their new values; all read the values from before the step.
        names: what the outputs are called.
        nodes: every node, operands before users.
    """

    def __init__(
        self,
        outputs: Sequence[Node],
        updates: Mapping[Node, Node] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        given: object = outputs
        if isinstance(given, str) or not isinstance(given, Sequence):
            raise GraphError(
                f"Graph: the outputs are a {type(outputs).__name__}, not a list of nodes",
                hint="put the node in a list, such as cr.Graph([loss])",
            )
        hint = "give states and their new values, such as {weight: weight * 0.5}"
        changes = {} if updates is None else updates
        mapping("Graph", "updates", changes, hint=hint)
        several("Graph", "names", names, hint="give a name for each output, or none")
        super().__init__(tuple(outputs), dict(changes), tuple(names))

    def __repr__(self) -> str:
        return f"<Graph of {counted(len(self.nodes), 'node')}; {signature(self)}>"

    @classmethod
    def of(cls, graph: ir.Graph) -> Graph:
        """The same graph, with the methods of this class."""
        given: object = graph
        if not isinstance(given, ir.Graph):
            raise GraphError(
                f"Graph.of: a {type(given).__name__} is no graph",
                hint="give nodes to cr.Graph([loss]) instead",
            )
        return cls(graph.outputs, graph.updates, graph.names)

    def text(self) -> str:
        """One line a node, with the line of the program it comes from."""
        return to_text(self)

    def draw(
        self,
        *,
        title: str | None = None,
        values: Values | None = None,
        detail: Detail | None = None,
        mode: Mode | Literal["both"] = "infer",
        fold: Folded = (),
        direction: str | None = None,
        unrolled: int | None = None,
    ) -> Drawing:
        """The picture; the arguments are those of `chainrule.draw`."""
        return draw(
            self,
            title=title,
            values=values,
            detail=detail,
            mode=mode,
            fold=fold,
            direction=direction,
            unrolled=unrolled,
        )

    def cost(self, **sizes: int) -> Cost:
        """Floating-point operations, bytes and parameters of one run, with `batch=32` and such."""
        return cost(self, **sizes)

    def _repr_svg_(self) -> str:
        return self.draw().svg()


def parse(text: str) -> Graph:
    """The graph that `Graph.text` wrote; nothing in the text is run.

    Raises:
        ParseError: the text is not a graph; with the line, and a caret below the place.
        GraphError: two state slots, or two different inputs, have one name.
    """
    return Graph.of(parse_text(text))
