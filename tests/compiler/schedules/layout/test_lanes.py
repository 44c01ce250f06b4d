"""Which axis of a buffer lies in panels: that of channels wherever windows slide over images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

import chainrule as cr
from chainc.ir import Graph, Node
from chainc.ir.leaves import Slot
from chainc.ir.types import coefficient_of
from chainc.lowering.grouping import group
from chainc.lowering.kernels import Contraction, Copy
from chainc.lowering.lower import lower
from chainc.lowering.program import Program
from chainc.lowering.views import Buffer
from chainc.ops import pick
from chainc.ops.families.indexing import IndexOf, Pick
from chainc.passes import pipeline
from chainc.schedules.layout.access import Capacity
from chainc.schedules.layout.machine import AVX2
from chainc.schedules.layout.panels import lay_out
from chainrule import losses, nn, optim

ROW_MAJOR = None
CHANNELS = 1
OUT = 0  # the axis of a kernel's outputs


def laid_out(*outputs: Node, updates: Mapping[Node, Node] | None = None) -> Program:
    graph = Graph(outputs, updates or {})
    for step in pipeline():
        graph = step.run(graph)
    return lay_out(group(lower(graph)), AVX2, Capacity({"batch": 4}))


def axes(program: Program) -> dict[str, set[int | None]]:
    """Of the buffers of each name, the axes in panels."""
    found: dict[str, set[int | None]] = {}
    for buffer in _buffers(program):
        panels = buffer.panels
        found.setdefault(buffer.name, set()).add(None if panels is None else panels.axis)
    return found


def _buffers(program: Program) -> list[Buffer]:
    outs = [out for kernel in program.body for out in kernel.outs]
    return [*program.inputs, *program.states, *outs]


def slot(node: Node, name: str) -> Node:
    """The parameter of that name that a node reads."""
    slots = Graph((node,)).leaves("state")
    return next(each for each in slots if isinstance(each.op, Slot) and each.op.label == name)


def image(channels: int = 16, side: int = 6) -> Node:
    return cr.input("x", ("batch", channels, side, side))


def convolved(x: Node, name: str, outputs: int, taps: int = 3, stride: int = 1) -> Node:
    w = cr.parameter(name, (outputs, coefficient_of(x.shape[1]), taps, taps), 0.1)
    border = taps // 2
    padded = cr.pad(x, ((0, 0), (0, 0), (border, border), (border, border)))
    windows = cr.window(padded, (taps, taps), (2, 3), stride=stride)
    return cr.einsum("bchwij,ocij->bohw", windows, w)


def test_images_and_their_cotangents_lie_in_panels_along_channels() -> None:
    y = convolved(cr.tanh(convolved(image(), "v", 24)), "w", 32)
    loss = cr.sum(y * y)
    w, v = slot(loss, "w"), slot(loss, "v")
    program = laid_out(cr.sum(cr.square(cr.grad(loss, w))), cr.sum(cr.square(cr.grad(loss, v))))
    for buffer in _buffers(program):
        shape = buffer.type.shape
        if buffer.role == "input":
            assert buffer.panels is None
        elif len(shape) == 4 and shape[0] in (24, 32) and not buffer.name.endswith("by_axis_1"):
            assert buffer.panels is not None, buffer.name
            assert buffer.panels.axis == OUT
        elif len(shape) == 4 and shape[1] in (16, 24, 32):
            assert buffer.panels is not None, buffer.name
            assert buffer.panels.axis == CHANNELS


def test_the_gradient_of_images_reads_a_copy_of_the_kernel() -> None:
    """Its vectors run along the channels that the forward contraction sums over."""
    y = convolved(cr.tanh(convolved(image(), "v", 24)), "w", 32)
    program = laid_out(cr.sum(cr.square(cr.grad(cr.sum(y * y), slot(y, "v")))))
    copies = [kernel for kernel in program.body if isinstance(kernel, Copy)]
    (copy,) = (kernel for kernel in copies if kernel.reads[0].buffer.key == "w")
    assert copy.reads[0].buffer.panels is not None
    assert copy.reads[0].buffer.panels.axis == OUT
    assert copy.out.panels is not None
    assert copy.out.panels.axis == CHANNELS


@pytest.mark.parametrize(
    ("what", "follows"),
    [
        (lambda y: cr.max(cr.window(y, (2, 2), (2, 3), stride=2), axis=(4, 5)), True),
        (lambda y: cr.sum(y, axis=(2, 3)), True),
        (lambda y: cr.pad(y, ((0, 0), (0, 0), (1, 1), (1, 1))) * 2.0, True),
        (lambda y: y[:, :, ::2, 1:] * 2.0, True),
        (lambda y: y - cr.mean(y, axis=(0, 2, 3), keepdims=True), True),
        (lambda y: cr.pad(y, ((0, 0), (1, 0), (0, 0), (0, 0))) * 2.0, False),
    ],
    ids=["pooling", "mean", "pad", "slice", "normalization", "channels padded"],
)
def test_what_is_computed_from_images_follows(what: object, follows: bool) -> None:
    assert callable(what)
    y = what(cr.tanh(convolved(image(), "w", 32)))
    last = convolved(y, "v", 8) if y.ndim == 4 else y
    program = laid_out(cr.sum(cr.square(last)))
    found = [b for kernel in program.body for b in kernel.outs if len(b.type.shape) >= 2]
    images = [b for b in found if b.type.shape[1] in (32, 33) and b.type.shape[0] != 1]
    assert all((b.panels is not None and b.panels.axis == CHANNELS) for b in images) is follows


def test_a_kernel_of_one_tap_does_as_its_neighbours() -> None:
    y = convolved(cr.tanh(convolved(image(), "w", 32)), "v", 24, taps=1)
    program = laid_out(cr.sum(cr.square(y)))
    found = {buffer.key: buffer.panels for buffer in program.states}
    assert [panels is not None and panels.axis for panels in found.values()] == [OUT, OUT]


@pytest.mark.parametrize("channels", [20, 24])
def test_images_of_a_known_number_hold_lanes_along_their_channels_too(channels: int) -> None:
    """However well the axes that a kernel of one tap has in common would fill vectors."""
    y = convolved(cr.parameter("x", (8, 16, 16, 16), 0.1), "w", channels, taps=1)
    roots = [kernel.root for kernel in laid_out(cr.sum(cr.exp(y), axis=0)).body]
    (result,) = (root.out for root in roots if isinstance(root, Contraction))
    assert result.panels is not None
    assert result.panels.axis == CHANNELS


def test_few_channels_stay_row_major() -> None:
    program = laid_out(cr.sum(cr.square(convolved(image(1) * 2.0, "w", 2))))
    assert all(buffer.panels is None for buffer in _buffers(program))


@pytest.mark.parametrize(
    ("rows", "columns", "axis"),
    [(48, 9, 0), (32, 9, 1), (48, 8, 1), (48, 16, 1), (9, 48, 1), (48, 20, 1)],
)
def test_weights_of_few_columns_have_their_lanes_along_the_rows(
    rows: int, columns: int, axis: int
) -> None:
    """Their gradient has less to do then; the way forward reads a copy."""
    w = cr.parameter("w", (rows, columns), 0.1)
    y = cr.input("x", ("batch", rows)) @ w
    loss = cr.sum(y * y)
    program = laid_out(updates={w: w - 0.1 * cr.grad(loss, w)})
    (slot,) = program.states
    assert slot.panels is not None
    assert slot.panels.axis == axis
    copies = [kernel.out for kernel in program.body if isinstance(kernel, Copy)]
    assert [copy.name for copy in copies] == ["w_by_axis_1"] * (axis == 0)


@pytest.mark.parametrize(("before", "axis"), [((), 1), ((5,), 0)])
def test_of_rows_that_are_many_for_each_of_a_batch_less_is_enough(
    before: tuple[int, ...], axis: int
) -> None:
    w = cr.parameter("w", (48, 20), 0.1)
    y = cr.input("x", ("batch", *before, 48)) @ w
    program = laid_out(updates={w: w - 0.1 * cr.grad(cr.sum(y * y), w)})
    (slot,) = program.states
    assert slot.panels is not None
    assert slot.panels.axis == axis


def test_a_training_of_such_weights_is_numpys_on_any_number_of_threads() -> None:
    x, y = cr.input("x", ("batch", 20)), cr.input("y", ("batch",), dtype="int32")
    logits = nn.MLP(20, 144, 18)(x)
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.cross_entropy(logits, y))
    generator = np.random.default_rng(0)
    data = {"x": generator.standard_normal((200, 20)), "y": generator.integers(0, 18, 200)}
    data = {"x": data["x"].astype(np.float32), "y": data["y"].astype(np.int32)}
    training = cr.training(step, epochs=2, batch_size=60)
    one, two, wanted = (
        cr.compile(training, **how).run(data, validation=data)
        for how in ({"threads": 1}, {"threads": 2}, {"target": "numpy"})
    )
    assert one.state == two.state
    assert one.history == two.history
    for name, values in wanted.state.items():
        found, expected = (np.asarray(each, np.float64) for each in (one.state[name], values))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(one.history["val_loss"], wanted.history["val_loss"], rtol=1e-5)


def test_masks_lie_as_what_they_mask() -> None:
    x = convolved(image(), "w", 32)
    y = convolved(cr.where(x > 0.5, x, 0.0 * x), "v", 8)
    program = laid_out(cr.sum(cr.square(cr.grad(cr.sum(y * y), slot(y, "w")))))
    masks = [b for b in _buffers(program) if b.type.dtype.name == "bool" and b.type.ndim == 4]
    assert all(mask.panels is not None and mask.panels.axis == CHANNELS for mask in masks)


def test_flattened_images_are_row_major_and_what_they_come_from_is_not() -> None:
    y = cr.tanh(convolved(image(), "w", 32))
    small = cr.max(cr.window(y, (2, 2), (2, 3), stride=2), axis=(4, 5))
    w = cr.parameter("v", (288, 10), 0.1)
    found = axes(laid_out(cr.reshape(small, (-1, 288)) @ w))
    assert found["max"] == {ROW_MAJOR}
    assert found["tanh"] == {CHANNELS}


def test_indices_lie_as_what_they_point_into() -> None:
    """The gradient of the largest of each window: of six of eight lanes, none is done alone."""
    y = cr.tanh(convolved(image(), "w", 6))
    windows = cr.window(y, (3, 6), (2, 3), stride=(3, 6))  # too large to go tap by tap
    windows = cr.reshape(windows, (-1, 6, 2, 1, 18))
    largest = pick(windows, cr.argmax(windows, -1))
    last = cr.sum(cr.square(convolved(largest, "v", 8)))
    outputs = (last, cr.grad(last, slot(last, "w")))
    program = laid_out(outputs[0], cr.sum(cr.square(outputs[1])))
    assert axes(program)["argmax"] == {CHANNELS}
    subjects = {type(kernel.root.subject) for kernel in program.body}
    assert IndexOf in subjects
    assert Pick not in subjects  # the maximum needs no index
    function, plain = (cr.compile(outputs, target=target) for target in ("llvm", "numpy"))
    x = np.random.default_rng(0).standard_normal((3, 16, 6, 6), np.float32)
    state = function.initial_state(0)
    both = (each.bind(state)(x=x) for each in (function, plain))
    for one, other in zip(*both, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_what_picks_single_elements_is_row_major() -> None:
    """Its index is no vector; what it picks from lies as its rows do."""
    y = cr.tanh(convolved(image(), "w", 32))
    windows = cr.reshape(cr.window(y, (2, 2), (2, 3), stride=2), (-1, 32, 3, 3, 4))
    picked = pick(windows, cr.argmin(windows, -1))
    outputs = (cr.sum(cr.square(convolved(picked, "v", 8))),)
    assert axes(laid_out(*outputs))["pick"] == {ROW_MAJOR}
    function, plain = (cr.compile(outputs, target=target) for target in ("llvm", "numpy"))
    x = np.random.default_rng(0).standard_normal((3, 16, 6, 6), np.float32)
    state = function.initial_state(0)
    found, expected = (each.bind(state)(x=x)[0] for each in (function, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_both_targets_agree_where_layouts_meet() -> None:
    y = cr.tanh(convolved(image(5), "w", 11))
    rows = cr.reshape(y, (-1, 11 * 36)) @ cr.parameter("v", (11 * 36, 7), 0.1)
    function, plain = (cr.compile(rows, target=target) for target in ("llvm", "numpy"))
    x = np.random.default_rng(0).standard_normal((3, 5, 6, 6), np.float32)
    state = function.initial_state(0)
    np.testing.assert_allclose(
        function.bind(state)(x=x), plain.bind(state)(x=x), rtol=1e-5, atol=1e-5
    )
