"""Which maps their readers compute, that bits stay, and that what is kept stays stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from tests.graphs import Case, cases

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.ir.types import float32, named_axes
from chainc.lowering.grouping import group
from chainc.lowering.kernels import Contraction, Copy, Kernel, Map, Reduction
from chainc.lowering.loops import with_outputs
from chainc.lowering.lower import lower
from chainc.lowering.program import Program
from chainc.passes import pipeline
from chainc.schedules.program.inlining import inlined

TARGETS = ("llvm", "numpy")


def rows() -> Node:
    return cr.input("x", ("batch", 6))


def program_of(*outputs: Node) -> Program:
    graph = Graph(outputs)
    for each in pipeline(False):
        graph = each.run(graph)
    return inlined(lower(graph))


def kinds(program: Program) -> list[type[Kernel]]:
    return [type(kernel) for kernel in program.body]


def primitives(kernel: Kernel) -> list[str]:
    return [instruction.primitive for instruction in kernel.scalars]


def test_what_only_a_sum_reads_is_not_stored() -> None:
    x = rows()
    program = program_of(cr.sum((x - cr.input("m", (6,))) ** 2, axis=0))
    (kernel,) = program.body
    assert isinstance(kernel, Reduction)
    assert primitives(kernel) == ["subtract", "multiply"]


def test_a_variance_takes_two_passes_and_stores_no_difference() -> None:
    variance = cr.var(rows(), 0)
    sums = [kernel for kernel in program_of(variance).body if isinstance(kernel, Reduction)]
    assert [set(primitives(kernel)) for kernel in sums] == [set(), {"subtract", "multiply"}]


def test_few_operations_on_one_array_are_done_again_by_every_reader() -> None:
    x, y, scale = rows(), cr.input("y", ("batch", 6)), cr.input("s", (6,))
    light = x * scale
    readers = (cr.sum(light, axis=0), cr.exp(light) * y, cr.tanh(light) * y)
    program = program_of(*readers)
    assert kinds(program).count(Map) == 2
    assert all("multiply" in primitives(kernel) for kernel in program.body)


@pytest.mark.parametrize(
    "kept",
    [
        lambda x, y: x * y,  # each reader would read two arrays
        lambda x, _: x / (x + 2.0),  # a division again
        lambda x, _: ((x + 1.0) * x + 1.0) * x + 1.0,  # many operations again
        lambda x, _: cr.exp(x),
    ],
)
def test_what_costs_more_than_to_read_it_is_stored(kept: Callable[[Node, Node], Node]) -> None:
    x, y = rows(), cr.input("y", ("batch", 6))
    value = kept(x, y)
    program = program_of(cr.sum(value, axis=0), cr.flip(value) * 2.0, cr.tanh(value) * 3.0)
    assert kinds(program).count(Map) == 3


def test_a_result_of_the_program_is_stored() -> None:
    squares = rows() ** 2
    program = program_of(squares, cr.sum(squares, axis=0))
    assert kinds(program) == [Map, Reduction]
    assert primitives(program.body[1]) == []


def test_a_factor_of_a_contraction_is_stored() -> None:
    shifted = rows() - cr.input("m", (6,))
    program = program_of(shifted @ cr.parameter("w", (6, 5), 0.1), cr.sum(shifted, axis=0))
    assert kinds(program) == [Map, Contraction, Reduction]


def test_accumulators_keep_their_registers() -> None:
    x = rows()
    assert kinds(program_of(cr.sum(cr.exp(x), axis=0))) == [Map, Reduction]
    assert kinds(program_of(cr.sum(x / (x + 2.0), axis=0))) == [Reduction]


def test_no_more_is_stored_that_was_in_registers() -> None:
    """Three arrays would be written behind a contraction, and read again, in the place of one."""
    product = rows() @ cr.parameter("w", (6, 5), 0.1)
    parts = [cr.exp(product), cr.tanh(product), cr.sin(product)]
    y = cr.input("y", ("batch", 5))
    total = cr.sum(parts[0] * parts[1] * parts[2], axis=0)
    program = program_of(total, parts[0] * y, parts[1] * y, parts[2] * y)
    (sums,) = (kernel for kernel in program.body if isinstance(kernel, Reduction))
    assert primitives(sums) == []


def normalised(width: int) -> Graph:
    """Batch normalisation and its derivative, written out."""
    x, g = cr.input("x", ("batch", width)), cr.input("g", ("batch", width))
    weight = cr.parameter("w", (width,), 0.7)
    deviation = x - cr.mean(x, 0, keepdims=True)
    normal = deviation / cr.sqrt(cr.mean(deviation**2, 0) + 1e-5)
    y = cr.relu(normal * weight)
    d_x, d_weight = cr.grad(cr.sum(y * g), [x, weight])
    return Graph((y, d_x, d_weight))


def test_statistics_and_their_derivatives_are_few_passes() -> None:
    graph = normalised(8)
    for each in pipeline(False):
        graph = each.run(graph)
    plain, few = group(lower(graph)), group(inlined(lower(graph)))
    assert len(few.body) <= len(plain.body) - 2
    stored = [out for kernel in few.body for out in kernel.outs if named_axes(out.type.shape)]
    assert len(stored) <= 4


@pytest.mark.parametrize("count", [1, 5, 33])
def test_normalisation_as_numpy_computes_it(count: int) -> None:
    values = np.random.default_rng(0).standard_normal((2, 40, 8)).astype(np.float32)
    graph = normalised(8)
    functions = [cr.compile(graph, target=target) for target in ("llvm", "numpy")]
    native, plain = (each.bind(each.initial_state()) for each in functions)
    given = {"x": values[0, :count], "g": values[1, :count]}
    for found, wanted in zip(native(given), plain(given), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-4 if count > 1 else 0.2)


@given(case=cases(dtype=float32))
@settings(max_examples=100)
def test_every_reader_of_what_is_gone_has_it_inside(case: Case) -> None:
    plain = lower(case.graph)
    program = inlined(plain)
    written = {kernel.out for kernel in program.body}
    gone = {kernel.out for kernel in plain.body} - written
    assert all(isinstance(kernel, Map) for kernel in plain.body if kernel.out in gone)
    assert not gone & {view.buffer for kernel in program.body for view in kernel.reads}
    assert [k.out for k in plain.body if k.out in written] == [k.out for k in program.body]
    assert _counted(program.body) >= _counted(plain.body)


def _counted(kernels: Sequence[Kernel]) -> int:
    return sum(len(kernel.scalars) for kernel in kernels)


def moved_kinds(*outputs: Node) -> list[type[Kernel]]:
    """Of a function that writes its results where its caller has them."""
    direct, _ = with_outputs(lower(Graph(outputs)))
    return kinds(inlined(direct))


def test_results_that_are_turned_or_flipped_are_computed_where_they_go() -> None:
    x, m, s = cr.input("x", (40, 50)), cr.input("m", (50,)), cr.input("s")
    assert moved_kinds(cr.matrix_transpose((x - m) * s)) == [Map]
    assert moved_kinds(cr.flip(cr.tanh(x), axis=1)) == [Map]
    assert moved_kinds(cr.exp(x)[::2, 3:]) == [Map]


def test_what_is_long_or_reads_two_arrays_is_not_turned_on_the_way() -> None:
    x, y = cr.input("x", (40, 50)), cr.input("y", (40, 50))
    assert moved_kinds(cr.matrix_transpose(cr.tanh(x))) == [Map, Copy]
    assert moved_kinds(cr.matrix_transpose(x - y)) == [Map, Copy]
    difference = x - 1.0
    assert moved_kinds(cr.flip(difference, axis=0), difference) == [Map, Copy]


def test_the_values_of_moved_results_are_those_of_numpy() -> None:
    x, m = cr.input("x", ("batch", 37, 45)), cr.input("m", (45,))
    z = (x - m) * 2.0
    outputs = [cr.permute_dims(z, axes) for axes in ((0, 2, 1), (2, 1, 0), (1, 0, 2))]
    outputs += [cr.flip(cr.tanh(z), axis=axis) for axis in (1, 2)] + [cr.exp(z)[:, 1:, ::3]]
    values = {"x": np.random.default_rng(0).standard_normal((21, 37, 45)).astype(np.float32)}
    values["m"] = values["x"][0, 0]
    for output in outputs:
        native, source = (cr.compile(output, target=target)(**values) for target in TARGETS)
        np.testing.assert_allclose(native, source, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("columns", "stored"), [(128, 0), (100, 1)])
def test_rows_of_the_caller_are_squared_where_they_are_added_if_they_are_whole_vectors(
    columns: int, stored: int
) -> None:
    program = program_of(cr.sum(cr.square(cr.input("x", (10, columns))), axis=1))
    assert kinds(program).count(Map) == stored
