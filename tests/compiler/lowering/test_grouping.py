"""Which maps join the kernel before them, in what order, and that the numbers stay the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from tests.graphs import Case, cases

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.ir.types import coefficient_of, float32
from chainc.lowering.grouping import MOST_REDUCTIONS, Group, group
from chainc.lowering.kernels import Contraction, Copy, Kernel, Map, Reduction
from chainc.lowering.lower import lower
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, View
from chainc.passes import pipeline
from chainc.schedules.program.inlining import inlined
from chainrule import optim
from chainrule.optim import Step


def lowered(graph: Graph) -> Program:
    """After the passes."""
    for each in pipeline(False):
        graph = each.run(graph)
    return lower(graph)


def perceptron(optimizer: optim.Optimizer) -> Step:
    x, y = cr.input("x", ("batch", 6)), cr.input("y", ("batch", 4))
    hidden = cr.tanh(x @ cr.parameter("first", (6, 5), 0.3))
    out = hidden @ cr.parameter("second", (5, 4), 0.2)
    return optimizer.minimize(cr.mean(cr.square(out - y)))


def updates(program: Program) -> Mapping[str, Kernel]:
    """The kernel that computes each slot's new value."""
    writers = {out: kernel for kernel in program.body for out in kernel.outs}
    return {slot.key: writers[value.buffer] for slot, value in program.updates}


def members(kernel: Kernel) -> Sequence[Kernel]:
    return kernel.members if isinstance(kernel, Group) else (kernel,)


WEIGHTS = ("first", "second")
COLUMNS = np.arange(42, dtype=np.float32)


@pytest.mark.parametrize(
    ("optimizer", "slots"),
    [
        (optim.SGD(lr=0.1), 0),
        (optim.SGD(lr=0.1, momentum=0.9), 1),
        (optim.SGD(lr=0.1, momentum=0.9, nesterov=True), 1),
        (optim.AdaGrad(), 1),
        (optim.AdaDelta(), 2),
        (optim.RMSProp(), 1),
        (optim.RMSProp(momentum=0.9, centered=True), 3),
        (optim.Adam(lr=0.01), 2),
        (optim.Adam(amsgrad=True), 3),
        (optim.AdamW(), 2),
        (optim.NAdam(), 2),
        (optim.Lion(weight_decay=0.1), 1),
        (optim.Adam(signal=[optim.clip.by_value(1.0)]), 2),
        (optim.Adam(signal=[optim.noise(0.1)]), 2),
        (optim.Adam(signal=[optim.accumulate(4)]), 3),
        (optim.Adam(average=optim.averages.ema()), 3),
        (optim.Adam(maximize=True), 2),
    ],
    ids=str,
)
def test_an_update_joins_the_weights_gradient(optimizer: optim.Optimizer, slots: int) -> None:
    program = group(lowered(perceptron(optimizer).graph))
    found = updates(program)
    for weight in WEIGHTS:
        kernel = found[weight]
        if isinstance(kernel, Contraction):  # the passes have put it into the epilogue
            assert slots == 0
            continue
        assert isinstance(kernel, Group)
        assert isinstance(kernel.members[0], Contraction)
        replaced = [key for key, writer in found.items() if writer is kernel]
        assert weight in replaced
        assert len(replaced) == 1 + slots


def shared(weight_name: str) -> Step:
    x = cr.input("x", ("batch", 5))
    w = cr.parameter(weight_name, (5, 5), 0.2)
    return optim.SGD(lr=0.1, momentum=0.9).minimize(cr.mean(cr.square(cr.tanh(x @ w) @ w)))


def test_a_shared_weight_is_updated_once_both_parts_of_its_gradient_are_there() -> None:
    """The gradient is a sum of two contractions: the update can follow the later of them only."""
    program = group(lowered(shared("w").graph))
    order = [out for kernel in program.body for out in kernel.outs]
    kernel = updates(program)["w"]
    for view in kernel.reads:
        if view.buffer in order:
            assert order.index(view.buffer) < order.index(kernel.outs[0])
    readers = [each for each in program.body if _reads(each, "w") and each is not kernel]
    assert all(program.body.index(each) < program.body.index(kernel) for each in readers)


def _reads(kernel: Kernel, key: str) -> bool:
    return any(view.buffer.key == key for view in kernel.reads)


def test_clipping_by_the_norm_of_all_gradients_keeps_updates_apart() -> None:
    """The norm needs every element of the gradients before the first can be scaled."""
    program = group(lowered(clipped()))
    for weight in WEIGHTS:
        assert not any(isinstance(each, Contraction) for each in members(updates(program)[weight]))
    assert any(isinstance(member, Reduction) for each in program.body for member in members(each))


def clipped() -> Graph:
    x = cr.input("x", ("batch", 6))
    weights = [cr.parameter(name, (6, 6), 0.3) for name in WEIGHTS]
    loss = cr.mean(cr.square(cr.tanh(x @ weights[0]) @ weights[1]))
    gradients = cr.grad(loss, weights)
    norm = cr.sqrt(sum((cr.sum(cr.square(g)) for g in gradients[1:]), cr.sum(gradients[0] ** 2)))
    scale = 0.1 / cr.maximum(norm, 1.0)
    updates = {w: w - scale * g for w, g in zip(weights, gradients, strict=True)}
    return Graph((loss,), updates, ("loss",))


def test_a_gradient_that_is_also_an_output_is_kept() -> None:
    x = cr.input("x", ("batch", 6))
    w = cr.parameter("w", (6, 5), 0.3)
    loss = cr.mean(cr.square(x @ w))
    d_w = cr.grad(loss, w)
    graph = Graph((loss, d_w), {w: w - 0.1 * cr.tanh(d_w)}, ("loss", "d_w"))
    program = group(lowered(graph))
    kernel = updates(program)["w"]
    assert isinstance(kernel, Group)
    (gradient,) = (view.buffer for view in program.outputs[1:] if isinstance(view, View))
    assert gradient in kernel.outs
    assert len(kernel.outs) == 2


def chain(*shape: int) -> tuple[Node, Node]:
    x = cr.input("x", shape)
    return x, cr.matmul(x, cr.input("w", (shape[1], 6)))


def test_a_map_that_needs_another_element_stays_outside() -> None:
    _, product = chain(4, 6)
    program = group(lower(Graph((product + cr.flip(product),))))
    assert not any(isinstance(kernel, Group) for kernel in program.body)


def test_a_map_that_waits_for_a_reduction_of_the_result_stays_outside() -> None:
    _, product = chain(4, 6)
    largest = cr.max(product, axis=1, keepdims=True)
    program = group(lower(Graph((product - largest,))))
    assert [type(kernel) for kernel in program.body] == [Contraction, Reduction, Map]


def test_an_elementary_function_of_a_product_that_is_read_again_stays_outside() -> None:
    """It would be done in a tile of sums; an absolute value takes few instructions."""
    x = cr.input("x", ("batch", 6))
    z = x @ cr.parameter("w", (6, 4), 0.3)
    for outputs, kernels in (
        ((cr.tanh(z), z * z), 2), ((cr.sin(z), z * z), 2), ((cr.abs(z), z * z), 1),
        ((cr.tanh(z),), 1),
    ):  # fmt: skip
        assert len(group(inlined(lowered(Graph(outputs)))).body) == kernels


def test_a_broadcast_of_the_result_stays_outside() -> None:
    x = cr.input("x", (1, 3))
    product = x @ cr.input("w", (3, 6))
    program = group(lower(Graph((product + cr.input("y", (4, 6)),))))
    assert not any(isinstance(kernel, Group) for kernel in program.body)


def test_what_nobody_else_reads_is_not_stored() -> None:
    _, product = chain(4, 5)
    out = cr.exp(cr.tanh(product))
    (kernel,) = group(lower(Graph((out,)))).body
    assert isinstance(kernel, Group)
    assert len(kernel.members) == 3
    assert len(kernel.outs) == 1


def test_what_another_kernel_reads_is_stored() -> None:
    _, product = chain(4, 5)
    first = cr.tanh(product)
    program = group(lower(Graph((cr.exp(first), cr.sum(first)))))
    (kernel,) = (each for each in program.body if isinstance(each, Group))
    assert len(kernel.outs) == 2


def beside(axis: int) -> Node:
    x, y = cr.input("x", ("batch", 4, 21)), cr.input("y", ("batch", 4, 21))
    joined = cr.concat([x * y + 1, cr.tanh(x), x - y], axis=axis)
    return joined * 2 if axis == 1 else joined @ cr.constant(np.ones((63, 3), np.float32))


def copies(program: Program) -> int:
    return sum(isinstance(kernel, Copy) for kernel in program.body)


def test_what_is_put_side_by_side_is_written_where_it_lies() -> None:
    program = group(lowered(cr.Graph([beside(2)])))
    assert copies(program) == 0
    starts = [part[0] for each in program.body for part in each.written if part]
    assert starts == [(0, 0, 0), (0, 0, 21), (0, 0, 42)]


def test_what_is_put_one_above_another_is_copied() -> None:
    """Vectors run along rows, which would be cut."""
    assert copies(group(lowered(cr.Graph([beside(1)])))) == 3


@pytest.mark.parametrize("rows", [1, 3])
def test_nothing_beside_is_overwritten(rows: int) -> None:
    """Parts that are no multiple of a vector, and rows of which there is only one."""
    random = np.random.default_rng(0)
    given = {key: random.standard_normal((rows, 4, 21)).astype(np.float32) for key in "xy"}
    x = cr.input("x", ("batch", 21))
    single = cr.sum(cr.concat([cr.exp(x), x * x], axis=1) * cr.constant(COLUMNS), axis=1)
    for graph, rowwise in ((beside(2), given), (single, {"x": given["x"][:, 0]})):
        wanted = cr.compile(graph, target="numpy")(**rowwise)
        np.testing.assert_allclose(cr.compile(graph)(**rowwise), wanted, rtol=1e-5, atol=1e-5)


def heads(program: Program) -> list[list[str]]:
    """The reductions of every kernel that has some, by name."""
    found = ([m.out.name for m in members(k) if isinstance(m, Reduction)] for k in program.body)
    return [names for names in found if names]


def test_sums_of_the_same_elements_are_one_kernel() -> None:
    x = cr.input("x", (4, 5))
    first, second = cr.sum(x, axis=0), cr.max(x, axis=0)
    program = group(lower(Graph((first + 1.0, second * 2.0))))
    (kernel,) = program.body
    assert isinstance(kernel, Group)
    assert len(kernel.outs) == 2
    assert heads(program) == [["sum", "max"]]


def test_sums_along_other_axes_or_of_other_elements_are_kernels_of_their_own() -> None:
    x, y = cr.input("x", (4, 5)), cr.input("y", (4, 5))
    graph = Graph((cr.sum(x, axis=0), cr.sum(x, axis=1), cr.sum(y, axis=0)))
    assert heads(group(lower(graph))) == [["sum"]] * 3


def test_a_sum_that_needs_another_one_comes_after_it() -> None:
    x = cr.input("x", (4, 5))
    largest = cr.max(x, axis=0)
    graph = Graph((cr.sum(cr.exp(x - largest) * x, axis=0), cr.sum(x, axis=0)))
    assert heads(group(inlined(lower(graph)))) == [["max", "sum"], ["sum"]]


def test_a_sum_of_two_products_joins_what_reads_either() -> None:
    x, y = cr.input("x", (4, 5)), cr.input("y", (4, 5))
    graph = Graph((cr.sum(x, axis=0), cr.sum(y, axis=0), cr.sum(x * y, axis=0)))
    assert heads(group(inlined(lower(graph)))) == [["sum"] * 3]


def test_only_so_many_sums_are_one_kernel() -> None:
    x = cr.input("x", (4, 5))
    graph = Graph(tuple(cr.sum(x * float(i), axis=0) for i in range(MOST_REDUCTIONS + 1)))
    found = [len(names) for names in heads(group(inlined(lower(graph))))]
    assert sorted(found) == [1, MOST_REDUCTIONS]


def test_maps_whose_elements_meet_are_one_kernel() -> None:
    x, y = cr.input("x", (4, 5)), cr.input("y", (4, 5))
    first, second = cr.tanh(x), cr.exp(y)
    (kernel,) = group(lower(Graph((first, second, first * second)))).body
    assert isinstance(kernel, Group)
    assert len(kernel.outs) == 3


def test_maps_that_meet_behind_a_contraction_stay_outside_of_it() -> None:
    """Its tiles have no registers to spare."""
    _, product = chain(4, 5)
    first = cr.exp(cr.input("y", (4, 6)))
    program = group(lower(Graph((product, first, product * first))))
    assert [len(members(kernel)) for kernel in program.body] == [1, 2]


@pytest.mark.parametrize(("width", "kernels"), [(8, 1), (6, 2)])
def test_random_words_are_used_where_they_are_drawn(width: int, kernels: int) -> None:
    """Unless their blocks of four straddle rows."""
    drawn = cr.where(cr.bernoulli(("batch", width), 0.5), cr.input("x", ("batch", width)), 0)
    assert len(group(lowered(Graph((drawn,)))).body) == kernels


def test_accumulating_kernels_lead_no_group() -> None:
    """A buffer that is written in parts is complete only after the last of them."""
    x = cr.input("x", (4, 5))
    joined = cr.concat([cr.exp(x), cr.tanh(x)], axis=0)
    program = group(lower(Graph((joined * 2.0,))))
    for kernel in program.body:
        if isinstance(kernel, Group):
            (first, *_) = kernel.members
            assert sum(each.out is first.out for each in program.body) <= 1
    values = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)
    found = cr.compile(joined * 2.0, passes=())(x=values)
    wanted = np.concatenate([np.exp(values), np.tanh(values)]) * 2
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_updates_that_wait_for_each_other_in_a_ring_are_put_in_order() -> None:
    """`first` waits for its old value's reader, `second`, which waits for a reader of `first`."""
    first, second, third = (cr.parameter(name, (3, 3), 0.5) for name in ("a", "b", "c"))
    new_first = third @ third
    reader = new_first @ second
    program = group(lower(Graph((reader,), {first: new_first, second: first @ first})))
    assert len(program.body) == 3
    function = cr.compile(Graph((reader,), {first: new_first, second: first @ first}))
    function = function.bind(function.initial_state())
    np.testing.assert_allclose(function()[0], np.full((3, 3), 1.125), rtol=1e-6)
    np.testing.assert_allclose(
        np.asarray(function.state["b"], np.float64), np.full((3, 3), 0.75), rtol=1e-6
    )
    np.testing.assert_allclose(
        np.asarray(function.state["a"], np.float64), np.full((3, 3), 0.75), rtol=1e-6
    )


@given(case=cases(dtype=float32))
@settings(max_examples=150)
def test_every_kernel_comes_after_those_that_it_waits_for(case: Case) -> None:
    plain = lower(case.graph)
    grouped = group(plain)
    assert _flat(grouped) == len(plain.body)
    known = {kernel.out for kernel in grouped.prologue} | {*grouped.inputs, *grouped.states}
    slots = {value.buffer: slot for slot, value in grouped.updates}
    replaced: set[Buffer] = set()
    for kernel in grouped.body:
        own = {member.out for member in members(kernel)}
        for view in kernel.reads:
            assert view.buffer.role == "constant" or view.buffer in known | own | set(kernel.outs)
            others = {slots[out] for out in kernel.outs if out in slots}
            assert view.buffer not in replaced - others
        known |= set(kernel.outs)
        replaced |= {slots[out] for out in kernel.outs if out in slots and _is_group(kernel)}


def _is_group(kernel: Kernel) -> bool:
    return isinstance(kernel, Group)


def _flat(program: Program) -> int:
    """With copies that are done where their elements are computed."""
    return sum(len(members(each)) + sum(map(bool, each.written)) for each in program.body)


@pytest.mark.parametrize(
    "make",
    [
        lambda: perceptron(optim.SGD(lr=0.1)),
        lambda: perceptron(optim.SGD(lr=0.1, momentum=0.9)),
        lambda: perceptron(optim.Adam(lr=0.01)),
        lambda: shared("w"),
    ],
    ids=["sgd", "momentum", "adam", "shared"],
)
def test_grouped_steps_train_as_numpy_does(make: Callable[[], Step]) -> None:
    step = make()
    native, plain = cr.compile(step), cr.compile(step, target="numpy")
    state = native.initial_state(3)
    native, plain = native.bind(state), plain.bind(state)
    random = np.random.default_rng(0)
    widths = {node.op.label: node.shape[1] for node in step.graph.leaves("input") if node.shape}
    for rows in (8, 8, 3):
        data = {
            name: random.standard_normal((rows, coefficient_of(width))).astype(np.float32)
            for name, width in widths.items()
        }
        np.testing.assert_allclose(native(data)[0], plain(data)[0], rtol=1e-5)
    for name, value in plain.state.items():
        found, wanted = native.state[name].astype(np.float64), value.astype(np.float64)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
