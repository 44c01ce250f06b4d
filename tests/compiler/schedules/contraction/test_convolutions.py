"""Convolutions in machine code: of many shapes, with their gradients, against loops over pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

import chainrule as cr
from chainc.ir import Node
from chainrule import losses, nn, optim

Floats = npt.NDArray[np.float64]

EPSILON = 2.0**-23


@dataclass(frozen=True)
class Case:
    """Sizes of a convolution; `groups` of channels that do not meet."""

    rows: int = 2
    channels: int = 8
    outputs: int = 16
    side: tuple[int, int] = (7, 9)
    taps: tuple[int, int] = (3, 3)
    stride: int = 1
    dilation: int = 1
    border: int = 1
    depthwise: bool = False

    @property
    def kernel(self) -> tuple[int, ...]:
        return (self.channels if self.depthwise else self.outputs, *self._inner, *self.taps)

    @property
    def _inner(self) -> tuple[int, ...]:
        return () if self.depthwise else (self.channels,)

    @property
    def padded(self) -> tuple[int, int]:
        height, width = self.side
        return height + 2 * self.border, width + 2 * self.border

    @property
    def positions(self) -> tuple[int, ...]:
        spans = [(taps - 1) * self.dilation + 1 for taps in self.taps]
        sizes = zip(self.padded, spans, strict=True)
        return tuple((size - span) // self.stride + 1 for size, span in sizes)

    def declared(self, x: Node, w: Node) -> Node:
        border = (self.border, self.border)
        padded = cr.pad(x, ((0, 0), (0, 0), border, border))
        windows = cr.window(padded, self.taps, (2, 3), self.stride, self.dilation)
        letters = "bchwij,cij->bchw" if self.depthwise else "bchwij,ocij->bohw"
        return cr.einsum(letters, windows, w)

    def computed(self, x: Floats, w: Floats, g: Floats) -> tuple[Floats, Floats, Floats]:
        """The result, and the gradients of its product with `g`: pixel by pixel."""
        border = (self.border, self.border)
        padded = np.pad(x, ((0, 0), (0, 0), border, border))
        y, d_padded, d_w = np.zeros(g.shape), np.zeros(padded.shape), np.zeros(w.shape)
        letters = "bcij,cij->bc" if self.depthwise else "bcij,ocij->bo"
        inputs, result = letters.split("->")
        image, kernel = inputs.split(",")
        for h in range(self.positions[0]):
            for v in range(self.positions[1]):
                part = (
                    slice(None),
                    slice(None),
                    *(self._reached(p, i) for i, p in enumerate((h, v))),
                )
                y[:, :, h, v] = np.einsum(letters, padded[part], w)
                d_padded[part] += np.einsum(f"{result},{kernel}->{image}", g[:, :, h, v], w)
                d_w += np.einsum(f"{image},{result}->{kernel}", padded[part], g[:, :, h, v])
        height, width = self.side
        inside = slice(self.border, self.border + height), slice(self.border, self.border + width)
        return y, d_padded[:, :, *inside], d_w

    def _reached(self, position: int, axis: int) -> slice:
        first = position * self.stride
        return slice(first, first + (self.taps[axis] - 1) * self.dilation + 1, self.dilation)


CASES = {
    "many channels": Case(channels=24, outputs=32),
    "one channel": Case(channels=1, outputs=6, side=(12, 12), taps=(5, 5), border=2),
    "three channels": Case(channels=3, outputs=16, side=(10, 8)),
    "five and eleven channels": Case(channels=5, outputs=11),
    "twenty channels": Case(channels=20, outputs=10, taps=(2, 3)),
    "no border": Case(channels=6, outputs=16, side=(9, 9), taps=(5, 5), border=0),
    "every other pixel": Case(channels=16, outputs=24, side=(8, 8), stride=2),
    "every other of odd many": Case(channels=9, outputs=8, side=(7, 9), stride=2),
    "every third pixel": Case(channels=8, outputs=8, side=(10, 11), stride=3, border=0),
    "further apart than taps": Case(channels=8, outputs=8, taps=(2, 2), stride=3, border=0),
    "dilated": Case(channels=8, outputs=16, dilation=2, border=2),
    "dilated and apart": Case(channels=8, outputs=16, dilation=2, stride=2),
    "one tap": Case(channels=16, outputs=40, taps=(1, 1), border=0),
    "one tap of every other pixel": Case(channels=16, outputs=8, taps=(1, 1), border=0, stride=2),
    "a border that windows do not reach beyond": Case(channels=16, side=(3, 4), border=4),
    "a small image of few channels": Case(channels=6, side=(14, 14), taps=(5, 5), border=0),
    "a small image, far apart": Case(channels=16, side=(5, 6), stride=2, dilation=2, border=3),
    "one column": Case(channels=8, outputs=8, taps=(3, 1)),
    "a single position": Case(channels=8, outputs=16, side=(3, 3), border=0),
    "one row": Case(rows=1, channels=12, outputs=13),
    "channels apart": Case(channels=19, depthwise=True),
    "channels apart, every other pixel": Case(channels=16, depthwise=True, stride=2),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_convolutions_and_their_gradients(case: Case) -> None:
    generator = np.random.default_rng(5)
    outputs = case.kernel[0]
    x = generator.standard_normal((case.rows, case.channels, *case.side), np.float32)
    w = generator.standard_normal(case.kernel, np.float32)
    g = generator.standard_normal((case.rows, outputs, *case.positions), np.float32)

    image = cr.input("x", ("batch", *x.shape[1:]))
    kernel = cr.parameter("w", case.kernel, 0.0)
    cotangent = cr.input("g", ("batch", *g.shape[1:]))
    hidden = image + 0.0
    y = case.declared(hidden, kernel)
    loss = cr.sum(y * cotangent)
    function = cr.compile((y, cr.grad(loss, hidden), cr.grad(loss, kernel)))
    results = function.bind(cr.State({"w": w}))(x=x, g=g)

    wide = case.computed(*(array.astype(np.float64) for array in (x, w, g)))
    sizes = case.computed(*(np.abs(array).astype(np.float64) for array in (x, w, g)))
    for found, expected, size in zip(results, wide, sizes, strict=True):
        assert found.shape == expected.shape
        assert np.all(np.abs(found - expected) <= 16 * EPSILON * size)


@pytest.mark.parametrize("axis", [2, 3])
def test_products_with_a_padding_are_left_out_of_small_images(axis: int) -> None:
    """Times infinity they would be no numbers."""
    kernel = np.ones((16, 16, 3, 3), np.float32)
    kernel[(slice(None),) * axis + (0,)] = np.inf
    x = cr.input("x", ("batch", 16, 6, 7))
    y = cr.compile(cr.conv2d(x + 0.0, cr.parameter("w", kernel.shape, 0.0), padding=1))
    found = y.bind(cr.State({"w": kernel}))(x=np.ones((2, 16, 6, 7), np.float32))
    first, others = np.split(found, [1], axis)
    assert np.isfinite(first).all()
    assert np.isposinf(others).all()


def test_an_image_as_large_as_a_padded_one_is_no_padded_one() -> None:
    """Kernels of one form are one function; these two are not."""
    generator = np.random.default_rng(6)
    small, large = (generator.standard_normal((2, 8, n, n), np.float32) for n in (4, 6))
    kernel = generator.standard_normal((8, 8, 3, 3), np.float32)
    x, y = (cr.input(f"x{n}", ("batch", 8, n, n)) for n in (4, 6))
    w = cr.parameter("w", kernel.shape, 0.0)
    together = cr.compile((cr.conv2d(x + 0.0, w, padding=1), cr.conv2d(y + 0.0, w)))
    alone = cr.compile(cr.conv2d(y + 0.0, w))
    state = cr.State({"w": kernel})
    assert np.array_equal(together.bind(state)(x4=small, x6=large)[1], alone.bind(state)(x6=large))


def test_a_chain_of_convolutions_between_which_nothing_changes_its_place() -> None:
    """With biases, masks, pooling and normalization in between, in both precisions."""
    for dtype, tolerance in (("float32", 2e-4), ("float64", 1e-10)):
        x = cr.input("x", ("batch", 3, 8, 8), dtype=dtype)
        y: Node = x
        for number, outputs in enumerate((16, 12)):
            before = y.shape[1]
            assert isinstance(before, int)
            w = cr.parameter(
                f"w{number}", (outputs, before, 3, 3), cr.init.normal(0.2), dtype=dtype
            )
            b = cr.parameter(f"b{number}", (outputs,), 0.1, dtype=dtype)
            y = Case().declared(y, w) + cr.reshape(b, (outputs, 1, 1))
            y = y - cr.mean(y, axis=(0, 2, 3), keepdims=True)
            y = cr.relu(cr.max(cr.window(y, (2, 2), (2, 3), stride=2), axis=(4, 5)))
        loss = cr.sum(y * y)
        graph = (loss, cr.grad(loss, x))
        native, plain = (cr.compile(graph, target=target) for target in ("llvm", "numpy"))
        state = native.initial_state(3)
        image = np.random.default_rng(1).standard_normal((4, 3, 8, 8)).astype(dtype)
        for found, expected in zip(
            native.bind(state)(x=image), plain.bind(state)(x=image), strict=True
        ):
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_bits_do_not_depend_on_threads() -> None:
    """Of a training whose last batch is smaller; channels fill vectors, or do not."""
    x = cr.input("x", ("batch", 1, 12, 12))
    y = cr.input("y", ("batch",), dtype="int32")
    layers = [nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(6, 16, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(64, 10)]
    loss = losses.cross_entropy(nn.Sequential(*layers)(x), y)
    training = cr.training(optim.SGD(lr=0.1, momentum=0.9).minimize(loss), epochs=2, batch_size=32)
    generator = np.random.default_rng(2)
    data = {
        x: generator.standard_normal((71, 1, 12, 12), np.float32),
        y: generator.integers(0, 10, 71).astype(np.int32),
    }
    one, two = (cr.compile(training, threads=count).run(data).state for count in (1, 2))
    for key, value in one.items():
        np.testing.assert_array_equal(value, two[key])
