"""What is compiled to see how long that takes: networks, and graphs of other kinds.

Chainrule and NumPy are imported when a case is declared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import chainrule as cr

PHASES = ("imports", "declare", "gradient", "passes", "lowering", "schedules", "text",
          "LLVM: read", "LLVM: passes", "LLVM: emit", "link", "first values", "rest")  # fmt: skip

Declared = tuple[Callable[[], object], Callable[[object], object]]


@dataclass(frozen=True)
class Case:
    """`declare` gives what compiles, and what makes the first step of it."""

    meaning: str
    declare: Callable[[], Declared]


def _numbers(*shape: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _trained(
    loss: cr.Node, data: Mapping[str, npt.NDArray[np.generic]], *, momentum: float = 0.0
) -> Declared:
    import chainrule as cr

    batch = len(next(iter(data.values())))
    step = cr.optim.SGD(lr=0.1, momentum=momentum).minimize(loss)
    training = cr.training(step, epochs=1, batch_size=batch)

    def run(program: object) -> object:
        assert isinstance(program, cr.TrainingProgram)
        return program.run(data, progress=False)

    return lambda: cr.compile(training), run


def _called(nodes: list[cr.Node], data: Mapping[str, object]) -> Declared:
    import chainrule as cr

    def run(function: object) -> object:
        assert isinstance(function, cr.Function)
        return function(data)

    return lambda: cr.compile(nodes), run


def _network(*sizes: int, batch: int, momentum: float = 0.0) -> Callable[[], Declared]:
    def declare() -> Declared:
        import chainrule as cr
        from chainrule import losses, nn

        x = cr.input("x", ("batch", sizes[0]))
        y = cr.input("y", ("batch",), dtype="int32")
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        loss = losses.cross_entropy(nn.Sequential(*layers[:-1])(x), y)
        data = {"x": _numbers(batch, sizes[0]), "y": np.arange(batch, dtype=np.int32) % sizes[-1]}
        return _trained(loss, data, momentum=momentum)

    return declare


def _elementwise() -> Declared:
    import chainrule as cr

    x = y = cr.input("x", ("batch", 64))
    for _ in range(125):  # eight nodes each
        y = cr.tanh(cr.sin(y)) * y + 0.5
        y = cr.exp(y / (1 + y * y))
    loss = cr.sum(y)
    return _called([loss, cr.grad(loss, x)], {"x": _numbers(32, 64)})


def _likelihood() -> Declared:
    import chainrule as cr

    x = cr.input("x", (300,), dtype="float64")
    mean, scale = (cr.input(name, (), dtype="float64") for name in ("mean", "scale"))
    factors = [-0.5 * ((x[i] - mean) / scale) ** 2 - cr.log(scale) for i in range(300)]
    total = factors[0]
    for factor in factors[1:]:
        total = total + factor
    data = {"x": _numbers(300).astype(np.float64), "mean": 0.1, "scale": 1.5}
    return _called([total, *cr.grad(total, [mean, scale])], data)


def _constant() -> Declared:
    import chainrule as cr

    x = cr.input("x", ("batch", 1024))
    return _called([x @ cr.constant(_numbers(1024, 1024))], {"x": _numbers(8, 1024)})


def _transformer() -> Declared:
    """A block over 64 positions of 64 features, with four heads."""
    import chainrule as cr

    batch, time, size, heads = "batch", 64, 64, 4
    x, wanted = (cr.input(name, (batch, time, size)) for name in ("x", "wanted"))

    def weight(name: str, *shape: int) -> cr.Node:
        return cr.parameter(name, shape, "xavier_normal" if len(shape) > 1 else "zeros")

    def normed(v: cr.Node, name: str) -> cr.Node:
        centred = v - cr.mean(v, axis=-1, keepdims=True)
        spread = cr.sqrt(cr.mean(cr.square(centred), axis=-1, keepdims=True) + 1e-5)
        return centred / spread * (1 + weight(f"{name}_gain", size)) + weight(f"{name}_bias", size)

    def by_head(v: cr.Node, name: str) -> cr.Node:
        split = cr.reshape(v @ weight(name, size, size), (batch, time, heads, size // heads))
        return cr.permute_dims(split, (0, 2, 1, 3))

    h = normed(x, "first")
    q, k, v = (by_head(h, name) for name in "qkv")
    scores = q @ cr.permute_dims(k, (0, 1, 3, 2)) / (size // heads) ** 0.5
    mixed = cr.permute_dims(cr.softmax(scores, axis=-1) @ v, (0, 2, 1, 3))
    y = x + cr.reshape(mixed, (batch, time, size)) @ weight("out", size, size)
    wide = normed(y, "second") @ weight("up", size, 4 * size) + weight("up_bias", 4 * size)
    y = y + cr.relu(wide) @ weight("down", 4 * size, size) + weight("down_bias", size)
    data = {name: _numbers(8, time, size) for name in ("x", "wanted")}
    return _trained(cr.mean(cr.square(y - wanted)), data)


def _characters(length: int) -> Callable[[], Declared]:
    """An LSTM of 128 units over so many of 65 characters."""

    def declare() -> Declared:
        import chainrule as cr

        training = characters_training(length)
        data = {key: np.zeros((32, length), np.int32) for key in "xy"}

        def run(program: object) -> object:
            assert isinstance(program, cr.TrainingProgram)
            return program.run(data, progress=False)

        return lambda: cr.compile(training), run

    return declare


def characters_training(length: int) -> cr.Training:
    import chainrule as cr
    from chainrule import losses, nn, optim

    x, y = (cr.input(key, ("batch", length), dtype="int32") for key in "xy")
    model = nn.Sequential(nn.Embedding(65, 64), nn.LSTM(64, 128), nn.Linear(128, 65))
    optimizer = optim.Adam(lr=0.002, clip=optim.clip.by_global_norm(5.0))
    step = optimizer.minimize(losses.cross_entropy(model(x), y))
    return cr.training(step, epochs=1, batch_size=32)


CASES = {
    "digits": Case("64-32-10, SGD with momentum", _network(64, 32, 10, batch=32, momentum=0.9)),
    "mnist": Case("784-256-128-10, SGD", _network(784, 256, 128, 10, batch=64)),
    "20 layers": Case("of 64 units", _network(*[64] * 20, 10, batch=32)),
    "100 layers": Case("of 64 units", _network(*[64] * 100, 10, batch=32)),
    "elementwise": Case("1,000 nodes and their gradient", _elementwise),
    "likelihood": Case("300 scalar factors and their gradient", _likelihood),
    "constant": Case("a product with 4 MB of constants", _constant),
    "transformer": Case("a training step of one block", _transformer),
    "lstm of 8": Case("8 characters of 65 in a row, 128 units", _characters(8)),
    "lstm of 512": Case("the same with 512", _characters(512)),
}
