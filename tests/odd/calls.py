"""How a call is written in the tables: a public name, and arguments with which it works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, reduce
from types import SimpleNamespace
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import losses, nn, optim
from chainrule.datasets.dataset import Dataset, Split

Arguments = dict[str, Any]
LAYER: Arguments = {"name": "l", "dtype": "float32"}

x = cr.input("x", ("batch", 4))
y = cr.input("y", ("batch",), dtype="int32")
a = cr.input("a", (2, 3, 4))
sequences = cr.input("sequences", ("batch", 4, 8))
images = cr.input("images", ("batch", 4, 8, 8))
volumes = cr.input("volumes", ("batch", 4, 4, 4, 4))
steps = cr.input("steps", ("batch", 5, 4))
tokens = cr.input("tokens", ("batch", 5), dtype="int32")
v = cr.input("v", (4,))
rows = cr.input("rows", ("batch", 9))
labels = cr.input("labels", ("batch",), dtype="int32")
seen = nn.MLP(9, 4, 3, name="seen")
n = cr.input("n", (3,), dtype="int32")
s = cr.input("s")
w = cr.parameter("w", (4, 3), 0.5)
flags = a > 0.0
logits = x @ w
loss = losses.cross_entropy(logits, y)
square = s * s + 3.0 * s
step = optim.SGD(lr=0.1).minimize(loss)
inputs: Mapping[str, Any] = {"x": np.ones((8, 4), np.float32)}
data: Mapping[str, Any] = {**inputs, "y": np.zeros(8, np.int32)}

SEQUENCES = ("RNN", "LSTM", "GRU", "Reservoir", "LearnedPositions", "SinusoidalPositions",
             "RotaryPositions", "MultiHeadAttention", "TransformerBlock")  # fmt: skip


@dataclass(frozen=True)
class Made:
    """Something of `things()`, which takes a while to make: by name, or several in a list."""

    name: str
    times: int = 0

    def value(self) -> Any:
        found = things()[self.name]
        return [found] * self.times if self.times else found


@cache
def things() -> Mapping[str, Any]:
    """What the tables call by name: modules, and objects whose methods are called."""
    training = cr.training(step, epochs=1, batch_size=4)
    program = cr.compile(training, target="numpy")
    state = program.initial_state()
    result = program.run(data, state=state)
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1), name="model")
    classifier = nn.Sequential(nn.Linear(4, 3), name="classifier")
    seeing = nn.Sequential(nn.Conv2d(4, 2, 3), nn.Flatten(), nn.Linear(72, 3), name="seeing")
    public = ("losses", "metrics", "init", "regularize", "schedules")
    averaged = optim.SGD(lr=0.1, average=optim.averages.ema()).minimize(loss)
    modules = {name: getattr(cr, name) for name in public}
    rows = Split(np.ones((8, 4), np.float32), (np.arange(8) % 3).astype(np.int32))
    return {
        "cr": cr, "augment": cr.augment, "zoo": cr.zoo, "nn": nn, "optim": optim, "plots": cr.plots,
        "datasets": cr.datasets, "text": cr.text, "learning": cr.learning, "acting": cr.acting,
        "forward_forward": cr.learning.ForwardForward(),
        "writer": nn.Sequential(nn.Embedding(9, 4), nn.RNN(4, 9), name="writer"),
        "labelled": Dataset(rows, rows, "rows", ("a", "b", "c"), "none"),
        "corpus": cr.text.Characters.of("to be or not"),
        "pairs": cr.text.BytePairs(((116, 111), (32, 256))), "lenet": cr.zoo.lenet5(), **modules,
        "training": training, "program": program, "state": state, "result": result,
        "predict": cr.compile(logits, target="numpy").bind(state), "model": model,
        "one_step": cr.compile(step, target="numpy"), "graph": cr.Graph([loss]),
        "model_state": cr.compile(model(x), target="numpy").initial_state(),
        "seeing": seeing, "kernels": seeing.layers[0].parameters()[0],
        "seeing_state": cr.compile(seeing(images), target="numpy").initial_state(),
        "derivation": cr.derive(square, s, exercise=True), "drawing": cr.draw(square),
        "plot": cr.plots.history(result), "history": result.history,
        "provenance": program.provenance(), "stage": program.stages[1],
        "layers": layers(), "svg": program.profile(data, steps=1).draw(),
        "optimizer": optim.SGD(lr=0.1), "cross": cr.datasets.xor().train, "runs": {"a": result},
        "replay": program.replay(data, step=0), "lowered": program._compiled,
        "classifier": classifier, "trainer": fitted(classifier),
        "other_trainer": fitted(classifier),
        "curve": {0.1: {"loss": [1.0], "val_loss": [1.0]}},
        "schedule": cr.schedules.constant(0.1), "averaged_step": averaged,
        "averages": cr.compile(averaged, target="numpy").initial_state(),
        "lowered_function": cr.compile(logits, target="numpy")._compiled,
    }  # fmt: skip


def layers() -> SimpleNamespace:
    """One of each kind, to be called."""
    made = (
        nn.Linear(4, 3), nn.BatchNorm1d(4), nn.LayerNorm(4), nn.RMSNorm(4), nn.Dropout(0.5),
        nn.Embedding(4, 3),
        nn.RNN(4, 3), nn.LSTM(4, 3), nn.GRU(4, 3), nn.Reservoir(4, 3), nn.LearnedPositions(6, 4),
        nn.SinusoidalPositions(4), nn.RotaryPositions(4), nn.MultiHeadAttention(4, 2),
        nn.TransformerBlock(4, 2), nn.Transformer(4, 4, 2, 1, 6),
        nn.ReLU(), nn.ELU(), nn.GELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus(), nn.Tanh(),
        nn.LeakyReLU(), nn.Softmax(), nn.LogSoftmax(), nn.PReLU(), nn.Maxout(4, 3), nn.Flatten(),
        nn.Lambda(cr.exp), nn.Reshape(2, 2), nn.Residual(nn.Tanh()), nn.Concat(nn.Tanh()),
        nn.MLP(4, 3), nn.Sequential(nn.Tanh()), nn.Conv1d(4, 3, 3), nn.Conv2d(4, 3, 3),
        nn.Conv3d(4, 3, 3), nn.MaxPool1d(2), nn.MaxPool2d(2), nn.MaxPool3d(2), nn.AvgPool1d(2),
        nn.AvgPool2d(2), nn.AvgPool3d(2), nn.BatchNorm2d(4), nn.BatchNorm3d(4),
        nn.ConvTranspose1d(4, 3, 3), nn.ConvTranspose2d(4, 3, 3), nn.ConvTranspose3d(4, 3, 3),
        nn.AdaptiveAvgPool2d(2), nn.GlobalAvgPool2d(), nn.Upsample(2), nn.GroupNorm(2, 4),
        nn.Dropout2d(0.5),
    )  # fmt: skip
    return SimpleNamespace(**{type(layer).__name__: layer for layer in made})


def called(path: str) -> Any:
    """The function of a row: what stands behind a colon tells rows of one function apart."""
    first, *names = path.partition(":")[0].split(".")
    return reduce(getattr, names, things()[first])


def call(path: str, arguments: Mapping[str, object]) -> object:
    """One call; arguments whose names begin with `_` are given by position."""
    given = {k: v.value() if isinstance(v, Made) else v for k, v in arguments.items()}
    by_position = [value for name, value in given.items() if name.startswith("_")]
    by_name = {name: value for name, value in given.items() if not name.startswith("_")}
    result = called(path)(*by_position, **by_name)
    if isinstance(result, nn.Module):  # what a layer is given is used when it is called
        return result(given_to(result))
    if isinstance(result, optim.Optimizer):
        return result.minimize(loss)
    if isinstance(result, cr.Trainer):
        return result.fit(np.ones((8, 4), np.float32), np.arange(8) % 3, epochs=1)
    return result


def given_to(module: nn.Module) -> cr.Node:
    """What a layer of this kind is applied to, or a network."""
    layer, shape = type(module).__name__, module.input_shape()
    if shape is not None and type(module).__module__.startswith("chainrule.zoo"):
        return cr.input("image", shape)
    ranks = {"1d": sequences, "2d": images, "3d": volumes}
    others = {
        "Embedding": y,
        "BatchNorm1d": x,
        "Upsample": images,
        "Transformer": tokens,
        **dict.fromkeys(SEQUENCES, steps),
    }
    return others.get(layer, ranks.get(layer[-2:], x))


def fitted(model: nn.Module) -> cr.Trainer:
    """A trainer that has something to tell."""
    optimizer = optim.SGD(lr=0.1)
    trainer = cr.Trainer(model, losses.cross_entropy, optimizer, target="numpy", progress=False)
    trainer.fit(np.ones((8, 4), np.float32), np.arange(8) % 3, epochs=1)
    return trainer
