"""Small networks that rules train, and what their signals are."""

import numpy as np

import chainrule as cr
from chainrule import learning, losses, nn, optim

FEATURES, CLASSES, ROWS = 5, 3, 8
Values = dict[str, np.ndarray]


class Problem:
    """A network with two hidden layers, its loss, and data for it."""

    def __init__(self, activation: type[nn.Module] = nn.Tanh, *sizes: int) -> None:
        features, *hidden, classes = sizes or (FEATURES, 6, 4, CLASSES)
        self.x = cr.input("x", ("batch", features))
        self.y = cr.input("y", ("batch",), dtype="int32")
        self.model = nn.MLP(features, *hidden, classes, activation=activation)
        self.output = self.model(self.x)
        self.loss = losses.cross_entropy(self.output, self.y)
        self.parameters = self.model.parameters()
        draw = np.random.default_rng(3)
        labels = np.arange(ROWS, dtype=np.int32) % classes
        self.data = {"x": draw.normal(size=(ROWS, features)).astype("f4"), "y": labels}

    def step(self, rule: learning.Rule, **settings: float) -> optim.Step:
        chosen = optim.SGD(lr=settings.get("lr", 0.1))
        return chosen.minimize(self.loss, rule=rule, model=self.model)

    def signals(self, rule: learning.Rule, target: str = "numpy", steps: int = 0) -> Values:
        """By parameter, at the initial values of seed 0; the state is under its own names."""
        step = self.step(rule)
        run = cr.compile(list(step.gradients), target=target)
        state = run.initial_state(seed=0)
        values = {name: np.asarray(value) for name, value in state.items()}
        if "step" in values:
            values["step"] = np.array(steps, np.int64)
        found = run.bind(cr.State(values))(**self.data)
        named = {p.op.label: value for p, value in zip(step.parameters, found, strict=True)}
        return {**values, **grads(named)}


def grads(named: Values) -> Values:
    return {f"signal of {name}": value for name, value in named.items()}


def cosine(first: np.ndarray, second: np.ndarray) -> float:
    lengths = np.linalg.norm(first) * np.linalg.norm(second)
    return float(np.sum(first * second) / lengths)
