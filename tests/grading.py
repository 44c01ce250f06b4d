"""A perceptron with a backward pass in NumPy whose lines can be replaced by wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

import chainrule as cr
from chainrule import losses
from chainrule.teaching.grading.report import BackwardCheck, Finding, Verdict

Numbers = npt.NDArray[Any]
Values = Mapping[str, Numbers]
Formula = Callable[[Any], Numbers]

ROWS = 6


@dataclass
class Perceptron:
    """Two layers with softmax cross-entropy, declared in Chainrule."""

    activation: str = "tanh"

    def __post_init__(self) -> None:
        self.x, self.y = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int32")
        self.W1, self.b1 = (
            cr.parameter("W1", (4, 5), "xavier_normal"),
            cr.parameter("b1", (5,), 0.25),
        )
        self.W2, self.b2 = (
            cr.parameter("W2", (5, 3), "xavier_normal"),
            cr.parameter("b2", (3,), 0.5),
        )
        self.z1 = self.x @ self.W1 + self.b1
        self.h = getattr(cr, self.activation)(self.z1)
        self.z2 = self.h @ self.W2 + self.b2
        self.loss = losses.cross_entropy(self.z2, self.y)
        self.names = {"z1": self.z1, "h": self.h, "z2": self.z2}


FUNCTIONS: Mapping[str, Formula] = {
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu": lambda z: np.maximum(z, 0),
}
DERIVATIVES: Mapping[str, Formula] = {
    "tanh": lambda z: 1 - np.tanh(z) ** 2,
    "sigmoid": lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    "relu": lambda z: (z > 0).astype(z.dtype),
}


@dataclass
class Student:
    """A backward pass by hand; each line may be replaced by another formula over those before."""

    lines: Mapping[str, Formula]
    activation: str = "tanh"
    dtype: type[np.floating[Any]] = np.float64
    returned: tuple[str, ...] = ("z2", "W2", "b2", "h", "z1", "W1", "b1")

    def __call__(self, point: Values) -> dict[str, Numbers]:
        s = SimpleNamespace(df=DERIVATIVES[self.activation], N=len(point["x"]))
        for name in ("x", "W1", "b1", "W2", "b2"):
            setattr(s, name, point[name].astype(self.dtype))
        s.z1 = s.x @ s.W1 + s.b1
        s.h = FUNCTIONS[self.activation](s.z1)
        s.z2 = s.h @ s.W2 + s.b2
        e = np.exp(s.z2)
        s.p = e / e.sum(axis=1, keepdims=True)
        s.t = np.eye(3, dtype=self.dtype)[point["y"]]
        for name, formula in {**RIGHT, **self.lines}.items():
            setattr(s, name, formula(s))
        return {name: getattr(s, f"d{name}") for name in self.returned}


RIGHT: Mapping[str, Formula] = {
    "dz2": lambda s: (s.p - s.t) / s.N,
    "dW2": lambda s: s.h.T @ s.dz2,
    "db2": lambda s: s.dz2.sum(axis=0),
    "dh": lambda s: s.dz2 @ s.W2.T,
    "dz1": lambda s: s.dh * s.df(s.z1),
    "dW1": lambda s: s.x.T @ s.dz1,
    "db1": lambda s: s.dz1.sum(axis=0),
}
RNG = np.random.default_rng(7)
POINT: Mapping[str, Numbers] = {
    "x": RNG.normal(size=(ROWS, 4)),
    "y": RNG.integers(0, 3, ROWS).astype(np.int32),
}
LEAVES = ("W2", "b2", "W1", "b1")


def check(lines: Mapping[str, Formula], activation: str = "tanh", **more: Any) -> BackwardCheck:
    model = Perceptron(activation)
    student = Student(lines, activation, **more)
    return cr.check_backward(student, model.loss, POINT, names=model.names)


def found(report: BackwardCheck, name: str) -> Finding:
    return next(finding for finding in report.findings if finding.name == name)


def verdicts(report: BackwardCheck) -> dict[str, Verdict]:
    return {finding.name: finding.verdict for finding in report.findings}
