"""The planner against a simulation: no value is overwritten before its last reader."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.graphs import Case, cases

from chainc import ops
from chainc.autodiff import grad
from chainc.backends.numpy.module import assemble, prepare, print_function
from chainc.ir import Graph, Node, apply
from chainc.ir.binding import bind_graph
from chainc.ir.leaves import Input, Label, Slot
from chainc.ir.types import Array, TensorType, coefficient_of, float32, named, names_of
from chainc.lowering.grouping import Group, group
from chainc.lowering.lower import lower
from chainc.lowering.memory import (
    ALIGNMENT,
    Lifetime,
    lifetimes,
    plan,
    reuse_in_place,
    safe_operands,
)
from chainc.lowering.parts import split
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer, Panels, View
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2, AVX512, SSE, Machine
from chainc.schedules.layout.panels import lay_out
from chainc.schedules.program.memory import Memory

CAPACITY = Capacity({"batch": 4})


def input(name: str, *shape: int | str) -> Node:
    sizes = tuple(named(dim) if isinstance(dim, str) else dim for dim in shape)
    return apply(Input(name, TensorType(sizes, float32)))


def overlapping(program: Program) -> list[tuple[Buffer, Buffer]]:
    """Pairs of buffers that live at the same time and share bytes of one arena."""
    arena, spans = plan(program), lifetimes(program)
    placed = list(arena.offsets)
    bad: list[tuple[Buffer, Buffer]] = []
    for i, a in enumerate(placed):
        for b in placed[i + 1 :]:
            same = names_of(a.type.nbytes) == names_of(b.type.nbytes)
            together = spans[a].start <= spans[b].end and spans[b].start <= spans[a].end
            start, stop = arena.offsets[a], arena.offsets[a] + coefficient_of(a.type.nbytes)
            low, high = arena.offsets[b], arena.offsets[b] + coefficient_of(b.type.nbytes)
            if same and together and start < high and low < stop:
                bad.append((a, b))
    return bad


def chain(length: int) -> Graph:
    node = input("x", "batch", 8)
    for _ in range(length):
        node = ops.tanh(node)
    return Graph((node,))


def test_a_chain_runs_in_one_buffer() -> None:
    program = prepare(lower(chain(50)))
    assert len({kernel.out for kernel in program.body}) == 1


def test_a_chain_of_ten_thousand_is_planned_without_recursion() -> None:
    program = prepare(lower(chain(10_000)))
    assert len({kernel.out for kernel in program.body}) == 1


def test_an_operand_read_later_is_not_overwritten() -> None:
    x = input("x", 4)
    kept = ops.exp(x)
    program = prepare(lower(Graph((ops.tanh(kept) + kept,))))
    first, second, third = program.body
    assert second.out is not first.out
    assert third.out in (first.out, second.out)


def test_a_broadcast_operand_is_not_overwritten() -> None:
    row = ops.exp(input("row", 1, 4))
    spread = ops.exp(input("x", 1, 4)) * ops.permute_dims(ops.permute_dims(row, (1, 0)), (1, 0))
    for graph in (Graph((spread,)), Graph((ops.broadcast_to(row, (4, 4)) + row,))):
        program = prepare(lower(graph))
        assert not overlapping(program)
        for kernel in program.body:
            views = [view for view in kernel.reads if view.buffer is kernel.out]
            assert all(view.whole for view in views)


def test_inputs_and_state_that_is_not_updated_are_never_written() -> None:
    x = input("x", 4)
    w = apply(Slot(Label("w"), TensorType((4,), float32)))
    program = prepare(lower(Graph((ops.exp(x), ops.exp(w)))))
    assert all(kernel.out.role == "work" for kernel in program.body)


def test_a_new_value_is_computed_in_its_slot() -> None:
    w = apply(Slot(Label("w"), TensorType((4,), float32)))
    program = prepare(lower(Graph((), {w: w * 0.5 + 1.0})))
    assert not program.updates
    assert {kernel.out.role for kernel in program.body} == {"state"}


def test_offsets_are_aligned_and_arenas_are_told_apart_by_their_size() -> None:
    x, y = input("x", "batch", 3), input("y", 5)
    graph = Graph((ops.sum(ops.exp(x) * 2.0), ops.sum(ops.exp(y))))
    arena = plan(reuse_in_place(split(lower(graph))))
    assert set(arena.sizes) == {(), ("batch",)}
    assert all(offset % ALIGNMENT == 0 for offset in arena.offsets.values())


def test_memory_is_used_again() -> None:
    node = input("x", 1024)
    for _ in range(20):
        node = ops.flip(ops.exp(node) + ops.flip(node))
    arena = plan(prepare(lower(Graph((ops.sum(node),)))))
    assert arena.sizes[()] <= 4 * 4096 + ALIGNMENT


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_no_two_living_values_share_bytes(steps: list[tuple[int, int, int]]) -> None:
    nodes = [input("x", 4, 4), input("z", "batch", 4)]
    w = apply(Slot(Label("w"), TensorType((4, 4), float32)))
    nodes.append(w)
    for kind, i, j in steps:
        a, b = nodes[i % len(nodes)], nodes[j % len(nodes)]
        nodes.append(_combined(kind, a, b))
    square = [node for node in nodes if node.shape == (4, 4)]
    graph = Graph((nodes[-1], nodes[len(nodes) // 2]), {w: square[-1]})
    program = prepare(lower(graph))
    assert not overlapping(program)
    for planned, plain in zip(run(program), run(split(lower(graph))), strict=True):
        np.testing.assert_array_equal(planned, plain)


def run(program: Program) -> list[Array]:
    """Outputs and the new state, on fixed numbers; a program without reuse is the oracle."""
    random = np.random.default_rng(0)
    state = {"w": random.standard_normal((4, 4)).astype(np.float32)}
    values = {"x": random.standard_normal((4, 4)).astype(np.float32)}
    values["z"] = random.standard_normal((3, 4)).astype(np.float32)
    namespace: dict[str, object] = {}
    exec(assemble([print_function(program, "run")]), namespace)
    bind = namespace["bind_run"]
    assert callable(bind)
    function = bind(state, *(3 for _ in program.size_names))
    outputs = function(*(values[buffer.key] for buffer in program.inputs))
    return [*(np.array(output) for output in outputs), state["w"]]


def _combined(kind: int, a: Node, b: Node) -> Node:
    if kind == 0 or a.shape != b.shape:
        return ops.tanh(a)
    if kind == 1:
        return a + b
    if kind == 2:
        return ops.where(a < b, a, b)
    if kind == 3 and a.shape == (4, 4):
        return a @ ops.permute_dims(b, (1, 0))
    if kind == 4:
        return ops.flip(a, 1) * b
    if kind == 5:
        return a - ops.sum(b, 1, keepdims=True)
    return ops.maximum(a, 0.0)


@pytest.mark.parametrize("length", [0, 1, 64, 65])
def test_empty_and_odd_buffers_have_places(length: int) -> None:
    program = prepare(lower(Graph((ops.sum(ops.exp(input("x", length))),))))
    assert not overlapping(program)
    assert np.all([offset >= 0 for offset in plan(program).offsets.values()])


# groups and panels, as native code has them


def native(graph: Graph, machine: Machine = AVX512) -> Program:
    """Kernels grouped and laid out, but not yet in place."""
    return lay_out(group(lower(graph)), machine, CAPACITY)


def momentum() -> Graph:
    """W and v are replaced by one kernel, which reads both."""
    x, y = input("x", "batch", 24), input("y", "batch", 32)
    w = apply(Slot(Label("w"), TensorType((24, 32), float32)))
    v = apply(Slot(Label("v"), TensorType((24, 32), float32)))
    gradient = ops.permute_dims(x, (1, 0)) @ ops.tanh(x @ w + y)
    new_v = v * 0.9 + gradient
    return Graph((ops.sum(x @ w),), {v: new_v, w: w - new_v * 0.1})


def test_a_group_replaces_all_its_slots_in_place() -> None:
    program = reuse_in_place(native(momentum()))
    assert not program.updates
    (kernel,) = (each for each in program.body if isinstance(each, Group) and len(each.outs) == 2)
    assert {out.key for out in kernel.outs} == {"v", "w"}
    assert {view.buffer.key for view in kernel.reads} >= {"v", "w"}
    position = program.body.index(kernel)
    later = program.body[position + 1 :]
    assert not any(view.buffer in kernel.outs for each in later for view in each.reads)


def test_a_group_does_not_write_over_what_its_contraction_reads() -> None:
    """A row of the result is written while others still need whole rows of the operand."""
    x = input("x", "batch", 24)
    w = apply(Slot(Label("w"), TensorType((24, 24), float32)))
    first = ops.exp(x @ w)
    program = reuse_in_place(native(Graph((ops.tanh(first @ w) * 2.0,))))
    for kernel in program.body:
        assert not {view.buffer for view in kernel.reads} & set(kernel.outs)


def test_a_group_writes_over_what_a_follower_reads_at_its_element() -> None:
    x = input("x", "batch", 24)
    w = apply(Slot(Label("w"), TensorType((24, 24), float32)))
    other = ops.exp(x)
    program = reuse_in_place(native(Graph((ops.sum(ops.tanh(x @ w) + other, 0),))))
    groups = [each for each in program.body if isinstance(each, Group)]
    assert groups
    assert any(set(each.outs) & {view.buffer for view in each.reads} for each in groups)


def test_results_of_one_group_do_not_share_storage() -> None:
    program = reuse_in_place(native(momentum()))
    for kernel in program.body:
        assert len(set(kernel.outs)) == len(kernel.outs)


def test_only_source_that_is_read_keeps_derivatives_off_forward_values() -> None:
    x = input("x", "batch", 24)
    program = split(lower(Graph((grad(ops.sum(ops.exp(ops.sin(x))), x),))))
    for readable in (True, False):
        shared = reuse_in_place(program, readable=readable).in_place.values()
        assert any(first.cotangent < last.cotangent for first, *_, last in shared) is not readable


def test_values_in_different_layouts_do_not_share_storage() -> None:
    x, w = input("x", 24, 32), input("w", 24, 32)
    out = Buffer("out", x.type, panels=Panels(1, 16))
    source = Buffer("source", x.type)
    (kernel,) = lower(Graph((x + w,))).body
    moved = replace(kernel, out=out, operands=(View(source, x.type), View(out, x.type)))
    assert [view.buffer for view in safe_operands(moved, out)] == [out]


def test_what_shares_storage_is_recorded() -> None:
    program = reuse_in_place(native(momentum()))
    recorded = {
        buffer.key: [each.name for each in values] for buffer, values in program.in_place.items()
    }
    assert recorded["w"] == ["w", "new_w"]
    assert (recorded["v"][0], recorded["v"][-1]) == ("v", "new_v")
    buffers = {out for kernel in program.body for out in kernel.outs} | set(program.states)
    assert set(program.in_place) <= buffers


def extents(program: Program) -> list[tuple[Lifetime, int, int]]:
    """When each work buffer of the arena lives, and its bytes with all padding."""
    memory = Memory(CAPACITY)
    memory.work([program])
    spans = lifetimes(program)
    return [
        (spans[buffer], offset, offset + memory.nbytes(buffer))
        for buffer, offset in memory.offsets.items()
    ]


@pytest.mark.parametrize("machine", [AVX512, AVX2, SSE], ids=["avx512", "avx2", "sse"])
@settings(max_examples=100)
@given(case=cases(dtype=float32))
def test_no_two_living_buffers_of_native_code_share_bytes(machine: Machine, case: Case) -> None:
    bound = bind_graph(case.graph, {"time": 3})
    program = reuse_in_place(native(bound, machine))
    found = extents(program)
    for i, (a, start, end) in enumerate(found):
        assert start % ALIGNMENT == 0
        for b, low, high in found[i + 1 :]:
            together = a.start <= b.end and b.start <= a.end
            assert not (together and start < high and low < end)
    for kernel in program.body:
        for out in kernel.outs:
            safe = [view.buffer for view in safe_operands(kernel, out)]
            assert all(view.buffer in safe for view in kernel.reads if view.buffer is out)
