"""The stages of a compilation: the graph after each pass, and the rules that fired in it."""

from __future__ import annotations

from collections.abc import Sequence

from chainc import driver
from chainc.dataclass import dataclass
from chainc.ir import Node, describe
from chainc.ir.errors import GraphError, InputError, Location
from chainc.rewriting.change import change
from chainc.rewriting.trace import Fired
from chainrule.declare.arguments import is_one_of, text
from chainrule.declare.calls import answers_calls
from chainrule.drawing.drawing import Drawing
from chainrule.drawing.graph import Graph
from chainrule.writing.phrases import counted


@answers_calls
@dataclass(frozen=True)
class Stage:
    """The graph after one pass, the rules that fired in it, and what it does in words.

    Attributes:
        name: the pass, or "declared".
        graph: what it leaves.
        fired: the rules, in order.
        meaning: what the pass does.
        before: the graph that it got; None for what was declared.
    """

    name: str
    graph: Graph
    fired: tuple[Fired, ...]
    meaning: str = ""
    before: Graph | None = None

    def draw_change(self, *, title: str | None = None) -> Drawing:
        """One picture of the graphs before and after: what vanished, appeared, merged or fused.

        Rules stand by name on what they replaced and on what they put there; what stays as it is,
        and is far from that, is folded.

        Raises:
            GraphError: it is the declared graph, which no pass has changed.
        """
        from chainc.drawing.change_dot import change_to_dot

        if self.before is None:
            raise GraphError(
                "draw_change: the declared graph comes before every pass",
                hint='choose a pass: program.stage("fuse").draw_change()',
            )
        heading = self.name if title is None else text("draw_change", "title", title)
        return Drawing(change_to_dot(change(self.before, self.graph, self.fired), title=heading))

    def __repr__(self) -> str:
        rules = f", {counted(len(self.fired), 'rule')} fired" if self.fired else ""
        return f"<Stage {self.name}: {counted(len(self.graph.nodes), 'node')}{rules}>"

    def _repr_svg_(self) -> str:
        return self.graph.draw(title=self.name).svg()


@dataclass(frozen=True)
class Rewritten:
    """One fired rule of one pass; the nodes carry their origins."""

    stage: str
    rule: str
    kind: str  # "exact" or "fast"
    replaced: Node
    replacement: Node
    location: Location  # where the rule is written, in the compiler

    def __str__(self) -> str:
        before, after = spelled(self.replaced), spelled(self.replacement)
        return f"{self.stage}: {self.rule} ({self.kind}): {before} -> {after}"


def spelled(node: Node) -> str:
    """`multiply(exp, lr) f32[3] (model.py:4)`: a node with what it is computed from."""
    operands = ", ".join(operand.op.label for operand in node.inputs)
    described = describe(node, short=True)
    label = node.op.label
    return f"{label}({operands}){described[len(label) :]}" if operands else described


def stages_of(declared: Graph, stages: Sequence[driver.Stage]) -> tuple[Stage, ...]:
    """As users see them: each with the graph that it got; the first is what was declared."""
    graphs = [declared, *(Graph.of(stage.graph) for stage in stages[1:])]
    return tuple(
        Stage(stage.name, graph, stage.fired, stage.meaning, before)
        for stage, graph, before in zip(stages, graphs, [None, *graphs], strict=False)
    )


def rewritten(stages: Sequence[driver.Stage]) -> tuple[Rewritten, ...]:
    """Every rule that fired, in order."""
    return tuple(
        Rewritten(
            stage.name,
            fired.rule,
            fired.kind,
            fired.replaced,
            fired.replacement,
            fired.location,
        )
        for stage in stages
        for fired in stage.fired
    )


def stage_named(stages: Sequence[Stage], name: str) -> Stage:
    """The stage after the pass of this name.

    Raises:
        InputError: there was no such pass.
    """
    found = [stage for stage in stages if is_one_of(name, [stage.name])]
    if not found:
        raise InputError(
            f"the program has no stage {name!r}",
            hint=f"choose one of {', '.join(repr(stage.name) for stage in stages)}",
        )
    return found[-1]
