"""Calls that a newcomer tries: each works where its meaning is plain, or says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainc import ir
from chainrule import losses, metrics, nn, optim

X, Y = np.ones((4, 3), np.float32), np.zeros(4, np.int32)
DATA = {"x": X, "y": Y}
x, y = cr.input("x", ("batch", 3)), cr.input("y", ("batch",), dtype="int32")
model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
logits = model(x)
loss = losses.cross_entropy(logits, y)
step = optim.SGD(lr=0.1).minimize(loss)
share = metrics.accuracy(logits, y)

training: Callable[..., Any] = cr.training  # what follows is no call that its types allow
compile: Callable[..., Any] = cr.compile


@pytest.fixture(scope="module")
def program() -> Any:
    return compile(training(step, epochs=1, batch_size=2))


@pytest.fixture(scope="module")
def result(program: Any) -> Any:
    return program.run(DATA)


def says(call: Callable[[], object], *parts: str) -> None:
    with pytest.raises(cr.ChainruleError) as caught:
        call()
    text = str(caught.value)
    for part in (*parts, "where: ", "test_first_calls.py", "try: "):
        assert part in text


def test_the_only_input_is_given_by_position(result: Any) -> None:
    predict = compile(logits).bind(result.state)
    np.testing.assert_array_equal(predict(X), predict(x=X))
    np.testing.assert_array_equal(predict(X.tolist()), predict(x=X))


def test_values_for_several_inputs_need_names() -> None:
    both = compile(cr.sum(x, axis=1) + cr.astype(y, "float32"))
    says(lambda: both(X, Y), "is not said by its place", '{"x": ..., "y": ...}')
    says(lambda: both((X, Y)), "is not said by its place", '{"x": ..., "y": ...}')
    says(lambda: compile(cr.sum(x))(X, Y), "is not said by its place", '{"x": ...}')


@pytest.mark.parametrize("data", [[X, Y], (X, Y), X])
def test_data_for_several_inputs_needs_names(program: Any, data: object) -> None:
    says(lambda: program.run(data), "is not said by its place", '"x": ...')
    says(lambda: program.run(DATA, validation=data), "is not said by its place", '"x": ...')


def test_a_result_stands_for_its_state(program: Any, result: Any) -> None:
    predict = compile(logits)
    np.testing.assert_array_equal(predict.bind(result)(X), predict.bind(result.state)(X))
    assert program.run(DATA, state=result).state == program.run(DATA, state=result.state).state
    assert program.evaluate(DATA, result) == program.evaluate(DATA, result.state)


def test_what_is_no_state_is_refused() -> None:
    predict = compile(logits)
    says(lambda: predict.bind(None), "a NoneType is no state", "result.state")
    says(lambda: predict.bind(model), "a Sequential is no state")


@pytest.mark.parametrize(
    ("what", "told"),
    [
        (loss, "a loss is no step"),
        (optim.SGD(lr=0.1), "a SGD is no step"),
        (model, "a Sequential is no step"),
    ],
)
def test_a_training_is_of_a_step(what: object, told: str) -> None:
    says(lambda: training(what, epochs=1, batch_size=2), told, "minimize(loss)")


def test_metrics_of_a_list_are_called_as_their_variables() -> None:
    def names(given: object) -> object:
        return training(step, epochs=1, batch_size=2, metrics=given).names

    largest = cr.max(logits)
    declared = training(step, epochs=1, batch_size=2, metrics=[share, largest])
    assert declared.names == ("loss", "share", "largest")
    assert names([metrics.accuracy(logits, y)]) == ("loss", "accuracy")
    says(lambda: names([cr.min(logits), cr.min(logits)]), "two metrics are called 'min'")


@pytest.mark.parametrize("given", [["accuracy"], "accuracy", {"a": metrics.accuracy}])
def test_metrics_are_nodes(given: object) -> None:
    def declared() -> object:
        return training(step, epochs=1, batch_size=2, metrics=given)

    says(declared, "is no metric", "metrics.accuracy(logits, labels)")


@pytest.mark.parametrize(
    ("what", "hint"),
    [
        (says, "call it first"),
        (model, "call it first"),
        (nn.Linear, "call it first"),
        (optim.SGD(lr=0.1), "cr.training(optimizer.minimize(loss)"),
        (None, "give a node"),
        (3, "give a node"),
        (X, "give a node"),
    ],
)
def test_what_is_compiled_is_a_declaration(what: object, hint: str) -> None:
    says(lambda: compile(what), "is nothing that can be compiled", hint)


def nothing(graph: ir.Graph) -> ir.Graph:
    """Nothing at all."""
    return graph


def test_passes_are_given_by_name_or_as_functions() -> None:
    program = compile(loss, passes=["cse", nothing])
    assert [stage.name for stage in program.stages] == ["declared", "cse", "nothing"]
    assert program.stages[-1].meaning == "Nothing at all."
    assert [stage.name for stage in compile(loss, passes="fold").stages] == ["declared", "fold"]
    says(lambda: compile(loss, passes=["csee"]), "'csee' is no pass", "canonicalize")
    says(lambda: compile(loss, passes=[3]), "3 is no pass")
