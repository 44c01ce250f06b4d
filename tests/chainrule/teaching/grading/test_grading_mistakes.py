"""Grading: every usual mistake of a backward pass written by hand is named in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pytest
from tests.grading import LEAVES, POINT, RNG, Formula, Numbers, Values, check, found, verdicts

import chainrule as cr
from chainrule import losses
from chainrule.teaching.grading.report import BackwardCheck, Finding, Verdict

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
    assert "tests/grading.py:" in wrong.explanation()
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
        assert "multiply (test_grading_mistakes.py:" in wrong.causes[0].what

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
