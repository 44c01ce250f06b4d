"""Programs of all kinds, drawn by a number: networks and what trains them, functions, products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

import chainrule as cr
from chainc.ir import Node
from chainrule import losses, nn, optim

T = TypeVar("T")
Drawn = cr.Training | list[Node]
Unary = Callable[[Node], Node]
Binary = Callable[[Node, Node], Node]

KINDS = ("network", "images", "sequences", "expression", "reduction", "product")
SIZES = (1, 2, 3, 5, 7, 8, 10, 15, 16, 17, 23, 32, 33, 48, 64, 65, 100, 128, 256)
BATCHES = (1, 2, 3, 4, 7, 8, 16, 31, 32, 64, 100, 128, 256, 512)
MOST_ELEMENTS = 1 << 18
MOST_IMAGES = 64
RATE = 0.01

ACTIVATIONS: Sequence[Callable[[], nn.Module]] = (
    nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Softplus,
)  # fmt: skip
OPTIMIZERS: Sequence[Callable[[], optim.Optimizer]] = (
    lambda: optim.SGD(RATE),
    lambda: optim.SGD(RATE, momentum=0.9),
    lambda: optim.SGD(RATE, momentum=0.9, nesterov=True),
    lambda: optim.Adam(RATE),
    lambda: optim.AdamW(RATE),
    lambda: optim.RMSProp(RATE),
    lambda: optim.NAdam(RATE),
    lambda: optim.AdaGrad(RATE),
    lambda: optim.AdaDelta(RATE),
    lambda: optim.Lion(RATE),
    lambda: optim.Adam(RATE, clip=optim.clip.by_global_norm(1.0)),
)
CLASS_LOSSES: Sequence[Binary] = (
    losses.cross_entropy,
    lambda z, y: losses.cross_entropy(z, y, label_smoothing=0.1),
    losses.focal,
)
LOSSES: Sequence[Binary] = (
    losses.squared_error, losses.huber, losses.absolute_error, losses.binary_cross_entropy,
    losses.binary_focal,
)  # fmt: skip
UNARY: Sequence[Unary] = (
    cr.tanh, cr.exp, cr.sigmoid, cr.gelu, cr.silu, cr.relu, cr.erf, cr.softplus, cr.abs, cr.square,
    cr.sin, cr.cos, cr.elu, cr.expm1,
    lambda x: cr.log(x * x + 1.0),
    lambda x: cr.sqrt(x * x + 0.5),
    lambda x: cr.log1p(cr.abs(x)),
    lambda x: cr.pow(cr.abs(x) + 0.1, 1.7),
)  # fmt: skip
BINARY: Sequence[Binary] = (
    cr.add, cr.subtract, cr.multiply, cr.maximum, cr.minimum,
    lambda a, b: a / (b * b + 1.0),
    lambda a, b: cr.floor(a) + a * b,
    lambda a, b: cr.where(a > b, a, b * 0.5),
    lambda a, b: cr.where(cr.abs(a) < cr.abs(b), cr.tanh(a), b),
)  # fmt: skip
FOLDS: Sequence[Callable[..., Node]] = (
    cr.sum, cr.mean, cr.max, cr.min, cr.prod, cr.var, cr.std, cr.logsumexp,
)  # fmt: skip
ALONG: Sequence[Callable[..., Node]] = (
    cr.softmax, cr.log_softmax, cr.argmax, cr.cumsum, cr.sort, cr.flip,
    lambda x, axis: x - cr.mean(x, axis=axis, keepdims=True),
)  # fmt: skip


def drawn(number: int) -> Drawn:
    """The program of a number; six that follow each other are one of each kind."""
    draw = Draw(np.random.default_rng(number))
    kind = KINDS[number % len(KINDS)]
    if kind in KINDS[:3]:
        return draw.training(kind)
    functions = {
        "expression": draw.expression, "reduction": draw.reduction, "product": draw.product,
    }  # fmt: skip
    return functions[kind]()


@dataclass(frozen=True)
class Draw:
    random: np.random.Generator

    def pick(self, choices: Sequence[T]) -> T:
        return choices[int(self.random.integers(len(choices)))]

    def between(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def once_in(self, count: int) -> bool:
        return int(self.random.integers(count)) == 0

    def dtype(self) -> str:
        return "float64" if self.once_in(4) else "float32"

    def shape(self, most: int) -> tuple[int, ...]:
        shape = tuple(self.pick(SIZES) for _ in range(self.between(1, most)))
        while math.prod(shape) > MOST_ELEMENTS:
            shape = shape[:-1]
        return shape

    # trainings

    def training(self, kind: str) -> cr.Training:
        makers = {"network": self._vectors, "images": self._images, "sequences": self._sequences}
        shape, layers, width = makers[kind]()
        batch_size = self.pick(BATCHES)
        if kind == "images":
            batch_size = min(batch_size, MOST_IMAGES)
        classes = self.between(2, 33)
        x = cr.input("x", ("batch", *shape))
        scores = nn.Sequential(*layers, nn.Linear(width, classes))(x)
        if kind == "sequences" and self.once_in(2):
            scores = cr.mean(scores, axis=1)
        if self.once_in(2):
            y = cr.input("y", ("batch", *scores.shape[1:-1]), dtype="int32")
            loss = self.pick(CLASS_LOSSES)(scores, y)
        else:
            y = cr.input("y", ("batch", *scores.shape[1:]))
            loss = self.pick(LOSSES)(scores, y)
        step = self.pick(OPTIMIZERS)().minimize(loss)
        return cr.training(step, epochs=1, batch_size=batch_size)

    def _vectors(self) -> tuple[tuple[int, ...], list[nn.Module], int]:
        first = width = self.pick(SIZES)
        layers: list[nn.Module] = []
        for _ in range(self.between(1, 4)):
            kind = self.between(0, 8)
            if kind < 5:
                layers.append(nn.Linear(width, to := self.pick(SIZES), bias=not self.once_in(4)))
                layers.append(self.pick(ACTIVATIONS)())
                layers += [nn.Dropout(0.3)] if self.once_in(3) else []
                width = to
            elif kind == 5:
                inside = nn.Sequential(nn.Linear(width, width), self.pick(ACTIVATIONS)())
                layers.append(nn.Residual(inside))
            else:
                layers.append(self.pick((nn.BatchNorm1d, nn.LayerNorm, nn.RMSNorm))(width))
        return (first,), layers, width

    def _images(self) -> tuple[tuple[int, ...], list[nn.Module], int]:
        channels, high, wide = self.pick((1, 3, 4, 6)), self.between(6, 16), self.between(6, 16)
        shape, layers = (channels, high, wide), list[nn.Module]()
        for _ in range(self.between(1, 3)):
            kind = self.between(0, 5)
            if kind < 4:
                size = self.between(1, min(5, high, wide))
                stride, padding = self.between(1, 2), self.between(0, size // 2)
                groups = channels if self.once_in(4) else 1
                to = channels * self.between(1, 2) if groups > 1 else self.between(1, 32)
                layers.append(
                    nn.Conv2d(channels, to, size, stride=stride, padding=padding, groups=groups)
                )
                channels = to
                high, wide = ((n + 2 * padding - size) // stride + 1 for n in (high, wide))
                layers += [nn.BatchNorm2d(channels)] if self.once_in(2) else []
                layers.append(self.pick(ACTIVATIONS)())
                layers += [nn.Dropout2d(0.2)] if self.once_in(4) else []
            elif kind == 4 and min(high, wide) > 1:
                layers.append(self.pick((nn.MaxPool2d, nn.AvgPool2d))(2))
                high, wide = high // 2, wide // 2
            else:
                layers.append(nn.GroupNorm(1 if channels % 2 else 2, channels))
        if self.once_in(2):
            return shape, [*layers, nn.GlobalAvgPool2d()], channels
        return shape, [*layers, nn.Flatten()], channels * high * wide

    def _sequences(self) -> tuple[tuple[int, ...], list[nn.Module], int]:
        steps, first = self.between(2, 20), self.pick(SIZES)
        layers, width = list[nn.Module](), first
        for _ in range(self.between(1, 2)):
            kind = self.between(0, 4)
            if kind < 3:
                to = min(self.pick(SIZES), 128)
                layers.append((nn.RNN, nn.LSTM, nn.GRU)[kind](width, to))
            elif kind == 3:
                heads = self.between(1, 4)
                to = heads * self.pick((4, 8, 13, 16, 32))
                attention = nn.MultiHeadAttention(to, heads, causal=self.once_in(2), dropout=0.1)
                layers += [nn.Linear(width, to), nn.Residual(attention), nn.LayerNorm(to)]
            else:
                to = self.pick(SIZES)
                layers += [nn.Linear(width, to), self.pick(ACTIVATIONS)(), nn.Dropout(0.2)]
            width = to
        return (steps, first), layers, width

    # functions

    def expression(self) -> list[Node]:
        """Of up to twelve operands, some of which are repeated along axes, or drawn."""
        dtype, shape, count = self.dtype(), self.shape(3), self.between(1, 12)
        pool = [cr.input("x0", shape, dtype=dtype)]
        for number in range(1, count):
            lines = tuple(1 if self.once_in(2) else n for n in shape)
            form = self.pick((lines, shape[self.between(0, len(shape)) :], shape, shape))
            pool.append(cr.input(f"x{number}", form, dtype=dtype))
        for _ in range(self.between(count, 2 * count + 3)):
            kind = self.between(0, 5)
            if kind < 2:
                pool.append(self.pick(UNARY)(self.pick(pool)))
            elif kind < 5:
                pool.append(self.pick(BINARY)(self.pick(pool), self.pick(pool)))
            else:
                pool.append(self._random(self.pick(pool), shape, dtype))
        last = cr.broadcast_to(sum(pool[-3:], start=pool[0]), shape)
        more = self.between(0, 4)
        if more == 0:
            return [self.pick(FOLDS)(last, axis=self.between(0, len(shape) - 1))]
        if more == 1:
            return [last, cr.grad(cr.sum(last), pool[0])]
        return [last, *pool[-2:]] if more == 2 else [last]

    def _random(self, x: Node, shape: tuple[int, ...], dtype: str) -> Node:
        kind = self.between(0, 3)
        if kind == 0:
            return cr.where(cr.uniform(shape, dtype=dtype) < 0.3, x, x * 0.5)
        if kind == 1:
            return x + cr.normal(shape, dtype=dtype)
        if kind == 2:
            return cr.where(cr.bernoulli(shape, 0.4), cr.tanh(x), x)
        return x * cr.uniform(shape, dtype=dtype)

    def reduction(self) -> list[Node]:
        """Along any axes of a tensor, and along one."""
        shape = self.shape(4)
        x = cr.input("x", shape, dtype=self.dtype())
        axes = tuple(axis for axis in range(len(shape)) if self.once_in(2)) or (0,)
        before = self.pick(UNARY)
        folded = self.pick(FOLDS)(before(x), axis=axes, keepdims=self.once_in(2))
        return [folded, self.pick(ALONG)(x, axis=self.between(0, len(shape) - 1))]

    def product(self) -> list[Node]:
        """Of matrices that may be turned, what follows it, and its derivatives."""
        dtype, rows, depth, columns = self.dtype(), self.pick(BATCHES), *self._two_sizes()
        a, b = self._matrix("a", rows, depth, dtype), self._matrix("b", depth, columns, dtype)
        z = a @ b
        if self.once_in(2):
            z = z + cr.input("c", (columns,), dtype=dtype)
        for _ in range(self.between(0, 3)):
            z = self.pick(UNARY)(z)
        if self.once_in(3):
            z = self.pick(BINARY)(z, cr.input("d", (rows, columns), dtype=dtype))
        if self.once_in(4):
            z = cr.where(cr.bernoulli((rows, columns), 0.7), z, z * 0.0)
        found = [z, cr.sum(z, axis=self.between(0, 1))] if self.once_in(4) else [z]
        return [*found, *cr.grad(cr.sum(z * z), [a, b])] if self.once_in(3) else found

    def _two_sizes(self) -> tuple[int, int]:
        return self.pick(SIZES), self.pick(SIZES)

    def _matrix(self, name: str, rows: int, columns: int, dtype: str) -> Node:
        if self.once_in(3):
            return cr.matrix_transpose(cr.input(name, (columns, rows), dtype=dtype))
        return cr.input(name, (rows, columns), dtype=dtype)
