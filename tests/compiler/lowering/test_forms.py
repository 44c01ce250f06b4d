"""Kernels of one form are one function: what makes two forms differ, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from tests.graphs import Case, cases

import chainrule as cr
from chainc import ir
from chainc.backends.llvm.printing.nest import parts_of_lines, print_function
from chainc.ir.binding import bind_graph
from chainc.ir.types import TensorType, float32, int32
from chainc.lowering.forms import form_of
from chainc.lowering.instructions import Argument, Instruction
from chainc.lowering.kernels import Copy, Fill, Kernel, Map
from chainc.lowering.lower import lower
from chainc.lowering.views import Buffer, Literal, Operand, Panels, View
from chainc.passes import pipeline
from chainc.schedules.by_kernel import schedule
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2
from chainc.schedules.program.preparation import prepare

X = TensorType((4, 16), float32)


def kernels_of(graph: ir.Graph, rows: int = 8) -> tuple[Kernel, ...]:
    """As they are scheduled."""
    for each in pipeline(False):
        graph = each.run(graph)
    program = prepare(lower(graph), AVX2, Capacity({"batch": rows}))
    return (*program.prologue, *program.body)


def deep(layers: int) -> ir.Graph:
    x = cr.input("x", ("batch", 16))
    pairs = ((cr.nn.Linear(16, 16), cr.nn.Tanh()) for _ in range(layers))
    model = cr.nn.Sequential(*(layer for pair in pairs for layer in pair))
    return cr.optim.SGD(lr=0.1).minimize(cr.mean(cr.square(model(x)))).graph


def check_that_equal_forms_have_equal_code(kernels: tuple[Kernel, ...], rows: int) -> None:
    """The oracle schedules and prints every kernel on its own."""
    known: dict[str, object] = {}
    for kernel in kernels:
        form = form_of(kernel)
        nest, buffers = schedule(kernel, Capacity({"batch": rows}), AVX2)
        printed = print_function(nest)
        places = tuple(map(form.buffers.index, buffers))
        found = printed, parts_of_lines(nest), nest.shared, places
        assert known.setdefault(form.text, found) == found, form.text


@settings(deadline=None, max_examples=60)
@given(case=cases())
def test_equal_forms_have_equal_code(case: Case) -> None:
    graph = bind_graph(case.graph, {"batch": 3, "time": 2})
    check_that_equal_forms_have_equal_code(kernels_of(graph), 1)


def test_equal_forms_have_equal_code_in_a_deep_network() -> None:
    check_that_equal_forms_have_equal_code(kernels_of(deep(6)), 8)


def test_a_deeper_network_has_no_more_forms() -> None:
    six, twelve = ({form_of(each).text for each in kernels_of(deep(n))} for n in (6, 12))
    assert six == twelve


def double(operand: Operand, out: Buffer, *, by: float = 2.0) -> Map:
    literal = Literal(by, TensorType((), float32))
    product = Instruction("multiply", (Argument(0, operand.type), literal), out.type)
    return Map(out, (operand,), (product,))


def doubled(x: Buffer, out: Buffer | None = None, *, by: float = 2.0) -> str:
    return form_of(double(View(x, x.type), out or Buffer("y", X), by=by)).text


def test_names_places_and_roles_within_the_arena_do_not_matter() -> None:
    plain = doubled(Buffer("x", X))
    assert plain == doubled(Buffer("other", X, "state", key="w"))
    assert plain == doubled(Buffer("x", X, "constant", data=bytes(256)))


@pytest.mark.parametrize(
    "other",
    [
        doubled(Buffer("x", X, "input")),  # arrays of the caller have no padding
        doubled(Buffer("x", X), Buffer("y", X, "output")),
        doubled(Buffer("x", X, panels=Panels(1, 8))),
        doubled(Buffer("x", TensorType((4, 15), float32))),
        doubled(Buffer("x", TensorType((4, 16), int32))),
        doubled(Buffer("x", X), by=3.0),
    ],
)
def test_what_decides_the_loops_is_told_apart(other: str) -> None:
    assert other != doubled(Buffer("x", X))


@pytest.mark.parametrize(("a", "b"), [(0.0, -0.0), (1, 1.0), (1, True), (float("inf"), 1e300)])
def test_numbers_that_python_calls_equal_are_told_apart(a: float, b: float) -> None:
    assert doubled(Buffer("x", X), by=a) != doubled(Buffer("x", X), by=b)
    out = Buffer("y", X)
    assert form_of(Fill(out, (), a)).text != form_of(Fill(out, (), b)).text


def test_a_kernel_in_place_is_told_apart() -> None:
    x = Buffer("x", X)
    assert form_of(double(View(x, X), x)).text != doubled(x)


def test_which_op_an_instruction_is_for_is_told_apart() -> None:
    """Lines of code name their parts by number."""
    a, b = (cr.input(name, (2,)) for name in "ab")
    x, y = Buffer("x", X), Buffer("y", X)
    first = Instruction("negative", (Argument(0, X),), X, node=a)
    one, two = (replace(first, node=node) for node in (a, b))
    texts = [form_of(Map(y, (View(x, X),), (first, each))).text for each in (one, two)]
    assert texts[0] != texts[1]


def test_the_buffers_are_those_of_the_kernel() -> None:
    x, y = Buffer("x", X), Buffer("y", X)
    assert form_of(Copy(y, (View(x, X),))).buffers == (y, x)
