"""What compiled things, runs and steps say of themselves in one line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from chainc.ir import Graph, Node
from chainc.ir.types import static
from chainrule.writing.phrases import counted, listed


def signature(graph: Graph) -> str:
    """`x f32[batch,4], lr f32[] → f32[batch,3]`."""
    given = [f"{node.op.label} {node.type}" for node in graph.leaves("input")]
    results = [str(node.type) for node in graph.outputs]
    return f"{listed(given) or 'no input'} → {listed(results) or 'no output'}"


def function_text(graph: Graph, bound: bool, target: str) -> str:
    states = len(graph.leaves("state"))
    told = f"; {counted(states, 'state')}{'' if bound else ', not bound'}" if states else ""
    return f"<Function {signature(graph)}{told}; target {target!r}>"


def program_text(graph: Graph, loop: str, trained: Sequence[Node], target: str) -> str:
    return f"<TrainingProgram {signature(graph)}; {loop}; {of_numbers(trained)}; target {target!r}>"


def of_numbers(parameters: Sequence[Node]) -> str:
    """`22 numbers in 4 parameters`; a parameter's sizes are all known."""
    numbers = sum(math.prod(static(node.shape)) for node in parameters)
    return f"{counted(numbers, 'number')} in {counted(len(parameters), 'parameter')}"


def history_text(history: Mapping[str, Sequence[float]]) -> str:
    """`3 epochs: loss 0.7 → 0.3, accuracy 0.5 → 1`."""
    epochs = max(map(len, history.values()), default=0)
    runs = [_course(name, values) for name, values in history.items() if values]
    return f"{counted(epochs, 'epoch')}{': ' if runs else ''}{listed(runs)}"


def _course(name: str, values: Sequence[float]) -> str:
    first, last = f"{values[0]:.4g}", f"{values[-1]:.4g}"
    return f"{name} {first}" if len(values) == 1 else f"{name} {first} → {last}"
