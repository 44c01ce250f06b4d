"""The ops of the registry in C: bit for bit what machine code gives, many ops in one file."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from tests.conformance.expected import IEEE
from tests.conformance.harness import Trial, Values, samples, trials
from tests.conformance.test_ops import SPECIAL
from tests.graphs import Case, cases

import chainrule as cr
from chainc import ops
from chainc.backends.c.file import FLAGS
from chainc.backends.llvm.c_programs import compiler
from chainc.ir import REGISTRY, Graph, Node, apply, substitute
from chainc.ir.leaves import Input
from chainc.ir.types import (
    Array,
    DType,
    TensorType,
    bool_,
    float32,
    float64,
    int32,
    int64,
    uint8,
)
from chainc.ops.elementwise import Elementwise
from chainrule.compiled.state import State

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

NAMES = sorted(REGISTRY)
BEYOND = np.array([255.5, 256.0, 2147483647.0, 3e9, -3e9, 1e19, -1e19, 88.8, -104.0, 710.0])
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
    compile_with(monkeypatch, "-O0")
    check(NAMES, float32, FIRST)


def compile_with(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    """At such a level of optimization, and with nothing to complain of."""
    flags = [level if flag == "-O2" else flag for flag in FLAGS]
    strict = ("-Wall", "-Wextra", "-Werror", "-Wno-psabi")
    monkeypatch.setattr(compiler, "FLAGS", (*flags, *strict))


GROUPS = [NAMES[start : start + 10] for start in range(0, len(NAMES), 10)]


@pytest.mark.nightly
@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_every_sample_has_the_bits_of_machine_code(
    monkeypatch: pytest.MonkeyPatch, names: Sequence[str], dtype: DType
) -> None:
    compile_with(monkeypatch, "-O2")
    check(names, dtype, ALL)


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
def test_special_values_are_those_of_machine_code(dtype: DType) -> None:
    """Also where a number becomes an integer that cannot hold it; NaN is as good as NaN."""
    values = np.concatenate([SPECIAL, BEYOND]).clip(-1e38, 1e38).astype(dtype.numpy)
    values = np.concatenate([values, SPECIAL[:3].astype(dtype.numpy)])
    row = apply(Input("row", TensorType((len(values),), dtype)))
    column = apply(Input("column", TensorType((len(values), 1), dtype)))
    nodes = [ops.astype(row, kind.name) for kind in (int32, int64, uint8, bool_)]
    for name in IEEE:
        op = samples(name)[0].op
        assert isinstance(op, Elementwise)
        nodes.append(apply(op, row) if op.arity() == 1 else apply(op, column, row))
    inputs = {"row": values, "column": values[:, None]}
    graph = Graph(tuple(nodes))
    expected = results(graph, inputs, {}, "llvm")
    for node, mine, theirs in zip(nodes, results(graph, inputs, {}, "c"), expected, strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg=str(node.op))
        if node.type.dtype.is_float:
            known = ~np.isnan(theirs)
            np.testing.assert_array_equal(np.signbit(mine[known]), np.signbit(theirs[known]))


@pytest.mark.nightly
@settings(max_examples=100)
@given(case=cases(dtype=float32))
def test_random_graphs_have_the_bits_of_machine_code(case: Case) -> None:
    expected = results(case.graph, case.inputs, case.states, "llvm")
    found = results(case.graph, case.inputs, case.states, "c")
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
