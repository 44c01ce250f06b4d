"""Grading: backward passes written by hand in NumPy, right ones and every usual mistake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import losses, nn
from chainrule.grading.report import BackwardCheck, Finding, Verdict
from chainrule.testing import assert_backward

Numbers = npt.NDArray[Any]
Values = Mapping[str, Numbers]
Formula = Callable[[Any], Numbers]

HERE = r"\n  where: .*test_grading\.py:\d+\n  try: "
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


@pytest.mark.parametrize("activation", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_right_backward_pass_passes(activation: str, dtype: type[np.floating[Any]]) -> None:
    report = check({}, activation, dtype=dtype)
    assert report.passed
    assert not report.mistakes
    assert report.findings[0].name == "z2"
    assert str(report).startswith("all 7 gradients are right\n")


def test_the_order_is_that_of_the_backward_pass_not_of_the_answers() -> None:
    names = [
        finding.name
        for finding in check({}, returned=("W1", "b1", "z1", "h", "W2", "z2", "b2")).findings
    ]
    assert names.index("z2") < names.index("W2") < names.index("z1") < names.index("W1")
    assert names.index("h") < names.index("z1")


# (activation, the wrong line, the formula, the mistake's name, words of its explanation)
MISTAKES: list[tuple[str, str, Formula, str, str]] = [
    ("tanh", "db2", lambda s: s.dz2, "missing sum", "has shape [6,3], 'b2' has [3]"),
    ("tanh", "db1", lambda s: s.dz1, "missing sum", "used once for each position of axis 0"),
    ("tanh", "dW2", lambda s: s.dz2.T @ s.h, "matrix product", "Gᵀ·'h'"),
    ("tanh", "dW2", lambda s: -(s.h.T @ s.dz2), "sign", "negative of the right one"),
    ("tanh", "dW2", lambda s: s.z1.T @ s.dz2, "another factor", "'z1' is used in place of 'h'"),
    ("tanh", "dz2", lambda s: s.p - s.t, "missing 1/N", "nothing is divided by 6"),
    ("tanh", "dz2", lambda s: s.p / s.N, "p without y", "p − y"),
    ("tanh", "dz2", lambda s: (s.t - s.p) / s.N, "sign", "gradient points uphill"),
    (
        "tanh",
        "dz2",
        lambda s: (s.p - s.t) / s.N / s.N,
        "constant counted twice",
        "constant 6 of divide",
    ),
    ("tanh", "db2", lambda s: s.dz2.mean(axis=0), "constant factor", "1/6 times"),
    ("tanh", "dW1", lambda s: s.x.T @ s.dz1 / 2, "constant factor", "1/2 times"),
    ("tanh", "dW1", lambda s: 0.03 * (s.x.T @ s.dz1), "constant factor", "learning rate"),
    ("tanh", "dz1", lambda s: s.dh, "missing local derivative", "handed on unchanged"),
    ("sigmoid", "dz1", lambda s: s.dh, "missing local derivative", "'h' is missing"),
    ("relu", "dz1", lambda s: s.dh, "missing local derivative", "'h' is missing"),
    ("tanh", "dz1", lambda s: s.df(s.z1), "missing upstream gradient", "times local derivative"),
    (
        "tanh",
        "dz1",
        lambda s: s.dh * (1 - s.z1**2),
        "derivative at the wrong place",
        "input instead of its out",
    ),
    (
        "tanh",
        "dz1",
        lambda s: s.dh * s.df(s.h),
        "derivative at the wrong place",
        "output instead of its input",
    ),
    (
        "sigmoid",
        "dz1",
        lambda s: s.dh * s.df(s.h),
        "derivative at the wrong place",
        "output instead of its in",
    ),
    (
        "sigmoid",
        "dz1",
        lambda s: s.dh * s.z1 * (1 - s.z1),
        "derivative at the wrong place",
        "input instead",
    ),
    ("tanh", "dz1", lambda s: s.dh * s.h * (1 - s.h), "local derivative", "a·(1 − a)"),
    ("sigmoid", "dz1", lambda s: s.dh * (1 - s.h**2), "local derivative", "1 − a²"),
    ("sigmoid", "dz1", lambda s: s.dh * s.h, "local derivative", "taken as a,"),
    ("sigmoid", "dz1", lambda s: s.dh * (1 - s.h), "local derivative", "taken as 1 − a,"),
    ("relu", "dz1", lambda s: s.dh * (s.z1 < 0), "inverted mask", "passes where the value did"),
    ("relu", "dz1", lambda s: s.dh * s.h, "local derivative", "taken as a,"),
    (
        "tanh",
        "db1",
        lambda s: s.dz1.sum(axis=0, keepdims=True),
        "shape",
        "[1,5] where 'b1' has [5]",
    ),
    (
        "tanh",
        "db1",
        lambda s: s.dz1.sum(),
        "summed too much",
        "summed over axis 0, which should stay",
    ),
    (
        "tanh",
        "dz2",
        lambda s: (s.p - s.t).sum(axis=0) / s.N + np.zeros_like(s.p),
        "summed too much",
        "summed over axis 0",
    ),
    ("tanh", "db1", lambda s: s.dz1.sum(axis=1), "sum over the wrong axis", "summed over axis 1"),
    (
        "tanh",
        "dW1",
        lambda s: s.x[-1:].T @ s.dz1[-1:],
        "one row only",
        "only the last of the 6 rows",
    ),
    ("tanh", "db1", lambda s: s.dz1[0], "one row only", "only the first of the 6 rows"),
    ("tanh", "dW1", lambda s: np.zeros_like(s.W1), "left at zero", "every element is 0"),
    ("tanh", "dW1", lambda s: s.x.T @ s.dz1 * np.nan, "not finite", "20 of 20 elements are NaN"),
    ("tanh", "dW1", lambda s: s.W1, "value, not gradient", "the value itself"),
    ("tanh", "dh", lambda s: s.p @ s.W2.T, "cause not recognised", "none of the usual mistakes"),
]


@pytest.mark.parametrize(("activation", "line", "formula", "mistake", "words"), MISTAKES)
def test_a_mistake_is_named(
    activation: str, line: str, formula: Formula, mistake: str, words: str
) -> None:
    report = check({line: formula}, activation)
    (wrong,) = report.mistakes
    assert wrong.name == line[1:]
    assert wrong.summary == f"wrong: {mistake}"
    assert words in wrong.explanation()
    assert "test_grading.py:" in wrong.explanation()
    others = {finding.verdict for finding in report.findings if finding is not wrong}
    assert others <= {Verdict.RIGHT, Verdict.FOLLOWS, Verdict.UNCLEAR}


def test_an_earlier_mistake_is_told_apart_from_what_follows_from_it() -> None:
    report = check({"dz1": lambda s: s.dh * s.h, "db2": lambda s: s.dz2})
    assert verdicts(report) == {
        "z2": Verdict.RIGHT,
        "W2": Verdict.RIGHT,
        "b2": Verdict.WRONG,
        "h": Verdict.RIGHT,
        "z1": Verdict.WRONG,
        "W1": Verdict.FOLLOWS,
        "b1": Verdict.FOLLOWS,
    }
    assert [finding.name for finding in report.mistakes] == ["b2", "z1"]


def test_a_second_mistake_below_the_first_is_found_from_the_students_own_numbers() -> None:
    report = check({"dz2": lambda s: s.p - s.t, "dW1": lambda s: -s.x.T @ s.dz1})
    assert [f.summary for f in report.mistakes] == ["wrong: missing 1/N", "wrong: sign"]
    assert found(report, "z1").verdict is Verdict.FOLLOWS


@pytest.mark.parametrize(
    ("formula", "mistake"),
    [
        (lambda s: s.p / s.N, "p without y"),
        (lambda s: s.p - s.t, "missing 1/N"),
        (lambda s: (s.t - s.p) / s.N, "sign"),
        (lambda s: s.p, "p without y, and constant factor"),
        (lambda s: s.t - s.p, "constant factor"),
    ],
)
def test_where_only_parameters_are_returned_one_mistake_above_is_told_once(
    formula: Formula, mistake: str
) -> None:
    report = check({"dz2": formula}, returned=LEAVES)
    (wrong,) = report.mistakes
    assert wrong.summary == f"wrong: {mistake}"
    assert [f.verdict for f in report.findings].count(Verdict.FOLLOWS) == 3


def test_the_same_mistake_made_twice_is_told_twice() -> None:
    lines: dict[str, Formula] = {
        "dW2": lambda s: -s.h.T @ s.dz2,
        "dW1": lambda s: -s.x.T @ s.dz1,
    }
    report = check(lines, returned=LEAVES)
    assert {f.name: f.summary for f in report.mistakes} == {
        "W2": "wrong: sign",
        "W1": "wrong: sign",
    }


def test_a_mistake_between_returned_gradients_is_found_in_its_step() -> None:
    report = check({"dz1": lambda s: s.dh * s.df(s.h)}, returned=LEAVES)
    (wrong,) = report.mistakes
    assert wrong.name in ("W1", "b1")
    assert "the derivative of 'h' is taken at" in wrong.causes[0].what
    assert found(report, "W2").verdict is Verdict.RIGHT


def test_two_gradients_under_each_others_name() -> None:
    x = cr.input("x", ("batch", 4))
    u, v = cr.parameter("u", (4,), "normal"), cr.parameter("v", (4,), "normal")
    loss = cr.mean(cr.tanh(x @ u) * (x @ v))
    numbers = {"x": POINT["x"]}

    def student(point: Values) -> dict[str, Numbers]:
        a, b = point["x"] @ point["u"], point["x"] @ point["v"]
        du = point["x"].T @ ((1 - np.tanh(a) ** 2) * b) / len(a)
        return {"v": du, "u": point["x"].T @ np.tanh(a) / len(a)}

    report = cr.check_backward(student, loss, numbers)
    assert found(report, "u").causes[0].what == "this is the gradient of 'v'"
    assert found(report, "v").causes[0].what == "this is the gradient of 'u'"


class TestTheCircuitWithAFanOut:
    """The circuit y = z1 (z2 − 2 z1) of the lectures, z1 = x1², z2 = x2 x3, at (1, 2, 3)."""

    AT: Mapping[str, float] = {"x1": 1.0, "x2": 2.0, "x3": 3.0}

    def report(self, **wrong: Callable[[SimpleNamespace], float]) -> BackwardCheck:
        x1, x2, x3 = (cr.input(name) for name in self.AT)
        z1, z2 = cr.square(x1), x2 * x3
        z3 = 2 * z1
        z4 = z2 - z3
        names = {"z1": z1, "z2": z2, "z3": z3, "z4": z4}

        def student(point: Values) -> dict[str, float]:
            v = SimpleNamespace(**{name: float(value) for name, value in point.items()})
            d = {"z4": v.z1, "z3": -v.z1, "z2": v.z1, "z1": v.z4 - 2 * v.z1}
            d |= {name: value(v) for name, value in wrong.items()}
            below = {"x1": d["z1"] * 2 * v.x1, "x2": d["z2"] * v.x3, "x3": d["z2"] * v.x2}
            return below | d

        return cr.check_backward(student, z1 * z4, self.AT, names=names)

    def test_right(self) -> None:
        report = self.report()
        assert report.passed
        order = [finding.name for finding in report.findings]
        assert order[0] == "z4"
        assert order.index("z3") < order.index("z1") < order.index("x1")
        assert order.index("z2") < order.index("x2")

    def test_the_term_through_z3_is_missing(self) -> None:
        report = self.report(z1=lambda v: v.z4)
        (wrong,) = report.mistakes
        assert wrong.summary == "wrong: missing fan-out term"
        assert "'z3' is missing" in wrong.causes[0].what
        assert "+=" in wrong.causes[0].hint
        assert found(report, "x1").verdict is Verdict.FOLLOWS

    def test_the_last_term_overwrites_the_first(self) -> None:
        report = self.report(z1=lambda v: -2 * v.z1)
        (wrong,) = report.mistakes
        assert wrong.summary == "wrong: missing fan-out term"
        assert "multiply (test_grading.py:" in wrong.causes[0].what

    def test_the_minus_of_a_difference(self) -> None:
        report = self.report(z3=lambda v: v.z1)
        (wrong,) = report.mistakes
        assert wrong.summary == "wrong: sign"
        assert "minus sign is lost at 'z4'" in wrong.causes[0].what

    def test_the_two_of_a_square(self) -> None:
        report = self.report(x1=lambda v: (v.z4 - 2 * v.z1) * v.x1)
        (wrong,) = report.mistakes
        assert wrong.summary == "wrong: missing factor 2"
        assert "the 2 is missing" in wrong.causes[0].what

    def test_the_other_factor_of_a_product(self) -> None:
        report = self.report(x2=lambda v: v.z1 * v.x2)
        (wrong,) = report.mistakes
        assert wrong.summary == "wrong: another factor"
        assert "'x2' is used in place of 'x3'" in wrong.causes[0].what

    def test_no_factor_of_a_product(self) -> None:
        report = self.report(x2=lambda v: v.z1)
        (wrong,) = report.mistakes
        assert wrong.summary == "wrong: missing factor"

    def test_a_constant(self) -> None:
        report = self.report(z1=lambda v: v.z4 - v.z1)
        (wrong,) = report.mistakes
        assert wrong.summary == "wrong: missing constant"
        assert "the constant 2 of 'z3' is missing" in wrong.causes[0].what


def logistic() -> tuple[cr.Node, dict[str, Numbers]]:
    x, t = cr.input("x", ("batch", 3)), cr.input("t", ("batch",))
    w, b = cr.parameter("w", (3,), "normal"), cr.parameter("b", (), 0.3)
    loss = losses.binary_cross_entropy(x @ w + b, t) + 0.05 * cr.sum(w * w)
    return loss, {"x": RNG.normal(size=(5, 3)), "t": np.array([0.0, 1, 1, 0, 1])}


@pytest.mark.parametrize(
    ("penalty", "mistake"),
    [(0.1, None), (0.05, "missing factor 2"), (0.0, "missing fan-out term"), (-0.1, "sign")],
)
def test_logistic_regression_with_a_penalty(penalty: float, mistake: str | None) -> None:
    loss, at = logistic()

    def student(v: Values) -> dict[str, Numbers]:
        s = 1 / (1 + np.exp(-(v["x"] @ v["w"] + v["b"])))
        dz = (s - v["t"]) / len(s)
        return {"w": v["x"].T @ dz + penalty * v["w"], "b": dz.sum()}

    report = cr.check_backward(student, loss, at)
    assert report.passed is (mistake is None)
    assert [f.summary for f in report.mistakes] == ([f"wrong: {mistake}"] if mistake else [])


@pytest.mark.parametrize(
    ("derivative", "mistake"),
    [
        (lambda p, g: p * (g - (g * p).sum(axis=1, keepdims=True)), None),
        (lambda p, g: g * p * (1 - p), "softmax by elements"),
        (lambda p, g: g * p, "softmax by elements"),
    ],
)
def test_a_softmax_is_no_activation_of_single_elements(
    derivative: Callable[[Numbers, Numbers], Numbers], mistake: str | None
) -> None:
    z, t = cr.input("z", (4, 3)), cr.input("t", (4, 3))
    p = cr.softmax(z)
    loss = cr.mean(cr.square(p - t))

    def student(v: Values) -> dict[str, Numbers]:
        dp = 2 * (v["p"] - v["t"]) / v["p"].size
        return {"p": dp, "z": derivative(v["p"], dp)}

    at = {"z": RNG.normal(size=(4, 3)), "t": np.eye(3)[[0, 1, 2, 0]]}
    report = cr.check_backward(student, loss, at, names={"p": p})
    assert found(report, "p").verdict is Verdict.RIGHT
    assert [f.summary for f in report.mistakes] == ([f"wrong: {mistake}"] if mistake else [])


def test_square_matrices_in_the_wrong_order() -> None:
    x, w = cr.input("x", (3, 3)), cr.parameter("w", (3, 3), "normal")
    z = x @ w
    loss = cr.sum(cr.sin(z))
    at = {"x": RNG.normal(size=(3, 3))}

    def product(name: str, formula: Formula) -> Finding:
        def student(v: Values) -> dict[str, Numbers]:
            dz = np.cos(v["z"])
            right = {"z": dz, "x": dz @ v["w"].T, "w": v["x"].T @ dz}
            return {**right, name: formula(SimpleNamespace(x=v["x"], w=v["w"], g=dz))}

        (wrong,) = cr.check_backward(student, loss, at, names={"z": z}).mistakes
        assert wrong.name == name
        return wrong

    assert "you computed G·'w', where" in product("x", lambda s: s.g @ s.w).causes[0].what
    assert "you computed 'w'ᵀ·G, where" in product("x", lambda s: s.w.T @ s.g).causes[0].what
    assert "you computed 'x'·G, where" in product("w", lambda s: s.x @ s.g).causes[0].what
    assert "you computed Gᵀ·'x', where" in product("w", lambda s: s.g.T @ s.x).causes[0].what


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), name=st.sampled_from(["z2", "W2", "b2", "h", "z1", "W1"]))
def test_no_cause_is_made_up_for_random_numbers(seed: int, name: str) -> None:
    def random(s: Any) -> Numbers:
        drawn: Numbers = np.random.default_rng(seed).normal(size=getattr(s, name).shape)
        return drawn

    wrong = found(check({f"d{name}": random}), name)
    assert wrong.verdict is Verdict.WRONG
    assert wrong.summary == "wrong: cause not recognised"
    assert wrong.causes == ()


def test_a_coincidence_at_one_point_is_seen_through_at_another() -> None:
    """At a = 0 the derivative of tanh is 1; half of it, there alone, looks like a lost factor."""
    a = cr.input("a")
    b = cr.tanh(a)

    def student(v: Values) -> dict[str, Numbers]:
        return {"a": np.asarray(0.25 * np.cos(v["a"]) / np.cos(0.0))}

    assert not cr.check_backward(student, b * 0.5, {"a": 0.0}).findings[0].causes
    fixed = {"a": 0.25}
    assert cr.check_backward(fixed, b * 0.5, {"a": 0.0}).findings[0].causes


def test_gradients_may_be_given_as_they_are_and_by_node() -> None:
    model = Perceptron()
    weights: dict[str, Numbers] = {"W1": np.full((4, 5), 0.1), "W2": np.full((5, 3), 0.2)}
    at: dict[str, Numbers] = {**POINT, **weights}
    biases: dict[str, Numbers] = {"b1": np.full(5, 0.25), "b2": np.full(3, 0.5)}
    gradients = Student({})({**biases, **at})
    by_node = {model.z2: gradients["z2"], **{getattr(model, n): gradients[n] for n in LEAVES}}
    report = cr.check_backward(by_node, model.loss, at)
    assert report.passed, str(report)
    assert cr.check_backward(gradients, cr.Graph([model.loss]), at, names=model.names).passed


def test_a_gradient_of_the_wrong_shape_leaves_what_is_below_it_unclear() -> None:
    lines: dict[str, Formula] = {
        "dz1": lambda s: (s.dh * s.df(s.z1))[:, :1],
        "dW1": lambda s: s.x.T @ s.dz1 + np.zeros((4, 5)),
        "db1": lambda s: s.dz1.sum() + np.zeros(5),
    }
    report = check(lines)
    assert found(report, "z1").verdict is Verdict.WRONG
    assert found(report, "z1").error is None
    assert found(report, "W1").verdict is Verdict.UNCLEAR


def test_nan_goes_down_as_a_consequence() -> None:
    report = check({"dz1": lambda s: s.dh * np.nan})
    assert [f.name for f in report.mistakes] == ["z1"]
    assert found(report, "W1").verdict is Verdict.FOLLOWS


def test_a_gradient_that_is_zero_by_cancellation_is_right() -> None:
    x, w = cr.input("x", ("batch", 2)), cr.parameter("w", (2,), "normal")
    centred = x @ w - cr.mean(x @ w)
    b = cr.parameter("b", (), 0.0)

    def student(v: Values) -> dict[str, Numbers]:
        a = v["x"] @ v["w"]
        da = 2 * (a - a.mean()) / len(a)
        return {"b": da.sum(), "w": v["x"].T @ (da - da.mean())}

    loss = cr.mean(cr.square(centred + b))
    assert cr.check_backward(student, loss, {"x": RNG.normal(size=(50, 2))}).passed


def test_parameters_without_a_gradient_are_missing() -> None:
    report = check({}, returned=("W2", "b2", "W1"))
    (missing,) = report.mistakes
    assert missing.verdict is Verdict.MISSING
    assert "there is no gradient for 'b1'" in str(report)
    model = Perceptron()
    wrt = [model.W2]
    assert cr.check_backward(Student({}, returned=("W2",)), model.loss, POINT, wrt=wrt).passed


def test_the_report_is_a_table_with_the_mistake_in_words() -> None:
    lines = str(check({"db2": lambda s: s.dz2})).splitlines()
    assert lines[0] == ("6 of 7 gradients are right; the first mistake, going backward, is at 'b2'")
    assert lines[2].split() == ["gradient", "shape", "error", "verdict"]
    assert any(line.split() == ["b2", "[6,3]", "wrong:", "missing", "sum"] for line in lines)
    assert lines[-4] == "b2"
    assert lines[-3] == "  what: a sum is missing: it has shape [6,3], 'b2' has [3]"
    assert lines[-1].startswith("  try: in the forward pass it is used once")


def test_the_assertion_for_test_runners() -> None:
    model = Perceptron()
    assert_backward(Student({}), model.loss, POINT, names=model.names)
    flawed = Student({"dz1": lambda s: s.dh})
    with pytest.raises(AssertionError, match=r"(?s)3 of 7|4 of 7 gradients.*handed on unchanged"):
        assert_backward(flawed, model.loss, POINT, names=model.names)


def test_tolerance() -> None:
    lines: dict[str, Formula] = {"dW1": lambda s: (s.x.T @ s.dz1) * (1 + 1e-5)}
    assert not check(lines).passed
    model = Perceptron()
    student = Student(lines)
    assert cr.check_backward(student, model.loss, POINT, names=model.names, tolerance=1e-4).passed


def test_rounding_that_comes_down_from_a_right_gradient_is_no_mistake() -> None:
    x = cr.input("x")
    z = 3.0 * x
    loss = 2.0 * z
    given = {"z": 2.0 * (1 + 0.9e-3), "x": 6.0 * (1 + 1.4e-3)}
    at, names = {"x": 1.0}, {"z": z}
    assert cr.check_backward(given, loss, at, names=names, tolerance=1e-3).passed
    alone = {"x": given["x"]}
    assert not cr.check_backward(alone, loss, at, tolerance=1e-3).passed


def test_misuse_is_refused() -> None:
    model = Perceptron()
    grade = cr.check_backward

    def refused(student: Any, message: str, **more: Any) -> None:
        with pytest.raises(cr.InputError, match=f"check_backward.*{message}.*{HERE}"):
            grade(student, model.loss, POINT, **more)

    refused(lambda _: None, "gave nothing, not gradients by name")
    refused({}, "gave nothing, not gradients by name")
    refused(lambda _: [1.0], "gave a value of type list, not gradients by name")
    refused(3, "a value of type int is no backward pass")
    refused({"w1": 1.0}, "there is no node 'w1' in the backward pass")
    refused({"y": 1.0}, "the loss has no gradient with respect to y")
    refused({"W1": [[1.0], [1.0, 2.0]]}, "W1 is no array")
    refused({"W1": 1.0, model.W1: 1.0}, "two gradients for W1")
    refused(
        {"W1": 1.0}, "'q' names .*which the loss is not computed from", names={"q": cr.input("q")}
    )
    refused({"W1": 1.0}, "'W1' is the name of W1 f32", names={"W1": model.z1})
    refused({"W1": 1.0}, "tolerance must be", tolerance=0.0)
    refused({"W1": 1.0}, "wrt has <y i32.*no derivative of the loss flows", wrt=[model.y])
    with pytest.raises(cr.InputError, match=r"there is no node 'dW1'(?s:.*)did you mean 'W1'\?"):
        grade({"dW1": 1.0}, model.loss, POINT)
    with pytest.raises(cr.InputError, match="check_backward: there is no value for x"):
        grade({"W1": 1.0}, model.loss, {})
    with pytest.raises(cr.InputError, match="needs the loss, or a graph with the loss"):
        grade({"W1": 1.0}, cr.Graph([model.loss, model.z1]), POINT)
    with pytest.raises(cr.GradientError, match="check_backward needs a floating-point scalar"):
        grade({"W1": 1.0}, model.z1, POINT)
    with pytest.raises(cr.DTypeError, match="check_backward: W1 has element type float16"):
        grade({"W1": np.zeros((4, 5), np.float16)}, model.loss, POINT)


def test_one_mistake_at_the_loss_of_a_deep_network_is_told_once() -> None:
    layers = [layer for _ in range(8) for layer in (nn.Linear(4, 4), nn.Tanh())]
    net = nn.Sequential(*layers)
    x, y = cr.input("x", ("batch", 4)), cr.input("y", ("batch",), dtype="int32")
    z = net(x)
    loss = losses.cross_entropy(z, y)
    p_alone = cr.mean(cr.logsumexp(z, axis=-1))
    weights = [parameter for parameter in net.parameters() if "weight" in repr(parameter)]
    wrong = cr.compile(cr.grad(p_alone, weights), passes=())
    state = wrong.initial_state()
    names = [weight.op.label for weight in weights]
    gradients = dict(zip(names, wrong.bind(state)(x=POINT["x"].astype(np.float32)), strict=True))
    report = cr.check_backward(gradients, loss, {**POINT, **state}, wrt=weights)
    assert [finding.summary for finding in report.mistakes] == ["wrong: p without y"]
    assert report.mistakes[0].name == names[-1]
    assert list(verdicts(report).values()) == [Verdict.WRONG, *[Verdict.FOLLOWS] * 7]
