"""One step of a training again: every value it computes, and the first number that is none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from chainc.dataclass import dataclass
from chainc.driver import CompiledTraining, Stage, optimize
from chainc.interpreters.evaluate import as_declared
from chainc.interpreters.reference import evaluate
from chainc.ir import Graph, Node, describe
from chainc.ir.errors import InputError
from chainc.ir.leaves import Constant
from chainc.ir.types import Array, Size, format_shape
from chainc.ops.runs.modes import ByMode, Updating
from chainrule.declare.derivatives import nodes_of
from chainrule.evaluation.backpropagation import Backpropagation, backpropagate
from chainrule.steps.loop import Training
from chainrule.writing.array_text import number_text
from chainrule.writing.html_table import html_table
from chainrule.writing.phrases import counted, listed

S = TypeVar("S", bound=Mapping[str, Array])  # what is given as the state is the replay's


@dataclass(frozen=True, eq=False)
class StrangeNumber:
    """The first NaN or infinity of a step, in the order of computation.

    Attributes:
        node: what holds it, as the passes have left it; an input or a state may be it.
        value: all of the node's value.
        index: of the first such element.
        row: the row of the data that the element belongs to, where its first axis is the batch.
    """

    node: Node
    value: Array
    index: tuple[int, ...]
    row: int | None = None

    def __repr__(self) -> str:
        number = number_text(float(self.value[self.index]))
        place = f" at {list(self.index)}" if self.index else ""
        row = "" if self.row is None else f", of row {self.row} of the data"
        return f"{describe(self.node)} holds {number}{place}{row}"


@dataclass(frozen=True, eq=False)
class Replay(Generic[S]):
    """A step of a training, computed node by node.

    Attributes:
        step: its number, from 0.
        rows: the numbers of the rows that it visits, in its order.
        batch: the value of each input, by name: those rows, and hyperparameters.
        state: before the step.
        graph: of the step, in the form for training: outputs and updates.
        values: of every node, of this graph or as it was declared; of a node that several steps
            compute, that of the first.
        gradients: the signal of each parameter.
        updates: the new value of each state, by name.
        reported: the loss and the metrics of these rows, by name.
    """

    step: int
    rows: Array
    batch: Mapping[str, Array]
    state: S
    graph: Graph
    values: Mapping[Node, Array]
    gradients: Mapping[Node, Array]
    updates: Mapping[str, Array]
    reported: Mapping[str, Array]
    _stages: Sequence[Stage]

    @property
    def loss(self) -> Node:
        """The loss in its form for training, its draws those of this step; of several the first.

        For what is drawn or taught at this point: `cr.step_through(replay.loss, replay.point())`.
        """
        return self.graph.outputs[0]

    def point(self, *nodes: Node) -> dict[str, Array]:
        """Values by name of what some nodes read, by default the loss: a point for a circuit.

        Raises:
            InputError: they read what the step does not.
            GradientError: something is no node.
        """
        graph = Graph(tuple(nodes_of("point", nodes or self.loss)))
        names = [node.op.label for node in (*graph.leaves("input"), *graph.leaves("state"))]
        known = {**self.state, **self.batch}
        for name in names:
            if name not in known:
                raise InputError(
                    f"point: the step does not read {name!r}",
                    hint=f"it reads {', '.join(known)}",
                )
        return {name: known[name] for name in names}

    @cached_property
    def backpropagation(self) -> Backpropagation:
        """The gradient of the loss by every node on the way, and its parts, in float64."""
        return backpropagate(self.loss, self.point(), function="replay")

    def first_strange(self) -> StrangeNumber | None:
        """The first node in the order of computation that holds NaN or infinity, if any does.

        It is looked for in what the program computes: the passes may have made a form stable
        that was not.
        """
        graph = _before_fusion(self._stages)
        for node, value in zip(graph.nodes, self._computed(graph), strict=True):
            if value.dtype.kind != "f" or isinstance(node.op, Constant):
                continue
            places = np.argwhere(~np.isfinite(value))
            if len(places):
                index = tuple(places[0].tolist())
                return StrangeNumber(node, value, index, self._row(node, index))
        return None

    def __repr__(self) -> str:
        found = [f"{name} {value:.4g}" for name, value in self.reported.items() if not value.ndim]
        of = counted(len(self.rows), "row")
        return f"<Replay of step {self.step} over {of}: {listed(found)}>"

    def _repr_html_(self) -> str:
        rows = [
            (name.op.label, format_shape(value.shape), f"{_norm(value):.4g}")
            for name, value in self.gradients.items()
        ]
        header = ("parameter", "shape", "norm of its gradient")
        strange = self.first_strange()
        notes = [] if strange is None else [f"the first strange number: {strange}"]
        return html_table(header, rows, caption=repr(self), notes=notes, numbers=[2])

    def _computed(self, graph: Graph) -> tuple[Array, ...]:
        read = {node.op.label for node in graph.leaves("input")}
        batch = {name: value for name, value in self.batch.items() if name in read}
        return evaluate(Graph(graph.nodes), batch, self.state, as_declared).outputs

    def _row(self, node: Node, index: Sequence[int]) -> int | None:
        if not node.shape or not isinstance(node.shape[0], Size):
            return None
        return int(self.rows[index[0]])


@dataclass(frozen=True, eq=False)
class Replaying:
    """What replays the steps of a program; what all of them share is made once."""

    declared: Training
    compiled: CompiledTraining

    def step(self, rows: Mapping[str, Array], visited: Array, state: S) -> Replay[S]:
        """The step that visits these rows from this state."""
        form, graph, own = self.compiled.declared.form, self._graph, self.declared.step
        batch = {
            key: x[visited] if key in form.batch_inputs else x
            for key, x in rows.items()
            if self.declared.reads_rows or key not in form.batch_inputs
        }
        found = evaluate(self._everything, batch, state, as_declared)
        values = dict(zip(graph.nodes, found.outputs, strict=True))
        values |= {node: values[computed] for node, computed in self._counterparts.items()}
        pairs = zip(own.parameters, own.gradients, strict=True)
        return Replay(
            step=int(state["step"]),
            rows=visited,
            batch=batch,
            state=state,
            graph=graph,
            values=values,
            gradients={p: values[gradient] for p, gradient in pairs if gradient in values},
            updates=found.updates,
            reported={n: values[out] for n, out in zip(graph.names, graph.outputs, strict=True)},
            _stages=self.compiled.stages,
        )

    @property
    def _graph(self) -> Graph:
        return self.compiled.declared.step

    @cached_property
    def _everything(self) -> Graph:
        """All nodes of the step as outputs: each gets the form that the passes give it."""
        everything = Graph(self._graph.nodes, self._graph.updates)
        return optimize(everything, self.compiled.declared.passes)[-1].graph

    @cached_property
    def _counterparts(self) -> Mapping[Node, Node]:
        return _counterparts(self.declared, self._graph)


def _counterparts(declared: Training, graph: Graph) -> dict[Node, Node]:
    """For each node as it was declared, the one that a step computes; the first, of several."""
    first, *others = zip(declared.outputs, graph.outputs, strict=True)
    updates = [(new, graph.updates[slot]) for slot, new in declared.updates.items()]
    waiting = [first, *updates, *others][::-1]
    found: dict[Node, Node] = {}
    while waiting:
        node, computed = waiting.pop()
        if node not in found:
            found[node] = computed
            waiting.extend(_below(node, computed, graph))
    return found


def _below(node: Node, computed: Node, graph: Graph) -> Iterator[tuple[Node, Node]]:
    """The operands of both; the forms for inference and the carriers of updates are gone."""
    if isinstance(node.op, ByMode):
        yield node.inputs[0], computed
    elif isinstance(node.op, Updating):
        yield node.inputs[0], computed
        half = 1 + len(node.inputs) // 2
        slots, new = node.inputs[1:half], node.inputs[half:]
        yield from ((value, graph.updates[s]) for s, value in zip(slots, new, strict=True))
    elif len(node.inputs) == len(computed.inputs):
        yield from zip(node.inputs, computed.inputs, strict=True)


def _before_fusion(stages: Sequence[Stage]) -> Graph:
    """The last graph whose nodes are still single ops."""
    names = [stage.name for stage in stages]
    return stages[names.index("fuse") - 1 if "fuse" in names else -1].graph


def _norm(value: Array) -> float:
    return float(np.linalg.norm(value.astype(np.float64)))
