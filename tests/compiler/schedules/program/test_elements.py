"""Kernels that read single elements of a tensor are one function, whichever they read."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainc.ir.movements import Slice
from chainc.ir.types import TensorType, float32
from chainc.lowering.kernels import Copy
from chainc.lowering.views import Buffer, View
from chainc.schedules.layout.access import Capacity
from chainc.schedules.program.elements import over_elements
from chainc.schedules.program.memory import Memory


def numbers(*shape: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(7).uniform(0.5, 2.0, shape)


def functions(count: int) -> int:
    """How many a likelihood of so many factors takes; its value is right."""
    x, scale = cr.input("x", (count,), dtype="float64"), cr.input("scale", (), dtype="float64")
    total = cr.log(x[0] / scale) * x[0]
    for i in range(1, count):
        total = total + cr.log(x[i] / scale) * x[i]
    function = cr.compile([total, cr.grad(total, scale)])
    given = numbers(count)
    value, gradient = function(x=given, scale=1.5)
    np.testing.assert_allclose(value, np.sum(np.log(given / 1.5) * given))
    np.testing.assert_allclose(gradient, -np.sum(given) / 1.5)
    return len(re.findall(r"^\w\S*\(.*\) -> ", function.loops, re.MULTILINE))


def test_a_likelihood_takes_as_many_functions_for_any_number_of_factors() -> None:
    assert functions(12) == functions(18)


def test_elements_of_all_kinds_of_buffers() -> None:
    x = cr.input("x", (3, 4), dtype="float64")
    w = cr.parameter("w", (6,), 0.0, dtype="float64")
    small, large = numbers(5), numbers(30, 40)
    computed = cr.tanh(x @ cr.permute_dims(x, (1, 0)))
    outputs = []
    for i in range(3):
        ratio = cr.constant(large)[i, 7 * i] / computed[i, 1]
        outputs.append(x[i, i + 1] * w[2 * i] - cr.constant(small)[i] * ratio)
    given, weights = numbers(3, 4), numbers(6) + 1
    found = cr.compile(outputs).bind(cr.State({"w": weights}))(x=given)
    expected = np.tanh(given @ given.T)[:, 1]
    for i, value in enumerate(found):
        wanted = given[i, i + 1] * weights[2 * i] - small[i] * large[i, 7 * i] / expected[i]
        np.testing.assert_allclose(value, wanted)


def copied(shape: tuple[int, ...]) -> Copy:
    """A part of that shape of a matrix, copied."""
    buffer = Buffer("x", TensorType((4, 5), float32), "input", "x")
    part = Slice(shape, (1, 2), (1 + shape[0], 2 + shape[1]), (1, 1))
    view = View(buffer, TensorType(shape, float32), (part,))
    return Copy(Buffer("out", view.type), (view,))


def test_an_element_lies_as_far_in_as_it_stands() -> None:
    memory, kernel = Memory(Capacity({})), copied((1, 1))
    changed = over_elements(kernel, memory)
    (view,) = changed.reads
    assert view.whole
    assert memory.base(view.buffer) == (kernel.reads[0].buffer, 4 * (5 + 2))
    again = over_elements(copied((1, 1)), memory)
    assert again.reads[0].buffer is not view.buffer  # of another matrix
    assert over_elements(kernel, memory).reads[0].buffer is view.buffer


def test_parts_of_several_elements_stay_views() -> None:
    kernel = copied((1, 2))
    assert over_elements(kernel, Memory(Capacity({}))) is kernel
