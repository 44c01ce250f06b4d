"""Small programs as straight-line code, against the NumPy target and the reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from tests.graphs import Case, cases
from tests.native import PADDING, aligned, call

import chainrule as cr
from chainc.driver import optimize
from chainc.interpreters import reference
from chainc.ir import Graph
from chainc.ir.leaves import Input
from chainc.ir.types import Array, DType, Size, float32, float64, static
from chainc.loops.language import Load, Loop, Share, Store
from chainc.lowering.lower import lower
from chainc.lowering.memory import ALIGNMENT
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, Literal, Operand, View
from chainc.passes import pipeline
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine
from chainc.schedules.unrolled.schedule import unrolled
from chainrule import losses, metrics, optim

MACHINES = pytest.mark.parametrize("machine", [AVX512, AVX2, SSE], ids=["512", "256", "128"])
DTYPES = pytest.mark.parametrize("dtype", [float32, float64], ids=str)
TOLERANCE = {float32: 2e-6, float64: 1e-13}
OPTIMIZERS: Mapping[str, Callable[[], optim.Optimizer]] = {
    "sgd": lambda: optim.SGD(lr=0.5),
    "momentum": lambda: optim.SGD(lr=0.1, momentum=0.9),
    "adam": lambda: optim.Adam(lr=0.05),
}

Values = Mapping[str, Array]
Floats = npt.NDArray[np.float64]


@dataclass
class Straight:
    """A program as machine code, over state that its calls change."""

    graph: Graph
    sizes: Mapping[str, int]
    machine: Machine

    def __post_init__(self) -> None:
        self.capacity = Capacity(self.sizes)
        self.program = lower(optimize(self.graph, pipeline())[-1].graph)
        found = unrolled(self.program, self.capacity, self.machine, budget=20_000)
        assert found is not None
        self.unrolled = found
        self.arrays = {buffer: self._storage(buffer) for buffer in found.buffers}

    def _storage(self, buffer: Buffer) -> Array:
        """With NaN or 77 behind what counts, and nothing behind an array of the caller's."""
        count, dtype = self.count(buffer), buffer.type.dtype
        filling = np.nan if dtype.is_float else 1 if dtype.kind == "b" else 77
        behind = 0 if buffer.role == "input" else PADDING
        stored = aligned(np.full(count + behind, filling, dtype.numpy))
        if buffer.role == "constant":
            stored[:count] = np.frombuffer(buffer.data, dtype.numpy)
        return stored

    def count(self, buffer: Buffer) -> int:
        return math.prod(self.capacity.shape(buffer.type.shape))

    def put(self, role: str, values: Values) -> None:
        for buffer, stored in self.arrays.items():
            if buffer.role == role:
                stored[: self.count(buffer)] = np.asarray(values[buffer.key]).reshape(-1)

    def run(self, inputs: Values) -> list[Array]:
        self.put("input", inputs)
        assert call(self.unrolled.nest, list(self.arrays.values()), self.machine) == 0
        return [self.output(output) for output in self.program.outputs]

    def output(self, output: Operand) -> Array:
        if isinstance(output, View):
            return self.viewed(output)
        value = output.value if isinstance(output, Literal) else self.capacity.dim(output.dim)
        return np.asarray(value, output.type.dtype.numpy)

    def viewed(self, view: View) -> Array:
        shape = self.capacity.shape(view.buffer.type.shape)
        found = self.arrays[view.buffer][: math.prod(shape)].reshape(shape)
        for movement in view.movements:
            found = movement.bind(self.capacity.sizes).of(found)
        return found

    def state(self) -> dict[str, Array]:
        return {
            buffer.key: stored[: self.count(buffer)].reshape(static(buffer.type.shape))
            for buffer, stored in self.arrays.items()
            if buffer.role == "state"
        }


def network(sizes: Sequence[int], dtype: DType) -> cr.Node:
    """What a multilayer perceptron with tanh computes."""
    last = len(sizes) - 2
    values = cr.input("x", ("batch", sizes[0]), dtype=dtype)
    for layer in range(last + 1):
        shape = (sizes[layer], sizes[layer + 1])
        w = cr.parameter(f"w{layer}", shape, "he_normal", dtype=dtype)
        b = cr.parameter(f"b{layer}", shape[1:], 0.1, dtype=dtype)
        values = values @ w + b
        values = cr.tanh(values) if layer < last else values
    return values


def exclusive_or(optimizer: optim.Optimizer, dtype: DType) -> Graph:
    """One step of 2-8-1 with binary cross-entropy."""
    logits = cr.squeeze(network((2, 8, 1), dtype), axis=1)
    loss = losses.binary_cross_entropy(logits, cr.input("y", ("batch",), dtype=dtype))
    step = optimizer.minimize(loss)
    return Graph((loss, logits), step.updates, ("loss", "logits"))


def classifier(sizes: Sequence[int], dtype: DType) -> Graph:
    """One step with softmax, cross-entropy and accuracy."""
    logits, labels = network(sizes, dtype), cr.input("y", ("batch",), dtype="int32")
    step = optim.SGD(lr=0.5).minimize(losses.cross_entropy(logits, labels))
    return Graph((step.loss, metrics.accuracy(logits, labels)), step.updates, ("loss", "accuracy"))


def same_training(graph: Graph, rows: int, classes: int, machine: Machine, dtype: DType) -> None:
    """Five steps in machine code and on the NumPy target give the same outputs and state."""
    bound = 10 * TOLERANCE[dtype]
    numpy = cr.compile(graph, target="numpy")
    numpy = numpy.bind(numpy.initial_state(seed=1))
    native = Straight(graph, {"batch": rows}, machine)
    native.put("state", numpy.state)
    random = np.random.default_rng(3)
    for _ in range(5):
        values: dict[str, Array] = {}
        for leaf in graph.leaves("input"):
            assert isinstance(leaf.op, Input)
            if leaf.op.default is not None:
                values[leaf.op.key] = np.asarray(leaf.op.default, leaf.type.dtype.numpy)
        values["x"] = random.standard_normal((rows, 2)).astype(dtype.numpy)
        values["y"] = random.integers(0, classes, rows).astype(np.int32)
        if classes == 2:
            values["y"] = values["y"].astype(dtype.numpy)
        found = native.run(values)
        for array, wanted in zip(found, numpy(values), strict=True):
            np.testing.assert_allclose(as_floats(array), wanted, rtol=bound, atol=bound)
    for key, array in native.state().items():
        np.testing.assert_allclose(
            as_floats(array), as_floats(numpy.state[key]), rtol=bound, atol=bound
        )


def as_floats(array: Array) -> Floats:
    return array.astype(np.float64)


@DTYPES
@MACHINES
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_on_exclusive_or(name: str, machine: Machine, dtype: DType) -> None:
    same_training(exclusive_or(OPTIMIZERS[name](), dtype), 4, 2, machine, dtype)


@DTYPES
@MACHINES
@pytest.mark.parametrize("rows", [1, 3, 16, 19])
def test_rows_that_fill_no_vectors(rows: int, machine: Machine, dtype: DType) -> None:
    """Lanes without a row take no part in sums over the batch, nor in a softmax."""
    same_training(classifier((2, 5, 3), dtype), rows, 3, machine, dtype)


def same(found: Array, wanted: Array, dtype: DType) -> None:
    exact = as_floats(np.asarray(wanted))
    scale = np.max(np.abs(exact), initial=1.0, where=np.isfinite(exact))
    bound = TOLERANCE[dtype] * scale if found.dtype.kind == "f" else 0.0
    np.testing.assert_allclose(as_floats(found), exact, rtol=0, atol=bound)


def sizes_of(case: Case) -> dict[str, int]:
    return {
        dim.names[0]: extent
        for leaf in case.graph.leaves("input")
        for dim, extent in zip(leaf.shape, case.inputs[leaf.op.label].shape, strict=True)
        if isinstance(dim, Size)
    }


def same_as_reference(case: Case, machine: Machine, dtype: DType) -> None:
    """Outputs and new state, if the program can be unrolled."""
    program = lower(optimize(case.graph, pipeline())[-1].graph)
    if unrolled(program, Capacity(sizes_of(case)), machine) is None:
        return
    native = Straight(case.graph, sizes_of(case), machine)
    native.put("state", case.states)
    expected = reference.evaluate(case.graph, case.inputs, case.states)
    for found, wanted in zip(native.run(case.inputs), expected.outputs, strict=True):
        same(found, wanted, dtype)
    for key, array in native.state().items():
        same(array, expected.updates[key], dtype)


@settings(max_examples=25)
@given(case=cases(dtype=float32))
def test_random_graphs_in_single_precision(case: Case) -> None:
    same_as_reference(case, AVX512, float32)


@settings(max_examples=25)
@given(case=cases(dtype=float64, jumps=True))
def test_random_graphs_in_double_precision(case: Case) -> None:
    same_as_reference(case, AVX2, float64)


def computed(
    outputs: Sequence[cr.Node], values: Values, rows: int, machine: Machine
) -> list[Array]:
    return Straight(Graph(tuple(outputs)), {"batch": rows}, machine).run(values)


@MACHINES
def test_reductions_over_rows_and_features(machine: Machine) -> None:
    x = cr.input("x", ("batch", 5))
    values = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    values[4, 2] = np.inf
    nodes = [cr.sum(x, 0), cr.max(x, 0), cr.min(x, 1), cr.prod(x, 1), cr.sum(x)]
    wanted = [values.sum(0), values.max(0), values.min(1), values.prod(1), values.sum()]
    for found, expected in zip(computed(nodes, {"x": values}, 6, machine), wanted, strict=True):
        np.testing.assert_allclose(as_floats(found), expected, rtol=1e-5)


@MACHINES
def test_sums_of_negative_zeros_stay_negative(machine: Machine) -> None:
    x = cr.input("x", ("batch", 3))
    values = np.full((3, 3), -0.0, np.float32)
    for total in computed([cr.sum(x, 0), cr.sum(x, 1)], {"x": values}, 3, machine):
        np.testing.assert_array_equal(np.signbit(total), np.ones(3, bool))


@MACHINES
def test_views_are_only_other_orders_of_the_elements(machine: Machine) -> None:
    x = cr.input("x", ("batch", 6))
    values = np.arange(18, dtype=np.float32).reshape(3, 6)
    nodes = [2 * cr.flip(x, 1)[:, 1::2], cr.reshape(x, (-1,)) + 1, cr.concat([x, -x], 1)]
    wanted = [2 * values[:, ::-1][:, 1::2], values.reshape(-1) + 1, np.hstack([values, -values])]
    for found, expected in zip(computed(nodes, {"x": values}, 3, machine), wanted, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_first_extreme_counts_and_a_nan_before_all() -> None:
    x = cr.input("x", ("batch", 4))
    nan = np.nan
    values = np.array([[1, 3, 3, 0], [nan, 5, 1, nan], [2, nan, 9, nan]], np.float32)
    nodes = [cr.argmax(x, 1), cr.argmin(x, 1), cr.argmax(x, 0)]
    wanted = [values.argmax(1), values.argmin(1), values.argmax(0)]
    for found, expected in zip(computed(nodes, {"x": values}, 3, AVX512), wanted, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_indexing_by_computed_positions() -> None:
    x, i = cr.input("x", (4, 3)), cr.input("i", ("batch",), dtype="int32")
    table = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    given_, rows = np.array([2, 0, 2], np.int32), np.array([3, 1, 3])
    taken = cr.take(x, i + 1, 0)
    nodes = [taken, cr.scatter_add(x, i + 1, taken, 0), cr.one_hot(i + 1, 4)]
    summed = table.copy()
    np.add.at(summed, rows, table[rows])
    wanted = [table[rows], summed, np.eye(4)[rows]]
    found = computed(nodes, {"x": table, "i": given_}, 3, AVX512)
    for array, expected in zip(found, wanted, strict=True):
        np.testing.assert_allclose(as_floats(array), expected, rtol=1e-6)


@pytest.mark.parametrize("wrong", [-2, 3])
def test_an_index_out_of_range_is_reported(wrong: int) -> None:
    x, i = cr.input("x", (4, 3)), cr.input("i", ("batch",), dtype="int32")
    native = Straight(Graph((cr.take(x, i + 1, 0),)), {"batch": 3}, AVX512)
    native.put("input", {"x": np.zeros((4, 3)), "i": np.array([1, wrong, 0])})
    assert call(native.unrolled.nest, list(native.arrays.values()), AVX512) != 0


@MACHINES
def test_parameters_of_both_precisions(machine: Machine) -> None:
    x = cr.input("x", ("batch", 3), dtype="float64")
    w, b = cr.input("w", (3, 2)), cr.input("b", (2,))
    random = np.random.default_rng(0)
    values = {"x": random.standard_normal((5, 3)), "w": random.standard_normal((3, 2)).astype("f4")}
    values["b"] = random.standard_normal(2).astype("f4")
    (found,) = computed([x @ w + b], values, 5, machine)
    np.testing.assert_allclose(
        as_floats(found), values["x"] @ values["w"] + values["b"], rtol=1e-12
    )


@MACHINES
def test_it_is_straight_and_stays_inside_its_arrays(machine: Machine) -> None:
    """Padding is touched to the end of its cache line only, the caller's arrays have none."""
    native = Straight(classifier((2, 5, 3), float32), {"batch": 3}, machine)
    buffers = dict(zip(native.unrolled.nest.parameters, native.unrolled.buffers, strict=True))
    for statement in native.unrolled.nest.body:
        assert not isinstance(statement, Loop | Share)
        if isinstance(statement, Load | Store):
            register = statement.out if isinstance(statement, Load) else statement.value
            address = statement.address
            buffer = buffers[address.parameter]
            line = 1 if buffer.role == "input" else ALIGNMENT // buffer.type.dtype.itemsize
            end = address.position.constant + (register.kind.lanes - 1) * address.stride + 1
            assert address.position.terms == ()
            assert end <= -(-native.count(buffer) // line) * line


def lowered(graph: Graph) -> Program:
    return lower(optimize(graph, pipeline())[-1].graph)


def test_a_large_program_is_refused_by_its_shapes() -> None:
    """A table of its elements would fill the memory."""
    huge = lowered(classifier((2, 1 << 20, 1 << 20, 3), float32))
    assert unrolled(huge, Capacity({"batch": 4}), AVX512) is None


def test_the_budget_decides() -> None:
    program = lowered(exclusive_or(optim.SGD(lr=0.1), float32))
    assert unrolled(program, Capacity({"batch": 4}), AVX512) is not None
    assert unrolled(program, Capacity({"batch": 4}), AVX512, budget=50) is None
    assert unrolled(program, Capacity({"batch": 4096}), AVX512) is None


def test_what_has_no_straight_form_is_refused() -> None:
    x = cr.input("x", ("batch", 2))
    noise = cr.uniform(x.shape, np.array(0), np.array(0))
    assert unrolled(lowered(Graph((x + noise,))), Capacity({"batch": 2}), AVX512) is None
    empty = lowered(Graph((cr.sum(cr.exp(cr.input("e", (0, 2))), 0),)))
    assert unrolled(empty, Capacity({}), AVX512) is None
