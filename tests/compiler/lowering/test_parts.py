"""The parts of kernels, and the registers that name them."""

from __future__ import annotations

import pytest

import chainrule as cr
from chainc.ir import Graph
from chainc.loops.language import Compute, Load, Loop, Statement, Store, statements
from chainc.loops.uses import part_of
from chainc.lowering.grouping import Group, group
from chainc.lowering.kernels import Kernel
from chainc.lowering.lower import lower
from chainc.lowering.parts import Part, parts_of, parts_of_all
from chainc.lowering.program import Program
from chainc.passes import pipeline
from chainc.schedules.by_kernel import schedule
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX512, SSE, Machine
from chainc.schedules.unrolled.schedule import unrolled
from chainrule.optim import SGD


def lowered(graph: Graph) -> Program:
    """After the passes."""
    for each in pipeline(False):
        graph = each.run(graph)
    return lower(graph)


def layer() -> Program:
    x = cr.input("x", ("batch", 6))
    hidden = x @ cr.parameter("weight", (6, 5), 0.3) + cr.parameter("bias", (5,), 0.1)
    return lowered(Graph((cr.relu(hidden),)))


def op_of(part: Part) -> str:
    return "product" if part.node is None else part.node.op.name


def test_a_fused_layer_has_its_product_and_the_ops_of_its_epilogue() -> None:
    (kernel,) = layer().body
    assert [op_of(part) for part in parts_of(kernel)] == ["product", "add", "relu"]
    assert all(part.kernel is kernel and part.target is kernel.out for part in parts_of(kernel))


def test_a_group_has_the_parts_of_its_members_and_where_they_are_kept() -> None:
    x = cr.input("x", ("batch", 6))
    loss = cr.mean(cr.tanh(x @ cr.parameter("w", (6, 5), 0.3)))
    step = SGD(lr=0.1, momentum=0.9).minimize(loss)
    program = group(lowered(step.graph))
    (joined,) = [each for each in program.body if each.out.name == "new_w"]
    assert isinstance(joined, Group)
    parts = parts_of(joined)
    assert list(dict.fromkeys(part.kernel for part in parts)) == list(joined.members)
    assert {part.target for part in parts} >= set(joined.outs)


@pytest.mark.parametrize("machine", [SSE, AVX512])
def test_registers_name_the_part_that_needs_them(machine: Machine) -> None:
    """The texts of the primitives say which op it is: an oracle beside the numbers."""
    (kernel,) = layer().body
    nest, _ = schedule(kernel, Capacity({"batch": 16}), machine)
    names = [op_of(part) for part in parts_of(kernel)]
    found: dict[str, set[str | None]] = {}
    for statement in statements(nest.body):
        part = part_of(statement)
        kind = statement.primitive if isinstance(statement, Compute) else type(statement).__name__
        found.setdefault(kind, set()).add(None if part is None else names[part])
    assert found["fma"] == {"product"}
    assert found["add"] == {"add"}
    assert found["maximum"] == found["Store"] == {"relu"}
    assert found["Loop"] == {None}
    loads = {
        (statement.address.parameter.name, names[statement.out.part or 0])
        for statement in statements(nest.body)
        if isinstance(statement, Load)
    }
    assert loads == {("x", "product"), ("weight", "product"), ("bias", "add")}


def test_straight_line_code_numbers_the_parts_of_all_kernels() -> None:
    program = layer()
    small = unrolled(program, Capacity({"batch": 4}), SSE)
    assert small is not None
    parts = parts_of_all(small.kernels)
    assert [op_of(part) for part in parts] == ["product", "add", "relu"]

    def op(statement: Statement) -> str:
        number = part_of(statement)
        return "all" if number is None else op_of(parts[number])

    body = [each for each in small.nest.body if not isinstance(each, Loop)]
    assert {op(each) for each in body if isinstance(each, Store)} == {"relu"}
    computed = {(each.primitive, op(each)) for each in body if isinstance(each, Compute)}
    assert computed >= {("maximum", "relu"), ("add", "add")}
    assert {name for primitive, name in computed if primitive in ("fma", "multiply")} == {"product"}


def test_kernels_of_one_part() -> None:
    program = lowered(Graph((cr.sum(cr.input("x", ("batch", 6)), axis=1),)))
    kernels: list[Kernel] = list(program.body)
    assert [len(parts_of(kernel)) for kernel in kernels] == [1] * len(kernels)
