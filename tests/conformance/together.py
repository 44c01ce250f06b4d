"""Many ops as one graph, for targets that take long to make a program, and what they give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from tests.conformance.expected import IEEE
from tests.conformance.harness import Trial, Values, compiled_for, samples, trials
from tests.conformance.test_ops import SPECIAL

from chainc import ops
from chainc.backends.target import Target
from chainc.ir import Graph, Node, apply, substitute
from chainc.ir.leaves import Input
from chainc.ir.types import Array, DType, TensorType, bool_, int32, int64, uint8
from chainc.ops.elementwise import Elementwise

BEYOND = np.array([255.5, 256.0, 2147483647.0, 3e9, -3e9, 1e19, -1e19, 88.8, -104.0, 710.0])
FIRST, ALL = 1, 1000  # of an op's samples


@dataclass(frozen=True)
class Together:
    """A graph with an output for each trial, and values for it."""

    graph: Graph
    inputs: Values
    states: Values

    def results(self, target: str | Target) -> Sequence[Array]:
        return compiled_for(target, None)(self.graph, self.inputs, self.states)

    def check(self, target: str | Target, expected: str | Target) -> None:
        """Both give the same bits; NaN is as good as NaN."""
        both = (self.results(each) for each in (target, expected))
        for node, mine, theirs in zip(self.graph.outputs, *both, strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs, err_msg=str(node.op))
            if node.type.dtype.is_float:
                known = ~np.isnan(theirs)
                negative = np.signbit(np.asarray(mine)[known])
                assert np.array_equal(negative, np.signbit(np.asarray(theirs)[known])), node.op


def ops_together(names: Sequence[str], dtype: DType, most: int) -> Together:
    """So many samples of each op."""
    nodes: list[Node] = []
    inputs: dict[str, Array] = {}
    states: dict[str, Array] = {}
    for name in names:
        for number, trial in enumerate(islice(trials(name, dtype), most)):
            node, values = _renamed(trial, f"{name}{number}")
            nodes.append(node)
            inputs.update(values)
            states.update(trial.states)
    return Together(Graph(tuple(nodes)), inputs, states)


def _renamed(trial: Trial, prefix: str) -> tuple[Node, Values]:
    """A trial over inputs of its own."""
    graph = Graph((trial.node,))
    leaves = {
        leaf: apply(Input(f"{prefix}_{leaf.op.label}", leaf.type)) for leaf in graph.leaves("input")
    }
    values = {f"{prefix}_{leaf.op.label}": trial.inputs[leaf.op.label] for leaf in leaves}
    return substitute(graph, leaves).outputs[0], values


def special_values(dtype: DType) -> Together:
    """Elementwise ops, and conversions to integers that cannot hold a number."""
    values = np.concatenate([SPECIAL, BEYOND]).clip(-1e38, 1e38).astype(dtype.numpy)
    values = np.concatenate([values, SPECIAL[:3].astype(dtype.numpy)])
    row = apply(Input("row", TensorType((len(values),), dtype)))
    column = apply(Input("column", TensorType((len(values), 1), dtype)))
    nodes = [ops.astype(row, kind.name) for kind in (int32, int64, uint8, bool_)]
    for name in IEEE:
        op = samples(name)[0].op
        assert isinstance(op, Elementwise)
        nodes.append(apply(op, row) if op.arity() == 1 else apply(op, column, row))
    return Together(Graph(tuple(nodes)), {"row": values, "column": values[:, None]}, {})
