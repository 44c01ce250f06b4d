"""Every picture of the README and of docs/, drawn by the program that they show.

python -m docs.make_pictures            writes docs/pictures/*.svg
python -m docs.make_pictures FOLDER     writes them elsewhere
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from docs import diagrams, native_diagrams

import chainrule as cr
from chainrule import losses, nn, optim

FOLDER = Path(__file__).parent / "pictures"


def gradient() -> str:
    """Logistic regression."""
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch", 1))
    model = nn.Linear(4, 1, name="linear")
    loss = losses.binary_cross_entropy(model(x), y)
    return cr.draw(loss, cr.grad(loss, model.weight)).svg()


def circuit() -> str:
    a, b, c = cr.input("a"), cr.input("b"), cr.input("c")
    f = (a + b) * c
    return cr.draw(f, cr.grad(f, [a, b, c]), values={a: -2.0, b: 5.0, c: -4.0}).svg()


def network() -> str:
    model, loss = diagrams.small_network()
    return cr.draw(loss, cr.grad(loss, model[0].weight), detail="layers").svg()


def second_order() -> str:
    x = cr.input("x")
    y = cr.sin(x)
    dy = cr.grad(y, x)
    return cr.Graph([y, dy, cr.grad(dy, x)], names=["y", "∂y", "∂²y"]).draw().svg()


def own_op() -> str:
    swish = cr.elementwise(lambda x: x / (1 + cr.exp(-x)), name="swish")
    y = swish(cr.input("x", ("batch", 3)))
    return cr.Graph([y], names=["y"]).draw().svg()


def types() -> str:
    x = cr.input("x", ("batch", "time", 4))
    weight, bias = cr.input("w", (4, 3)), cr.input("b", (3,))
    return cr.Graph([cr.mean(x @ weight + bias)], names=["mean"]).draw().svg()


def autodiff() -> str:
    x, b = cr.input("x", ("batch", 3)), cr.input("b", (3,))
    loss = cr.sum(cr.exp(x) * x + b)
    return cr.draw(loss, *cr.grad(loss, [x, b])).svg()


def before_and_after(name: str, graph: cr.Graph) -> str:
    """The graph that a pass gets, and the one that it leaves."""
    return cr.compile(graph).stage(name).draw_change().svg()


def canonicalize() -> str:
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch", 3))
    return before_and_after("canonicalize", cr.Graph([cr.maximum(2 * x + -y, 0)]))


def stabilize() -> str:
    x = cr.input("x", ("batch", 3))
    return before_and_after("stabilize", cr.Graph([cr.log(1 + cr.exp(x))]))


def lift() -> str:
    x, w, u = cr.input("x", (5, "batch", 3)), cr.input("w", (3, 4)), cr.input("u", (4, 4))
    zeros = cr.broadcast_to(cr.constant(0.0), ("batch", 4))
    last, _ = cr.scan(lambda h, x_t: (cr.tanh(x_t @ w + h @ u), None), carry=zeros, xs=x)
    assert isinstance(last, cr.Node)
    return before_and_after("lift", cr.Graph([last]))


def simplify() -> str:
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch", 3))
    return before_and_after("simplify", cr.Graph([cr.abs(-x) * (1 / y)]))


def fold() -> str:
    x = cr.input("x", ("batch", 3))
    kernel = cr.constant(np.array([[1.0, 2.0, 1.0]], np.float32))
    return before_and_after("fold", cr.Graph([x @ (kernel / cr.sum(kernel)).T]))


def cse() -> str:
    x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch", 3))
    return before_and_after("cse", cr.Graph([cr.exp(x * y) - y * cr.exp(y * x)]))


def dce() -> str:
    mean, x = cr.parameter("mean", (3,), "zeros", trainable=False), cr.input("x", ("batch", 3))
    return before_and_after("dce", cr.Graph([x * 2], {mean: mean * 1}))


def convolve() -> str:
    x, w = cr.input("x", ("batch", 2, 6)), cr.input("w", (3, 2, 3))
    y = cr.einsum("bcit,oct->boi", cr.window(x, 3, 2), w)
    return before_and_after("convolve", cr.Graph([cr.grad(cr.sum(y * y), x)]))


def reassociate() -> str:
    a, b = cr.input("a", ("n", 64)), cr.input("b", (64, 64))
    v = cr.input("v", (64,))
    return before_and_after("reassociate", cr.Graph([(a @ b) @ v]))


def reciprocals() -> str:
    return before_and_after("reciprocals", cr.Graph([cr.softmax(cr.input("x", ("batch", 3)))]))


def fuse() -> str:
    x = cr.input("x", ("batch", 4))
    layer = nn.Linear(4, 3, name="linear")
    return before_and_after("fuse", cr.Graph([cr.exp(cr.relu(layer(x))) / 2]))


def drawing() -> str:
    """A training step before fusion: every kind of vertex."""
    x, t = cr.input("x", ("batch", 2)), cr.input("t", ("batch", 1))
    model = nn.Linear(2, 1, bias=False, name="linear")
    step = optim.SGD(lr=0.1, momentum=0.9).minimize(losses.squared_error(model(x), t))
    stages = {stage.name: stage.graph for stage in cr.compile(step).stages}
    return stages["reciprocals"].draw(detail="ops").svg()


PICTURES = (
    # the README and the tour
    gradient,
    circuit,
    network,
    second_order,
    own_op,
    native_diagrams.plan,
    # the anatomy
    diagrams.house,
    types,
    diagrams.errors,
    diagrams.ir,
    diagrams.vocabularies,
    diagrams.op_families,
    autodiff,
    diagrams.text,
    diagrams.rewriting,
    canonicalize,
    stabilize,
    lift,
    simplify,
    fold,
    cse,
    dce,
    convolve,
    reassociate,
    reciprocals,
    fuse,
    diagrams.lowering,
    diagrams.memory_plan,
    diagrams.source,
    native_diagrams.native_code,
    native_diagrams.grouping,
    native_diagrams.panels,
    native_diagrams.loop_nest,
    native_diagrams.tiles,
    native_diagrams.llvm_text,
    diagrams.driver,
    drawing,
    diagrams.front_end,
)


def make(folder: Path) -> None:
    """Write every picture, under the name of its function."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        (folder / f"{picture.__name__}.svg").write_text(picture() + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
