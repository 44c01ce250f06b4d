"""The weights of a convolution lie in the order in which the loops over its taps read them."""

from __future__ import annotations

import numpy as np
import pytest
from tests.compiler.schedules.layout.test_lanes import convolved, image, laid_out, slot

import chainrule as cr
from chainc.ir import Node
from chainc.lowering.kernels import Copy
from chainc.lowering.program import Program
from chainc.lowering.views import Panels

TAPS_FIRST = (2, 3, 1)


def panels_of(program: Program, key: str) -> Panels:
    (found,) = (buffer.panels for buffer in program.states if buffer.key == key)
    assert found is not None
    return found


def test_taps_come_first_and_channels_lie_beside_each_other() -> None:
    program = laid_out(cr.sum(cr.square(convolved(image(), "w", 32))))
    assert panels_of(program, "w") == Panels(0, 8, 0, TAPS_FIRST)


def test_a_copy_for_the_gradient_of_images_has_taps_first_too() -> None:
    y = convolved(cr.tanh(convolved(image(), "v", 24)), "w", 32)
    program = laid_out(cr.sum(cr.square(cr.grad(cr.sum(y * y), slot(y, "v")))))
    copies = [kernel for kernel in program.body if isinstance(kernel, Copy)]
    (copy,) = (kernel for kernel in copies if kernel.reads[0].buffer.key == "w")
    assert copy.out.panels == Panels(1, 8, 0, (2, 3, 0))


@pytest.mark.parametrize(("regrouped", "order"), [(False, TAPS_FIRST), (True, ())])
def test_what_is_read_with_axes_made_one_keeps_their_order(
    regrouped: bool, order: tuple[int, ...]
) -> None:
    y = convolved(image(), "w", 32)
    w = slot(y, "w")
    table = cr.input("table", (16 * 9, 8))
    other: Node = cr.reshape(w, (32, 16 * 9)) @ table if regrouped else w * 2.0
    program = laid_out(cr.sum(cr.square(y)), other)
    assert panels_of(program, "w").order == order


def test_weights_go_in_and_out_as_they_are_declared() -> None:
    before = np.random.default_rng(0).standard_normal((16, 8, 3, 3)).astype(np.float32)
    x, w = cr.input("x", ("batch", 8, 6, 6)), cr.parameter("w", before.shape, before)
    function = cr.compile(cr.Graph([cr.sum(cr.conv2d(x, w, padding=1))], {w: w + 1.0}))
    bound = function.bind(function.initial_state(seed=0))
    bound(x=np.ones((2, 8, 6, 6), np.float32))
    np.testing.assert_array_equal(bound.state["w"], before + 1.0)
