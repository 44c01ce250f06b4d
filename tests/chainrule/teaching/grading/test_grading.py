"""Grading: right backward passes, reports, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.grading import (
    FUNCTIONS,
    LEAVES,
    POINT,
    RNG,
    Formula,
    Numbers,
    Perceptron,
    Student,
    Values,
    check,
    found,
    verdicts,
)

import chainrule as cr
from chainrule import losses, nn
from chainrule.teaching.grading.report import Verdict
from chainrule.testing import assert_backward

HERE = r"\n  where: .*test_grading\.py:\d+\n  try: "


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
