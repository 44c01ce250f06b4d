"""The ops of the registry in C: bit for bit what machine code gives, many ops in one file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest
from tests.conformance.harness import Trial, Values, trials

import chainrule as cr
from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.c_programs import compiler
from chainc.ir import REGISTRY, Graph, Node, apply, substitute
from chainc.ir.leaves import Input
from chainc.ir.types import Array, DType, float32, float64
from chainrule.compiled.state import State

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

NAMES = sorted(REGISTRY)
FIRST, ALL = 1, 1000  # of an op's samples


def renamed(trial: Trial, prefix: str) -> tuple[Node, Values]:
    """A trial over inputs of its own."""
    graph = Graph((trial.node,))
    leaves = {
        leaf: apply(Input(f"{prefix}_{leaf.op.label}", leaf.type)) for leaf in graph.leaves("input")
    }
    values = {f"{prefix}_{leaf.op.label}": trial.inputs[leaf.op.label] for leaf in leaves}
    return substitute(graph, leaves).outputs[0], values


def results(graph: Graph, inputs: Values, states: Values, target: str) -> Sequence[Array]:
    function = cr.compile(graph, target=target).bind(State(states))
    used = {leaf.op.label for leaf in function.declared.leaves("input")}
    return function({name: value for name, value in inputs.items() if name in used})


def check(names: Sequence[str], dtype: DType, samples: int) -> None:
    nodes: list[Node] = []
    inputs: dict[str, Array] = {}
    states: dict[str, Array] = {}
    for name in names:
        for number, trial in enumerate(islice(trials(name, dtype), samples)):
            node, values = renamed(trial, f"{name}{number}")
            nodes.append(node)
            inputs.update(values)
            states.update(trial.states)
    graph = Graph(tuple(nodes))
    expected = results(graph, inputs, states, "llvm")
    found = results(graph, inputs, states, "c")
    for node, mine, theirs in zip(nodes, found, expected, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs, err_msg=str(node.op))


def test_every_op_has_the_bits_of_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled as they are written: that takes a third of the time."""
    flags = tuple("-O0" if flag == "-O2" else flag for flag in FLAGS)
    monkeypatch.setattr(compiler, "FLAGS", flags)
    check(NAMES, float32, FIRST)


GROUPS = [NAMES[start : start + 10] for start in range(0, len(NAMES), 10)]


@pytest.mark.nightly
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_every_sample_has_the_bits_of_machine_code(names: Sequence[str], dtype: DType) -> None:
    check(names, dtype, ALL)
